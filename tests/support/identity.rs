//! The identity header, checked by a library that the filter does not use.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// The claims of a token whose signature holds.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The token, as the application got it.
    pub token: String,
    /// The token's own header.
    pub header: Value,
    /// All claims.
    pub claims: Value,
}

impl Identity {
    /// A claim as text.
    #[track_caller]
    pub fn text(&self, claim: &str) -> &str {
        self.claims[claim].as_str().unwrap_or_else(|| panic!("{claim} is no text in {:#}", self.claims))
    }

    /// A claim as a number.
    #[track_caller]
    pub fn number(&self, claim: &str) -> u64 {
        self.claims[claim].as_u64().unwrap_or_else(|| panic!("{claim} is no number in {:#}", self.claims))
    }

    /// The account.
    pub fn sub(&self) -> &str {
        self.text("sub")
    }
}

/// What an application does with the header: `audience` and `issuer` are checked where they are given, `exp` with them.
///
/// # Errors
/// Why it is not to be believed.
pub fn verify(jwks: &Value, token: &str, issuer_and_audience: Option<(&str, &str)>) -> Result<Identity, String> {
    let say = |error: jsonwebtoken::errors::Error| error.to_string();
    let keys: JwkSet = serde_json::from_value(jwks.clone()).map_err(|error| error.to_string())?;
    let header = decode_header(token).map_err(say)?;
    let kid = header.kid.as_deref().ok_or("the token has no kid")?;
    let key = keys.find(kid).ok_or_else(|| format!("no key {kid} in {jwks:#}"))?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = 0;
    match issuer_and_audience {
        Some((issuer, audience)) => {
            validation.set_issuer(&[issuer]);
            validation.set_audience(&[audience]);
            validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        }
        // Long after a request its token may be over; that it is ours never is.
        None => (validation.validate_exp, validation.validate_aud) = (false, false),
    }
    let decoded = decode::<Value>(token, &DecodingKey::from_jwk(key).map_err(say)?, &validation).map_err(say)?;
    let header = serde_json::to_value(&decoded.header).map_err(|error| error.to_string())?;
    Ok(Identity { token: token.to_owned(), header, claims: decoded.claims })
}
