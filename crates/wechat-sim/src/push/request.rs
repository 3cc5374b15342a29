//! One POST of WeChat's: the message, encrypted and signed as the app's console says.

use serde::Serialize;
use url::form_urlencoded::byte_serialize;

use super::{Message, Push, PushFormat, PushMode};
use crate::crypto::{CryptoError, push as crypt};
use crate::random;

/// What goes over the wire. Nothing hinders a test from sending it again, or something like it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PushRequest {
    /// With its whole query.
    pub url: String,
    /// `text/xml`, or `application/json`.
    pub content_type: &'static str,
    /// As sent.
    pub body: String,
}

impl PushRequest {
    /// The POST for an app with this configuration, at this time. The configuration need not be the app's.
    pub fn seal(push: &Push, appid: &str, message: &Message, now: u64) -> Result<Self, CryptoError> {
        let (timestamp, nonce) = (now.to_string(), random::digits(9));
        let mut query = vec![
            ("signature", crypt::signature(&[&push.token, &timestamp, &nonce])),
            ("timestamp", timestamp.clone()),
            ("nonce", nonce.clone()),
            ("openid", message.from.clone()),
        ];
        let body = match push.mode {
            PushMode::Plain => message.write(push.format, None),
            PushMode::Compatible | PushMode::Safe => {
                let clear = message.write(push.format, None);
                let encrypted = crypt::encrypt(&push.encoding_aes_key, &random::lower_hex(16), &clear, appid)?;
                query.push(("encrypt_type", "aes".to_owned()));
                query.push(("msg_signature", crypt::signature(&[&push.token, &timestamp, &nonce, &encrypted])));
                match push.mode {
                    PushMode::Safe => message.write_envelope(push.format, &encrypted),
                    _ => message.write(push.format, Some(&encrypted)),
                }
            }
        };
        let content_type = match push.format {
            PushFormat::Xml => "text/xml",
            PushFormat::Json => "application/json",
        };
        Ok(Self { url: with_query(&push.url, &query), content_type, body })
    }
}

/// The GET by which WeChat makes sure that an address is its owner's. Never encrypted, in no mode.
pub(super) fn verification(push: &Push, now: u64) -> (String, String) {
    let (timestamp, nonce, echostr) = (now.to_string(), random::digits(9), random::digits(19));
    let signature = crypt::signature(&[&push.token, &timestamp, &nonce]);
    let query = [("signature", signature), ("echostr", echostr.clone()), ("timestamp", timestamp), ("nonce", nonce)];
    (with_query(&push.url, &query), echostr)
}

fn with_query(url: &str, pairs: &[(&str, String)]) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let encoded = pairs.iter().map(|(name, value)| format!("{name}={}", byte_serialize(value.as_bytes()).collect::<String>()));
    format!("{url}{separator}{}", encoded.collect::<Vec<_>>().join("&"))
}
