//! Logins that wait for their person: read, answered, answered again.

use std::collections::HashSet;

use futures_util::future::{join, try_join_all};
use resolver_api::{
    FinishAnswer, FinishLogin, LoginOutcome, LoginRequest, PendingLogin, Proof, ProofMethod, Question, SendCode, SendCodeAnswer,
};

use super::decision::signs_in;
use super::idempotency::as_json;
use super::{Check, checks};
use crate::people::{With, fresh_name, fresh_session};
use crate::server::{Answer, Ending, Result, Server, SignedIn};

/// The longest that a login may wait for its person: a day is no longer the same visit.
const LONGEST_WAIT: u64 = 86_400;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = checks!["When a login waits for its person":
        a_choice_tells_what_it_is_about_and_nothing_that_it_must_not,
        somebody_whom_nobody_knows_is_asked_for_an_account,
        a_pending_login_that_nobody_has_is_not_found,
    ];
    checks.extend(checks!["The answer":
        the_account_that_was_chosen_is_signed_in_and_the_question_does_not_return,
        the_same_answer_again_gets_the_same_outcome,
        the_login_is_remembered_by_its_end,
        another_answer_after_the_end_is_a_conflict,
        twenty_answers_at_once_get_one_outcome,
        two_different_answers_at_once_do_not_both_count,
        an_account_that_is_not_among_the_candidates_cannot_be_chosen,
        a_choice_takes_no_other_kind_of_answer,
        a_new_account_may_be_made_where_that_is_offered,
        wrong_answers_end_a_pending_login_and_lock_nobody_out,
        a_method_that_is_not_offered_proves_nothing,
    ]);
    checks.extend(checks!["Codes":
        a_code_is_on_its_way_whether_the_address_is_known_or_not,
        an_address_that_is_none_is_said_to_be_none,
        a_wrong_code_is_wrong,
    ]);
    checks
}

async fn a_choice_tells_what_it_is_about_and_nothing_that_it_must_not(server: &Server) -> Result<()> {
    let choice = Choice::new(server).await?;
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_token = (22..=64).contains(&choice.pending.len()) && choice.pending.bytes().all(is_base64url);
    choice.login.expect(is_token, "a pending of 22 to 64 base64url characters")?;
    let now = choice.one.auth_time;
    choice.login.expect((now + 1..=now + LONGEST_WAIT).contains(&choice.expires_at), "an expires_at in the future, within a day")?;

    let (answer, pending) = read(server, &choice.pending).await?;
    let is_about = pending.application == choice.request.application && pending.connector == choice.request.connector;
    answer.expect(is_about, "the application and the connector of the login")?;
    answer.expect(pending.expires_at == choice.expires_at, format!("the expires_at of the login: {}", choice.expires_at))?;
    answer.expect(pending.tries_left > 0, "at least one try")?;
    let accounts = choice_of(&answer, pending.question)?;
    let ids: HashSet<_> = accounts.iter().map(|account| &account.id).collect();
    answer.expect(accounts.len() == 2 && ids.len() == 2, "two accounts with different ids")?;
    let LoginRequest { openid, unionid, .. } = &choice.request;
    let secrets = [&choice.one.user.id, &choice.other.user.id, openid, unionid.as_ref().unwrap_or(openid), &choice.nickname];
    let text = answer.text();
    answer
        .expect(!secrets.iter().any(|secret| text.contains(*secret)), "neither a user's id, nor an openid or unionid, nor a whole nickname")
}

async fn somebody_whom_nobody_knows_is_asked_for_an_account(server: &Server) -> Result<()> {
    let (login, _, pending) = ask(server).await?;
    let (answer, waiting) = read(server, &pending).await?;
    answer.expect(waiting.tries_left > 0, "at least one try")?;
    let (methods, may_create) = binding_of(&answer, waiting.question)?;
    let different: HashSet<_> = methods.iter().collect();
    answer.expect(different.len() == methods.len(), "each method once")?;
    login.expect(!methods.is_empty() || may_create, "a pending login that its person can finish")
}

