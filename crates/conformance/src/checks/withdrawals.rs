//! Consent that is withdrawn.

use std::time::Duration;

use resolver_api::LoginRequest;
use resolver_api::tickets::{WithdrawAuthorization, Withdrawal};

use super::revocations::follow;
use super::{Check, checks};
use crate::people::{With, fresh_name};
use crate::server::{Ending, Result, Server};

pub(super) fn checks() -> Vec<Check> {
    checks!["Consent that is withdrawn":
        sessions_up_to_then_end_and_later_ones_do_not,
        what_wechat_told_is_erased,
        a_repeated_withdrawal_leaves_alone_what_is_newer,
        a_withdrawal_of_nobody_is_no_error,
        a_withdrawal_counts_in_the_named_pools_alone,
    ]
}

async fn sessions_up_to_then_end_and_later_ones_do_not(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    let (_, before) = server.sign_in(&request).await?;
    withdraw(server, &of(&request, before.auth_time)).await?;
    let (answer, after) = server.sign_in(&request.again()).await?;
    answer.expect(after.user.id == before.user.id, format!("the user {}: an account outlives a consent", before.user.id))?;
    let feed = follow(server, "").await?;
    let entry = feed.users.iter().filter(|entry| entry.user_id == before.user.id).max_by_key(|entry| entry.not_before);
    let has_ended = entry.is_some_and(|entry| before.auth_time <= entry.not_before && after.auth_time > entry.not_before);
    answer.expect(has_ended, "an entry of the revocation feed that ends the session before, and not this one")
}

async fn what_wechat_told_is_erased(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).nickname("小明");
    let (answer, before) = server.sign_in(&request).await?;
    answer.expect(before.user.name.as_deref() == Some("小明"), "the name that WeChat told")?;
    withdraw(server, &of(&request, before.auth_time)).await?;
    let (answer, after) = server.sign_in(&LoginRequest { profile: None, ..request.again() }).await?;
    answer.expect(after.user.name.is_none(), "no name, for this login tells none, and the one before was erased")
}

async fn a_repeated_withdrawal_leaves_alone_what_is_newer(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).nickname("小明");
    let (_, before) = server.sign_in(&request).await?;
    withdraw(server, &of(&request, before.auth_time)).await?;
    // Into the next second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (_, newer) = server.sign_in(&request.again()).await?;
    withdraw(server, &of(&request, before.auth_time)).await?;
    let (answer, after) = server.sign_in(&LoginRequest { profile: None, ..request.again() }).await?;
    answer.expect(after.user.name.as_deref() == Some("小明"), "the name that WeChat told after the consent was withdrawn")?;
    let feed = follow(server, "").await?;
    let has_ended = feed.users.iter().any(|entry| entry.user_id == newer.user.id && newer.auth_time <= entry.not_before);
    answer.expect(!has_ended, "a session that began after the consent was withdrawn goes on")
}

async fn a_withdrawal_of_nobody_is_no_error(server: &Server) -> Result<()> {
    withdraw(server, &of(&server.target.pc(&fresh_name()), 1_800_000_000)).await
}

async fn a_withdrawal_counts_in_the_named_pools_alone(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).nickname("小明");
    let (_, before) = server.sign_in(&request).await?;
    let other = format!("{}-other", server.target.pool);
    withdraw(server, &WithdrawAuthorization { pools: vec![other], ..of(&request, before.auth_time) }).await?;
    let (answer, after) = server.sign_in(&LoginRequest { profile: None, ..request.again() }).await?;
    answer.expect(after.user.name.as_deref() == Some("小明"), "the name, for another pool was named")
}

fn of(request: &LoginRequest, at: u64) -> WithdrawAuthorization {
    let LoginRequest { pool, platform, app_id, openid, .. } = request.clone();
    WithdrawAuthorization { pools: vec![pool], platform, app_id, openid, unionid: None, reason: Withdrawal::Revoked, at }
}

pub(super) async fn withdraw(server: &Server, withdrawal: &WithdrawAuthorization) -> Result<()> {
    let answer = server.post("/v1/authorizations/withdraw", withdrawal).await?;
    if answer.status() == 404 {
        let why = "the resolver ends nothing when consent is withdrawn: POST /v1/authorizations/withdraw is 404";
        return Err(Ending::NotOffered(why.to_owned()));
    }
    answer.done()
}
