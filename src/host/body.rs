//! A request's body, for a flow that asks for it: how much of it has come, and who has waited too long.
//!
//! Envoy keeps the body while our callbacks pause it; it is copied once, when it is whole. Where the plugin's
//! configuration lacks `allow_on_headers_stop_iteration`, Envoy shows the filter no body at all while the headers wait:
//! without a bound such a request would hang until Envoy's own timeouts.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use proxy_wasm::hostcalls;
use proxy_wasm::types::BufferType;

use crate::http::{BodyFailure, BodyResult, MAX_BODY_BYTES};
use crate::step::Suspended;

/// A body has so long to come: all of ours are forms, in one or two packets.
const PATIENCE_MS: u64 = 8_000;

/// What Envoy has told of a request's body so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    /// So much is in Envoy's buffer.
    pub(super) bytes: usize,
    /// There will be no more.
    pub(super) is_whole: bool,
}

impl Progress {
    /// What a flow gets that asks for the body, once that is certain.
    pub(super) fn result(self) -> Option<BodyResult> {
        match self.bytes {
            bytes if bytes > MAX_BODY_BYTES => Some(Err(BodyFailure::TooLarge)),
            0 if self.is_whole => Some(Ok(Vec::new())),
            bytes if self.is_whole => {
                let body = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, bytes).ok().flatten();
                Some(body.filter(|body| body.len() == bytes).ok_or(BodyFailure::Missing))
            }
            _ => None,
        }
    }
}

/// A flow that waits for its body. Whoever takes it resumes it.
pub(super) struct Reader {
    suspended: Cell<Option<Suspended<BodyResult>>>,
    has_begun: Cell<bool>,
}

impl Reader {
    /// The flow, unless its time is over.
    pub(super) fn take(&self) -> Option<Suspended<BodyResult>> {
        self.suspended.take()
    }

    /// Something of the body has come.
    pub(super) fn begin(&self) {
        self.has_begun.set(true);
    }
}

/// The requests of this worker that wait for their bodies.
#[derive(Default)]
pub(super) struct Readers(RefCell<Vec<Waiting>>);

struct Waiting {
    /// Envoy's name of the request.
    context_id: u32,
    until_ms: u64,
    /// Dead once the request is over or has gone on.
    reader: Weak<Reader>,
}

impl Readers {
    /// Keeps a flow until its body is there.
    pub(super) fn wait(&self, context_id: u32, now_ms: u64, progress: Progress, suspended: Suspended<BodyResult>) -> Rc<Reader> {
        let reader = Rc::new(Reader { suspended: Cell::new(Some(suspended)), has_begun: Cell::new(progress.bytes > 0) });
        let until_ms = now_ms.saturating_add(PATIENCE_MS);
        self.0.borrow_mut().push(Waiting { context_id, until_ms, reader: Rc::downgrade(&reader) });
        reader
    }

    /// The flows whose time is over, each with its request and why it gets no body.
    pub(super) fn overdue(&self, now_ms: u64) -> Vec<(u32, Suspended<BodyResult>, BodyFailure)> {
        let mut overdue = Vec::new();
        self.0.borrow_mut().retain(|waiting| match waiting.reader.upgrade() {
            Some(reader) if waiting.until_ms <= now_ms => {
                let failure = if reader.has_begun.get() { BodyFailure::TooSlow } else { BodyFailure::Missing };
                overdue.extend(reader.take().map(|suspended| (waiting.context_id, suspended, failure)));
                false
            }
            reader => reader.is_some(),
        });
        overdue
    }
}
