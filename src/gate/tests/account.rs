//! `/account`: logins that wait for their person, and people at their own account.

mod own;
mod pending;

use super::*;
use crate::http::BodyFailure;

const PENDING: &str = "q2nqv0hYdVOkdlkY0m2m3g";
const COOKIE: &str = "__Host-wxgate_pending";
const SESSION: &str = "__Host-wxgate_session";
const ORIGIN: &str = "https://shop.example.com";
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn gone() -> CallResult {
    Ok(HttpReply { status: 404, body: vec![] })
}

fn choose() -> CallResult {
    ok(json!({"outcome": "choose_account", "pending": PENDING, "expires_at": 1_000_600}))
}

fn bind() -> CallResult {
    ok(json!({"outcome": "bind_account", "pending": PENDING, "expires_at": 1_000_600}))
}

fn pending(question: Value) -> CallResult {
    ok(
        json!({"application": "shop", "connector": "pc", "profile": {"nickname": "小<明>"}, "expires_at": 1_000_600, "tries_left": 5, "question": question}),
    )
}

fn two_accounts() -> CallResult {
    pending(json!({"kind": "choose", "accounts": [
        {"id": "c1", "name": "晓*", "created_at": 1}, {"id": "c2", "phone_number": "+86138****8000", "created_at": 2}]}))
}

fn all_methods() -> CallResult {
    pending(json!({"kind": "bind", "methods": ["phone_code", "email_code", "password"], "may_create": true}))
}

fn finished() -> CallResult {
    let outcome: Value = serde_json::from_slice(&signed_in("o1").unwrap().body).unwrap();
    ok(json!({"answer": "finished", "outcome": outcome}))
}

fn own_account() -> CallResult {
    ok(
        json!({"user": {"id": "01900000-0000-7000-8000-000000000001", "name": "小明", "phone_number": "+8613800138000"}, "email": "a@example.com",
              "created_at": 1, "identities": [{"id": "i1", "nickname": "小明", "connectors": ["pc"], "linked_at": 1, "last_login_at": 2}]}),
    )
}

/// A gate whose resolver asks a question, and a browser that has come back from WeChat to it.
fn asked(outcome: CallResult, question: CallResult) -> (World, Browser) {
    let (mut world, mut browser) = (World::new(), Browser::default());
    world.login = vec![outcome];
    world.accounts = [("pending.find", question), ("pending.finish", finished()), ("accounts.find", own_account())].into();
    let led = browser.log_in(&mut world);
    assert_eq!((led.status, header(&led, "location")), (303, Some("https://shop.example.com/wxgate/account")));
    assert!(browser.cookies.contains_key(COOKIE) && !browser.cookies.contains_key(SESSION));
    (world, browser)
}

/// A gate with a browser that has just logged in.
fn at_home() -> (World, Browser) {
    let (mut world, mut browser) = (World::new(), Browser::default());
    world.accounts = [("accounts.find", own_account())].into();
    browser.log_in(&mut world);
    (world, browser)
}

impl Browser {
    /// Posts a form of ours, or what looks like one.
    fn post(&mut self, world: &mut World, path: &str, body: &str) -> Reply {
        let sent = self.with("accept", "text/html").with("origin", ORIGIN).with("content-type", FORM);
        self.post_as(sent, world, path, body)
    }

    /// Posts JSON, as a script of the application or an app does.
    fn post_json(&mut self, world: &mut World, body: Value) -> Reply {
        let sent = self.with("content-type", JSON);
        self.post_as(sent, world, "/wxgate/account", &body.to_string())
    }

    fn post_as(&mut self, sent: Browser, world: &mut World, path: &str, body: &str) -> Reply {
        world.body = Ok(body.into());
        reply(sent.absorbing(self, |browser| browser.send(world, "POST", "shop.example.com", path)))
    }

    /// The address that the forms of the current page post to.
    fn form_action(&mut self, world: &mut World) -> String {
        let page = text(&reply(self.open(world, "/wxgate/account")));
        page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no form: {page}")).into()
    }
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.clone()).unwrap()
}

fn sent_body(world: &World) -> Value {
    serde_json::from_slice(&world.calls.last().unwrap().2).unwrap()
}

fn actions(world: &World) -> Vec<(&'static str, &'static str)> {
    let action = |event: &Event| match event {
        Event::AccountAction { action, result, .. } => Some((*action, *result)),
        _ => None,
    };
    world.events.iter().filter_map(action).collect()
}
