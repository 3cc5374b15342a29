//! Message push: what WeChat sends to an app's server when somebody follows, scans, writes or withdraws their consent, and
//! what it takes for an answer (WeChat documents, "Message push", "Receive event pushes", "Passive reply").
//!
//! Every push is signed in its address. In safe mode a second signature covers the message, which is encrypted; in
//! compatible mode the same message stands in clear beside it, where anybody may have changed it: that is never read. In
//! plain mode nothing covers the message, so whoever has seen one address can write another one to it.

mod crypt;
mod fields;

use resolver_api::tickets::Withdrawal;

use super::answer::is_id;
use crate::config::{Push, PushMode};
use crate::http::{Entropy, Parameter, query_parameter};
use crate::secret::Secret;
use crypt::Key;
use fields::{Fields, Format, Part};

/// A push that was signed longer ago, or so much ahead of our clock, has no effect.
const WINDOW_SECONDS: u64 = 600;

/// WeChat's are of 9 or 10 digits.
const MAX_WORD_BYTES: usize = 64;

/// WeChat's are of 19 digits.
const MAX_ECHO_BYTES: usize = 256;

/// The longest text that WeChat delivers.
pub const MAX_TEXT_BYTES: usize = 2048;

/// The signed part of a push's address.
pub struct Address {
    timestamp: Vec<u8>,
    nonce: Vec<u8>,
    signature: Vec<u8>,
    message_signature: Vec<u8>,
}

impl Address {
    /// Reads it; `None` where a part is missing, stands there twice, or is none of WeChat's.
    pub fn read(raw_path: &[u8]) -> Option<Self> {
        let find = |name, max| match query_parameter(raw_path, name) {
            Parameter::Once(value) if (1..=max).contains(&value.len()) => Some(value),
            _ => None,
        };
        Some(Self {
            timestamp: find("timestamp", 20).filter(|time| time.iter().all(u8::is_ascii_digit))?,
            nonce: find("nonce", MAX_WORD_BYTES)?,
            signature: find("signature", MAX_WORD_BYTES)?,
            // Only messages have one, and in plain mode none has.
            message_signature: match query_parameter(raw_path, "msg_signature") {
                Parameter::Absent => Vec::new(),
                _ => find("msg_signature", MAX_WORD_BYTES)?,
            },
        })
    }

    /// Whether somebody who knows the token has signed it.
    pub fn is_signed(&self, token: &Secret) -> bool {
        crypt::is_signature(&self.signature, &[token.expose().as_bytes(), &self.timestamp, &self.nonce])
    }

    /// Whether it was signed just now, by both clocks.
    pub fn is_recent(&self, now: u64) -> bool {
        let signed_at = std::str::from_utf8(&self.timestamp).ok().and_then(|time| time.parse::<u64>().ok());
        signed_at.is_some_and(|signed_at| signed_at.abs_diff(now) <= WINDOW_SECONDS)
    }

    fn covers(&self, encrypted: &[u8], token: &Secret) -> bool {
        crypt::is_signature(&self.message_signature, &[token.expose().as_bytes(), &self.timestamp, &self.nonce, encrypted])
    }
}

/// What WeChat wants to read back when it makes sure that an address is its owner's.
pub fn echo(raw_path: &[u8]) -> Option<Vec<u8>> {
    match query_parameter(raw_path, "echostr") {
        Parameter::Once(echo) if (1..=MAX_ECHO_BYTES).contains(&echo.len()) && echo.iter().all(u8::is_ascii_graphic) => Some(echo),
        _ => None,
    }
}

/// Why a body is no message.
#[derive(Debug, PartialEq, Eq)]
pub enum Unopened {
    /// No signature covers it: it is not WeChat's.
    Unsigned,
    /// It cannot be read, for this reason.
    Unreadable {
        /// For the operator.
        detail: &'static str,
        /// Whether it is WeChat's all the same, as far as its mode can say.
        is_signed: bool,
    },
}

/// A message that WeChat has sent, or, in plain mode, somebody who has seen one of its addresses.
pub struct Message {
    fields: Fields,
    format: Format,
    /// What opened it; its reply is encrypted under the same.
    key: Option<Key>,
}

/// What has happened, as far as a login is concerned.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A person has scanned a code of ours, or something that looks like one.
    Scanned {
        /// Who.
        openid: String,
        /// What the code said: 22 base64url characters.
        ticket: String,
        /// Whether they began to follow the account by it.
        is_new: bool,
    },
    /// A person's consent to an app is over.
    Withdrawn {
        /// Which app.
        app_id: String,
        /// Who, in that app.
        openid: String,
        /// Who, on its platform.
        unionid: Option<String>,
        /// What happened.
        reason: Withdrawal,
        /// When.
        at: u64,
    },
    /// Nothing to us.
    Other,
}

