//! `cgi-bin/user/info` (WeChat docs, "Get user basic information (UnionID)").

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use crate::answers::Family;
use crate::api_error::ApiError;
use crate::followers::Scene;
use crate::limits::Counted;
use crate::params::Params;
use crate::simulator::{Simulator, Wechat};
use crate::world::{self, AppKind};

pub(super) fn routes() -> Router<Simulator> {
    let only_get = || async |State(sim): State<Simulator>| Family::Server.error(ApiError::RequireGet, sim.now());
    Router::new().route("/cgi-bin/user/info", get(info).fallback(only_get()))
}

async fn info(State(sim): State<Simulator>, RawQuery(query): RawQuery) -> Response {
    Family::Server.get(&sim, query, look_up)
}

/// Names and pictures have said nothing since 2021-12-27.
#[derive(Serialize)]
#[serde(untagged)]
enum Info {
    Follower {
        subscribe: u8,
        openid: String,
        nickname: &'static str,
        sex: u8,
        language: &'static str,
        city: &'static str,
        province: &'static str,
        country: &'static str,
        headimgurl: &'static str,
        subscribe_time: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        unionid: Option<String>,
        remark: &'static str,
        groupid: u8,
        tagid_list: [u8; 0],
        subscribe_scene: &'static str,
        qr_scene: u32,
        qr_scene_str: String,
    },
    Stranger {
        subscribe: u8,
        openid: String,
        tagid_list: [u8; 0],
    },
}

/// The unionid is told of followers alone, and only while the account is bound to an Open Platform account.
fn look_up(wechat: &mut Wechat, params: &Params) -> Result<Info, ApiError> {
    let appid = wechat.caller(params)?;
    let app = wechat.world.app(&appid).filter(|app| app.kind == AppKind::OfficialAccount).ok_or(ApiError::Unauthorized)?;
    let openid = params.filled("openid").ok_or(ApiError::MissingOpenid)?.to_owned();
    let person = wechat.world.person_of(&openid, &appid).ok_or(ApiError::InvalidOpenid)?;
    let unionid = app.platform.as_deref().map(|platform| world::unionid(person, platform));
    let follow = wechat.followers.find(person, &appid).cloned();
    let now = wechat.now();
    wechat.quotas.spend(&appid, Counted::UserInfoPerDay, now)?;
    let Some(follow) = follow else {
        return Ok(Info::Stranger { subscribe: 0, openid, tagid_list: [] });
    };
    let (qr_scene, qr_scene_str) = match &follow.scene {
        Some(Scene::Number(number)) => (*number, String::new()),
        Some(Scene::Text(text)) => (0, text.clone()),
        None => (0, String::new()),
    };
    Ok(Info::Follower {
        subscribe: 1,
        openid,
        nickname: "",
        sex: 0,
        language: "zh_CN",
        city: "",
        province: "",
        country: "",
        headimgurl: "",
        subscribe_time: follow.since,
        unionid,
        remark: "",
        groupid: 0,
        tagid_list: [],
        subscribe_scene: if follow.scene.is_some() { "ADD_SCENE_QR_CODE" } else { "ADD_SCENE_SEARCH" },
        qr_scene,
        qr_scene_str,
    })
}
