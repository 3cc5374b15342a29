//! One request: from Envoy's callbacks to the core and back.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use super::body::{Progress, Reader};
use super::root::Ready;
use super::{apply, snapshot};
use crate::http::{CallResult, Request};
use crate::step::{Outcome, Reply, Step, Suspended, Verdict};

pub(super) struct Stream {
    /// Envoy's name of it.
    id: u32,
    /// Absent while no configuration has been accepted.
    ready: Option<Rc<Ready>>,
    state: State,
    body: Progress,
}

/// Where a request stands. Moved out of on use, so nothing is resumed or answered twice.
enum State {
    /// Its headers have not been decided.
    Undecided,
    /// It waits for a call, whose answer may be so long.
    Waiting(Suspended<CallResult>, usize),
    /// It waits for its body.
    Reading(Rc<Reader>),
    /// We have answered it; our own answer passes our response callback too, and is left alone there.
    Answered,
    /// It is on its way to the application.
    Forwarded { renewed_cookie: Option<String> },
}

impl Stream {
    pub(super) fn new(id: u32, ready: Option<Rc<Ready>>) -> Self {
        Self { id, ready, state: State::Undecided, body: Progress::default() }
    }

    /// Goes on until the request is decided or waits. A call that cannot be sent is its own answer, and so is a body
    /// that is there already.
    fn drive(&mut self, ready: &Ready, mut step: Step) -> Action {
        loop {
            match step {
                Step::Done(outcome) => return self.finish(ready, outcome),
                Step::ReadBody(suspended) => match self.body.result() {
                    Some(body) => step = suspended.resume(body, snapshot::moment()),
                    None => {
                        self.state = State::Reading(ready.readers.wait(self.id, snapshot::moment().now_ms, self.body, suspended));
                        return Action::Pause;
                    }
                },
                Step::Call(call, suspended) => match apply::dispatch(&call) {
                    Ok(_) => {
                        self.state = State::Waiting(suspended, call.max_reply_bytes);
                        return Action::Pause;
                    }
                    Err(failure) => step = suspended.resume(Err(failure), snapshot::moment()),
                },
            }
        }
    }

    fn finish(&mut self, ready: &Ready, outcome: Outcome) -> Action {
        ready.observe(&outcome.events);
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

    /// More of the body has come, or its end. While a request is undecided its body and trailers must wait with it: one
    /// Continue there would send it to the application although its headers were paused.
    fn receive(&mut self, body: Progress) -> Action {
        self.body = body;
        match (&self.state, self.ready.clone()) {
            (State::Forwarded { .. }, _) => Action::Continue,
            (State::Reading(reader), Some(ready)) => {
                reader.begin();
                let Some(body) = body.result() else { return Action::Pause };
                let Some(suspended) = reader.take() else { return Action::Pause };
                self.drive(&ready, suspended.resume(body, snapshot::moment()))
            }
            _ => Action::Pause,
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, is_all: bool) -> Action {
        let Some(ready) = self.ready.clone() else {
            apply::reply(&not_ready());
            self.state = State::Answered;
            return Action::Pause;
        };
        self.body.is_whole = is_all;
        let request = Request { headers: snapshot::headers(MapType::HttpRequestHeaders), source: snapshot::source };
        let moment = snapshot::moment();
        ready.look(&request, moment.now_ms);
        let step = ready.gate.begin(&request, moment);
        self.drive(&ready, step)
    }

    /// `bytes` counts all that Envoy has buffered so far.
    fn on_http_request_body(&mut self, bytes: usize, is_whole: bool) -> Action {
        self.receive(Progress { bytes, is_whole })
    }

    /// The body is whole where trailers follow it, though its last callback did not say so.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let action = self.receive(Progress { is_whole: true, ..self.body });
        if let (State::Forwarded { .. }, Some(ready)) = (&self.state, &self.ready) {
            apply::trailers(&ready.gate);
        }
        action
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        match (&self.state, &self.ready) {
            (State::Forwarded { renewed_cookie }, Some(ready)) => apply::response(&ready.gate, renewed_cookie.as_deref()),
            // Envoy has answered by itself (a body over its limit, a timeout), or the tick has where the body did not
            // come: there is nothing left to wait for, and a second answer would cut this one off.
            (State::Waiting(..) | State::Reading(_), _) => self.state = State::Answered,
            _ => {}
        }
        Action::Continue
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _: u32, num_headers: usize, body_bytes: usize, _: usize) {
        let Some(ready) = self.ready.clone() else { return };
        // Whoever does not wait (any more) has been answered.
        if let State::Waiting(suspended, max_reply_bytes) = std::mem::replace(&mut self.state, State::Answered) {
            let result = snapshot::call_result(num_headers, body_bytes, max_reply_bytes);
            let step = suspended.resume(result, snapshot::moment());
            if self.drive(&ready, step) == Action::Continue {
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
