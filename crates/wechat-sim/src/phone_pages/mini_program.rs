//! `/sim/mini-program`: a mini program on the phone. What it does is its own `program`, run by `mini_program.js` with as
//! much of `wx` as logins need; without one, a person plays the developer and sees what `wx` would give.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Method;
use reqwest::header::{HOST, HeaderName, HeaderValue, REFERER, USER_AGENT};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::mini_program::{EnvVersion, Target, Visit};
use crate::open_pages::{html, phone};
use crate::simulator::{Simulator, Wechat};
use crate::world;

const RUNTIME: &str = include_str!("mini_program.js");
/// Of WeChat's own client, when a mini program makes a request.
const AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.54(0x18003625) NetType/WIFI Language/zh_CN";

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/sim/mini-program", get(open))
        .route("/sim/mini-program/show/{id}", get(show))
        .route("/sim/mini-program/visits/{id}/request", post(request))
}

/// The address of a target on this phone.
pub(super) fn address_here(target: &Target) -> String {
    target.address("")
}

/// Opening the address is the scan.
async fn open(State(sim): State<Simulator>, RawQuery(query): RawQuery, uri: Uri, headers: HeaderMap) -> Response {
    sim.with(|wechat| {
        let Some(person) = phone::holder(wechat, &headers) else {
            return phone::choose_page(wechat, &uri.to_string()).into_response();
        };
        let visit = Target::from_query(query.as_deref().unwrap_or_default()).map(|target| wechat.open_by_code(&person, target));
        match visit {
            Some(Ok(visit)) => page(wechat, &visit).into_response(),
            _ => nothing().into_response(),
        }
    })
}

/// A visit that began elsewhere: an app has opened the mini program.
async fn show(State(sim): State<Simulator>, Path(visit): Path<String>) -> Response {
    sim.with(|wechat| match wechat.mini_programs.visit(&visit).cloned() {
        Some(visit) => page(wechat, &visit).into_response(),
        None => nothing().into_response(),
    })
}

/// What the script is told, as a data island.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Opened<'a> {
    visit: &'a Visit,
    original_id: String,
    program: Option<&'a str>,
    wxml: Option<&'a str>,
}

fn page(wechat: &Wechat, visit: &Visit) -> Html<String> {
    let Target { appid, page, query, env_version } = &visit.target;
    let app = wechat.world.app(appid);
    let program = app.and_then(|app| app.program.as_deref());
    let wxml = app.and_then(|app| app.wxml.as_deref());
    let opened = Opened { visit, original_id: world::original_id(appid), program, wxml };
    // `<` cannot end the island early.
    let island = serde_json::to_string(&opened).unwrap_or_default().replace('<', "\\u003c");
    html::page(
        "小程序",
        &format!(
            r#"<main class="card" id="mini_program"><h1>{name}</h1>
<p class="small">{page} · {env_version} · <span id="query">{query}</span></p>{who}
<dl id="data"></dl><div id="buttons"></div><div id="sheet" hidden></div><p id="toast" role="status"></p>
</main>
<script type="application/json" id="opened">{island}</script>
<script>{RUNTIME}</script>"#,
            name = html::escape(app.map_or("", |app| &app.name)),
            page = html::escape(page),
            env_version = env_version.as_str(),
            query = html::escape(query),
            who = phone::who(wechat, &visit.person, &visit.target.address("")),
        ),
    )
}

fn nothing() -> Html<String> {
    html::page(
        "页面不存在",
        "<main class=\"card\"><div class=\"warn\">!</div><h1>页面不存在</h1><p class=\"small\">The mini program has no such page.</p></main>",
    )
}

/// `wx.request`, which a phone makes itself: no cookies, no CORS, and a `Referer` that names the mini program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WxRequest {
    url: String,
    #[serde(default = "get_method")]
    method: String,
    #[serde(default)]
    header: BTreeMap<String, String>,
    #[serde(default)]
    data: String,
}

fn get_method() -> String {
    "GET".to_owned()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WxResponse {
    status_code: u16,
    header: BTreeMap<String, String>,
    data: String,
}

async fn request(State(sim): State<Simulator>, Path(visit): Path<String>, Json(asked): Json<WxRequest>) -> Response {
    let Some(visit) = sim.visit(&visit) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match asked.send(&sim, &visit).await {
        Ok(response) => Json(response).into_response(),
        Err(why) => (StatusCode::BAD_GATEWAY, why).into_response(),
    }
}

impl WxRequest {
    async fn send(self, sim: &Simulator, visit: &Visit) -> Result<WxResponse, String> {
        let version = if visit.target.env_version == EnvVersion::Release { 1 } else { 0 };
        let referer = format!("https://servicewechat.com/{}/{version}/page-frame.html", visit.target.appid);
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().map_err(|error| error.to_string())?;
        let mut url = Url::parse(&self.url).map_err(|error| error.to_string())?;
        let host = sim.divert(&mut url)?;
        let mut request = client.request(method, url).body(self.data);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        for (name, value) in self.header {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
            request = request.header(name, value);
        }
        let response = request.header(USER_AGENT, AGENT).header(REFERER, referer).send().await.map_err(|error| error.to_string())?;
        let status_code = response.status().as_u16();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let header = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let data = response.text().await.map_err(|error| error.to_string())?;
        Ok(WxResponse { status_code, header, data })
    }
}
