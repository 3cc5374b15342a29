//! WeChat's own API, as builders of calls and parsers of answers. It knows neither sessions nor pages.

pub mod answer;
mod blocks;
pub mod codes;
pub mod errcode;
pub mod message_push;
pub mod mini_program;
pub mod official_account;
pub mod open_data;
pub mod server_token;
pub mod sns;

use crate::config::WechatApi;
use crate::http::{HttpCall, MAX_REPLY_BYTES, Peer};

/// A call with a JSON body.
fn post(api: &WechatApi, label: &'static str, path: String, body: &serde_json::Value) -> HttpCall {
    let mut call = HttpCall { method: "POST", body: body.to_string().into_bytes(), ..get(api, label, path) };
    call.headers.push(("content-type", "application/json".into()));
    call
}

/// A call without a body.
fn get(api: &WechatApi, label: &'static str, path: String) -> HttpCall {
    HttpCall {
        peer: Peer::Wechat,
        label,
        cluster: api.cluster.clone(),
        authority: api.api_authority.clone(),
        method: "GET",
        path,
        headers: vec![("accept", "application/json".into())],
        body: Vec::new(),
        timeout_ms: api.timeout_ms,
        max_reply_bytes: MAX_REPLY_BYTES,
    }
}
