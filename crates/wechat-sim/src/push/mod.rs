//! Message push (消息推送): what WeChat sends to an app's own server when something happens, signed, and encrypted where
//! the console says so (WeChat docs, "Message push" and "Message encryption and decryption").

mod acts;
pub(crate) mod deliver;
mod message;
mod reply;
mod request;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::crypto;

pub use deliver::{Attempt, Delivery, PushError, Verdict};
pub use message::Message;
pub use request::PushRequest;

/// 服务器配置, as an app's console has it, with how the simulator plays WeChat's side of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// Where messages go. WeChat takes ports 80 and 443 only; here any, but http alone.
    pub url: String,
    /// Where to connect in place of the url's host and port, which still stand in `Host`: one of several machines behind
    /// a name, or a name that nothing resolves.
    #[serde(default)]
    pub connect_to: Option<SocketAddr>,
    /// 3 to 32 letters and digits.
    pub token: String,
    /// 43 letters and digits; not needed in plain mode.
    #[serde(default)]
    pub encoding_aes_key: String,
    /// Whether messages are encrypted.
    #[serde(default)]
    pub mode: PushMode,
    /// XML, or JSON, which consoles offer to mini programs.
    #[serde(default)]
    pub format: PushFormat,
    /// How often a message is sent while it is not accepted.
    #[serde(default = "three")]
    pub attempts: u8,
    /// How long WeChat waits for an answer.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u64,
    /// How often an accepted message is sent once more all the same.
    #[serde(default)]
    pub duplicates: u8,
    /// Whether a repetition has the first one's timestamp, nonce and signatures; else it has new ones.
    #[serde(default)]
    pub repeats_verbatim: bool,
}

/// 消息加解密方式
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushMode {
    /// 明文模式: anybody who has seen one address can send any body to it.
    Plain,
    /// 兼容模式: in the clear, and once more encrypted.
    Compatible,
    /// 安全模式
    #[default]
    Safe,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushFormat {
    /// What official accounts get.
    #[default]
    Xml,
    /// What mini programs may have.
    Json,
}

impl Push {
    /// In safe mode, as XML, three times with 5 s each.
    pub fn safe(url: &str, token: &str, encoding_aes_key: &str) -> Self {
        Self {
            url: url.to_owned(),
            connect_to: None,
            token: token.to_owned(),
            encoding_aes_key: encoding_aes_key.to_owned(),
            mode: PushMode::Safe,
            format: PushFormat::Xml,
            attempts: three(),
            timeout_ms: five_seconds(),
            duplicates: 0,
            repeats_verbatim: false,
        }
    }

    /// In plain mode.
    pub fn plain(url: &str, token: &str) -> Self {
        Self { mode: PushMode::Plain, ..Self::safe(url, token, "") }
    }

    /// In compatible mode.
    pub fn compatible(url: &str, token: &str, encoding_aes_key: &str) -> Self {
        Self { mode: PushMode::Compatible, ..Self::safe(url, token, encoding_aes_key) }
    }

    /// Sends JSON.
    pub fn as_json(self) -> Self {
        Self { format: PushFormat::Json, ..self }
    }

    /// Sends every message once more, or more often, although it was accepted.
    pub fn duplicating(self, duplicates: u8) -> Self {
        Self { duplicates, ..self }
    }

    /// Connects to this address whatever the url says.
    pub fn through(self, address: SocketAddr) -> Self {
        Self { connect_to: Some(address), ..self }
    }

    /// Waits so long for an answer.
    pub fn waiting(self, timeout: Duration) -> Self {
        Self { timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), ..self }
    }

    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let url = Url::parse(&self.url).map_err(|_| "url is not a URL")?;
        if url.scheme() != "http" {
            return Err("url must begin with http://: the simulator speaks no TLS");
        }
        if !(3..=32).contains(&self.token.len()) || !self.token.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("token must be 3 to 32 letters and digits");
        }
        let needs_key = self.mode != PushMode::Plain;
        if needs_key && !crypto::push::is_encoding_aes_key(&self.encoding_aes_key) {
            return Err("encoding_aes_key must be 43 letters and digits");
        }
        if self.attempts == 0 || self.timeout_ms == 0 {
            return Err("attempts and timeout_ms must not be 0");
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

fn three() -> u8 {
    3
}

fn five_seconds() -> u64 {
    5_000
}
