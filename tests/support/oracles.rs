//! What must hold after every test, whatever it was about (the universal oracles).

use std::collections::HashMap;

use serde_json::Value;

use crate::http::exchange;
use crate::identity;
use crate::stack::Stack;
use crate::visitor::{Exchange, is_typed_code};

/// Words of a VM that died, or nearly.
const DEATHS: [&str; 6] = ["panicked at", "Uncaught RuntimeError", "unreachable", "BorrowMutError", "[critical]", "Function failed"];

/// Everything that is wrong.
pub(crate) async fn broken(stack: &mut Stack) -> Vec<String> {
    let mut broken = Vec::new();
    logs(stack, &mut broken);
    every_worker_answers(stack, &mut broken).await;
    operator(stack, &mut broken).await;
    application(stack, &mut broken).await;
    wechat(stack, &mut broken);
    answers(stack, &mut broken);
    broken
}

/// O3 and O4: nothing died, nothing secret was written.
fn logs(stack: &Stack, broken: &mut Vec<String>) {
    let log = stack.log();
    for line in log.lines().filter(|line| DEATHS.iter().any(|word| line.contains(word))) {
        broken.push(format!("Envoy's log: {line}"));
    }
    let resolvers = crate::log::since(stack.log_begins);
    for (whose, log) in [("Envoy's log", &log), ("the resolver's log", &resolvers)] {
        for (what, secret) in secrets(stack).iter().chain(&private(stack)) {
            if let Some(line) = log.lines().find(|line| tells(line, secret)) {
                broken.push(format!("{what} stands in {whose}: {line}"));
            }
        }
    }
}

/// Whether a text gives a secret away.
fn tells(text: &str, secret: &str) -> bool {
    if !is_typed_code(secret) {
        return text.contains(secret);
    }
    // Envoy puts time and thread in front, both of them numbers.
    let said = text.strip_prefix('[').and_then(|rest| rest.splitn(3, "][").nth(2)).unwrap_or(text);
    said.split(|character: char| !character.is_alphanumeric()).any(|word| word == secret)
}

fn secrets(stack: &Stack) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    for (name, value) in &stack.env {
        // Of a PEM any line of key material is as secret as the whole.
        let lines = value.lines().filter(|line| line.len() >= 16 && !line.starts_with("-----"));
        secrets.extend(lines.map(|line| (name.clone(), line.to_owned())));
    }
    let met = stack.record.secrets.lock().expect("not poisoned");
    secrets.extend(met.iter().map(|secret| ("a cookie, code, state or password".to_owned(), secret.clone())));
    secrets.extend(stack.wechat.server_tokens().into_iter().map(|token| ("an app's server token".to_owned(), token)));
    secrets.extend(stack.resolver_wire.pending_logins().into_iter().map(|token| ("the name of a pending login".to_owned(), token)));
    secrets
}

fn private(stack: &Stack) -> Vec<(String, String)> {
    let met = stack.record.private.lock().expect("not poisoned");
    met.iter().map(|typed| ("somebody's address".to_owned(), typed.clone())).collect()
}

/// What an operator may read holds nothing that logs somebody in.
async fn operator(stack: &Stack, broken: &mut Vec<String>) {
    if !stack.resolver.is_running() {
        return;
    }
    for (what, text) in stack.resolver.all_that_the_operator_reads().await {
        broken.extend(
            secrets(stack).iter().filter(|(_, secret)| tells(&text, secret)).map(|(secret, _)| format!("{secret} stands in {what}")),
        );
    }
}

/// O3: every worker of every Envoy answers, and none had to be replaced. O4: the admin interface shows no secret.
async fn every_worker_answers(stack: &mut Stack, broken: &mut Vec<String>) {
    let host = [("host".to_owned(), stack.authority().as_bytes().to_vec())];
    for index in 0..stack.envoys.len() {
        if !stack.envoys[index].is_running() {
            broken.push(format!("Envoy {index} has ended"));
            continue;
        }
        let envoy = &stack.envoys[index];
        // The kernel spreads connections over the workers: 16 of them miss one of two once in 30,000 times.
        for _ in 0..16 {
            let answer = exchange(envoy.address, "GET", "/wxgate/jwks.json", &host, b"").await;
            if answer.status != 200 {
                broken.push(format!("a worker of Envoy {index} does not answer: {answer}"));
                break;
            }
        }
        for (name, value) in envoy.stats("vm_reload").await {
            if value != 0 {
                broken.push(format!("Envoy {index}: {name} is {value}"));
            }
        }
        let dump = [envoy.ask("GET", "/config_dump").await.text(), envoy.ask("GET", "/stats").await.text()].concat();
        broken.extend(
            secrets(stack)
                .iter()
                .filter(|(_, secret)| !is_typed_code(secret) && dump.contains(secret))
                .map(|(what, _)| format!("{what} stands in Envoy's admin interface")),
        );
    }
}

