//! The identity header: one short-lived signed statement that any JWT library can check.

mod assertion;
mod keys;
mod private_key;

pub use assertion::{Assertion, Claims, IdentityClaims, assert, claims};
pub use keys::{Algorithm, NotAKey, SigningKey, jwks};
