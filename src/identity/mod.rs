//! The identity header: one short-lived signed statement that any JWT library can check.

mod assertion;
mod keys;
mod private_key;

pub use assertion::{Assertion, assert, claims, person};
pub use keys::{Algorithm, NotAKey, SigningKey, jwks};
