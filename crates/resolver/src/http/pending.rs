//! A login that waits for its person: what it asks, codes for it, and the answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use resolver_api::{FinishAnswer, FinishLogin, PendingLogin, Problem, Proof, ProofMethod, Question, SendCode, SendCodeAnswer};

use super::extract::{InPath, JsonBody, PathId, check_client_address};
use super::logins;
use super::problem::{BodyProblems, CommonProblems, Failure};
use crate::address::Address;
use crate::delivery::{Language, Message, Secret};
use crate::ids;
use crate::password;
use crate::pending::{CODE_LIFETIME, PendingToken};
use crate::state::AppState;
use crate::store::{Answered, Checked, CodeRequest, FinishError, Store, StoreError, StoredPassword, Waiting};

const OVER: Failure = Failure::NotFound("the pending login is over, or never was");

impl InPath for PendingToken {
    fn parse(text: &str) -> Result<Self, Failure> {
        // A text that is no token is the token of nothing.
        Self::parse(text).ok_or(OVER)
    }
}

/// Ask what a pending login asks
///
/// It is over after 10 minutes, after five wrong answers, and once it was finished.
#[utoipa::path(
    get,
    path = "/v1/pending-logins/{pending}",
    tag = "pending logins",
    operation_id = "findPendingLogin",
    params(("pending" = String, Path, description = "The `pending` of the login's outcome")),
    responses(
        (status = 200, description = "What it asks", body = PendingLogin),
        (status = 404, description = "`/problems/not-found`: it is over", body = Problem, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub(super) async fn find<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(token): PathId<PendingToken>,
) -> Result<Json<PendingLogin>, Failure> {
    let Waiting { pending, candidates } = state.store.find_pending(&token, state.clock.now()).await?.ok_or(OVER)?;
    let mut asked = pending.to_question(candidates);
    if let Question::Bind { methods, .. } = &mut asked.question {
        // It may have been asked by another resolver, or by this one before it was started anew, where more works or less.
        methods.retain(|method| state.delivery.offers(*method));
    }
    Ok(Json(asked))
}

/// Ask for a code
///
/// The answer, and the time that it takes, are the same for an address that somebody has and for one that nobody has. One minute lies between two codes;
/// a pending login sends at most five, and an address gets at most ten an hour.
#[utoipa::path(
    post,
    path = "/v1/pending-logins/{pending}/code",
    tag = "pending logins",
    operation_id = "sendCode",
    params(("pending" = String, Path, description = "The `pending` of the login's outcome")),
    request_body = SendCode,
    responses(
        (status = 200, description = "What became of it", body = SendCodeAnswer),
        (status = 404, description = "`/problems/not-found`: it is over", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn send_code<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(token): PathId<PendingToken>,
    JsonBody(request): JsonBody<SendCode>,
) -> Result<Json<SendCodeAnswer>, Failure> {
    check_client_address(request.client_address.as_deref())?;
    let now = state.clock.now();
    let Waiting { pending, .. } = state.store.find_pending(&token, now).await?.ok_or(OVER)?;
    let login = &pending.login;
    let answer = |name: &'static str, answer| {
        tracing::info!(answer = name, method = ?request.method, connector = login.connector, application = login.application, "code asked for");
        Ok(Json(answer))
    };
    let is_offered = pending.check_send(request.method, now) != Err(SendCodeAnswer::NotOffered);
    if !is_offered || !state.delivery.offers(request.method) {
        return answer("not_offered", SendCodeAnswer::NotOffered);
    }
    let Some(address) = Address::parse(request.method, &request.address) else {
        return answer("invalid_address", SendCodeAnswer::InvalidAddress);
    };
    let code = ids::random_code().map_err(StoreError::from)?;
    let code_request = CodeRequest {
        method: request.method,
        address: address.clone(),
        digest: token.digest_of_code(&code),
        client_address: request.client_address.clone(),
    };
    let requested = state.store.request_code(&token, &code_request, now).await?.ok_or(OVER)?;
    if let SendCodeAnswer::Sent { .. } = requested.answer {
        let message = Message {
            to: address,
            code: Secret(code),
            language: Language::of_tag(&request.language),
            application: login.application.clone(),
            expires_in: CODE_LIFETIME.as_secs(),
            asked_at: now,
        };
        // Also without a message: what happens here must not tell.
        state.delivery.send(Some(message).filter(|_| requested.is_to_be_sent));
    }
    let name = match requested.answer {
        SendCodeAnswer::Sent { .. } => "sent",
        SendCodeAnswer::TooSoon { .. } => "too_soon",
        SendCodeAnswer::TooMany => "too_many",
        SendCodeAnswer::InvalidAddress => "invalid_address",
        SendCodeAnswer::NotOffered => "not_offered",
    };
    answer(name, requested.answer)
}

/// Answer a pending login
///
/// A right answer ends it; the same answer again gets the same outcome for 10 minutes, and so does the login's idempotency key.
/// Five wrong answers end it, too.
#[utoipa::path(
    post,
    path = "/v1/pending-logins/{pending}/finish",
    tag = "pending logins",
    operation_id = "finishLogin",
    params(("pending" = String, Path, description = "The `pending` of the login's outcome")),
    request_body = FinishLogin,
    responses(
        (status = 200, description = "What became of it", body = FinishAnswer),
        (status = 404, description = "`/problems/not-found`: it is over", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`/problems/finished-otherwise`: another answer has ended it", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn finish<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(token): PathId<PendingToken>,
    JsonBody(FinishLogin { proof, client_address }): JsonBody<FinishLogin>,
) -> Result<Json<FinishAnswer>, Failure> {
    check_client_address(client_address.as_deref())?;
    let now = state.clock.now();
    let waiting = state.store.find_pending(&token, now).await?;
    let action = format!("{proof:?}");
    let digest = token.digest_of_proof(&proof);
    let proof = match proof {
        Proof::Choose { account } => Checked::Choose(account),
        Proof::Create => Checked::Create,
        // People paste codes with spaces in them.
        Proof::Code { code } => Checked::Code(token.digest_of_code(&code.split_whitespace().collect::<String>())),
        Proof::Password { account, password } => Checked::Password(check_password(&state, waiting.as_ref(), &account, &password).await?),
    };
    let answer = Answered { proof, digest, client_address };
    let finished = state.store.finish_pending(&token, &answer, &state.terms(), now).await;
    report(waiting.as_ref(), &action, &finished);
    match finished {
        Ok(answer) => Ok(Json(answer)),
        Err(FinishError::Over) => Err(OVER),
        Err(FinishError::FinishedOtherwise) => Err(Failure::FinishedOtherwise),
        Err(FinishError::Store(error)) => Err(error.into()),
    }
}

/// The account whose password it is. Outside of any transaction, for it takes long; the hash is compared again within.
async fn check_password<S: Store>(
    state: &AppState<S>,
    waiting: Option<&Waiting>,
    account: &str,
    password: &str,
) -> Result<Option<StoredPassword>, Failure> {
    for (field, value, longest) in [("proof.account", account, 254), ("proof.password", password, password::LONGEST)] {
        if value.chars().count() > longest {
            return Err(Failure::InvalidRequest(format!("{field}: is too long; expected at most {longest} characters")));
        }
    }
    // One that is over, or does not ask for a password, costs no hashing; the store answers it.
    let Some(Waiting { pending, .. }) = waiting.filter(|waiting| waiting.pending.offers(ProofMethod::Password)) else {
        return Ok(None);
    };
    let stored = state.store.find_password(&pending.login.pool, account).await?;
    let hash = stored.as_ref().map(|stored| stored.hash.0.clone());
    let is_right = state.passwords.verify(password, hash).await.map_err(|error| {
        tracing::error!(%error, "a password was not verified");
        Failure::Internal
    })?;
    Ok(stored.filter(|_| is_right))
}

/// The one line of an answer. Of a replay it does not know where it came from.
fn report(waiting: Option<&Waiting>, action: &str, finished: &Result<FinishAnswer, FinishError>) {
    let (answer, user) = match finished {
        Ok(FinishAnswer::Finished { outcome }) => logins::name(outcome),
        Ok(FinishAnswer::Wrong { .. }) => ("wrong", ""),
        Ok(FinishAnswer::NotOffered) => ("not_offered", ""),
        Err(FinishError::Over) => ("over", ""),
        Err(FinishError::FinishedOtherwise) => ("finished_otherwise", ""),
        Err(FinishError::Store(_)) => ("store_failed", ""),
    };
    let login = waiting.map(|waiting| &waiting.pending.login);
    let (connector, application) = login.map(|login| (login.connector.as_str(), login.application.as_str())).unwrap_or_default();
    tracing::info!(answer, action, user, connector, application, "pending login answered");
}
