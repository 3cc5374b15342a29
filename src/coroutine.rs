//! Runs one flow: an `async fn` that reads top to bottom and stops wherever it waits for a call or for the request's
//! body.
//!
//! There is no executor, waker or spawn. A flow waits for one thing at a time, and the host's callback is the wake-up:
//! [`Suspended::resume`] puts what came where the flow looks for it and polls once. Dropping a `Suspended` cancels its
//! flow. This is the only `Pin` and `poll` in the repository.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::http::{BodyResult, CallFailure, CallResult, Entropy, HttpCall, HttpReply, Moment, Peer};
use crate::step::{Event, Outcome, Step, Verdict};

/// A call with less time than that would never succeed; Envoy takes 0 for no limit.
const SHORTEST_MS: u32 = 50;

/// A flow that waits for `Awaited`: a [`CallResult`] or a [`BodyResult`].
pub struct Suspended<Awaited> {
    flow: Flow,
    awaited: PhantomData<Awaited>,
}

impl Suspended<CallResult> {
    /// Goes on with the result of the call that [`Step::Call`] asked for. By value: once only.
    pub fn resume(self, result: CallResult, moment: Moment) -> Step {
        self.flow.called(result, moment)
    }
}

impl Suspended<BodyResult> {
    /// Goes on with the body that [`Step::ReadBody`] asked for. By value: once only.
    pub fn resume(self, body: BodyResult, moment: Moment) -> Step {
        self.flow.read(body, moment)
    }
}

/// A flow between two things that it waits for.
struct Flow {
    future: Pin<Box<dyn Future<Output = Verdict>>>,
    desk: Rc<Desk>,
}

impl Flow {
    fn called(self, result: CallResult, moment: Moment) -> Step {
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

    fn read(self, body: BodyResult, moment: Moment) -> Step {
        self.desk.set(moment);
        self.desk.body.set(Some(body));
        self.advance()
    }

    fn advance(mut self) -> Step {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(verdict) => Step::Done(Outcome { verdict, events: self.desk.events.take() }),
            Poll::Pending => match self.desk.outgoing.take() {
                Some(call) => {
                    self.desk.waiting_for.set(Some((call.peer, call.label, self.desk.now_ms.get())));
                    Step::Call(call, Suspended { flow: self, awaited: PhantomData })
                }
                // A flow awaits nothing but calls and the body.
                None => Step::ReadBody(Suspended { flow: self, awaited: PhantomData }),
            },
        }
    }
}

/// Starts a flow and runs it up to its first call, or to its end.
pub(crate) fn start<F: Future<Output = Verdict> + 'static>(moment: Moment, flow: impl FnOnce(Calls) -> F) -> Step {
    let desk = Rc::new(Desk::at(moment));
    let future = Box::pin(flow(Calls(desk.clone())));
    Flow { future, desk }.advance()
}

/// What a flow may do beyond computing: make a call, read the request's body, read the time, draw randomness, note an
/// event.
pub(crate) struct Calls(Rc<Desk>);

