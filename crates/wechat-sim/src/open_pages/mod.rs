//! `open.weixin.qq.com`: the QR page for websites, the consent page inside WeChat, and the phone that answers both.

mod confirm;
pub(crate) mod html;
mod oauth2_authorize;
pub(crate) mod phone;
mod qrconnect;
mod refusal;
mod request;

use axum::Router;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::act_error::ActError;
use crate::codes::{Grant, LONG_LIFE, SHORT_LIFE, Scope};
use crate::params::Params;
use crate::scans::ScanError;
use crate::simulator::{Simulator, Wechat};

pub(crate) use phone::routes as phone_routes;
pub use refusal::{ErrorPage, Refusal};
use request::{QrRequest, WebRequest};

pub(crate) fn routes() -> Router<Simulator> {
    Router::new().merge(qrconnect::routes()).merge(confirm::routes()).merge(oauth2_authorize::routes())
}

/// What WeChat insists on before it shows an authorize page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) strict: bool,
    pub(crate) allow_loopback_port: bool,
}

/// What a person does with the two buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// 允许
    Allow,
    /// 拒绝
    Refuse,
}

/// Where an authorize URL led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The browser goes to `redirect_uri`, normally with `code` and `state`.
    Redirect(String),
    /// The person refused, and nothing more happens: WeChat does not redirect.
    Refused,
    /// WeChat shows an error page in place of a login; the application hears nothing.
    ErrorPage(ErrorPage),
}

impl Outcome {
    /// Where the browser goes, if it goes anywhere.
    pub fn redirect(&self) -> Option<&str> {
        match self {
            Self::Redirect(url) => Some(url),
            Self::Refused | Self::ErrorPage(_) => None,
        }
    }
}

/// Opens an authorize URL and answers as `person` would. The one place that sees the fragment, which no server does.
pub(crate) fn authorize(wechat: &mut Wechat, rules: Rules, url: &str, person: &str, decision: Decision) -> Result<Outcome, ActError> {
    wechat.existing(person)?;
    let url = Url::parse(url).map_err(|_| ActError::NotAnAuthorizeUrl(url.to_owned()))?;
    let params = Params::parse(url.query().unwrap_or_default());
    match url.path() {
        "/connect/qrconnect" => Ok(match QrRequest::check(&params, &wechat.world, rules) {
            Err(refusal) => Outcome::ErrorPage(refusal.into()),
            Ok(request) => {
                let now = wechat.now();
                let uuid = wechat.scans.open(request.login, now);
                match decision {
                    Decision::Allow => Outcome::Redirect(confirm(wechat, &uuid, person)?),
                    Decision::Refuse => refuse(wechat, &uuid, person)?.map_or(Outcome::Refused, Outcome::Redirect),
                }
            }
        }),
        "/connect/oauth2/authorize" => {
            if rules.strict && url.fragment() != Some("wechat_redirect") {
                return Ok(Outcome::ErrorPage(Refusal::NoWechatRedirect.into()));
            }
            Ok(match WebRequest::check(&params, &wechat.world, rules) {
                Err(refusal) => Outcome::ErrorPage(refusal.into()),
                Ok(request) => match (visit(wechat, &request, person), decision) {
                    (Visit::Silent { is_snapshot }, _) => Outcome::Redirect(grant_web(wechat, &request, person, is_snapshot)),
                    (Visit::Ask, Decision::Allow) => Outcome::Redirect(consent(wechat, &request, person)),
                    (Visit::Ask, Decision::Refuse) => Outcome::Refused,
                },
            })
        }
        _ => Err(ActError::NotAnAuthorizeUrl(url.to_string())),
    }
}

/// The phone allows a scanned login; returns the callback to which the page goes.
pub(crate) fn confirm(wechat: &mut Wechat, uuid: &str, person: &str) -> Result<String, ScanError> {
    let now = wechat.now();
    let login = wechat.scans.scanned_by(uuid, person, now)?;
    let grant = Grant { appid: login.appid.clone(), person: person.to_owned(), scope: Scope::Login, is_snapshot: false };
    let code = wechat.codes.issue(&login.appid, grant, LONG_LIFE, now);
    wechat.scans.confirm(uuid, code.clone());
    Ok(request::qr_callback(&login.redirect_uri, Some(&code), &login.state))
}

/// The phone refuses a scanned login. WeChat redirects nobody then; older documents say that it sends `state` alone.
pub(crate) fn refuse(wechat: &mut Wechat, uuid: &str, person: &str) -> Result<Option<String>, ScanError> {
    let now = wechat.now();
    let login = wechat.scans.scanned_by(uuid, person, now)?;
    wechat.scans.cancel(uuid);
    let redirects = wechat.quirks.refusal_redirects;
    Ok(redirects.then(|| request::qr_callback(&login.redirect_uri, None, &login.state)))
}

/// Whether the official-account page asks.
enum Visit {
    Silent { is_snapshot: bool },
    Ask,
}

/// WeChat docs, "Web authorization": base is silent, userinfo asks unless the consent is recent; a snapshot page never
/// asks, and gives a virtual identity.
fn visit(wechat: &Wechat, request: &WebRequest, person: &str) -> Visit {
    let sees_snapshots = wechat.world.person(person).is_some_and(|person| person.snapshot);
    if request.force_snapshot || sees_snapshots {
        return Visit::Silent { is_snapshot: true };
    }
    let has_consented = wechat.world.has_consented(person, &request.appid, wechat.now());
    if request.scope == Scope::Base || (has_consented && !request.force_popup) {
        return Visit::Silent { is_snapshot: false };
    }
    Visit::Ask
}

fn consent(wechat: &mut Wechat, request: &WebRequest, person: &str) -> String {
    let now = wechat.now();
    wechat.world.record_consent(person, &request.appid, now);
    grant_web(wechat, request, person, false)
}

fn grant_web(wechat: &mut Wechat, request: &WebRequest, person: &str, is_snapshot: bool) -> String {
    let now = wechat.now();
    let grant = Grant { appid: request.appid.clone(), person: person.to_owned(), scope: request.scope, is_snapshot };
    let code = wechat.codes.issue(&request.appid, grant, SHORT_LIFE, now);
    request::web_callback(&request.redirect_uri, &code, &request.state)
}
