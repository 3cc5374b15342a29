//! Signing keys of the identity header, and their public halves.
//!
//! Signing is all that a filter does with them: a JWS in its compact spelling (RFC 7515) is three lines, so no JWT library is carried
//! into every worker. Those that check it are other people's, and so are the ones in the tests.

use crate::json::object;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::private_key;

/// How the identity header is signed. RS256 is left out on purpose: one signature blocks a worker for 11 ms inside V8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 (RFC 7518); every JWT library knows it.
    Es256,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

/// A private key whose `kid` is its RFC 7638 thumbprint.
pub struct SigningKey {
    pair: Pair,
    key_id: String,
    /// The public half (RFC 7517).
    jwk: Value,
    /// The JWS header as it stands in every token, with the dot.
    header: String,
}

enum Pair {
    Es256(Box<p256::ecdsa::SigningKey>),
    EdDsa(Box<ed25519_compact::KeyPair>),
}

/// The text is not a PKCS#8 PEM private key of the algorithm.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAKey;

impl SigningKey {
    /// Reads a PKCS#8 PEM private key. Environment variables often cannot hold line breaks, so `\n` written out is
    /// read as one.
    ///
    /// # Errors
    /// [`NotAKey`] when it is anything else.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, NotAKey> {
        let key = private_key::from_pem(algorithm, pem).ok_or(NotAKey)?;
        let pair = Pair::new(algorithm, &key.secret).ok_or(NotAKey)?;
        let public = pair.public();
        // A text that was damaged, or put together by hand.
        if key.public.is_some_and(|named| named != public) {
            return Err(NotAKey);
        }
        Ok(Self::new(algorithm, pair, &public))
    }

    fn new(algorithm: Algorithm, pair: Pair, public: &[u8]) -> Self {
        let mut jwk = public_jwk(algorithm, public);
        // RFC 7638 3.2 and RFC 8037 appendix A.3: of exactly these members, without white space.
        let key_id = URL_SAFE_NO_PAD.encode(Sha256::digest(jwk.to_string()));
        let name = algorithm.name();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), key_id.clone().into());
            members.insert("use".into(), "sig".into());
            members.insert("alg".into(), name.into());
        }
        let header = object!({"alg": name, "typ": "JWT", "kid": key_id.as_str()}).to_string();
        let header = format!("{}.", URL_SAFE_NO_PAD.encode(header));
        Self { pair, key_id, jwk, header }
    }

    /// A new key as PKCS#8 PEM, made of 32 random bytes; `None` for the one in 2³² that are no ES256 key.
    pub fn new_pem(algorithm: Algorithm, random: &[u8; 32]) -> Option<String> {
        let pair = Pair::new(algorithm, random)?;
        Some(private_key::to_pem(algorithm, random, &pair.public()))
    }

    /// The RFC 7638 thumbprint.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Signs `claims`; `None` if a library fails, which no input of ours makes it do.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let mut token = self.header.clone();
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }
}

impl Pair {
    fn new(algorithm: Algorithm, secret: &[u8; 32]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Es256 => Self::Es256(Box::new(p256::ecdsa::SigningKey::from_slice(secret).ok()?)),
            Algorithm::EdDsa => Self::EdDsa(Box::new(ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new(*secret)))),
        })
    }

    /// The point of an ES256 key, uncompressed (SEC 1, 2.3.3), or the 32 bytes of an Ed25519 key.
    fn public(&self) -> Vec<u8> {
        match self {
            Self::Es256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::EdDsa(pair) => pair.pk.to_vec(),
        }
    }

    /// Both make the number that must never come twice out of key and message (RFC 6979, RFC 8032), so signing needs no randomness.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        match self {
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(message).ok()?;
                Some(signature.to_bytes().into())
            }
            Self::EdDsa(pair) => Some(*pair.sk.sign(message, None)),
        }
    }
}

