//! `connect/qrconnect`: the page with the QR code, the image, and the long poll that tells the page what the phone did.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::time::{Instant, timeout_at};

use super::html;
use super::request::{Look, QrRequest};
use crate::params::Params;
use crate::qr_image;
use crate::scans::Status;
use crate::simulator::Simulator;

const SCRIPT: &str = include_str!("qrconnect.js");

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/connect/qrconnect", get(show))
        .route("/connect/qrcode/{uuid}", get(image))
        .route("/connect/l/qrconnect", get(poll))
}

async fn show(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Html<String> {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let rules = sim.rules();
    sim.with(|wechat| match QrRequest::check(&params, &wechat.world, rules) {
        Err(refusal) => refusal.page(),
        Ok(request) => {
            let now = wechat.now();
            let uuid = wechat.scans.open(request.login.clone(), now);
            page(&request, &uuid, wechat.quirks.refusal_redirects)
        }
    })
}

/// The ids and texts are those of WeChat's page, but for the English ones, which nobody has recorded; the link at the end
/// is ours, for people without a phone at hand. In a frame it has no place, and the frame may not open windows.
fn page(request: &QrRequest, uuid: &str, refusal_redirects: bool) -> Html<String> {
    let QrRequest { login, app_name, self_redirect, look } = request;
    let [redirect_uri, state, app_name, self_redirect] =
        [&login.redirect_uri, &login.state, app_name, self_redirect].map(|text| html::escape(text));
    let Texts { title, tip, scanned, tap, cancelled, again } = if look.is_english { &ENGLISH } else { &CHINESE };
    let phone = format!(
        r#"<p class="small"><a id="sim_phone" href="/connect/confirm?uuid={uuid}" target="_blank" rel="noopener">Simulator: open the phone page in a new tab</a></p>"#
    );
    let phone = if look.is_embedded { String::new() } else { phone };
    let sheet = look.sheet.as_deref().map(|href| format!(r#"<link rel="stylesheet" href="{}">"#, html::escape(href))).unwrap_or_default();
    html::page(
        title,
        &format!(
            r#"{sheet}<main class="{class}" id="wx" data-uuid="{uuid}" data-redirect-uri="{redirect_uri}" data-state="{state}" data-self-redirect="{self_redirect}" data-refusal-redirects="{refusal_redirects}">
<h1>{title}</h1>
<img class="js_qrcode_img web_qrcode_img qrcode" src="/connect/qrcode/{uuid}" alt="QR code">
<div id="wx_default_tip"><p>{tip}</p><p class="app">“{app_name}”</p></div>
<div id="wx_after_scan" hidden><p>{scanned}</p><p>{tap}</p></div>
<div id="wx_after_cancel" hidden><p>{cancelled}</p><p>{again}</p></div>
{phone}
</main>
<script>{SCRIPT}</script>"#,
            class = class(look),
        ),
    )
}

/// A frame gives the page its ground and its size.
fn class(look: &Look) -> &'static str {
    match look {
        Look { is_lite: true, .. } => "framed lite",
        Look { is_embedded: true, is_white: true, .. } => "framed white",
        Look { is_embedded: true, .. } => "framed",
        Look { .. } => "card",
    }
}

struct Texts {
    title: &'static str,
    tip: &'static str,
    scanned: &'static str,
    tap: &'static str,
    cancelled: &'static str,
    again: &'static str,
}

const CHINESE: Texts = Texts {
    title: "微信登录",
    tip: "请使用微信扫描二维码登录",
    scanned: "扫描成功",
    tap: "请在微信中点击确认即可登录",
    cancelled: "您已取消此次登录",
    again: "您可再次扫描登录，或关闭窗口",
};

const ENGLISH: Texts = Texts {
    title: "WeChat Login",
    tip: "Scan the QR code with WeChat to log in",
    scanned: "Scanned",
    tap: "Tap Confirm in WeChat to log in",
    cancelled: "You have cancelled this login",
    again: "Scan again to log in, or close the window",
};

async fn image(State(sim): State<Simulator>, Path(uuid): Path<String>, headers: HeaderMap) -> Response {
    let is_gone = sim.with(|wechat| wechat.scans.status(&uuid, wechat.now()) == Status::Expired);
    if is_gone {
        return StatusCode::NOT_FOUND.into_response();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let origin = sim.public_origin().map_or_else(|| format!("http://{host}"), str::to_owned);
    match qr_image::jpeg(&format!("{origin}/connect/confirm?uuid={uuid}"), 430) {
        Ok(jpeg) => ([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Answers at once with news, else after the hold with 408. `last` is what the page knows already, so that it is not
/// told twice (the page's own script).
async fn poll(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let uuid = params.raw("uuid").unwrap_or_default();
    let last = params.raw("last").unwrap_or_default();
    let deadline = Instant::now() + sim.hold();
    let mut changes = sim.changes();
    loop {
        changes.borrow_and_update();
        let (errcode, code) = match sim.with(|wechat| wechat.scans.status(uuid, wechat.now())) {
            Status::Waiting => ("408", String::new()),
            Status::Scanned { .. } => ("404", String::new()),
            Status::Confirmed { code } => ("405", code),
            Status::Cancelled => ("403", String::new()),
            Status::Expired => ("402", String::new()),
        };
        if errcode != "408" && errcode != last {
            return script(errcode, &code);
        }
        let has_news = timeout_at(deadline, changes.changed()).await.is_ok();
        if !has_news || sim.is_closing() {
            return script("408", "");
        }
    }
}

fn script(errcode: &str, code: &str) -> Response {
    let body = format!("window.wx_errcode={errcode};window.wx_code='{code}';");
    ([(CONTENT_TYPE, "text/javascript")], body).into_response()
}
