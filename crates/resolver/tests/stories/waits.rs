//! Requests that wait for a ticket: who is told when, how many may, and what they cost others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use resolver_api::tickets::{CreateTicket, CreateTicketAnswer, RedeemAnswer, Ticket, TicketState};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use wxgate_resolver::serve;
use wxgate_resolver::store::{AdminStore, PostgresStore, SqliteStore, Store};

use crate::support::{PATIENT, TOKEN, at, log_in, over_both_databases, pc, postgres, signed_in, sqlite};
use crate::tickets::{Front, done, fresh, person, to_scan};

over_both_databases!(
    a_change_here_wakes_who_waits,
    what_is_not_as_the_caller_knows_it_is_told_at_once,
    a_wait_ends_at_its_time,
    a_ticket_that_ends_meanwhile_is_over_for_who_waits,
    a_client_waits_three_times_and_the_fourth_is_told_to_come_again,
    when_all_places_are_taken_nobody_is_kept_waiting,
    whoever_leaves_frees_the_place_at_once,
    hundreds_who_wait_keep_nobody_from_logging_in,
    who_waits_is_answered_when_the_resolver_stops,
);

/// Longer than any of these stories: who is told in less was woken.
const LONG: &str = "?wait_ms=10000&known=waiting";

/// Looks again and again until it holds.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl<S: Store + AdminStore> Front<S> {
    /// Waits in a task of its own, at this client's address.
    fn waiting(self: &Arc<Self>, ticket: &str, client: &str) -> JoinHandle<Result<Ticket, axum::http::StatusCode>> {
        let (front, ticket) = (self.clone(), ticket.to_owned());
        let query = if client.is_empty() { LONG.to_owned() } else { format!("{LONG}&client_address={client}") };
        tokio::spawn(async move { front.wait(&ticket, &query).await })
    }

    /// Until so many wait.
    async fn wait_for(&self, places: usize) {
        eventually(&format!("{places} wait"), || self.state.waits.places() == places).await;
    }
}

async fn a_change_here_wakes_who_waits<S: AdminStore>(store: S) {
    let front = Arc::new(Front::new(store));
    let verifier = fresh();
    let ticket = front.begin(&verifier).await;
    let (one, other) = (front.waiting(&ticket, ""), front.waiting(&ticket, ""));
    front.wait_for(2).await;
    let scanned = done(front.scan(&ticket, &person("o")).await);
    assert_eq!((one.await.unwrap().unwrap(), other.await.unwrap().unwrap()), (scanned.clone(), scanned));

    for (known, next) in [("scanned", TicketState::Confirmed), ("confirmed", TicketState::Redeemed)] {
        let (query, waiting, name) = (format!("?wait_ms=10000&known={known}"), front.clone(), ticket.clone());
        let waiting = tokio::spawn(async move { waiting.wait(&name, &query).await });
        front.wait_for(1).await;
        match next {
            TicketState::Confirmed => drop(done(front.confirm(&ticket, &person("o")).await)),
            _ => drop(front.redeem(&ticket, &verifier).await.unwrap()),
        }
        assert_eq!(waiting.await.unwrap().unwrap().state, next);
    }
    front.wait_for(0).await;
}

async fn what_is_not_as_the_caller_knows_it_is_told_at_once<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let ticket = front.begin(&fresh()).await;
    let begun = Instant::now();
    for query in ["?wait_ms=10000", "?wait_ms=10000&known=scanned", "?known=waiting", "?wait_ms=0&known=waiting", ""] {
        assert_eq!(front.wait(&ticket, query).await.unwrap().state, TicketState::Waiting);
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

async fn a_wait_ends_at_its_time<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let ticket = front.begin(&fresh()).await;
    let begun = Instant::now();
    let waited = front.wait(&ticket, "?wait_ms=500&known=waiting").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!((waited.state, waited.retry_after), (TicketState::Waiting, None));
}

