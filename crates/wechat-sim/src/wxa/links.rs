//! `wxa/generatescheme` and `wxa/generate_urllink` (WeChat docs, "URL Scheme" and "URL Link").

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize};

use super::mini_program;
use crate::answers::{self, Family, Success};
use crate::api_error::ApiError;
use crate::limits::Counted;
use crate::mini_program::{EnvVersion, Target};
use crate::simulator::{Simulator, Wechat};

const DAY: u64 = 24 * 3600;
const LONGEST_DAYS: u64 = 30;
const LONGEST_QUERY: usize = 1024;
const QUERY_SIGNS: &[u8] = b"!#$&'()*+,/:;=?@-._~%";

pub(super) fn routes() -> Router<Simulator> {
    let only_post = || async |State(sim): State<Simulator>| Family::Server.error(ApiError::RequirePost, sim.now());
    Router::new()
        .route("/wxa/generatescheme", post(scheme).fallback(only_post()))
        .route("/wxa/generate_urllink", post(url_link).fallback(only_post()))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Jump {
    path: String,
    query: String,
    env_version: Option<String>,
}

/// When a link ends; both kinds say it alike.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Life {
    expire_type: u8,
    expire_time: Option<u64>,
    expire_interval: Option<u64>,
}

#[derive(Deserialize)]
struct Scheme {
    #[serde(default)]
    jump_wxa: Jump,
    #[serde(flatten)]
    life: Life,
}

#[derive(Serialize)]
struct OpenLink {
    openlink: String,
}

async fn scheme(State(sim): State<Simulator>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    answers::post(&sim, query, &body, |wechat, appid, asked: Scheme| {
        let openlink = remember(wechat, appid, &asked.jump_wxa, &asked.life, "weixin://dl/business/?t=")?;
        Ok(Success::with(OpenLink { openlink }))
    })
}

#[derive(Deserialize)]
struct UrlLink {
    #[serde(flatten)]
    jump: Jump,
    #[serde(flatten)]
    life: Life,
}

#[derive(Serialize)]
struct UrlLinkAnswer {
    url_link: String,
}

async fn url_link(State(sim): State<Simulator>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    answers::post(&sim, query, &body, |wechat, appid, asked: UrlLink| {
        let url_link = remember(wechat, appid, &asked.jump, &asked.life, "https://wxaurl.cn/")?;
        Ok(Success::with(UrlLinkAnswer { url_link }))
    })
}

fn remember(wechat: &mut Wechat, appid: &str, jump: &Jump, life: &Life, prefix: &str) -> Result<String, ApiError> {
    let now = wechat.now();
    let app = mini_program(&wechat.world, appid)?;
    if app.is_unverified {
        return Err(ApiError::InvalidGrantType);
    }
    let path = jump.path.strip_prefix('/').unwrap_or(&jump.path);
    let page = if path.is_empty() { app.pages.first().map_or("", String::as_str) } else { path };
    if !app.pages.iter().any(|known| known == page) {
        return Err(ApiError::InvalidPath);
    }
    let is_query = jump.query.len() <= LONGEST_QUERY && jump.query.bytes().all(|b| b.is_ascii_alphanumeric() || QUERY_SIGNS.contains(&b));
    if !is_query {
        return Err(ApiError::InvalidQuery);
    }
    let env_version = EnvVersion::parse(jump.env_version.as_deref().unwrap_or("release")).ok_or(ApiError::InvalidArgs)?;
    let target = Target { appid: appid.to_owned(), page: page.to_owned(), query: jump.query.clone(), env_version };
    let expires_at = life.end(now)?;
    wechat.quotas.spend(appid, Counted::LinksPerDay, now)?;
    Ok(wechat.mini_programs.remember_link(prefix, target, expires_at, now))
}

impl Life {
    /// At most 30 days, also where nothing is said (since 2023-12-19).
    fn end(&self, now: u64) -> Result<u64, ApiError> {
        let latest = now.saturating_add(LONGEST_DAYS * DAY);
        let end = match (self.expire_type, self.expire_time, self.expire_interval) {
            (0, None, _) => latest,
            (0, Some(time), _) => time,
            (1, _, Some(days)) => now.saturating_add(days.saturating_mul(DAY)),
            _ => return Err(ApiError::InvalidArgs),
        };
        if end < now.saturating_add(60) || end > latest {
            return Err(ApiError::InvalidLifetime);
        }
        Ok(end)
    }
}
