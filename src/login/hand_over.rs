//! A session on its way from an app or a mini program to a web view, sealed: which session, where it is going, and what only
//! the holder of this can redeem, once.

use super::sealed_fields::{self, text, time};
use crate::config::Application;
use crate::http::Entropy;
use crate::session::{KeyRing, Purpose};

/// Seconds between the app that asks and the web view that opens.
pub const LIFETIME: u64 = 60;

/// With a longest session and target.
const MAX_TOKEN_BYTES: usize = 4096;

/// What the sealed token holds.
#[derive(Clone, PartialEq, Eq)]
pub struct HandOver {
    /// The resolver's name for it, which can be redeemed once.
    pub ticket: String,
    /// What the ticket's challenge was made of.
    pub verifier: String,
    /// The session's token, as the app has it.
    pub session: String,
    /// A path of the application.
    pub target: String,
    /// When it is over.
    pub expires_at: u64,
}

impl HandOver {
    /// The sealed token, good at one application. `None` only for a ring without keys.
    pub fn seal(&self, keys: &KeyRing, application: &Application, connector: &str, entropy: &mut Entropy) -> Option<String> {
        let expires_at = self.expires_at.to_string();
        let texts = [("t", &self.ticket), ("v", &self.verifier), ("s", &self.session), ("r", &self.target), ("e", &expires_at)];
        let texts = texts.map(|(name, text)| (name, text.as_str()));
        sealed_fields::seal(keys, Purpose::HandOver, entropy.bytes(), (&application.id, connector), &texts)
    }

    /// Reads a sealed token; `None` for whatever is not one of ours, for this application. It may be over.
    pub fn open(keys: &KeyRing, token: &[u8], application: &Application) -> Option<Self> {
        let fields = sealed_fields::open_at(keys, Purpose::HandOver, std::str::from_utf8(token).ok()?, MAX_TOKEN_BYTES, &application.id)?;
        Some(Self {
            ticket: text(&fields, "t")?,
            verifier: text(&fields, "v")?,
            session: text(&fields, "s")?,
            target: text(&fields, "r")?,
            expires_at: time(&fields, "e")?,
        })
    }
}
