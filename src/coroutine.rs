//! Runs one flow: an `async fn` that reads top to bottom and stops wherever it waits for a call.
//!
//! There is no executor, waker or spawn. A flow waits for one thing at a time, and the host's callback is the wake-up:
//! [`Suspended::resume`] puts the call's result where the flow looks for it and polls once. Dropping a `Suspended`
//! cancels its flow. This is the only `Pin` and `poll` in the repository.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::http::{CallFailure, CallResult, Entropy, HttpCall, Moment, Peer};
use crate::step::{Event, Outcome, Step, Verdict};

/// A flow that waits for its call.
pub struct Suspended {
    flow: Pin<Box<dyn Future<Output = Verdict>>>,
    desk: Rc<Desk>,
}

impl Suspended {
    /// Goes on with the result of the call that [`Step::Call`] asked for. By value: once only.
    pub fn resume(self, result: CallResult, moment: Moment) -> Step {
        self.desk.set(moment);
        if let Some((peer, label, sent_ms)) = self.desk.waiting_for.take() {
            self.desk.note(Event::CallFinished {
                peer,
                label,
                result: describe(&result),
                milliseconds: moment.now_ms.saturating_sub(sent_ms),
            });
        }
        self.desk.incoming.set(Some(result));
        self.advance()
    }

    fn advance(mut self) -> Step {
        match self.flow.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(verdict) => Step::Done(Outcome { verdict, events: self.desk.events.take() }),
            Poll::Pending => match self.desk.outgoing.take() {
                Some(call) => {
                    self.desk.waiting_for.set(Some((call.peer, call.label, self.desk.now_ms.get())));
                    Step::Call(call, self)
                }
                // A flow awaits nothing but `Calls::send`, which always leaves a call: not reached, and if it ever
                // were, the flow hears of a failure instead of hanging.
                None => self.resume_without_call(),
            },
        }
    }

    fn resume_without_call(self) -> Step {
        self.desk.incoming.set(Some(Err(CallFailure::NotSent)));
        self.advance()
    }
}

/// Starts a flow and runs it up to its first call, or to its end.
pub(crate) fn start<F: Future<Output = Verdict> + 'static>(moment: Moment, flow: impl FnOnce(Calls) -> F) -> Step {
    let desk = Rc::new(Desk::at(moment));
    let flow = Box::pin(flow(Calls(desk.clone())));
    Suspended { flow, desk }.advance()
}

/// What a flow may do beyond computing: make a call, read the time, draw randomness, note an event.
pub(crate) struct Calls(Rc<Desk>);

impl Calls {
    /// Makes a call and waits for what comes of it. Never repeats it.
    pub(crate) async fn send(&self, call: HttpCall) -> CallResult {
        let mut call = Some(call);
        poll_fn(|_| match (call.take(), self.0.incoming.take()) {
            (Some(call), _) => {
                self.0.outgoing.set(Some(call));
                Poll::Pending
            }
            (None, Some(result)) => Poll::Ready(result),
            (None, None) => Poll::Pending,
        })
        .await
    }

    /// Seconds since the Unix epoch, at the latest resumption.
    pub(crate) fn now(&self) -> u64 {
        self.0.now_ms.get() / 1000
    }

    /// Fresh randomness: each call gives an independent source.
    pub(crate) fn entropy(&self) -> Entropy {
        let mut source = self.0.entropy.get();
        let fresh = Entropy::new(source.bytes());
        self.0.entropy.set(source);
        fresh
    }

    /// Notes something worth counting or logging.
    pub(crate) fn note(&self, event: Event) {
        self.0.note(event);
    }
}

/// What a flow and its driver pass to each other. Cells, not `RefCell`s: nothing is ever borrowed across an await.
struct Desk {
    outgoing: Cell<Option<HttpCall>>,
    incoming: Cell<Option<CallResult>>,
    waiting_for: Cell<Option<(Peer, &'static str, u64)>>,
    now_ms: Cell<u64>,
    entropy: Cell<Entropy>,
    events: Cell<Vec<Event>>,
}

impl Desk {
    fn at(moment: Moment) -> Self {
        Self {
            outgoing: Cell::default(),
            incoming: Cell::default(),
            waiting_for: Cell::default(),
            now_ms: Cell::new(moment.now_ms),
            entropy: Cell::new(Entropy::new(moment.seed)),
            events: Cell::default(),
        }
    }

    fn set(&self, moment: Moment) {
        self.now_ms.set(moment.now_ms);
        self.entropy.set(Entropy::new(moment.seed));
    }

    fn note(&self, event: Event) {
        let mut events = self.events.take();
        events.push(event);
        self.events.set(events);
    }
}

/// What a call came to, in metrics and log lines.
pub(crate) fn describe(result: &CallResult) -> &'static str {
    match result {
        Ok(reply) if reply.status < 500 => "answered",
        Ok(_) => "server_error",
        Err(CallFailure::NotSent) => "not_sent",
        Err(CallFailure::Reset) => "reset",
        Err(CallFailure::TooLarge) => "too_large",
    }
}