async fn a_pending_login_that_nobody_has_is_not_found(server: &Server) -> Result<()> {
    let path = format!("/v1/pending-logins/{}", fresh_session());
    server.get(&path).await?.problem(404, "not-found")?;
    server.post(&format!("{path}/finish"), &finish(Proof::Create)).await?.problem(404, "not-found")?;
    server.post(&format!("{path}/code"), &code_to("somebody@conformance.example")).await?.problem(404, "not-found").map(drop)
}

async fn the_account_that_was_chosen_is_signed_in_and_the_question_does_not_return(server: &Server) -> Result<()> {
    let choice = Choice::new(server).await?;
    let (answer, chosen) = choice.choose(server, 0).await?;
    let is_candidate = [&choice.one.user.id, &choice.other.user.id].contains(&&chosen.user.id);
    answer.expect(is_candidate && !chosen.new_user, "one of the two accounts, which is not new")?;
    let LoginRequest { app_id, openid, unionid, .. } = choice.request.clone();
    answer.expect(chosen.identity == resolver_api::WechatIdentity { app_id, openid, unionid }, "the identity as the login said it")?;
    server.get(&format!("/v1/pending-logins/{}", choice.pending)).await?.problem(404, "not-found")?;
    signs_in(server, &choice.request, &chosen.user.id).await?;
    // The account that was not chosen keeps existing, and its other identities.
    let alone = if chosen.user.id == choice.one.user.id { (&choice.in_wechat, &choice.other) } else { (&choice.pc, &choice.one) };
    signs_in(server, alone.0, &alone.1.user.id).await
}

async fn the_same_answer_again_gets_the_same_outcome(server: &Server) -> Result<()> {
    let choice = Choice::new(server).await?;
    let (_, first) = choice.choose(server, 1).await?;
    let (answer, replay) = choice.choose(server, 1).await?;
    answer.expect(replay == first, format!("the outcome of the first answer, with the session {}", first.session_id))
}

async fn the_login_is_remembered_by_its_end(server: &Server) -> Result<()> {
    let choice = Choice::new(server).await?;
    let (_, chosen) = choice.choose(server, 0).await?;
    let (answer, replay) = server.sign_in(&choice.request).await?;
    answer.expect(replay == chosen, format!("the outcome of the answer, with the session {}", chosen.session_id))?;
    let answer = server.get(&format!("/v1/logins/{}", choice.request.idempotency_key)).await?;
    let found = answer.signed_in(answer.json("a LoginOutcome")?)?;
    answer.expect(found == chosen, format!("the outcome of the answer, with the session {}", chosen.session_id))
}

async fn another_answer_after_the_end_is_a_conflict(server: &Server) -> Result<()> {
    let choice = Choice::new(server).await?;
    choice.choose(server, 0).await?;
    let other = finish(Proof::Choose { account: choice.candidate(1)? });
    let answer = server.post(&format!("/v1/pending-logins/{}/finish", choice.pending), &other).await?;
    answer.problem(409, "finished-otherwise").map(drop)
}

async fn twenty_answers_at_once_get_one_outcome(server: &Server) -> Result<()> {
    let choice = Choice::new(server).await?;
    let answers = try_join_all((0..20).map(|_| choice.choose(server, 0))).await?;
    let Some((_, first)) = answers.first() else { return Ok(()) };
    for (answer, got) in &answers {
        answer.expect(got == first, format!("one outcome for all, with the session {}", first.session_id))?;
    }
    Ok(())
}

async fn two_different_answers_at_once_do_not_both_count(server: &Server) -> Result<()> {
    for _ in 0..10 {
        let choice = Choice::new(server).await?;
        let path = format!("/v1/pending-logins/{}/finish", choice.pending);
        let (one, other) =
            (finish(Proof::Choose { account: choice.candidate(0)? }), finish(Proof::Choose { account: choice.candidate(1)? }));
        let (one, other) = join(server.post(&path, &one), server.post(&path, &other)).await;
        let (one, other) = (one?, other?);
        let statuses = [one.status(), other.status()];
        other.expect(statuses == [200, 409] || statuses == [409, 200], format!("200 for one and 409 for the other, not {statuses:?}"))?;
    }
    Ok(())
}

