//! Mini programs: who has called `wx.login`, their phone number, and links that open a page (WeChat documents, "Mini
//! program: server API").

use serde_json::Value;

use super::answer::{Body, Refusal, is_id, nonsense, read, unionid};
use super::open_data;
use crate::config::{Connector, MiniProgramPage, WechatApi};
use crate::error::{Failure, LoginError};
use crate::http::{CallResult, HttpCall, push_escaped};
use crate::json::object;
use crate::secret::Secret;

/// Whose code it was. It has no `Debug`: the session key reads and writes in this person's name.
pub struct Login {
    /// The person in this mini program.
    pub openid: String,
    /// The person on the platform, where the mini program is bound.
    pub unionid: Option<String>,
    /// Opens what the person's mini program brings along. It stays in this flow's memory: neither a client nor the resolver
    /// ever gets it.
    pub session_key: Secret,
}

/// `GET /sns/jscode2session`: exchanges a code of `wx.login`. Never to be repeated for the same code.
pub fn jscode2session(api: &WechatApi, connector: &Connector, code: &[u8]) -> HttpCall {
    let mut path = format!("/sns/jscode2session?appid={}&secret=", connector.app_id);
    push_escaped(&mut path, connector.app_secret.expose().as_bytes());
    path.push_str("&js_code=");
    push_escaped(&mut path, code);
    path.push_str("&grant_type=authorization_code");
    super::get(api, "sns.jscode2session", path)
}

/// Reads the answer to [`jscode2session`].
///
/// # Errors
/// [`Refusal`].
pub fn read_login(result: CallResult) -> Result<Login, Refusal> {
    let body = read(result)?;
    let openid = body.openid.filter(|id| is_id(id)).ok_or_else(|| nonsense("no usable openid in the answer"))?;
    let is_key = |key: &String| (1..=64).contains(&key.len());
    let session_key = body.session_key.filter(is_key).ok_or_else(|| nonsense("no usable session_key in the answer"))?;
    Ok(Login { openid, unionid: unionid(body.unionid)?, session_key: Secret::new(session_key) })
}

/// `POST /wxa/business/getuserphonenumber`: exchanges a code of the phone-number button, which has to be this person's.
pub fn phone_number(api: &WechatApi, server_token: &str, code: &str, openid: &str) -> HttpCall {
    with_token(api, "wxa.phone_number", "/wxa/business/getuserphonenumber", server_token, &object!({"code": code, "openid": openid}))
}

/// Reads the answer to [`phone_number`]: E.164.
///
/// # Errors
/// [`LoginError::PhoneNumberRejected`] where another code would help.
pub fn read_phone_number(result: CallResult, connector: &Connector) -> Result<String, Failure> {
    let body = read_server(result).map_err(|refusal| match refusal.errcode {
        // Old, used or made up; of another person; of another mini program.
        Some(40029 | 40163 | 40003 | 40013) => Failure { error: LoginError::PhoneNumberRejected, ..refusal.failure },
        _ => refusal.failure,
    })?;
    let number = body.phone_info.and_then(|info| open_data::phone_number(&info, &connector.app_id));
    number.ok_or_else(|| nonsense("no usable phone number for this mini program in the answer"))
}

/// A link that opens a mini program from outside of WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// `weixin://…`: a URL Scheme, for apps.
    Scheme,
    /// `https://…`: a URL Link, for pages and messages too.
    UrlLink,
}

/// `POST /wxa/generatescheme` or `/wxa/generate_urllink`: a link to this page until `expires_at`, at least a minute ahead.
pub fn link(api: &WechatApi, server_token: &str, link: Link, page: &MiniProgramPage, query: &str, expires_at: u64) -> HttpCall {
    let version = page.version.label();
    match link {
        Link::Scheme => {
            let target = object!({"path": format!("/{}", page.path), "query": query, "env_version": version});
            let body = object!({"jump_wxa": target, "is_expire": true, "expire_type": 0, "expire_time": expires_at});
            with_token(api, "wxa.generatescheme", "/wxa/generatescheme", server_token, &body)
        }
        Link::UrlLink => {
            let body =
                object!({"path": page.path.as_str(), "query": query, "env_version": version, "expire_type": 0, "expire_time": expires_at});
            with_token(api, "wxa.generate_urllink", "/wxa/generate_urllink", server_token, &body)
        }
    }
}

