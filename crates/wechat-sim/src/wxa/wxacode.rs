//! `wxa/getwxacodeunlimit` (WeChat docs, "getUnlimitedQRCode"): a picture, or JSON that says why not.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::Value;

use super::mini_program;
use crate::answers::{self, Family};
use crate::api_error::ApiError;
use crate::limits::Counted;
use crate::mini_program::{EnvVersion, Target};
use crate::qr_image;
use crate::simulator::{Simulator, Wechat};

/// The characters that a scene may have beside letters and digits. `%` is not one of them.
const SCENE_SIGNS: &[u8] = b"!#$&'()*+,/:;=?@-._~";
const LONGEST_SCENE: usize = 32;

pub(super) fn routes() -> Router<Simulator> {
    let only_post = || async |State(sim): State<Simulator>| Family::Server.error(ApiError::RequirePost, sim.now());
    Router::new().route("/wxa/getwxacodeunlimit", post(picture).fallback(only_post()))
}

async fn picture(State(sim): State<Simulator>, RawQuery(query): RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    // A body that is no JSON has the error of a scene that is too long (recorded words).
    let asked = serde_json::from_slice::<Value>(&body).map(|_| body).unwrap_or(Bytes::from_static(b"{}"));
    let origin = sim.phone_origin(&headers);
    let checked = answers::called(&sim, query, &asked, |wechat, appid, asked: Asked| {
        let target = asked.check(wechat, appid)?;
        let now = wechat.now();
        wechat.quotas.spend(appid, Counted::WxacodePerMinute, now)?;
        wechat.mini_programs.remember_code(&target);
        Ok((target.address(&origin), asked.width.unwrap_or(430)))
    });
    match checked.map(|(address, width)| qr_image::jpeg(&address, width)) {
        Ok(Ok(jpeg)) => ([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        Err(error) => Family::Server.error(error, sim.now()),
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Asked {
    scene: String,
    page: Option<String>,
    check_path: bool,
    env_version: String,
    width: Option<usize>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { scene: String::new(), page: None, check_path: true, env_version: "release".to_owned(), width: None }
    }
}

impl Asked {
    fn check(&self, wechat: &Wechat, appid: &str) -> Result<Target, ApiError> {
        let app = mini_program(&wechat.world, appid)?;
        if self.scene.is_empty() || self.scene.chars().count() > LONGEST_SCENE {
            return Err(ApiError::InvalidSceneLength);
        }
        if !self.scene.bytes().all(|b| b.is_ascii_alphanumeric() || SCENE_SIGNS.contains(&b)) {
            return Err(ApiError::InvalidSceneCharacters);
        }
        let env_version = EnvVersion::parse(&self.env_version).ok_or(ApiError::InvalidArgs)?;
        if self.width.is_some_and(|width| !(280..=1280).contains(&width)) {
            return Err(ApiError::InvalidArgs);
        }
        let page = self.page.clone().filter(|page| !page.is_empty()).or_else(|| app.pages.first().cloned()).unwrap_or_default();
        let is_page = !page.starts_with('/') && !page.contains('?');
        if !is_page || (self.check_path && !app.pages.contains(&page)) {
            return Err(ApiError::InvalidPage);
        }
        let query = format!("scene={}", url::form_urlencoded::byte_serialize(self.scene.as_bytes()).collect::<String>());
        Ok(Target { appid: appid.to_owned(), page, query, env_version })
    }
}
