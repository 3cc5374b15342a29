//! Who holds the phone: a cookie of this browser, else the person that the control API has set.

use axum::Router;
use axum::extract::{Form, RawQuery, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use super::html;
use crate::params::Params;
use crate::simulator::{Simulator, Wechat};

const COOKIE_NAME: &str = "sim_person";
const PATH: &str = "/sim/phone";

pub(crate) fn routes() -> Router<Simulator> {
    Router::new().route(PATH, get(show).post(choose))
}

/// The person in whose name this browser is WeChat.
pub(crate) fn holder(wechat: &Wechat, headers: &HeaderMap) -> Option<String> {
    let chosen = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, person)| person)
        .filter(|person| wechat.world.person(person).is_some());
    chosen.or(wechat.world.current_person()).map(str::to_owned)
}

/// Asks whose phone this is, and goes on to `return_to` afterwards.
pub(crate) fn choose_page(wechat: &Wechat, return_to: &str) -> Html<String> {
    let people: String = wechat.world.people().iter().map(|(name, person)| {
        format!(
            r#"<button class="person" name="person" value="{name}">{avatar}<span>{nickname}{snapshot}<br><small class="small">{name}</small></span></button>"#,
            avatar = html::avatar(&person.nickname),
            nickname = html::escape(&person.nickname),
            snapshot = if person.snapshot { " · 快照页" } else { "" },
        )
    }).collect();
    let nobody = if people.is_empty() { "<p>还没有任何人。Nobody exists yet: PUT /sim/people/{name}.</p>" } else { "" };
    html::page(
        "选择用户",
        &format!(
            r#"<main class="card"><h1>这是谁的手机？</h1><p class="small">Simulator: whose phone is this? The browser remembers.</p>{nobody}
<form method="post" action="{PATH}"><input type="hidden" name="return_to" value="{return_to}">{people}</form></main>"#,
            return_to = html::escape(return_to),
        ),
    )
}

/// The line on a page that says who is asked, with a link to be somebody else.
pub(crate) fn who(wechat: &Wechat, person: &str, here: &str) -> String {
    let nickname = wechat.world.person(person).map(|person| person.nickname.as_str()).unwrap_or_default();
    let return_to: String = byte_serialize(here.as_bytes()).collect();
    format!(
        r#"<div class="who">{avatar}<span>{nickname}<br><a class="small" href="{PATH}?return_to={return_to}">换一个人 <small>be somebody else</small></a></span></div>"#,
        avatar = html::avatar(nickname),
        nickname = html::escape(nickname),
    )
}

async fn show(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Html<String> {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    sim.with(|wechat| choose_page(wechat, params.filled("return_to").unwrap_or(PATH)))
}

#[derive(Deserialize)]
struct Choice {
    person: String,
    return_to: String,
}

async fn choose(State(sim): State<Simulator>, Form(choice): Form<Choice>) -> Response {
    let is_known = sim.with(|wechat| wechat.world.person(&choice.person).is_some());
    let stays_here = ["/connect/", "/sim/", "/q/"].iter().any(|ours| choice.return_to.starts_with(ours));
    if !is_known || !stays_here {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000", choice.person);
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, choice.return_to)]).into_response()
}