impl Message {
    /// Opens a message, whose [`Address`] has to be signed.
    ///
    /// # Errors
    /// [`Unopened`]. In safe and compatible mode nothing of what is in it has been looked at then.
    pub fn open(push: &Push, app_id: &str, address: &Address, body: &[u8]) -> Result<Self, Unopened> {
        let unreadable = |is_signed| move |detail| Unopened::Unreadable { detail, is_signed };
        if push.mode == PushMode::Plain {
            let (fields, format) = Fields::parse(body).map_err(unreadable(true))?;
            return Ok(Self { fields, format, key: None });
        }
        let (envelope, _) = Fields::parse(body).map_err(unreadable(false))?;
        let encrypted = envelope.find("Encrypt").unwrap_or_default().as_bytes();
        if encrypted.is_empty() || !address.covers(encrypted, &push.token) {
            return Err(Unopened::Unsigned);
        }
        let mut keys = push.keys.iter().filter_map(|key| Key::parse(key.expose()));
        let opened = keys.find_map(|key| key.decrypt(encrypted, app_id).map(|message| (key, message)));
        let no_key = "none of encoding_aes_keys opens it, or it is for another app than app_id";
        let (key, message) = opened.ok_or(no_key).map_err(unreadable(true))?;
        let (fields, format) = Fields::parse(&message).map_err(unreadable(true))?;
        Ok(Self { fields, format, key: Some(key) })
    }

    /// What has happened.
    pub fn event(&self) -> Event {
        if self.fields.find("MsgType") != Some("event") {
            return Event::Other;
        }
        let event = match self.fields.find("Event") {
            // The prefix stands there once, and only for whoever has just begun to follow.
            Some("subscribe") => self.scanned(true, self.fields.find("EventKey").and_then(|key| key.strip_prefix("qrscene_"))),
            Some("SCAN") => self.scanned(false, self.fields.find("EventKey")),
            Some("user_authorization_revoke") => self.withdrawn(Withdrawal::Revoked),
            Some("user_authorization_cancellation") => self.withdrawn(Withdrawal::Cancelled),
            _ => None,
        };
        event.unwrap_or(Event::Other)
    }

    fn scanned(&self, is_new: bool, ticket: Option<&str>) -> Option<Event> {
        let is_ticket = |ticket: &&str| ticket.len() == 22 && is_id(ticket);
        Some(Event::Scanned { openid: self.id("FromUserName")?, ticket: ticket.filter(is_ticket)?.to_owned(), is_new })
    }

    /// The person is in `OpenID`: `FromUserName` is an account of WeChat's own.
    fn withdrawn(&self, reason: Withdrawal) -> Option<Event> {
        Some(Event::Withdrawn {
            app_id: self.id("AppID")?,
            openid: self.id("OpenID")?,
            unionid: self.id("UnionID"),
            reason,
            at: self.fields.find("CreateTime")?.parse().ok()?,
        })
    }

    fn id(&self, name: &str) -> Option<String> {
        self.fields.find(name).filter(|id| is_id(id)).map(str::to_owned)
    }

    /// A text for whoever sent the message: content type and body, encrypted where the message was. `None` where
    /// nobody could be answered.
    pub fn reply(&self, push: &Push, app_id: &str, text: &str, now: u64, entropy: &mut Entropy) -> Option<(&'static str, String)> {
        let (to, from) = (self.id("FromUserName")?, self.id("ToUserName")?);
        let reply = self.format.write(&[
            ("ToUserName", Part::Text(&to)),
            ("FromUserName", Part::Text(&from)),
            ("CreateTime", Part::Number(now)),
            ("MsgType", Part::Text("text")),
            ("Content", Part::Text(text)),
        ]);
        let reply = match &self.key {
            Some(key) => {
                let nonce = u64::from_be_bytes(entropy.bytes()).to_string();
                envelope(self.format, &push.token, &key.encrypt(entropy.bytes(), reply.as_bytes(), app_id)?, now, &nonce)
            }
            None => reply,
        };
        Some((self.format.content_type(), reply))
    }
}

/// An encrypted reply, signed.
fn envelope(format: Format, token: &Secret, encrypted: &str, now: u64, nonce: &str) -> String {
    let timestamp = now.to_string();
    let signature = crypt::signature(&[token.expose().as_bytes(), timestamp.as_bytes(), nonce.as_bytes(), encrypted.as_bytes()]);
    format.write(&[
        ("Encrypt", Part::Text(encrypted)),
        ("MsgSignature", Part::Text(&signature)),
        ("TimeStamp", Part::Number(now)),
        ("Nonce", Part::Text(nonce)),
    ])
}

#[cfg(test)]
pub(crate) mod tests;
