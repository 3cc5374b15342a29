//! Copies what Envoy holds into plain data: headers, answers to calls, the moment.

use std::cell::RefCell;
use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};

use crate::http::{CallFailure, CallResult, Headers, HttpReply, Moment, Place};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    /// The SDK's own binding makes a `String` and a `Vec` of every field, and stops the VM at a name that is not
    /// UTF-8. One buffer is enough, and bytes are bytes.
    fn proxy_get_header_map_pairs(map_type: MapType, return_data: *mut *mut u8, return_size: *mut usize) -> u32;
}

/// All fields of a map; none where Envoy has no such map (any more), or where it holds more than 1024 fields.
pub(super) fn headers(map: MapType) -> Headers {
    let mut data: *mut u8 = std::ptr::null_mut();
    let mut size: usize = 0;
    // SAFETY: both pointers are valid for writing. On success the host has filled a buffer of `size` bytes that it got
    // from `proxy_on_memory_allocate`, which hands out a `Vec<u8>` of exactly that capacity.
    let buffer = unsafe {
        if proxy_get_header_map_pairs(map, &mut data, &mut size) != 0 || data.is_null() {
            return Headers::default();
        }
        Vec::from_raw_parts(data, size, size)
    };
    let fields = fields(&buffer);
    Headers::from_buffer(buffer, fields)
}

/// Where names and values stand in proxy-wasm's form of a map: the number of fields, then the lengths of each name and
/// value, then names and values, each followed by a zero byte; all numbers are 32 bits, little-endian.
fn fields(buffer: &[u8]) -> Vec<(Place, Place)> {
    let number = |at: usize| {
        let bytes = buffer.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, |bytes| u32::from_le_bytes(bytes) as usize)
    };
    let count = number(0).min(buffer.len() / 8);
    let mut at = 4 + count * 8;
    let field = |index| {
        let (name, value) = (number(4 + index * 8), number(8 + index * 8));
        let places = ((at, name), (at.saturating_add(name).saturating_add(1), value));
        at = at.saturating_add(name).saturating_add(value).saturating_add(2);
        places
    };
    (0..count).map(field).collect()
}

/// The answer to a call. A call that was reset, or whose answer was too large for Envoy, comes back without headers;
/// asking for `:status` would then read from a map that is not there.
pub(super) fn call_result(num_headers: usize, body_bytes: usize, max_body_bytes: usize) -> CallResult {
    if num_headers == 0 {
        return Err(CallFailure::Reset);
    }
    if body_bytes > max_body_bytes {
        return Err(CallFailure::TooLarge);
    }
    let headers = headers(MapType::HttpCallResponseHeaders);
    let status = headers.first(":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    let body = match body_bytes {
        0 => None,
        size => hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size).ok().flatten(),
    };
    Ok(HttpReply { status: status.ok_or(CallFailure::Reset)?, body: body.unwrap_or_default() })
}

/// Where the request comes from, as `address:port`.
pub(super) fn source() -> Option<Vec<u8>> {
    hostcalls::get_property(vec!["source", "address"]).ok().flatten()
}

/// The time and fresh randomness.
pub(super) fn moment() -> Moment {
    let now = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    Moment { now_ms: now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX)), seed: POOL.with_borrow_mut(Pool::draw) }
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], left: 0 }) };
}

const POOL_BYTES: usize = 1024;

/// Randomness of the host, fetched for many requests at once: a host call for each costs more than all else that a
/// request with a known session needs it for, which is nothing.
struct Pool {
    bytes: [u8; POOL_BYTES],
    left: usize,
}

impl Pool {
    fn draw(&mut self) -> [u8; 32] {
        if self.left < 32 {
            // Without randomness there is no safe way to go on: a `state` or nonce that can be foreseen is worse than
            // an outage. BoringSSL's generator behind this call does not fail once Envoy runs.
            if getrandom::fill(&mut self.bytes).is_err() {
                std::process::abort();
            }
            self.left = POOL_BYTES;
        }
        self.left -= 32;
        let mut seed = [0; 32];
        if let Some(drawn) = self.bytes.get_mut(self.left..self.left + 32) {
            seed.copy_from_slice(drawn);
            drawn.fill(0);
        }
        seed
    }
}
