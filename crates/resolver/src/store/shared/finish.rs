//! A pending login: what it asks, codes for it, and its end.

use resolver_api::{Candidate, FinishAnswer, LoginOutcome, ProofMethod, RefusalReason, SendCodeAnswer};
use serde_json::json;

use super::codes::Counted;
use super::identities::Person;
use super::transaction::Repeat;
use super::{Backend, Connection, accounts, audit, choices, codes, identities, logins, outcomes, pending, policies};
use crate::account::State;
use crate::audit::{Action, Actor, By};
use crate::clock::Moment;
use crate::login::Login;
use crate::pending::{Asked, End, Issued, MOST_CODES_AN_ADDRESS, MOST_WRONG_ANSWERS, Pending, PendingToken, Proved, candidate};
use crate::policy::Terms;
use crate::store::{Answered, Checked, CodeRequest, CodeRequested, FinishError, PendingStore, StoreError, StoredPassword, Waiting};

impl PendingStore for Backend {
    async fn find_pending(&self, token: &PendingToken, now: Moment) -> Result<Option<Waiting>, StoreError> {
        self.read(|scope| Box::pin(find_waiting(scope.connection, token, now))).await
    }

    async fn request_code(&self, token: &PendingToken, request: &CodeRequest, now: Moment) -> Result<Option<CodeRequested>, StoreError> {
        // The second time it finds the code that the first time stored, if it did.
        self.write(Repeat::Always, |scope| Box::pin(request_code(scope.connection, token, request, now))).await
    }

    async fn find_password(&self, pool: &str, account: &str) -> Result<Option<StoredPassword>, StoreError> {
        self.read(|scope| Box::pin(accounts::find_password(scope.connection, pool, account))).await
    }

    async fn finish_pending(
        &self,
        token: &PendingToken,
        answer: &Answered,
        terms: &Terms,
        now: Moment,
    ) -> Result<FinishAnswer, FinishError> {
        // The second time it finds the outcome that the first time stored, if it did. A wrong answer may count twice.
        self.write(Repeat::Always, |scope| Box::pin(finish(scope.connection, token, answer, terms, now))).await
    }
}

