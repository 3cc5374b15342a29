//! `sns/jscode2session` (WeChat docs, "code2Session"): a mini program's login code for an openid and the session key.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use super::known_app;
use crate::answers::Family;
use crate::api_error::ApiError;
use crate::limits::Counted;
use crate::params::Params;
use crate::simulator::{Simulator, Wechat};
use crate::world;

/// A POST with the same query was answered, too (recorded).
pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/sns/jscode2session", get(exchange).post(exchange))
}

async fn exchange(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    Family::Sns.get(&sim, query, session)
}

#[derive(Serialize)]
struct Session {
    session_key: String,
    openid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<String>,
}

/// In the order of `sns/oauth2/access_token`: with a genuine code, a wrong secret is what is wrong (recorded).
fn session(wechat: &mut Wechat, params: &Params) -> Result<Session, ApiError> {
    let now = wechat.now();
    let (appid, app) = known_app(&wechat.world, params)?;
    let secret = params.filled("secret").ok_or(ApiError::AppSecretMissing)?;
    let code = params.filled("js_code").ok_or(ApiError::MissingCode)?;
    if params.raw("grant_type") != Some("authorization_code") {
        return Err(ApiError::InvalidGrantType);
    }
    let unspent = wechat.login_codes.find(code, appid, now).map_err(|error| error.at_login(&wechat.quirks))?;
    if secret != app.secret {
        return Err(ApiError::InvalidAppSecret);
    }
    let person = unspent.grant().person.clone();
    let openid = world::openid(&person, appid);
    wechat.quotas.spend(&openid, Counted::LoginPerMinute, now)?;
    if wechat.world.person(&person).is_some_and(|person| person.is_blocked) {
        return Err(ApiError::CodeBlocked);
    }
    let login = unspent.spend();
    let unionid = app.platform.as_deref().map(|platform| world::unionid(&person, platform));
    Ok(Session { session_key: login.session_key, openid, unionid })
}
