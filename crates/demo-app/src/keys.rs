//! The gate's public keys: fetched from its JWKS address, kept, and fetched again when that can be of use.

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::sync::Mutex;

/// As long as the gate says that its answer may be kept. After that a key that it no longer publishes stops counting.
const KEEP: Duration = Duration::from_secs(300);
/// While the gate does not answer, the keys that are known are better than an outage; but not for ever.
const KEEP_IN_AN_OUTAGE: Duration = Duration::from_secs(3600);
/// Tokens with made-up key ids must not turn into a flood of requests.
const BETWEEN_FETCHES: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(2);
/// A key takes about 200 bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

pub(crate) struct Keys {
    url: String,
    client: reqwest::Client,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    set: Option<(JwkSet, Instant)>,
    tried_at: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// The gate publishes no such key.
    Unknown,
    /// The gate's keys are not known.
    Unavailable,
}

impl Keys {
    pub(crate) fn new(url: String) -> Result<Self, reqwest::Error> {
        // A redirect would let whoever can send one choose the keys. A proxy has no business here either.
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { url, client, known: Mutex::default() })
    }

    /// The key with this id. One request at a time fetches; those that wait for it find what it brought.
    pub(crate) async fn find(&self, kid: &str) -> Result<Jwk, KeyError> {
        let mut known = self.known.lock().await;
        if let Some(jwk) = known.get(kid, KEEP) {
            return Ok(jwk);
        }
        if known.tried_at.is_none_or(|tried_at| tried_at.elapsed() >= BETWEEN_FETCHES) {
            known.tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(set) => known.set = Some((set, Instant::now())),
                Err(error) => tracing::warn!(url = self.url, error, "the gate's keys could not be fetched"),
            }
        }
        if known.set.as_ref().is_none_or(|(_, fetched_at)| fetched_at.elapsed() >= KEEP_IN_AN_OUTAGE) {
            return Err(KeyError::Unavailable);
        }
        known.get(kid, KEEP_IN_AN_OUTAGE).ok_or(KeyError::Unknown)
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        // No address and no body in the message: both may be anything.
        let text = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.client.get(&self.url).send().await.map_err(text)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!("status {}", answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(text)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err("the answer is too long".to_owned());
            }
        }
        serde_json::from_slice(&body).map_err(|_| "the answer is no JWK set".to_owned())
    }
}

impl Known {
    fn get(&self, kid: &str, keep: Duration) -> Option<Jwk> {
        let (set, fetched_at) = self.set.as_ref()?;
        if fetched_at.elapsed() >= keep {
            return None;
        }
        set.find(kid).cloned()
    }
}
