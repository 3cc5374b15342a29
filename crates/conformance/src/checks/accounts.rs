//! What a logged-in person does with their own account.

use resolver_api::{AccountChange, AccountView, LinkedIdentity, LoginOutcome, LoginRequest, RefusalReason, UnlinkAnswer};

use super::decision::signs_in;
use super::{Check, checks};
use crate::people::{With, fresh_name};
use crate::server::{Answer, Ending, Result, Server, escaped};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = checks!["Decide a login":
        an_identity_of_nobody_is_linked,
        an_identity_of_somebody_else_is_taken,
        an_identity_of_ones_own_is_no_trouble,
        nobody_is_linked_to_an_account_that_is_not_there,
    ];
    checks.extend(checks!["A person's own account":
        an_account_shows_the_wechat_people_who_may_log_in,
        an_account_of_another_pool_is_not_found,
    ]);
    checks.extend(checks!["A person's own account":
        an_identity_that_is_unlinked_signs_in_nobody_and_every_session_has_ended,
        the_last_way_in_stays,
        an_identity_that_is_not_there_is_not_unlinked,
    ]);
    checks
}

async fn an_identity_of_nobody_is_linked(server: &Server) -> Result<()> {
    let (_, own) = server.sign_in(&server.target.pc(&fresh_name())).await?;
    let other = server.target.in_wechat(&fresh_name()).unionid(&fresh_name());
    signs_in(server, &LoginRequest { link_to: Some(own.user.id.clone()), ..other.clone() }, &own.user.id).await?;
    signs_in(server, &other, &own.user.id).await?;
    signs_in(server, &LoginRequest { unionid: None, ..other }, &own.user.id).await
}

async fn an_identity_of_somebody_else_is_taken(server: &Server) -> Result<()> {
    let (_, own) = server.sign_in(&server.target.pc(&fresh_name())).await?;
    let other = server.target.in_wechat(&fresh_name()).unionid(&fresh_name());
    let (_, somebody) = server.sign_in(&other).await?;
    // By both names, and by either of them.
    let by_openid = LoginRequest { unionid: None, ..other.clone() };
    let by_unionid = server.target.pc(&fresh_name()).unionid(other.unionid.as_deref().unwrap_or_default());
    for request in [&other, &by_openid, &by_unionid] {
        let (answer, outcome) = server.login(&LoginRequest { link_to: Some(own.user.id.clone()), ..request.again() }).await?;
        let taken = LoginOutcome::Refused { reason: RefusalReason::IdentityTaken };
        answer.expect(outcome == taken, "the outcome refused, with the reason identity_taken")?;
    }
    signs_in(server, &other, &somebody.user.id).await
}

async fn an_identity_of_ones_own_is_no_trouble(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    let (_, own) = server.sign_in(&request).await?;
    signs_in(server, &LoginRequest { link_to: Some(own.user.id.clone()), ..request }, &own.user.id).await
}

async fn nobody_is_linked_to_an_account_that_is_not_there(server: &Server) -> Result<()> {
    let elsewhere = LoginRequest { pool: format!("{}-other", server.target.pool), ..server.target.pc(&fresh_name()) };
    let mut accounts = vec!["01a202d5-f36e-7a22-8e78-c33ff9921c9e".to_owned(), "nobody".to_owned()];
    if let (answer, outcome @ LoginOutcome::SignedIn { .. }) = server.login(&elsewhere).await? {
        accounts.push(answer.signed_in(outcome)?.user.id);
    }
    for account in accounts {
        let request = server.target.in_wechat(&fresh_name());
        let answer = server.post("/v1/logins", &LoginRequest { link_to: Some(account), ..request.clone() }).await?;
        let is_refused = match answer.status() {
            200 => matches!(answer.json("a LoginOutcome")?, LoginOutcome::Refused { .. }),
            status => (400..500).contains(&status),
        };
        answer.expect(is_refused, "the outcome refused, or a problem")?;
        let (answer, first) = server.sign_in(&request.again()).await?;
        answer.expect(first.new_user, "new_user: true, for the identity was not linked to anybody")?;
    }
    Ok(())
}

async fn an_account_shows_the_wechat_people_who_may_log_in(server: &Server) -> Result<()> {
    let (nickname, unionid) = (fresh_name(), fresh_name());
    let pc = server.target.pc(&fresh_name()).unionid(&unionid).nickname(&nickname);
    let (_, own) = server.sign_in(&pc).await?;
    let in_wechat = server.target.in_wechat(&fresh_name()).unionid(&unionid);
    signs_in(server, &in_wechat, &own.user.id).await?;
    let (answer, view) = view(server, &own.user.id).await?;
    answer.expect(view.user.id == own.user.id, format!("the user {}", own.user.id))?;
    answer.expect(view.created_at <= own.auth_time && view.created_at > 0, "when the account was made")?;
    let [person] = view.identities.as_slice() else {
        return Err(answer.instead_of("one WeChat person, for both openids came with one unionid"));
    };
    answer.expect(person.connectors == [server.target.connector.as_str()], "the connector by which that person has logged in, once")?;
    answer.expect(person.nickname.as_ref().is_none_or(|shown| *shown == nickname), "the nickname that WeChat told, or none")?;
    let names = [&pc.openid, &in_wechat.openid, &unionid];
    answer.expect(!names.iter().any(|name| answer.text().contains(*name)), "neither an openid nor a unionid")
}

