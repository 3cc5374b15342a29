//! Who is asking: the identity header, verified.

use std::fmt;

use axum::http::{HeaderMap, HeaderName};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::KeyAlgorithm;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::Config;
use crate::keys::{KeyError, Keys};

/// How wxgate signs. Whatever a token's own header says, nothing else is accepted.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::ES256, Algorithm::EdDSA];
/// How far the clocks of Envoy and of this machine may be apart.
const LEEWAY_SECONDS: u64 = 10;

/// Checks identity headers for one application behind one gate.
pub struct Verifier {
    keys: Keys,
    header: HeaderName,
    issuer: String,
    audience: String,
}

/// A verified identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// All claims, as signed.
    pub claims: Map<String, Value>,
    /// The header itself. An application has no use for it; this one shows it.
    pub token: String,
}

/// Why nobody is known to be asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no header.
    Missing,
    /// There are several; the gate sends one.
    Repeated,
    /// It is no JWT.
    Malformed,
    /// It is signed in another way than the gate signs, or not at all.
    Algorithm,
    /// It is signed with a key that the gate does not publish.
    UnknownKey,
    /// The signature does not fit.
    Signature,
    /// It is over.
    Expired,
    /// Another gate made it.
    Issuer,
    /// It was made for another application.
    Audience,
    /// A claim is absent, or not of its kind.
    Claims,
    /// The gate's public keys could not be had: no fault of the request.
    KeysUnavailable,
}

impl Verifier {
    /// A verifier that has no keys yet; it fetches them when it meets the first token.
    ///
    /// # Errors
    ///
    /// The HTTP client could not be made.
    pub fn new(config: Config) -> Result<Self, reqwest::Error> {
        Ok(Self { keys: Keys::new(config.jwks_url)?, header: config.header, issuer: config.issuer, audience: config.audience })
    }

    /// The identity that a request carries.
    ///
    /// # Errors
    ///
    /// Why it carries none that counts.
    pub async fn verify(&self, headers: &HeaderMap) -> Result<Identity, Refusal> {
        let mut values = headers.get_all(&self.header).iter();
        let token = values.next().ok_or(Refusal::Missing)?.to_str().map_err(|_| Refusal::Malformed)?;
        if values.next().is_some() {
            return Err(Refusal::Repeated);
        }

        // Nothing in here is trusted: it only says which of the published keys to try.
        let header = decode_header(token).map_err(|error| Refusal::of_header(error.kind()))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Refusal::Algorithm);
        }
        let kid = header.kid.ok_or(Refusal::UnknownKey)?;
        let jwk = self.keys.find(&kid).await.map_err(|error| match error {
            KeyError::Unknown => Refusal::UnknownKey,
            KeyError::Unavailable => Refusal::KeysUnavailable,
        })?;
        // A key is good for one algorithm: what the token asks for has to be what the gate says of the key.
        match (header.alg, jwk.common.key_algorithm) {
            (Algorithm::ES256, Some(KeyAlgorithm::ES256)) | (Algorithm::EdDSA, Some(KeyAlgorithm::EdDSA)) => {}
            _ => return Err(Refusal::Algorithm),
        }
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| Refusal::UnknownKey)?;

        // `decode` checks `exp` by itself.
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        let claims: Map<String, Value> = decode(token, &key, &validation).map_err(|error| Refusal::of_token(error.kind()))?.claims;
        if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(Refusal::Claims);
        }
        Ok(Identity { claims, token: token.to_owned() })
    }
}

impl Identity {
    /// The account: the key under which an application stores what is this person's.
    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// A claim that is a text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// What to call the person.
    pub fn name(&self) -> &str {
        self.text("name").unwrap_or("nameless friend")
    }
}

impl Refusal {
    /// Whether the request may be as it should be, and we are not.
    pub fn is_ours(self) -> bool {
        self == Self::KeysUnavailable
    }

    fn of_header(error: &ErrorKind) -> Self {
        // `none` and what the library does not know are no values of its type for algorithms.
        if matches!(error, ErrorKind::Json(_) | ErrorKind::InvalidAlgorithmName | ErrorKind::InvalidAlgorithm) {
            return Self::Algorithm;
        }
        Self::Malformed
    }

    fn of_token(error: &ErrorKind) -> Self {
        match error {
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => Self::Claims,
            ErrorKind::InvalidSignature => Self::Signature,
            _ => Self::Malformed,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Missing => "there is no identity header",
            Self::Repeated => "there is more than one identity header",
            Self::Malformed => "the identity header is no JWT",
            Self::Algorithm => "the identity header is not signed with ES256 or EdDSA",
            Self::UnknownKey => "the identity header names a key that the gate does not publish",
            Self::Signature => "the signature of the identity header does not fit",
            Self::Expired => "the identity header has expired",
            Self::Issuer => "the identity header comes from another issuer",
            Self::Audience => "the identity header was made for another application",
            Self::Claims => "the identity header lacks a claim",
            Self::KeysUnavailable => "the gate's public keys cannot be had at the moment",
        })
    }
}