async fn a_ticket_that_ends_meanwhile_is_over_for_who_waits<S: AdminStore>(store: S) {
    let front = Arc::new(Front::new(store));
    let ticket = front.begin(&fresh()).await;
    let waiting = front.waiting(&ticket, "");
    front.wait_for(1).await;
    front.pass(300);
    assert_eq!(waiting.await.unwrap(), Err(axum::http::StatusCode::NOT_FOUND));
}

async fn a_client_waits_three_times_and_the_fourth_is_told_to_come_again<S: AdminStore>(store: S) {
    let front = Arc::new(Front::new(store));
    let (ticket, other) = (front.begin(&fresh()).await, front.begin(&fresh()).await);
    // Of IPv6 a client is its network.
    let mut waiting: Vec<_> =
        ["2001:db8::1", "2001:db8::2", "2001:db8::3"].into_iter().map(|client| front.waiting(&ticket, client)).collect();
    front.wait_for(3).await;
    let fourth = front.waiting(&other, "2001:db8::4").await.unwrap().unwrap();
    assert_eq!((fourth.state, fourth.retry_after), (TicketState::Waiting, Some(5)));
    let elsewhere = [front.waiting(&ticket, "192.0.2.2"), front.waiting(&ticket, ""), front.waiting(&ticket, "2001:db8:0:1::1")];
    front.wait_for(6).await;

    waiting.pop().unwrap().abort();
    front.wait_for(5).await;
    let again = front.waiting(&other, "2001:db8::4");
    front.wait_for(6).await;
    done(front.scan(&ticket, &person("o")).await);
    done(front.scan(&other, &person("o")).await);
    for waited in waiting.into_iter().chain(elsewhere).chain([again]) {
        let waited = waited.await.unwrap().unwrap();
        assert_eq!((waited.state, waited.retry_after), (TicketState::Scanned, None));
    }
}

async fn when_all_places_are_taken_nobody_is_kept_waiting<S: AdminStore>(store: S) {
    let front = Arc::new(Front::with(store, |state| state.limits.tickets.waits = 4));
    let ticket = front.begin(&fresh()).await;
    let waiting: Vec<_> = (0..4).map(|_| front.waiting(&ticket, "")).collect();
    front.wait_for(4).await;
    let fifth = front.waiting(&ticket, "192.0.2.5").await.unwrap().unwrap();
    assert_eq!(fifth.retry_after, Some(5));
    done(front.scan(&ticket, &person("o")).await);
    let late = front.waiting(&ticket, "192.0.2.5").await.unwrap().unwrap();
    assert_eq!((late.state, late.retry_after), (TicketState::Scanned, None), "news needs no place");
    for waited in waiting {
        waited.await.unwrap().unwrap();
    }
}

/// A resolver on a socket, and who ends it.
async fn listen<S: AdminStore>(front: &Front<S>) -> (String, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let state = front.state.clone();
    let serving = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        serve(listener, state, stopped).await.unwrap();
    });
    (origin, stop, serving)
}

/// QRL-08.
async fn whoever_leaves_frees_the_place_at_once<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let (origin, _stop, _serving) = listen(&front).await;
    let ticket = front.begin(&fresh()).await;
    let url = format!("{origin}/v1/tickets/{ticket}{LONG}");
    for _ in 0..3 {
        let mut pollers = JoinSet::new();
        for _ in 0..60 {
            pollers.spawn(reqwest::Client::new().get(&url).bearer_auth(TOKEN).send());
        }
        front.wait_for(60).await;
        let left = Instant::now();
        pollers.shutdown().await;
        front.wait_for(0).await;
        assert!(left.elapsed() < Duration::from_secs(10), "sooner than their time was over");
    }
}

