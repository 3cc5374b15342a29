//! The resolver under test: requests to it, and its answers with all that a failure has to tell.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url};
use resolver_api::{LoginOutcome, LoginRequest, Problem, RevocationFeed, User, WechatIdentity};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::report::Verdict;
use crate::{SetupError, Target};

/// The largest answer that a filter reads.
pub(crate) const ANSWER_LIMIT: usize = 64 * 1024;

/// How much of a text is shown where it is too long to be read.
const SHOWN: usize = 600;

/// Longer than any filter waits: this is not about speed.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a 503 is taken for what it says: again, after `Retry-After`.
const TRIES: u32 = 5;

/// How a check ends that does not pass.
#[derive(Debug)]
pub(crate) enum Ending {
    Failed { sent: String, expected: String, came: String },
    NotOffered(String),
}

pub(crate) type Result<T> = std::result::Result<T, Ending>;

pub(crate) struct Server {
    pub(crate) target: Target,
    client: Client,
    origin: Url,
    seen: Mutex<Seen>,
}

/// What all answers have in common is kept of the worst one.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) storable: Option<Answer>,
    pub(crate) largest: Option<Answer>,
}

/// A request, before it is sent.
pub(crate) struct Call {
    method: Method,
    path: String,
    authorization: Option<String>,
    content_type: Option<&'static str>,
    body: Vec<u8>,
}

/// An answer, and the request that it is to.
#[derive(Clone)]
pub(crate) struct Answer {
    sent: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What [`LoginOutcome::SignedIn`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) user: User,
    pub(crate) session_id: String,
    pub(crate) auth_time: u64,
    pub(crate) identity: WechatIdentity,
    pub(crate) new_user: bool,
}

impl Server {
    pub(crate) fn new(target: Target) -> std::result::Result<Self, SetupError> {
        let origin = Url::parse(&target.url).ok().filter(|url| url.scheme() == "http" && url.has_host()).ok_or(SetupError::Url)?;
        HeaderValue::from_str(&target.token).map_err(|_| SetupError::Token)?;
        // The filter follows no redirect, and speaks to the resolver that it is told.
        let client = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        Ok(Self { target, client: client.map_err(SetupError::Client)?, origin, seen: Mutex::default() })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.send(&self.call(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.send(&self.call(Method::POST, path).json(body)).await
    }

    /// A login that leads to 200.
    pub(crate) async fn login(&self, request: &LoginRequest) -> Result<(Answer, LoginOutcome)> {
        let answer = self.post("/v1/logins", request).await?;
        let outcome = answer.json("a LoginOutcome")?;
        Ok((answer, outcome))
    }

    /// A login that ends in a session.
    pub(crate) async fn sign_in(&self, request: &LoginRequest) -> Result<(Answer, SignedIn)> {
        let (answer, outcome) = self.login(request).await?;
        let signed_in = answer.signed_in(outcome)?;
        Ok((answer, signed_in))
    }

    /// A page of the feed.
    pub(crate) async fn feed(&self, after: &str) -> Result<(Answer, RevocationFeed)> {
        let answer = self.get(&format!("/v1/revocations?after={}", escaped(after))).await?;
        let feed = answer.json("a RevocationFeed")?;
        Ok((answer, feed))
    }

    /// A request with an accepted token and without a body.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let authorization = Some(format!("Bearer {}", self.target.token));
        Call { method, path: path.to_owned(), authorization, content_type: None, body: Vec::new() }
    }

    pub(crate) async fn send(&self, call: &Call) -> Result<Answer> {
        let mut answer = self.send_once(call).await?;
        for _ in 1..TRIES {
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            tokio::time::sleep(answer.retry_after()).await;
            answer = self.send_once(call).await?;
        }
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if answer.header(&CACHE_CONTROL) != "no-store" {
            seen.storable.get_or_insert_with(|| answer.clone());
        }
        if seen.largest.as_ref().is_none_or(|largest| largest.body.len() < answer.body.len()) {
            seen.largest = Some(answer.clone());
        }
        Ok(answer)
    }

    /// Looks at what all answers had in common.
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    async fn send_once(&self, call: &Call) -> Result<Answer> {
        let sent = call.to_string();
        let lost = |error: reqwest::Error| {
            // Its source says which system call failed; the error itself no more than that one did.
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            Ending::Failed { sent: sent.clone(), expected: "an answer".to_owned(), came: format!("none: {reason}") }
        };
        let url = format!("{}{}", self.origin.as_str().trim_end_matches('/'), call.path);
        let mut request = self.client.request(call.method.clone(), url).body(call.body.clone());
        if let Some(authorization) = &call.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(content_type) = call.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let response = request.send().await.map_err(lost)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(lost)?.to_vec();
        Ok(Answer { sent, status, headers, body })
    }
}

impl Call {
    pub(crate) fn json(self, body: &impl Serialize) -> Self {
        // What is sent are plain structs; a body that could not be written would be refused as empty.
        self.body(Some("application/json"), serde_json::to_vec(body).unwrap_or_default())
    }

