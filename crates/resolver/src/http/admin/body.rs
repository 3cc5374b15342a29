//! Parameters that several routes take.

use crate::admin::fields::{Kind, LABEL, Problems};
use crate::http::problem::Failure;

/// A parameter of the query that has to be there.
pub(super) fn required(name: &str, value: Option<&str>) -> Result<String, Failure> {
    let mut problems = Problems::default();
    let read = problems.read(&format!("{name} in the query"), value.unwrap_or_default(), LABEL);
    Ok(problems.or(read)?)
}

/// A parameter of the query that may be absent, or empty.
pub(super) fn optional<T>(name: &str, value: Option<&str>, kind: Kind<T>) -> Result<Option<T>, Failure> {
    let mut problems = Problems::default();
    let read = problems.read_if_there(&format!("{name} in the query"), value.filter(|value| !value.is_empty()), kind);
    Ok(problems.or(Some(read))?)
}

/// A parameter of the query that says yes or no.
pub(super) fn flag(name: &str, value: Option<&str>) -> Result<bool, Failure> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Failure::InvalidRequest(format!("{name} in the query: expected true or false"))),
    }
}
