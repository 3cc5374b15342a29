//! `POST /v1/logins`, and the question for the outcome of one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use resolver_api::{LoginOutcome, LoginRequest, Problem, RefusalReason};
use serde::Deserialize;
use tokio::time::Instant;

use super::extract::{JsonBody, PathId, QueryOf};
use super::problem::{BodyProblems, CommonProblems, Failure};
use crate::ids::IdempotencyKey;
use crate::login::Login;
use crate::state::AppState;
use crate::store::{Answer, LoginError, Store};

/// The longest wait for an outcome, in milliseconds.
const LONGEST_WAIT_MS: u64 = 1000;

/// How often a waiting request looks again. By looking, not by being told: another resolver may decide the login.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Decide a login
///
/// A second request with the same key gets the outcome of the first, for 10 minutes.
#[utoipa::path(
    post,
    path = "/v1/logins",
    tag = "logins",
    operation_id = "createLogin",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "What became of the login", body = LoginOutcome),
        (status = 409, description = "`/problems/idempotency-key-reused`: the key named another login", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn create<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<Json<LoginOutcome>, Failure> {
    let login = Login::parse(request).map_err(|problems| Failure::InvalidRequest(problems.join("; ")))?;
    let answer = state.store.login(&login, &state.terms(), state.clock.now()).await;
    report(&login, &answer);
    match answer {
        Ok(answer) => Ok(Json(answer.outcome)),
        Err(LoginError::KeyReused) => Err(Failure::KeyReused),
        Err(LoginError::Store(error)) => Err(error.into()),
    }
}

/// The one line of a login. What WeChat calls the person, and by which name, is nobody's business here.
fn report(login: &Login, answer: &Result<Answer, LoginError>) {
    let (outcome, user) = match answer {
        Ok(answer) => name(&answer.outcome),
        Err(LoginError::KeyReused) => ("key_reused", ""),
        Err(LoginError::Store(_)) => ("store_failed", ""),
    };
    let is_replay = answer.as_ref().is_ok_and(|answer| answer.is_replay);
    let request = login.request();
    tracing::info!(outcome, user, connector = request.connector, application = request.application, is_replay, "login");
}

/// An outcome's name in the log, and the user who was signed in.
pub(super) fn name(outcome: &LoginOutcome) -> (&'static str, &str) {
    match outcome {
        LoginOutcome::SignedIn { user, new_user, .. } => (if *new_user { "registered" } else { "signed_in" }, user.id.as_str()),
        LoginOutcome::ProfileRequired => ("profile_required", ""),
        LoginOutcome::ChooseAccount { .. } => ("choose_account", ""),
        LoginOutcome::BindAccount { .. } => ("bind_account", ""),
        LoginOutcome::Refused { reason } => match reason {
            RefusalReason::NoMatch => ("refused_no_match", ""),
            RefusalReason::IdentityTaken => ("refused_identity_taken", ""),
            RefusalReason::RegistrationClosed => ("refused_registration_closed", ""),
            RefusalReason::UserDisabled => ("refused_user_disabled", ""),
            RefusalReason::Policy => ("refused_policy", ""),
        },
    }
}

/// How long to wait.
#[derive(Deserialize)]
pub(super) struct Wait {
    wait_ms: Option<String>,
}

impl Wait {
    fn duration(&self) -> Result<Duration, Failure> {
        let Some(text) = &self.wait_ms else {
            return Ok(Duration::ZERO);
        };
        match text.parse() {
            Ok(millis @ 0..=LONGEST_WAIT_MS) => Ok(Duration::from_millis(millis)),
            _ => Err(Failure::InvalidRequest(format!("wait_ms in the query: expected a whole number from 0 to {LONGEST_WAIT_MS}"))),
        }
    }
}

/// Ask what became of a login
///
/// Waits for a login that is being decided.
#[utoipa::path(
    get,
    path = "/v1/logins/{idempotency_key}",
    tag = "logins",
    operation_id = "findLogin",
    params(
        ("idempotency_key" = String, Path, description = "The login's key", min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for the outcome, in milliseconds; 0 when absent", minimum = 0, maximum = 1000),
    ),
    responses(
        (status = 200, description = "What became of the login", body = LoginOutcome),
        (status = 400, description = "`/problems/invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`/problems/not-found`: no login had this key within the wait, or its outcome is no longer kept", body = Problem, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub(super) async fn find<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(key): PathId<IdempotencyKey>,
    QueryOf(wait): QueryOf<Wait>,
) -> Result<Json<LoginOutcome>, Failure> {
    let deadline = Instant::now() + wait.duration()?;
    loop {
        if let Some(outcome) = state.store.find_outcome(&key, state.clock.now()).await? {
            return Ok(Json(outcome));
        }
        if Instant::now() >= deadline {
            return Err(Failure::NotFound("no login has this key"));
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + LOOK_EVERY)).await;
    }
}
