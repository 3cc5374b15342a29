//! Every request that reached WeChat's own routes, so that a test can say what a client sent, and what it did not.

use std::collections::VecDeque;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::params::Params;
use crate::simulator::Simulator;

/// Enough for any test; a simulator that runs for weeks forgets the oldest.
const MOST: usize = 10_000;
/// Nothing that WeChat takes here is longer.
const LONGEST_BODY: usize = 1 << 20;

/// One request, with nothing hidden: the secrets of a simulated WeChat are not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JournalEntry {
    /// Unix time of the simulator's clock.
    pub at: u64,
    /// For example `GET`.
    pub method: String,
    /// For example `/sns/oauth2/access_token`.
    pub path: String,
    /// The query as it was sent, undecoded.
    pub query: String,
    /// The decoded parameters, in order.
    pub parameters: Vec<(String, String)>,
    /// Whether a parameter `secret` was sent.
    pub has_secret: bool,
    /// The body, as text; empty where there was none.
    pub body: String,
    /// All headers, in order, names in lower case; bytes that are not text are replaced.
    pub headers: Vec<(String, String)>,
}

impl JournalEntry {
    /// The first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.parameters, name)
    }

    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The requests so far, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<JournalEntry>,
}

impl Journal {
    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.entries.iter().cloned().collect()
    }

    fn add(&mut self, entry: JournalEntry) {
        if self.entries.len() == MOST {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}

/// Writes a request down before anything, even a fault, happens to it.
pub(crate) async fn record(State(sim): State<Simulator>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let query = request.uri().query().unwrap_or_default();
    let parameters = Params::parse(query).into_pairs();
    let entry = JournalEntry {
        at: sim.now(),
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: query.to_owned(),
        has_secret: find(&parameters, "secret").is_some(),
        parameters,
        body: String::from_utf8_lossy(&body).into_owned(),
        headers: header_pairs(request.headers()),
    };
    sim.with(|wechat| wechat.journal.add(entry));
    next.run(request).await
}

fn header_pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}
