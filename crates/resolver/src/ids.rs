//! The ids that the resolver makes up or is given: how they look, and where their randomness comes from.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::clock::Moment;

/// A user's id, a UUIDv7: stable for life, never given to anybody else.
pub type UserId = Uuid;

/// The operating system gave no random bytes.
pub use getrandom::Error as EntropyError;

/// A session's `sid`.
pub type SessionId = RandomToken<Session>;

/// What a [`SessionId`] names. The session itself is the filter's, sealed in a cookie.
#[derive(Clone, PartialEq, Eq)]
pub enum Session {}

/// Names something that nobody guesses: 128 random bits as 22 base64url characters. `Of` is what it names, so that the token of one thing
/// is not taken for another's. It is not printed: whoever has it may do something by it.
#[derive(Clone, PartialEq, Eq)]
pub struct RandomToken<Of>(String, PhantomData<Of>);

impl<Of> RandomToken<Of> {
    /// What [`RandomToken::parse`] accepts, for people.
    pub const EXPECTED: &str = "22 base64url characters";

    /// A token that nobody has seen before.
    pub fn random() -> Result<Self, EntropyError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random_bytes::<16>()?), PhantomData))
    }

    /// Reads a token; `None` for anything that [`RandomToken::random`] would not make.
    pub fn parse(text: &str) -> Option<Self> {
        is_random_token(text).then(|| Self(text.to_owned(), PhantomData))
    }

    /// The token itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<Of> fmt::Debug for RandomToken<Of> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RandomToken")
    }
}

/// Names one login.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// What [`IdempotencyKey::parse`] accepts, for people.
    pub const EXPECTED: &str = "64 lower-case hex digits";

    /// Reads a key; `None` for anything but 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// The key that this digest makes.
    pub(crate) fn of_digest(digest: &[u8; 32]) -> Self {
        Self(hex(digest))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A fresh UUIDv7: sorts roughly by `now`, and holds 74 random bits.
pub(crate) fn fresh_uuid(now: Moment) -> Result<Uuid, EntropyError> {
    let random = random_bytes::<10>()?;
    Ok(uuid::Builder::from_unix_timestamp_millis(now.millis(), &random).into_uuid())
}

/// Six digits, each as likely as any other.
pub(crate) fn random_code() -> Result<String, EntropyError> {
    // The last, incomplete million is not used: its codes would come a little more often.
    const COMPLETE: u32 = u32::MAX - u32::MAX % 1_000_000;
    loop {
        let number = u32::from_be_bytes(random_bytes()?);
        if number < COMPLETE {
            return Ok(format!("{:06}", number % 1_000_000));
        }
    }
}

/// Whether `text` looks like a [`RandomToken`].
pub(crate) fn is_random_token(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(is_base64url)
}

/// Whether base64url, without padding, has this character.
pub(crate) fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_is_22_characters_that_parse_again_and_are_not_printed() {
        let id = SessionId::random().unwrap();
        assert_eq!(SessionId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(format!("{id:?}"), "RandomToken");
        for wrong in ["", "short", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA+"] {
            assert_eq!(SessionId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_is_64_lower_case_hex_digits() {
        assert!(IdempotencyKey::parse(&"0f".repeat(32)).is_some());
        for wrong in [String::new(), "0F".repeat(32), "0f".repeat(31), "0g".repeat(32), "é".repeat(32)] {
            assert_eq!(IdempotencyKey::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_code_is_six_digits() {
        for _ in 0..100 {
            let code = random_code().unwrap();
            assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        }
    }

    #[test]
    fn a_uuid_is_of_version_7_and_carries_the_time_it_was_given() {
        let id = fresh_uuid(Moment::from_unix(Duration::from_millis(0x0123_4567_89ab))).unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert!(id.to_string().starts_with("01234567-89ab-7"), "{id}");
    }
}
