//! An official account's own API: what it may know of those who follow it.

use super::answer::{nonsense, read, unionid};
use crate::config::WechatApi;
use crate::error::{Failure, LoginError};
use crate::http::{CallResult, HttpCall, push_escaped};

/// `GET /cgi-bin/user/info`: who follows the account, by the openid that a push has named. Names and pictures have been
/// left empty since 2021.
pub fn user_info(api: &WechatApi, token: &str, openid: &str) -> HttpCall {
    let mut path = String::from("/cgi-bin/user/info?access_token=");
    push_escaped(&mut path, token.as_bytes());
    path.push_str("&openid=");
    push_escaped(&mut path, openid.as_bytes());
    super::get(api, "cgi.user_info", path)
}

/// Reads the answer to [`user_info`]: the unionid of this follower, where the account is bound to a platform.
///
/// # Errors
/// [`Failure`], also for somebody who does not follow (yet): WeChat names no unionid then, and without it a person who has
/// an account would get a second one.
pub fn read_user_info(result: CallResult, openid: &str) -> Result<Option<String>, Failure> {
    let body = read(result).map_err(|refusal| refusal.failure)?;
    if body.openid.as_deref() != Some(openid) {
        return Err(nonsense("the answer is about another openid"));
    }
    if body.subscribe != Some(1) {
        return Err(Failure::new(LoginError::WechatUnavailable, "WeChat says that whoever scanned does not follow the account"));
    }
    unionid(body.unionid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpReply;

    fn reply(body: &str) -> CallResult {
        Ok(HttpReply { status: 200, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn a_follower_s_unionid_is_read_and_nobody_else_s() {
        let follower = r#"{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"",
            "headimgurl":"","subscribe_time":1382694957,"unionid":"o6_bmasdasdsad6_2sgVt7hMZOPfL","remark":"","groupid":0,"tagid_list":[128,2],
            "subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":""}"#;
        let read = |body: &str| read_user_info(reply(body), "o6_bmjrPTlm6_2sgVt7hMZOPfL2M");
        assert_eq!(read(follower), Ok(Some("o6_bmasdasdsad6_2sgVt7hMZOPfL".into())));
        assert_eq!(read(&follower.replace("\"unionid\":\"o6_bmasdasdsad6_2sgVt7hMZOPfL\",", "")), Ok(None), "not bound to a platform");
        for body in [
            r#"{"subscribe":0,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","tagid_list":[]}"#,
            r#"{"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M"}"#,
            &follower.replace("o6_bmjrPTlm6_2sgVt7hMZOPfL2M", "another"),
            &follower.replace("o6_bmasdasdsad6_2sgVt7hMZOPfL", "bad id"),
            r#"{"errcode":48001,"errmsg":"api unauthorized"}"#,
            "{}",
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_follower_is_asked_for_as_wechat_documents_it() {
        let (api, _) = crate::connectors::tests::website();
        let call = user_info(&api, "34_a+b", "o1");
        assert_eq!((call.method, call.path.as_str()), ("GET", "/cgi-bin/user/info?access_token=34_a%2Bb&openid=o1"));
    }
}