impl Calls {
    /// Makes a call and waits for what comes of it. Never repeats it. Where the flow has to be done by some time, a call
    /// gets what is left; without enough of it none is made, and what comes is what Envoy says of one that took too long.
    pub(crate) async fn send(&self, mut call: HttpCall) -> CallResult {
        if let Some(deadline_ms) = self.0.deadline_ms.get() {
            let left = deadline_ms.saturating_sub(self.0.now_ms.get());
            if left < SHORTEST_MS.into() {
                return Ok(HttpReply { status: 504, body: Vec::new() });
            }
            call.timeout_ms = call.timeout_ms.min(u32::try_from(left).unwrap_or(u32::MAX));
        }
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

    /// All calls from now on have to be over by then: milliseconds since the Unix epoch.
    pub(crate) fn finish_by(&self, deadline_ms: u64) {
        self.0.deadline_ms.set(Some(deadline_ms));
    }

    /// Waits for the whole body of the request.
    pub(crate) async fn body(&self) -> BodyResult {
        poll_fn(|_| self.0.body.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Seconds since the Unix epoch, at the latest resumption.
    pub(crate) fn now(&self) -> u64 {
        self.0.now_ms.get() / 1000
    }

    /// Milliseconds since the Unix epoch, at the latest resumption.
    pub(crate) fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
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
    body: Cell<Option<BodyResult>>,
    waiting_for: Cell<Option<(Peer, &'static str, u64)>>,
    now_ms: Cell<u64>,
    deadline_ms: Cell<Option<u64>>,
    entropy: Cell<Entropy>,
    events: Cell<Vec<Event>>,
}

impl Desk {
    fn at(moment: Moment) -> Self {
        Self {
            outgoing: Cell::default(),
            incoming: Cell::default(),
            body: Cell::default(),
            waiting_for: Cell::default(),
            now_ms: Cell::new(moment.now_ms),
            deadline_ms: Cell::default(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::BodyFailure;
    use crate::step::Reply;

    fn moment(now_ms: u64) -> Moment {
        Moment { now_ms, seed: [1; 32] }
    }

    fn call(label: &'static str) -> HttpCall {
        HttpCall {
            peer: Peer::Resolver,
            label,
            cluster: String::new(),
            authority: String::new(),
            method: "GET",
            path: "/".into(),
            headers: vec![],
            body: vec![],
            timeout_ms: 50,
            max_reply_bytes: 64,
        }
    }

    /// Reads the body between two calls and answers with it.
    fn flow() -> Step {
        start(moment(0), |calls| async move {
            let first = calls.send(call("first")).await.map(|reply| reply.status);
            let body = calls.body().await;
            let second = calls.send(call("second")).await.map(|reply| reply.status);
            let told = format!("{first:?} {body:?} {second:?}");
            Verdict::Reply(Reply { status: 200, headers: vec![], body: told.into_bytes() })
        })
    }

    #[test]
    fn a_flow_waits_for_one_thing_at_a_time() {
        for (body, told) in [(Ok(b"a=1".to_vec()), "Ok([97, 61, 49])"), (Err(BodyFailure::TooLarge), "Err(TooLarge)")] {
            let Step::Call(first, suspended) = flow() else { panic!("a call comes first") };
            assert_eq!(first.label, "first");
            let Step::ReadBody(suspended) = suspended.resume(Ok(HttpReply { status: 201, body: vec![] }), moment(5)) else {
                panic!("then the body")
            };
            let Step::Call(second, suspended) = suspended.resume(body, moment(6)) else { panic!("then another call") };
            assert_eq!(second.label, "second");
            let Step::Done(Outcome { verdict: Verdict::Reply(reply), events }) = suspended.resume(Err(CallFailure::Reset), moment(9))
            else {
                panic!("then the answer")
            };
            assert_eq!(String::from_utf8(reply.body).unwrap(), format!("Ok(201) {told} Err(Reset)"));
            let took: Vec<_> =
                events.iter().map(|event| matches!(event, Event::CallFinished { milliseconds, .. } if *milliseconds < 6)).collect();
            assert_eq!(took, [true, true], "each call is measured by itself");
        }
    }

    #[test]
    fn a_flow_that_has_to_be_done_gives_each_call_what_is_left_and_makes_none_when_it_is_too_late() {
        let flow = start(moment(1000), |calls| async move {
            calls.finish_by(1200);
            let mut statuses = Vec::new();
            for _ in 0..3 {
                let call = HttpCall { timeout_ms: 170, ..call("any") };
                statuses.push(calls.send(call).await.map(|reply| reply.status));
            }
            Verdict::Reply(Reply { status: 200, headers: vec![], body: format!("{statuses:?}").into_bytes() })
        });
        let Step::Call(first, suspended) = flow else { panic!("a call comes first") };
        let Step::Call(second, suspended) = suspended.resume(Ok(HttpReply { status: 200, body: vec![] }), moment(1100)) else {
            panic!("then another")
        };
        assert_eq!((first.timeout_ms, second.timeout_ms), (170, 100), "its own limit, then what is left");
        let Step::Done(outcome) = suspended.resume(Ok(HttpReply { status: 200, body: vec![] }), moment(1151)) else {
            panic!("no third one")
        };
        let Verdict::Reply(reply) = outcome.verdict else { panic!("an answer") };
        assert_eq!(String::from_utf8(reply.body).unwrap(), "[Ok(200), Ok(200), Ok(504)]");
        assert_eq!(outcome.events.len(), 2, "what was not made is not counted");
    }
}
