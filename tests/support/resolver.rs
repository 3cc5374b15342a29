//! The real resolver, in this process, on a database of its own, with a clock that can be moved.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wxgate_resolver::admin::Admins;
use wxgate_resolver::clock::Clock;
use wxgate_resolver::policy::ConnectorPolicy;
use wxgate_resolver::store::{AdminStore, PATIENCE, PostgresStore, SqliteStore};
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, Waits};

use crate::database::Database;
use crate::http::{self, Answer};
use crate::outbox::Outbox;
use crate::stack::Keys;

/// Who the operator is in the audit log.
pub const OPERATOR: &str = "operator";

/// A resolver that can be stopped and started again.
#[derive(Debug)]
pub struct Resolver {
    /// Where it listens, also after a restart.
    pub address: SocketAddr,
    /// Its data, which other resolvers may share.
    pub database: Database,
    /// The codes that it has sent.
    pub outbox: Outbox,
    keys: Keys,
    policy: ConnectorPolicy,
    sends_codes: bool,
    /// Seconds that its clock is ahead.
    ahead: Arc<AtomicI64>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    waits: Arc<Waits>,
}

impl Resolver {
    pub(crate) async fn start_new(database: Database, keys: &Keys, policy: ConnectorPolicy, sends_codes: bool) -> Self {
        let mut resolver = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            database,
            outbox: Outbox::default(),
            keys: keys.clone(),
            policy,
            sends_codes,
            ahead: Arc::default(),
            running: None,
        };
        resolver.start().await;
        resolver
    }

    /// Another resolver on the same database, with the same keys, outbox and clock.
    pub(crate) async fn start_beside(&self) -> Self {
        let mut beside = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: self.database.clone(),
            outbox: self.outbox.clone(),
            keys: self.keys.clone(),
            policy: self.policy.clone(),
            sends_codes: self.sends_codes,
            ahead: self.ahead.clone(),
            running: None,
        };
        beside.start().await;
        beside
    }

    /// Starts, on the same port and data as before.
    pub async fn start(&mut self) {
        assert!(self.running.is_none(), "the resolver runs already");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("SO_REUSEADDR");
        socket.bind(self.address).expect("the resolver's port");
        let listener = socket.listen(128).expect("listen");
        self.address = listener.local_addr().expect("bound");
        self.running = Some(match self.database.clone() {
            Database::Sqlite(path) => self.serve(listener, SqliteStore::open(&path, PATIENCE).await.expect("the resolver's database")),
            Database::Postgres(options) => {
                self.serve(listener, PostgresStore::open(*options, PATIENCE).await.expect("the resolver's database"))
            }
        });
    }

    fn serve(&self, listener: TcpListener, store: impl AdminStore) -> Running {
        let tokens = Tokens::new([&self.keys.resolver_token]).expect("a good token");
        let admins = Admins::new([format!("{OPERATOR}:{}", self.keys.admin_token)], &tokens).expect("a good token");
        let ahead = self.ahead.clone();
        let mut state = AppState::new(store, tokens);
        state.admins = admins;
        state.default_policy = self.policy.clone();
        if self.sends_codes {
            state.delivery = self.outbox.delivery();
        }
        state.clock = Clock::new(move || {
            #[expect(clippy::disallowed_methods, reason = "a resolver has a clock, and this one can be moved")]
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let ahead = ahead.load(Ordering::Relaxed);
            let by = Duration::from_secs(ahead.unsigned_abs());
            if ahead < 0 { now.saturating_sub(by) } else { now + by }
        });
        let (waits, (stop, stopped)) = (state.waits.clone(), oneshot::channel::<()>());
        let task = tokio::spawn(async move {
            let shutdown = async move { stopped.await.unwrap_or_default() };
            wxgate_resolver::serve(listener, Arc::new(state), shutdown).await.expect("the resolver serves");
        });
        Running { stop, task, waits }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// How many requests wait for a ticket to move.
    pub fn waiting(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.waits.places())
    }

    /// Stops. Envoy's connections to it close.
    pub async fn stop(&mut self) {
        let Running { stop, task, .. } = self.running.take().expect("the resolver does not run");
        let _ = stop.send(());
        task.await.expect("the resolver stopped");
    }

    /// Puts its clock so far ahead of everybody else's, or with a negative number behind.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }

    /// Asks it as the filter would; `None` for no body.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send(&self.keys.resolver_token, method, path, body).await
    }

    /// Asks its admin API as the operator; `path` goes on after `/v1/admin`.
    pub async fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send(&self.keys.admin_token, method, &format!("/v1/admin{path}"), body).await
    }

    async fn send(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut headers =
            vec![("host".to_owned(), b"resolver".to_vec()), ("authorization".to_owned(), format!("Bearer {token}").into_bytes())];
        let body = body.map(Value::to_string);
        if body.is_some() {
            headers.push(("content-type".into(), b"application/json".to_vec()));
        }
        http::exchange(self.address, method, path, &headers, body.unwrap_or_default().as_bytes()).await
    }

    /// How many accounts there are: rows in the database, whatever anybody says.
    pub async fn accounts(&self) -> u64 {
        self.database.accounts().await
    }
}
