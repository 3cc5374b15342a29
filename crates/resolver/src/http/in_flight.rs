//! Bounds how much is worked on at once and for how long, and finishes what was begun.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;

use super::problem::Failure;
use crate::state::Limits;

/// The places for requests under way.
#[derive(Clone)]
pub(super) struct InFlight {
    places: Arc<Semaphore>,
    longest: Duration,
}

impl InFlight {
    pub(super) fn new(limits: Limits) -> Self {
        Self { places: Arc::new(Semaphore::new(limits.in_flight)), longest: limits.request }
    }
}

/// Works on the request in a task of its own, so that it is finished also when the caller leaves: WeChat's browser loads
/// a callback twice and drops the first, whose code is spent by then; the second asks for the first one's outcome.
pub(super) async fn limit(State(in_flight): State<InFlight>, request: Request, next: Next) -> Result<Response, Failure> {
    let place = in_flight.places.try_acquire_owned().map_err(|_| Failure::Overloaded)?;
    let work = tokio::spawn(async move {
        let _place = place;
        tokio::time::timeout(in_flight.longest, next.run(request)).await
    });
    match work.await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_)) => {
            tracing::warn!("a request took too long");
            Err(Failure::TimedOut)
        }
        Err(error) => {
            tracing::error!(is_panic = error.is_panic(), "a request's task died");
            Err(Failure::Internal)
        }
    }
}
