//! What `cargo xtask bench resolver` puts into the tables by itself fits them: each of those people is known.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use wxgate_resolver::store::Store;

use crate::sqlite::another;
use crate::support::{With, at, log_in, pc, postgres, signed_in, sqlite};

const PEOPLE: usize = 3;

fn script(script: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(script.replace("${PEOPLE}", &PEOPLE.to_string()))
}

#[tokio::test]
async fn the_people_of_the_bench_can_log_in_on_sqlite() {
    let (store, dir) = sqlite().await;
    let people = script(include_str!("../../../../xtask/src/bench/resolver/sqlite.sql"));
    sqlx::raw_sql(people).execute(&mut another(&dir.path().join("wxgate.db")).await).await.unwrap();
    are_known(&store).await;
}

#[tokio::test]
async fn the_people_of_the_bench_can_log_in_on_postgres() {
    let (store, options) = postgres().await;
    let people = script(include_str!("../../../../xtask/src/bench/resolver/postgres.sql"));
    sqlx::raw_sql(people).execute(&mut PgConnection::connect_with(&options).await.unwrap()).await.unwrap();
    are_known(&store).await;
}

/// The first two by the names that `xtask/src/bench/resolver/login.lua` gives them: 0 and 1 times its multiplier, in hex.
async fn are_known<S: Store>(store: &S) {
    let mut users = Vec::new();
    for number in ["00000000", "9e3779b1"] {
        let name = |prefix: &str| format!("{prefix}{number}-6B0t5PZ9kLmNqRsTuV");
        let login = signed_in(log_in(store, pc(&name("o")).unionid(&name("u")), at(0)).await);
        assert!(!login.new_user, "{number}");
        users.push(login.user);
    }
    assert_ne!(users[0], users[1]);
}
