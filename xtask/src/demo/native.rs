//! Logins of clients that are no browsers: a native app, a mini program, and an app that opens a mini program.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::walk::{at, expect, page, tell, text};
use crate::browser::{Browser, post_json};

/// People of the simulator (`wechat-sim --demo`).
const PERSON: &str = "xiaohong";
const APP: &str = "wx0000000000000003";
const MINI_PROGRAM: &str = "wx0000000000000004";
/// RFC 7636's example. A real app makes a new pair for each login.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) fn mobile_app(gate: &str, wechat: &str) -> Result<String> {
    tell("mobile_app. A native app begins: it keeps a verifier, and gets a state for WeChat's SDK.");
    let started = call(gate, "/wxgate/start/app", &json!({"challenge": CHALLENGE}))?;
    tell(&format!("WeChat opens, {PERSON} allows it, and the SDK gives the app a code with that state."));
    let request = json!({"scope": "snsapi_userinfo", "state": at(&started, "state")});
    let allowed = post_json(&format!("{wechat}/sim/app/send-auth"), &json!({"appid": APP, "person": PERSON, "request": request}))?;
    tell("The app sends both, with its verifier, and gets a token.");
    let body = json!({"code": at(&allowed, "code"), "state": at(&allowed, "state"), "verifier": VERIFIER});
    let session = call(gate, "/wxgate/code/app", &body)?;
    account_of(gate, &session)
}

pub(super) fn mini_program(gate: &str, wechat: &str) -> Result<String> {
    tell("mini_program. The same person in the mini program: the code of wx.login, and the phone number that they allow.");
    let body = json!({"code": wx_login(wechat)?, "phone_code": phone_code(wechat)?});
    let session = call(gate, "/wxgate/code/mini", &body)?;
    println!("    phone number {}", session.pointer("/user/phone_number").and_then(Value::as_str).unwrap_or_default());
    let account = account_of(gate, &session)?;
    tell("It shows a page of the application in a web view, which has no token: by an address that works once.");
    let url = format!("{gate}/wxgate/hand-over");
    let over = Browser::new().call("POST", &url, Some(text(&session, "token")?), &json!({"target": "/account"}).to_string())?;
    println!("    POST {url} -> {}", over.status);
    expect(200, &over)?;
    let mut web_view = Browser::new();
    let opened = page(&mut web_view, gate, text(&serde_json::from_str(&over.body)?, "url")?)?;
    expect(303, &opened)?;
    expect(200, &page(&mut web_view, gate, "/account")?)?;
    Ok(account)
}

pub(super) fn app_to_mini_program(gate: &str, wechat: &str) -> Result<String> {
    tell("app_to_mini_program. A native app begins, and learns how to open the mini program.");
    let started = call(gate, "/wxgate/start/launch", &json!({"challenge": CHALLENGE}))?;
    let launch = at(&started, "launch");
    println!("    {launch}");
    let request = json!({"userName": at(&launch, "original_id"), "path": at(&launch, "path")});
    let visit = post_json(&format!("{wechat}/sim/app/launch-mini-program"), &json!({"appid": APP, "person": PERSON, "request": request}))?;
    let visit = text(&visit, "id")?;
    tell("The mini program logs in with the ticket in its path, and gets what only this app is to have.");
    let path = text(&launch, "path")?;
    let (_, ticket) = path.split_once("?ticket=").with_context(|| format!("no ticket in {path}"))?;
    let login = call(gate, "/wxgate/code/launch", &json!({"ticket": ticket, "code": wx_login(wechat)?}))?;
    tell("launchApp leads back to the app with it, and the app adds its verifier.");
    let back = format!("{wechat}/sim/mini-program/visits/{visit}/launch-app");
    let visit = post_json(&back, &json!({"app_parameter": at(&login, "hand_back")}))?;
    let session = call(gate, "/wxgate/code/launch", &json!({"hand_back": at(&visit, "handed_back"), "verifier": VERIFIER}))?;
    account_of(gate, &session)
}

/// Calls an API of the application with the token; gives the account.
fn account_of(gate: &str, session: &Value) -> Result<String> {
    let token = text(session, "token")?;
    let url = format!("{gate}/api/me");
    let answer = Browser::new().call("GET", &url, Some(token), "")?;
    println!("    GET {url}, Authorization: Bearer wxg1.… -> {}", answer.status);
    expect(200, &answer)?;
    let me: Value = serde_json::from_str(&answer.body)?;
    let account = me.pointer("/claims/sub").and_then(Value::as_str).context("the application was told nobody")?;
    println!("    sub {account}");
    Ok(account.to_owned())
}

/// Posts JSON to the gate, and tells of it.
pub(super) fn call(gate: &str, path: &str, body: &Value) -> Result<Value> {
    let answer = Browser::new().call("POST", &format!("{gate}{path}"), None, &body.to_string())?;
    println!("    POST {gate}{path} -> {}", answer.status);
    expect(200, &answer)?;
    Ok(serde_json::from_str(&answer.body)?)
}

/// `wx.login`.
pub(super) fn wx_login(wechat: &str) -> Result<Value> {
    let login = post_json(&format!("{wechat}/sim/mini-program/login"), &json!({"appid": MINI_PROGRAM, "person": PERSON}))?;
    Ok(at(&login, "code"))
}

/// The phone-number button, allowed.
pub(super) fn phone_code(wechat: &str) -> Result<Value> {
    let number = post_json(&format!("{wechat}/sim/mini-program/phone-number"), &json!({"appid": MINI_PROGRAM, "person": PERSON}))?;
    Ok(at(&number, "code"))
}
