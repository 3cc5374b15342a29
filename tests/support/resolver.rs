//! The real resolver, in this process, on a database of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::clock::Clock;
use wxgate_resolver::policy::ConnectorPolicy;
use wxgate_resolver::store::{Act, AdminStore, SqliteStore};
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, Limits};

use crate::http::{self, Answer};

/// A resolver that can be stopped and started again.
#[derive(Debug)]
pub struct Resolver {
    /// Where it listens, also after a restart.
    pub address: SocketAddr,
    /// What callers show.
    pub token: String,
    /// The database's file.
    pub database: PathBuf,
    policy: ConnectorPolicy,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Resolver {
    pub(crate) async fn start_new(directory: &Path, token: &str, policy: ConnectorPolicy) -> Self {
        let mut resolver = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: token.to_owned(),
            database: directory.join("resolver.db"),
            policy,
            running: None,
        };
        resolver.start().await;
        resolver
    }

    /// Starts, on the same port and data as before.
    pub async fn start(&mut self) {
        assert!(self.running.is_none(), "the resolver runs already");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("SO_REUSEADDR");
        socket.bind(self.address).expect("the resolver's port");
        let listener = socket.listen(128).expect("listen");
        self.address = listener.local_addr().expect("bound");
        let store = SqliteStore::open(&self.database).await.expect("the resolver's database");
        let mut state = AppState::new(store, Tokens::new([&self.token]).expect("a good token"));
        state.default_policy = self.policy.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let shutdown = async move { stopped.await.unwrap_or_default() };
            wxgate_resolver::serve(listener, Arc::new(state), shutdown).await.expect("the resolver serves");
        });
        self.running = Some((stop, task));
    }

    /// Stops. Envoy's connections to it close.
    pub async fn stop(&mut self) {
        let (stop, task) = self.running.take().expect("the resolver does not run");
        let _ = stop.send(());
        task.await.expect("the resolver stopped");
    }

    /// Asks it as an administrator would; `None` for no body.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut headers =
            vec![("host".to_owned(), b"resolver".to_vec()), ("authorization".to_owned(), format!("Bearer {}", self.token).into_bytes())];
        let body = body.map(Value::to_string);
        if body.is_some() {
            headers.push(("content-type".into(), b"application/json".to_vec()));
        }
        http::exchange(self.address, method, path, &headers, body.unwrap_or_default().as_bytes()).await
    }

    /// How many accounts there are: rows in the database, whatever anybody says.
    pub async fn accounts(&self) -> u64 {
        let options = SqliteConnectOptions::new().filename(&self.database).read_only(true);
        let mut database = SqliteConnection::connect_with(&options).await.expect("the resolver's database");
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(&mut database).await.expect("the table of users");
        u64::try_from(count).expect("a count")
    }

    /// Refuses this user's further logins, and ends all sessions.
    pub async fn disable_user(&self, sub: &str) {
        self.act(sub, Act::Disable).await;
    }

    /// Lets this user log in again.
    pub async fn enable_user(&self, sub: &str) {
        self.act(sub, Act::Enable).await;
    }

    /// Does what an administrator does, in the database that the resolver shares.
    async fn act(&self, sub: &str, act: Act) {
        let store = SqliteStore::open(&self.database).await.expect("the resolver's database");
        let by = By { actor: Actor::Admin("the tests".into()), client_address: None };
        let user = sub.parse().expect("a user's id");
        store.act_on_user(user, act, Limits::default().longest_session, &by, Clock::system().now()).await.expect("done");
    }

    /// Ends all sessions of this user.
    pub async fn sign_out_everywhere(&self, sub: &str) {
        let change = json!({ "pool": "default", "application": "support" });
        self.ask("POST", &format!("/v1/users/{sub}/revoke-sessions"), Some(&change)).await.assert_status(204);
    }
}
