//! Codes by SMS: an operator's own service is told, which knows a carrier. docs/operations.md says what it gets.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, Mac};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Serialize;
use sha2::Sha256;

use super::message::Secret;
use super::{DeliveryError, Message};
use crate::ids;

/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before the one repetition.
const PAUSE: Duration = Duration::from_millis(500);

/// The shortest secret that is accepted, in characters.
pub const SHORTEST_SECRET: usize = 32;

/// Tells a service which code to send to whom.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
    url: Url,
    secret: Secret,
    template: Option<String>,
}

/// What the service gets.
#[derive(Serialize)]
struct Body<'a> {
    /// The same when a message is repeated.
    id: String,
    to: &'a str,
    code: &'a str,
    language: &'static str,
    application: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<&'a str>,
    text: String,
    expires_in: u64,
}

impl Webhook {
    /// Posts to `url`, signs with `secret`, and passes on `template` for the carriers that want one.
    ///
    /// # Errors
    ///
    /// The URL is not one of http or https, or the secret can be guessed.
    pub fn new(url: &str, secret: &str, template: Option<String>) -> Result<Self, DeliveryError> {
        let wrong = || DeliveryError("expected an address such as https://sms.example.com/send".to_owned());
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(wrong)?;
        if secret.len() < SHORTEST_SECRET {
            let expected = format!("expected at least {SHORTEST_SECRET} characters; make one with `openssl rand -hex 32`");
            return Err(DeliveryError(expected));
        }
        let client = Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
        let client = client.map_err(|_| DeliveryError("the HTTP client could not be made".to_owned()))?;
        Ok(Self { client, url, secret: Secret(secret.to_owned()), template })
    }

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// It was not taken.
    pub async fn send(&self, message: &Message) -> Result<(), DeliveryError> {
        let id = ids::fresh_uuid(message.asked_at).map_err(|error| DeliveryError(format!("no random bytes: {error}")))?;
        let body = Body {
            id: id.to_string(),
            to: message.to.as_str(),
            code: &message.code.0,
            language: message.language.tag(),
            application: &message.application,
            template: self.template.as_deref(),
            text: message.text(),
            expires_in: message.expires_in,
        };
        let body = serde_json::to_string(&body).map_err(|_| DeliveryError("the message could not be written".to_owned()))?;
        let timestamp = message.asked_at.seconds().to_string();
        match self.post(&timestamp, &body).await {
            Err(Outcome::Again(_)) => {
                tokio::time::sleep(PAUSE).await;
                self.post(&timestamp, &body).await
            }
            outcome => outcome,
        }
        .map_err(|(Outcome::Again(reason) | Outcome::Never(reason))| DeliveryError(reason))
    }

    async fn post(&self, timestamp: &str, body: &str) -> Result<(), Outcome> {
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("x-wxgate-timestamp", timestamp)
            .header("x-wxgate-signature", format!("v1={}", self.sign(timestamp, body)))
            .body(body.to_owned());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let reason = format!("the webhook answered {}", status.as_u16());
                let is_passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                Err(if is_passing { Outcome::Again(reason) } else { Outcome::Never(reason) })
            }
            // The error's own words hold the URL, which may hold a key.
            Err(error) if error.is_timeout() => Err(Outcome::Again("the webhook took too long".to_owned())),
            Err(_) => Err(Outcome::Again("the webhook was not reached".to_owned())),
        }
    }

    /// HMAC-SHA256 of `timestamp.body`, in hex.
    fn sign(&self, timestamp: &str, body: &str) -> String {
        // A key of any length will do, says RFC 2104; the type of the error does not know.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.0.as_bytes()) else {
            return String::new();
        };
        for part in [timestamp, ".", body] {
            mac.update(part.as_bytes());
        }
        ids::hex(&mac.finalize().into_bytes())
    }
}

/// What became of one attempt.
enum Outcome {
    /// It may go better the next time.
    Again(String),
    /// It will not.
    Never(String),
}

impl fmt::Debug for Webhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Webhook")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a3f1c87e5b0d49268e7f1a2b3c4d5e6f";

    #[test]
    fn what_cannot_be_used_is_refused_without_repeating_it() {
        for url in ["", "sms.example.com", "ftp://CANARY.example.com", "https://"] {
            let error = Webhook::new(url, SECRET, None).unwrap_err().to_string();
            assert!(error.starts_with("expected an address") && !error.contains("CANARY"), "{error}");
        }
        let error = Webhook::new("https://sms.example.com/", "CANARY", None).unwrap_err().to_string();
        assert!(error.starts_with("expected at least 32 characters") && !error.contains("CANARY"), "{error}");
    }

    /// The example of docs/operations.md.
    #[test]
    fn a_signature_is_hmac_sha256_over_time_stamp_and_body() {
        let webhook = Webhook::new("https://sms.example.com/", SECRET, None).unwrap();
        // printf '1800000000.{"to":"+8613800138000"}' | openssl dgst -sha256 -hmac a3f1c87e5b0d49268e7f1a2b3c4d5e6f
        let expected = "73369099464ed6685bd99527a266c1fbb787b21cd7a9274a181ce13be871921d";
        assert_eq!(webhook.sign("1800000000", r#"{"to":"+8613800138000"}"#), expected);
    }
}
