//! Runs the resolver on a socket until it is told to stop.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::http::app;
use crate::state::AppState;
use crate::store::{AdminStore, Store};

/// How often what is over is deleted. Nothing but the size of the database depends on it.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Answers requests on `listener` until `shutdown` is ready; then takes no new one, gives those under way
/// [`Limits::drain`](crate::Limits::drain) to finish, then as long to the codes that are on their way, and closes the store.
///
/// # Errors
///
/// The listener broke.
pub async fn serve<S: AdminStore>(
    listener: TcpListener,
    state: Arc<AppState<S>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, mut stopped) = watch::channel(());
    let waits = state.waits.clone();
    let serving =
        axum::serve(listener, app(state.clone()).into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(async move {
            shutdown.await;
            tracing::info!("shutting down");
            waits.close();
            drop(stopping);
        });
    let drain = state.limits.drain;
    let overdue = async move {
        // An error says that the sender is gone: the shutdown has begun.
        while stopped.changed().await.is_ok() {}
        tokio::time::sleep(drain).await;
    };
    let result = tokio::select! {
        result = serving.into_future() => result,
        never = sweep(&state) => match never {},
        () = overdue => {
            tracing::warn!("requests were still under way when the time for them was over");
            Ok(())
        }
    };
    // Their people have been told that they are on their way.
    if tokio::time::timeout(drain, state.delivery.finish()).await.is_err() {
        tracing::warn!("codes were still on their way when the time for them was over");
    }
    if tokio::time::timeout(drain, state.store.close()).await.is_err() {
        tracing::warn!("the store was still at work when the time for it was over");
    }
    result
}

async fn sweep<S: Store>(state: &AppState<S>) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        loop {
            match state.store.delete_expired(state.clock.now()).await {
                Ok(0) => break,
                Ok(deleted) => tracing::debug!(deleted, "swept"),
                Err(error) => {
                    tracing::warn!(%error, "could not delete what is over");
                    break;
                }
            }
        }
    }
}
