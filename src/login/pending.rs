//! A login that waits for its person's answer at the resolver, and the sealed token that says whose it is: a cookie of
//! the browser that logged in, or what a native app was given. Who knows the page's address has nothing.
//!
//! A browser has one at a time. A later login takes the place of an earlier one, and a page of the earlier one that is
//! still open in another tab is noticed by its [`Pending::handle`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::return_to::ReturnTo;
use super::sealed_fields::{self, text, time};
use crate::config::{Application, Connector};
use crate::http::{Entropy, Headers};
use crate::session::{KeyRing, Purpose, cookie};

/// Long rubbish is turned away before any work is done on it: browsers keep no longer cookies.
const MAX_TOKEN_BYTES: usize = 4096;

/// What the sealed token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The resolver's name for it.
    pub token: String,
    /// Good only at this application ...
    application: String,
    /// ... that still enables this connector.
    pub connector: String,
    /// Where the visitor was going.
    return_to: String,
    /// When it is over.
    pub expires_at: u64,
}

impl Pending {
    /// A login that waits. `None` where the resolver's name for it is not what the agreement says.
    pub fn new(application: &Application, connector: &Connector, return_to: &ReturnTo, token: String, expires_at: u64) -> Option<Self> {
        let is_name = (22..=64).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let (application, connector) = (application.id.clone(), connector.id.clone());
        is_name.then(|| Self { token, application, connector, return_to: return_to.as_str().into(), expires_at })
    }

    /// The one that this browser's cookie tells of; `Some(None)` for a cookie that is over, or none of ours.
    pub fn of_browser(headers: &Headers, keys: &KeyRing, application: &Application, now: u64) -> Option<Option<Self>> {
        let is_there = cookie::cookies(headers).any(|(name, _)| name == cookie::PENDING.as_bytes());
        is_there.then(|| Self::open(keys, cookie::only(headers, cookie::PENDING)?, application, now))
    }

    /// Reads a sealed token; `None` for whatever is not one of ours, for this application, and still going on.
    pub fn open(keys: &KeyRing, token: &[u8], application: &Application, now: u64) -> Option<Self> {
        let fields = sealed_fields::opened(keys, Purpose::Pending, token, MAX_TOKEN_BYTES)?;
        let pending = Self {
            token: text(&fields, "k")?,
            application: text(&fields, "p")?,
            connector: text(&fields, "c")?,
            return_to: text(&fields, "r")?,
            expires_at: time(&fields, "e")?,
        };
        (pending.application == application.id && now < pending.expires_at).then_some(pending)
    }

    /// The sealed token. `None` only for a ring without keys.
    pub fn seal(&self, keys: &KeyRing, entropy: &mut Entropy) -> Option<String> {
        self.seal_as(Purpose::Pending, keys, entropy)
    }

    fn seal_as(&self, purpose: Purpose, keys: &KeyRing, entropy: &mut Entropy) -> Option<String> {
        let texts = [("k", self.token.as_str()), ("r", &self.return_to), ("e", &self.expires_at.to_string())];
        sealed_fields::seal(keys, purpose, entropy.bytes(), (&self.application, &self.connector), &texts)
    }

    /// Where the visitor was going.
    pub fn return_to(&self, path_prefix: &str) -> ReturnTo {
        ReturnTo::parse(self.return_to.as_bytes(), path_prefix)
    }

    /// Tells this one from others in the addresses of our own forms. It proves nothing.
    pub fn handle(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.token)).chars().take(8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::tests::{application, website};
    use crate::session::test_key;

    fn keys() -> KeyRing {
        KeyRing::new("i", vec![test_key(1)])
    }

    fn pending() -> Pending {
        let return_to = ReturnTo::parse(b"/cart", "/wxgate");
        Pending::new(&application(), &website().1, &return_to, "q2nqv0hYdVOkdlkY0m2m3g".into(), 600).unwrap()
    }

    fn browser(cookie: &str) -> Headers {
        Headers::from_pairs([("cookie", cookie.as_bytes())])
    }

    #[test]
    fn the_browser_that_logged_in_has_it_until_it_is_over() {
        let sealed = pending().seal(&keys(), &mut Entropy::new([1; 32])).unwrap();
        let found = |cookie: &str, now| Pending::of_browser(&browser(cookie), &keys(), &application(), now);
        let cookie = format!("__Host-wxgate_pending={sealed}");
        assert_eq!(found(&cookie, 599), Some(Some(pending())));
        assert_eq!(found(&cookie, 600), Some(None), "over");
        assert_eq!(found(&format!("{cookie}; {cookie}"), 0), Some(None), "two of one name");
        assert_eq!(found(&format!("{cookie}x"), 0), Some(None));
        assert_eq!(found("a=b", 0), None);
        let other = Application { id: "other".into(), ..application() };
        assert_eq!(Pending::of_browser(&browser(&cookie), &keys(), &other, 0), Some(None));
        assert_eq!(pending().return_to("/wxgate").as_str(), "/cart");
    }

    #[test]
    fn a_token_of_another_kind_is_none() {
        let sealed = |purpose| pending().seal_as(purpose, &keys(), &mut Entropy::new([1; 32])).unwrap();
        let opened = |token: String| Pending::open(&keys(), token.as_bytes(), &application(), 0);
        assert_eq!(opened(sealed(Purpose::Pending)), Some(pending()));
        assert_eq!((opened(sealed(Purpose::Attempt)), opened(sealed(Purpose::Session))), (None, None));
        assert_eq!(opened("a".repeat(MAX_TOKEN_BYTES + 1)), None);
    }

    #[test]
    fn the_resolver_s_name_for_it_is_what_was_agreed() {
        let made = |token: &str| Pending::new(&application(), &website().1, &ReturnTo::front_page(), token.into(), 1).is_some();
        assert!(made(&"a".repeat(22)) && made(&"_-".repeat(32)));
        for odd in [String::new(), "a".repeat(21), "a".repeat(65), format!("{}/", "a".repeat(30)), "é".repeat(20)] {
            assert!(!made(&odd), "{odd}");
        }
        let other = Pending { token: "b".repeat(22), ..pending() };
        assert_ne!(pending().handle(), other.handle());
        assert_eq!(pending().handle().len(), 8);
    }
}
