//! Codes that a phone scans: a mini program's (WeChat documents, "getUnlimitedQRCode") and an official account's ("QR
//! code with parameters").

use super::answer::{Refusal, nonsense, read};
use crate::config::{MiniProgramPage, MiniProgramVersion, WechatApi};
use crate::error::{Failure, LoginError};
use crate::http::{HttpCall, HttpReply, push_escaped};
use crate::json::object;

/// Pixels, the least that WeChat draws: about 50 kB.
const WIDTH: u32 = 280;

/// Several times what WeChat's pictures of that width have.
const MAX_PICTURE_BYTES: usize = 256 * 1024;

/// The longest text of a code that we would draw; WeChat's have about 45 characters.
const MAX_TEXT_BYTES: usize = 256;

/// How WeChat's pictures begin. Its content types are wrong now and then, and what begins like this is never JSON: so the
/// bytes decide, and what we say that they are is true.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// For `Content-Type`.
    pub media_type: &'static str,
    /// Whole.
    pub bytes: Vec<u8>,
}

/// `POST /wxa/getwxacodeunlimit`: a picture that opens a page of the mini program with `scene`. At most 32 characters
/// of letters, digits and a few signs, which a ticket's name is.
pub fn wxacode(api: &WechatApi, token: &str, scene: &str, page: &MiniProgramPage) -> HttpCall {
    let body = object!({
        "scene": scene,
        "page": page.path.as_str(),
        // A page of a version that is not released would be refused otherwise.
        "check_path": page.version == MiniProgramVersion::Release,
        "env_version": page.version.label(),
        "width": WIDTH,
    });
    let call = super::post(api, "wxa.getwxacodeunlimit", with_token("/wxa/getwxacodeunlimit", token), &body);
    HttpCall { max_reply_bytes: MAX_PICTURE_BYTES, ..call }
}

/// Reads the answer to [`wxacode`]: a picture, or JSON that says why there is none.
///
/// # Errors
/// [`Failure`], with what an operator can do about it.
pub fn read_wxacode(reply: HttpReply) -> Result<Picture, Failure> {
    let media_type = match () {
        () if reply.status != 200 => None,
        () if reply.body.starts_with(JPEG) => Some("image/jpeg"),
        () if reply.body.starts_with(PNG) => Some("image/png"),
        () => None,
    };
    match media_type {
        Some(media_type) => Ok(Picture { media_type, bytes: reply.body }),
        None => Err(read(Ok(reply)).map_or_else(refused, |_| nonsense("neither a picture nor a refusal in the answer"))),
    }
}

/// `POST /cgi-bin/qrcode/create`: a code that brings `scene` to the account's message push, for so many seconds.
pub fn qrcode(api: &WechatApi, token: &str, scene: &str, seconds: u64) -> HttpCall {
    let body = object!({
        "expire_seconds": seconds,
        "action_name": "QR_STR_SCENE",
        "action_info": object!({"scene": object!({"scene_str": scene})}),
    });
    super::post(api, "cgi.qrcode_create", with_token("/cgi-bin/qrcode/create", token), &body)
}

