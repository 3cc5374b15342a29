//! `/q/{id}` and `/sim/account`: a person in front of an official account's QR code, and in its chat.

use axum::Router;
use axum::extract::{Form, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::act_error::ActError;
use crate::open_pages::{html, phone};
use crate::params::Params;
use crate::push::Delivery;
use crate::simulator::Simulator;

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/q/{id}", get(look).post(follow)).route("/sim/account", get(chat).post(act))
}

/// Opening the address is the scan for a follower; somebody else is first shown the account, with a button.
async fn look(State(sim): State<Simulator>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let found = sim.with(|wechat| {
        let person = phone::holder(wechat, &headers).ok_or_else(|| phone::choose_page(wechat, &uri.to_string()))?;
        let now = wechat.now();
        let (_, code) = wechat.account_codes.find(&id, now).ok_or_else(expired)?;
        let is_following = wechat.followers.find(&person, &code.appid).is_some();
        if is_following {
            return Ok(person);
        }
        let name = wechat.world.app(&code.appid).map(|app| html::escape(&app.name)).unwrap_or_default();
        let body = format!(
            r#"<main class="card"><h1>{name}</h1><p class="small">公众号 · Official account</p>{who}
<form method="post" action="/q/{id}"><button class="allow">关注公众号 <small>Follow</small></button></form></main>"#,
            who = phone::who(wechat, &person, &format!("/q/{id}")),
            id = html::escape(&id),
        );
        Err(html::page("公众号", &body))
    });
    match found {
        Ok(person) => scan(&sim, &id, &person).await,
        Err(page) => page.into_response(),
    }
}

async fn follow(State(sim): State<Simulator>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match sim.with(|wechat| phone::holder(wechat, &headers)) {
        Some(person) => scan(&sim, &id, &person).await,
        None => expired().into_response(),
    }
}

async fn scan(sim: &Simulator, id: &str, person: &str) -> Response {
    let appid = sim.with(|wechat| wechat.account_codes.find(id, wechat.now()).map(|(_, code)| code.appid.clone()));
    match (appid, sim.scan_account_code(&format!("http://weixin.qq.com/q/{id}"), person).await) {
        (Some(appid), Ok(delivery)) => room(sim, &appid, person, delivery.as_ref()).into_response(),
        _ => expired().into_response(),
    }
}

async fn chat(State(sim): State<Simulator>, RawQuery(query): RawQuery, uri: Uri, headers: HeaderMap) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    match sim.with(|wechat| phone::holder(wechat, &headers).ok_or_else(|| phone::choose_page(wechat, &uri.to_string()))) {
        Ok(person) => room(&sim, params.raw("appid").unwrap_or_default(), &person, None).into_response(),
        Err(page) => page.into_response(),
    }
}

#[derive(Deserialize)]
struct Act {
    appid: String,
    act: What,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Write,
    Click,
    Follow,
    Unfollow,
}

async fn act(State(sim): State<Simulator>, headers: HeaderMap, Form(act): Form<Act>) -> Response {
    let Some(person) = sim.with(|wechat| phone::holder(wechat, &headers)) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    match act.happen(&sim, &person).await {
        Ok(delivery) => room(&sim, &act.appid, &person, delivery.as_ref()).into_response(),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    }
}

impl Act {
    async fn happen(&self, sim: &Simulator, person: &str) -> Result<Option<Delivery>, ActError> {
        match self.act {
            What::Write => sim.write(&self.appid, person, &self.text).await,
            What::Click => sim.click(&self.appid, person, &self.text).await,
            What::Follow => sim.follow(&self.appid, person).await,
            What::Unfollow => sim.unfollow(&self.appid, person).await,
        }
    }
}

/// The chat: what the server was told and has said, and what a person may do here.
fn room(sim: &Simulator, appid: &str, person: &str, delivery: Option<&Delivery>) -> Html<String> {
    let is_following = sim.is_following(appid, person);
    let button = |act: &str, class: &str, text: &str| {
        format!(
            r#"<form method="post" action="/sim/account"><input type="hidden" name="appid" value="{appid}"><button class="{class}" name="act" value="{act}">{text}</button></form>"#,
            appid = html::escape(appid)
        )
    };
    let line = |act: &str, text: &str| {
        format!(
            r#"<form method="post" action="/sim/account"><input type="hidden" name="appid" value="{appid}"><input name="text" aria-label="{text}"><button name="act" value="{act}">{text}</button></form>"#,
            appid = html::escape(appid)
        )
    };
    let doings = match is_following {
        true => [
            line("write", "发送 Send"),
            line("click", "点菜单 Tap the menu entry with this key"),
            button("unfollow", "refuse", "取消关注 Unfollow"),
        ]
        .concat(),
        false => button("follow", "allow", "关注公众号 Follow"),
    };
    sim.with(|wechat| {
        let name = wechat.world.app(appid).map(|app| html::escape(&app.name)).unwrap_or_default();
        let who = phone::who(wechat, person, &format!("/sim/account?appid={appid}"));
        html::page("公众号", &format!(r#"<main class="card"><h1>{name}</h1>{who}{}{doings}</main>"#, told(delivery)))
    })
}

/// A passive reply as the person reads it; where the server failed, WeChat's words for that.
fn told(delivery: Option<&Delivery>) -> String {
    let Some(delivery) = delivery else {
        return String::new();
    };
    let reply = delivery.reply_text().map(|text| format!("<p id=\"reply\">{}</p>", with_links(&text))).unwrap_or_default();
    let trouble = if delivery.is_accepted { "" } else { "<p id=\"trouble\">该公众号暂时无法提供服务，请稍后再试</p>" };
    let attempts = delivery.attempts.len();
    format!(
        "{reply}{trouble}<p class=\"small\">Simulator: {} was sent {attempts}× to the account's server.</p>",
        html::escape(&delivery.name)
    )
}

/// WeChat makes a link of `<a href="http…">…</a>` in a text, and shows everything else as it was written.
fn with_links(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<a href=\"") else {
        return html::escape(text);
    };
    let link = rest.split_once("\">").and_then(|(href, rest)| Some((href, rest.split_once("</a>")?)));
    match link.filter(|(href, _)| href.starts_with("http://") || href.starts_with("https://")) {
        Some((href, (label, after))) => {
            format!("{}<a href=\"{}\">{}</a>{}", html::escape(before), html::escape(href), html::escape(label), with_links(after))
        }
        None => format!("{}{}", html::escape(&format!("{before}<a href=\"")), with_links(rest)),
    }
}

fn expired() -> Html<String> {
    html::page(
        "二维码已过期",
        "<main class=\"card\"><div class=\"warn\">!</div><h1>二维码已过期</h1><p class=\"small\">This code is too old.</p></main>",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_links_and_no_other_mark_up() {
        let shown = with_links("<b>你好</b> <a href=\"https://a.test/?x=1&y=2\">登录 <i></a>, <a href=\"javascript:alert(1)\">x</a>");
        let link = "<a href=\"https://a.test/?x=1&amp;y=2\">登录 &lt;i&gt;</a>";
        assert_eq!(shown, format!("&lt;b&gt;你好&lt;/b&gt; {link}, &lt;a href=&quot;javascript:alert(1)&quot;&gt;x&lt;/a&gt;"));
        assert_eq!(with_links("<a href=\"https://a.test\">"), "&lt;a href=&quot;https://a.test&quot;&gt;");
    }
}
