//! The two ways in which WeChat encrypts, and how it signs. Known answers for all of it are in `tests/stories/vectors.rs`.

mod blocks;
pub mod open_data;
pub mod push;

use sha1::{Digest, Sha1};

/// Why something does not decrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// A key or an IV of the wrong length or alphabet.
    #[error("the key or the IV is not base64 of the right length")]
    Key,
    /// Not base64 of whole blocks.
    #[error("the ciphertext is not base64 of whole blocks")]
    Ciphertext,
    /// Most often: another key.
    #[error("the padding is wrong")]
    Padding,
    /// The length inside goes beyond the end.
    #[error("the length inside is wrong")]
    Length,
    /// Encrypted for another app.
    #[error("it is for another app id")]
    AppId,
}

pub(crate) fn sha1_hex(parts: &[&str]) -> String {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
