//! The bearer tokens that callers of the API must hold.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The shortest token that is accepted, in characters.
pub const SHORTEST_TOKEN: usize = 32;

/// Fewer different characters than this are no random token.
const FEWEST_DIFFERENT_CHARACTERS: usize = 8;

/// Words of tokens that were copied from a manual.
const WORDS_OF_EXAMPLES: [&str; 7] = ["example", "changeme", "change-me", "change_me", "placeholder", "replace-me", "your-token"];

/// The accepted tokens. Only their hashes are kept, so they cannot be printed.
pub struct Tokens {
    hashes: Vec<[u8; 32]>,
}

/// Why the tokens cannot be used. Never holds a token.
#[derive(Debug, PartialEq, Eq)]
pub enum TokenError {
    /// No token was given: nobody could call.
    None,
    /// The token at this place (counted from 1) can be guessed.
    Short(usize),
    /// The token at this place (counted from 1) holds spaces or characters that no header carries.
    Unsendable(usize),
    /// The token at this place (counted from 1) comes from a manual, or hardly varies.
    Example(usize),
}

impl Tokens {
    /// Takes every token of `tokens`; several are accepted at once so that callers can be moved from one to the next.
    pub fn new<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Result<Self, TokenError> {
        let hashes: Vec<_> =
            tokens.into_iter().enumerate().map(|(index, token)| accept(token.as_ref(), index + 1)).collect::<Result<_, _>>()?;
        if hashes.is_empty() {
            return Err(TokenError::None);
        }
        Ok(Self { hashes })
    }

    /// Whether `token` is one of them. The time it takes tells nothing about them.
    pub fn accept(&self, token: &[u8]) -> bool {
        let hash = hash(token);
        self.holds(&hash)
    }

    /// Whether one of them has this hash.
    pub(crate) fn holds(&self, hash: &[u8; 32]) -> bool {
        let is_known = self.hashes.iter().fold(Choice::from(0), |known, each| known | each.ct_eq(hash));
        is_known.into()
    }
}

/// The hash of the token at this place, if it is good enough.
pub(crate) fn accept(token: &str, place: usize) -> Result<[u8; 32], TokenError> {
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Unsendable(place));
    }
    if token.len() < SHORTEST_TOKEN {
        return Err(TokenError::Short(place));
    }
    let lower_case = token.to_ascii_lowercase();
    let different: std::collections::HashSet<u8> = token.bytes().collect();
    if different.len() < FEWEST_DIFFERENT_CHARACTERS || WORDS_OF_EXAMPLES.iter().any(|word| lower_case.contains(word)) {
        return Err(TokenError::Example(place));
    }
    Ok(hash(token.as_bytes()))
}

pub(crate) fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tokens({})", self.hashes.len())
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(out, "there is no token, so nobody could call"),
            Self::Short(place) => {
                write!(out, "token {place} is shorter than {SHORTEST_TOKEN} characters; make one with `openssl rand -hex 32`")
            }
            Self::Unsendable(place) => write!(out, "token {place} holds a space, or a character that is not visible ASCII"),
            Self::Example(place) => {
                write!(out, "token {place} looks like an example, or hardly varies; make one with `openssl rand -hex 32`")
            }
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "a3f1c87e5b0d49268e7f1a2b3c4d5e6f";
    const NEW: &str = "0c9b8a7f6e5d4c3b2a190817263544f3";

    #[test]
    fn while_tokens_are_rotated_the_old_and_the_new_one_are_both_accepted() {
        let tokens = Tokens::new([OLD, NEW]).unwrap();
        assert!(tokens.accept(OLD.as_bytes()));
        assert!(tokens.accept(NEW.as_bytes()));
        assert!(!tokens.accept(b""));
        assert!(!tokens.accept(&OLD.as_bytes()[..31]));
        assert!(!tokens.accept(format!("{OLD}{NEW}").as_bytes()));
    }

    #[test]
    fn tokens_that_somebody_could_guess_are_refused() {
        assert_eq!(Tokens::new([""; 0]).unwrap_err(), TokenError::None);
        assert_eq!(Tokens::new([""]).unwrap_err(), TokenError::Short(1));
        assert_eq!(Tokens::new([OLD, &NEW[1..]]).unwrap_err(), TokenError::Short(2));
        assert_eq!(Tokens::new(["a b c d e f g h i j k l m n o p q r s t"]).unwrap_err(), TokenError::Unsendable(1));
        assert_eq!(Tokens::new([&*"ab".repeat(32)]).unwrap_err(), TokenError::Example(1));
        assert_eq!(Tokens::new(["Example-token-0123456789-0123456789"]).unwrap_err(), TokenError::Example(1));
    }

    #[test]
    fn tokens_cannot_be_printed() {
        assert_eq!(format!("{:?}", Tokens::new([OLD, NEW]).unwrap()), "Tokens(2)");
    }
}
