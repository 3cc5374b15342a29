//! Two programs on one PostgreSQL: an operator runs several, and a balancer sends each request to any of them.

use std::collections::BTreeSet;

use resolver_api::{AccountChange, AccountView, LoginOutcome, LoginRequest, RefusalReason, RevocationFeed, RevokeSession};
use serde_json::json;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::task::{JoinSet, spawn_blocking};
use wxgate_resolver::config::ADMIN_TOKENS_VARIABLE;
use wxgate_resolver::ids::SessionId;

use crate::admin::ADMIN_TOKEN;
use crate::program::{Running, log_in_at, program_on, url_of};
use crate::support::{SignedIn, TOKEN, With, fresh_key, in_wechat, pc, postgres_database, signed_in};

/// ACC-14.
#[tokio::test]
async fn they_answer_as_one() {
    let options = postgres_database("UTF8").await;
    let admins = [(ADMIN_TOKENS_VARIABLE, format!("alice:{ADMIN_TOKEN}"))];
    // At once, so that both find a database without tables.
    let starting = [(), ()].map(|()| {
        let (url, admins) = (url_of(&options), admins.clone());
        spawn_blocking(move || Running::start_with(program_on(&url).envs(admins), tempfile::tempdir().unwrap()))
    });
    let [one, two] = starting;
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    let origins = [one.origin.clone(), two.origin.clone()];
    let client = reqwest::Client::new();

    let mut logins = JoinSet::new();
    for turn in 0..50 {
        let request = if turn % 4 < 2 { pc("o-1").unionid("u-1") } else { in_wechat("o-2").unionid("u-1") };
        let (client, origin) = (client.clone(), origins[turn % 2].clone());
        logins.spawn(async move {
            // A program that has too much to do says so, and the same login is asked for again.
            loop {
                if let Some((_, outcome)) = log_in_at(client.clone(), origin.clone(), request.clone()).await {
                    return signed_in(outcome);
                }
            }
        });
    }
    let logins = logins.join_all().await;
    assert_eq!(logins.iter().map(|login| login.user).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(logins.iter().map(|login| &login.session_id).collect::<BTreeSet<_>>().len(), 50);
    assert_eq!(logins.iter().filter(|login| login.new_user).count(), 1);
    let mut server = PgConnection::connect_with(&options).await.unwrap();
    for (what, expected) in [
        ("SELECT COUNT(*) FROM users", 1),
        ("SELECT COUNT(*) FROM identities", 3),
        ("SELECT COUNT(*) FROM audit WHERE action = 'registered'", 1),
    ] {
        assert_eq!(sqlx::query_scalar::<_, i64>(what).fetch_one(&mut server).await.unwrap(), expected, "{what}");
    }

    for (here, there) in [(&origins[0], &origins[1]), (&origins[1], &origins[0])] {
        two_programs_agree(&client, here, there, &logins[0]).await;
    }
}

/// What is done here is so there, as soon as it is answered.
async fn two_programs_agree(client: &reqwest::Client, here: &str, there: &str, login: &SignedIn) {
    let ask = async |request: reqwest::RequestBuilder, token: &str| {
        let answer = request.bearer_auth(token).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        answer.bytes().await.unwrap()
    };
    let log_in = async |origin: &str, request: LoginRequest| log_in_at(client.clone(), origin.to_owned(), request).await.unwrap().1;
    let fresh = SessionId::random().unwrap().as_str().to_owned();

    let policy = format!("/v1/admin/policies/default/{fresh}");
    let stranger = || LoginRequest { connector: fresh.clone(), idempotency_key: fresh_key(), ..pc(&fresh) };
    ask(client.put(format!("{here}{policy}")).json(&json!({"registration": "closed"})), ADMIN_TOKEN).await;
    assert_eq!(log_in(there, stranger()).await, LoginOutcome::Refused { reason: RefusalReason::RegistrationClosed });
    ask(client.put(format!("{there}{policy}")).json(&json!({"registration": "open"})), ADMIN_TOKEN).await;

    // Asked here, told there; and so is a login whose answer got lost on its way.
    let known = signed_in(log_in(here, stranger()).await);
    assert!(known.new_user);
    let lost = stranger();
    let outcome = log_in(here, lost.clone()).await;
    assert_eq!(log_in(there, lost.clone()).await, outcome);
    let found = ask(client.get(format!("{there}/v1/logins/{}", lost.idempotency_key)), TOKEN).await;
    assert_eq!(serde_json::from_slice::<LoginOutcome>(&found).unwrap(), outcome);

    // A link, and its end.
    let linked = || LoginRequest { idempotency_key: fresh_key(), ..in_wechat(&format!("linked {fresh}")) };
    log_in(here, LoginRequest { link_to: Some(known.user.to_string()), ..linked() }).await;
    assert_eq!(signed_in(log_in(there, linked()).await).user, known.user);
    let account = format!("/v1/users/{}", known.user);
    let view: AccountView = serde_json::from_slice(&ask(client.get(format!("{there}{account}?pool=default")), TOKEN).await).unwrap();
    let identity = view.identities.iter().find(|identity| identity.connectors == ["in-wechat"]).unwrap();
    let change = AccountChange { pool: "default".into(), application: "shop".into(), client_address: None };
    ask(client.post(format!("{there}{account}/identities/{}/unlink", identity.id)).json(&change), TOKEN).await;
    assert_ne!(signed_in(log_in(here, linked()).await).user, known.user);

    // The ends of one session, and of all.
    let feed = async |origin: &str| -> RevocationFeed {
        serde_json::from_slice(&ask(client.get(format!("{origin}/v1/revocations?after=")), TOKEN).await).unwrap()
    };
    let revoke = RevokeSession { expires_at: known.auth_time + 3600 };
    ask(client.post(format!("{here}/v1/sessions/{}/revoke", known.session_id)).json(&revoke), TOKEN).await;
    ask(client.post(format!("{here}/v1/users/{}/revoke-sessions", login.user)).json(&change), TOKEN).await;
    let (ended, same) = (feed(there).await, feed(here).await);
    assert_eq!(ended, same);
    assert!(ended.sessions.iter().any(|session| session.session_id == known.session_id));
    assert!(ended.users.iter().any(|user| user.user_id == login.user.to_string() && user.not_before >= login.auth_time));
}
