//! A person with a browser: keeps cookies, follows no redirect unasked, says what browsers say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use wechat_sim::{Decision, Outcome, Simulator};

use crate::http::{self, Answer};
use crate::identity::{self, Identity};

/// Chromium on a desk.
pub const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
/// WeChat's browser on a phone.
pub const WECHAT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.54(0x18003625) NetType/WIFI Language/zh_CN";
/// WeCom's browser.
pub const WECOM: &str = "Mozilla/5.0 Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1 Language/zh ColorScheme/Light wwmver/3.26.13.714";
/// A web view inside a mini program.
pub const MINI_PROGRAM: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.31(0x18001f2f) NetType/WIFI Language/zh_CN miniProgram/wx73247c7819d61796";
/// An ordinary browser on a phone.
pub const PHONE: &str = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36";

/// The session's cookie.
pub const SESSION: &str = "__Host-wxgate_session";
/// The cookie of a login that waits for its person.
pub const PENDING: &str = "__Host-wxgate_pending";
/// What attempts' cookies begin with.
pub const ATTEMPT: &str = "__Host-wxgate_attempt_";

/// What happened, for the oracles and for whoever reads a failure.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// In order.
    pub(crate) exchanges: Mutex<Vec<Exchange>>,
    /// Values that must turn up in no log.
    pub(crate) secrets: Mutex<BTreeSet<String>>,
    /// Phone numbers, e-mail addresses and user names that people have typed: the resolver's business, and not the gate's.
    pub(crate) private: Mutex<BTreeSet<String>>,
}

/// A request, and what of its answer is held against the oracles.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// `GET localhost:1/orders`.
    pub(crate) asked: String,
    pub(crate) status: u16,
    pub(crate) cache_control: Option<String>,
    pub(crate) location: Option<String>,
    /// It gives away a server token of WeChat's.
    pub(crate) tells_a_token: bool,
}

impl Record {
    pub(crate) fn add_secret(&self, secret: &str) {
        // Shorter ones would be found by chance; of those, only the codes that people type are looked for, and only as words.
        if secret.len() >= 16 || is_typed_code(secret) {
            self.secrets.lock().expect("not poisoned").insert(secret.to_owned());
        }
    }

    pub(crate) fn add_private(&self, text: &str) {
        if text.len() >= 8 {
            self.private.lock().expect("not poisoned").insert(text.to_owned());
        }
    }
}

