//! What all of WeChat's JSON answers have in common.
//!
//! WeChat answers refusals with HTTP 200, labels JSON as `text/plain`, leaves `errcode` out where all is well, and leaves
//! fields out rather than null. So the body alone decides, and every field is optional until it is looked at. All fields
//! of all answers stand in one type, read by hand: a derived reader of each would cost the module 10 kB.

use serde_json::{Map, Value};

use super::errcode;
use crate::error::{Failure, LoginError};
use crate::http::{CallFailure, CallResult};
use crate::json;

/// Why WeChat gave nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to tell whom.
    pub failure: Failure,
    /// WeChat's number for it, where it gave one.
    pub errcode: Option<i64>,
    /// WeChat says that this code was exchanged before, or does not know it (any more).
    pub is_code_spent: bool,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, errcode: None, is_code_spent: false }
    }
}

/// All that we read of any answer.
pub(super) struct Body {
    errcode: Option<Value>,
    errmsg: Option<String>,
    pub(super) access_token: Option<String>,
    pub(super) expires_in: Option<u64>,
    pub(super) openid: Option<String>,
    pub(super) unionid: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) subscribe: Option<u64>,
    pub(super) is_snapshotuser: Option<Value>,
    pub(super) nickname: Option<String>,
    pub(super) headimgurl: Option<String>,
    pub(super) session_key: Option<String>,
    pub(super) phone_info: Option<Value>,
    pub(super) openlink: Option<String>,
    pub(super) url_link: Option<String>,
    pub(super) url: Option<String>,
}

impl Body {
    fn of(mut members: Map<String, Value>) -> Result<Self, Failure> {
        let mut member = |name| members.remove(name).filter(|value| !value.is_null());
        Ok(Self {
            errcode: member("errcode"),
            errmsg: text("errmsg", member("errmsg"))?,
            access_token: text("access_token", member("access_token"))?,
            expires_in: number("expires_in", member("expires_in"))?,
            openid: text("openid", member("openid"))?,
            unionid: text("unionid", member("unionid"))?,
            scope: text("scope", member("scope"))?,
            subscribe: number("subscribe", member("subscribe"))?,
            is_snapshotuser: member("is_snapshotuser"),
            nickname: text("nickname", member("nickname"))?,
            headimgurl: text("headimgurl", member("headimgurl"))?,
            session_key: text("session_key", member("session_key"))?,
            phone_info: member("phone_info"),
            openlink: text("openlink", member("openlink"))?,
            url_link: text("url_link", member("url_link"))?,
            url: text("url", member("url"))?,
        })
    }
}

fn text(name: &str, value: Option<Value>) -> Result<Option<String>, Failure> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(nonsense(&format!("{name} is no text"))),
    }
}

fn number(name: &str, value: Option<Value>) -> Result<Option<u64>, Failure> {
    match value.map(|value| value.as_u64()) {
        None => Ok(None),
        Some(Some(number)) => Ok(Some(number)),
        Some(None) => Err(nonsense(&format!("{name} is no whole number"))),
    }
}

/// Reads an answer.
///
/// # Errors
/// [`Refusal`], also for whatever WeChat has never documented.
pub(super) fn read(result: CallResult) -> Result<Body, Refusal> {
    let reply = result.map_err(|failure| {
        let detail = match failure {
            CallFailure::NotSent => "the call could not be sent: no such cluster, no healthy host, or too many calls under way",
            CallFailure::Reset => "the connection ended before the answer was complete",
            CallFailure::TooLarge => "the answer is too long",
        };
        Failure::new(LoginError::WechatUnavailable, detail)
    })?;
    if reply.status != 200 {
        return Err(Failure::new(LoginError::WechatUnavailable, format!("HTTP status {}", reply.status)).into());
    }
    let text = reply.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&reply.body);
    let members = json::read(text, |members: &mut Map<_, _>, name, value| members.insert(name, value).is_none().then_some(()))
        .map_err(|error| nonsense(&format!("the answer is not what WeChat documents: {:?}", error.classify())))?;
    let body = Body::of(members)?;
    if let Some(code) = body.errcode.as_ref().filter(|code| is_set(code)) {
        let code = code.as_i64().or_else(|| code.as_str()?.parse().ok()).ok_or_else(|| nonsense("errcode is not a number"))?;
        let detail = format!("errcode {code}: {}", printable(body.errmsg.as_deref().unwrap_or_default()));
        let failure = Failure::new(errcode::login_error(code), detail);
        return Err(Refusal { failure, errcode: Some(code), is_code_spent: errcode::is_code_spent(code) });
    }
    Ok(body)
}

pub(super) fn nonsense(detail: &str) -> Failure {
    Failure::new(LoginError::WechatUnavailable, detail)
}

/// Present, and neither 0 nor "0" nor false nor null: WeChat's "yes" comes as 1, and anything odd counts as yes.
pub(super) fn is_set(value: &Value) -> bool {
    !(value.is_null() || value.as_bool() == Some(false) || value.as_i64() == Some(0) || value.as_str() == Some("0"))
}

/// The shape of openids and unionids.
pub(super) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Empty is absent: as an identity it would be one that everybody shares.
pub(super) fn unionid(value: Option<String>) -> Result<Option<String>, Failure> {
    match value.filter(|id| !id.is_empty()) {
        Some(id) if !is_id(&id) => Err(nonsense("no usable unionid in the answer")),
        value => Ok(value),
    }
}

/// WeChat's words for the operator's log: one line, bounded.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
