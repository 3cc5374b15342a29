//! What the fields of an account may hold. What is wrong is told by the field's name and what was expected, never by its value.

use std::fmt;

use argon2::Params;
use argon2::password_hash::PasswordHash;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::ids::UserId;
use crate::json::JsonProblem;

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// Which.
    pub field: String,
    /// What was expected of it.
    pub expected: String,
    /// The user who has that value already, where that is what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

impl FieldProblem {
    /// A field that is wrong, and what was expected.
    pub fn new(field: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { field: field.into(), expected: expected.into(), user_id: None }
    }

    /// A field whose value is somebody's already.
    pub fn taken(field: impl Into<String>, by: UserId) -> Self {
        Self { user_id: Some(by.to_string()), ..Self::new(field, "one that nobody else in the pool has") }
    }

    /// What is wrong with a JSON text.
    pub(crate) fn of_json(problem: JsonProblem) -> Self {
        let JsonProblem { place, message } = problem;
        match message.split_once("; expected ") {
            Some((_, expected)) => Self::new(place, expected),
            None if message.starts_with("missing") => Self::new(place, format!("no {message}")),
            None if message.starts_with("is not valid") => Self::new(place, "valid JSON"),
            None => Self::new(place, "another value"),
        }
    }
}

/// The fields of one request or row that are wrong.
#[derive(Debug, Default)]
pub struct Problems(Vec<FieldProblem>);

impl Problems {
    /// Notes a field that is wrong.
    pub fn add(&mut self, field: impl Into<String>, expected: impl Into<String>) {
        self.0.push(FieldProblem::new(field, expected));
    }

    /// Reads a field, or notes what was expected of it.
    pub fn read<T>(&mut self, field: &str, value: &str, kind: Kind<T>) -> Option<T> {
        let read = (kind.read)(value);
        if read.is_none() {
            self.add(field, kind.expected);
        }
        read
    }

    /// Reads a field that may be absent.
    pub fn read_if_there<T>(&mut self, field: &str, value: Option<&str>, kind: Kind<T>) -> Option<T> {
        value.and_then(|value| self.read(field, value, kind))
    }

    /// `value`, if nothing was wrong.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Vec<FieldProblem>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.0),
        }
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: expected {}", self.field, self.expected)
    }
}

/// What a field may hold.
#[derive(Clone, Copy)]
pub struct Kind<T> {
    read: fn(&str) -> Option<T>,
    expected: &'static str,
}

/// A name of something in a configuration: a pool, a connector, a platform, an app.
pub const LABEL: Kind<String> =
    Kind { read: |text| is_plain(text, 64).then(|| text.to_owned()), expected: "1 to 64 characters, none of them a control character" };

/// An openid or a unionid: opaque, so all but its length is WeChat's business.
pub const WECHAT_ID: Kind<String> =
    Kind { read: |text| (1..=64).contains(&text.chars().count()).then(|| text.to_owned()), expected: "1 to 64 characters" };

/// A name for display.
pub const NAME: Kind<String> =
    Kind { read: |text| is_plain(text, 256).then(|| text.to_owned()), expected: "1 to 256 characters, none of them a control character" };

/// The operator's own name for an account.
pub const EXTERNAL_ID: Kind<String> =
    Kind { read: |text| is_plain(text, 128).then(|| text.to_owned()), expected: "1 to 128 characters, none of them a control character" };

/// A name to log in with. It can be mistaken neither for an e-mail address nor for a phone number, which also name an
/// account: nobody may be given the name of somebody else's address.
pub const USERNAME: Kind<String> = Kind {
    read: |text| {
        let is_allowed = |character: char| character.is_alphanumeric() || "._-".contains(character);
        let is_username = is_plain(text, 64) && text.chars().all(is_allowed) && text.chars().any(char::is_alphabetic);
        is_username.then(|| text.to_owned())
    },
    expected: "1 to 64 letters, digits, dots, hyphens and underscores, at least one of them a letter",
};

/// A phone number, in E.164 once read.
pub const PHONE_NUMBER: Kind<String> = Kind {
    read: |text| Address::phone(text).map(|address| address.as_str().to_owned()),
    expected: "a phone number in E.164, such as +8613800138000, or one of mainland China",
};

/// An e-mail address, in lower case once read.
pub const EMAIL: Kind<String> =
    Kind { read: |text| Address::email(text).map(|address| address.as_str().to_owned()), expected: "an e-mail address in ASCII" };

/// The hash of a password. Its parameters are bounded, because whoever tries a password makes the resolver go through them.
pub const PASSWORD_HASH: Kind<String> = Kind {
    read: |text| is_password_hash(text).then(|| text.to_owned()),
    expected: "an Argon2id hash in PHC form, with m up to 262144, t up to 10 and p up to 8",
};

fn is_password_hash(text: &str) -> bool {
    let Ok(hash) = PasswordHash::new(text) else {
        return false;
    };
    let Ok(parameters) = Params::try_from(&hash) else {
        return false;
    };
    hash.algorithm == argon2::ARGON2ID_IDENT
        && text.len() <= 512
        && hash.salt.is_some()
        && hash.hash.is_some_and(|hash| hash.len() >= 16)
        && parameters.m_cost() <= 262_144
        && parameters.t_cost() <= 10
        && parameters.p_cost() <= 8
}

/// Whether a text has 1 to `longest` characters and no control characters: NUL is no text to PostgreSQL, and the others forge
/// lines wherever the text is shown.
fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T>(kind: Kind<T>, text: &str) -> bool {
        (kind.read)(text).is_some()
    }

    #[test]
    fn a_name_may_be_anything_that_shows_on_one_line() {
        for name in ["小明😀", "'; DROP TABLE users; --", "\u{10ffff}", &"😀".repeat(256)] {
            assert!(accepts(NAME, name), "{name}");
        }
        for name in ["", "a\0", "a\nb", "\u{1b}[31m", &"😀".repeat(257)] {
            assert!(!accepts(NAME, name), "{name:?}");
        }
    }

    #[test]
    fn a_username_is_nobodys_address() {
        for username in ["xiaoming", "小明.1", "a-1_b"] {
            assert!(accepts(USERNAME, username), "{username}");
        }
        for username in ["", "me@example.com", "13800138000", "+8613800138000", "a b", "\u{200b}a", "a\0"] {
            assert!(!accepts(USERNAME, username), "{username:?}");
        }
    }

    #[test]
    fn only_argon2id_of_bounded_cost_is_a_password_hash() {
        let hash =
            |parameters: &str| format!("$argon2id$v=19${parameters}$c29tZXNhbHRzb21lc2FsdA$WL5NOjuxsLZtTdKxuKK4tGmmMHmJtLhIHXYtdKFGRIo");
        assert!(accepts(PASSWORD_HASH, &hash("m=19456,t=2,p=1")));
        for wrong in [
            String::new(),
            "correct horse".into(),
            "$2b$12$abcdefghijklmnopqrstuv".into(),
            hash("m=19456,t=2,p=1").replace("argon2id", "argon2i"),
            hash("m=4194304,t=2,p=1"),
            hash("m=19456,t=1000000,p=1"),
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA".into(),
        ] {
            assert!(!accepts(PASSWORD_HASH, &wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_value() {
        let mut problems = Problems::default();
        problems.read("pool", "CANARY\0", LABEL);
        problems.read_if_there("name", None, NAME);
        let problems = problems.or(Some(())).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].to_string(), "pool: expected 1 to 64 characters, none of them a control character");
    }
}