async fn an_account_that_is_not_among_the_candidates_cannot_be_chosen(server: &Server) -> Result<()> {
    let (_, stranger) = server.sign_in(&server.target.pc(&fresh_name())).await?;
    for account in [String::new(), "conformance".to_owned(), stranger.user.id] {
        let choice = Choice::new(server).await?;
        is_not_finished(server, &choice.pending, Proof::Choose { account }).await?;
        choice.choose(server, 0).await?;
    }
    Ok(())
}

async fn a_choice_takes_no_other_kind_of_answer(server: &Server) -> Result<()> {
    let choice = Choice::new(server).await?;
    let password = || Proof::Password { account: fresh_name(), password: fresh_name() };
    for proof in [Proof::Create, Proof::Code { code: "000000".into() }, password()] {
        is_not_finished(server, &choice.pending, proof).await?;
    }
    choice.choose(server, 0).await.map(drop)
}

async fn a_new_account_may_be_made_where_that_is_offered(server: &Server) -> Result<()> {
    let (_, request, pending) = ask(server).await?;
    let (answer, waiting) = read(server, &pending).await?;
    let (_, may_create) = binding_of(&answer, waiting.question)?;
    if !may_create {
        is_not_finished(server, &pending, Proof::Create).await?;
        return Err(Ending::NotOffered("the connector that asks makes no accounts".to_owned()));
    }
    let (answer, made) = finished(server, &pending, Proof::Create).await?;
    answer.expect(made.new_user, "new_user: true")?;
    let (answer, replay) = finished(server, &pending, Proof::Create).await?;
    let told_again = SignedIn { new_user: false, ..made.clone() };
    answer.expect(
        replay == told_again,
        format!("the outcome of the first answer, with the session {} and new_user: false", made.session_id),
    )?;
    signs_in(server, &request, &made.user.id).await
}

async fn wrong_answers_end_a_pending_login_and_lock_nobody_out(server: &Server) -> Result<()> {
    let (_, request, pending) = ask_for(server, ProofMethod::Password).await?;
    let (_, waiting) = read(server, &pending).await?;
    let account = fresh_name();
    for left in (0..waiting.tries_left).rev() {
        let wrong = Proof::Password { account: account.clone(), password: fresh_name() };
        let (answer, came) = answer_with(server, &pending, wrong).await?;
        answer.expect(came == FinishAnswer::Wrong { tries_left: left }, format!("wrong, with tries_left: {left}"))?;
    }
    let path = format!("/v1/pending-logins/{pending}");
    server.get(&path).await?.problem(404, "not-found")?;
    server.post(&format!("{path}/finish"), &finish(Proof::Create)).await?.problem(404, "not-found")?;
    // The same person, once more.
    let (answer, outcome) = server.login(&request.again()).await?;
    let LoginOutcome::BindAccount { pending, .. } = outcome else {
        return Err(answer.instead_of("the outcome bind_account, for the lock is on the login that is over"));
    };
    let (answer, again) = read(server, &pending).await?;
    answer.expect(again.tries_left == waiting.tries_left, format!("tries_left: {}, as for any new login", waiting.tries_left))
}

async fn a_method_that_is_not_offered_proves_nothing(server: &Server) -> Result<()> {
    let (_, _, pending) = ask(server).await?;
    let (answer, waiting) = read(server, &pending).await?;
    let (methods, _) = binding_of(&answer, waiting.question)?;
    is_not_finished(server, &pending, Proof::Choose { account: "1".into() }).await?;
    if !methods.contains(&ProofMethod::Password) {
        is_not_finished(server, &pending, Proof::Password { account: fresh_name(), password: fresh_name() }).await?;
    }
    for (method, address) in [(ProofMethod::EmailCode, email()), (ProofMethod::PhoneCode, PHONE.to_owned())] {
        if !methods.contains(&method) {
            let code = SendCode { method, ..code_to(&address) };
            let answer = server.post(&format!("/v1/pending-logins/{pending}/code"), &code).await?;
            let came: SendCodeAnswer = answer.json("a SendCodeAnswer")?;
            answer.expect(came == SendCodeAnswer::NotOffered, "not_offered")?;
        }
    }
    Ok(())
}

