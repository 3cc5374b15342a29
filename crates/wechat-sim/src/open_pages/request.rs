//! What may open an authorize page, and where its code goes.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::Rules;
use super::refusal::{RedirectProblem, Refusal};
use crate::codes::Scope;
use crate::params::Params;
use crate::scans::QrLogin;
use crate::world::{AppKind, World};

/// A request of `connect/qrconnect` that WeChat would accept.
pub(crate) struct QrRequest {
    pub(crate) login: QrLogin,
    pub(crate) app_name: String,
    /// Where a framed page sends the code: `true`, `false` or `default`.
    pub(crate) self_redirect: String,
    pub(crate) look: Look,
}

/// What `wxLogin.js` asks for, or whoever makes the same frame without it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// `login_type=jssdk`: for a frame of 300 by 400.
    pub(crate) is_embedded: bool,
    /// `stylelite=1`: the code and little else, for a frame of 220 by 220 or more.
    pub(crate) is_lite: bool,
    /// `style=white`: white text, for a dark ground.
    pub(crate) is_white: bool,
    /// `lang=en`.
    pub(crate) is_english: bool,
    /// `href`: a style sheet, unless the lite one is asked for.
    pub(crate) sheet: Option<String>,
}

impl Look {
    fn of(params: &Params) -> Self {
        let is = |name, value| params.raw(name) == Some(value);
        let is_lite = is("stylelite", "1");
        let is_sheet = |href: &&str| href.starts_with("https://") || href.starts_with("data:text/css;base64,");
        Self {
            is_embedded: is("login_type", "jssdk"),
            is_lite,
            is_white: is("style", "white"),
            is_english: is("lang", "en"),
            sheet: params.filled("href").filter(|_| !is_lite).filter(is_sheet).map(str::to_owned),
        }
    }
}

impl QrRequest {
    /// WeChat docs, "Website app login". Parameters come in any order, the fragment may be missing, and no rule is
    /// written for `state`, which comes back as it was sent.
    pub(crate) fn check(params: &Params, world: &World, rules: Rules) -> Result<Self, Refusal> {
        let appid = params.filled("appid").unwrap_or_default();
        let app = world.app(appid).filter(|app| app.kind == AppKind::Website).ok_or_else(|| Refusal::AppId(appid.to_owned()))?;
        let redirect_uri = params.filled("redirect_uri").unwrap_or_default();
        check_redirect(redirect_uri, app.redirect_domain.as_deref(), rules)
            .map_err(|problem| Refusal::RedirectUri { on_qr_page: true, problem })?;
        if params.raw("response_type") != Some("code") {
            return Err(Refusal::ResponseType);
        }
        let scope = params.raw("scope").unwrap_or_default();
        if scope != Scope::Login.as_str() {
            return Err(Refusal::Scope { on_qr_page: true, scope: scope.to_owned() });
        }
        let login = QrLogin {
            appid: appid.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state: params.raw("state").unwrap_or_default().to_owned(),
        };
        let self_redirect = params.raw("self_redirect").unwrap_or("default").to_owned();
        Ok(Self { login, app_name: app.name.clone(), self_redirect, look: Look::of(params) })
    }
}

/// A request of `connect/oauth2/authorize` that WeChat would accept.
pub(crate) struct WebRequest {
    pub(crate) appid: String,
    pub(crate) app_name: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: Scope,
    pub(crate) state: String,
    /// `forcePopup=true`: asks although there is a recent consent.
    pub(crate) force_popup: bool,
    /// `forceSnapShot=true`: opens as a snapshot page for anybody.
    pub(crate) force_snapshot: bool,
}

