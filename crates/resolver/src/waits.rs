//! Who waits for a ticket to move, without a connection to the database.
//!
//! A request that waits has a place here. Changes that this process makes are told to the places at once; for those of other
//! resolvers one task, and only while somebody waits, reads the states of all awaited tickets in one statement, again and again. A place is free as
//! soon as its [`Place`] is dropped, which is when the client leaves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resolver_api::tickets::TicketState;
use tokio::sync::{Semaphore, watch};

use crate::state::AppState;
use crate::store::Store;
use crate::tickets::TicketId;

/// How often the states of all awaited tickets are read.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The most requests of one client that wait at once.
const MOST_OF_A_CLIENT: usize = 3;

/// How many of those who wait read their ticket at once: fewer than there are connections, so that some are always left for logins.
const READS: usize = 3;

/// Who waits for which ticket.
#[derive(Debug)]
pub struct Waits {
    inner: Mutex<Inner>,
    /// For reading a ticket.
    pub(crate) reads: Semaphore,
}

#[derive(Debug, Default)]
struct Inner {
    tickets: HashMap<TicketId, Awaited>,
    clients: HashMap<String, usize>,
    places: usize,
    is_watched: bool,
    is_closed: bool,
}

#[derive(Debug)]
struct Awaited {
    places: usize,
    news: watch::Sender<News>,
}

/// What is known of an awaited ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    State(TicketState),
    Over,
}

/// A place to wait at.
pub(crate) struct Place {
    waits: Arc<Waits>,
    ticket: TicketId,
    client: Option<String>,
    news: watch::Receiver<News>,
}

/// All places are taken, or the resolver stops.
pub(crate) struct NoPlace;

/// No more will be told: the resolver stops.
pub(crate) struct Closed;

impl Waits {
    /// A place to wait for the ticket, if there is one of `most` for this client. Changes count from now on.
    pub(crate) fn take<S: Store>(state: &Arc<AppState<S>>, ticket: TicketId, client: Option<String>) -> Result<Place, NoPlace> {
        let waits = &state.waits;
        let mut inner = waits.lock();
        let of_client = client.as_ref().and_then(|client| inner.clients.get(client)).copied().unwrap_or_default();
        if inner.is_closed || inner.places >= state.limits.tickets.waits || of_client >= MOST_OF_A_CLIENT {
            return Err(NoPlace);
        }
        inner.places += 1;
        if let Some(client) = &client {
            *inner.clients.entry(client.clone()).or_default() += 1;
        }
        let awaited = inner.tickets.entry(ticket.clone()).or_insert_with(|| Awaited { places: 0, news: watch::Sender::new(News::None) });
        awaited.places += 1;
        let news = awaited.news.subscribe();
        if !std::mem::replace(&mut inner.is_watched, true) {
            tokio::spawn(watch(state.clone()));
        }
        Ok(Place { waits: waits.clone(), ticket, client, news })
    }

    /// How many requests wait.
    pub fn places(&self) -> usize {
        self.lock().places
    }

    /// Tells those who wait for the ticket that it has moved.
    pub(crate) fn moved(&self, ticket: &TicketId, state: TicketState) {
        if let Some(awaited) = self.lock().tickets.get(ticket) {
            awaited.tell(News::State(state));
        }
    }

    /// Ends all waits, for good.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        // Their senders go with them, which ends the waits.
        inner.tickets.clear();
    }

    /// The awaited tickets; none when nobody waits, and then nobody watches.
    fn awaited(&self) -> Option<Vec<TicketId>> {
        let mut inner = self.lock();
        inner.is_watched = !inner.tickets.is_empty();
        inner.is_watched.then(|| inner.tickets.keys().cloned().collect())
    }

    fn tell(&self, tickets: &[TicketId], states: &HashMap<TicketId, TicketState>) {
        let inner = self.lock();
        for ticket in tickets {
            if let Some(awaited) = inner.tickets.get(ticket) {
                awaited.tell(states.get(ticket).map_or(News::Over, |state| News::State(*state)));
            }
        }
    }

    /// Nothing that can go wrong is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    /// Wakes nobody by what is known already.
    fn tell(&self, news: News) {
        self.news.send_if_modified(|known| std::mem::replace(known, news) != news);
    }
}

impl Place {
    /// Waits for news of something else than this state. It may be old news: the ticket has to be read again.
    pub(crate) async fn news(&mut self, known: TicketState) -> Result<(), Closed> {
        loop {
            self.news.changed().await.map_err(|_| Closed)?;
            let news = *self.news.borrow_and_update();
            if news != News::State(known) {
                return Ok(());
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.waits.lock();
        inner.places -= 1;
        if let Some(awaited) = inner.tickets.get_mut(&self.ticket) {
            awaited.places -= 1;
            if awaited.places == 0 {
                inner.tickets.remove(&self.ticket);
            }
        }
        if let Some(client) = &self.client
            && let Some(places) = inner.clients.get_mut(client)
        {
            *places -= 1;
            if *places == 0 {
                inner.clients.remove(client);
            }
        }
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self { inner: Mutex::default(), reads: Semaphore::new(READS) }
    }
}

/// Reads the states of all awaited tickets again and again, until nobody waits.
async fn watch<S: Store>(state: Arc<AppState<S>>) {
    let mut is_failing = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(tickets) = state.waits.awaited() else {
            return;
        };
        let found = state.store.find_ticket_states(&tickets, state.clock.now()).await;
        match &found {
            Ok(states) => state.waits.tell(&tickets, states),
            // Once, and not five times a second.
            Err(error) if !is_failing => tracing::warn!(%error, "awaited tickets could not be read"),
            Err(_) => {}
        }
        is_failing = found.is_err();
    }
}