async fn a_code_is_on_its_way_whether_the_address_is_known_or_not(server: &Server) -> Result<()> {
    let (_, _, pending) = ask_for(server, ProofMethod::EmailCode).await?;
    let path = format!("/v1/pending-logins/{pending}/code");
    let code = code_to(&email());
    let answer = server.post(&path, &code).await?;
    let SendCodeAnswer::Sent { code: sent } = answer.json("a SendCodeAnswer")? else {
        return Err(answer.instead_of("sent, although nobody has that address"));
    };
    answer.expect(sent.method == code.method && sent.address != code.address, "the method, and the address masked")?;
    answer.expect(sent.resend_at > 0 && sent.expires_at > 0, "when the code is over, and when another one may be asked for")?;
    let (answer, waiting) = read(server, &pending).await?;
    let shown = match waiting.question {
        Question::Bind { code, .. } => code,
        Question::Choose { .. } => None,
    };
    answer.expect(shown.as_ref() == Some(&sent), format!("the code that was sent: {}", as_json(&sent)))?;
    let again = server.post(&path, &code).await?;
    let is_too_soon = matches!(again.json("a SendCodeAnswer")?, SendCodeAnswer::TooSoon { .. } | SendCodeAnswer::TooMany);
    again.expect(is_too_soon, "too_soon or too_many, so that nobody is flooded with codes")
}

async fn an_address_that_is_none_is_said_to_be_none(server: &Server) -> Result<()> {
    let (_, _, pending) = ask_for(server, ProofMethod::EmailCode).await?;
    for address in ["conformance", "a@b@conformance.example", "+8613800138000"] {
        let answer = server.post(&format!("/v1/pending-logins/{pending}/code"), &code_to(address)).await?;
        let came: SendCodeAnswer = answer.json("a SendCodeAnswer")?;
        answer.expect(came == SendCodeAnswer::InvalidAddress, "invalid_address")?;
    }
    Ok(())
}

async fn a_wrong_code_is_wrong(server: &Server) -> Result<()> {
    let (_, _, pending) = ask_for(server, ProofMethod::EmailCode).await?;
    let (_, waiting) = read(server, &pending).await?;
    server.post(&format!("/v1/pending-logins/{pending}/code"), &code_to(&email())).await?.json::<SendCodeAnswer>("a SendCodeAnswer")?;
    let (answer, came) = answer_with(server, &pending, Proof::Code { code: "000000".into() }).await?;
    let left = waiting.tries_left.saturating_sub(1);
    answer.expect(came == FinishAnswer::Wrong { tries_left: left }, format!("wrong, with tries_left: {left}"))
}

/// A number of the kind that is given to nobody.
const PHONE: &str = "+8610000000000";

fn email() -> String {
    format!("{}@conformance.example", fresh_name().to_lowercase())
}

fn code_to(address: &str) -> SendCode {
    SendCode { method: ProofMethod::EmailCode, address: address.to_owned(), language: "en".into(), client_address: None }
}

fn finish(proof: Proof) -> FinishLogin {
    FinishLogin { proof, client_address: Some("192.0.2.7".into()) }
}

async fn read(server: &Server, pending: &str) -> Result<(Answer, PendingLogin)> {
    let answer = server.get(&format!("/v1/pending-logins/{pending}")).await?;
    let waiting = answer.json("a PendingLogin")?;
    Ok((answer, waiting))
}

async fn answer_with(server: &Server, pending: &str, proof: Proof) -> Result<(Answer, FinishAnswer)> {
    let answer = server.post(&format!("/v1/pending-logins/{pending}/finish"), &finish(proof)).await?;
    let came = answer.json("a FinishAnswer")?;
    Ok((answer, came))
}

/// The answer finishes the login, with a session.
async fn finished(server: &Server, pending: &str, proof: Proof) -> Result<(Answer, SignedIn)> {
    let (answer, came) = answer_with(server, pending, proof).await?;
    let FinishAnswer::Finished { outcome } = came else {
        return Err(answer.instead_of("finished, with the outcome signed_in"));
    };
    let signed_in = answer.signed_in(outcome)?;
    Ok((answer, signed_in))
}