/// Reads the answer to [`qrcode`]: what the code has to say.
///
/// # Errors
/// [`Failure`], with what an operator can do about it.
pub fn read_qrcode(reply: HttpReply) -> Result<String, Failure> {
    let body = read(Ok(reply)).map_err(refused)?;
    let is_address = |url: &String| {
        (url.starts_with("http://") || url.starts_with("https://"))
            && url.len() <= MAX_TEXT_BYTES
            && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    body.url.filter(is_address).ok_or_else(|| nonsense("no usable url in the answer"))
}

fn with_token(path: &str, token: &str) -> String {
    let mut path = format!("{path}?access_token=");
    push_escaped(&mut path, token.as_bytes());
    path
}

/// What went wrong, in words for the operator. There is no code of the visitor's in this, so what is about codes and
/// tokens in a login is about our own set-up here.
fn refused(refusal: Refusal) -> Failure {
    let Refusal { mut failure, errcode, .. } = refusal;
    if failure.error == LoginError::CodeRejected {
        failure.error = LoginError::WechatMisconfigured;
    }
    let advice = match errcode {
        Some(41030) => "the connector's `page` is not in that `version` of the mini program",
        Some(40129 | 40169) => "WeChat refuses the name of a ticket as `scene`: tell whoever maintains the resolver",
        Some(40097) => "WeChat knows no such `version` of the mini program",
        Some(45009 | 45011) => "too many codes were made in the last minute: 5000 is WeChat's limit for an app",
        Some(48001) => "the account may not make codes: it has to be verified, and a service account",
        Some(40001 | 40014 | 42001) => "WeChat does not take the app's server token: is the app of the right kind?",
        _ => return failure,
    };
    failure.detail = format!("{} ({advice})", failure.detail);
    failure
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::connectors::tests::website;
    use proptest::prelude::*;
    use serde_json::Value;

    fn reply(status: u16, body: impl Into<Vec<u8>>) -> HttpReply {
        HttpReply { status, body: body.into() }
    }

    fn page(version: MiniProgramVersion) -> MiniProgramPage {
        MiniProgramPage { path: "pages/login/index".into(), version }
    }

    #[test]
    fn a_picture_is_what_begins_like_one() {
        let jpeg = [JPEG, b"\xe0\x00\x10JFIF"].concat();
        assert_eq!(read_wxacode(reply(200, jpeg.clone())), Ok(Picture { media_type: "image/jpeg", bytes: jpeg.clone() }));
        assert_eq!(read_wxacode(reply(200, [PNG, b"x"].concat())).unwrap().media_type, "image/png");
        assert!(read_wxacode(reply(502, jpeg)).is_err());
        for other in ["", "{}", "<svg onload=alert(1)>", "GIF89a", "{\"errcode\":0}", "\u{feff}{}", "<html>"] {
            assert_eq!(read_wxacode(reply(200, other)).unwrap_err().error, LoginError::WechatUnavailable, "{other}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_operator_can_do() {
        let refused = |body: &str| read_wxacode(reply(200, body)).unwrap_err();
        let refusals = [
            (41030, LoginError::WechatMisconfigured, "`page`"),
            (40129, LoginError::WechatMisconfigured, "`scene`"),
            (40169, LoginError::WechatMisconfigured, "`scene`"),
            (45009, LoginError::WechatBusy, "5000"),
            (48001, LoginError::WechatMisconfigured, "verified"),
            (40001, LoginError::WechatMisconfigured, "server token"),
            (-1, LoginError::WechatBusy, "system"),
            (85096, LoginError::WechatMisconfigured, "85096"),
        ];
        for (errcode, error, word) in refusals {
            let failure = refused(&format!(r#"{{"errcode":{errcode},"errmsg":"system says no rid: 6aac005a-01bfdbee-79769285"}}"#));
            assert_eq!(failure.error, error, "{errcode}");
            assert!(failure.detail.contains(word) && failure.detail.contains("6aac005a"), "{}", failure.detail);
        }
        assert_eq!(
            read_qrcode(reply(200, r#"{"errcode":48001,"errmsg":"api unauthorized"}"#)).unwrap_err().error,
            LoginError::WechatMisconfigured
        );
    }

    #[test]
    fn a_code_says_what_wechat_told() {
        let answer = r#"{"ticket":"gQH4","expire_seconds":60,"url":"http:\/\/weixin.qq.com\/q\/kZgfwMTm72WWPkovabbI"}"#;
        assert_eq!(read_qrcode(reply(200, answer)).unwrap(), "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI");
        let long = format!(r#"{{"url":"https://{}"}}"#, "a".repeat(300));
        for odd in [r#"{"ticket":"t"}"#, r#"{"url":""}"#, r#"{"url":"javascript:alert(1)"}"#, r#"{"url":"http://a b"}"#, &long] {
            assert_eq!(read_qrcode(reply(200, odd)).unwrap_err().error, LoginError::WechatUnavailable, "{odd}");
        }
    }

    #[test]
    fn codes_are_asked_for_as_wechat_documents_them() {
        let (api, _) = website();
        let call = wxacode(&api, "34_T+/=", "q2nqv0hYdVOkdlkY0m2m3g", &page(MiniProgramVersion::Release));
        assert_eq!((call.method, call.path.as_str()), ("POST", "/wxa/getwxacodeunlimit?access_token=34_T%2B%2F%3D"));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let asked = json!({"scene": "q2nqv0hYdVOkdlkY0m2m3g", "page": "pages/login/index", "check_path": true, "env_version": "release", "width": 280});
        assert_eq!(body, asked);
        let trial: Value = serde_json::from_slice(&wxacode(&api, "t", "s", &page(MiniProgramVersion::Trial)).body).unwrap();
        assert_eq!((&trial["check_path"], &trial["env_version"]), (&json!(false), &json!("trial")));

        let call = qrcode(&api, "t", "q2nqv0hYdVOkdlkY0m2m3g", 180);
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let scene = json!({"scene": {"scene_str": "q2nqv0hYdVOkdlkY0m2m3g"}});
        assert_eq!(body, json!({"expire_seconds": 180, "action_name": "QR_STR_SCENE", "action_info": scene}));
        assert_eq!(call.path, "/cgi-bin/qrcode/create?access_token=t");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read_wxacode(reply(status, body.clone())), read_qrcode(reply(status, body)));
        }
    }
}
