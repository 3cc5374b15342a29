//! A WeChat to log in against, for people without one and for tests.
//!
//! It plays three parts on one listener: `open.weixin.qq.com` (the two authorize pages, the QR code and its long poll),
//! the phone of whoever scans or consents, and `api.weixin.qq.com` (`sns/*`). What it knows of WeChat comes from
//! Tencent's documents and recorded answers; nothing of it comes from the gate that is tested against it, and it
//! depends on none of the other crates here, so that it can contradict them.
//!
//! It is strict by default: whatever WeChat refuses, it refuses in the same words, which are often HTTP 200. People,
//! apps, faults and the time of day are set through [`Simulator`] in process or through `/sim/*` over HTTP.
//!
//! Modules in reading order: `simulator` (the handle, and what is served), `world` (apps, people, and their ids),
//! `codes` and `tokens` (what a login hands out), `scans` (one QR code from page to phone), `open_pages`, `sns`,
//! `faults`, `journal`, `control` (`/sim/*`).

mod clock;
mod codes;
mod connection;
mod control;
mod faults;
mod journal;
mod open_pages;
mod params;
mod random;
mod scans;
mod simulator;
mod sns;
mod tokens;
mod world;

pub use faults::{Effect, Fault};
pub use journal::JournalEntry;
pub use open_pages::{Decision, ErrorPage, Outcome, Refusal};
pub use scans::ScanError;
pub use simulator::{ActError, Builder, Quirks, Simulator};
pub use world::{App, AppKind, InvalidWorld, Person, World};
