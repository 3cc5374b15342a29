//! One login, asked for more than once.

use std::time::{Duration, Instant};

use futures_util::future::{join, try_join_all};
use resolver_api::{LoginMethod, LoginOutcome, LoginRequest, Profile};

use super::{Check, checks};
use crate::people::{With, fresh_key, fresh_name};
use crate::server::{Answer, Ending, Result, Server};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = checks!["Idempotency":
        the_same_key_gets_the_same_outcome,
        fifty_requests_with_one_key_get_one_outcome,
        a_new_account_is_told_of_once,
        a_choice_is_replayed_as_well,
        a_key_that_asks_something_else_is_a_conflict,
        another_profile_is_no_other_question,
    ];
    checks.extend(checks!["Ask what became of a login":
        the_outcome_can_be_asked_for,
        whoever_asks_while_the_login_is_under_way_gets_its_outcome,
        a_login_that_nobody_made_is_not_found,
        a_wait_that_is_too_long_is_refused,
    ]);
    checks
}

async fn the_same_key_gets_the_same_outcome(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).nickname("小明");
    let (_, first) = server.login(&request).await?;
    server.sign_in(&request.again().nickname("晓明")).await?;
    let (answer, replay) = server.login(&request).await?;
    is_same(&answer, &replay, &first)
}

async fn fifty_requests_with_one_key_get_one_outcome(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    let answers = try_join_all((0..50).map(|_| server.login(&request))).await?;
    let Some((_, first)) = answers.first() else { return Ok(()) };
    answers.iter().try_for_each(|(answer, outcome)| is_same(answer, outcome, first))
}

async fn a_new_account_is_told_of_once(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    server.login(&request).await?;
    let (answer, replay) = server.sign_in(&request).await?;
    answer.expect(!replay.new_user, "new_user: false in a replay, for whoever counts accounts has counted this one")?;
    let found = server.get(&format!("/v1/logins/{}", request.idempotency_key)).await?;
    let outcome = found.signed_in(found.json("a LoginOutcome")?)?;
    found.expect(!outcome.new_user, "new_user: false, as in a replay")
}

async fn a_choice_is_replayed_as_well(server: &Server) -> Result<()> {
    let (openid, unionid) = (server.target.pc(&fresh_name()), fresh_name());
    server.sign_in(&openid).await?;
    server.sign_in(&server.target.in_wechat(&fresh_name()).unionid(&unionid)).await?;
    let request = openid.again().unionid(&unionid);
    let (_, first) = server.login(&request).await?;
    let (answer, replay) = server.login(&request).await?;
    answer.expect(matches!(replay, LoginOutcome::ChooseAccount { .. }), "the outcome choose_account")?;
    is_same(&answer, &replay, &first)
}

async fn a_key_that_asks_something_else_is_a_conflict(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).unionid(&fresh_name());
    let (_, first) = server.login(&request).await?;
    let others = [
        LoginRequest { pool: format!("{}-other", request.pool), ..request.clone() },
        LoginRequest { application: "other".into(), ..request.clone() },
        LoginRequest { connector: "other".into(), ..request.clone() },
        LoginRequest { method: LoginMethod::MobileApp, ..request.clone() },
        LoginRequest { platform: "other".into(), ..request.clone() },
        LoginRequest { app_id: "wx00000000c0f00009".into(), ..request.clone() },
        LoginRequest { openid: fresh_name(), ..request.clone() },
        LoginRequest { unionid: None, ..request.clone() },
        LoginRequest { unionid: Some(fresh_name()), ..request.clone() },
        LoginRequest { profile_available: true, ..request.clone() },
    ];
    for other in others {
        server.post("/v1/logins", &other).await?.problem(409, "idempotency-key-reused")?;
    }
    let (answer, replay) = server.login(&request).await?;
    is_same(&answer, &replay, &first)
}

async fn another_profile_is_no_other_question(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    let (_, first) = server.login(&request).await?;
    let profile = Some(Profile { nickname: Some("晓明".into()), picture: None });
    let (answer, replay) = server.login(&LoginRequest { profile, ..request }).await?;
    is_same(&answer, &replay, &first)
}

async fn the_outcome_can_be_asked_for(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    let (_, first) = server.login(&request).await?;
    for query in ["", "?wait_ms=0", "?wait_ms=1000"] {
        let answer = server.get(&format!("/v1/logins/{}{query}", request.idempotency_key)).await?;
        is_same(&answer, &answer.json("a LoginOutcome")?, &first)?;
    }
    Ok(())
}

/// A head start for the question, well within the second that it may wait.
const HEAD_START: Duration = Duration::from_millis(100);
const IN_TIME: Duration = Duration::from_millis(700);
const ROUNDS: usize = 20;

async fn whoever_asks_while_the_login_is_under_way_gets_its_outcome(server: &Server) -> Result<()> {
    let mut slow = None;
    for _ in 0..ROUNDS {
        let request = server.target.pc(&fresh_name());
        let path = format!("/v1/logins/{}?wait_ms=1000", request.idempotency_key);
        let began = Instant::now();
        let login = async {
            tokio::time::sleep(HEAD_START).await;
            let done = server.login(&request).await;
            (done, began.elapsed())
        };
        let (waited, (done, took)) = join(server.get(&path), login).await;
        let (waited, (login, outcome)) = (waited?, done?);
        // A login that took the whole second says nothing about who waited for it.
        if took < IN_TIME {
            return is_same(&waited, &waited.json("a LoginOutcome")?, &outcome);
        }
        slow = Some(login);
    }
    Err(slow.map_or_else(|| Ending::NotOffered("no login was made".to_owned()), |login| login.instead_of("an answer within 600 ms")))
}

async fn a_login_that_nobody_made_is_not_found(server: &Server) -> Result<()> {
    for query in ["", "?wait_ms=0", "?wait_ms=60"] {
        server.get(&format!("/v1/logins/{}{query}", fresh_key())).await?.problem(404, "not-found")?;
    }
    Ok(())
}

async fn a_wait_that_is_too_long_is_refused(server: &Server) -> Result<()> {
    for wait in ["1001", "-1", "soon"] {
        server.get(&format!("/v1/logins/{}?wait_ms={wait}", fresh_key())).await?.problem(400, "invalid-request")?;
    }
    Ok(())
}

/// A replay tells what was told first.
fn is_same(answer: &Answer, replay: &LoginOutcome, first: &LoginOutcome) -> Result<()> {
    let is_same = without_news(replay.clone()) == without_news(first.clone());
    answer.expect(is_same, format!("the outcome of the first request with this key: {}", as_json(first)))
}

/// [`a_new_account_is_told_of_once`] is about the rest of it.
fn without_news(mut outcome: LoginOutcome) -> LoginOutcome {
    if let LoginOutcome::SignedIn { new_user, .. } = &mut outcome {
        *new_user = false;
    }
    outcome
}

pub(super) fn as_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
