//! One worker's filter: reads the configuration once, then keeps revocations and server tokens current.

use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use super::body::Readers;
use super::feed::Feed;
use super::observe::Observer;
use super::stream::Stream;
use super::tokens::Tokens;
use super::{apply, snapshot};
use crate::config;
use crate::gate::Gate;
use crate::http::{MAX_REPLY_BYTES, Request};
use crate::step::{Event, Outcome, Step, Verdict};

/// How often what workers share is looked at: a logout at one worker holds at the others after this.
const TICK: Duration = Duration::from_millis(250);

/// A configuration is at most this long.
const MAX_CONFIGURATION_BYTES: usize = 1024 * 1024;

/// Without a gate until a configuration has been accepted; streams refuse everything until then.
#[derive(Default)]
pub(super) struct Root {
    ready: Option<Rc<Ready>>,
}

/// What an accepted configuration made of this worker.
pub(super) struct Ready {
    pub(super) gate: Rc<Gate>,
    pub(super) readers: Readers,
    observer: Rc<Observer>,
    feed: Feed,
    tokens: Tokens,
}

impl Ready {
    /// Counts and logs what a flow has told, and ends what has ended at every worker here.
    pub(super) fn observe(&self, events: &[Event]) {
        for event in events {
            self.observer.observe(event);
            match event {
                Event::SignedOut { ended, .. } => self.feed.end_session(ended, snapshot::moment().now()),
                Event::ServerToken { connector, report } => self.tokens.share(connector, report),
                _ => {}
            }
        }
    }

    /// Takes in what is shared, before a request that could need it.
    pub(super) fn look(&self, request: &Request, now_ms: u64) {
        if self.gate.lacks_server_tokens(request, now_ms) {
            self.tokens.adopt();
        }
    }

    /// Answers requests whose bodies have not come.
    fn answer_overdue(&self, now_ms: u64) {
        for (context_id, suspended, failure) in self.readers.overdue(now_ms) {
            let step = suspended.resume(Err(failure), snapshot::moment());
            let Step::Done(Outcome { verdict: Verdict::Reply(reply), events }) = step else { continue };
            self.observe(&events);
            if hostcalls::set_effective_context(context_id).is_ok() {
                apply::reply(&reply);
            }
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let json = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, MAX_CONFIGURATION_BYTES).ok().flatten();
        match config::compile(&json.unwrap_or_default(), &|name| std::env::var(name).ok()) {
            Ok(config) => {
                let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("WXGATE_COMMIT"));
                log::info!("wxgate {version} ({commit}) is ready, applications={}", config.applications.len());
                let gate = Rc::new(Gate::new(config));
                let observer = Rc::<Observer>::default();
                let feed = Feed::new(gate.clone(), observer.clone());
                feed.adopt();
                let tokens = Tokens::new(gate.clone(), observer.clone());
                tokens.begin();
                self.ready = Some(Rc::new(Ready { gate, readers: Readers::default(), observer, feed, tokens }));
                // A reload of the VM forgets the timer, so it is set here and not in `on_vm_start`.
                hostcalls::set_tick_period(TICK).is_ok()
            }
            Err(problems) => {
                for problem in &problems {
                    log::error!("configuration refused: {problem}");
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(ready) = &self.ready {
            let now_ms = snapshot::moment().now_ms;
            ready.feed.tick(now_ms);
            ready.tokens.tick(now_ms);
            // Last: what follows in this callback would speak for the request that was answered.
            ready.answer_overdue(now_ms);
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(id, self.ready.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Root {
    /// The root asks for server tokens, and for revocations.
    fn on_http_call_response(&mut self, call: u32, num_headers: usize, body_bytes: usize, _: usize) {
        let Some(ready) = &self.ready else { return };
        let result = snapshot::call_result(num_headers, body_bytes, MAX_REPLY_BYTES);
        match ready.tokens.question(call) {
            Some(question) => ready.tokens.answered(question, result),
            None => ready.feed.answered(result, snapshot::moment().now_ms),
        }
    }
}
