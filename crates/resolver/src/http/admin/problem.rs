//! What the store says to an administrator's wish, as a [`Failure`].

use resolver_api::Problem;

use crate::admin::fields::FieldProblem;
use crate::http::problem::{Conflict, Failure};
use crate::password::PasswordError;
use crate::store::{AdminError, StoreError};

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NoSuchUser => Self::NotFound("no such user"),
            AdminError::NoSuchIdentity => Self::NotFound("the user has no such identity"),
            AdminError::Field(problem) => Self::InvalidRequest(problem.to_string()),
            AdminError::Taken(problem) => Self::Conflict(Conflict::Taken(problem)),
            AdminError::LastWayIn => Self::Conflict(Conflict::LastWayIn),
            AdminError::State(state) => Self::Conflict(Conflict::State(state)),
            AdminError::NotTogether => Self::Conflict(Conflict::NotTogether),
            AdminError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Vec<FieldProblem>> for Failure {
    fn from(problems: Vec<FieldProblem>) -> Self {
        let problems: Vec<_> = problems.iter().map(FieldProblem::to_string).collect();
        Self::InvalidRequest(problems.join("; "))
    }
}

impl From<FieldProblem> for Failure {
    fn from(problem: FieldProblem) -> Self {
        vec![problem].into()
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Entropy(error) => Self::Store(StoreError::Entropy(error)),
            PasswordError::Hash => Self::Internal,
        }
    }
}

/// The problems that every route of the admin API may answer, for the OpenAPI document.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it describes answers, and is none")]
pub(super) enum AdminProblems {
    /// `/problems/invalid-request`
    #[response(status = 400, content_type = "application/problem+json")]
    InvalidRequest(Problem),
    /// `/problems/unauthorized`
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// `/problems/not-found`, or `/problems/admin-not-enabled`
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// `/problems/taken` with the `user_id` of whoever has it, `/problems/last-way-in`, `/problems/wrong-state` or `/problems/not-together`
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// `/problems/overloaded`, `/problems/timed-out` or `/problems/store-unavailable`; see `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}
