//! What the resolver does, told as stories. Each has a database of its own; none depends on another or on the machine's clock.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that goes wrong ends; clippy allows it in tests, but not in what they share"
)]

mod account;
mod admin;
mod bench;
mod conformance;
mod decisions;
mod delivery;
mod docs;
mod histories;
mod http;
mod killed;
mod logs;
mod model;
mod openapi;
mod pending;
mod postgres;
mod postgres_tls;
mod program;
mod random;
mod sqlite;
mod store;
mod support;
mod ticket_histories;
mod tickets;
mod two_programs;
mod waits;
mod withdrawals;
