//! What only the store on PostgreSQL does: several resolvers at once, and a server that goes away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wxgate_resolver::ids::SessionId;
use wxgate_resolver::store::{LoginError, PostgresStore, Store, StoreError, TicketStore};

use crate::decisions::for_each_decision;
use crate::store::for_each_story;
use crate::support::{OPEN, PATIENT, START, With, at, by, checked, in_wechat, log_in, pc, postgres, postgres_database, signed_in};

for_each_decision!(postgres);
for_each_story!(postgres);

/// Somebody else who is connected to the database.
async fn another(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn execute(options: &PgConnectOptions, statements: &'static str) {
    sqlx::raw_sql(statements).execute(&mut another(options).await).await.unwrap();
}

async fn count(options: &PgConnectOptions, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(&mut another(options).await).await.unwrap()
}

/// What no login may leave behind, whatever happened to it: how many users, and how many of them lack an identity of pc("o").unionid("u").
async fn users(options: &PgConnectOptions) -> (i64, i64) {
    let halves = "SELECT COUNT(*) FROM users WHERE (SELECT COUNT(*) FROM identities WHERE user_id = users.id) <> 2";
    (count(options, "SELECT COUNT(*) FROM users").await, count(options, halves).await)
}

/// ACC-14.
#[tokio::test]
async fn two_resolvers_that_start_at_once_give_the_answers_of_one() {
    let options = postgres_database("UTF8").await;
    let (one, two) = tokio::join!(PostgresStore::open(options.clone(), PATIENT), PostgresStore::open(options.clone(), PATIENT));
    let stores = [Arc::new(one.unwrap()), Arc::new(two.unwrap())];
    let mut logins = JoinSet::new();
    for turn in 0..50 {
        let store = stores[turn % 2].clone();
        let request = if turn % 4 < 2 { pc("o-1").unionid("u-1") } else { in_wechat("o-2").unionid("u-1") };
        logins.spawn(async move { signed_in(log_in(&*store, request, at(0)).await) });
    }
    let logins = logins.join_all().await;
    assert_eq!(logins.iter().map(|login| login.user).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(logins.iter().filter(|login| login.new_user).count(), 1);

    let session = SessionId::random().unwrap();
    stores[0].revoke_session(&session, START + 100, at(1)).await.unwrap();
    let feed = stores[1].find_revocations("", at(1)).await.unwrap();
    assert_eq!(feed, stores[0].find_revocations("", at(1)).await.unwrap());
    assert_eq!(feed.sessions[0].session_id, session.as_str());
}

#[tokio::test]
async fn what_was_stored_is_there_when_the_database_is_opened_again() {
    let (store, options) = postgres().await;
    let first = signed_in(log_in(&store, pc("o-1").nickname("晓明😀"), at(0)).await);
    store.close().await;

    let store = PostgresStore::open(options, PATIENT).await.unwrap();
    let second = signed_in(log_in(&store, pc("o-1"), at(1)).await);
    assert_eq!((second.user, second.name), (first.user, first.name));
}

/// REL-17: a failover, or an administrator, ends every connection amid logins.
#[tokio::test]
async fn logins_outlive_their_connections() {
    let (store, options) = postgres().await;
    let (store, mut administrator) = (Arc::new(store), another(&options).await);
    for person in 0..10 {
        let mut logins = JoinSet::new();
        for _ in 0..4 {
            let (store, request) = (store.clone(), pc(&format!("o-{person}")).unionid(&format!("u-{person}")));
            logins.spawn(async move { signed_in(store.login(&checked(request), &by(&OPEN), at(0)).await.unwrap().outcome).user });
        }
        for _ in 0..3 {
            let end =
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            sqlx::query(end).fetch_all(&mut administrator).await.unwrap();
        }
        assert_eq!(logins.join_all().await.into_iter().collect::<BTreeSet<_>>().len(), 1);
    }
    assert_eq!(users(&options).await, (10, 0));
}

/// What the wire in front of the server does to the first COMMIT that passes.
#[derive(Clone, Copy)]
enum Cut {
    /// It never arrives.
    Before,
    /// It arrives, and its answer is lost.
    After,
}

/// A wire to the server that breaks once.
async fn through_a_wire(options: PgConnectOptions, cut: Cut) -> PgConnectOptions {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (host, server_port) = (options.get_host().to_owned(), options.get_port());
    tokio::spawn(async move {
        let is_cut = Arc::new(AtomicBool::new(false));
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect((host.as_str(), server_port)).await.unwrap();
            tokio::spawn(carry(client, server, cut, is_cut.clone()));
        }
    });
    options.host("127.0.0.1").port(port)
}

async fn carry(mut client: TcpStream, mut server: TcpStream, cut: Cut, is_cut: Arc<AtomicBool>) {
    let (mut question, mut answer) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let Ok(length @ 1..) = read else { return };
                let is_commit = question[..length].windows(6).any(|word| word == b"COMMIT");
                if is_commit && !is_cut.swap(true, Ordering::Relaxed) {
                    if matches!(cut, Cut::After) {
                        server.write_all(&question[..length]).await.unwrap();
                        assert_ne!(server.read(&mut answer).await.unwrap(), 0, "the server answered");
                    }
                    return;
                }
                if server.write_all(&question[..length]).await.is_err() { return }
            }
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answer[..length]).await.is_err() { return }
            }
        }
    }
}

