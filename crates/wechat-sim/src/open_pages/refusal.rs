//! The error pages: HTML with HTTP 200, shown to the person, while the application hears nothing.

use axum::response::Html;
use serde::Serialize;

use super::html;

/// Why WeChat shows an error page in place of a login (WeChat docs, "Web authorization", table of error codes; the QR
/// page has texts without codes).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 10003, or on the QR page a text: not exactly the registered host.
    #[error("redirect_uri: {problem}")]
    RedirectUri {
        /// The QR page has no number for it.
        on_qr_page: bool,
        /// What is wrong with it.
        problem: RedirectProblem,
    },
    /// 10005, or on the QR page a text: the app has no such scope.
    #[error("scope {scope:?} is not one of this page")]
    Scope {
        /// The QR page has no number for it.
        on_qr_page: bool,
        /// As it was sent.
        scope: String,
    },
    /// 10010.
    #[error("scope is missing or empty")]
    NoScope,
    /// 10011.
    #[error("redirect_uri is missing or empty")]
    NoRedirectUri,
    /// 10012.
    #[error("appid is missing or empty")]
    NoAppId,
    /// 10013: `state=` with nothing after it. Without any `state` the page opens.
    #[error("state is there but empty; leave it out or fill it")]
    EmptyState,
    /// 10016.
    #[error("{0} is not an official account's appid")]
    NotAnOfficialAccount(String),
    /// No app of this id, or none for this page.
    #[error("{0:?} is not an appid that this page accepts")]
    AppId(String),
    /// Over 128 bytes, or outside a-zA-Z0-9.
    #[error("state must be at most 128 of a-zA-Z0-9")]
    State,
    /// WeChat matches the link of the official-account page with a regular expression.
    #[error("the order must be appid, redirect_uri, response_type, scope, state, then anything else")]
    ParameterOrder,
    /// Anything but `code`.
    #[error("response_type must be code")]
    ResponseType,
    /// The link of the official-account page must end in `#wechat_redirect`; only the client can see it.
    #[error("the link must end in #wechat_redirect")]
    NoWechatRedirect,
    /// The official-account page opens only inside WeChat.
    #[error("the User-Agent is not WeChat's own browser (MicroMessenger, not wxwork)")]
    NotInWechat,
}

impl Refusal {
    /// The number that the page shows, where it has one.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::RedirectUri { on_qr_page: false, .. } => Some(10003),
            Self::Scope { on_qr_page: false, .. } => Some(10005),
            Self::NoScope => Some(10010),
            Self::NoRedirectUri => Some(10011),
            Self::NoAppId => Some(10012),
            Self::EmptyState => Some(10013),
            Self::NotAnOfficialAccount(_) => Some(10016),
            _ => None,
        }
    }

    /// What the page says to the person.
    pub fn text(&self) -> &'static str {
        match self {
            Self::RedirectUri { on_qr_page: true, .. } => "redirect_uri 参数错误",
            Self::RedirectUri { on_qr_page: false, .. } => "redirect_uri域名与后台配置不一致",
            Self::Scope { on_qr_page: true, .. } => "Scope 参数错误或没有 Scope 权限",
            Self::Scope { on_qr_page: false, .. } => "此公众号并没有这些scope的权限",
            Self::NoScope => "scope不能为空",
            Self::NoRedirectUri => "redirect_uri不能为空",
            Self::NoAppId => "appid不能为空",
            Self::EmptyState => "state不能为空",
            Self::NotAnOfficialAccount(_) => "不支持微信开放平台的Appid，请使用公众号Appid",
            Self::AppId(_) => "AppID 参数错误",
            Self::State => "state 参数错误",
            Self::ParameterOrder | Self::ResponseType | Self::NoWechatRedirect => "该链接无法访问",
            Self::NotInWechat => "请在微信客户端打开链接",
        }
    }

    pub(super) fn page(&self) -> Html<String> {
        let code = self.code().map(|code| format!("<p class=\"code\">错误码:{code}</p>")).unwrap_or_default();
        let body = format!(
            "<main class=\"card\"><div class=\"warn\">!</div><h1>{}</h1>{code}<p class=\"small\">Simulator: {}</p></main>",
            html::escape(self.text()),
            html::escape(&self.to_string()),
        );
        html::page("错误", &body)
    }
}

/// What is wrong with a `redirect_uri`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// Not an absolute http or https URL.
    #[error("{0:?} is not an http or https URL")]
    NotAUrl(String),
    /// The host must be the registered domain, not a subdomain or a parent.
    #[error("host {host:?} is not the registered domain {registered:?}")]
    Host {
        /// As it was sent.
        host: String,
        /// What the console says, empty where nothing is registered.
        registered: String,
    },
    /// Ports are never accepted, the scheme's own included.
    #[error("it has a port, which WeChat never accepts")]
    Port,
    /// `user@host`.
    #[error("it has a user name")]
    UserInfo,
}

/// What a person would have read, and what a developer needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorPage {
    /// 10003 to 10016, where WeChat has a number for it.
    pub code: Option<u32>,
    /// In WeChat's words.
    pub text: String,
    /// In ours.
    pub reason: String,
}

impl From<Refusal> for ErrorPage {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code(), text: refusal.text().to_owned(), reason: refusal.to_string() }
    }
}
