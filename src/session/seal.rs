//! Sealing: turns a small plaintext into a compact token that only this deployment can read or make.
//!
//! A token is `wxg1.{key id}.{box}`. The box is base64url (no padding) over a random 24-byte nonce and an
//! XChaCha20-Poly1305 ciphertext. 24 bytes of nonce may be drawn at random by every worker without counting.
//! The associated data binds purpose, issuer and version, so a token made for one use or one deployment is noise
//! for another even where a key is shared by mistake.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

const VERSION: &str = "wxg1";
const NONCE_BYTES: usize = 24;

/// What a token is for. Tokens of one purpose never open as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A login that a native app has begun and not ended.
    AppAttempt,
    /// A login that has begun and not ended.
    Attempt,
    /// A scan that its person has not confirmed.
    Confirm,
    /// A login that a mini program hands back to the app that opened it.
    HandBack,
    /// A session that goes over to a web view.
    HandOver,
    /// A login that waits for its person's answer.
    Pending,
    /// A logged-in session.
    Session,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::AppAttempt => "app-attempt",
            Self::Attempt => "attempt",
            Self::Confirm => "confirm",
            Self::HandBack => "hand-back",
            Self::HandOver => "hand-over",
            Self::Pending => "pending",
            Self::Session => "session",
        }
    }
}

/// Why a session key cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not 32 bytes in base64url.
    Malformed,
    /// One that anybody could guess: all bytes alike or in sequence, or a key from this project's documentation.
    Weak,
}

/// One sealing key: 32 random bytes.
#[derive(Clone)]
pub struct SealingKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl SealingKey {
    /// Reads a key of 32 bytes, written as base64url with or without padding (plain base64 is accepted too).
    ///
    /// # Errors
    /// [`KeyError`] when it is not 32 bytes, or when it is plainly not random.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let trimmed = text.trim().trim_end_matches('=');
        let bytes = URL_SAFE_NO_PAD.decode(trimmed).or_else(|_| STANDARD.decode(text.trim())).map_err(|_| KeyError::Malformed)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Malformed)?;
        if is_weak(&bytes) {
            return Err(KeyError::Weak);
        }
        let mut hash = Sha256::new();
        hash.update(b"wxgate sealing key id\0");
        hash.update(bytes);
        let id = URL_SAFE_NO_PAD.encode(hash.finalize()).chars().take(6).collect();
        Ok(Self { id, cipher: XChaCha20Poly1305::new(&bytes.into()) })
    }

    /// The key's public name: it appears in tokens, says nothing of the key, and differs between keys.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// 32 random bytes hold about 30 different values; sequences, repeats, words and text keys do not look like that.
fn is_weak(bytes: &[u8; 32]) -> bool {
    let mut seen = [false; 256];
    let distinct = bytes.iter().filter(|byte| seen.get_mut(usize::from(**byte)).is_some_and(|slot| !std::mem::replace(slot, true))).count();
    let steps_alike = bytes.windows(3).all(|w| matches!(w, [a, b, c] if b.wrapping_sub(*a) == c.wrapping_sub(*b)));
    distinct < 16 || steps_alike || bytes.iter().all(u8::is_ascii_graphic)
}

/// The keys of a deployment: the first seals, all of them open, so keys are rotated without a logout.
#[derive(Clone)]
pub struct KeyRing {
    issuer: String,
    keys: Vec<SealingKey>,
}

impl KeyRing {
    /// A ring whose first key seals. `issuer` is bound into every token.
    pub fn new(issuer: impl Into<String>, keys: Vec<SealingKey>) -> Self {
        Self { issuer: issuer.into(), keys }
    }

