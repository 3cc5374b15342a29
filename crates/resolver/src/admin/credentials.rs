//! Who may administer: names, each with a token of its own, so that the audit log can say who it was.

use std::fmt;

use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::tokens::{self, TokenError, Tokens};

/// What an administrator's name may look like, for people.
const NAME_EXPECTED: &str = "1 to 64 letters, digits, dots, hyphens, underscores or @";

/// The administrators. Only the hashes of their tokens are kept, so they cannot be printed.
#[derive(Default)]
pub struct Admins {
    admins: Vec<Admin>,
}

struct Admin {
    name: String,
    hash: [u8; 32],
}

/// Why the administrators' tokens cannot be used. Never holds a token.
#[derive(Debug, PartialEq, Eq)]
pub enum AdminsError {
    /// The entry at this place (counted from 1) is not `NAME:TOKEN`.
    Form(usize),
    /// The token is not good enough.
    Token(TokenError),
    /// The token at this place is another administrator's, too: nobody could tell who it was.
    Shared(usize),
    /// The token at this place is the filters', too.
    Filters(usize),
}

impl Admins {
    /// Takes every `NAME:TOKEN` of `entries`; none at all switches the admin API off. A name may come several times, so that its
    /// token can be changed without a pause. `filters` are the tokens that do not administer.
    pub fn new<T: AsRef<str>>(entries: impl IntoIterator<Item = T>, filters: &Tokens) -> Result<Self, AdminsError> {
        let mut admins: Vec<Admin> = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let place = index + 1;
            let (name, token) = entry.as_ref().split_once(':').ok_or(AdminsError::Form(place))?;
            if !is_name(name) {
                return Err(AdminsError::Form(place));
            }
            let hash = tokens::accept(token, place).map_err(AdminsError::Token)?;
            if admins.iter().any(|admin| admin.hash == hash && admin.name != name) {
                return Err(AdminsError::Shared(place));
            }
            if filters.holds(&hash) {
                return Err(AdminsError::Filters(place));
            }
            admins.push(Admin { name: name.to_owned(), hash });
        }
        Ok(Self { admins })
    }

    /// Whether there is anybody at all.
    pub fn is_empty(&self) -> bool {
        self.admins.is_empty()
    }

    /// The name of whoever holds this token. The time it takes tells nothing about the tokens.
    pub fn find(&self, token: &[u8]) -> Option<&str> {
        let hash = tokens::hash(token);
        let found =
            (1_u64..).zip(&self.admins).fold(0, |found, (place, admin)| u64::conditional_select(&found, &place, admin.hash.ct_eq(&hash)));
        let index = usize::try_from(found).ok()?.checked_sub(1)?;
        self.admins.get(index).map(|admin| &*admin.name)
    }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

impl fmt::Debug for Admins {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.admins.iter().map(|admin| &admin.name)).finish()
    }
}

impl fmt::Display for AdminsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(place) => write!(out, "entry {place} is not NAME:TOKEN; expected a name of {NAME_EXPECTED}"),
            Self::Token(error) => error.fmt(out),
            Self::Shared(place) => write!(out, "token {place} is another administrator's; expected one each"),
            Self::Filters(place) => write!(out, "token {place} is one of the filters'; expected another, for a filter may not administer"),
        }
    }
}

impl std::error::Error for AdminsError {}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTER: &str = "a3f1c87e5b0d49268e7f1a2b3c4d5e6f";
    const ALICE: &str = "0c9b8a7f6e5d4c3b2a190817263544f3";
    const BOB: &str = "4f1d5b7a9c3e20866e8f0a1b2c3d4e5f";

    fn admins<const N: usize>(entries: [String; N]) -> Result<Admins, AdminsError> {
        Admins::new(entries, &Tokens::new([FILTER]).unwrap())
    }

    #[test]
    fn a_token_tells_who_it_is() {
        let admins = admins([format!("alice:{ALICE}"), format!("bob@example.com:{BOB}"), format!("alice:{BOB}x")]).unwrap();
        assert_eq!(admins.find(ALICE.as_bytes()), Some("alice"));
        assert_eq!(admins.find(BOB.as_bytes()), Some("bob@example.com"));
        assert_eq!(admins.find(format!("{BOB}x").as_bytes()), Some("alice"), "while a token is changed, both are good");
        for stranger in ["", FILTER, &ALICE[1..], "alice"] {
            assert_eq!(admins.find(stranger.as_bytes()), None);
        }
        assert_eq!(format!("{admins:?}"), r#"["alice", "bob@example.com", "alice"]"#);
    }

    #[test]
    fn without_administrators_nobody_is_one() {
        let nobody = admins([]).unwrap();
        assert!(nobody.is_empty());
        assert_eq!(nobody.find(b""), None);
    }

    #[test]
    fn entries_that_would_blur_who_did_what_are_refused() {
        let refused = |entry: String| admins([format!("alice:{ALICE}"), entry]).unwrap_err();
        assert_eq!(refused(BOB.into()), AdminsError::Form(2));
        assert_eq!(refused(format!(":{BOB}")), AdminsError::Form(2));
        assert_eq!(refused(format!("bob\n:{BOB}")), AdminsError::Form(2));
        assert_eq!(refused("bob:short".into()), AdminsError::Token(TokenError::Short(2)));
        assert_eq!(refused(format!("bob:{ALICE}")), AdminsError::Shared(2));
        assert_eq!(refused(format!("bob:{FILTER}")), AdminsError::Filters(2));
    }
}
