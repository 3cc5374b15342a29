//! Logins that begin in a browser and are confirmed on a phone, by a mini program or by an official account; and the one
//! that happens inside WeChat.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    native::{call, phone_code, wx_login},
    walk::{absolute, allowed, at, expect, page, sent_to_wechat, tell, text},
};
use crate::browser::{Browser, post_json};

const PERSON: &str = "xiaohong";

/// How long the browser may take to hear of the phone.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn mini_program_qr(gate: &str, wechat: &str) -> Result<String> {
    tell("mini_program_qr. A browser asks for a code to scan, and shows it with a number.");
    let (mut browser, scan) = begin(gate, "scan")?;
    tell("A phone scans it. WeChat opens the mini program with the ticket, and wx.login says who it is.");
    let codes = Browser::new().get(&format!("{wechat}/sim/mini-program/codes"))?;
    let codes: Value = serde_json::from_str(&codes.body)?;
    let query = codes.pointer("/0/query").and_then(Value::as_str).with_context(|| format!("no code at WeChat: {codes}"))?;
    let ticket = query.strip_prefix("scene=").with_context(|| format!("a code without a scene: {query}"))?;
    let asked = call(gate, "/wxgate/scan/scan/confirm", &json!({"ticket": ticket, "code": wx_login(wechat)?}))?;
    println!("    the phone shows {}, {}, number {}", text(&asked, "origin")?, text(&asked, "client_address")?, text(&asked, "number")?);
    if at(&asked, "number") != at(&scan, "number") {
        bail!("the numbers differ");
    }
    tell("The person compares the number, and confirms with their phone number. The browser collects the login.");
    let answer = json!({"confirm": at(&asked, "confirm"), "action": "confirm", "phone_code": phone_code(wechat)?});
    call(gate, "/wxgate/scan/scan/confirm", &answer)?;
    collect(&mut browser, gate, &scan)
}

pub(super) fn official_account_qr(gate: &str, wechat: &str) -> Result<String> {
    tell("official_account_qr. A browser asks for a code of the official account.");
    let (mut browser, scan) = begin(gate, "follow")?;
    tell("A phone scans it and follows the account. WeChat pushes that to the gate, encrypted, and shows the answer in the chat.");
    let camera = Browser::new().send(&format!("{wechat}/sim/camera"), &[("cookie", &format!("sim_person={PERSON}"))])?;
    let id = attribute(&camera.body, "href=\"/q/").context("no code of the account at WeChat")?;
    let act = json!({"url": format!("http://weixin.qq.com/q/{id}"), "person": PERSON});
    let push = post_json(&format!("{wechat}/sim/account/scan"), &act)?;
    let chat = text(&push, "reply").with_context(|| format!("no message came into the chat: {push}"))?;
    let link = attribute(chat, "href=\"").with_context(|| format!("no link in the chat: {chat}"))?;
    tell("The link in the chat opens a page in WeChat: which site, from where, which number. The person confirms.");
    let mut phone = Browser::in_wechat();
    let question = page(&mut phone, gate, link)?;
    expect(200, &question)?;
    if !question.body.contains(text(&scan, "number")?) {
        bail!("the page on the phone does not show the number");
    }
    let (address, confirm) = link.split_once("?confirm=").context("the link has nothing to confirm")?;
    let answer = phone.submit(address, gate, &format!("action=confirm&confirm={confirm}"))?;
    println!("    POST {address} -> {}", answer.status);
    expect(200, &answer)?;
    tell("The browser collects the login.");
    collect(&mut browser, gate, &scan)
}

pub(super) fn official_account_web(gate: &str, wechat: &str) -> Result<String> {
    tell("official_account_web. Somebody opens the page inside WeChat: there is nothing to scan there.");
    let mut browser = Browser::in_wechat();
    let url = sent_to_wechat(&mut browser, gate, "/wxgate/start/in-wechat?return_to=%2Faccount")?;
    let back = allowed(wechat, &url, PERSON)?;
    expect(303, &page(&mut browser, gate, &back)?)?;
    who(&mut browser, gate)
}

/// As the script of the login page does.
fn begin(gate: &str, connector: &str) -> Result<(Browser, Value)> {
    let mut browser = Browser::new();
    let url = format!("{gate}/wxgate/scan/{connector}");
    let answer = browser.post(&url, gate, &json!({"return_to": "/account"}))?;
    println!("    POST {url} -> {}", answer.status);
    expect(200, &answer)?;
    let scan: Value = serde_json::from_str(&answer.body)?;
    let image = browser.fetch(&absolute(gate, text(&scan, "image")?), &[("sec-fetch-site", "same-origin")])?;
    println!("    GET {gate}/wxgate/scan/{connector}/image -> {}, number {}", image.status, text(&scan, "number")?);
    expect(200, &image)?;
    Ok((browser, scan))
}

fn collect(browser: &mut Browser, gate: &str, scan: &Value) -> Result<String> {
    let poll = absolute(gate, text(scan, "poll")?);
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = browser.fetch(&poll, &[("sec-fetch-site", "same-origin")])?;
        expect(200, &answer)?;
        let state: Value = serde_json::from_str(&answer.body)?;
        if text(&state, "state")? == "done" {
            println!("    the state is done, and the way on {}", text(&state, "location")?);
            break;
        }
        if Instant::now() > end {
            bail!("the browser hears nothing of the phone: {state}");
        }
        thread::sleep(Duration::from_millis(200));
    }
    who(browser, gate)
}

/// Whose account the application is told of.
fn who(browser: &mut Browser, gate: &str) -> Result<String> {
    let me = browser.fetch(&format!("{gate}/api/me"), &[])?;
    expect(200, &me)?;
    let claims = at(&serde_json::from_str(&me.body)?, "claims");
    println!("    sub {}, connector {}", text(&claims, "sub")?, text(&claims, "connector")?);
    Ok(text(&claims, "sub")?.to_owned())
}

/// What follows `start` up to the next quotation mark.
fn attribute<'a>(html: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = html.split_once(start)?;
    rest.split('"').next()
}