    /// Seals `plaintext` with the first key. `nonce` must be fresh and random.
    ///
    /// `None` only for a ring without keys, which a compiled configuration never has.
    pub fn seal(&self, purpose: Purpose, nonce: [u8; NONCE_BYTES], plaintext: &[u8]) -> Option<String> {
        let key = self.keys.first()?;
        let aad = self.associated_data(purpose);
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: &aad }).ok()?;
        let mut boxed = Vec::with_capacity(NONCE_BYTES + sealed.len());
        boxed.extend_from_slice(&nonce);
        boxed.extend_from_slice(&sealed);
        Some(format!("{VERSION}.{}.{}", key.id, URL_SAFE_NO_PAD.encode(boxed)))
    }

    /// Opens a token. One answer, `None`, for everything that is not a token of ours for this purpose, so that a
    /// client learns nothing from trying. Only the canonical spelling opens: the decoder refuses padding and
    /// non-zero trailing bits, so one session has one token.
    pub fn open(&self, purpose: Purpose, token: &[u8]) -> Option<Vec<u8>> {
        let rest = token.strip_prefix(VERSION.as_bytes())?.strip_prefix(b".")?;
        let dot = rest.iter().position(|byte| *byte == b'.')?;
        let (id, boxed) = rest.split_at_checked(dot)?;
        let key = self.keys.iter().find(|key| key.id.as_bytes() == id)?;
        let boxed = URL_SAFE_NO_PAD.decode(boxed.get(1..)?).ok()?;
        let (nonce, sealed) = boxed.split_first_chunk::<NONCE_BYTES>()?;
        let aad = self.associated_data(purpose);
        key.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad }).ok()
    }

    /// Length-prefixed, so that no two (purpose, issuer) pairs read alike.
    fn associated_data(&self, purpose: Purpose) -> Vec<u8> {
        let mut aad = Vec::with_capacity(32 + self.issuer.len());
        for part in [VERSION, purpose.label(), &self.issuer] {
            aad.extend_from_slice(&(part.len() as u32).to_be_bytes());
            aad.extend_from_slice(part.as_bytes());
        }
        aad
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn key_text(seed: u8) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest([seed]))
    }

    pub(crate) fn key(seed: u8) -> SealingKey {
        SealingKey::parse(&key_text(seed)).unwrap()
    }

    fn ring(issuer: &str, seeds: &[u8]) -> KeyRing {
        KeyRing::new(issuer, seeds.iter().copied().map(key).collect())
    }

    #[test]
    fn what_is_sealed_opens_again() {
        let ring = ring("https://shop.example.com", &[1]);
        let token = ring.seal(Purpose::Session, [7; 24], b"hello").unwrap();
        assert!(token.starts_with("wxg1."));
        assert_eq!(ring.open(Purpose::Session, token.as_bytes()).unwrap(), b"hello");
    }

    #[test]
    fn a_token_of_another_purpose_issuer_or_key_is_noise() {
        let shop = ring("https://shop.example.com", &[1]);
        let token = shop.seal(Purpose::Attempt, [7; 24], b"hello").unwrap();
        assert!(shop.open(Purpose::Session, token.as_bytes()).is_none());
        assert!(ring("https://stage.example.com", &[1]).open(Purpose::Attempt, token.as_bytes()).is_none());
        assert!(ring("https://shop.example.com", &[2]).open(Purpose::Attempt, token.as_bytes()).is_none());
    }

    #[test]
    fn keys_rotate_without_a_logout() {
        let before = ring("i", &[1]).seal(Purpose::Session, [1; 24], b"old").unwrap();
        let rotated = ring("i", &[2, 1]);
        assert_eq!(rotated.open(Purpose::Session, before.as_bytes()).unwrap(), b"old");
        let after = rotated.seal(Purpose::Session, [2; 24], b"new").unwrap();
        assert!(ring("i", &[1]).open(Purpose::Session, after.as_bytes()).is_none());
        assert!(ring("i", &[2]).open(Purpose::Session, before.as_bytes()).is_none());
    }

    #[test]
    fn weak_and_malformed_keys_are_refused() {
        let refused = |bytes: &[u8]| SealingKey::parse(&URL_SAFE_NO_PAD.encode(bytes)).err();
        assert_eq!(refused(&[0; 32]), Some(KeyError::Weak));
        assert_eq!(refused(&std::array::from_fn::<u8, 32, _>(|i| i as u8)), Some(KeyError::Weak));
        assert_eq!(refused(b"change-me-change-me-change-me-ch"), Some(KeyError::Weak));
        assert_eq!(refused(&[9; 31]), Some(KeyError::Malformed));
        assert_eq!(SealingKey::parse("not base64!").err(), Some(KeyError::Malformed));
    }

    #[test]
    fn only_the_canonical_spelling_opens() {
        let ring = ring("i", &[1]);
        // 24 + 16 + 3 bytes: two bits of the last character carry nothing.
        let token = ring.seal(Purpose::Session, [1; 24], b"abc").unwrap();
        for other in [format!("{token}="), format!("{token}A"), format!(" {token}"), token.replace("wxg1", "WXG1")] {
            assert!(ring.open(Purpose::Session, other.as_bytes()).is_none(), "{other}");
        }
        let last = *token.as_bytes().last().unwrap();
        for bit in 0..6 {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let index = alphabet.iter().position(|c| *c == last).unwrap() ^ (1 << bit);
            let mut changed = token.clone().into_bytes();
            *changed.last_mut().unwrap() = alphabet[index];
            assert!(ring.open(Purpose::Session, &changed).is_none());
        }
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_noise(at in 0usize..80, flip in 1u8..=255) {
            let ring = ring("i", &[1]);
            let mut token = ring.seal(Purpose::Session, [1; 24], b"a session of somebody").unwrap().into_bytes();
            let at = at % token.len();
            token[at] ^= flip;
            prop_assert!(ring.open(Purpose::Session, &token).is_none());
        }

        #[test]
        fn no_bytes_make_it_panic(token in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ring("i", &[1]).open(Purpose::Session, &token).is_none());
        }
    }
}
