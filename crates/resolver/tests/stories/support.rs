//! The people, the times and the database that the stories are about.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use resolver_api::{LoginMethod, LoginOutcome, LoginRequest, Profile};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::clock::Moment;
use wxgate_resolver::ids::{IdempotencyKey, SessionId, UserId};
use wxgate_resolver::login::Login;
use wxgate_resolver::policy::{ALL_METHODS, Binding, ConnectorPolicy, OnNoMatch, Registration, Terms};
use wxgate_resolver::store::{Act, AdminStore, Answer, PostgresStore, SqliteStore, Store};

/// The longest session of the stories.
pub(crate) const MONTH: Duration = Duration::from_hours(30 * 24);

/// When the stories begin.
pub(crate) const START: u64 = 1_800_000_000;

/// Long enough for a machine that is busy with other stories.
pub(crate) const PATIENT: Duration = Duration::from_mins(1);

pub(crate) const TOKEN: &str = "a3f1c87e5b0d49268e7f1a2b3c4d5e6f";

pub(crate) const OPEN: ConnectorPolicy =
    ConnectorPolicy { registration: Registration::Open, binding: Binding::None, on_no_match: OnNoMatch::Create, methods: Vec::new() };
pub(crate) const CLOSED: ConnectorPolicy =
    ConnectorPolicy { registration: Registration::Closed, binding: Binding::None, on_no_match: OnNoMatch::Create, methods: Vec::new() };

/// The terms of a resolver with this default, where every method works.
pub(crate) fn by(default: &ConnectorPolicy) -> Terms {
    Terms { default: default.clone(), methods: ALL_METHODS.to_vec() }
}

/// Names a PostgreSQL server whose user may make databases.
const POSTGRES: &str = "WXGATE_POSTGRES_URL";

/// The moment so many seconds into a story.
pub(crate) fn at(seconds: u64) -> Moment {
    Moment::from_unix(Duration::from_secs(START + seconds))
}

/// A key that no other login has.
pub(crate) fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:064x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A login on the PC of the person with this openid, and nothing else about them.
pub(crate) fn pc(openid: &str) -> LoginRequest {
    LoginRequest {
        idempotency_key: fresh_key(),
        pool: "default".into(),
        application: "shop".into(),
        connector: "pc".into(),
        method: LoginMethod::WebsiteQr,
        platform: "main".into(),
        app_id: "wx0000000000000001".into(),
        openid: openid.into(),
        unionid: None,
        profile: None,
        profile_available: false,
        phone_number: None,
        link_to: None,
        client_address: None,
    }
}

/// The same within WeChat, where the openid is another one.
pub(crate) fn in_wechat(openid: &str) -> LoginRequest {
    LoginRequest {
        connector: "in-wechat".into(),
        method: LoginMethod::OfficialAccountWeb,
        app_id: "wx0000000000000002".into(),
        ..pc(openid)
    }
}

/// A test of each of these stories, once over each database.
macro_rules! over_both_databases {
    ($($story:ident,)+) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $story() {
                    let (store, _keep) = $crate::support::sqlite().await;
                    super::$story(store).await;
                }
            )+
        }

        mod on_postgres {
            $(
                #[tokio::test]
                async fn $story() {
                    let (store, _keep) = $crate::support::postgres().await;
                    super::$story(store).await;
                }
            )+
        }
    };
}
pub(crate) use over_both_databases;

/// What more WeChat tells of the person.
pub(crate) trait With {
    fn unionid(self, unionid: &str) -> Self;
    fn nickname(self, nickname: &str) -> Self;
}

impl With for LoginRequest {
    fn unionid(self, unionid: &str) -> Self {
        Self { unionid: Some(unionid.into()), ..self }
    }

    fn nickname(self, nickname: &str) -> Self {
        Self { profile: Some(Profile { nickname: Some(nickname.into()), picture: None }), ..self }
    }
}

pub(crate) fn checked(request: LoginRequest) -> Login {
    Login::parse(request).unwrap()
}

pub(crate) fn key(request: &LoginRequest) -> IdempotencyKey {
    IdempotencyKey::parse(&request.idempotency_key).unwrap()
}

/// Logs in where registration is open.
pub(crate) async fn log_in<S: Store>(store: &S, request: LoginRequest, now: Moment) -> LoginOutcome {
    let Answer { outcome, is_replay } = store.login(&checked(request), &by(&OPEN), now).await.unwrap();
    assert!(!is_replay);
    outcome
}

/// What the story needs to know of a login that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) user: UserId,
    pub(crate) name: Option<String>,
    pub(crate) session_id: String,
    pub(crate) auth_time: u64,
    pub(crate) new_user: bool,
}

pub(crate) fn signed_in(outcome: LoginOutcome) -> SignedIn {
    match outcome {
        LoginOutcome::SignedIn { user, session_id, auth_time, new_user, .. } => {
            SignedIn { user: user.id.parse().unwrap(), name: user.name, session_id, auth_time, new_user }
        }
        other => panic!("not signed in: {other:?}"),
    }
}

/// What a replay tells of the outcome: a new account is told of once.
pub(crate) fn told_again(mut outcome: LoginOutcome) -> LoginOutcome {
    if let LoginOutcome::SignedIn { new_user, .. } = &mut outcome {
        *new_user = false;
    }
    outcome
}

/// Keeps the user out.
pub(crate) async fn disable<S: AdminStore>(store: &S, user: UserId, now: Moment) {
    act(store, user, Act::Disable, now).await;
}

/// Lets the user in again.
pub(crate) async fn enable<S: AdminStore>(store: &S, user: UserId, now: Moment) {
    act(store, user, Act::Enable, now).await;
}

/// Ends every session that the user has now.
pub(crate) async fn sign_out<S: AdminStore>(store: &S, user: UserId, now: Moment) {
    act(store, user, Act::SignOut, now).await;
}

async fn act<S: AdminStore>(store: &S, user: UserId, act: Act, now: Moment) {
    let alice = By { actor: Actor::Admin("alice".into()), client_address: None };
    store.act_on_user(user, act, MONTH, &alice, now).await.unwrap();
}

/// A new SQLite file, and the directory that vanishes with the story.
pub(crate) async fn sqlite() -> (SqliteStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path().join("wxgate.db"), PATIENT).await.unwrap();
    (store, dir)
}

/// A new PostgreSQL database, and how to connect to it. It vanishes with its server.
pub(crate) async fn postgres() -> (PostgresStore, PgConnectOptions) {
    let options = postgres_database("UTF8").await;
    let store = PostgresStore::open(options.clone(), PATIENT).await.unwrap();
    (store, options)
}

/// A new PostgreSQL database without any table, for text in this encoding.
pub(crate) async fn postgres_database(encoding: &str) -> PgConnectOptions {
    let Ok(url) = std::env::var(POSTGRES) else {
        panic!("{POSTGRES} names no PostgreSQL server; `cargo xtask test` starts one and sets it");
    };
    let options: PgConnectOptions = url.parse().unwrap();
    let options = options.disable_statement_logging();
    let name = format!("story {}", SessionId::random().unwrap().as_str());
    let mut server = PgConnection::connect_with(&options).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"));
    sqlx::raw_sql(create).execute(&mut server).await.unwrap();
    options.database(&name)
}
