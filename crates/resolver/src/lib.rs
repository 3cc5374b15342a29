//! The resolver: which account does a WeChat identity belong to?
//!
//! It keeps users, their WeChat identities, the outcomes of recent logins, and revocations. It knows no WeChat secret, no
//! cookie and no signing key. What it says to the filter is the crate `resolver-api`, in words `docs/resolver-api.md`.
//!
//! In reading order: [`login`] is the question and the decision, [`account`] what a login changes, [`policy`] what the operator decides, [`audit`] what is noted of it, [`store`] what is
//! remembered, [`http`] the face of it all, [`serve`](serve()) runs it, [`config`] is what an operator says.

#![expect(clippy::duplicate_mod, reason = "store/shared is compiled once for each database")]

pub mod account;
pub mod address;
pub mod admin;
pub mod audit;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod http;
pub mod ids;
mod json;
pub mod linked;
pub mod login;
pub mod password;
pub mod pending;
pub mod policy;
mod serve;
mod state;
pub mod store;
pub mod tickets;
pub mod tokens;
mod waits;

pub use http::app;
pub use serve::serve;
pub use state::{AppState, Limits, TicketLimits};
pub use waits::Waits;
