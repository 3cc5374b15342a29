//! What only the store on SQLite does.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use wxgate_resolver::store::{AdminStore, LoginError, PATIENCE, PendingStore, Search, SqliteStore, Store, StoreError, TicketStore};

use crate::decisions::for_each_decision;
use crate::store::for_each_story;
use crate::support::{OPEN, PATIENT, With, at, by, checked, in_wechat, log_in, pc, signed_in, sqlite};

for_each_decision!(sqlite);
for_each_story!(sqlite);

/// Somebody else who has the file open.
pub(crate) async fn another(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).foreign_keys(true)).await.unwrap()
}

#[tokio::test]
async fn what_was_stored_is_there_when_the_file_is_opened_again() {
    let (store, dir) = sqlite().await;
    let first = signed_in(log_in(&store, pc("o-1").nickname("晓明"), at(0)).await);
    store.close().await;

    let store = SqliteStore::open(dir.path().join("wxgate.db"), PATIENT).await.unwrap();
    let second = signed_in(log_in(&store, pc("o-1"), at(1)).await);
    assert_eq!((second.user, second.name), (first.user, first.name));
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let (store, dir) = sqlite().await;
    log_in(&store, pc("o-1"), at(0)).await;
    for file in ["wxgate.db", "wxgate.db-wal"] {
        let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// ACC-14: two resolvers on one file.
#[tokio::test]
async fn two_processes_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wxgate.db");
    let (one, two) = tokio::join!(SqliteStore::open(&path, PATIENT), SqliteStore::open(&path, PATIENT));
    let (one, two) = (one.unwrap(), two.unwrap());
    for round in 0..20 {
        let person = format!("o-{round}");
        let unionid = format!("u-{round}");
        let (a, b) =
            tokio::join!(log_in(&one, pc(&person).unionid(&unionid), at(0)), log_in(&two, in_wechat(&person).unionid(&unionid), at(0)));
        let (a, b) = (signed_in(a), signed_in(b));
        assert_eq!(a.user, b.user);
        assert_ne!(a.new_user, b.new_user);
    }
}

/// REL-15.
#[tokio::test]
async fn a_writer_that_does_not_let_go_makes_the_store_busy_and_nothing_happens_by_halves() {
    let (_, dir) = sqlite().await;
    let path = dir.path().join("wxgate.db");
    let store = SqliteStore::open(&path, PATIENCE).await.unwrap();
    let mut other = another(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let request = pc("o-1");
    let busy = store.login(&checked(request.clone()), &by(&OPEN), at(0)).await;
    assert!(matches!(busy, Err(LoginError::Store(StoreError::Busy))), "{busy:?}");
    store.check().await.expect("readers go on");

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(signed_in(log_in(&store, request, at(1)).await).new_user);
}

/// REL-16: SQLite rolls back by itself when the disk is full; the trigger does the same.
#[tokio::test]
async fn after_a_full_disk_the_store_works_again() {
    let (store, dir) = sqlite().await;
    let mut other = another(&dir.path().join("wxgate.db")).await;
    let full = "CREATE TRIGGER full BEFORE INSERT ON outcomes BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END";
    sqlx::query(full).execute(&mut other).await.unwrap();
    let request = pc("o-1");
    for _ in 0..3 {
        let error = store.login(&checked(request.clone()), &by(&OPEN), at(0)).await.unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
    sqlx::query("DROP TRIGGER full").execute(&mut other).await.unwrap();
    assert!(signed_in(log_in(&store, request, at(1)).await).new_user, "nothing was stored by halves");
}

#[tokio::test]
async fn a_name_that_somebody_else_set_is_not_wechats_any_more() {
    let (store, dir) = sqlite().await;
    log_in(&store, pc("o-1").nickname("晓明"), at(0)).await;
    let mut other = another(&dir.path().join("wxgate.db")).await;
    sqlx::query("UPDATE users SET name = 'Wang Xiaoming', is_name_from_wechat = 0").execute(&mut other).await.unwrap();
    for second in 1..3 {
        let login = signed_in(log_in(&store, pc("o-1").nickname("晓明"), at(second)).await);
        assert_eq!(login.name.as_deref(), Some("Wang Xiaoming"));
    }
}

/// ACC-03: the tables themselves keep identities apart.
#[tokio::test]
async fn the_tables_take_no_identity_that_cannot_be() {
    let (store, dir) = sqlite().await;
    let user = signed_in(log_in(&store, pc("o-1").unionid("u-1"), at(0)).await).user.to_string();
    let mut other = another(&dir.path().join("wxgate.db")).await;
    let rows = sqlx::query("SELECT kind, app_id, value FROM identities ORDER BY kind").fetch_all(&mut other).await.unwrap();
    let rows: Vec<(String, String, Vec<u8>)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let row = |kind: &str, app_id: &str, value: &str| (kind.to_owned(), app_id.to_owned(), value.as_bytes().to_owned());
    assert_eq!(rows, [row("openid", "wx0000000000000001", "o-1"), row("unionid", "", "u-1")]);

    for (pool, kind, app_id, value, user, expected) in [
        ("default", "unionid", "wx0000000000000001", "u-2", &*user, "CHECK"),
        ("default", "openid", "", "o-2", &*user, "CHECK"),
        ("default", "nickname", "", "o-2", &*user, "CHECK"),
        ("default", "unionid", "", "u-1", &*user, "UNIQUE"),
        ("other", "unionid", "", "u-2", &*user, "FOREIGN KEY"),
        ("default", "unionid", "", "u-2", "nobody", "FOREIGN KEY"),
    ] {
        let error = sqlx::query(
            "INSERT INTO identities (id, pool, platform, kind, app_id, value, user_id, connector, created_at, last_login_at)
             VALUES (hex(randomblob(16)), ?, 'main', ?, ?, ?, ?, 'pc', 0, 0)",
        )
        .bind(pool)
        .bind(kind)
        .bind(app_id)
        .bind(value.as_bytes())
        .bind(user)
        .execute(&mut other)
        .await
        .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_resolver_is_left_alone() {
    let (store, dir) = sqlite().await;
    store.close().await;
    let path = dir.path().join("wxgate.db");
    sqlx::query("PRAGMA user_version = 99").execute(&mut another(&path).await).await.unwrap();
    let error = SqliteStore::open(&path, PATIENT).await.unwrap_err();
    assert!(error.to_string().contains("its tables are of version 99"), "{error}");
}

#[tokio::test]
async fn a_database_of_an_older_resolver_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wxgate.db");
    let mut older = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path).create_if_missing(true)).await.unwrap();
    sqlx::raw_sql(include_str!("../../migrations/sqlite/0001_accounts.sql")).execute(&mut older).await.unwrap();
    sqlx::query("PRAGMA user_version = 1").execute(&mut older).await.unwrap();
    older.close().await.unwrap();

    let store = SqliteStore::open(&path, PATIENT).await.unwrap();
    assert!(signed_in(log_in(&store, pc("o-1"), at(0)).await).new_user);
    assert_eq!(store.find_ticket_states(&[], at(0)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_or_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = SqliteStore::open(dir.path().join("missing/wxgate.db"), PATIENT).await.unwrap_err().to_string();
    assert!(missing.contains("missing/wxgate.db cannot be opened"), "{missing}");
    assert!(missing.contains("expected a file that this user may write, in a directory that exists"), "{missing}");
    let directory = SqliteStore::open(dir.path(), PATIENT).await.unwrap_err().to_string();
    assert!(directory.contains("expected a file"), "{directory}");

    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "These are notes, and no database at all. ".repeat(100)).unwrap();
    let error = SqliteStore::open(&text, PATIENT).await.unwrap_err().to_string();
    assert!(error.contains("notes.txt") && error.contains("not a database"), "{error}");
}

/// A guess of a password, and a page of a list, cost as much among many users as among few.
#[tokio::test]
async fn what_is_found_by_an_index_does_not_read_the_whole_pool() {
    let (store, dir) = sqlite().await;
    let mut file = another(&dir.path().join("wxgate.db")).await;
    sqlx::query(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30000)
         INSERT INTO users (id, pool, state, created_at, last_auth_time, sessions_not_before, name, is_name_from_wechat, is_picture_from_wechat,
             phone_number, is_phone_number_from_wechat, is_phone_number_verified, email, is_email_verified, username, external_id)
         SELECT printf('018bcfe5-6800-7000-8000-%012x', n), 'default', 'active', 1, 1, 0, 'name ' || n, 0, 0,
             '+86138' || printf('%08d', n), 0, 1, 'user' || n || '@example.com', 1, 'user' || n, 'crm-' || n FROM n",
    )
    .execute(&mut file)
    .await
    .unwrap();
    let listed = |text: Option<&str>| Search {
        pool: "default".into(),
        text: text.map(Into::into),
        is_exact: false,
        state: None,
        after: uuid::Uuid::nil(),
        limit: 5,
    };
    // The least of several: a busy machine makes some longer, and none shorter.
    let (mut everything, mut password, mut page) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..10 {
        let begun = Instant::now();
        assert!(store.search_users(&listed(Some("nobody is called so"))).await.unwrap().is_empty());
        everything = everything.min(begun.elapsed());
        let begun = Instant::now();
        assert!(store.find_password("default", "user15000").await.unwrap().is_none());
        password = password.min(begun.elapsed());
        let begun = Instant::now();
        assert_eq!(store.search_users(&listed(None)).await.unwrap().len(), 6);
        page = page.min(begun.elapsed());
    }
    assert!(password < everything / 4 && page < everything / 4, "{password:?} and {page:?}, where all of it takes {everything:?}");
}
