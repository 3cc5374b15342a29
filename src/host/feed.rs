//! Revocations across the workers of one Envoy, by way of its shared data.
//!
//! Three keys, all of them hints that can be lost without harm (the resolver has it all): the encoded set; a small head
//! that says which edition of the set is current and when the resolver's feed was last read to its end, so that the
//! set itself is read only when it has changed; and a claim, by which one worker at a time polls. All are written
//! with compare-and-swap, so workers do not undo each other.

use std::cell::Cell;
use std::rc::Rc;

use proxy_wasm::hostcalls;

use super::apply;
use super::observe::Observer;
use crate::coroutine::describe;
use crate::gate::Gate;
use crate::http::{CallFailure, CallResult, Peer};
use crate::resolver;
use crate::step::{EndedSession, Event};

/// Tries at a compare-and-swap that others keep winning; what is lost then comes with the next poll.
pub(super) const TRIES: usize = 8;

pub(super) struct Feed {
    gate: Rc<Gate>,
    observer: Rc<Observer>,
    keys: Keys,
    /// Edition of the set that this worker has adopted.
    adopted: Cell<u64>,
    /// When the question that is under way was sent.
    asked_ms: Cell<Option<u64>>,
}

/// Names in shared data: Envoy keeps them per `vm_id`, which listeners with other configurations may share.
struct Keys {
    set: String,
    head: String,
    claim: String,
}

/// Small enough to be looked at with every tick.
#[derive(Clone, Copy, Default)]
struct Head {
    /// Counts changes of the set.
    edition: u64,
    /// When the resolver's feed was last read to its end.
    read_at: u64,
}

impl Feed {
    pub(super) fn new(gate: Rc<Gate>, observer: Rc<Observer>) -> Self {
        let key = |name: &str| format!("wxgate.{name}.{}.{}", gate.config().resolver.cluster, gate.config().identity.issuer);
        let keys = Keys { set: key("revocations"), head: key("revocations-head"), claim: key("revocations-claim") };
        Self { gate, observer, keys, adopted: Cell::new(0), asked_ms: Cell::new(None) }
    }

    /// Looks at what the others have found, and asks the resolver if it is time and nobody else has just done so.
    pub(super) fn tick(&self, now_ms: u64) {
        self.adopt();
        let period_ms = self.gate.config().revocation.poll_seconds.saturating_mul(1000);
        let (claim, cas) = hostcalls::get_shared_data(&self.keys.claim).unwrap_or_default();
        let claimed_ms = claim.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        // A claim of the future is one from before the clock was set back.
        let is_claimed = claimed_ms <= now_ms && now_ms - claimed_ms < period_ms;
        if self.asked_ms.get().is_none() && !is_claimed && write(&self.keys.claim, &now_ms.to_le_bytes(), cas) {
            self.ask(now_ms);
        }
    }

    /// Takes in a newer edition of the set, if there is one.
    pub(super) fn adopt(&self) {
        let (head, _) = self.head();
        if head.edition != self.adopted.get() {
            if let Ok((Some(set), _)) = hostcalls::get_shared_data(&self.keys.set) {
                self.gate.adopt_revocations(&set);
            }
            self.adopted.set(head.edition);
        }
        self.gate.note_revocations_read(head.read_at);
    }

    fn ask(&self, now_ms: u64) {
        self.asked_ms.set(Some(now_ms));
        if apply::dispatch(&self.gate.revocations_call()).is_err() {
            self.answered(Err(CallFailure::NotSent), now_ms);
        }
    }

    /// The resolver has answered, or not.
    pub(super) fn answered(&self, result: CallResult, now_ms: u64) {
        let milliseconds = now_ms.saturating_sub(self.asked_ms.take().unwrap_or(now_ms));
        let (peer, label) = (Peer::Resolver, "revocations.list");
        self.observer.observe(&Event::CallFinished { peer, label, result: describe(&result), milliseconds });
        let now = now_ms / 1000;
        match resolver::read_revocations(result) {
            Ok(feed) => {
                if !(feed.sessions.is_empty() && feed.users.is_empty()) {
                    self.publish(|gate| gate.apply_revocations(&feed, now));
                }
                if feed.more {
                    self.ask(now_ms);
                } else {
                    self.change_head(|head| Head { read_at: now, ..head });
                }
            }
            Err(failure) => log::warn!("revocations could not be read: {}", failure.detail),
        }
    }

    /// Ends a session at every worker here.
    pub(super) fn end_session(&self, ended: &EndedSession, now: u64) {
        self.publish(|gate| gate.end_session(ended, now));
    }

    /// Changes the shared set: always on top of its latest edition.
    fn publish(&self, change: impl Fn(&Gate) -> Vec<u8>) {
        for _ in 0..TRIES {
            let (shared, cas) = hostcalls::get_shared_data(&self.keys.set).unwrap_or_default();
            if let Some(shared) = shared {
                self.gate.adopt_revocations(&shared);
            }
            if write(&self.keys.set, &change(&self.gate), cas) {
                return self.change_head(|head| Head { edition: head.edition + 1, ..head });
            }
        }
        log::warn!("revocations: other workers were always faster; the next poll repairs it");
    }

    fn change_head(&self, change: impl Fn(Head) -> Head) {
        for _ in 0..TRIES {
            let (head, cas) = self.head();
            let Head { edition, read_at } = change(head);
            if write(&self.keys.head, &[edition.to_le_bytes(), read_at.to_le_bytes()].concat(), cas) {
                return;
            }
        }
    }

    fn head(&self) -> (Head, Option<u32>) {
        let (bytes, cas) = hostcalls::get_shared_data(&self.keys.head).unwrap_or_default();
        let bytes = bytes.unwrap_or_default();
        let number = |at: usize| bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        (Head { edition: number(0), read_at: number(8) }, cas)
    }
}

/// Writes only over the edition that was read. Where there was none, Envoy cannot compare: the first two writers may
/// both win, and the next poll repairs it.
pub(super) fn write(key: &str, value: &[u8], cas: Option<u32>) -> bool {
    hostcalls::set_shared_data(key, Some(value), cas).is_ok()
}