/// REL-17: nobody knows whether the commit took effect, so the login is asked for by its key.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_read_again_by_its_key() {
    for (cut, is_replay) in [(Cut::Before, false), (Cut::After, true)] {
        let (store, options) = postgres().await;
        store.close().await;
        let store = PostgresStore::open(through_a_wire(options.clone(), cut).await, PATIENT).await.unwrap();
        let answer = store.login(&checked(pc("o-1").unionid("u-1")), &by(&OPEN), at(0)).await.unwrap();
        assert_eq!(answer.is_replay, is_replay);
        assert_eq!(signed_in(answer.outcome).new_user, !is_replay);
        assert_eq!(users(&options).await, (1, 0));
        assert_eq!(count(&options, "SELECT COUNT(*) FROM audit").await, 1, "it happened once");
    }
}

/// PgBouncer refuses others, unless it is told to ignore them: <https://www.pgbouncer.org/config.html#ignore_startup_parameters>.
#[tokio::test]
async fn a_connection_begins_with_the_settings_alone_that_a_pooler_knows() {
    let pooler = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = pooler.local_addr().unwrap();
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(address.port()).ssl_mode(PgSslMode::Disable);
    let hear = async {
        let (mut client, _) = pooler.accept().await.unwrap();
        let mut message = vec![0; client.read_u32().await.unwrap() as usize - 4];
        client.read_exact(&mut message).await.unwrap();
        message
    };
    let (_, message) = tokio::join!(PostgresStore::open(options.username("me"), PATIENT), hear);
    // The protocol's version, then names and values, each ended by a zero.
    let names = message[4..].split(|byte| *byte == 0).step_by(2).map(|name| str::from_utf8(name).unwrap());
    let names: BTreeSet<_> = names.filter(|name| !name.is_empty()).collect();
    let known = ["DateStyle", "TimeZone", "application_name", "client_encoding", "database", "user"];
    assert!(names.contains("user") && names.is_subset(&known.into()), "{names:?}");
}

