//! `/sim/apps/{appid}/push` and `/sim/deliveries`: the server configuration of an app, and what was pushed to it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};

use super::{Answer, Body, ControlError};
use crate::push::{Delivery, Push};
use crate::simulator::Simulator;

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/sim/apps/{appid}/push", put(configure).delete(remove))
        .route("/sim/apps/{appid}/push/unverified", put(set))
        .route("/sim/deliveries", get(deliveries))
}

/// As the console: the address has to answer first.
async fn configure(State(sim): State<Simulator>, Path(appid): Path<String>, Body(push): Body<Push>) -> Answer<Push> {
    sim.configure_push(&appid, push.clone()).await?;
    Ok(Json(push))
}

async fn set(State(sim): State<Simulator>, Path(appid): Path<String>, Body(push): Body<Push>) -> Answer<Push> {
    sim.set_push(&appid, Some(push.clone()))?;
    Ok(Json(push))
}

async fn remove(State(sim): State<Simulator>, Path(appid): Path<String>) -> Result<StatusCode, ControlError> {
    sim.set_push(&appid, None)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn deliveries(State(sim): State<Simulator>) -> Json<Vec<Delivery>> {
    Json(sim.deliveries())
}
