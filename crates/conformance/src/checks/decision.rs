//! Who is signed in: the decision table, and what an identity is.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use resolver_api::{LoginOutcome, LoginRequest, RefusalReason, WechatIdentity};

use super::{Check, checks};
use crate::people::{With, fresh_name};
use crate::server::{Answer, Ending, Result, Server};

pub(super) fn checks() -> Vec<Check> {
    checks!["Decide a login":
        a_first_login_makes_an_account_and_its_outcome_is_as_described,
        a_second_login_is_the_same_user_in_another_session,
        a_unionid_that_turns_up_later_is_recorded,
        a_new_openid_of_a_known_unionid_is_recorded,
        identities_of_two_users_are_a_choice_and_change_nothing,
        an_openid_without_a_profile_changes_nothing,
        an_openid_that_is_known_needs_no_profile,
        an_openid_means_nothing_in_another_app,
        a_unionid_means_nothing_on_another_platform,
        pools_never_meet,
        an_openid_is_never_taken_for_a_unionid,
        one_nickname_does_not_make_one_person,
        identities_are_compared_byte_for_byte,
        an_openid_is_64_characters_of_any_kind,
        fifty_first_logins_at_once_make_one_user,
        two_methods_at_once_make_one_user,
        a_closed_registration_refuses_strangers_alone,
    ]
}

async fn a_first_login_makes_an_account_and_its_outcome_is_as_described(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).unionid(&fresh_name()).nickname("小明😀");
    let (answer, first) = server.sign_in(&request).await?;
    answer.expect(first.new_user, "new_user: true")?;
    let id = &first.user.id;
    let is_id = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    answer.expect(is_id, "a user.id of 1 to 64 visible ASCII characters")?;
    let names = [Some(&request.openid), request.unionid.as_ref()];
    answer.expect(!names.contains(&Some(id)), "a user.id that is neither the openid nor the unionid")?;
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    answer.expect(first.session_id.len() == 22 && first.session_id.bytes().all(is_base64url), "a session_id of 22 base64url characters")?;
    let LoginRequest { app_id, openid, unionid, .. } = request;
    answer.expect(first.identity == WechatIdentity { app_id, openid, unionid }, "the identity as the request said it")?;
    let is_picture = first.user.picture.is_none_or(|picture| picture.starts_with("https://"));
    answer.expect(is_picture, "a user.picture that is an https address, or none")?;
    answer.expect((1_500_000_000..100_000_000_000).contains(&first.auth_time), "an auth_time in Unix seconds")
}

async fn a_second_login_is_the_same_user_in_another_session(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name());
    let (_, first) = server.sign_in(&request).await?;
    let (answer, second) = server.sign_in(&request.again()).await?;
    answer.expect(second.user.id == first.user.id, format!("the user {} again", first.user.id))?;
    answer.expect(second.session_id != first.session_id, "another session_id for another login")?;
    answer.expect(second.auth_time >= first.auth_time, format!("an auth_time that is not before {}", first.auth_time))?;
    answer.expect(!second.new_user, "new_user: false")
}

async fn a_unionid_that_turns_up_later_is_recorded(server: &Server) -> Result<()> {
    let (request, unionid) = (server.target.pc(&fresh_name()), fresh_name());
    let (_, first) = server.sign_in(&request).await?;
    signs_in(server, &request.unionid(&unionid), &first.user.id).await?;
    // By the unionid alone: this openid is a new one.
    signs_in(server, &server.target.in_wechat(&fresh_name()).unionid(&unionid), &first.user.id).await
}

async fn a_new_openid_of_a_known_unionid_is_recorded(server: &Server) -> Result<()> {
    let unionid = fresh_name();
    let (_, first) = server.sign_in(&server.target.pc(&fresh_name()).unionid(&unionid)).await?;
    let in_wechat = server.target.in_wechat(&fresh_name());
    signs_in(server, &in_wechat.clone().unionid(&unionid), &first.user.id).await?;
    signs_in(server, &in_wechat, &first.user.id).await?;
    signs_in(server, &in_wechat.unionid(&unionid), &first.user.id).await
}