/// Whether it is six digits, which stand in a log for other things too.
pub(crate) fn is_typed_code(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names and values by host.
pub(crate) type Jar = BTreeMap<String, Vec<(String, String)>>;

/// A browser. Clones share its cookies, as tabs do.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub(crate) own_address: Option<IpAddr>,
    pub(crate) envoy: SocketAddr,
    pub(crate) origin: String,
    pub(crate) issuer: String,
    pub(crate) user_agent: String,
    pub(crate) wechat: Simulator,
    pub(crate) wechat_origin: String,
    pub(crate) record: Arc<Record>,
    /// By host: cookies know no ports.
    pub(crate) jar: Arc<Mutex<Jar>>,
    pub(crate) keeps_cookies: bool,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Visitor {
    /// The same browser by way of another address: another Envoy of the same origin.
    pub fn via(&self, envoy: SocketAddr) -> Self {
        Self { envoy, ..self.clone() }
    }

    /// The same browser elsewhere in the world: on another address of this machine, such as 127.0.0.7.
    pub fn calling_from(&self, own_address: &str) -> Self {
        Self { own_address: Some(own_address.parse().expect("an address")), ..self.clone() }
    }

    /// The same browser at another origin, to which paths then belong.
    pub fn at(&self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self.clone() }
    }

    /// The same cookies in a browser that calls itself so.
    pub fn calling_itself(&self, user_agent: &str) -> Self {
        Self { user_agent: user_agent.to_owned(), ..self.clone() }
    }

    /// The same browser, which sends this header with every request.
    pub fn with_header(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut visitor = self.clone();
        visitor.headers.push((name.to_owned(), value.as_ref().to_vec()));
        visitor
    }

    /// A native app with this session token and no cookies.
    pub fn bearer(&self, token: &str) -> Self {
        self.without_cookies().with_header("authorization", format!("Bearer {token}"))
    }

    /// A browser that keeps no cookies.
    pub fn without_cookies(&self) -> Self {
        Self { keeps_cookies: false, jar: Arc::default(), ..self.clone() }
    }

    /// Another browser with a copy of these cookies: a thief's.
    pub fn stolen(&self) -> Self {
        let copy = self.jar.lock().expect("not poisoned").clone();
        Self { jar: Arc::new(Mutex::new(copy)), ..self.clone() }
    }

    /// Follows a link or types an address: a path, or a whole address.
    pub async fn navigate(&self, target: &str) -> Answer {
        let headers = [
            ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("accept-language", "en"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "none"),
            ("upgrade-insecure-requests", "1"),
        ];
        self.send("GET", target, &headers, b"").await
    }

    /// Follows a link and then every redirect, as long as it does not lead to WeChat.
    pub async fn follow(&self, target: &str) -> Answer {
        let mut answer = self.navigate(target).await;
        for _ in 0..10 {
            match answer.header("location").filter(|location| !location.starts_with(&self.wechat_origin)) {
                Some(location) => answer = self.navigate(location).await,
                None => return answer,
            }
        }
        panic!("too many redirects: {answer}");
    }

    /// A script's `fetch`.
    pub async fn api(&self, target: &str) -> Answer {
        let headers =
            [("accept", "application/json"), ("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
        self.send("GET", target, &headers, b"").await
    }

    /// A plain GET, as programs send it.
    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[("accept", "*/*")], b"").await
    }

    /// Sends a form from one of the origin's own pages.
    pub async fn submit(&self, target: &str, body: &str) -> Answer {
        let headers = [
            ("accept", "text/html,application/xhtml+xml"),
            ("accept-language", "en"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", self.origin.as_str()),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send("POST", target, &headers, body.as_bytes()).await
    }

    /// Sends JSON as a script of one of the origin's own pages does.
    pub async fn post(&self, target: &str, body: &serde_json::Value) -> Answer {
        let headers = [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("origin", self.origin.as_str()),
            ("sec-fetch-dest", "empty"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send("POST", target, &headers, body.to_string().as_bytes()).await
    }

    /// Sends JSON as a native app does, which has no origin.
    pub async fn post_from_app(&self, target: &str, body: &serde_json::Value) -> Answer {
        let headers = [("accept", "application/json"), ("content-type", "application/json")];
        self.send("POST", target, &headers, body.to_string().as_bytes()).await
    }

    /// Sends anything. Host, User-Agent and cookies are added; an empty `host` in `headers` replaces nothing.
    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let (authority, path) = if target.starts_with('/') { (split_url(&self.origin).0, target.to_owned()) } else { split_url(target) };
        assert!(!target.starts_with(&self.wechat_origin), "this address is WeChat's, and no request for the gate: {target}");
        let mut all: Vec<(String, Vec<u8>)> = Vec::new();
        if !headers.iter().any(|(name, _)| *name == "host") {
            all.push(("host".into(), authority.clone().into_bytes()));
        }
        all.push(("user-agent".into(), self.user_agent.clone().into_bytes()));
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())));
        all.extend(self.headers.iter().cloned());
        let host = host_of(&authority);
        let cookies = self.cookie_header(&host);
        if !cookies.is_empty() {
            all.push(("cookie".into(), cookies.into_bytes()));
        }
        let answer = http::exchange_from(self.own_address, self.envoy, method, &path, &all, body).await;
        let header = |name| answer.header(name).map(str::to_owned);
        self.record.exchanges.lock().expect("not poisoned").push(Exchange {
            asked: format!("{method} {authority}{path}"),
            status: answer.status,
            cache_control: header("cache-control"),
            location: header("location"),
            tells_a_token: self.wechat.server_tokens().iter().any(|token| answer.text().contains(token)),
        });
        for cookie in answer.all("set-cookie") {
            self.take_cookie(&host, cookie);
        }
        answer
    }

    /// Logs in: a protected page, the login page, WeChat, back, and to the page. Gives that page.
    pub async fn login(&self, connector: &str, person: &str) -> Answer {
        self.login_to("/orders?page=2", connector, person).await
    }

    /// The same for a page of one's own choice.
    pub async fn login_to(&self, page: &str, connector: &str, person: &str) -> Answer {
        let back = self.log_in_until_callback(page, connector, person).await;
        back.assert_status(303);
        self.navigate(back.location()).await
    }

    /// The same, but only as far as the answer to WeChat's callback.
    pub async fn log_in_until_callback(&self, page: &str, connector: &str, person: &str) -> Answer {
        let url = self.ask_to_log_in(page, connector).await;
        let mut answer = self.navigate(&self.allow(&url, person)).await;
        // Once more to WeChat, where the gate asks for the profile too.
        for _ in 0..3 {
            let Some(again) = answer.header("location").filter(|location| location.starts_with(&self.wechat_origin)) else { break };
            let callback = self.allow(again, person);
            answer = self.navigate(&callback).await;
        }
        answer
    }

    /// From a protected page to WeChat's: gives the address of WeChat's page.
    pub async fn ask_to_log_in(&self, page: &str, connector: &str) -> String {
        let refused = self.navigate(page).await;
        refused.assert_status(303);
        let mut answer = self.navigate(refused.location()).await;
        if answer.status == 200 {
            let start = format!("/wxgate/start/{connector}");
            let link = links(&answer.text()).into_iter().find(|link| split_url(link).1.split('?').next() == Some(&start));
            answer = self.navigate(&link.unwrap_or_else(|| panic!("no link to {start} in {answer}"))).await;
        }
        self.to_wechat(&answer)
    }

    /// Starts a login directly: gives the address of WeChat's page.
    pub async fn start(&self, connector: &str, return_to: &str) -> String {
        let return_to: String = url::form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
        let answer = self.navigate(&format!("/wxgate/start/{connector}?return_to={return_to}")).await;
        self.to_wechat(&answer)
    }

    #[track_caller]
    fn to_wechat(&self, answer: &Answer) -> String {
        answer.assert_status(303);
        assert!(answer.location().starts_with(&self.wechat_origin), "the way to WeChat was expected, not {answer}");
        answer.location().to_owned()
    }

    /// The person allows the login at WeChat: gives the callback's address.
    #[track_caller]
    pub fn allow(&self, authorize_url: &str, person: &str) -> String {
        match self.at_wechat(authorize_url, person, Decision::Allow) {
            Outcome::Redirect(callback) => callback,
            other => panic!("WeChat was expected to send {person} back from {authorize_url}, not {other:?}"),
        }
    }

    /// The person does something at WeChat.
    #[track_caller]
    pub fn at_wechat(&self, authorize_url: &str, person: &str, decision: Decision) -> Outcome {
        let outcome = self.wechat.authorize(authorize_url, person, decision).unwrap_or_else(|error| panic!("{authorize_url}: {error}"));
        for (name, value) in outcome.redirect().and_then(|url| url::Url::parse(url).ok()).iter().flat_map(|url| url.query_pairs()) {
            if matches!(&*name, "code" | "state") {
                self.record.add_secret(&value);
            }
        }
        outcome
    }

    /// Who the application takes this visitor for, checked with the gate's public keys; fails where it is nobody.
    pub async fn whoami(&self) -> Identity {
        let answer = self.api("/whoami").await;
        answer.assert_status(200);
        self.identity_in(&answer).await
    }

    /// Whether a protected page opens.
    pub async fn is_logged_in(&self) -> bool {
        let answer = self.api("/whoami").await;
        assert!(matches!(answer.status, 200 | 401), "{answer}");
        answer.status == 200
    }

    /// The identity that the application has told of in its answer.
    pub async fn identity_in(&self, answer: &Answer) -> Identity {
        let headers = answer.json()["headers"].clone();
        let all = headers.as_array().into_iter().flatten();
        let tokens: Vec<_> = all.filter(|pair| pair[0] == "x-wxgate-identity").filter_map(|pair| pair[1].as_str()).collect();
        let [token] = tokens[..] else { panic!("one identity header was expected in {headers:#}") };
        let keys = self.get("/wxgate/jwks.json").await;
        keys.assert_status(200);
        let audience = self.audience(token);
        identity::verify(&keys.json(), token, Some((&self.issuer, &audience))).unwrap_or_else(|error| panic!("{error}: {token}"))
    }

    /// Checked for what it is by tests with several applications.
    fn audience(&self, token: &str) -> String {
        let payload = token.split('.').nth(1).unwrap_or_default();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).expect("base64url");
        let claims: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        claims["aud"].as_str().expect("one audience").to_owned()
    }

    /// The cookie of this name at this origin.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies().into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// All cookies at this origin.
    pub fn cookies(&self) -> Vec<(String, String)> {
        let host = host_of(&split_url(&self.origin).0);
        self.jar.lock().expect("not poisoned").get(&host).cloned().unwrap_or_default()
    }

    /// The session token; fails where there is none.
    #[track_caller]
    pub fn session(&self) -> String {
        self.cookie(SESSION).expect("a session cookie")
    }

    /// Cookies of login attempts.
    pub fn attempts(&self) -> Vec<(String, String)> {
        self.cookies().into_iter().filter(|(name, _)| name.starts_with(ATTEMPT)).collect()
    }

    /// Plants a cookie, or with an empty value removes one.
    pub fn set_cookie(&self, name: &str, value: &str) {
        let host = host_of(&split_url(&self.origin).0);
        let mut jar = self.jar.lock().expect("not poisoned");
        let cookies = jar.entry(host).or_default();
        match cookies.iter_mut().find(|(found, _)| found == name) {
            _ if value.is_empty() => cookies.retain(|(found, _)| found != name),
            Some((_, found)) => *found = value.to_owned(),
            None => cookies.push((name.to_owned(), value.to_owned())),
        }
    }

    fn cookie_header(&self, host: &str) -> String {
        let jar = self.jar.lock().expect("not poisoned");
        let pairs: Vec<_> = jar.get(host).into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// As a browser does it (RFC 6265bis, sections 4.1.3 and 5.7). Any path but `/` would need more.
    fn take_cookie(&self, host: &str, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap_or_else(|| panic!("no cookie: {set_cookie}"));
        let attributes: Vec<_> = parts.map(str::to_ascii_lowercase).collect();
        let has = |attribute: &str| attributes.iter().any(|found| found == attribute);
        if name.starts_with("__Host-") {
            assert!(has("secure") && has("path=/"), "browsers refuse this cookie: {set_cookie}");
            assert!(!attributes.iter().any(|found| found.starts_with("domain")), "browsers refuse this cookie: {set_cookie}");
            assert!(has("httponly") && has("samesite=lax"), "{set_cookie}");
            self.record.add_secret(value);
        }
        if !self.keeps_cookies {
            return;
        }
        let is_over = has("max-age=0");
        self.at(&format!("http://{host}")).set_cookie(name, if is_over { "" } else { value });
    }
}

/// Authority, and path with query, of an `http` or `https` address or of a path.
pub fn split_url(url: &str) -> (String, String) {
    // Browsers keep fragments to themselves.
    let url = url.split('#').next().unwrap_or(url);
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    if url.starts_with('/') {
        return (String::new(), url.to_owned());
    }
    match rest.find('/') {
        Some(at) => (rest[..at].to_owned(), rest[at..].to_owned()),
        None => (rest.to_owned(), "/".to_owned()),
    }
}

fn host_of(authority: &str) -> String {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned()
}

/// Every `href` of a page.
pub fn links(html: &str) -> Vec<String> {
    let values = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.replace("&amp;", "&")).collect()
}
