//! What WeChat does, told as stories; every refusal is shown. Each story has a WeChat of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in test functions; the helpers of these stories are tests too"
)]

mod account;
mod binary;
mod control_api;
mod faults;
mod message_push;
mod mini_program;
mod mobile_app;
mod official_account_web;
mod phone_pages;
mod push_server;
mod server_tokens;
mod serving;
mod sns;
mod support;
mod vectors;
mod website_qr;
