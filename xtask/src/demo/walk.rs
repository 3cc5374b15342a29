//! One login, step by step, each of them told and checked.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::browser::{Answer, Browser, post_json};

/// A person of the simulator (`wechat-sim --demo`).
const PERSON: &str = "xiaoming";

/// Logs in with a QR code; fails at the first thing that is not as it should be.
pub(super) fn login(gate: &str, app: &str, wechat: &str) -> Result<()> {
    let account = format!("{gate}/account");
    let mut browser = Browser::new();

    tell("A visitor opens a page that is for everybody.");
    expect(200, &page(&mut browser, gate, "/")?)?;

    tell("Then one that is not: the gate sends the browser to log in.");
    let login = page(&mut browser, gate, "/account")?;
    expect(303, &login)?;
    expect(200, &page(&mut browser, gate, login.location.as_deref().context("a redirect without Location")?)?)?;
    tell("The login page offers what works in this browser, a tab for each code. This visitor takes WeChat's own page.");
    let url = sent_to_wechat(&mut browser, gate, "/wxgate/start/pc?return_to=%2Faccount")?;

    tell("The gate has given the browser an attempt, sealed in a cookie, and sent it to WeChat's page with the QR code.");
    let answer = Browser::new().open(&url)?;
    println!("    GET {} -> {}", shortened(&url), answer.status);
    expect(200, &answer)?;
    if !url.starts_with(wechat) {
        bail!("the gate redirects to {url}, not to {wechat}");
    }

    tell(&format!("On the phone, {PERSON} scans the code and allows it. WeChat sends the browser back with a code."));
    let back = allowed(wechat, &url, PERSON)?;

    tell("The gate exchanges the code at WeChat, asks the resolver whose account this is, and opens a session.");
    let answer = page(&mut browser, gate, &back)?;
    expect(303, &answer)?;
    if answer.location.as_deref().map(|location| absolute(gate, location)) != Some(account.clone()) {
        bail!("the login ended at {:?}, not where the visitor was going", answer.location);
    }

    tell("The visitor is where they were going. The application got a signed header, and nothing else of all this.");
    let shown = page(&mut browser, gate, "/account")?;
    expect(200, &shown)?;
    let token = token_on(&shown.body).context("the application's account page shows no identity header")?;
    let claims = browser.fetch(&format!("{gate}/api/me"), &[])?;
    println!("    GET {gate}/api/me -> {}", claims.status);
    expect(200, &claims)?;
    let claims: Value = serde_json::from_str(&claims.body)?;
    println!("\n{}\n", serde_json::to_string_pretty(claims.get("claims").unwrap_or(&claims))?);
    println!("That is what the application read from the header, after its JWT library had verified");
    println!("signature, issuer, audience and expiry with the public keys of {gate}/wxgate/jwks.json.");

    tell("It trusts the signature alone: the same header past the gate will do, and one letter changed will not.");
    expect(200, &ask(app, &[("x-wxgate-identity", &token)])?)?;
    expect(401, &ask(app, &[("x-wxgate-identity", &altered(&token))])?)?;

    tell("And nobody brings a header of their own through the gate, however good it is.");
    expect(401, &ask(gate, &[("x-wxgate-identity", &token)])?)
}

/// From the start of a method to WeChat's page.
pub(super) fn sent_to_wechat(browser: &mut Browser, gate: &str, path: &str) -> Result<String> {
    let mut url = absolute(gate, path);
    while url.starts_with(gate) {
        let answer = page(browser, gate, &url)?;
        expect(303, &answer)?;
        url = absolute(gate, answer.location.as_deref().context("a redirect without Location")?);
    }
    Ok(url)
}

/// A person of the simulator scans the code and allows the login: where WeChat sends the browser.
pub(super) fn allowed(wechat: &str, url: &str, person: &str) -> Result<String> {
    let played = post_json(&format!("{wechat}/sim/authorize"), &json!({"url": url, "person": person, "allow": true}))?;
    Ok(played.get("redirect_to").and_then(Value::as_str).with_context(|| format!("WeChat refused: {played}"))?.to_owned())
}

pub(super) fn tell(text: &str) {
    println!("\n{text}");
}

/// Opens a page of the gate, by its path or its address, and tells of it.
pub(super) fn page(browser: &mut Browser, gate: &str, path: &str) -> Result<Answer> {
    let url = absolute(gate, path);
    let answer = browser.open(&url)?;
    let to = answer.location.as_deref().map(|location| format!(" -> {}", shortened(location))).unwrap_or_default();
    println!("    GET {} -> {}{to}", shortened(&url), answer.status);
    Ok(answer)
}

/// Asks for data without a session.
fn ask(site: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let url = format!("{site}/api/me");
    let answer = Browser::new().fetch(&url, headers)?;
    println!("    GET {url} -> {}", answer.status);
    Ok(answer)
}

pub(super) fn expect(status: u16, answer: &Answer) -> Result<()> {
    if answer.status != status {
        bail!("expected {status}, got {}: {}", answer.status, answer.body);
    }
    Ok(())
}

/// A member of an answer; null where there is none.
pub(super) fn at(object: &Value, member: &str) -> Value {
    object.get(member).cloned().unwrap_or_default()
}

/// A member that is a text.
pub(super) fn text<'a>(object: &'a Value, member: &str) -> Result<&'a str> {
    object.get(member).and_then(Value::as_str).with_context(|| format!("no {member} in {object}"))
}

pub(super) fn absolute(gate: &str, location: &str) -> String {
    if location.starts_with('/') { format!("{gate}{location}") } else { location.to_owned() }
}

/// Addresses of logins are long.
fn shortened(url: &str) -> String {
    const SHOWN: usize = 100;
    if url.chars().count() <= SHOWN { url.to_owned() } else { url.chars().take(SHOWN).chain(['…']).collect() }
}

/// The JWT on the account page, which the page shows with mark-up in it.
fn token_on(page: &str) -> Option<String> {
    let (_, after) = page.split_once("<pre>")?;
    let (shown, _) = after.split_once("</pre>")?;
    let text: String = shown.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    (text.split('.').count() == 3).then_some(text)
}

/// The token with another letter in the middle of its claims.
fn altered(token: &str) -> String {
    let middle = token.len() / 3;
    let replace = |(at, c)| {
        if at != middle {
            c
        } else if c == 'A' {
            'B'
        } else {
            'A'
        }
    };
    token.chars().enumerate().map(replace).collect()
}