async fn identities_of_two_users_are_a_choice_and_change_nothing(server: &Server) -> Result<()> {
    let (openid, unionid) = (server.target.pc(&fresh_name()), fresh_name());
    let (_, one) = server.sign_in(&openid).await?;
    let in_wechat = server.target.in_wechat(&fresh_name());
    let (_, other) = server.sign_in(&in_wechat.again().unionid(&unionid)).await?;
    for _ in 0..2 {
        let (answer, outcome) = server.login(&openid.again().unionid(&unionid)).await?;
        answer.expect(matches!(outcome, LoginOutcome::ChooseAccount { .. }), "the outcome choose_account")?;
    }
    signs_in(server, &openid, &one.user.id).await?;
    signs_in(server, &in_wechat, &other.user.id).await?;
    signs_in(server, &server.target.in_wechat(&fresh_name()).unionid(&unionid), &other.user.id).await
}

async fn an_openid_without_a_profile_changes_nothing(server: &Server) -> Result<()> {
    let (_, known) = server.sign_in(&server.target.pc(&fresh_name()).unionid(&fresh_name())).await?;
    let known_unionid = known.identity.unionid.unwrap_or_default();
    let quiet = LoginRequest { profile_available: true, ..server.target.in_wechat(&fresh_name()) };
    for request in [quiet.clone(), quiet.again().unionid(&known_unionid)] {
        let (answer, outcome) = server.login(&request).await?;
        answer.expect(outcome == LoginOutcome::ProfileRequired, "the outcome profile_required")?;
        server.get(&format!("/v1/logins/{}", request.idempotency_key)).await?.problem(404, "not-found")?;
    }
    // Nothing stands under the key, so this is no replay and no reuse.
    let (answer, first) = server.sign_in(&LoginRequest { profile_available: false, ..quiet }).await?;
    answer.expect(first.new_user, "new_user: true, for nothing was stored before")
}

async fn an_openid_that_is_known_needs_no_profile(server: &Server) -> Result<()> {
    let request = server.target.in_wechat(&fresh_name());
    let (_, first) = server.sign_in(&request).await?;
    signs_in(server, &LoginRequest { profile_available: true, ..request }, &first.user.id).await
}

async fn an_openid_means_nothing_in_another_app(server: &Server) -> Result<()> {
    let openid = fresh_name();
    are_two_people(server, &server.target.pc(&openid), &server.target.in_wechat(&openid)).await
}

async fn a_unionid_means_nothing_on_another_platform(server: &Server) -> Result<()> {
    let unionid = fresh_name();
    let here = server.target.pc(&fresh_name()).unionid(&unionid);
    let there = LoginRequest { platform: format!("{}-other", here.platform), ..server.target.in_wechat(&fresh_name()).unionid(&unionid) };
    are_two_people(server, &here, &there).await
}

async fn pools_never_meet(server: &Server) -> Result<()> {
    let here = server.target.pc(&fresh_name()).unionid(&fresh_name());
    let there = LoginRequest { pool: format!("{}-other", here.pool), ..here.again() };
    are_two_people(server, &here, &there).await
}

async fn an_openid_is_never_taken_for_a_unionid(server: &Server) -> Result<()> {
    let name = fresh_name();
    are_two_people(server, &server.target.pc(&name), &server.target.in_wechat(&fresh_name()).unionid(&name)).await
}

async fn one_nickname_does_not_make_one_person(server: &Server) -> Result<()> {
    let nickname = fresh_name();
    let person = || server.target.pc(&fresh_name()).nickname(&nickname);
    are_two_people(server, &person(), &person()).await
}

async fn identities_are_compared_byte_for_byte(server: &Server) -> Result<()> {
    let name = fresh_name();
    let spellings = [
        format!("{name}a"),
        format!("{name}A"),
        format!("{name}a "),
        format!(" {name}a"),
        format!("{name}ａ"),
        format!("{name}é"),
        format!("{name}e\u{301}"),
        format!("{name}ß"),
        format!("{name}ss"),
        format!("{name}😀"),
        format!("{name}😁"),
    ];
    let mut users = BTreeSet::new();
    for spelling in &spellings {
        // As a unionid as well as as an openid.
        for request in [server.target.pc(spelling), server.target.pc(&fresh_name()).unionid(spelling)] {
            let (answer, first) = server.sign_in(&request).await?;
            answer.expect(first.new_user && users.insert(first.user.id.clone()), "a user of its own, for only similar ones are known")?;
            answer.expect(first.identity.openid == request.openid, "the openid as it was sent")?;
            signs_in(server, &request, &first.user.id).await?;
        }
    }
    Ok(())
}

