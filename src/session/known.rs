//! Sessions that this worker has opened before, each with the identity headers that were signed for it: the reason
//! why nearly every request costs a look-up and a copy.
//!
//! Only a cache (any VM may vanish): what is not here is opened and signed again. Two generations keep it bounded
//! without bookkeeping per use: when the young one is full it becomes the old one, and what was old is forgotten.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::contents::Session;
use crate::identity::Assertion;

/// An opened token.
pub struct Known {
    /// The whole token: the key in the map is only a part of it.
    token: Box<[u8]>,
    /// What it holds.
    pub session: Session,
    /// Generation of the revocations for which it was found not to have ended; 0 for none yet.
    pub cleared_for: Cell<u64>,
    /// Signed identities, by application id. Sessions meet one or two applications.
    pub assertions: RefCell<Vec<(String, Rc<Assertion>)>>,
}

/// A generation holds so many; a session with its signed header is about 2 KiB.
const GENERATION: usize = 2048;

/// The part of a token that is looked up: `wxg1.`, the key id and the first 22 characters of its random nonce. Only
/// tokens that have opened are stored, so nobody can choose keys that collide.
const KEY_BYTES: usize = 34;
type Key = [u8; KEY_BYTES];

/// The cache.
#[derive(Default)]
pub struct KnownSessions {
    young: HashMap<Key, Rc<Known>>,
    old: HashMap<Key, Rc<Known>>,
}

impl KnownSessions {
    /// The session of a token that was opened before.
    pub fn find(&self, token: &[u8]) -> Option<&Rc<Known>> {
        let key = token.first_chunk::<KEY_BYTES>()?;
        self.young.get(key).or_else(|| self.old.get(key)).filter(|known| *known.token == *token)
    }

    /// Remembers an opened token.
    pub fn insert(&mut self, token: &[u8], session: Session) -> Rc<Known> {
        let known = Rc::new(Known { token: token.into(), session, cleared_for: Cell::new(0), assertions: RefCell::default() });
        if let Some(key) = token.first_chunk::<KEY_BYTES>() {
            if self.young.len() >= GENERATION {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(*key, known.clone());
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::contents::tests::session;

    fn token(n: usize) -> Vec<u8> {
        format!("wxg1.abcdef.{n:030}").into_bytes()
    }

    #[test]
    fn only_the_very_same_token_is_found() {
        let mut known = KnownSessions::default();
        known.insert(&token(1), session(0));
        assert!(known.find(&token(1)).is_some());
        assert!(known.find(&[&token(1)[..], b"x"].concat()).is_none());
        assert!(known.find(&token(1)[..40]).is_none());
        assert!(known.find(b"").is_none());
    }

    #[test]
    fn it_stays_bounded_and_keeps_the_newest() {
        let mut known = KnownSessions::default();
        for n in 0..10 * GENERATION {
            known.insert(&token(n), session(0));
        }
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION);
        assert!(known.find(&token(10 * GENERATION - 1)).is_some());
        assert!(known.find(&token(0)).is_none());
    }
}
