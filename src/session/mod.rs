//! Sessions: what they hold, how they end, and the sealed token that carries them.

mod contents;
pub mod cookie;
mod known;
mod revocation;
mod seal;

pub use contents::{MAX_TOKEN_BYTES, Session, WechatIds};
pub use known::{Known, KnownSessions};
pub use revocation::Revocations;
pub use seal::{KeyError, KeyRing, Purpose, SealingKey};

#[cfg(test)]
pub(crate) use seal::tests::{key as test_key, key_text as test_key_text};
