//! What a client sees of a real Envoy with the filter: one file a subject, each test a story.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod account;
mod accounts;
mod bodies;
mod bytes;
mod configurations;
mod floods;
mod harness;
mod headers;
mod official_account_web;
mod other_languages;
mod outages;
mod paths;
mod refusals;
mod sessions;
mod tabs;
mod tls;
mod website_qr;