/// The members that make the key (RFC 7518 6.2.1, RFC 8037 2), in the order of their names, as the thumbprint wants them.
fn public_jwk(algorithm: Algorithm, public: &[u8]) -> Value {
    match algorithm {
        Algorithm::Es256 => {
            let (x, y) = public.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
            object!({"crv": "P-256", "kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
        }
        Algorithm::EdDsa => object!({"crv": "Ed25519", "kty": "OKP", "x": URL_SAFE_NO_PAD.encode(public)}),
    }
}

impl Algorithm {
    /// The `alg` value of RFC 7518 and RFC 8037.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// The JWK Set (RFC 7517) that verifiers need: every configured key, so that rotation needs no pause.
pub fn jwks(rules: &crate::config::IdentityRules) -> Value {
    let keys: Vec<_> = rules.keys.iter().map(|key| key.jwk.clone()).collect();
    object!({"keys": keys})
}

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::*;

    use serde_json::json;

    use super::*;

    fn pem(algorithm: Algorithm, byte: u8) -> String {
        SigningKey::new_pem(algorithm, &[byte; 32]).unwrap()
    }

    #[test]
    fn others_verify_what_is_signed_and_find_the_key_by_the_same_name() {
        let claims = json!({"sub": "usr_1", "name": "林小满 🌱", "iat": 1_767_225_600, "exp": 1_767_225_720});
        let options = || Some(VerificationOptions { artificial_time: Some(UnixTimeStamp::from_secs(1_767_225_660)), ..Default::default() });

        let ours = SigningKey::from_pem(Algorithm::Es256, &pem(Algorithm::Es256, 7)).unwrap();
        let theirs = ES256KeyPair::from_pem(&pem(Algorithm::Es256, 7)).unwrap().public_key();
        let token = ours.sign(&claims).unwrap();
        assert_eq!(theirs.verify_token::<NoCustomClaims>(&token, options()).unwrap().subject.as_deref(), Some("usr_1"));
        assert_eq!(ours.key_id(), theirs.jwk_thumbprint());
        let published = ES256PublicKey::from_jwk(&ours.jwk.to_string()).unwrap();
        assert!(published.verify_token::<NoCustomClaims>(&token, options()).is_ok());
        let header = Token::decode_metadata(&token).unwrap();
        assert_eq!((header.algorithm(), header.key_id(), header.signature_type()), ("ES256", Some(ours.key_id()), Some("JWT")));

        let ours = SigningKey::from_pem(Algorithm::EdDsa, &pem(Algorithm::EdDsa, 7)).unwrap();
        let theirs = Ed25519KeyPair::from_pem(&pem(Algorithm::EdDsa, 7)).unwrap().public_key();
        let token = ours.sign(&claims).unwrap();
        assert_eq!(theirs.verify_token::<NoCustomClaims>(&token, options()).unwrap().subject.as_deref(), Some("usr_1"));
        assert_eq!(ours.key_id(), theirs.jwk_thumbprint());
        let published = Ed25519PublicKey::from_jwk(&ours.jwk.to_string()).unwrap();
        assert!(published.verify_token::<NoCustomClaims>(&token, options()).is_ok());
        assert_eq!(Token::decode_metadata(&token).unwrap().algorithm(), "EdDSA");
    }

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let pair = Pair::new(Algorithm::EdDsa, &[1; 32]).unwrap();
        assert_eq!(SigningKey::new(Algorithm::EdDsa, pair, &public).key_id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let refused = |algorithm, pem: &str| SigningKey::from_pem(algorithm, pem).err() == Some(NotAKey);
        assert!(refused(Algorithm::Es256, "no key"));
        assert!(refused(Algorithm::Es256, &pem(Algorithm::EdDsa, 7)));
        assert!(refused(Algorithm::EdDsa, &pem(Algorithm::Es256, 7)));
        // The private half of one key with the public half of another.
        let other = Pair::new(Algorithm::Es256, &[8; 32]).unwrap().public();
        assert!(refused(Algorithm::Es256, &private_key::to_pem(Algorithm::Es256, &[7; 32], &other)));
        // Zero, and the order of the group and more, are no private keys.
        for secret in [[0; 32], [0xff; 32]] {
            assert_eq!(SigningKey::new_pem(Algorithm::Es256, &secret), None);
            let point = Pair::new(Algorithm::Es256, &[7; 32]).unwrap().public();
            assert!(refused(Algorithm::Es256, &private_key::to_pem(Algorithm::Es256, &secret, &point)));
        }
    }
}
