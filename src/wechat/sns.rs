//! `sns/*`: exchange of a code, and the profile behind it.
//!
//! WeChat answers refusals with HTTP 200, labels JSON as `text/plain`, leaves `errcode` out where all is well, and
//! leaves fields out rather than null. So the body alone decides, and every field is optional until it is looked at.

use resolver_api::Profile;

pub use super::answer::Refusal;
use super::answer::{is_id, is_set, nonsense, read, unionid};
use crate::config::{Connector, WechatApi};
use crate::error::{Failure, LoginError};
use crate::http::{CallResult, HttpCall, push_escaped};

/// WeChat's own limit is far lower, and a resolver takes 256: a login does not end over a long name.
const MAX_NICKNAME_CHARS: usize = 128;

/// What the exchange of a code gives.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    /// Good for [`userinfo`] with this openid, for two hours.
    pub access_token: String,
    /// The person in this app.
    pub openid: String,
    /// The person on the platform, where the app is bound and the scope allows it.
    pub unionid: Option<String>,
    /// Whether the scope allows [`userinfo`].
    pub has_profile: bool,
}

/// What the profile gives.
#[derive(Debug, PartialEq, Eq)]
pub struct Userinfo {
    /// For display.
    pub profile: Profile,
    /// The person on the platform, where the app is bound.
    pub unionid: Option<String>,
}

/// `GET /sns/oauth2/access_token`: exchanges a code. Never to be repeated for the same code.
pub fn access_token(api: &WechatApi, connector: &Connector, code: &[u8]) -> HttpCall {
    let mut path = format!("/sns/oauth2/access_token?appid={}&secret=", connector.app_id);
    push_escaped(&mut path, connector.app_secret.expose().as_bytes());
    path.push_str("&code=");
    push_escaped(&mut path, code);
    path.push_str("&grant_type=authorization_code");
    super::get(api, "sns.access_token", path)
}

/// `GET /sns/userinfo`: asks for the profile.
pub fn userinfo(api: &WechatApi, grant: &Grant) -> HttpCall {
    let mut path = String::from("/sns/userinfo?access_token=");
    push_escaped(&mut path, grant.access_token.as_bytes());
    path.push_str("&openid=");
    push_escaped(&mut path, grant.openid.as_bytes());
    path.push_str("&lang=zh_CN");
    super::get(api, "sns.userinfo", path)
}

/// Reads the answer to [`access_token`].
///
/// # Errors
/// [`Refusal`], also for a snapshot user: WeChat then makes the openid and unionid up, so nothing may come of them.
pub fn read_grant(result: CallResult) -> Result<Grant, Refusal> {
    let body = read(result)?;
    if body.is_snapshotuser.as_ref().is_some_and(is_set) {
        return Err(Failure::from(LoginError::SnapshotUser).into());
    }
    let openid = body.openid.filter(|id| is_id(id)).ok_or_else(|| nonsense("no usable openid in the answer"))?;
    let access_token = body
        .access_token
        .filter(|token| !token.is_empty() && token.len() <= 1024)
        .ok_or_else(|| nonsense("no usable access_token in the answer"))?;
    // The list may end with a comma.
    let has_profile = body.scope.iter().flat_map(|scope| scope.split(',')).any(|scope| matches!(scope, "snsapi_login" | "snsapi_userinfo"));
    Ok(Grant { access_token, openid, unionid: unionid(body.unionid)?, has_profile })
}

/// Reads the answer to [`userinfo`], which must be about the person of the grant.
///
/// # Errors
/// [`Failure`]; the login goes on without a profile then.
pub fn read_userinfo(result: CallResult, grant: &Grant) -> Result<Userinfo, Failure> {
    let body = read(result).map_err(|refusal| refusal.failure)?;
    if body.openid.as_deref() != Some(&grant.openid) {
        return Err(nonsense("the profile is about another openid"));
    }
    let nickname = body.nickname.map(|name| name.chars().take(MAX_NICKNAME_CHARS).collect::<String>());
    let profile = Profile { nickname: nickname.filter(|name| !name.is_empty()), picture: body.headimgurl.and_then(picture) };
    Ok(Userinfo { profile, unionid: unionid(body.unionid)? })
}

