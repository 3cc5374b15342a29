//! One request: from Envoy's callbacks to the core and back.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use super::feed::Feed;
use super::observe::Observer;
use super::{apply, snapshot};
use crate::gate::Gate;
use crate::http::Request;
use crate::step::{Event, Outcome, Reply, Step, Suspended, Verdict};

pub(super) struct Stream {
    /// Absent while no configuration has been accepted.
    ready: Option<(Rc<Gate>, Rc<Observer>, Rc<Feed>)>,
    state: State,
}

/// Where a request stands. Moved out of on use, so nothing is resumed or answered twice.
enum State {
    /// Its headers have not been decided.
    Undecided,
    /// It waits for a call.
    Waiting(Suspended),
    /// We have answered it; our own answer passes our response callback too, and is left alone there.
    Answered,
    /// It is on its way to the application.
    Forwarded { renewed_cookie: Option<String> },
}

impl Stream {
    pub(super) fn new(ready: Option<(Rc<Gate>, Rc<Observer>, Rc<Feed>)>) -> Self {
        Self { ready, state: State::Undecided }
    }

    /// Goes on until the request is decided or waits for a call. A call that cannot be sent is its own answer.
    fn drive(&mut self, mut step: Step) -> Action {
        loop {
            match step {
                Step::Done(outcome) => return self.finish(outcome),
                Step::Call(call, suspended) => match apply::dispatch(&call) {
                    Ok(_) => {
                        self.state = State::Waiting(suspended);
                        return Action::Pause;
                    }
                    Err(failure) => step = suspended.resume(Err(failure), snapshot::moment()),
                },
            }
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Action {
        if let Some((_, observer, feed)) = &self.ready {
            for event in &outcome.events {
                observer.observe(event);
                if let Event::SignedOut { ended, .. } = event {
                    feed.end_session(ended, snapshot::moment().now());
                }
            }
        }
        match outcome.verdict {
            Verdict::Forward(forward) => {
                apply::forward(&forward);
                self.state = State::Forwarded { renewed_cookie: forward.renewed_cookie };
                Action::Continue
            }
            Verdict::Reply(reply) => {
                apply::reply(&reply);
                self.state = State::Answered;
                Action::Pause
            }
        }
    }

    /// While a request is undecided its body and trailers must wait with it: one Continue there would send it to the
    /// application although its headers were paused.
    fn hold_unless_forwarded(&self) -> Action {
        match self.state {
            State::Forwarded { .. } => Action::Continue,
            State::Undecided | State::Waiting(_) | State::Answered => Action::Pause,
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let Some((gate, ..)) = &self.ready else {
            apply::reply(&not_ready());
            self.state = State::Answered;
            return Action::Pause;
        };
        let request = Request { headers: snapshot::headers(MapType::HttpRequestHeaders) };
        let step = gate.begin(&request, snapshot::moment());
        self.drive(step)
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.hold_unless_forwarded()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if let (State::Forwarded { .. }, Some((gate, ..))) = (&self.state, &self.ready) {
            apply::trailers(gate);
        }
        self.hold_unless_forwarded()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        match (&self.state, &self.ready) {
            (State::Forwarded { renewed_cookie }, Some((gate, ..))) => apply::response(gate, renewed_cookie.as_deref()),
            // Envoy has answered by itself (a body over its limit, a timeout): there is nothing left to wait for, and
            // a second answer would cut this one off.
            (State::Waiting(_), _) => self.state = State::Answered,
            _ => {}
        }
        Action::Continue
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _: u32, num_headers: usize, body_bytes: usize, _: usize) {
        let result = snapshot::call_result(num_headers, body_bytes);
        // Whoever does not wait (any more) has been answered.
        if let State::Waiting(suspended) = std::mem::replace(&mut self.state, State::Answered) {
            let step = suspended.resume(result, snapshot::moment());
            if self.drive(step) == Action::Continue {
                let _ = hostcalls::resume_http_request();
            }
        }
    }
}

fn not_ready() -> Reply {
    Reply {
        status: 503,
        headers: vec![("cache-control", "no-store".into()), ("retry-after", "1".into())],
        body: b"wxgate is not configured\n".to_vec(),
    }
}
