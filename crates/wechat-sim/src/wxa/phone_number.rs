//! `wxa/business/getuserphonenumber` (WeChat docs, "getPhoneNumber").

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mini_program;
use crate::answers::{self, Family, Success};
use crate::api_error::ApiError;
use crate::codes::CodeError;
use crate::limits::Counted;
use crate::simulator::{Simulator, Wechat};
use crate::world;

pub(super) fn routes() -> Router<Simulator> {
    let only_post = || async |State(sim): State<Simulator>| Family::Server.error(ApiError::RequirePost, sim.now());
    Router::new().route("/wxa/business/getuserphonenumber", post(exchange).fallback(only_post()))
}

#[derive(Deserialize)]
struct Asked {
    code: String,
    openid: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    phone_info: Value,
}

async fn exchange(State(sim): State<Simulator>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    answers::post(&sim, query, &body, tell)
}

fn tell(wechat: &mut Wechat, appid: &str, asked: Asked) -> Result<Success<Answer>, ApiError> {
    let now = wechat.now();
    if mini_program(&wechat.world, appid)?.is_unverified {
        return Err(ApiError::Unauthorized);
    }
    wechat.quotas.spend(appid, Counted::PhoneNumberPerMinute, now)?;
    let unspent = wechat.phone_codes.find(&asked.code, appid, now).map_err(|error| match error {
        CodeError::Foreign => ApiError::InvalidAppId,
        CodeError::Unknown | CodeError::Expired | CodeError::Used => ApiError::InvalidCode,
    })?;
    if asked.openid.is_some_and(|openid| openid != world::openid(unspent.grant(), appid)) {
        return Err(ApiError::InvalidOpenid);
    }
    let person = unspent.spend();
    let phone_info = wechat.phone_info(&person, appid).ok_or(ApiError::SystemError)?;
    Ok(Success::with(Answer { phone_info }))
}

impl Wechat {
    /// A person's phone number as WeChat tells it to a mini program, here and in `encryptedData`.
    pub(crate) fn phone_info(&self, person: &str, appid: &str) -> Option<Value> {
        let phone = self.world.person(person)?.phone_number.as_ref()?;
        let country_code = match phone.country_code.parse::<u32>() {
            Ok(number) if self.quirks.numeric_country_code => json!(number),
            _ => json!(phone.country_code),
        };
        Some(json!({
            "phoneNumber": phone.with_country(),
            "purePhoneNumber": phone.number,
            "countryCode": country_code,
            "watermark": {"timestamp": self.now(), "appid": appid},
        }))
    }
}
