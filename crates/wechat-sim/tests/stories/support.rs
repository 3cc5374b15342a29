//! A WeChat with two apps and some people, and a client without a socket.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use url::Url;
use url::form_urlencoded::byte_serialize;
use wechat_sim::{App, Builder, Decision, ErrorPage, Outcome, Person, Simulator};

pub(crate) const SITE: &str = "wx00000000000000a1";
pub(crate) const SITE_SECRET: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
pub(crate) const ACCOUNT: &str = "wx00000000000000b2";
pub(crate) const ACCOUNT_SECRET: &str = "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2";
pub(crate) const MOBILE: &str = "wx00000000000000d4";
pub(crate) const MOBILE_SECRET: &str = "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4";
pub(crate) const PROGRAM: &str = "wx00000000000000e5";
pub(crate) const PROGRAM_SECRET: &str = "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5";
pub(crate) const PLATFORM: &str = "main";
pub(crate) const CALLBACK: &str = "https://shop.example.com/wxgate/callback/pc";

/// From WeChat's own browser on an iPhone.
pub(crate) const WECHAT_AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.54(0x18003625) NetType/WIFI Language/zh_CN";

/// A simulator and what a client may ask of it.
pub(crate) struct Story {
    pub(crate) sim: Simulator,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self::with(Simulator::builder())
    }

    /// One app of each kind on one Open Platform account, all of shop.example.com; xiaoming and xiaohong.
    pub(crate) fn with(builder: Builder) -> Self {
        let sim = builder.build();
        let site = App::website(SITE_SECRET).named("演示商城").on_platform(PLATFORM).redirecting_to("shop.example.com");
        let account = App::official_account(ACCOUNT_SECRET).named("演示服务号").on_platform(PLATFORM).redirecting_to("shop.example.com");
        sim.put_app(SITE, site).unwrap();
        sim.put_app(ACCOUNT, account).unwrap();
        sim.put_app(MOBILE, App::mobile(MOBILE_SECRET).named("演示 App").on_platform(PLATFORM)).unwrap();
        let program = App::mini_program(PROGRAM_SECRET).named("演示小程序").on_platform(PLATFORM);
        sim.put_app(PROGRAM, program.having_pages(&["pages/index/index", "pages/login/login"])).unwrap();
        sim.put_person("xiaoming", Person::new("小明").with_phone("86", "13800138000")).unwrap();
        sim.put_person("xiaohong", Person::new("小红🌸")).unwrap();
        Self { sim }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// As from WeChat's browser, with a cookie where one is given.
    pub(crate) async fn get_in_wechat(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header(USER_AGENT, WECHAT_AGENT).header(COOKIE, cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_form(&self, path: &str, cookie: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header(USER_AGENT, WECHAT_AGENT)
            .header(COOKIE, cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    pub(crate) async fn control(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.sim.router().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, bytes: bytes.to_vec() }
    }

    /// Logs in with the QR page, and returns the code.
    pub(crate) fn website_code(&self, person: &str) -> String {
        let outcome = self.sim.authorize(&qr_link(&[]), person, Decision::Allow).unwrap();
        code_in(outcome.redirect().unwrap())
    }

    /// Logs in inside WeChat, and returns the code.
    pub(crate) fn account_code(&self, person: &str, scope: &str) -> String {
        let link = web_link(&[("scope", scope)]);
        let outcome = self.sim.authorize(&link, person, Decision::Allow).unwrap();
        code_in(outcome.redirect().unwrap())
    }

    pub(crate) async fn exchange(&self, appid: &str, secret: &str, code: &str) -> Answer {
        let query = format!("appid={appid}&secret={secret}&code={code}&grant_type=authorization_code");
        self.get(&format!("/sns/oauth2/access_token?{query}")).await
    }

    pub(crate) async fn userinfo(&self, access_token: &str, openid: &str) -> Answer {
        self.get(&format!("/sns/userinfo?access_token={access_token}&openid={openid}&lang=zh_CN")).await
    }

    /// Goes to where a minute and a day of WeChat's have just begun, so that neither ends within a story.
    pub(crate) fn at_midnight_in_beijing(&self) {
        const DAY: u64 = 24 * 3600;
        let into_the_day = (self.sim.now() + 8 * 3600) % DAY;
        self.sim.advance(Duration::from_secs(DAY - into_the_day));
    }

    pub(crate) async fn token(&self, appid: &str, secret: &str) -> Answer {
        self.get(&format!("/cgi-bin/token?grant_type=client_credential&appid={appid}&secret={secret}")).await
    }

    /// With the right secret, which is the appid's last two digits, sixteen times.
    pub(crate) async fn stable_token(&self, appid: &str, force_refresh: bool) -> Answer {
        let secret = appid[16..].repeat(16);
        let body = json!({"grant_type": "client_credential", "appid": appid, "secret": secret, "force_refresh": force_refresh});
        self.control("POST", "/cgi-bin/stable_token", &body.to_string()).await
    }

    pub(crate) async fn program_token(&self) -> String {
        self.stable_token(PROGRAM, false).await.field("access_token")
    }

    /// A POST of the mini program's or the account's server, with its token.
    pub(crate) async fn call(&self, appid: &str, path: &str, body: &Value) -> Answer {
        let token = self.stable_token(appid, false).await.field("access_token");
        self.control("POST", &format!("{path}?access_token={token}"), &body.to_string()).await
    }

    pub(crate) async fn session_of(&self, appid: &str, secret: &str, code: &str) -> Answer {
        let query = format!("appid={appid}&secret={secret}&js_code={code}&grant_type=authorization_code");
        self.get(&format!("/sns/jscode2session?{query}")).await
    }

    /// The error page that an authorize URL leads to.
    pub(crate) fn refusal(&self, link: &str) -> ErrorPage {
        match self.sim.authorize(link, "xiaoming", Decision::Allow).unwrap() {
            Outcome::ErrorPage(page) => page,
            other => panic!("no error page for {link}, but {other:?}"),
        }
    }
}

/// A whole response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    pub(crate) fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.text())).to_owned()
    }

    /// The `errcode`, and WeChat's words for it without the rid. Asserts what holds for every refusal of `sns/*`.
    pub(crate) fn refusal(&self) -> (i64, String) {
        assert_eq!(self.status, 200, "WeChat says hard truths with 200");
        assert_eq!(self.header("content-type"), "text/plain");
        let message = self.field("errmsg");
        let (words, _rid) = message.split_once(", rid: ").unwrap();
        (self.json()["errcode"].as_i64().unwrap(), words.to_owned())
    }

    /// As [`Answer::refusal`], for everything else than `sns/*`.
    pub(crate) fn server_refusal(&self) -> (i64, String) {
        assert_eq!(self.status, 200, "WeChat says hard truths with 200");
        assert_eq!(self.header("content-type"), "application/json; encoding=utf-8");
        let message = self.field("errmsg");
        let (words, _rid) = message.split_once(" rid: ").unwrap();
        assert!(!words.ends_with(','), "a comma stands there on sns/* alone");
        (self.json()["errcode"].as_i64().unwrap(), words.to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// The cookie that was set, as a client sends it back.
    pub(crate) fn cookie(&self) -> String {
        self.header(SET_COOKIE.as_str()).split(';').next().unwrap().to_owned()
    }

    /// The uuid of a QR page.
    pub(crate) fn uuid(&self) -> String {
        let text = self.text();
        let (_, rest) = text.split_once("/connect/qrcode/").unwrap_or_else(|| panic!("no QR code in {text}"));
        rest[..16].to_owned()
    }
}

pub(crate) fn refused(errcode: i64, words: &str) -> (i64, String) {
    (errcode, words.to_owned())
}

/// A link of the QR page: right, but for the parameters that are replaced or, with an empty name's value, added.
pub(crate) fn qr_link(changes: &[(&str, &str)]) -> String {
    link("/connect/qrconnect", SITE, "snsapi_login", changes)
}

/// A link of the official-account page.
pub(crate) fn web_link(changes: &[(&str, &str)]) -> String {
    link("/connect/oauth2/authorize", ACCOUNT, "snsapi_userinfo", changes)
}

fn link(path: &str, appid: &str, scope: &str, changes: &[(&str, &str)]) -> String {
    let mut pairs =
        vec![("appid", appid), ("redirect_uri", CALLBACK), ("response_type", "code"), ("scope", scope), ("state", "5f1e7a0c9b3d4826")];
    for &(name, value) in changes {
        match pairs.iter_mut().find(|(known, _)| *known == name) {
            Some(pair) => pair.1 = value,
            None => pairs.push((name, value)),
        }
    }
    format!("https://open.weixin.qq.com{path}?{}#wechat_redirect", query_of(&pairs))
}

pub(crate) fn query_of(pairs: &[(&str, &str)]) -> String {
    let encoded = pairs.iter().map(|(name, value)| format!("{name}={}", byte_serialize(value.as_bytes()).collect::<String>()));
    encoded.collect::<Vec<_>>().join("&")
}

/// What a browser sends of a link.
pub(crate) fn path_of(link: &str) -> String {
    let url = Url::parse(link).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

pub(crate) fn code_in(callback: &str) -> String {
    parameter_in(callback, "code").unwrap_or_else(|| panic!("no code in {callback}"))
}

pub(crate) fn parameter_in(url: &str, name: &str) -> Option<String> {
    Url::parse(url).unwrap().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// What a phone's camera makes of a picture.
pub(crate) fn read_qr(jpeg: &[u8]) -> String {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    let pixels = decoder.decode().unwrap();
    let (width, height) = (usize::from(decoder.info().unwrap().width), usize::from(decoder.info().unwrap().height));
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    image.detect_grids()[0].decode().unwrap().1
}