    pub(crate) fn body(self, content_type: Option<&'static str>, body: impl Into<Vec<u8>>) -> Self {
        Self { content_type, body: body.into(), ..self }
    }

    pub(crate) fn authorization(self, authorization: Option<String>) -> Self {
        Self { authorization, ..self }
    }
}

/// Without its token.
impl std::fmt::Display for Call {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {} {}", self.method, self.path, shown(&self.body))
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn length(&self) -> usize {
        self.body.len()
    }

    /// Fails unless it holds; `expected` tells what was.
    pub(crate) fn expect(&self, holds: bool, expected: impl Into<String>) -> Result<()> {
        if holds { Ok(()) } else { Err(self.instead_of(expected)) }
    }

    /// The failure of having got this answer.
    pub(crate) fn instead_of(&self, expected: impl Into<String>) -> Ending {
        let came = format!("{} {} {}", self.status(), self.header(&CONTENT_TYPE), shown(&self.body));
        Ending::Failed { sent: self.sent.clone(), expected: expected.into(), came }
    }

    /// 200 with JSON of this type, which is called `name` in resolver-api.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let is_json = self.status == StatusCode::OK && media_type(self.header(&CONTENT_TYPE)) == "application/json";
        self.expect(is_json, format!("200 with {name} as application/json"))?;
        serde_json::from_slice(&self.body).map_err(|error| self.instead_of(format!("{name}; but {error}")))
    }

    /// 204.
    pub(crate) fn done(&self) -> Result<()> {
        self.expect(self.status == StatusCode::NO_CONTENT && self.body.is_empty(), "204 without a body")
    }

    /// The problem of this kind.
    pub(crate) fn problem(&self, status: u16, kind: &str) -> Result<Problem> {
        let expected = || format!("{status} with a problem of type /problems/{kind} as application/problem+json");
        let is_problem = self.status() == status && media_type(self.header(&CONTENT_TYPE)) == "application/problem+json";
        self.expect(is_problem, expected())?;
        let problem: Problem =
            serde_json::from_slice(&self.body).map_err(|error| self.instead_of(format!("{}; but {error}", expected())))?;
        self.expect(problem.status == status && problem.kind == format!("/problems/{kind}"), expected())?;
        Ok(problem)
    }

    pub(crate) fn signed_in(&self, outcome: LoginOutcome) -> Result<SignedIn> {
        match outcome {
            LoginOutcome::SignedIn { user, session_id, auth_time, identity, new_user } => {
                Ok(SignedIn { user, session_id, auth_time, identity, new_user })
            }
            _ => Err(self.instead_of("the outcome signed_in")),
        }
    }

    fn retry_after(&self) -> Duration {
        let seconds = self.header(&reqwest::header::RETRY_AFTER).parse().unwrap_or(1);
        Duration::from_secs(seconds).min(PATIENCE)
    }
}

impl From<Ending> for Verdict {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Failed { sent, expected, came } => Self::Failed { sent, expected, came },
            Ending::NotOffered(why) => Self::NotOffered { why },
        }
    }
}

fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A text as one part of a path or a query.
pub(crate) fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str(&format!("… ({} bytes)", body.len()));
    }
    shown
}