async fn an_openid_is_64_characters_of_any_kind(server: &Server) -> Result<()> {
    let name = fresh_name();
    for character in ['x', '\'', '\u{0}', '\u{7f}', '\u{202e}', '小', '😀'] {
        let openid: String = name.chars().chain(std::iter::repeat(character)).take(64).collect();
        let request = server.target.pc(&openid);
        let (answer, first) = server.sign_in(&request).await?;
        answer.expect(first.new_user && first.identity.openid == openid, "a new user with the openid as it was sent")?;
        signs_in(server, &request, &first.user.id).await?;
    }
    Ok(())
}

async fn fifty_first_logins_at_once_make_one_user(server: &Server) -> Result<()> {
    let request = server.target.pc(&fresh_name()).unionid(&fresh_name());
    all_are_one(server, (0..50).map(|_| request.again()).collect()).await
}

async fn two_methods_at_once_make_one_user(server: &Server) -> Result<()> {
    let unionid = fresh_name();
    let (pc, in_wechat) = (server.target.pc(&fresh_name()).unionid(&unionid), server.target.in_wechat(&fresh_name()).unionid(&unionid));
    all_are_one(server, (0..20).flat_map(|_| [pc.again(), in_wechat.again()]).collect()).await?;
    let (_, first) = server.sign_in(&LoginRequest { unionid: None, ..pc.again() }).await?;
    signs_in(server, &LoginRequest { unionid: None, ..in_wechat }, &first.user.id).await
}

async fn a_closed_registration_refuses_strangers_alone(server: &Server) -> Result<()> {
    let no_connector = || Ending::NotOffered("no connector with a closed registration was named (--closed-connector)".to_owned());
    let closed = server.target.closed_connector.clone().ok_or_else(no_connector)?;
    let stranger = LoginRequest { connector: closed.clone(), ..server.target.pc(&fresh_name()) };
    let refused = LoginOutcome::Refused { reason: RefusalReason::RegistrationClosed };
    let (answer, outcome) = server.login(&stranger).await?;
    answer.expect(outcome == refused, "the outcome refused, with the reason registration_closed")?;
    let known = server.target.pc(&fresh_name());
    let (_, first) = server.sign_in(&known).await?;
    signs_in(server, &LoginRequest { connector: closed, ..known }, &first.user.id).await
}

/// The person logs in once more, as this user.
pub(super) async fn signs_in(server: &Server, request: &LoginRequest, user: &str) -> Result<()> {
    let (answer, got) = server.sign_in(&request.again()).await?;
    answer.expect(got.user.id == user && !got.new_user, format!("the user {user}, who is not new"))
}

async fn are_two_people(server: &Server, one: &LoginRequest, other: &LoginRequest) -> Result<()> {
    let (_, first) = server.sign_in(one).await?;
    let (answer, outcome) = server.login(other).await?;
    if matches!(outcome, LoginOutcome::Refused { .. }) && (one.pool != other.pool || one.platform != other.platform) {
        return Err(Ending::NotOffered(format!("the resolver refuses logins of the pool {} and platform {}", other.pool, other.platform)));
    }
    let second = answer.signed_in(outcome)?;
    answer.expect(second.new_user && second.user.id != first.user.id, format!("a new user, not {}", first.user.id))
}

/// The logins of one person, all at once, make one user.
async fn all_are_one(server: &Server, requests: Vec<LoginRequest>) -> Result<()> {
    let answers = try_join_all(requests.iter().map(|request| server.sign_in(request))).await?;
    let Some((_, first)) = answers.first() else { return Ok(()) };
    let mut sessions = BTreeSet::new();
    let (mut new_users, mut last): (usize, Option<&Answer>) = (0, None);
    for (answer, got) in &answers {
        answer.expect(got.user.id == first.user.id, format!("the user {} for every login", first.user.id))?;
        answer.expect(sessions.insert(&got.session_id), "another session_id for each login")?;
        new_users += usize::from(got.new_user);
        last = Some(answer);
    }
    last.map_or(Ok(()), |answer| answer.expect(new_users == 1, format!("new_user: true in one answer of all, not in {new_users}")))
}