async fn is_not_finished(server: &Server, pending: &str, proof: Proof) -> Result<()> {
    let (answer, came) = answer_with(server, pending, proof).await?;
    answer.expect(!matches!(came, FinishAnswer::Finished { .. }), "not_offered or wrong")
}

fn choice_of(answer: &Answer, question: Question) -> Result<Vec<resolver_api::Candidate>> {
    match question {
        Question::Choose { accounts } => Ok(accounts),
        Question::Bind { .. } => Err(answer.instead_of("the question choose")),
    }
}

fn binding_of(answer: &Answer, question: Question) -> Result<(Vec<ProofMethod>, bool)> {
    match question {
        Question::Bind { methods, may_create, .. } => Ok((methods, may_create)),
        Question::Choose { .. } => Err(answer.instead_of("the question bind")),
    }
}

/// A login whose openid and unionid belong to two accounts.
struct Choice {
    /// The login with both.
    request: LoginRequest,
    /// The logins with one each, and whom they sign in.
    pc: LoginRequest,
    one: SignedIn,
    in_wechat: LoginRequest,
    other: SignedIn,
    nickname: String,
    /// The answer that has the rest.
    login: Answer,
    pending: String,
    expires_at: u64,
    candidates: Vec<String>,
}

impl Choice {
    async fn new(server: &Server) -> Result<Self> {
        let (nickname, unionid) = (fresh_name(), fresh_name());
        let pc = server.target.pc(&fresh_name()).nickname(&nickname);
        let (_, one) = server.sign_in(&pc).await?;
        let in_wechat = server.target.in_wechat(&fresh_name());
        let (_, other) = server.sign_in(&in_wechat.again().nickname(&nickname).unionid(&unionid)).await?;
        let request = LoginRequest { profile: None, ..pc.again().unionid(&unionid) };
        let (login, outcome) = server.login(&request).await?;
        let LoginOutcome::ChooseAccount { pending, expires_at } = outcome else {
            // That it should be one is another check's business.
            return Err(Ending::NotOffered("a login by identities of two users was not answered choose_account".to_owned()));
        };
        let (answer, waiting) = read(server, &pending).await?;
        let candidates = choice_of(&answer, waiting.question)?.into_iter().map(|account| account.id).collect();
        Ok(Self { request, pc, one, in_wechat, other, nickname, login, pending, expires_at, candidates })
    }

    fn candidate(&self, place: usize) -> Result<String> {
        self.candidates.get(place).cloned().ok_or_else(|| self.login.instead_of("a choice of two accounts"))
    }

    async fn choose(&self, server: &Server, place: usize) -> Result<(Answer, SignedIn)> {
        finished(server, &self.pending, Proof::Choose { account: self.candidate(place)? }).await
    }
}

/// The login of somebody whom nobody knows, by a connector that asks for an account; with the answer to it.
async fn ask(server: &Server) -> Result<(Answer, LoginRequest, String)> {
    let no_connector = || Ending::NotOffered("no connector that asks for an account was named (--asking-connector)".to_owned());
    let connector = server.target.asking_connector.clone().ok_or_else(no_connector)?;
    let request = LoginRequest { connector, ..server.target.pc(&fresh_name()) };
    let (answer, outcome) = server.login(&request).await?;
    match outcome {
        LoginOutcome::BindAccount { pending, .. } => Ok((answer, request, pending)),
        _ => Err(answer.instead_of("the outcome bind_account")),
    }
}

/// The same, where this is one of the ways to prove it.
async fn ask_for(server: &Server, method: ProofMethod) -> Result<(Answer, LoginRequest, String)> {
    let (login, request, pending) = ask(server).await?;
    let (answer, waiting) = read(server, &pending).await?;
    if !binding_of(&answer, waiting.question)?.0.contains(&method) {
        return Err(Ending::NotOffered(format!("the connector that asks does not offer {}", as_json(&method))));
    }
    Ok((login, request, pending))
}
