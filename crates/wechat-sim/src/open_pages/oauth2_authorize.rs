//! `connect/oauth2/authorize`: login inside WeChat's own browser.

use axum::Router;
use axum::extract::{Form, RawQuery, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::refusal::Refusal;
use super::request::{WebRequest, is_wechat_browser};
use super::{Decision, Visit, consent, grant_web, html, phone, visit};
use crate::params::Params;
use crate::simulator::{Simulator, Wechat};

const PATH: &str = "/connect/oauth2/authorize";

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route(PATH, get(open).post(answer))
}

async fn open(State(sim): State<Simulator>, RawQuery(query): RawQuery, uri: Uri, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    sim.with(|wechat| {
        let request = match check(&sim, wechat, &query, &headers) {
            Ok(request) => request,
            Err(refusal) => return refusal.page().into_response(),
        };
        let Some(person) = phone::holder(wechat, &headers) else {
            return phone::choose_page(wechat, &uri.to_string()).into_response();
        };
        match visit(wechat, &request, &person) {
            Visit::Silent { is_snapshot } => redirect(StatusCode::FOUND, grant_web(wechat, &request, &person, is_snapshot)),
            Visit::Ask => question(wechat, &request, &person, &query).into_response(),
        }
    })
}

#[derive(Deserialize)]
struct Answer {
    decision: Decision,
}

/// The two buttons. Refusing closes the page, and the application hears nothing.
async fn answer(State(sim): State<Simulator>, RawQuery(query): RawQuery, headers: HeaderMap, Form(answer): Form<Answer>) -> Response {
    let query = query.unwrap_or_default();
    sim.with(|wechat| {
        let request = match check(&sim, wechat, &query, &headers) {
            Ok(request) => request,
            Err(refusal) => return refusal.page().into_response(),
        };
        let Some(person) = phone::holder(wechat, &headers) else {
            return phone::choose_page(wechat, &format!("{PATH}?{query}")).into_response();
        };
        match answer.decision {
            Decision::Allow => redirect(StatusCode::SEE_OTHER, consent(wechat, &request, &person)),
            Decision::Refuse => refused().into_response(),
        }
    })
}

fn check(sim: &Simulator, wechat: &Wechat, query: &str, headers: &HeaderMap) -> Result<WebRequest, Refusal> {
    let rules = sim.rules();
    if rules.strict && !is_wechat_browser(headers) {
        return Err(Refusal::NotInWechat);
    }
    WebRequest::check(&Params::parse(query), &wechat.world, rules)
}

fn redirect(status: StatusCode, url: String) -> Response {
    (status, [(LOCATION, url)]).into_response()
}

fn question(wechat: &Wechat, request: &WebRequest, person: &str, query: &str) -> Html<String> {
    let here = format!("{PATH}?{query}");
    html::page(
        "微信授权",
        &format!(
            r#"<main class="card"><h1>{app_name}</h1><p>申请获取并使用你的昵称、头像</p>
<p class="small">This account asks for your nickname and picture. 将返回 <b>{redirect_uri}</b></p>
{who}
<form method="post" action="{here}">
<button class="allow" name="decision" value="allow">允许 <small>Allow</small></button>
<button class="refuse" name="decision" value="refuse">拒绝 <small>Refuse</small></button></form></main>"#,
            app_name = html::escape(&request.app_name),
            redirect_uri = html::escape(request.redirect_uri.split(['?', '#']).next().unwrap_or_default()),
            who = phone::who(wechat, person, &here),
            here = html::escape(&here),
        ),
    )
}

fn refused() -> Html<String> {
    html::page(
        "已拒绝",
        "<main class=\"card\"><h1>已拒绝</h1><p class=\"small\">微信会关闭此页面，不会通知应用。\
         WeChat closes the page here and tells the application nothing.</p></main>",
    )
}
