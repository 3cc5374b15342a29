//! wxgate: WeChat login at the edge, as a proxy-wasm filter for Envoy.
//!
//! Read in this order: [`gate`] (what happens to a request), [`step`] (all that the core can ask for or answer),
//! [`connectors`] (the login methods), [`login`], [`session`], [`identity`]. `host` is the only code that knows
//! proxy-wasm, and exists for wasm32 alone; everything else is plain data in and data out, and is tested natively.

pub mod gate;
pub mod step;

pub mod connectors;
pub mod coroutine;
pub mod login;

pub mod identity;
pub mod pages;
pub mod resolver;
pub mod rules;
pub mod session;
pub mod wechat;

pub mod config;
pub mod error;
pub mod form;
pub mod http;
mod json;
pub mod secret;

#[cfg(target_arch = "wasm32")]
mod host;
