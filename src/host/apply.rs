//! Does what the core has decided.

use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

use super::snapshot;
use crate::gate::Gate;
use crate::http::{CallFailure, Headers, HttpCall};
use crate::session::cookie;
use crate::step::{CookieEdit, Forward, Reply};

/// Sends a call. The callback comes to the context that is active now.
pub(super) fn dispatch(call: &HttpCall) -> Result<u32, CallFailure> {
    let mut headers =
        vec![(":method", call.method), (":path", call.path.as_str()), (":authority", call.authority.as_str()), (":scheme", "https")];
    headers.extend(call.headers.iter().map(|(name, value)| (*name, value.as_str())));
    let body = (!call.body.is_empty()).then_some(call.body.as_slice());
    let timeout = Duration::from_millis(call.timeout_ms.into());
    hostcalls::dispatch_http_call(&call.cluster, headers, body, vec![], timeout).map_err(|_| CallFailure::NotSent)
}

/// Changes the request on its way to the application.
pub(super) fn forward(forward: &Forward) {
    const REQUEST: MapType = MapType::HttpRequestHeaders;
    for name in &forward.remove {
        let _ = hostcalls::remove_map_value(REQUEST, name);
    }
    if forward.remove_authorization {
        let _ = hostcalls::remove_map_value(REQUEST, "authorization");
    }
    match &forward.cookie {
        CookieEdit::Keep => {}
        CookieEdit::Remove => {
            let _ = hostcalls::remove_map_value(REQUEST, "cookie");
        }
        CookieEdit::Replace(rest) => {
            let _ = hostcalls::set_map_value_bytes(REQUEST, "cookie", Some(rest));
        }
    }
    for (name, value) in forward.identity.iter().flat_map(|assertion| &assertion.headers) {
        let _ = hostcalls::set_map_value(REQUEST, name, Some(value));
    }
}

/// Answers the request ourselves.
pub(super) fn reply(reply: &Reply) {
    let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = (!reply.body.is_empty()).then_some(reply.body.as_slice());
    let _ = hostcalls::send_http_response(reply.status.into(), headers, body);
}

/// Changes an application's answer: it may set no cookie of ours and not hand its identity headers on to a browser,
/// and a renewed session goes with it.
pub(super) fn response(gate: &Gate, renewed_cookie: Option<&str>) {
    const RESPONSE: MapType = MapType::HttpResponseHeaders;
    for name in gate.own_header_names() {
        let _ = hostcalls::remove_map_value(RESPONSE, name);
    }
    // Most answers set no cookie, and looking at all headers of each would cost more than all else here.
    if hostcalls::get_map_value_bytes(RESPONSE, "set-cookie").is_ok_and(|value| value.is_some()) {
        without_our_cookies(&snapshot::headers(RESPONSE));
    }
    if let Some(renewed) = renewed_cookie {
        let _ = hostcalls::add_map_value(RESPONSE, "set-cookie", renewed);
        // A shared cache must not hand one person's session to another.
        let headers = snapshot::headers(RESPONSE);
        let _ = hostcalls::set_map_value_bytes(RESPONSE, "cache-control", Some(&cookie::made_private(headers.all("cache-control"))));
    }
}

fn without_our_cookies(headers: &Headers) {
    if headers.all("set-cookie").any(cookie::writes_ours) {
        let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, "set-cookie");
        for theirs in headers.all("set-cookie").filter(|set_cookie| !cookie::writes_ours(set_cookie)) {
            let _ = hostcalls::add_map_value_bytes(MapType::HttpResponseHeaders, "set-cookie", theirs);
        }
    }
}

/// Removes our headers from request trailers: some servers merge them into the headers.
pub(super) fn trailers(gate: &Gate) {
    const TRAILERS: MapType = MapType::HttpRequestTrailers;
    for (name, _) in snapshot::headers(TRAILERS).iter().filter(|(name, _)| gate.is_own_header(name)) {
        if let Ok(name) = std::str::from_utf8(name) {
            let _ = hostcalls::remove_map_value(TRAILERS, name);
        }
    }
}
