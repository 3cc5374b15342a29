//! `/sim/scan` and what follows: the phone in front of a website's QR code.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Answer, Body, ControlError, named_or_current};
use crate::params::Params;
use crate::simulator::Simulator;

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/sim/scan", post(scan))
        .route("/sim/confirm", post(confirm))
        .route("/sim/refuse", post(refuse))
        .route("/sim/expire", post(expire))
}

/// A QR code, by its uuid or by an address that holds it: the QR code's text or its image's address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phone {
    uuid: Option<String>,
    url: Option<String>,
    person: Option<String>,
}

impl Phone {
    fn uuid(&self) -> Result<String, ControlError> {
        let from_url = || uuid_in(self.url.as_deref()?);
        self.uuid.clone().or_else(from_url).ok_or(ControlError::NoUuid)
    }
}

fn uuid_in(url: &str) -> Option<String> {
    let base = Url::parse("http://localhost").ok()?;
    let url = base.join(url).ok()?;
    let in_query = Params::parse(url.query().unwrap_or_default()).filled("uuid").map(str::to_owned);
    in_query.or_else(|| url.path().strip_prefix("/connect/qrcode/").map(str::to_owned))
}

async fn scan(State(sim): State<Simulator>, Body(phone): Body<Phone>) -> Result<StatusCode, ControlError> {
    let uuid = phone.uuid()?;
    sim.scan(&uuid, &named_or_current(&sim, phone.person)?)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
struct Confirmed {
    redirect_to: String,
}

async fn confirm(State(sim): State<Simulator>, Body(phone): Body<Phone>) -> Answer<Confirmed> {
    let uuid = phone.uuid()?;
    let redirect_to = sim.confirm(&uuid, &named_or_current(&sim, phone.person)?)?;
    Ok(Json(Confirmed { redirect_to }))
}

async fn refuse(State(sim): State<Simulator>, Body(phone): Body<Phone>) -> Result<StatusCode, ControlError> {
    let uuid = phone.uuid()?;
    sim.refuse(&uuid, &named_or_current(&sim, phone.person)?)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn expire(State(sim): State<Simulator>, Body(phone): Body<Phone>) -> Result<StatusCode, ControlError> {
    sim.expire(&phone.uuid()?);
    Ok(StatusCode::NO_CONTENT)
}
