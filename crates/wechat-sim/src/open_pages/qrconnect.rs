//! `connect/qrconnect`: the page with the QR code, the image, and the long poll that tells the page what the phone did.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::time::{Instant, timeout_at};

use super::html;
use super::request::QrRequest;
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

/// The ids and texts are those of WeChat's page; the link at the end is ours, for people without a phone at hand.
fn page(request: &QrRequest, uuid: &str, refusal_redirects: bool) -> Html<String> {
    let QrRequest { login, app_name, self_redirect } = request;
    let [redirect_uri, state, app_name, self_redirect] =
        [&login.redirect_uri, &login.state, app_name, self_redirect].map(|text| html::escape(text));
    html::page(
        "微信登录",
        &format!(
            r#"<main class="card" id="wx" data-uuid="{uuid}" data-redirect-uri="{redirect_uri}" data-state="{state}" data-self-redirect="{self_redirect}" data-refusal-redirects="{refusal_redirects}">
<h1>微信登录</h1>
<img class="js_qrcode_img web_qrcode_img qrcode" src="/connect/qrcode/{uuid}" alt="QR code">
<div id="wx_default_tip"><p>请使用微信扫描二维码登录</p><p>“{app_name}”</p></div>
<div id="wx_after_scan" hidden><p>扫描成功</p><p>请在微信中点击确认即可登录</p></div>
<div id="wx_after_cancel" hidden><p>您已取消此次登录</p><p>您可再次扫描登录，或关闭窗口</p></div>
<p class="small"><a id="sim_phone" href="/connect/confirm?uuid={uuid}" target="_blank" rel="noopener">Simulator: open the phone page in a new tab</a></p>
</main>
<script>{SCRIPT}</script>"#
        ),
    )
}

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