/// O1 and O2: what reached the application had a session that we made, or was for everybody; and nothing of ours.
async fn application(stack: &Stack, broken: &mut Vec<String>) {
    let host = [("host".to_owned(), stack.authority().as_bytes().to_vec())];
    let Some(envoy) = stack.envoys.first() else { return };
    let keys = exchange(envoy.address, "GET", "/wxgate/jwks.json", &host, b"").await;
    let Ok(keys) = serde_json::from_slice::<Value>(&keys.body) else { return };
    let signed = stack.filter_config["identity"]["header"].as_str().unwrap_or("x-wxgate-identity").to_owned();
    let plain: Vec<_> = stack.filter_config["identity"]["claim_headers"].as_object().into_iter().flatten().collect();
    // The same few tokens come again and again.
    let mut verified = HashMap::new();
    for seen in stack.app.seen() {
        let mut report =
            |what: String| broken.push(format!("{what}, in what the application saw:\n{}", String::from_utf8_lossy(&seen.raw_head)));
        let folded = |name: &str| name.replace('_', "-");
        let tokens: Vec<_> = seen.headers.iter().chain(&seen.trailers).filter(|(name, _)| folded(name) == signed).collect();
        let identity = match tokens[..] {
            [] => None,
            [(name, token)] if *name == signed => {
                match verified.entry(token.clone()).or_insert_with(|| identity::verify(&keys, &String::from_utf8_lossy(token), None)) {
                    Ok(identity) => Some(identity.clone()),
                    Err(error) => {
                        report(format!("an identity that we did not sign ({error})"));
                        None
                    }
                }
            }
            _ => {
                report("several identities, or one in another spelling".into());
                None
            }
        };
        for (name, claim) in &plain {
            let values: Vec<_> = seen.headers.iter().chain(&seen.trailers).filter(|(found, _)| folded(found) == **name).collect();
            let expected = identity.as_ref().and_then(|identity| identity.claims[claim.as_str().unwrap_or_default()].as_str());
            let is_ours = match (&values[..], expected) {
                ([], _) => true,
                ([(found, value)], Some(expected)) => {
                    found == *name && (value == expected.as_bytes() || !matches!(claim.as_str(), Some("sub" | "sid" | "connector")))
                }
                _ => false,
            };
            if !is_ours {
                report(format!("a header {name} that is not ours"));
            }
        }
        for (name, value) in &seen.headers {
            let value = String::from_utf8_lossy(value);
            if name == "cookie" && value.split(';').any(|pair| pair.trim_start().starts_with("__Host-wxgate")) {
                report("a cookie of ours".into());
            }
            if name == "authorization" && value.contains("wxg1.") {
                report("a session token".into());
            }
        }
        let path = seen.path.split(['?', '#']).next().unwrap_or_default();
        let is_below =
            |open: &str| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || open.ends_with('/'));
        let is_open = path == "/" || is_below("/assets") || stack.open_paths.iter().any(|open| is_below(open));
        if identity.is_none() && !is_open {
            report("a protected page without an identity".into());
        }
    }
}

/// Nothing of ours goes to WeChat but what WeChat asks for.
fn wechat(stack: &Stack, broken: &mut Vec<String>) {
    for entry in stack.wechat.journal() {
        if entry.headers.iter().any(|(name, value)| name == "cookie" && value.contains("__Host-wxgate")) {
            broken.push(format!("WeChat got a cookie of ours: {} {}", entry.method, entry.path));
        }
        if entry.headers.iter().any(|(name, _)| name == "x-wxgate-identity" || name == "authorization") {
            broken.push(format!("WeChat got an identity of ours: {} {}", entry.method, entry.path));
        }
    }
}

/// O6 and O7: what we answer ourselves is kept by nobody, and leads to our applications or to WeChat.
fn answers(stack: &Stack, broken: &mut Vec<String>) {
    let applications = stack.filter_config["applications"].as_array().into_iter().flatten();
    let mut origins: Vec<_> = applications.filter_map(|application| application["origin"].as_str()).collect();
    origins.push(&stack.wechat_origin);
    for exchange in stack.record.exchanges.lock().expect("not poisoned").iter() {
        let Exchange { asked, status, cache_control, location, tells_a_token } = exchange;
        if *tells_a_token {
            broken.push(format!("{asked} -> {status} tells an app's server token"));
        }
        let path = asked.split_once(' ').and_then(|(_, url)| url.find('/').map(|at| &url[at..])).unwrap_or_default();
        let is_ours = path.starts_with("/wxgate/") && !path.starts_with("/wxgate/jwks.json");
        // Envoy's rate limit answers in front of the filter.
        if is_ours && *status != 429 && cache_control.as_deref() != Some("no-store") {
            broken.push(format!("{asked} -> {status} has Cache-Control {cache_control:?}, not no-store"));
        }
        let is_elsewhere = |location: &str| {
            !origins.iter().any(|origin| location.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        };
        if let Some(location) = location.as_deref().filter(|location| is_ours && is_elsewhere(location)) {
            broken.push(format!("{asked} -> {status} leads to {location}"));
        }
    }
}