/// Reads the answer to [`link()`].
///
/// # Errors
/// [`Failure`].
pub fn read_link(result: CallResult, link: Link) -> Result<String, Failure> {
    let body = read_server(result).map_err(|refusal| refusal.failure)?;
    let (address, start) = match link {
        Link::Scheme => (body.openlink, "weixin://"),
        Link::UrlLink => (body.url_link, "https://"),
    };
    let is_link = |address: &String| address.starts_with(start) && address.len() <= 512 && address.bytes().all(|b| b.is_ascii_graphic());
    address.filter(is_link).ok_or_else(|| nonsense("no usable link in the answer"))
}

/// As [`read`]: but what WeChat says of a token is about ours here, and nobody's login begins anew for it.
fn read_server(result: CallResult) -> Result<Body, Refusal> {
    read(result).map_err(|refusal| match refusal.failure.error {
        LoginError::CodeRejected => Refusal { failure: Failure { error: LoginError::WechatUnavailable, ..refusal.failure }, ..refusal },
        _ => refusal,
    })
}

fn with_token(api: &WechatApi, label: &'static str, endpoint: &str, server_token: &str, body: &Value) -> HttpCall {
    let mut path = format!("{endpoint}?access_token=");
    push_escaped(&mut path, server_token.as_bytes());
    super::post(api, label, path, body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use serde_json::json;

    use super::*;
    use crate::config::MiniProgramVersion;
    use crate::connectors::tests::website;
    use crate::http::{CallFailure, HttpReply};

    fn reply(body: &str) -> CallResult {
        Ok(HttpReply { status: 200, body: body.as_bytes().to_vec() })
    }

    fn refused(body: &str) -> LoginError {
        read_login(reply(body)).err().unwrap().failure.error
    }

    fn phone(body: &str) -> Result<String, LoginError> {
        read_phone_number(reply(body), &website().1).map_err(|failure| failure.error)
    }

    fn sent(call: &HttpCall) -> Value {
        serde_json::from_slice(&call.body).unwrap()
    }

    #[test]
    fn a_login_is_asked_for_and_read_as_wechat_documents_it() {
        let (api, connector) = website();
        let call = jscode2session(&api, &connector, b"0117 &x");
        assert_eq!(
            call.path,
            "/sns/jscode2session?appid=wx0000000000000001&secret=s%26cret&js_code=0117%20%26x&grant_type=authorization_code"
        );
        let login = read_login(reply(r#"{"session_key":"EYHiOw5v7tP4HSvxegKjmw==","openid":"o57y35dO3e95DXwQtZ9JuZWIjVRA"}"#)).unwrap();
        assert_eq!((login.openid.as_str(), login.unionid), ("o57y35dO3e95DXwQtZ9JuZWIjVRA", None));
        assert_eq!(login.session_key.expose(), "EYHiOw5v7tP4HSvxegKjmw==");
        let login = read_login(reply(r#"{"errcode":0,"session_key":"k","openid":"o1","unionid":""}"#)).unwrap();
        assert_eq!(login.unionid, None, "empty is absent");
    }

    #[test]
    fn what_makes_no_sense_is_an_outage_and_what_wechat_refuses_is_refused() {
        for body in [
            "",
            "null",
            "{}",
            "<html>",
            r#"{"openid":"o1"}"#,
            r#"{"session_key":"k"}"#,
            r#"{"openid":"","session_key":"k"}"#,
            r#"{"openid":"has space","session_key":"k"}"#,
            r#"{"openid":7,"session_key":"k"}"#,
            r#"{"openid":"o1","session_key":""}"#,
            r#"{"openid":"o1","openid":"o2","session_key":"k"}"#,
            r#"{"openid":"o1","session_key":"k","unionid":"bad id"}"#,
        ] {
            assert_eq!(refused(body), LoginError::WechatUnavailable, "{body}");
        }
        assert_eq!(refused(r#"{"errcode":40029,"errmsg":"invalid code"}"#), LoginError::CodeRejected);
        assert_eq!(refused(r#"{"errcode":40226,"errmsg":"code blocked"}"#), LoginError::WechatUserBlocked);
        assert_eq!(refused(r#"{"errcode":45011,"errmsg":"api minute-quota"}"#), LoginError::WechatBusy);
        assert_eq!(refused(r#"{"errcode":40125,"errmsg":"invalid appsecret"}"#), LoginError::WechatMisconfigured);
        assert!(read_login(reply(r#"{"errcode":40163}"#)).err().unwrap().is_code_spent);
        assert!(read_login(Err(CallFailure::Reset)).is_err());
    }

    #[test]
    fn a_phone_code_has_to_be_this_person_s_and_the_number_for_this_mini_program() {
        let (api, _) = website();
        let call = phone_number(&api, "to+ken", "c0de", "o1");
        assert_eq!((call.method, call.path.as_str()), ("POST", "/wxa/business/getuserphonenumber?access_token=to%2Bken"));
        assert_eq!(sent(&call), json!({"code": "c0de", "openid": "o1"}));
        let info = r#"{"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":"13800138000","purePhoneNumber":"13800138000","countryCode":"86","watermark":{"timestamp":1637744274,"appid":"wx0000000000000001"}}}"#;
        assert_eq!(phone(info).as_deref(), Ok("+8613800138000"));
        assert_eq!(phone(&info.replace("\"86\"", "86")).as_deref(), Ok("+8613800138000"));
        assert_eq!(phone(&info.replace("000001", "000002")), Err(LoginError::WechatUnavailable), "another mini program's");
        assert_eq!(phone(&info.replace("\"86\"", "\"0086\"")), Err(LoginError::WechatUnavailable));
        assert_eq!(phone("{}"), Err(LoginError::WechatUnavailable));
        for (errcode, error) in [
            (40029, LoginError::PhoneNumberRejected),
            (40003, LoginError::PhoneNumberRejected),
            (40013, LoginError::PhoneNumberRejected),
            (45011, LoginError::WechatBusy),
            (-1, LoginError::WechatBusy),
            (48001, LoginError::WechatMisconfigured),
            (40001, LoginError::WechatUnavailable),
            (42001, LoginError::WechatUnavailable),
        ] {
            assert_eq!(phone(&format!(r#"{{"errcode":{errcode},"errmsg":"x"}}"#)), Err(error), "{errcode}");
        }
    }

    #[test]
    fn links_are_asked_for_as_wechat_documents_them() {
        let (api, _) = website();
        let page = MiniProgramPage { path: "pages/login/index".into(), version: MiniProgramVersion::Trial };
        let call = link(&api, "t", Link::Scheme, &page, "ticket=a", 1000);
        assert_eq!(call.path, "/wxa/generatescheme?access_token=t");
        let target = json!({"path": "/pages/login/index", "query": "ticket=a", "env_version": "trial"});
        assert_eq!(sent(&call), json!({"jump_wxa": target, "is_expire": true, "expire_type": 0, "expire_time": 1000}));
        let call = link(&api, "t", Link::UrlLink, &page, "ticket=a", 1000);
        assert_eq!(call.path, "/wxa/generate_urllink?access_token=t");
        let asked =
            json!({"path": "pages/login/index", "query": "ticket=a", "env_version": "trial", "expire_type": 0, "expire_time": 1000});
        assert_eq!(sent(&call), asked);
        let scheme = r#"{"errcode":0,"errmsg":"ok","openlink":"weixin://dl/business/?t=8sg7zkhUnKg"}"#;
        assert_eq!(read_link(reply(scheme), Link::Scheme).as_deref(), Ok("weixin://dl/business/?t=8sg7zkhUnKg"));
        let url_link = r#"{"errcode":0,"errmsg":"ok","url_link":"https:\/\/wxaurl.cn\/8sg7zkhUnKg"}"#;
        assert_eq!(read_link(reply(url_link), Link::UrlLink).as_deref(), Ok("https://wxaurl.cn/8sg7zkhUnKg"));
        let long = scheme.replace("?t=", &format!("?t={}", "a".repeat(500)));
        for odd in [scheme.replace("weixin:", "javascript:"), scheme.replace("?t=", "?t=\\u0000"), long, "{}".into(), url_link.into()] {
            assert_eq!(read_link(reply(&odd), Link::Scheme).unwrap_err().error, LoginError::WechatUnavailable, "{odd}");
        }
        assert_eq!(read_link(reply(r#"{"errcode":40002}"#), Link::UrlLink).unwrap_err().error, LoginError::WechatMisconfigured);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let reply = || Ok(HttpReply { status: 200, body: body.clone() });
            let _ = read_login(reply());
            let _ = read_phone_number(reply(), &website().1);
            let _ = read_link(reply(), Link::Scheme);
        }

        #[test]
        fn no_phone_info_makes_it_panic(info in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
            let _ = phone(&format!(r#"{{"phone_info":{info}}}"#));
        }
    }
}
