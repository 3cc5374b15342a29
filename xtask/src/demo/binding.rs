//! The other walk: somebody whom WeChat has just proved, and whom nobody knows, proves an account that exists.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::walk::{absolute, allowed, expect, page, sent_to_wechat, tell};
use crate::browser::{Browser, send_json};

/// The person at WeChat; those of `wechat-sim --demo` are left for whoever tries it out.
const PERSON: &str = "laowang";
/// The account that exists before anybody has logged in.
pub(super) const USERNAME: &str = "laowang";
pub(super) const PASSWORD: &str = "demo-password";
pub(super) const PHONE: &str = "+8613900139000";
pub(super) const EMAIL: &str = "laowang@example.com";

/// How long a code may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever holds an administrator's token of the resolver.
pub(super) struct Operator<'a> {
    pub(super) resolver: &'a str,
    pub(super) token: &'a str,
    /// Where the resolver prints codes.
    pub(super) log: &'a Path,
}

impl Operator<'_> {
    /// Makes the account that exists already; gives its id.
    pub(super) fn make_account(&self) -> Result<String> {
        let user = json!({"name": "老王", "username": USERNAME, "password": PASSWORD, "phone_number": PHONE, "phone_number_verified": true,
            "email": EMAIL, "email_verified": true});
        let made = self.call("POST", "/v1/admin/users?pool=default", &user)?;
        Ok(made.get("id").and_then(Value::as_str).with_context(|| format!("no account was made: {made}"))?.to_owned())
    }

    /// What first logins by the QR code meet from now on.
    fn set_policy(&self, policy: &Value) -> Result<()> {
        let set = self.call("PUT", "/v1/admin/policies/default/pc", policy)?;
        set.get("policy").map(drop).with_context(|| format!("the policy was not taken: {set}"))
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        send_json(method, &format!("{}{path}", self.resolver), Some(self.token), body)
    }

    /// The command that sets a policy, for whoever reads along.
    pub(super) fn command(&self, policy: &Value) -> String {
        let Self { resolver, token, .. } = self;
        format!(
            "curl -X PUT {resolver}/v1/admin/policies/default/pc -H 'authorization: Bearer {token}' -H 'content-type: application/json' -d '{policy}'"
        )
    }

    /// Waits for a code in what the resolver prints: `code 123456 for +86139****9000`.
    fn printed_code(&self) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(self.log)?;
            let mut codes = said.lines().rev().filter_map(|line| line.strip_prefix("code ")?.split_once(" for "));
            if let Some((code, _)) = codes.next() {
                return Ok(code.to_owned());
            }
            if Instant::now() > end {
                bail!("the resolver prints no code to {}", self.log.display());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Proves the account with the id `account` by a code; fails at the first thing that is not as it should be.
pub(super) fn walk(gate: &str, wechat: &str, operator: &Operator<'_>, account: &str) -> Result<()> {
    tell("Now with accounts that exist already. The operator says that whoever comes for the first time is asked for theirs:");
    let policy = json!({"binding": "ask"});
    println!("    {}", operator.command(&policy));
    operator.set_policy(&policy)?;

    tell("Somebody logs in whom nobody knows. There is no session: the gate asks whether they have an account.");
    send_json("PUT", &format!("{wechat}/sim/people/{PERSON}"), None, &json!({"nickname": "老王"}))?;
    let mut browser = Browser::new();
    let url = sent_to_wechat(&mut browser, gate, "/wxgate/start/pc?return_to=%2Faccount")?;
    let answer = page(&mut browser, gate, &allowed(wechat, &url, PERSON)?)?;
    expect(303, &answer)?;
    let question = answer.location.context("a redirect without Location")?;
    let asked = page(&mut browser, gate, &question)?;
    expect(200, &asked)?;

    tell(&format!("They ask for a code to {PHONE}. The answer would be the same if nobody had that number."));
    let form = post(&mut browser, gate, &question, "action=send_code&method=phone_code&address=139+0013+9000")?;
    expect(200, &form)?;
    let code = operator.printed_code()?;
    println!("    the resolver prints what an SMS would say: {code}");

    tell("With the code they are in, and their WeChat belongs to the account from now on.");
    let answer = post(&mut browser, gate, &question, &format!("action=code&code={code}"))?;
    expect(303, &answer)?;
    let me = browser.fetch(&format!("{gate}/api/me"), &[])?;
    expect(200, &me)?;
    let me: Value = serde_json::from_str(&me.body)?;
    let sub = me.pointer("/claims/sub").and_then(Value::as_str).unwrap_or_default();
    println!("    sub {sub}, name {}", me.pointer("/claims/name").and_then(Value::as_str).unwrap_or_default());
    if sub != account {
        bail!("the account that was proved is {account}, not {sub}");
    }
    let own = page(&mut browser, gate, "/wxgate/account")?;
    expect(200, &own)?;
    operator.set_policy(&json!({}))
}

/// Sends a form of ours.
fn post(browser: &mut Browser, gate: &str, question: &str, form: &str) -> Result<crate::browser::Answer> {
    let answer = browser.submit(&absolute(gate, question), gate, form)?;
    println!("    POST {} -> {}", absolute(gate, question), answer.status);
    Ok(answer)
}
