//! A value that must never be seen: it has no `Debug`, no `Display` and no `Serialize`, so it cannot reach a log,
//! a page, an error or a metric by accident.

/// An app secret, a bearer token or the like. Reading it is an explicit act: [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes custody of `value`.
    pub fn new(value: impl Into<Box<str>>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that has to send or use it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