async fn find_waiting(connection: &mut Connection, token: &PendingToken, now: Moment) -> Result<Option<Waiting>, StoreError> {
    let Some(pending) = pending::find(connection, token, now).await? else {
        return Ok(None);
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    if let Asked::Choose { accounts } = &pending.asked {
        for (place, user) in accounts.iter().enumerate() {
            let account = accounts::find(connection, *user).await?;
            candidates.extend(account.filter(|account| account.state == State::Active).map(|account| candidate(place, &account)));
        }
    }
    Ok(Some(Waiting { pending, candidates }))
}

async fn request_code(
    connection: &mut Connection,
    token: &PendingToken,
    request: &CodeRequest,
    now: Moment,
) -> Result<Option<CodeRequested>, StoreError> {
    let Some(mut pending) = pending::find(connection, token, now).await? else {
        return Ok(None);
    };
    let refused = |answer| Ok(Some(CodeRequested { answer, is_to_be_sent: false }));
    if let Some((code, is_to_be_sent)) = pending.find_code(&request.digest) {
        return Ok(Some(CodeRequested { answer: SendCodeAnswer::Sent { code }, is_to_be_sent }));
    }
    if let Err(answer) = pending.check_send(request.method, now) {
        return refused(answer);
    }
    let pool = pending.login.pool.clone();
    let codes = Counted::Codes(&pool, &request.address);
    if codes::count(connection, codes, now).await? >= MOST_CODES_AN_ADDRESS {
        return refused(SendCodeAnswer::TooMany);
    }
    codes::create(connection, codes, now).await?;
    let owner = match accounts::find_by_address(connection, &pool, &request.address).await?.as_slice() {
        [owner] => Some(*owner),
        _ => None,
    };
    let address = token.digest_of_address(&request.address);
    let code = pending.code_sent(request.method, request.address.masked(), Issued { digest: request.digest.clone(), address }, owner, now);
    pending::update(connection, token, &pending, now).await?;
    let somebody = By { actor: Actor::Wechat, client_address: request.client_address.clone() };
    let detail = json!({"by": request.method, "application": pending.login.application, "connector": pending.login.connector});
    // Also where nobody has the address: it takes the same time.
    audit::record(connection, &somebody.entry(&pool, Action::CodeSent, owner, detail), now).await?;
    Ok(Some(CodeRequested { answer: SendCodeAnswer::Sent { code }, is_to_be_sent: owner.is_some() }))
}

async fn finish(
    connection: &mut Connection,
    token: &PendingToken,
    answer: &Answered,
    terms: &Terms,
    now: Moment,
) -> Result<FinishAnswer, FinishError> {
    if let Some(kept) = outcomes::find(connection, &token.outcome_key(), now).await? {
        return if kept.request_digest == answer.digest {
            Ok(FinishAnswer::Finished { outcome: kept.outcome })
        } else {
            Err(FinishError::FinishedOtherwise)
        };
    }
    let mut pending = pending::find(connection, token, now).await?.ok_or(FinishError::Over)?;
    if !is_offered(&pending, &answer.proof) {
        return Ok(FinishAnswer::NotOffered);
    }
    let login = Login::parse(pending.login.clone()).map_err(|_| StoreError::Unreadable("a pending login"))?;
    // Before it is looked at, so that the right one tells nothing either.
    if answer.proof.is_a_guess() && codes::count(connection, Counted::WrongAnswers(&login), now).await? >= MOST_WRONG_ANSWERS {
        let outcome = logins::refuse(connection, &login, RefusalReason::Policy, None, now).await?;
        return conclude(connection, token, answer, &login, outcome, now).await;
    }
    let Some(proved) = prove(connection, token, &pending, &answer.proof, now).await? else {
        if answer.proof.is_a_guess() {
            codes::create(connection, Counted::WrongAnswers(&login), now).await?;
        }
        let tries_left = pending.wrong_answer();
        pending::update(connection, token, &pending, now).await?;
        let somebody = By { actor: Actor::Wechat, client_address: answer.client_address.clone() };
        let detail = json!({"tries_left": tries_left, "application": pending.login.application, "connector": pending.login.connector});
        // A wrong password is for no account that is known here, and not for the one that a code went to.
        let about = if matches!(answer.proof, Checked::Code(_)) { pending.code_for() } else { None };
        let entry = somebody.entry(&pending.login.pool, Action::ProofFailed, about, detail);
        audit::record(connection, &entry, now).await?;
        return Ok(FinishAnswer::Wrong { tries_left });
    };
    let outcome = end(connection, &login, proved, answer, terms, now).await?;
    conclude(connection, token, answer, &login, outcome, now).await
}

/// Keeps how the pending login has ended, which it has by that.
async fn conclude(
    connection: &mut Connection,
    token: &PendingToken,
    answer: &Answered,
    login: &Login,
    outcome: LoginOutcome,
    now: Moment,
) -> Result<FinishAnswer, FinishError> {
    outcomes::create(connection, &token.outcome_key(), &answer.digest, &outcome, now).await?;
    // Whoever repeats the login is told how it ended, and not asked again.
    outcomes::create(connection, login.key(), &login.digest(), &outcome, now).await?;
    pending::delete(connection, token).await?;
    Ok(FinishAnswer::Finished { outcome })
}

fn is_offered(pending: &Pending, proof: &Checked) -> bool {
    match proof {
        Checked::Choose(_) => matches!(pending.asked, Asked::Choose { .. }),
        Checked::Create => pending.offers_creation(),
        Checked::Code(_) => pending.offers(ProofMethod::PhoneCode) || pending.offers(ProofMethod::EmailCode),
        Checked::Password(_) => pending.offers(ProofMethod::Password),
    }
}

/// What the answer proves; nothing when it is wrong.
async fn prove(
    connection: &mut Connection,
    token: &PendingToken,
    pending: &Pending,
    proof: &Checked,
    now: Moment,
) -> Result<Option<Proved>, StoreError> {
    Ok(match proof {
        Checked::Choose(candidate) => pending.candidate(candidate).map(Proved::Chosen),
        Checked::Create => Some(Proved::New),
        Checked::Code(digest) => match pending.proved_by_code(digest, now) {
            // The address may have been taken from the account since the code was sent.
            Some(Proved::Owned(user, method)) => {
                let account = accounts::find(connection, user).await?;
                let address = account.and_then(|account| account.verified_address(method));
                let is_still_so = address.is_some_and(|address| pending.is_code_for(&token.digest_of_address(&address)));
                is_still_so.then_some(Proved::Owned(user, method))
            }
            _ => None,
        },
        Checked::Password(None) => None,
        Checked::Password(Some(StoredPassword { user, hash })) => {
            // It may have been changed while it was compared.
            let account = accounts::find(connection, *user).await?.filter(|account| account.pool == pending.login.pool);
            let is_still_so = account.is_some_and(|account| account.password_hash.as_ref() == Some(hash));
            is_still_so.then_some(Proved::Owned(*user, ProofMethod::Password))
        }
    })
}

async fn end(
    connection: &mut Connection,
    login: &Login,
    proved: Proved,
    answer: &Answered,
    terms: &Terms,
    now: Moment,
) -> Result<LoginOutcome, StoreError> {
    let request = login.request();
    let known = identities::find(connection, Person::of(login)).await?;
    let [by_openid, by_unionid] = [known.openid, known.unionid].map(|owned| owned.map(|owned| owned.owner.user));
    let policy = policies::of(connection, &request.pool, &request.connector, terms).await?;
    let (user, is_choice) = match crate::pending::end(proved, by_openid, by_unionid, &policy) {
        End::SignIn { user, is_choice } => (user, is_choice),
        End::Create => return logins::create_account(connection, login, now).await,
        End::Refuse(reason) => return logins::refuse(connection, login, reason, None, now).await,
    };
    let account = accounts::find(connection, user).await?.ok_or(StoreError::Unreadable("an identity of nobody"))?;
    if account.state != State::Active {
        return logins::refuse(connection, login, RefusalReason::UserDisabled, Some(user), now).await;
    }
    if is_choice {
        choices::set(connection, login, user, now).await?;
    }
    let done = match proved {
        Proved::Chosen(_) => Some((Action::AccountChosen, "choice")),
        Proved::Owned(_, ProofMethod::PhoneCode) => Some((Action::AccountBound, "phone_code")),
        Proved::Owned(_, ProofMethod::EmailCode) => Some((Action::AccountBound, "email_code")),
        Proved::Owned(_, ProofMethod::Password) => Some((Action::AccountBound, "password")),
        Proved::New => None,
    };
    if let Some((action, by)) = done {
        let person = By { actor: Actor::User(user), client_address: answer.client_address.clone() };
        let detail = json!({"by": by, "application": request.application, "connector": request.connector});
        audit::record(connection, &person.entry(&request.pool, action, Some(user), detail), now).await?;
    }
    logins::sign_in(connection, login, &known, account, now).await
}
