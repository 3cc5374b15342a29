//! `/sim/mini-program/*`: what opens a mini program, and what `wx.*` answers in it.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::{Answer, Body, named_or_current};
use crate::act_error::ActError;
use crate::mini_program::{OpenData, PhoneNumberAnswer, Target, Visit};
use crate::simulator::Simulator;

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/sim/mini-program/codes", get(codes))
        .route("/sim/mini-program/open", post(open))
        .route("/sim/mini-program/login", post(login))
        .route("/sim/mini-program/phone-number", post(phone_number))
        .route("/sim/mini-program/user-info", post(user_info))
        .route("/sim/mini-program/seal", post(seal))
        .route("/sim/mini-program/visits/{id}", get(visit))
        .route("/sim/mini-program/visits/{id}/launch-app", post(launch_app))
}

/// A code on some screen, with its scene decoded.
#[derive(Serialize)]
struct Code {
    scene: Option<String>,
    #[serde(flatten)]
    target: Target,
}

async fn codes(State(sim): State<Simulator>) -> Json<Vec<Code>> {
    let codes = sim.mini_program_codes().into_iter();
    Json(codes.map(|target| Code { scene: target.scene(), target }).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    url: String,
    person: Option<String>,
}

async fn open(State(sim): State<Simulator>, Body(open): Body<Open>) -> Answer<Visit> {
    let person = named_or_current(&sim, open.person)?;
    Ok(Json(sim.open_mini_program(&open.url, &person)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    appid: String,
    person: Option<String>,
}

#[derive(Serialize)]
struct LoginCode {
    code: String,
}

async fn login(State(sim): State<Simulator>, Body(who): Body<Who>) -> Answer<LoginCode> {
    let person = named_or_current(&sim, who.person)?;
    Ok(Json(LoginCode { code: sim.wx_login(&who.appid, &person)? }))
}

async fn user_info(State(sim): State<Simulator>, Body(who): Body<Who>) -> Answer<Option<OpenData>> {
    let person = named_or_current(&sim, who.person)?;
    Ok(Json(sim.user_info(&who.appid, &person)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    appid: String,
    person: Option<String>,
    plaintext: String,
}

async fn seal(State(sim): State<Simulator>, Body(seal): Body<Seal>) -> Answer<Option<OpenData>> {
    let person = named_or_current(&sim, seal.person)?;
    Ok(Json(sim.seal_open_data(&seal.appid, &person, &seal.plaintext)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Button {
    appid: String,
    person: Option<String>,
    #[serde(default = "yes")]
    allow: bool,
}

fn yes() -> bool {
    true
}

async fn phone_number(State(sim): State<Simulator>, Body(button): Body<Button>) -> Answer<PhoneNumberAnswer> {
    let person = named_or_current(&sim, button.person)?;
    Ok(Json(sim.phone_number(&button.appid, &person, button.allow)?))
}

async fn visit(State(sim): State<Simulator>, Path(id): Path<String>) -> Answer<Visit> {
    Ok(Json(sim.visit(&id).ok_or(ActError::NoSuchVisit)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandBack {
    app_parameter: String,
}

async fn launch_app(State(sim): State<Simulator>, Path(id): Path<String>, Body(back): Body<HandBack>) -> Answer<Visit> {
    Ok(Json(sim.launch_app(&id, &back.app_parameter)?))
}
