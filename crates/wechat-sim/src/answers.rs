//! How `api.weixin.qq.com` writes its answers. `sns/*` and the rest differ in their content type, in what stands before a
//! rid, and in whether a success has an `errcode` (recorded answers).

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api_error::ApiError;
use crate::params::Params;
use crate::random;
use crate::simulator::{Simulator, Wechat};

/// The two ways in which paths of the API answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `sns/*`: `text/plain` although it is JSON, slashes escaped, a comma before the rid.
    Sns,
    /// `cgi-bin/*` and `wxa/*`: `application/json` with `encoding` where others say `charset`, a space before the rid.
    Server,
}

impl Family {
    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with("/sns/") { Self::Sns } else { Self::Server }
    }

    pub(crate) fn error(self, error: ApiError, now: u64) -> Response {
        let (errcode, words) = error.number_and_words();
        self.errcode(errcode, &words, now)
    }

    /// A refusal, also for faults. The first group of a rid is the time in hex.
    pub(crate) fn errcode(self, errcode: i64, words: &str, now: u64) -> Response {
        let rid = format!("{now:08x}-{}-{}", random::lower_hex(8), random::lower_hex(8));
        let separator = match self {
            Self::Sns => ", ",
            Self::Server => " ",
        };
        self.json(&ErrorAnswer { errcode, errmsg: format!("{words}{separator}rid: {rid}") })
    }

    /// WeChat escapes slashes, which only ever stand inside strings here.
    pub(crate) fn json(self, body: &impl Serialize) -> Response {
        let text = serde_json::to_string(body).unwrap_or_default().replace('/', "\\/");
        let content_type = match self {
            Self::Sns => "text/plain",
            Self::Server => "application/json; encoding=utf-8",
        };
        ([(CONTENT_TYPE, content_type)], text).into_response()
    }

    /// Answers with what `operation` makes of the query.
    pub(crate) fn get<T: Serialize>(
        self,
        sim: &Simulator,
        query: Option<String>,
        operation: impl FnOnce(&mut Wechat, &Params) -> Result<T, ApiError>,
    ) -> Response {
        let params = Params::parse(query.as_deref().unwrap_or_default());
        match sim.with(|wechat| operation(wechat, &params)) {
            Ok(body) => self.json(&body),
            Err(error) => self.error(error, sim.now()),
        }
    }
}

/// Answers a POST that carries an app's server token in its query and JSON in its body: the form of nearly all of
/// `cgi-bin/*` and `wxa/*`. `operation` is told whose token it is.
pub(crate) fn post<B: DeserializeOwned, T: Serialize>(
    sim: &Simulator,
    query: Option<String>,
    body: &Bytes,
    operation: impl FnOnce(&mut Wechat, &str, B) -> Result<T, ApiError>,
) -> Response {
    match called(sim, query, body, operation) {
        Ok(answer) => Family::Server.json(&answer),
        Err(error) => Family::Server.error(error, sim.now()),
    }
}

/// As [`post`], for answers that are not JSON.
pub(crate) fn called<B: DeserializeOwned, T>(
    sim: &Simulator,
    query: Option<String>,
    body: &Bytes,
    operation: impl FnOnce(&mut Wechat, &str, B) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    sim.changing(|wechat| {
        let appid = wechat.caller(&params)?;
        operation(wechat, &appid, json_body(body)?)
    })
}

/// A body that is not JSON, a form for instance, is a "data format error" whatever its content type says.
pub(crate) fn json_body<B: DeserializeOwned>(body: &Bytes) -> Result<B, ApiError> {
    if body.is_empty() {
        return Err(ApiError::EmptyBody);
    }
    serde_json::from_slice(body).map_err(|_| ApiError::MalformedBody)
}

/// An answer that has `errcode` and `errmsg` although it is a success, with more beside it.
#[derive(Debug, Serialize)]
pub(crate) struct Success<T: Serialize> {
    errcode: i64,
    errmsg: &'static str,
    #[serde(flatten)]
    rest: T,
}

impl<T: Serialize> Success<T> {
    pub(crate) fn with(rest: T) -> Self {
        Self { errcode: 0, errmsg: "ok", rest }
    }
}

/// Nothing but `{"errcode":0,"errmsg":"ok"}`.
pub(crate) fn just_ok() -> Success<Nothing> {
    Success::with(Nothing {})
}

#[derive(Debug, Serialize)]
pub(crate) struct Nothing {}

#[derive(Serialize)]
struct ErrorAnswer {
    errcode: i64,
    errmsg: String,
}
