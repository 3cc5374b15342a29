//! WeChat's server tokens across the workers of one Envoy, by way of its shared data.
//!
//! One key for each app, written with compare-and-swap: what it holds and what becomes of it is the core's business
//! (`src/gate/server_tokens.rs`). Whoever manages to write a claim asks WeChat, with the root's own calls, so that no
//! visitor waits for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::hostcalls;

use super::feed::{TRIES, write};
use super::observe::Observer;
use super::{apply, snapshot};
use crate::coroutine::describe;
use crate::gate::Gate;
use crate::http::{CallResult, HttpCall, Peer};
use crate::step::Event;
use crate::wechat::server_token::TokenReport;

pub(super) struct Tokens {
    gate: Rc<Gate>,
    observer: Rc<Observer>,
    apps: Vec<App>,
    /// The questions that are under way, by the name of their call.
    questions: RefCell<Vec<(u32, Question)>>,
}

struct App {
    /// In shared data.
    key: String,
    /// The edition that this worker has adopted.
    adopted: Cell<Option<u32>>,
}

/// A question for a token.
#[derive(Clone, Copy)]
pub(super) struct Question {
    app: usize,
    asked_ms: u64,
    is_forced: bool,
}

impl Tokens {
    pub(super) fn new(gate: Rc<Gate>, observer: Rc<Observer>) -> Self {
        let names = gate.server_token_names().into_iter();
        let apps = names.map(|name| App { key: format!("wxgate.server-token.{name}"), adopted: Cell::new(None) }).collect();
        Self { gate, observer, apps, questions: RefCell::default() }
    }

    /// Writes what is not there yet, when the configuration is read: Envoy compares nothing with a key that is absent, so
    /// that every worker's first claim would win. Its main thread comes first here, before any worker.
    pub(super) fn begin(&self) {
        for app in &self.apps {
            if !matches!(hostcalls::get_shared_data(&app.key), Ok((Some(_), _))) {
                write(&app.key, &Gate::no_server_token(), None);
            }
        }
        self.adopt();
    }

    /// Takes in what other workers have shared, and asks WeChat where it is time.
    pub(super) fn tick(&self, now_ms: u64) {
        self.adopt();
        for (index, app) in self.apps.iter().enumerate() {
            let (shared, cas) = hostcalls::get_shared_data(&app.key).unwrap_or_default();
            let Some((claimed, call)) = self.gate.claim_server_token(index, &shared.unwrap_or_default(), now_ms) else { continue };
            if write(&app.key, &claimed, cas) {
                self.ask(&call, Question { app: index, asked_ms: now_ms, is_forced: false });
            }
        }
    }

    /// Takes in what other workers have shared.
    pub(super) fn adopt(&self) {
        for (index, app) in self.apps.iter().enumerate() {
            if let Ok((Some(shared), cas)) = hostcalls::get_shared_data(&app.key)
                && app.adopted.replace(cas) != cas
            {
                self.gate.adopt_server_token(index, &shared);
            }
        }
    }

    /// Shares what a flow has learnt.
    pub(super) fn share(&self, connector: &str, report: &TokenReport) {
        if let Some(app) = self.gate.server_token_app(connector) {
            self.tell(app, report, false);
        }
    }

    fn ask(&self, call: &HttpCall, question: Question) {
        match apply::dispatch(call) {
            Ok(name) => self.questions.borrow_mut().push((name, question)),
            Err(failure) => self.answered(question, Err(failure)),
        }
    }

    /// The question that this call asked, if it was one of ours.
    pub(super) fn question(&self, call: u32) -> Option<Question> {
        let mut questions = self.questions.borrow_mut();
        let place = questions.iter().position(|(name, _)| *name == call)?;
        Some(questions.swap_remove(place).1)
    }

    /// WeChat has answered, or not.
    pub(super) fn answered(&self, question: Question, result: CallResult) {
        let Question { app, asked_ms, is_forced } = question;
        let milliseconds = snapshot::moment().now_ms.saturating_sub(asked_ms);
        let (peer, label) = (Peer::Wechat, "cgi.stable_token");
        self.observer.observe(&Event::CallFinished { peer, label, result: describe(&result), milliseconds });
        let report = TokenReport::of(result, asked_ms, is_forced);
        let forced = self.tell(app, &report, true);
        self.gate.server_token_event(app, report).iter().for_each(|event| self.observer.observe(event));
        if let Some(call) = forced {
            self.ask(&call, Question { app, asked_ms: snapshot::moment().now_ms, is_forced: true });
        }
    }

    /// Changes what is shared: always on top of its latest edition. Gives the call that has to follow.
    fn tell(&self, index: usize, report: &TokenReport, is_root: bool) -> Option<HttpCall> {
        let app = self.apps.get(index)?;
        for _ in 0..TRIES {
            let (shared, cas) = hostcalls::get_shared_data(&app.key).unwrap_or_default();
            let told = self.gate.tell_server_token(index, &shared.unwrap_or_default(), report, is_root, snapshot::moment())?;
            if write(&app.key, &told.shared, cas) {
                self.gate.adopt_server_token(index, &told.shared);
                told.event.iter().for_each(|event| self.observer.observe(event));
                return told.call;
            }
        }
        None
    }
}
