//! The ways of logging in, one file a method. They never use each other; what some share has a file of its own.

pub(crate) mod app_to_mini_program;
mod by_code;
pub(crate) mod by_login_code;
pub(crate) mod mini_program_qr;
pub(crate) mod mobile_app;
pub(crate) mod official_account_qr;
mod official_account_web;
mod website_qr;

use crate::config::{Config, Connector, Method, Scope};
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::http::{Parameter, query_parameter};
use crate::login::attempt::Attempt;
use crate::login::finish::WechatIdentity;
use crate::wechat::sns::Refusal;

/// A callback whose shape is what WeChat sends. Nothing is said yet about whose it is.
pub struct Callback {
    /// WeChat's code: 1 to 512 visible ASCII characters.
    pub code: Vec<u8>,
}

impl Callback {
    /// Reads `code` from the address of a callback that belongs to an attempt.
    ///
    /// # Errors
    /// [`LoginError::Denied`] where there is none: WeChat's way of saying that the person refused, in the versions
    /// that say it at all; some say `code=authdeny`, and embedders of WeChat's page send OAuth's `error`.
    pub fn parse(raw_path: &[u8]) -> Result<Self, LoginError> {
        if query_parameter(raw_path, "error") != Parameter::Absent {
            return Err(LoginError::Denied);
        }
        match query_parameter(raw_path, "code") {
            Parameter::Absent => Err(LoginError::Denied),
            Parameter::Once(code) if code == b"authdeny" => Err(LoginError::Denied),
            Parameter::Once(code) if (1..=512).contains(&code.len()) && code.iter().all(u8::is_ascii_graphic) => Ok(Self { code }),
            _ => Err(LoginError::CallbackMalformed),
        }
    }
}

/// Where to send the browser of this attempt; `None` for a method that sends it nowhere.
pub fn authorize_url(config: &Config, connector: &Connector, attempt: &Attempt, redirect_uri: &str) -> Option<String> {
    match connector.method {
        Method::WebsiteQr { .. } => Some(website_qr::authorize_url(config, connector, redirect_uri, attempt.state())),
        Method::OfficialAccountWeb { scope } => {
            Some(official_account_web::authorize_url(config, connector, effective(scope, attempt), redirect_uri, attempt.state()))
        }
        _ => None,
    }
}

/// Where to send a frame of our login page; `None` for a method that has no page for frames, or where the operator wants none.
pub fn frame_url(config: &Config, connector: &Connector, attempt: &Attempt, redirect_uri: &str, is_english: bool) -> Option<String> {
    match connector.method {
        Method::WebsiteQr { embed: true } => Some(website_qr::frame_url(config, connector, redirect_uri, attempt.state(), is_english)),
        _ => None,
    }
}

/// Learns from WeChat who has come back to `/callback`.
pub(crate) async fn finish(
    calls: &Calls,
    config: &Config,
    connector: &Connector,
    attempt: &Attempt,
    callback: &Callback,
) -> Result<WechatIdentity, Refusal> {
    match connector.method {
        Method::WebsiteQr { .. } => website_qr::finish(calls, config, connector, callback).await,
        Method::OfficialAccountWeb { scope } => {
            official_account_web::finish(calls, config, connector, effective(scope, attempt), callback).await
        }
        _ => Err(LoginError::UnknownConnector.into()),
    }
}

/// Whether the browser comes back with WeChat's `#wechat_redirect` still in its hand: so it is where WeChat answers
/// with a redirect, and not where its page moves the browser by script.
pub fn comes_back_with_fragment(connector: &Connector) -> bool {
    matches!(connector.method, Method::OfficialAccountWeb { .. })
}

fn effective(scope: Scope, attempt: &Attempt) -> Scope {
    if attempt.is_escalated { Scope::Userinfo } else { scope }
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Self {
        Failure::from(error).into()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::{Application, Claims, WechatApi};
    use crate::secret::Secret;

    pub(crate) fn website() -> (WechatApi, Connector) {
        let api = WechatApi {
            cluster: "wechat_api".into(),
            api_authority: "api.weixin.qq.com".into(),
            open_origin: "https://open.weixin.qq.com".into(),
            timeout_ms: 5000,
        };
        let connector = Connector {
            id: "pc".into(),
            display_name: "WeChat".into(),
            app_id: "wx0000000000000001".into(),
            app_secret: Secret::new("s&cret"),
            platform: "main".into(),
            method: Method::WebsiteQr { embed: true },
            push: None,
        };
        (api, connector)
    }

    pub(crate) fn application() -> Application {
        Application {
            id: "shop".into(),
            display_name: "Shop".into(),
            pool: "default".into(),
            origin: "https://shop.example.com".into(),
            connectors: vec![Rc::new(website().1)],
            rules: crate::rules::Rules::default(),
            claims: Claims { name: true, picture: true, phone_number: false, wechat: false },
            experience: false,
            verification_files: vec![],
        }
    }

    #[test]
    fn a_callback_without_a_code_is_a_refusal_and_an_odd_one_is_malformed() {
        let parse = |path: &str| Callback::parse(path.as_bytes()).map(|callback| callback.code);
        assert_eq!(parse("/cb?code=0117xIkl2J&state=x"), Ok(b"0117xIkl2J".to_vec()));
        for denied in ["/cb?state=x", "/cb?code=authdeny&state=x", "/cb?error=access_denied&error_description=%3Cscript%3E&state=x"] {
            assert_eq!(parse(denied), Err(LoginError::Denied), "{denied}");
        }
        let long = format!("/cb?code={}", "a".repeat(513));
        for malformed in ["/cb?code=&state=x", "/cb?code=a&code=b", "/cb?code=%", "/cb?code=a%00b", "/cb?code=a%20b", &long] {
            assert_eq!(parse(malformed), Err(LoginError::CallbackMalformed), "{malformed}");
        }
    }
}