impl WebRequest {
    /// WeChat docs, "Web authorization", step 1 and its error codes.
    pub(crate) fn check(params: &Params, world: &World, rules: Rules) -> Result<Self, Refusal> {
        let appid = params.filled("appid").ok_or(Refusal::NoAppId)?;
        let redirect_uri = params.filled("redirect_uri").ok_or(Refusal::NoRedirectUri)?;
        let scope = params.filled("scope").ok_or(Refusal::NoScope)?;
        let state = params.raw("state");
        if rules.strict && state == Some("") {
            return Err(Refusal::EmptyState);
        }
        if rules.strict && !is_in_documented_order(params) {
            return Err(Refusal::ParameterOrder);
        }
        if params.raw("response_type") != Some("code") {
            return Err(Refusal::ResponseType);
        }
        let app = world.app(appid).ok_or_else(|| Refusal::AppId(appid.to_owned()))?;
        if app.kind != AppKind::OfficialAccount {
            return Err(Refusal::NotAnOfficialAccount(appid.to_owned()));
        }
        check_redirect(redirect_uri, app.redirect_domain.as_deref(), rules)
            .map_err(|problem| Refusal::RedirectUri { on_qr_page: false, problem })?;
        let scope = [Scope::Base, Scope::UserInfo]
            .into_iter()
            .find(|known| known.as_str() == scope)
            .ok_or_else(|| Refusal::Scope { on_qr_page: false, scope: scope.to_owned() })?;
        let state = state.unwrap_or_default();
        let is_state = state.len() <= 128 && state.bytes().all(|b| b.is_ascii_alphanumeric());
        if rules.strict && !is_state {
            return Err(Refusal::State);
        }
        Ok(Self {
            appid: appid.to_owned(),
            app_name: app.name.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scope,
            state: state.to_owned(),
            force_popup: params.is_true("forcePopup"),
            force_snapshot: params.is_true("forceSnapShot"),
        })
    }
}

/// WeChat's own browser. WeCom's says `MicroMessenger` too, but is another login.
pub(crate) fn is_wechat_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(|value| value.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    let agent = String::from_utf8_lossy(&agent);
    agent.contains("micromessenger/") && !agent.contains("wxwork")
}

/// Where the QR page goes. It appends to the text of `redirect_uri`, even after a fragment, where no server sees it
/// (the page's own script).
pub(crate) fn qr_callback(redirect_uri: &str, code: Option<&str>, state: &str) -> String {
    append(redirect_uri, code, state)
}

/// Where the official-account page goes.
pub(crate) fn web_callback(redirect_uri: &str, code: &str, state: &str) -> String {
    match redirect_uri.split_once('#') {
        Some((before, fragment)) => format!("{}#{fragment}", append(before, Some(code), state)),
        None => append(redirect_uri, Some(code), state),
    }
}

fn append(url: &str, code: Option<&str>, state: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let code = code.map(|code| format!("code={code}&")).unwrap_or_default();
    let state: String = byte_serialize(state.as_bytes()).collect();
    format!("{url}{separator}{code}state={state}")
}

/// The link is matched by a regular expression, so the documented parameters come first and in their order.
fn is_in_documented_order(params: &Params) -> bool {
    let is_there = |name: &&str| params.raw(name).is_some();
    let documented = ["appid", "redirect_uri", "response_type", "scope", "state"];
    let expected: Vec<_> = documented.into_iter().filter(is_there).collect();
    let mut sent = params.names();
    expected.iter().all(|name| sent.next() == Some(name)) && !sent.any(|name| documented.contains(&name))
}