async fn an_account_of_another_pool_is_not_found(server: &Server) -> Result<()> {
    let (_, own) = server.sign_in(&server.target.pc(&fresh_name())).await?;
    view(server, &own.user.id).await?;
    let other = format!("{}-other", server.target.pool);
    server.get(&format!("/v1/users/{}?pool={}", own.user.id, escaped(&other))).await?.problem(404, "not-found")?;
    server.get(&format!("/v1/users/nobody?pool={}", escaped(&server.target.pool))).await?.problem(404, "not-found")?;
    let change = AccountChange { pool: other, ..change(server) };
    server.post(&format!("/v1/users/{}/revoke-sessions", own.user.id), &change).await?.problem(404, "not-found").map(drop)
}

async fn an_identity_that_is_unlinked_signs_in_nobody_and_every_session_has_ended(server: &Server) -> Result<()> {
    let pc = server.target.pc(&fresh_name());
    let (_, own) = server.sign_in(&pc).await?;
    let other = server.target.in_wechat(&fresh_name()).unionid(&fresh_name());
    signs_in(server, &LoginRequest { link_to: Some(own.user.id.clone()), ..other.clone() }, &own.user.id).await?;
    // The one that was linked last, found by looking twice: nothing else tells the two apart.
    let (answer, before) = view(server, &own.user.id).await?;
    answer.expect(before.identities.len() == 2, "two WeChat people")?;
    let (_, seen) = server.sign_in(&pc.again()).await?;
    let mut gone = None;
    for LinkedIdentity { id, .. } in before.identities {
        if unlink(server, &own.user.id, &id).await?.1 == UnlinkAnswer::Unlinked {
            gone = Some(id);
            break;
        }
    }
    answer.expect(gone.is_some(), "an identity that can be unlinked, for there are two")?;
    let (answer, after) = view(server, &own.user.id).await?;
    answer.expect(
        after.identities.len() == 1 && after.identities.first().map(|left| &left.id) != gone.as_ref(),
        "the one identity that is left",
    )?;

    let mut signed_in = Vec::new();
    for request in [pc.again(), other.again()] {
        signed_in.push(server.sign_in(&request).await?);
    }
    let still: Vec<_> = signed_in.iter().filter(|(_, got)| got.user.id == own.user.id).collect();
    let [(answer, still)] = still.as_slice() else {
        return Err(answer.instead_of("an account to which one of the two people may still log in, and not both"));
    };
    let feed = super::revocations::follow(server, "").await?;
    let entry = feed.users.iter().filter(|entry| entry.user_id == own.user.id).max_by_key(|entry| entry.not_before);
    let has_ended = entry.is_some_and(|entry| seen.auth_time <= entry.not_before && still.auth_time > entry.not_before);
    answer.expect(has_ended, "an entry of the revocation feed that ends the sessions before, and not this one")
}

async fn the_last_way_in_stays(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).unionid(&fresh_name());
    let (_, own) = server.sign_in(&request).await?;
    let (answer, view) = view(server, &own.user.id).await?;
    let [person] = view.identities.as_slice() else { return Err(answer.instead_of("one WeChat person")) };
    let (answer, came) = unlink(server, &own.user.id, &person.id).await?;
    answer.expect(came == UnlinkAnswer::LastWayIn, "last_way_in")?;
    signs_in(server, &request, &own.user.id).await
}

async fn an_identity_that_is_not_there_is_not_unlinked(server: &Server) -> Result<()> {
    let (_, own) = server.sign_in(&server.target.pc(&fresh_name())).await?;
    let (_, other) = server.sign_in(&server.target.pc(&fresh_name())).await?;
    let (answer, strangers) = view(server, &other.user.id).await?;
    let [stranger] = strangers.identities.as_slice() else { return Err(answer.instead_of("one WeChat person")) };
    for id in [stranger.id.as_str(), "01a202d5-f36e-7a22-8e78-c33ff9921c9e"] {
        let path = format!("/v1/users/{}/identities/{}/unlink", own.user.id, escaped(id));
        server.post(&path, &change(server)).await?.problem(404, "not-found")?;
    }
    Ok(())
}

pub(super) fn change(server: &Server) -> AccountChange {
    let target = &server.target;
    AccountChange { pool: target.pool.clone(), application: target.application.clone(), client_address: Some("192.0.2.7".into()) }
}

/// The account of somebody who has one.
async fn view(server: &Server, user: &str) -> Result<(Answer, AccountView)> {
    let answer = server.get(&format!("/v1/users/{}?pool={}", escaped(user), escaped(&server.target.pool))).await?;
    if answer.status() == 404 {
        return Err(Ending::NotOffered(
            "the resolver shows no account: GET /v1/users/{user_id} is 404 for somebody who has just logged in".to_owned(),
        ));
    }
    let view = answer.json("an AccountView")?;
    Ok((answer, view))
}

async fn unlink(server: &Server, user: &str, linked: &str) -> Result<(Answer, UnlinkAnswer)> {
    let answer = server.post(&format!("/v1/users/{}/identities/{}/unlink", escaped(user), escaped(linked)), &change(server)).await?;
    let came = answer.json("an UnlinkAnswer")?;
    Ok((answer, came))
}
