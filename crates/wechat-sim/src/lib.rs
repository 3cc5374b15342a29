//! A WeChat to log in against, for people without one and for tests.
//!
//! It plays these parts on one listener: `open.weixin.qq.com` (the two authorize pages, the QR code and its long poll),
//! `api.weixin.qq.com` and `mp.weixin.qq.com` (`sns/*`, `cgi-bin/*`, `wxa/*`), the phone of whoever scans, consents,
//! follows, or opens a mini program, the SDK in a mobile app, and the sender of message push. What it knows of WeChat
//! comes from Tencent's documents and recorded answers; nothing of it comes from the gate that is tested against it, and
//! it depends on none of the other crates here, so that it can contradict them.
//!
//! It is strict by default: whatever WeChat refuses, it refuses in the same words, which are often HTTP 200. People,
//! apps, faults and the time of day are set through [`Simulator`] in process or through `/sim/*` over HTTP.
//!
//! Modules in reading order: `simulator` (the handle, and what is served), `world` (apps, people, and their ids);
//! `codes`, `tokens` and `server_tokens` (what is handed out), `scans` (one QR code from page to phone), `followers`,
//! `mini_program`, `mobile_app` (what people do), `push` (what servers are told of it), `crypto`; the routes `open_pages`,
//! `sns`, `cgi_bin`, `wxa` with `answers`, `api_error` and `limits`; `faults`, `journal`, `control` (`/sim/*`).

mod act_error;
mod answers;
mod api_error;
mod builder;
mod cgi_bin;
mod clock;
mod codes;
mod connection;
mod control;
pub mod crypto;
mod faults;
mod followers;
mod journal;
mod limits;
mod mini_program;
mod mobile_app;
mod open_pages;
mod outbound;
mod params;
mod phone_pages;
mod push;
mod qr_image;
mod quirks;
mod random;
mod scans;
mod server_tokens;
mod simulator;
mod sns;
mod tokens;
mod world;
mod wxa;

pub use act_error::ActError;
pub use builder::Builder;
pub use faults::{Effect, Fault};
pub use journal::JournalEntry;
pub use limits::Limits;
pub use mini_program::{AppLaunch, EnvVersion, OpenData, PhoneNumberAnswer, Target, Visit};
pub use mobile_app::{SdkAnswer, SendAuth, SendAuthAnswer};
pub use open_pages::{Decision, ErrorPage, Outcome, Refusal};
pub use push::{Attempt, Delivery, Message, Push, PushError, PushFormat, PushMode, PushRequest, Verdict};
pub use quirks::Quirks;
pub use scans::ScanError;
pub use server_tokens::TokenMishap;
pub use simulator::Simulator;
pub use world::{App, AppKind, InvalidWorld, Person, PhoneNumber, World};
