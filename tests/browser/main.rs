//! What a person sees of the gate in a real Chromium: one file a subject, each test a story.
//!
//! The gate is on `localhost` and WeChat on `127.0.0.1`, so they are different sites, as they are in the world.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod accounts;
mod chromium;
mod cookies_off;
mod demo;
mod embedded;
mod experience;
mod in_wechat;
mod languages;
mod logout;
mod mini_program;
mod mini_program_qr;
mod official_account_qr;
mod pc_scan;
mod phone;
mod real_hosts;
mod scans;
mod screenshots;
mod tabs;
