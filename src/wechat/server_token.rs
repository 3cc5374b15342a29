//! An app's server token: what `cgi-bin/*` and `wxa/*` ask for (WeChat documents, "getStableAccessToken").

use std::fmt;

use super::answer::{Refusal, nonsense, read};
use crate::config::{Connector, WechatApi};
use crate::error::{Failure, LoginError};
use crate::http::{CallFailure, CallResult, HttpCall, HttpReply};
use crate::json::object;
use crate::secret::Secret;

/// A token and how long it is good for.
#[derive(Clone)]
pub struct ServerToken {
    /// At most 1024 visible ASCII characters.
    pub token: Secret,
    /// Seconds, of which WeChat promises 300 at least.
    pub expires_in: u64,
}

impl fmt::Debug for ServerToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ServerToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

impl PartialEq for ServerToken {
    fn eq(&self, other: &Self) -> bool {
        (self.token.expose(), self.expires_in) == (other.token.expose(), other.expires_in)
    }
}

impl Eq for ServerToken {}

/// What somebody has learnt about an app's server token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenReport {
    /// WeChat gave one.
    Given {
        /// It.
        token: ServerToken,
        /// When it was asked for.
        asked_ms: u64,
        /// Whether it was to be another one than before.
        is_forced: bool,
    },
    /// WeChat gave none.
    Failed {
        /// Why, with words for the operator.
        failure: Failure,
        /// WeChat's number for it, where it gave one.
        errcode: Option<i64>,
        /// When it was asked for.
        asked_ms: u64,
        /// Whether it was to be another one than before.
        is_forced: bool,
        /// WeChat cannot have acted on the question: it was not sent, or refused.
        is_unused: bool,
    },
    /// A call was refused for this token, and WeChat gives no other.
    Refused {
        /// It; its life does not matter.
        token: ServerToken,
        /// 40001, 40014 or 42001.
        errcode: i64,
    },
}

impl TokenReport {
    /// What the answer to [`stable_token`] says.
    pub fn of(result: CallResult, asked_ms: u64, is_forced: bool) -> Self {
        let was_not_sent = matches!(result, Err(CallFailure::NotSent));
        match read_stable_token(result) {
            Ok(token) => Self::Given { token, asked_ms, is_forced },
            Err(Refusal { failure, errcode, .. }) => {
                Self::Failed { failure, errcode, asked_ms, is_forced, is_unused: was_not_sent || errcode.is_some() }
            }
        }
    }

    /// In metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Given { is_forced: false, .. } => "fetched",
            Self::Given { is_forced: true, .. } => "forced",
            Self::Failed { failure, .. } => failure.error.code(),
            Self::Refused { .. } => "refused",
        }
    }
}

/// `POST /cgi-bin/stable_token`: the same token for everybody who asks, until 5 minutes before its end. `force` makes
/// another one and kills the one before at once, for everybody: 20 times a day.
pub fn stable_token(api: &WechatApi, connector: &Connector, force: bool) -> HttpCall {
    let body = object!({
        "grant_type": "client_credential",
        "appid": connector.app_id.as_str(),
        "secret": connector.app_secret.expose(),
        "force_refresh": force,
    });
    super::post(api, "cgi.stable_token", "/cgi-bin/stable_token".into(), &body)
}

/// Reads the answer to [`stable_token`].
///
/// # Errors
/// [`Refusal`].
pub fn read_stable_token(result: CallResult) -> Result<ServerToken, Refusal> {
    let body = read(result).map_err(|refusal| match refusal.errcode {
        // Nobody's code or token was sent here: it is about the app.
        Some(errcode) => Refusal { failure: failure(errcode, &refusal.failure.detail), ..refusal },
        None => refusal,
    })?;
    let is_token = |token: &String| (1..=1024).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    let token = body.access_token.filter(is_token).ok_or_else(|| nonsense("no usable access_token in the answer"))?;
    let expires_in = body.expires_in.filter(|seconds| *seconds > 0).ok_or_else(|| nonsense("no usable expires_in in the answer"))?;
    Ok(ServerToken { token: Secret::new(token), expires_in })
}

