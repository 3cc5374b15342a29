//! What an application is told about a person: the signed header, and plain headers beside it.

use serde_json::Value;

use crate::config::{Application, Config, IdentityRules, PlainClaim};
use crate::http::push_escaped;
use crate::json::{self, object};
use crate::session::Session;

/// Ready to be copied into requests until half its life is over.
pub struct Assertion {
    /// (header name, value); the first is the signed one.
    pub headers: Vec<(String, String)>,
    /// A new one is due from then on.
    pub fresh_until: u64,
}

/// Signs a session's identity for an application. `None` only if the signing library fails.
pub fn assert(config: &Config, application: &Application, session: &Session, now: u64) -> Option<Assertion> {
    let rules = &config.identity;
    let life = expires_at(rules, session, now).saturating_sub(now);
    let signed = rules.keys.first()?.sign(&claims(rules, application, session, now))?;
    let plain = rules.claim_headers.iter().filter_map(|(name, claim)| Some((name.clone(), plain_value(*claim, application, session)?)));
    Some(Assertion { headers: std::iter::once((rules.header.clone(), signed)).chain(plain).collect(), fresh_until: now + life / 2 })
}

/// All claims of the identity header (RFC 7519), as an application would read them. Times are Unix seconds. The identity never
/// outlives its session.
pub fn claims(rules: &IdentityRules, application: &Application, session: &Session, now: u64) -> Value {
    let registered = [
        ("iss", rules.issuer.as_str().into()),
        ("aud", application.id.as_str().into()),
        ("iat", now.into()),
        ("exp", expires_at(rules, session, now).into()),
    ];
    json::of(registered.into_iter().chain(about(application, session)).collect())
}

/// Who somebody is, as the application may know it: `sub` and the claims beside the registered ones.
pub fn person(application: &Application, session: &Session) -> Value {
    json::of(about(application, session).into())
}

fn about(application: &Application, session: &Session) -> [(&'static str, Value); 9] {
    let (wanted, wechat) = (application.claims, &session.wechat);
    let text = |is_wanted: bool, text: &Option<String>| Value::from(text.as_deref().filter(|_| is_wanted));
    let wechat = || object!({"app_id": wechat.app_id.as_str(), "openid": wechat.openid.as_str(), "unionid": wechat.unionid.as_deref()});
    [
        ("sub", session.subject.as_str().into()),
        ("sid", session.id.as_str().into()),
        ("auth_time", session.auth_time.into()),
        ("connector", session.connector.as_str().into()),
        ("name", text(wanted.name, &session.name)),
        ("picture", text(wanted.picture, &session.picture)),
        ("phone_number", text(wanted.phone_number, &session.phone_number)),
        ("phone_number_verified", session.phone_number_verified.filter(|_| wanted.phone_number).into()),
        ("wechat", wanted.wechat.then(wechat).into()),
    ]
}

fn expires_at(rules: &IdentityRules, session: &Session, now: u64) -> u64 {
    session.ends_at.min(now + rules.ttl_seconds)
}

/// A claim as a header of its own; absent where the session has none, or where the application may not see it.
fn plain_value(claim: PlainClaim, application: &Application, session: &Session) -> Option<String> {
    match claim {
        PlainClaim::Sub => Some(session.subject.clone()),
        PlainClaim::Sid => Some(session.id.clone()),
        PlainClaim::Connector => Some(session.connector.clone()),
        // Names are not ASCII, and header values should be.
        PlainClaim::Name => session.name.as_ref().filter(|_| application.claims.name).map(|name| {
            let mut escaped = String::new();
            push_escaped(&mut escaped, name.as_bytes());
            escaped
        }),
        PlainClaim::PhoneNumber => session.phone_number.clone().filter(|_| application.claims.phone_number),
    }
}
