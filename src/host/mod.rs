//! The only code that knows proxy-wasm. It copies what Envoy says into plain data, asks the core, and does what the
//! core answers; it decides nothing about logins.
//!
//! What Envoy and the SDK make dangerous is kept here and written down where it is handled: header values that are
//! not UTF-8, answers without headers, bodies that arrive while a request waits, replies that pass our own callbacks.

mod apply;
mod body;
mod feed;
mod observe;
mod root;
mod snapshot;
mod stream;
mod tokens;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
