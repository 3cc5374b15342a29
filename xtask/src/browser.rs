//! As much of a browser as a login needs: it keeps cookies, and follows no redirect by itself.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

/// One person's browser, for one site.
pub(crate) struct Browser {
    agent: ureq::Agent,
    /// What it calls itself, if anything.
    user_agent: Option<&'static str>,
    cookies: BTreeMap<String, String>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    /// What bench's application got of the identity header.
    pub(crate) identity: Option<String>,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(Duration::from_secs(30)));
        Self { agent: config.build().into(), user_agent: None, cookies: BTreeMap::new() }
    }

    /// WeChat's own browser.
    pub(crate) fn in_wechat() -> Self {
        const AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.54(0x18003625)";
        Self { user_agent: Some(AGENT), ..Self::new() }
    }

    /// Opens a page, as when a person types its address or follows a link.
    pub(crate) fn open(&mut self, url: &str) -> Result<Answer> {
        self.send(url, &[("accept", "text/html,application/xhtml+xml"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")])
    }

    /// Asks for data, as a script of a page does.
    pub(crate) fn fetch(&mut self, url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let own = [("accept", "application/json"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
        self.send(url, &own.iter().chain(headers).copied().collect::<Vec<_>>())
    }

    /// Asks once, with nothing.
    pub(crate) fn get(&mut self, url: &str) -> Result<Answer> {
        self.send(url, &[])
    }

    /// Sends a form from a page of this origin.
    pub(crate) fn submit(&mut self, url: &str, origin: &str, form: &str) -> Result<Answer> {
        let headers = [
            ("accept", "text/html,application/xhtml+xml"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", origin),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        self.request("POST", url, &headers, form)
    }

    /// Sends JSON, as a script of a page of this origin does.
    pub(crate) fn post(&mut self, url: &str, origin: &str, body: &Value) -> Result<Answer> {
        let headers = [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("origin", origin),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
        ];
        self.request("POST", url, &headers, &body.to_string())
    }

    /// Sends JSON, as an app does, that is no browser; `token` goes into `Authorization`.
    pub(crate) fn call(&mut self, method: &str, url: &str, token: Option<&str>, body: &str) -> Result<Answer> {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("accept", "application/json"), ("content-type", "application/json")];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        self.request(method, url, &headers, body)
    }

    /// Asks with exactly these headers and the cookies.
    pub(crate) fn send(&mut self, url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        self.request("GET", url, headers, "")
    }

    fn request(&mut self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
        // A browser needs no name service for localhost, and neither does this one.
        let (address, host) = match url.strip_prefix("http://localhost:").and_then(|rest| rest.split_once('/')) {
            Some((port, path)) => (format!("http://127.0.0.1:{port}/{path}"), Some(format!("localhost:{port}"))),
            None => (url.to_owned(), None),
        };
        let mut request = ureq::http::Request::builder().method(method).uri(address);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(agent) = self.user_agent {
            request = request.header("user-agent", agent);
        }
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookie_header());
        }
        let request = request.body(body.to_owned())?;
        let mut response = self.agent.run(request).with_context(|| format!("{method} {url}"))?;
        for cookie in response.headers().get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap_or_default());
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (location, identity) = (header("location"), header("x-got-identity"));
        // A picture is no text.
        let bytes = response.body_mut().read_to_vec().with_context(|| format!("the answer to {method} {url}"))?;
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer { status: response.status().as_u16(), location, identity, body })
    }

    /// The cookies, as they are sent.
    pub(crate) fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        if parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// Sends JSON, and reads JSON.
pub(crate) fn post_json(url: &str, body: &Value) -> Result<Value> {
    send_json("POST", url, None, body)
}

/// Sends JSON with a bearer token, if there is one, and reads JSON.
pub(crate) fn send_json(method: &str, url: &str, token: Option<&str>, body: &Value) -> Result<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(url).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let sent = agent.run(request.body(body.to_string())?);
    let answer = sent.with_context(|| format!("{method} {url}"))?.body_mut().read_to_string()?;
    serde_json::from_str(&answer).with_context(|| format!("{method} {url} answered {answer}"))
}