/// Only WeChat's own picture hosts; old profiles still name them with http.
fn picture(address: String) -> Option<String> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let host = rest.split('/').next()?;
    let is_wechats = host == "qlogo.cn"
        || host.strip_suffix(".qlogo.cn").is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')));
    let is_plain = rest.len() <= 512 && rest.bytes().all(|byte| byte.is_ascii_graphic());
    (is_wechats && is_plain).then(|| format!("https://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{CallFailure, HttpReply};
    use proptest::prelude::*;

    fn reply(body: &str) -> CallResult {
        Ok(HttpReply { status: 200, body: body.as_bytes().to_vec() })
    }

    fn refused(body: &str) -> LoginError {
        read_grant(reply(body)).unwrap_err().failure.error
    }

    #[test]
    fn a_grant_is_read_with_a_trailing_comma_and_without_errcode() {
        let grant = read_grant(reply(
            r#"{"access_token":"34_v","expires_in":7200,"refresh_token":"34_k","openid":"o3_SC5_cPmIQ-kz_UkVzg6oQZNkA","scope":"snsapi_userinfo,","unionid":"oWgGz1LGJNhoD1snKfBGRXEZnSic"}"#,
        ))
        .unwrap();
        assert!(grant.has_profile);
        assert_eq!(grant.unionid.as_deref(), Some("oWgGz1LGJNhoD1snKfBGRXEZnSic"));
        let base = read_grant(reply(
            "\u{feff}{\"errcode\":0,\"access_token\":\"a\",\"openid\":\"o1\",\"scope\":\"snsapi_base\",\"unionid\":\"\"}\n",
        ))
        .unwrap();
        assert_eq!((base.has_profile, base.unionid), (false, None));
    }

    #[test]
    fn refusals_with_status_200_are_refusals() {
        assert_eq!(refused(r#"{"errcode":40029,"errmsg":"invalid code, rid: 6ab499e5-63eafdbb-7e7c6958"}"#), LoginError::CodeRejected);
        assert_eq!(refused(r#"{"errcode":"40163","errmsg":"code been used"}"#), LoginError::CodeRejected);
        assert_eq!(refused(r#"{"errcode":40125,"errmsg":"invalid appsecret"}"#), LoginError::WechatMisconfigured);
        assert_eq!(refused(r#"{"errcode":-1,"errmsg":"system error"}"#), LoginError::WechatBusy);
        assert!(read_grant(reply(r#"{"errcode":40163}"#)).unwrap_err().is_code_spent);
        assert!(!read_grant(reply(r#"{"errcode":40125}"#)).unwrap_err().is_code_spent);
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_an_outage_and_nobody_is_logged_in() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "<html>502</html>",
            r#"{"openid":"o1"}"#,
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","openid":""}"#,
            r#"{"access_token":"a","openid":null}"#,
            r#"{"access_token":"a","openid":7}"#,
            r#"{"access_token":"a","openid":"has space"}"#,
            r#"{"access_token":"a","openid":"o1","openid":"o2"}"#,
            r#"{"access_token":"a","openid":"o1","unionid":"bad id"}"#,
            r#"{"errcode":"x"}"#,
            r#"{"access_token":"a","openid":"o1""#,
        ] {
            assert_eq!(refused(body), LoginError::WechatUnavailable, "{body}");
        }
        let long = format!(r#"{{"access_token":"a","openid":"{}"}}"#, "o".repeat(1000));
        assert_eq!(refused(&long), LoginError::WechatUnavailable);
        assert!(read_grant(Ok(HttpReply { status: 502, body: vec![] })).is_err());
        assert!(read_grant(Ok(HttpReply { status: 200, body: b"{\"openid\":\"\xff\"}".to_vec() })).is_err());
        assert!(read_grant(Err(CallFailure::Reset)).is_err());
    }

    #[test]
    fn a_snapshot_user_is_nobody() {
        let body = r#"{"access_token":"a","openid":"o1","scope":"snsapi_userinfo","unionid":"u1","is_snapshotuser":1}"#;
        assert_eq!(refused(body), LoginError::SnapshotUser);
        assert!(read_grant(reply(&body.replace(":1}", ":0}"))).is_ok());
    }

    #[test]
    fn a_profile_counts_only_for_the_person_of_the_grant() {
        let grant = Grant { access_token: "a".into(), openid: "o1".into(), unionid: None, has_profile: true };
        let body = r#"{"openid":"o1","nickname":"Band 🎸","sex":0,"headimgurl":"http:\/\/thirdwx.qlogo.cn\/mmopen\/x\/132","privilege":[],"unionid":"u1"}"#;
        let info = read_userinfo(reply(body), &grant).unwrap();
        assert_eq!(info.profile.picture.as_deref(), Some("https://thirdwx.qlogo.cn/mmopen/x/132"));
        assert_eq!(info.unionid.as_deref(), Some("u1"));
        assert!(read_userinfo(reply(&body.replace("\"o1\"", "\"o2\"")), &grant).is_err());
    }

    #[test]
    fn pictures_come_from_wechat_or_not_at_all() {
        for address in [
            "http://169.254.169.254/",
            "https://evil/x.svg",
            "https://evilqlogo.cn/",
            "https://qlogo.cn.evil/",
            "https://a@b.qlogo.cn/",
            "file:///etc",
            "data:x",
            "",
        ] {
            assert_eq!(picture(address.into()), None, "{address}");
        }
    }

    #[test]
    fn the_exchange_is_asked_for_as_wechat_documents_it() {
        let (api, connector) = crate::connectors::tests::website();
        let call = access_token(&api, &connector, b"0117 &x");
        assert_eq!(
            call.path,
            "/sns/oauth2/access_token?appid=wx0000000000000001&secret=s%26cret&code=0117%20%26x&grant_type=authorization_code"
        );
        assert_eq!(call.authority, "api.weixin.qq.com");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_grant(Ok(HttpReply { status: 200, body }));
        }
    }
}
