//! `cgi-bin/qrcode/create`, and `cgi-bin/showqrcode` of mp.weixin.qq.com (WeChat docs, "QR code with parameters").

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use crate::answers::{self, Family};
use crate::api_error::ApiError;
use crate::followers::{AccountCode, Scene};
use crate::limits::Counted;
use crate::params::Params;
use crate::qr_image;
use crate::simulator::{Simulator, Wechat};
use crate::world::AppKind;

/// 30 days.
const LONGEST: u64 = 2_592_000;
const SHORTEST: u64 = 60;

pub(super) fn routes() -> Router<Simulator> {
    let only_post = || async |State(sim): State<Simulator>| Family::Server.error(ApiError::RequirePost, sim.now());
    Router::new().route("/cgi-bin/qrcode/create", post(create).fallback(only_post())).route("/cgi-bin/showqrcode", get(show))
}

#[derive(Deserialize)]
struct Create {
    expire_seconds: Option<u64>,
    action_name: String,
    action_info: ActionInfo,
}

#[derive(Deserialize)]
struct ActionInfo {
    scene: SceneInfo,
}

#[derive(Deserialize)]
struct SceneInfo {
    scene_id: Option<u32>,
    scene_str: Option<String>,
}

#[derive(Serialize)]
struct Created {
    ticket: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_seconds: Option<u64>,
    url: String,
}

async fn create(State(sim): State<Simulator>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let origin = sim.public_origin().map(str::to_owned);
    answers::post(&sim, query, &body, |wechat, appid, asked: Create| {
        let app = wechat.world.app(appid).ok_or(ApiError::InvalidAppId)?;
        if app.kind != AppKind::OfficialAccount || app.is_unverified {
            return Err(ApiError::Unauthorized);
        }
        let (scene, expire_seconds) = asked.check()?;
        let now = wechat.now();
        wechat.quotas.spend(appid, Counted::QrcodePerDay, now)?;
        let code = AccountCode { appid: appid.to_owned(), scene, expires_at: expire_seconds.map(|life| now.saturating_add(life)) };
        let (ticket, id) = wechat.account_codes.create(code, now);
        let origin = origin.as_deref().unwrap_or("http://weixin.qq.com");
        Ok(Created { ticket, expire_seconds, url: format!("{origin}/q/{id}") })
    })
}

impl Create {
    fn check(self) -> Result<(Scene, Option<u64>), ApiError> {
        let SceneInfo { scene_id, scene_str } = self.action_info.scene;
        let number = scene_id.filter(|&id| id != 0).map(Scene::Number);
        let text = scene_str.filter(|text| (1..=64).contains(&text.chars().count())).map(Scene::Text);
        let is_permanent_number = matches!(number, Some(Scene::Number(1..=100_000)));
        let (scene, is_permanent) = match self.action_name.as_str() {
            "QR_SCENE" => (number, false),
            "QR_STR_SCENE" => (text, false),
            "QR_LIMIT_SCENE" => (number.filter(|_| is_permanent_number), true),
            "QR_LIMIT_STR_SCENE" => (text, true),
            _ => return Err(ApiError::InvalidActionName),
        };
        let scene = scene.ok_or(ApiError::InvalidActionInfo)?;
        if is_permanent {
            return Ok((scene, None));
        }
        let life = self.expire_seconds.unwrap_or(SHORTEST);
        if !(1..=LONGEST).contains(&life) {
            return Err(ApiError::InvalidActionInfo);
        }
        Ok((scene, Some(life)))
    }
}

/// Needs no token. A ticket that is wrong or over is 404, not JSON.
async fn show(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let origin = sim.public_origin().unwrap_or("http://weixin.qq.com");
    let id = sim.with(|wechat: &mut Wechat| {
        let now = wechat.now();
        wechat.account_codes.id_of_ticket(params.raw("ticket").unwrap_or_default(), now).map(str::to_owned)
    });
    let Some(id) = id else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match qr_image::jpeg(&format!("{origin}/q/{id}"), 430) {
        Ok(jpeg) => ([(CONTENT_TYPE, "image/jpg")], jpeg).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
