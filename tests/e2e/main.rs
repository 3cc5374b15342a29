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
mod app_to_mini_program;
mod applications;
mod bodies;
mod bytes;
mod configurations;
mod floods;
mod hand_over;
mod harness;
mod headers;
mod message_push;
mod mini_program;
mod mini_program_qr;
mod mobile_app;
mod native;
mod native_methods;
mod official_account_qr;
mod official_account_web;
mod other_languages;
mod outages;
mod paths;
mod refusals;
mod scans;
mod server_tokens;
mod sessions;
mod tabs;
mod tls;
mod tunnels;
mod website_qr;
