//! `/sim/account/*` and `/sim/authorization/*`: what people do that an app's server is told of. Each answers after the
//! server has, with what became of the push, or with null where there is nobody or nothing to tell.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use super::{Answer, Body, named_or_current};
use crate::push::Delivery;
use crate::simulator::Simulator;

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/sim/account/scan", post(scan))
        .route("/sim/account/follow", post(follow))
        .route("/sim/account/unfollow", post(unfollow))
        .route("/sim/account/click", post(click))
        .route("/sim/account/write", post(write))
        .route("/sim/authorization/revoke", post(revoke))
        .route("/sim/authorization/cancel", post(cancel))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    url: String,
    person: Option<String>,
}

async fn scan(State(sim): State<Simulator>, Body(scan): Body<Scan>) -> Answer<Option<Delivery>> {
    let person = named_or_current(&sim, scan.person)?;
    Ok(Json(sim.scan_account_code(&scan.url, &person).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    appid: String,
    person: Option<String>,
}

async fn follow(State(sim): State<Simulator>, Body(who): Body<Who>) -> Answer<Option<Delivery>> {
    let person = named_or_current(&sim, who.person)?;
    Ok(Json(sim.follow(&who.appid, &person).await?))
}

async fn unfollow(State(sim): State<Simulator>, Body(who): Body<Who>) -> Answer<Option<Delivery>> {
    let person = named_or_current(&sim, who.person)?;
    Ok(Json(sim.unfollow(&who.appid, &person).await?))
}

async fn cancel(State(sim): State<Simulator>, Body(who): Body<Who>) -> Answer<Option<Delivery>> {
    let person = named_or_current(&sim, who.person)?;
    Ok(Json(sim.cancel_authorization(&who.appid, &person).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Click {
    appid: String,
    person: Option<String>,
    key: String,
}

async fn click(State(sim): State<Simulator>, Body(click): Body<Click>) -> Answer<Option<Delivery>> {
    let person = named_or_current(&sim, click.person)?;
    Ok(Json(sim.click(&click.appid, &person, &click.key).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    appid: String,
    person: Option<String>,
    content: String,
}

async fn write(State(sim): State<Simulator>, Body(write): Body<Write>) -> Answer<Option<Delivery>> {
    let person = named_or_current(&sim, write.person)?;
    Ok(Json(sim.write(&write.appid, &person, &write.content).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    appid: String,
    person: Option<String>,
    /// What is taken back, as a number of WeChat's; 301 is everything of a website or an app.
    #[serde(default = "everything")]
    revoke_info: String,
}

fn everything() -> String {
    "301".to_owned()
}

async fn revoke(State(sim): State<Simulator>, Body(revoke): Body<Revoke>) -> Answer<Option<Delivery>> {
    let person = named_or_current(&sim, revoke.person)?;
    Ok(Json(sim.revoke_authorization(&revoke.appid, &person, &revoke.revoke_info).await?))
}
