//! `/sim/camera`: everything on some screen that could be scanned, and a place to paste what a code says.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use url::Url;

use super::mini_program::address_here;
use crate::open_pages::{html, phone};
use crate::params::Params;
use crate::simulator::{Simulator, Wechat};

const PATH: &str = "/sim/camera";

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route(PATH, get(show))
}

async fn show(State(sim): State<Simulator>, RawQuery(query): RawQuery, uri: Uri, headers: HeaderMap) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    sim.with(|wechat| {
        let Some(person) = phone::holder(wechat, &headers) else {
            return phone::choose_page(wechat, &uri.to_string()).into_response();
        };
        match params.filled("text").map(|text| page_of(wechat, text)) {
            Some(Some(there)) => (StatusCode::SEE_OTHER, [(LOCATION, there)]).into_response(),
            Some(None) => {
                viewfinder(wechat, &person, "<p>这不是微信认识的码。WeChat knows no such code, or not any more.</p>").into_response()
            }
            None => viewfinder(wechat, &person, "").into_response(),
        }
    })
}

/// The page of this phone that a code, a ticket or a link leads to.
fn page_of(wechat: &Wechat, text: &str) -> Option<String> {
    let now = wechat.now();
    if let Some(target) = wechat.mini_programs.find_link(text, now) {
        return Some(address_here(target));
    }
    if let Some(id) = wechat.account_codes.id_of_ticket(text, now) {
        return Some(format!("/q/{id}"));
    }
    let url = Url::parse(text).ok()?;
    let id = url.path().strip_prefix("/q/");
    let is_ours =
        matches!(url.path(), "/connect/confirm" | "/sim/mini-program") || id.is_some_and(|id| wechat.account_codes.find(id, now).is_some());
    is_ours.then(|| url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}

fn viewfinder(wechat: &Wechat, person: &str, problem: &str) -> Html<String> {
    let name_of = |appid: &str| html::escape(wechat.world.app(appid).map_or(appid, |app| &app.name));
    let programs = wechat.mini_programs.recent_codes().map(|target| {
        let scene = html::escape(&target.scene().unwrap_or_default());
        format!(
            "<li><a href=\"{}\">{} <small>{} · {scene}</small></a></li>",
            html::escape(&address_here(target)),
            name_of(&target.appid),
            target.page
        )
    });
    let accounts = wechat.account_codes.good(wechat.now());
    let accounts = accounts.map(|(id, code)| {
        let key = html::escape(&code.scene.key());
        format!("<li><a href=\"/q/{id}\">{} <small>{key}</small></a></li>", name_of(&code.appid))
    });
    let logins = wechat.scans.waiting(wechat.now());
    let logins = logins
        .map(|(uuid, appid)| format!("<li><a href=\"/connect/confirm?uuid={uuid}\">{} <small>{uuid}</small></a></li>", name_of(appid)));
    let codes: String = programs.chain(accounts).chain(logins).collect();
    html::page(
        "扫一扫",
        &format!(
            r#"<main class="card"><h1>扫一扫 <small>Scan</small></h1>{who}{problem}
<form method="get" action="{PATH}"><label>码里的文字 <small>What the code says</small><input name="text" autocomplete="off"></label>
<button class="allow">打开 <small>Open</small></button></form>
<h2>屏幕上的码 <small>Codes on screens</small></h2><ul id="codes">{codes}</ul></main>"#,
            who = phone::who(wechat, person, PATH),
        ),
    )
}
