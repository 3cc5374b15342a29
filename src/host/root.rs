//! One worker's filter: reads the configuration once, then keeps the revocations current.

use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use super::feed::Feed;
use super::observe::Observer;
use super::snapshot;
use super::stream::Stream;
use crate::config;
use crate::gate::Gate;

/// How often shared revocations are looked at: a logout at one worker holds at the others after this.
const TICK: Duration = Duration::from_millis(250);

/// A configuration is at most this long.
const MAX_CONFIGURATION_BYTES: usize = 1024 * 1024;

/// Without a gate until a configuration has been accepted; streams refuse everything until then.
#[derive(Default)]
pub(super) struct Root {
    ready: Option<Ready>,
}

struct Ready {
    gate: Rc<Gate>,
    observer: Rc<Observer>,
    feed: Rc<Feed>,
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
                let feed = Rc::new(Feed::new(gate.clone(), observer.clone()));
                feed.adopt();
                self.ready = Some(Ready { gate, observer, feed });
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
            ready.feed.tick(snapshot::moment().now_ms);
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let ready = self.ready.as_ref().map(|ready| (ready.gate.clone(), ready.observer.clone(), ready.feed.clone()));
        Some(Box::new(Stream::new(ready)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Root {
    /// The only call that the root makes is the question for revocations.
    fn on_http_call_response(&mut self, _: u32, num_headers: usize, body_bytes: usize, _: usize) {
        if let Some(ready) = &self.ready {
            ready.feed.answered(snapshot::call_result(num_headers, body_bytes), snapshot::moment().now_ms);
        }
    }
}
