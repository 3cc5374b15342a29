//! `/sim/app/*`: a mobile app with WeChat's SDK in it.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use super::{Answer, Body, named_or_current};
use crate::mini_program::{AppLaunch, Visit};
use crate::mobile_app::{SdkAnswer, SendAuth, SendAuthAnswer};
use crate::simulator::Simulator;

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/sim/app/send-auth", post(send_auth)).route("/sim/app/launch-mini-program", post(launch))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    appid: String,
    person: Option<String>,
    request: SendAuth,
    #[serde(default)]
    answer: SdkAnswer,
}

async fn send_auth(State(sim): State<Simulator>, Body(auth): Body<Auth>) -> Answer<SendAuthAnswer> {
    let person = named_or_current(&sim, auth.person)?;
    Ok(Json(sim.send_auth(&auth.appid, &auth.request, &person, auth.answer)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Launch {
    appid: String,
    person: Option<String>,
    request: AppLaunch,
}

async fn launch(State(sim): State<Simulator>, Body(launch): Body<Launch>) -> Answer<Visit> {
    let person = named_or_current(&sim, launch.person)?;
    Ok(Json(sim.launch_mini_program(&launch.appid, &launch.request, &person)?))
}
