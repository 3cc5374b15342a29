//! Whatever goes wrong between a client and WeChat, on demand.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::answers::Family;
use crate::connection::Wire;
use crate::simulator::Simulator;

/// Something that goes wrong on every path that starts with `path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A prefix such as `/sns/oauth2/access_token`.
    pub path: String,
    /// What happens.
    #[serde(flatten)]
    pub effect: Effect,
    /// How often it still happens; `None`, in JSON `"forever"` or left out, is always.
    #[serde(default, with = "times")]
    pub times: Option<u32>,
}

impl Fault {
    /// A fault that stays until it is removed.
    pub fn on(path: &str, effect: Effect) -> Self {
        Self { path: path.to_owned(), effect, times: None }
    }

    /// A fault that is gone after it has happened so often.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }
}

/// The ways in which a call to WeChat fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// The request waits, and is handled afterwards; if the client leaves before that, it is never handled.
    Delay {
        /// How long.
        delay_ms: u64,
    },
    /// The connection is reset before the request is handled.
    Reset,
    /// The request is handled (a code is spent), then the connection is reset.
    LoseAnswer,
    /// Something in front of WeChat answers in its place.
    Http {
        /// For example 502.
        status: u16,
        /// For example `text/html`.
        #[serde(default = "html")]
        content_type: String,
        /// Anything, or nothing.
        #[serde(default)]
        body: String,
    },
    /// WeChat refuses, with HTTP 200; a `rid` is added to the message.
    Errcode {
        /// For example 45011 or -1.
        errcode: i64,
        /// WeChat's words for it.
        errmsg: String,
    },
    /// The answer's body stops early.
    Truncate {
        /// How many bytes are left; half of them where it is not said.
        #[serde(default)]
        keep_bytes: Option<usize>,
        /// `false`: a complete HTTP message with half a JSON in it. `true`: the length of the whole body is announced,
        /// and the connection closes in the middle.
        #[serde(default)]
        hang_up: bool,
    },
    /// The answer's body comes a few bytes at a time.
    Drip {
        /// Bytes in one piece, at least 1.
        #[serde(default = "one")]
        piece_bytes: usize,
        /// The pause before each piece.
        pause_ms: u64,
    },
}

impl Effect {
    /// The page that a reverse proxy shows when what is behind it is gone.
    pub fn bad_gateway() -> Self {
        Self::Http {
            status: 502,
            content_type: html(),
            body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n".to_owned(),
        }
    }

    /// A refusal in WeChat's own form.
    pub fn errcode(errcode: i64, errmsg: &str) -> Self {
        Self::Errcode { errcode, errmsg: errmsg.to_owned() }
    }
}

/// The faults in force. The first that matches a request happens, and no other.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
}

impl Faults {
    pub(crate) fn set(&mut self, list: Vec<Fault>) {
        self.list = list;
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.list.clone()
    }

    fn take(&mut self, path: &str) -> Option<Effect> {
        self.list.retain(|fault| fault.times != Some(0));
        let fault = self.list.iter_mut().find(|fault| path.starts_with(&fault.path))?;
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        Some(fault.effect.clone())
    }
}

/// Lets the faults in force happen to a request.
pub(crate) async fn inject(State(sim): State<Simulator>, request: Request, next: Next) -> Response {
    let family = Family::of(request.uri().path());
    let Some(effect) = sim.with(|wechat| wechat.faults.take(request.uri().path())) else {
        return next.run(request).await;
    };
    let wire = request.extensions().get::<ConnectInfo<Wire>>().map(|ConnectInfo(wire)| wire.clone());
    match effect {
        Effect::Delay { delay_ms } => {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            next.run(request).await
        }
        Effect::Reset => reset(wire),
        Effect::LoseAnswer => {
            next.run(request).await;
            reset(wire)
        }
        Effect::Http { status, content_type, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, [(CONTENT_TYPE, content_type)], body).into_response()
        }
        Effect::Errcode { errcode, errmsg } => family.errcode(errcode, &errmsg, sim.now()),
        Effect::Truncate { keep_bytes, hang_up } => truncate(next.run(request).await, keep_bytes, hang_up).await,
        Effect::Drip { piece_bytes, pause_ms } => drip(next.run(request).await, piece_bytes, Duration::from_millis(pause_ms)).await,
    }
}

/// A reset where the connection is ours to break, otherwise a body that fails at once.
fn reset(wire: Option<Wire>) -> Response {
    if let Some(wire) = wire {
        wire.cut();
    }
    Response::new(Body::from_stream(stream::iter([hung_up()])))
}

async fn truncate(response: Response, keep_bytes: Option<usize>, hang_up: bool) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = collect(body).await;
    let kept = bytes.slice(..keep_bytes.unwrap_or(bytes.len() / 2).min(bytes.len()));
    parts.headers.remove(CONTENT_LENGTH);
    if !hang_up {
        return Response::from_parts(parts, Body::from(kept));
    }
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let failure = stream::once(async {
        // The server writes out what it has only while it waits for more.
        tokio::task::yield_now().await;
        hung_up()
    });
    Response::from_parts(parts, Body::from_stream(stream::iter([Ok(kept)]).chain(failure)))
}

async fn drip(response: Response, piece_bytes: usize, pause: Duration) -> Response {
    let (parts, body) = response.into_parts();
    let pieces = stream::unfold(collect(body).await, move |mut rest: Bytes| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(piece_bytes.max(1).min(rest.len()));
        Some((Ok::<_, Infallible>(piece), rest))
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

async fn collect(body: Body) -> Bytes {
    to_bytes(body, usize::MAX).await.unwrap_or_default()
}

fn hung_up() -> Result<Bytes, io::Error> {
    Err(io::Error::from(io::ErrorKind::ConnectionReset))
}

fn html() -> String {
    "text/html".to_owned()
}

fn one() -> usize {
    1
}

/// `times` in JSON: a number, or `"forever"`.
mod times {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Times {
        Number(u32),
        Word(String),
    }

    pub(super) fn serialize<S: Serializer>(times: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
        times.map_or_else(|| Times::Word("forever".to_owned()), Times::Number).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
        match Times::deserialize(deserializer)? {
            Times::Number(times) => Ok(Some(times)),
            Times::Word(word) if word == "forever" => Ok(None),
            Times::Word(word) => Err(D::Error::custom(format!("times is a number or \"forever\", not {word:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_with_a_count_wears_out_and_the_next_one_takes_over() {
        let mut faults = Faults::default();
        faults.set(vec![Fault::on("/sns/", Effect::Reset).times(1), Fault::on("/sns/auth", Effect::LoseAnswer)]);
        assert_eq!(faults.take("/sns/auth"), Some(Effect::Reset));
        assert_eq!(faults.take("/sns/auth"), Some(Effect::LoseAnswer));
        assert_eq!(faults.take("/sns/auth"), Some(Effect::LoseAnswer));
        assert_eq!(faults.take("/sns/userinfo"), None);
    }

    #[test]
    fn times_is_a_number_or_forever() {
        let parse = |times: &str| serde_json::from_str::<Fault>(&format!(r#"{{"path":"/","kind":"reset","times":{times}}}"#));
        assert_eq!(parse("3").unwrap().times, Some(3));
        assert_eq!(parse(r#""forever""#).unwrap().times, None);
        assert!(parse(r#""often""#).is_err());
    }
}
