//! Who begins a login keeps a secret and tells only its hash, so that nobody else can collect what comes of it (RFC 7636,
//! S256).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// `BASE64URL(SHA-256(verifier))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// That of a verifier.
    pub fn of(verifier: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)))
    }

    /// As its owner wrote it: 43 characters in their only spelling, or nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hash = text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| hash.len() == 32);
        is_hash.then(|| Self(text.to_owned()))
    }

    /// Whether this is what it was made of.
    pub fn is_of(&self, verifier: &str) -> bool {
        Self::of(verifier).0.as_bytes().ct_eq(self.0.as_bytes()).into()
    }

    /// As it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether this can be a verifier: 22 to 128 characters that need no escape anywhere. 22 random ones hold 128 bits.
pub fn is_verifier(text: &str) -> bool {
    (22..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_verifier_fits() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert_eq!(Challenge::of(verifier), challenge);
        assert!(challenge.is_of(verifier) && is_verifier(verifier));
        for other in ["", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", challenge.as_str()] {
            assert!(!challenge.is_of(other), "{other}");
        }
    }

    #[test]
    fn a_challenge_has_one_spelling() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for odd in
            ["", "E9Mel", &format!("{good}="), &format!("{good}A"), &good.replace('-', "+"), &good.replace("cM", "cN"), &"é".repeat(43)]
        {
            assert_eq!(Challenge::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_verifier_is_long_enough_and_plain() {
        assert!(is_verifier(&"a".repeat(22)) && is_verifier(&"~._-".repeat(32)));
        for odd in ["a".repeat(21), "a".repeat(129), format!("{} ", "a".repeat(30)), "é".repeat(30), format!("{}+", "a".repeat(30))] {
            assert!(!is_verifier(&odd), "{odd}");
        }
    }
}
