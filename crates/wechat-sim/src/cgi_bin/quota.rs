//! `cgi-bin/clear_quota`, with a server token or with the secret (WeChat docs, "Clear quota").

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;

use crate::answers::{self, Family, json_body, just_ok};
use crate::api_error::ApiError;
use crate::limits::Counted;
use crate::simulator::{Simulator, Wechat};

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/cgi-bin/clear_quota", post(clear)).route("/cgi-bin/clear_quota/v2", post(clear_by_secret))
}

#[derive(Deserialize)]
struct Clear {
    appid: String,
}

async fn clear(State(sim): State<Simulator>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    answers::post(&sim, query, &body, |wechat, caller, asked: Clear| {
        if asked.appid != caller {
            return Err(ApiError::InvalidAppId);
        }
        forgive(wechat, caller)?;
        Ok(just_ok())
    })
}

#[derive(Deserialize)]
struct ClearBySecret {
    appid: String,
    appsecret: String,
}

async fn clear_by_secret(State(sim): State<Simulator>, body: Bytes) -> Response {
    Family::Server.get(&sim, None, |wechat, _| {
        let asked: ClearBySecret = json_body(&body)?;
        let app = wechat.world.app(&asked.appid).ok_or(ApiError::InvalidAppId)?;
        if app.secret != asked.appsecret {
            return Err(ApiError::InvalidAppSecret);
        }
        forgive(wechat, &asked.appid)?;
        Ok(just_ok())
    })
}

fn forgive(wechat: &mut Wechat, appid: &str) -> Result<(), ApiError> {
    let now = wechat.now();
    wechat.quotas.spend(appid, Counted::ClearQuotaPerMonth, now)?;
    wechat.quotas.clear(appid);
    Ok(())
}
