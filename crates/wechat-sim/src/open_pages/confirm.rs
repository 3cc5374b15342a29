//! `connect/confirm`: what the phone shows after it has read a QR code.

use axum::extract::{Form, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http::Uri};
use serde::Deserialize;

use super::{Decision, confirm, html, phone, refuse};
use crate::params::Params;
use crate::scans::QrLogin;
use crate::simulator::{Simulator, Wechat};

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/connect/confirm", get(read).post(answer))
}

/// Opening the address is the scan: the page on the computer says so at once.
async fn read(State(sim): State<Simulator>, RawQuery(query): RawQuery, uri: Uri, headers: HeaderMap) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let uuid = params.raw("uuid").unwrap_or_default();
    sim.changing(|wechat| {
        let Some(person) = phone::holder(wechat, &headers) else {
            return phone::choose_page(wechat, &uri.to_string()).into_response();
        };
        let now = wechat.now();
        match wechat.scans.scan(uuid, &person, now) {
            Ok(login) => question(wechat, uuid, &person, &login).into_response(),
            Err(_) => expired().into_response(),
        }
    })
}

#[derive(Deserialize)]
struct Answer {
    uuid: String,
    decision: Decision,
}

async fn answer(State(sim): State<Simulator>, headers: HeaderMap, Form(answer): Form<Answer>) -> Html<String> {
    sim.changing(|wechat| {
        let Some(person) = phone::holder(wechat, &headers) else {
            return expired();
        };
        let (done, title, text) = match answer.decision {
            Decision::Allow => (confirm(wechat, &answer.uuid, &person).is_ok(), "登录成功", "请回到电脑上继续。Go back to the computer."),
            Decision::Refuse => (refuse(wechat, &answer.uuid, &person).is_ok(), "已取消登录", "您可以关闭此页面。You may close this page."),
        };
        if !done {
            return expired();
        }
        html::page(title, &format!("<main class=\"card\"><div class=\"done\">✓</div><h1>{title}</h1><p class=\"small\">{text}</p></main>"))
    })
}

fn question(wechat: &Wechat, uuid: &str, person: &str, login: &QrLogin) -> Html<String> {
    let app_name = wechat.world.app(&login.appid).map(|app| app.name.as_str()).unwrap_or_default();
    let here = format!("/connect/confirm?uuid={uuid}");
    html::page(
        "微信登录",
        &format!(
            r#"<main class="card"><h1>{app_name}</h1><p>申请使用你的微信登录网页</p>
<p class="small">A website asks to log in as you. 将返回 <b>{redirect_uri}</b></p>
{who}
<form method="post" action="/connect/confirm"><input type="hidden" name="uuid" value="{uuid}">
<button class="allow" name="decision" value="allow">允许 <small>Allow</small></button>
<button class="refuse" name="decision" value="refuse">拒绝 <small>Refuse</small></button></form></main>"#,
            app_name = html::escape(app_name),
            redirect_uri = html::escape(login.redirect_uri.split(['?', '#']).next().unwrap_or_default()),
            who = phone::who(wechat, person, &here),
            uuid = html::escape(uuid),
        ),
    )
}

fn expired() -> Html<String> {
    html::page(
        "二维码已失效",
        "<main class=\"card\"><div class=\"warn\">!</div><h1>二维码已失效</h1>\
         <p class=\"small\">请刷新电脑上的页面后重新扫描。This code has expired or was used; reload the page that shows it.</p></main>",
    )
}
