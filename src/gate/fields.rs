//! The fields that a request's body says.

use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::form::{Encoding, Fields};
use crate::http::BodyFailure;

/// Waits for the whole body and reads it.
pub(super) async fn read(calls: &Calls, encoding: Encoding) -> Result<Fields, Failure> {
    Fields::parse(encoding, &body(calls).await?).ok_or(LoginError::MalformedBody.into())
}

/// Waits for the whole body.
pub(super) async fn body(calls: &Calls) -> Result<Vec<u8>, Failure> {
    calls.body().await.map_err(|failure| match failure {
        BodyFailure::TooLarge => LoginError::BodyTooLarge.into(),
        BodyFailure::TooSlow => Failure::new(LoginError::BodyMissing, "the body was not complete in time"),
        BodyFailure::Missing => Failure::new(
            LoginError::BodyMissing,
            "no byte of the body came: does the plugin's configuration set allow_on_headers_stop_iteration?",
        ),
    })
}

/// A field that has to be there, of at most so many characters.
pub(super) fn required<'a>(fields: &'a Fields, name: &str, max_chars: usize) -> Result<&'a str, Failure> {
    let value = fields.get(name).unwrap_or_default();
    if value.is_empty() || value.chars().count() > max_chars {
        return Err(Failure::new(LoginError::MalformedBody, format!("`{name}` is missing or too long")));
    }
    Ok(value)
}
