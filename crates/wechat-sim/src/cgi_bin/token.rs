//! `cgi-bin/token` and `cgi-bin/stable_token` (WeChat docs, "Get access token" and "Get stable access token").

use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use crate::answers::{Family, json_body};
use crate::api_error::ApiError;
use crate::connection::Peer;
use crate::limits::Counted;
use crate::server_tokens::ServerToken;
use crate::simulator::{Simulator, Wechat};

pub(super) fn routes() -> Router<Simulator> {
    let refusing = |error: ApiError| async move |State(sim): State<Simulator>| Family::Server.error(error, sim.now());
    Router::new()
        .route("/cgi-bin/token", get(token).fallback(refusing(ApiError::RequireGet)))
        .route("/cgi-bin/stable_token", post(stable_token).fallback(refusing(ApiError::RequirePost)))
}

async fn token(State(sim): State<Simulator>, Peer(peer): Peer, RawQuery(query): RawQuery) -> Response {
    Family::Server.get(&sim, query, |wechat, params| {
        let asking = Asking {
            appid: params.filled("appid").unwrap_or_default().to_owned(),
            secret: params.filled("secret").unwrap_or_default().to_owned(),
            grant_type: params.filled("grant_type").unwrap_or_default().to_owned(),
            force_refresh: false,
        };
        asking.check(wechat, peer)?;
        let now = wechat.now();
        wechat.quotas.spend(&asking.appid, Counted::TokenPerDay, now)?;
        Ok(wechat.server_tokens.plain(&asking.appid, now))
    })
}

async fn stable_token(State(sim): State<Simulator>, Peer(peer): Peer, body: Bytes) -> Response {
    Family::Server.get(&sim, None, |wechat, _| {
        let asking: Asking = json_body(&body)?;
        asking.check(wechat, peer)?;
        asking.stable(wechat)
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asking {
    appid: String,
    secret: String,
    grant_type: String,
    force_refresh: bool,
}

impl Asking {
    /// The appid comes before the grant type and the secret (recorded answers).
    fn check(&self, wechat: &Wechat, peer: Option<IpAddr>) -> Result<(), ApiError> {
        if self.appid.is_empty() {
            return Err(ApiError::AppIdMissing);
        }
        let app = wechat.world.app(&self.appid).ok_or(ApiError::InvalidAppId)?;
        if self.grant_type != "client_credential" {
            return Err(ApiError::InvalidGrantType);
        }
        if self.secret.is_empty() {
            return Err(ApiError::AppSecretMissing);
        }
        if self.secret != app.secret {
            return Err(ApiError::InvalidAppSecret);
        }
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if !app.ip_whitelist.is_empty() && !app.ip_whitelist.contains(&peer) {
            return Err(ApiError::IpNotWhitelisted(peer));
        }
        Ok(())
    }

    fn stable(&self, wechat: &mut Wechat) -> Result<ServerToken, ApiError> {
        let now = wechat.now();
        wechat.quotas.spend(&self.appid, Counted::StableTokenPerMinute, now)?;
        wechat.quotas.spend(&self.appid, Counted::StableTokenPerDay, now)?;
        if !self.force_refresh || !wechat.server_tokens.may_force(&self.appid, now) {
            return Ok(wechat.server_tokens.stable(&self.appid, now));
        }
        wechat.quotas.spend(&self.appid, Counted::ForcedRefreshPerDay, now)?;
        Ok(wechat.server_tokens.force(&self.appid, now))
    }
}
