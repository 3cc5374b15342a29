//! Signing keys of the identity header, and their public halves.

use jwt_simple::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    jwk: serde_json::Value,
}

enum Pair {
    Es256(Box<ES256KeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
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
        let pem = pem.trim().replace("\\n", "\n");
        let (pair, key_id, jwk) = match algorithm {
            Algorithm::Es256 => {
                let pair = ES256KeyPair::from_pem(&pem).map_err(|_| NotAKey)?;
                let public = pair.public_key();
                let key_id = public.jwk_thumbprint();
                (Pair::Es256(Box::new(pair.with_key_id(&key_id))), key_id, public.to_jwk())
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pem(&pem).map_err(|_| NotAKey)?;
                let public = pair.public_key();
                let key_id = public.jwk_thumbprint();
                (Pair::EdDsa(Box::new(pair.with_key_id(&key_id))), key_id, public.to_jwk())
            }
        };
        let mut jwk: serde_json::Value = serde_json::from_str(&jwk).map_err(|_| NotAKey)?;
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), key_id.clone().into());
            members.insert("use".into(), "sig".into());
            members.insert("alg".into(), algorithm.name().into());
        }
        Ok(Self { pair, key_id, jwk })
    }

    /// The RFC 7638 thumbprint.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Signs `claims`; `None` if the library fails, which no input of ours makes it do.
    pub(crate) fn sign<C: Serialize + DeserializeOwned>(&self, claims: JWTClaims<C>) -> Option<String> {
        match &self.pair {
            Pair::Es256(pair) => pair.sign(claims).ok(),
            Pair::EdDsa(pair) => pair.sign(claims).ok(),
        }
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
pub fn jwks(rules: &crate::config::IdentityRules) -> serde_json::Value {
    let keys: Vec<_> = rules.keys.iter().map(|key| key.jwk.clone()).collect();
    serde_json::json!({"keys": keys})
}
