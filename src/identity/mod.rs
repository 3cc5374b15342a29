//! The identity header: one short-lived signed statement that any JWT library can check.

mod assertion;
mod keys;

pub use assertion::{Assertion, IdentityClaims, assert, claims};
pub use keys::{Algorithm, NotAKey, SigningKey, jwks};
