//! What an application is told about a person: the signed header, and plain headers beside it.

use serde::{Deserialize, Serialize};

use crate::config::{Application, Config, IdentityRules, PlainClaim};
use crate::http::push_escaped;
use crate::session::Session;

/// Ready to be copied into requests until half its life is over.
pub struct Assertion {
    /// (header name, value); the first is the signed one.
    pub headers: Vec<(String, String)>,
    /// A new one is due from then on.
    pub fresh_until: u64,
}

/// The claims of the identity header (RFC 7519). Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who says it: the configuration's `issuer`.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// Who it is: the account.
    #[serde(rename = "sub")]
    pub subject: String,
    /// For whom: the application's id.
    #[serde(rename = "aud")]
    pub audience: String,
    /// Since when.
    #[serde(rename = "iat")]
    pub issued_at: u64,
    /// Until when.
    #[serde(rename = "exp")]
    pub expires_at: u64,
    /// All others.
    #[serde(flatten)]
    pub custom: IdentityClaims,
}

/// The claims of the identity header beside the registered ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityClaims {
    /// The session's id.
    pub sid: String,
    /// When the person logged in.
    pub auth_time: u64,
    /// The connector's id.
    pub connector: String,
    /// By the application's `claims`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// By the application's `claims`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// By the application's `claims`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// By the application's `claims`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
    /// By the application's `claims`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wechat: Option<WechatClaim>,
}

/// WeChat's names for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WechatClaim {
    /// The app.
    pub app_id: String,
    /// The person in that app.
    pub openid: String,
    /// The person on the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
}

/// Signs a session's identity for an application. `None` only if the signing library fails.
pub fn assert(config: &Config, application: &Application, session: &Session, now: u64) -> Option<Assertion> {
    let rules = &config.identity;
    let claims = claims(rules, application, session, now);
    let life = claims.expires_at.saturating_sub(now);
    let signed = rules.keys.first()?.sign(&claims)?;
    let plain = rules.claim_headers.iter().filter_map(|(name, claim)| Some((name.clone(), plain_value(*claim, application, session)?)));
    Some(Assertion { headers: std::iter::once((rules.header.clone(), signed)).chain(plain).collect(), fresh_until: now + life / 2 })
}

/// All claims as an application would read them. The identity never outlives its session.
pub fn claims(rules: &IdentityRules, application: &Application, session: &Session, now: u64) -> Claims {
    let wanted = application.claims;
    Claims {
        issuer: rules.issuer.clone(),
        subject: session.subject.clone(),
        audience: application.id.clone(),
        issued_at: now,
        expires_at: session.ends_at.min(now + rules.ttl_seconds),
        custom: IdentityClaims {
            sid: session.id.clone(),
            auth_time: session.auth_time,
            connector: session.connector.clone(),
            name: session.name.clone().filter(|_| wanted.name),
            picture: session.picture.clone().filter(|_| wanted.picture),
            phone_number: session.phone_number.clone().filter(|_| wanted.phone_number),
            phone_number_verified: session.phone_number_verified.filter(|_| wanted.phone_number),
            wechat: wanted.wechat.then(|| WechatClaim {
                app_id: session.wechat.app_id.clone(),
                openid: session.wechat.openid.clone(),
                unionid: session.wechat.unionid.clone(),
            }),
        },
    }
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
