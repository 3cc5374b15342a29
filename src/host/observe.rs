//! Metrics and log lines of what the core has told.

use std::cell::RefCell;
use std::collections::HashMap;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use crate::step::{Event, Level};

/// The metrics that this worker has defined. Envoy never forgets one, so names hold only what the operator configured.
#[derive(Default)]
pub(super) struct Observer {
    metrics: RefCell<HashMap<String, u32>>,
}

impl Observer {
    pub(super) fn observe(&self, event: &Event) {
        if let Some(metric) = self.metric(MetricType::Counter, event.counter()) {
            let _ = hostcalls::increment_metric(metric, 1);
        }
        if let Event::CallFinished { peer, label, milliseconds, .. } = event {
            let name = format!("wxgate_call_duration_milliseconds;peer={};call={}", peer.label(), label.replace('.', "_"));
            if let Some(metric) = self.metric(MetricType::Histogram, name) {
                let _ = hostcalls::record_metric(metric, *milliseconds);
            }
        }
        match event.line() {
            Some((Level::Info, line)) => log::info!("{line}"),
            Some((Level::Warn, line)) => log::warn!("{line}"),
            Some((Level::Error, line)) => log::error!("{line}"),
            None => {}
        }
    }

    fn metric(&self, kind: MetricType, name: String) -> Option<u32> {
        let mut metrics = self.metrics.borrow_mut();
        if let Some(metric) = metrics.get(&name) {
            return Some(*metric);
        }
        let metric = hostcalls::define_metric(kind, &name).ok()?;
        metrics.insert(name, metric);
        Some(metric)
    }
}