/// QRL-08: more than there are connections to the database, by far.
async fn hundreds_who_wait_keep_nobody_from_logging_in<S: AdminStore>(store: S) {
    let front = Arc::new(Front::with(store, |state| state.limits.in_flight = 2));
    let mut tickets = Vec::new();
    for host in 0..10 {
        let ticket = CreateTicket { client_address: Some(format!("192.0.2.{host}")), ..to_scan(&fresh()) };
        tickets.push(front.begin_as(&ticket).await);
    }
    let mut waiting: Vec<_> = (0..300).map(|place| front.waiting(&tickets[place % 10], "")).collect();
    front.wait_for(300).await;
    for person in 0..5 {
        signed_in(log_in(&front.state.store, pc(&format!("o-{person}")), at(0)).await);
    }
    front.state.store.check().await.unwrap();
    // Nor do they take the places of requests that work.
    let scanned = done(front.scan(&tickets[0], &person("o")).await);
    for waited in waiting.iter_mut().step_by(10) {
        assert_eq!(waited.await.unwrap().unwrap(), scanned);
    }
    waiting.iter().for_each(JoinHandle::abort);
    front.wait_for(0).await;
}

async fn who_waits_is_answered_when_the_resolver_stops<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let (origin, stop, serving) = listen(&front).await;
    let ticket = front.begin(&fresh()).await;
    let url = format!("{origin}/v1/tickets/{ticket}{LONG}");
    let waiting = tokio::spawn(reqwest::Client::new().get(&url).bearer_auth(TOKEN).send());
    front.wait_for(1).await;
    let begun = Instant::now();
    stop.send(()).unwrap();
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let waited: Ticket = answer.json().await.unwrap();
    assert_eq!((waited.state, waited.retry_after), (TicketState::Waiting, Some(1)));
    serving.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "it did not wait for it");
}

/// Confirmed at one resolver while the wait hangs at the other; collected at a third, after both are gone.
async fn resolvers_on_one_database_see_each_others_changes<S: AdminStore>(open: impl AsyncFn() -> S) {
    let verifier = fresh();
    let (one, other) = (Arc::new(Front::new(open().await)), Front::new(open().await));
    let ticket = one.begin(&verifier).await;
    for known in ["waiting", "scanned"] {
        let (front, name, query) = (one.clone(), ticket.clone(), format!("?wait_ms=10000&known={known}"));
        let waiting = tokio::spawn(async move { front.wait(&name, &query).await });
        one.wait_for(1).await;
        let begun = Instant::now();
        let moved = match known {
            "waiting" => done(other.scan(&ticket, &person("o")).await),
            _ => done(other.confirm(&ticket, &person("o")).await),
        };
        assert_eq!(waiting.await.unwrap().unwrap(), moved);
        assert!(begun.elapsed() < Duration::from_secs(10), "before the wait was over");
    }
    one.state.store.close().await;
    other.state.store.close().await;
    let third = Front::new(open().await);
    assert_eq!(third.look(&ticket).await.unwrap().state, TicketState::Confirmed);
    assert_eq!(third.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(person("o")) }));
}

/// They count what clients make in one place, too.
async fn resolvers_on_one_database_count_together<S: AdminStore>(open: impl AsyncFn() -> S) {
    let limited = async || Arc::new(Front::with(open().await, |state| state.limits.tickets.a_minute_of_a_client = 9));
    let fronts = [limited().await, limited().await];
    let mut making = JoinSet::new();
    for place in 0..20 {
        let front = fronts[place % 2].clone();
        making.spawn(async move { front.make(&CreateTicket { client_address: Some("192.0.2.7".into()), ..to_scan(&fresh()) }).await });
    }
    let made = making.join_all().await;
    let is_created = |answer: &&CreateTicketAnswer| matches!(answer, CreateTicketAnswer::Created { .. });
    assert_eq!(made.iter().filter(is_created).count(), 9);
}

#[tokio::test]
async fn two_resolvers_on_one_postgres() {
    let (_, options) = postgres().await;
    let open = async || PostgresStore::open(options.clone(), PATIENT).await.unwrap();
    resolvers_on_one_database_see_each_others_changes(open).await;
    resolvers_on_one_database_count_together(open).await;
}

#[tokio::test]
async fn two_resolvers_on_one_file() {
    let (_, dir) = sqlite().await;
    let open = async || SqliteStore::open(dir.path().join("wxgate.db"), PATIENT).await.unwrap();
    resolvers_on_one_database_see_each_others_changes(open).await;
    resolvers_on_one_database_count_together(open).await;
}