/// REL-17.
#[tokio::test]
async fn a_transaction_that_the_server_undoes_is_done_again() {
    for code in ["40001", "40P01", "23505", "57P01"] {
        let (store, options) = postgres().await;
        // A sequence counts also what is undone, so this fails twice, then no more.
        let fail_twice = format!(
            "CREATE SEQUENCE failures;
             CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('failures') <= 2 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END IF;
                 RETURN NULL;
             END $$;
             CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON outcomes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(fail_twice)).execute(&mut another(&options).await).await.unwrap();
        assert!(signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).new_user, "{code}");
        assert_eq!(users(&options).await, (1, 0), "{code}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_writes_fails_logins_clearly_and_nothing_happens_by_halves() {
    let (store, options) = postgres().await;
    let known = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user;
    store.close().await;
    let standby = options.clone().options([("default_transaction_read_only", "on")]);
    let store = PostgresStore::open(standby, PATIENT).await.unwrap();
    let error = store.login(&checked(pc("o-2")), &by(&OPEN), at(1)).await.unwrap_err();
    assert!(matches!(&error, LoginError::Store(StoreError::Database(_))), "{error:?}");
    assert!(error.to_string().contains("read-only transaction"), "{error}");
    store.check().await.expect("what is there can be read");
    assert_eq!(users(&options).await, (1, 0));

    let store = PostgresStore::open(options, PATIENT).await.unwrap();
    assert_eq!(signed_in(log_in(&store, pc("o-1"), at(2)).await).user, known);
}

/// REL-16: the kernel says that there is no space left whenever the server wants one more block for what is written last, for the file that it writes
/// to is `/dev/full`. Needs a superuser.
#[tokio::test]
async fn a_full_disk_fails_logins_clearly_and_loses_nothing() {
    let (store, options) = postgres().await;
    let known = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user;
    // A new file, without any block.
    execute(&options, "TRUNCATE outcomes").await;
    at_the_file_of_outcomes(&options, "mv FILE FILE.kept && ln -s /dev/full FILE").await;
    let newcomer = pc("o-2").unionid("u-2");
    for request in [newcomer.clone(), newcomer.clone(), pc("o-1").unionid("u-1")] {
        let error = store.login(&checked(request), &by(&OPEN), at(1)).await.unwrap_err();
        assert!(matches!(&error, LoginError::Store(StoreError::Database(_))), "{error:?}");
        assert!(error.to_string().contains("No space left on device"), "{error}");
    }
    store.check().await.expect("what is there can be read");
    assert_eq!(users(&options).await, (1, 0));
    assert_eq!(count(&options, "SELECT COUNT(*) FROM audit").await, 1, "not even a trace in the log");

    // Somebody makes room. The second statement lets go of the file that was full.
    at_the_file_of_outcomes(&options, "mv FILE.kept FILE").await;
    execute(&options, "TRUNCATE outcomes").await;
    assert!(signed_in(log_in(&store, newcomer, at(2)).await).new_user, "the same login, asked for again");
    assert_eq!(signed_in(log_in(&store, pc("o-1"), at(2)).await).user, known);
    assert_eq!(users(&options).await, (2, 0));
}

/// Lets the server's own user run a command about the file in which a table is.
async fn at_the_file_of_outcomes(options: &PgConnectOptions, command: &str) {
    let mut server = another(options).await;
    let file: String = sqlx::query_scalar("SELECT current_setting('data_directory') || '/' || pg_relation_filepath('outcomes')")
        .fetch_one(&mut server)
        .await
        .unwrap();
    let command = format!("COPY (SELECT 1) TO PROGRAM '{}'", command.replace("FILE", &file));
    sqlx::raw_sql(sqlx::AssertSqlSafe(command)).execute(&mut server).await.unwrap();
}

/// ACC-03: the tables themselves keep identities apart.
#[tokio::test]
async fn the_tables_take_no_identity_that_cannot_be() {
    let (store, options) = postgres().await;
    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user.to_string();
    let mut other = another(&options).await;
    for (pool, kind, app_id, value, user, expected) in [
        ("default", "unionid", "wx0000000000000001", "u-2", &*user, "23514"),
        ("default", "openid", "", "o-2", &*user, "23514"),
        ("default", "nickname", "", "o-2", &*user, "23514"),
        ("default", "unionid", "", "u-1", &*user, "23505"),
        ("other", "unionid", "", "u-2", &*user, "23503"),
        ("default", "unionid", "", "u-2", "nobody", "23503"),
    ] {
        let error = sqlx::query(
            "INSERT INTO identities (id, pool, platform, kind, app_id, value, user_id, connector, created_at, last_login_at)
             VALUES (gen_random_uuid()::text, $1, 'main', $2, $3, $4, $5, 'pc', 0, 0)",
        )
        .bind(pool)
        .bind(kind)
        .bind(app_id)
        .bind(value.as_bytes())
        .bind(user)
        .execute(&mut other)
        .await
        .unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some(expected), "{error}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_resolver_is_left_alone() {
    let (store, options) = postgres().await;
    store.close().await;
    execute(&options, "UPDATE schema_version SET version = 99").await;
    let error = PostgresStore::open(options, PATIENT).await.unwrap_err().to_string();
    assert!(error.contains("its tables are of version 99"), "{error}");
}

#[tokio::test]
async fn a_database_of_an_older_resolver_is_brought_up_to_date() {
    let options = postgres_database("UTF8").await;
    execute(&options, "CREATE TABLE schema_version (id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1), version BIGINT NOT NULL)").await;
    execute(&options, "INSERT INTO schema_version (id, version) VALUES (1, 1)").await;
    execute(&options, include_str!("../../migrations/postgres/0001_accounts.sql")).await;
    let (one, other) = tokio::join!(PostgresStore::open(options.clone(), PATIENT), PostgresStore::open(options, PATIENT));
    assert!(signed_in(log_in(&one.unwrap(), pc("o-1"), at(0)).await).new_user);
    assert_eq!(other.unwrap().find_ticket_states(&[], at(0)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named_without_its_password() {
    let options = postgres_database("UTF8").await;
    let missing = PostgresStore::open(options.clone().database("missing").password("CANARY"), PATIENT).await.unwrap_err().to_string();
    assert!(missing.contains("the database missing at 127.0.0.1:"), "{missing}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let unreachable = PostgresStore::open(options.port(free).password("CANARY"), PATIENT).await.unwrap_err().to_string();
    assert!(unreachable.contains("cannot be opened"), "{unreachable}");
    assert!(!missing.contains("CANARY") && !unreachable.contains("CANARY"));
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_name_is_refused() {
    let error = PostgresStore::open(postgres_database("LATIN1").await, PATIENT).await.unwrap_err().to_string();
    assert!(error.contains("its encoding is LATIN1; expected UTF8"), "{error}");
}