/// Why WeChat gives no token, and what an operator can do about it.
pub fn failure(errcode: i64, said: &str) -> Failure {
    let (error, advice) = match errcode {
        -1 | 45009 | 45011 | 48006 => (LoginError::WechatBusy, "it is asked again, more and more seldom"),
        40164 | 45035 | 61004 | 89501 | 89503 | 89506 | 89507 => {
            (LoginError::WechatMisconfigured, "put this gateway's address on the app's IP allow list in WeChat's console")
        }
        40001 | 40125 | 40243 | 41004 => (LoginError::WechatMisconfigured, "the connector's app_secret is wrong, was reset, or is frozen"),
        40013 | 41002 => (LoginError::WechatMisconfigured, "the connector's app_id is wrong"),
        _ => (LoginError::WechatMisconfigured, "look it up among WeChat's return codes"),
    };
    Failure::new(error, format!("no server token: {said}; {advice}"))
}

/// Whether a call was refused for its server token: WeChat's number then.
pub fn refused(reply: &HttpReply) -> Option<i64> {
    // Refusals are short; what a call was made for may be a picture.
    let is_short = reply.body.len() <= 4096;
    let errcode = is_short.then(|| read(Ok(reply.clone())).err()?.errcode).flatten();
    errcode.filter(|errcode| matches!(errcode, 40001 | 40014 | 42001))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::connectors::tests::website;

    fn reply(body: &str) -> HttpReply {
        HttpReply { status: 200, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_token_is_asked_for_in_json_and_never_in_an_address() {
        let (api, connector) = website();
        let call = stable_token(&api, &connector, false);
        assert_eq!((call.method, call.path.as_str(), call.label), ("POST", "/cgi-bin/stable_token", "cgi.stable_token"));
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!((&body["secret"], &body["force_refresh"]), (&json!("s&cret"), &json!(false)));
        let forced: serde_json::Value = serde_json::from_slice(&stable_token(&api, &connector, true).body).unwrap();
        assert_eq!(forced["force_refresh"], json!(true));
    }

    #[test]
    fn only_a_usable_token_is_one() {
        let read = |body: &str| read_stable_token(Ok(reply(body))).map(|token| (token.token.expose().to_owned(), token.expires_in));
        assert_eq!(read(r#"{"access_token":"98_abc","expires_in":345}"#), Ok(("98_abc".into(), 345)));
        let long = format!(r#"{{"access_token":"{}","expires_in":7200}}"#, "a".repeat(1025));
        for body in [
            "{}",
            r#"{"access_token":"","expires_in":7200}"#,
            r#"{"access_token":"a b","expires_in":7200}"#,
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","expires_in":0}"#,
            &long,
        ] {
            assert_eq!(read(body).unwrap_err().failure.error, LoginError::WechatUnavailable, "{body}");
        }
    }

    #[test]
    fn every_refusal_of_a_token_tells_an_operator_what_to_do() {
        for (errcode, error, words) in [
            (-1, LoginError::WechatBusy, "asked again"),
            (45009, LoginError::WechatBusy, "asked again"),
            (45011, LoginError::WechatBusy, "asked again"),
            (40001, LoginError::WechatMisconfigured, "app_secret"),
            (40125, LoginError::WechatMisconfigured, "app_secret"),
            (40013, LoginError::WechatMisconfigured, "app_id"),
            (40164, LoginError::WechatMisconfigured, "IP allow list"),
            (61004, LoginError::WechatMisconfigured, "IP allow list"),
            (99999, LoginError::WechatMisconfigured, "return codes"),
        ] {
            let body = format!(r#"{{"errcode":{errcode},"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist"}}"#);
            let refusal = read_stable_token(Ok(reply(&body))).unwrap_err();
            assert_eq!((refusal.failure.error, refusal.errcode), (error, Some(errcode)));
            let detail = refusal.failure.detail;
            assert!(detail.contains(words) && detail.contains("203.0.113.9") && detail.contains(&errcode.to_string()), "{detail}");
        }
    }

    #[test]
    fn only_refusals_of_the_token_are_that() {
        for errcode in [40001, 40014, 42001] {
            assert_eq!(refused(&reply(&format!(r#"{{"errcode":{errcode},"errmsg":"x"}}"#))), Some(errcode));
        }
        for body in [r#"{"errcode":40029}"#, r#"{"errcode":0}"#, "{}", "", "\u{fffd}JFIF", r#"{"errcode":"x"}"#] {
            assert_eq!(refused(&reply(body)), None, "{body}");
        }
        assert_eq!(refused(&HttpReply { status: 502, ..reply(r#"{"errcode":40001}"#) }), None);
    }

    #[test]
    fn a_report_prints_no_token() {
        let report = TokenReport::of(Ok(reply(r#"{"access_token":"98_secret","expires_in":345}"#)), 0, false);
        assert_eq!(format!("{report:?}"), "Given { token: ServerToken { expires_in: 345, .. }, asked_ms: 0, is_forced: false }");
    }
}
