//! `wxa/checksession` (WeChat docs, "checkSessionKey").

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;

use super::mini_program;
use crate::answers::{Family, Nothing, Success, just_ok};
use crate::api_error::ApiError;
use crate::crypto::open_data;
use crate::params::Params;
use crate::simulator::{Simulator, Wechat};

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/wxa/checksession", get(check))
}

async fn check(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    Family::Server.get(&sim, query, verify)
}

/// What is signed is the body, which a GET has not.
fn verify(wechat: &mut Wechat, params: &Params) -> Result<Success<Nothing>, ApiError> {
    let appid = wechat.caller(params)?;
    mini_program(&wechat.world, &appid)?;
    let openid = params.filled("openid").ok_or(ApiError::MissingOpenid)?;
    let person = wechat.world.person_of(openid, &appid).ok_or(ApiError::InvalidOpenid)?;
    if params.raw("sig_method") != Some("hmac_sha256") {
        return Err(ApiError::InvalidSignatureMethod);
    }
    let session_key = wechat.mini_programs.session_key(&appid, person).ok_or(ApiError::NoSessionKey)?;
    let expected = open_data::session_signature(session_key, "").map_err(|_| ApiError::SystemError)?;
    if params.raw("signature") != Some(expected.as_str()) {
        return Err(ApiError::InvalidSessionSignature);
    }
    Ok(just_ok())
}