fn check_redirect(uri: &str, registered: Option<&str>, rules: Rules) -> Result<(), RedirectProblem> {
    let not_a_url = || RedirectProblem::NotAUrl(uri.to_owned());
    let parsed = Url::parse(uri).map_err(|_| not_a_url())?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(not_a_url());
    }
    let host = parsed.host_str().unwrap_or_default();
    if !rules.strict {
        return Ok(());
    }
    // Parsing drops a port that is the scheme's own, and WeChat compares text.
    let (_, rest) = uri.split_once("://").ok_or_else(not_a_url)?;
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(RedirectProblem::UserInfo);
    }
    let registered = registered.unwrap_or_default();
    if !host.eq_ignore_ascii_case(registered) {
        return Err(RedirectProblem::Host { host: host.to_owned(), registered: registered.to_owned() });
    }
    let is_loopback = matches!(host, "localhost" | "127.0.0.1") || host.ends_with(".localhost");
    if authority.contains(':') && !(rules.allow_loopback_port && is_loopback) {
        return Err(RedirectProblem::Port);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Rules = Rules { strict: true, allow_loopback_port: false };

    #[test]
    fn a_redirect_goes_to_exactly_the_registered_host() {
        let check = |uri| check_redirect(uri, Some("shop.example.com"), STRICT);
        assert_eq!(check("https://shop.example.com/wxgate/callback/pc?x=1"), Ok(()));
        assert_eq!(check("http://SHOP.example.com"), Ok(()));
        for uri in [
            "https://example.com/",
            "https://a.shop.example.com/",
            "https://shop.example.com.evil.test/",
            "https://evil.test/shop.example.com",
            "https://evil.test\\@shop.example.com/",
        ] {
            assert!(matches!(check(uri), Err(RedirectProblem::Host { .. })), "{uri}: {:?}", check(uri));
        }
        assert_eq!(check("https://shop.example.com:443/"), Err(RedirectProblem::Port));
        assert_eq!(check("https://me@shop.example.com/"), Err(RedirectProblem::UserInfo));
        assert!(matches!(check("shop.example.com/callback"), Err(RedirectProblem::NotAUrl(_))));
        assert!(matches!(check("javascript:alert(1)"), Err(RedirectProblem::NotAUrl(_))));
    }

    #[test]
    fn only_loopback_may_have_a_port_and_only_when_told() {
        let told = Rules { strict: true, allow_loopback_port: true };
        for host in ["localhost", "127.0.0.1", "shop.localhost"] {
            let uri = format!("http://{host}:8080/callback");
            assert_eq!(check_redirect(&uri, Some(host), told), Ok(()));
            assert_eq!(check_redirect(&uri, Some(host), STRICT), Err(RedirectProblem::Port));
        }
        let uri = "https://shop.example.com:8443/";
        assert_eq!(check_redirect(uri, Some("shop.example.com"), told), Err(RedirectProblem::Port));
    }

    #[test]
    fn an_app_without_a_domain_redirects_nowhere() {
        assert!(matches!(check_redirect("https://a.test/", None, STRICT), Err(RedirectProblem::Host { .. })));
    }

    #[test]
    fn codes_are_appended_as_each_page_does_it() {
        assert_eq!(qr_callback("https://a.test/cb", Some("C"), "s"), "https://a.test/cb?code=C&state=s");
        assert_eq!(qr_callback("https://a.test/cb?x=1", Some("C"), "s"), "https://a.test/cb?x=1&code=C&state=s");
        assert_eq!(qr_callback("https://a.test/#/login", Some("C"), "s"), "https://a.test/#/login?code=C&state=s");
        assert_eq!(web_callback("https://a.test/#/login", "C", "s"), "https://a.test/?code=C&state=s#/login");
        assert_eq!(qr_callback("https://a.test/cb", None, "s"), "https://a.test/cb?state=s");
    }

    #[test]
    fn order_matters_only_among_the_documented_parameters_and_what_precedes_them() {
        let is_ordered = |query| is_in_documented_order(&Params::parse(query));
        assert!(is_ordered("appid=a&redirect_uri=b&response_type=code&scope=c&state=d&forcePopup=true"));
        assert!(is_ordered("appid=a&redirect_uri=b&response_type=code&scope=c"));
        assert!(!is_ordered("redirect_uri=b&appid=a&response_type=code&scope=c&state=d"));
        assert!(!is_ordered("appid=a&redirect_uri=b&response_type=code&scope=c&forcePopup=true&state=d"));
        assert!(!is_ordered("lang=en&appid=a&redirect_uri=b&response_type=code&scope=c&state=d"));
        assert!(!is_ordered("appid=a&redirect_uri=b&response_type=code&scope=c&state=d&appid=e"));
    }

    #[test]
    fn wecom_is_not_wechat() {
        let is_wechat = |agent: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, agent.parse().unwrap());
            is_wechat_browser(&headers)
        };
        assert!(is_wechat("Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.54(0x18003625) NetType/WIFI"));
        assert!(!is_wechat("Mozilla/5.0 (iPhone) wxwork/4.1.30 MicroMessenger/7.0.1 Language/zh"));
        assert!(!is_wechat("Mozilla/5.0 (X11; Linux x86_64) Chrome/132.0.0.0"));
    }
}
