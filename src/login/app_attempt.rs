//! A login that a native app has begun and not ended: its `state`, sealed. WeChat's SDK hands it through unread, and the app
//! brings it back with the code and the verifier, which never left the app. So a code that was stolen, or planted, logs
//! nobody in, and nothing is kept here.

use super::attempt::{LIFETIME, NoAttempt, base62};
use super::challenge::Challenge;
use super::sealed_fields::{self, text, time};
use crate::config::{Application, Connector};
use crate::http::Entropy;
use crate::session::{KeyRing, Purpose};

/// WeChat's SDK hands no longer `state` through.
const MAX_STATE_BYTES: usize = 1024;

/// What the `state` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppAttempt {
    /// Goes into the login's idempotency key.
    pub nonce: String,
    /// Only who knows the verifier ends it.
    pub challenge: Challenge,
    /// Good only at this application ...
    application: String,
    /// ... and for this connector.
    connector: String,
    /// When it began.
    started_at: u64,
}

impl AppAttempt {
    /// Begins a login.
    pub fn begin(application: &Application, connector: &Connector, challenge: Challenge, now: u64, entropy: &mut Entropy) -> Self {
        let (application, connector) = (application.id.clone(), connector.id.clone());
        Self { nonce: base62(22, entropy), challenge, application, connector, started_at: now }
    }

    /// When it is over.
    pub fn expires_at(&self) -> u64 {
        self.started_at.saturating_add(LIFETIME)
    }

    /// The `state`. `None` only for a ring without keys, or where it would be too long for WeChat's SDK.
    pub fn seal(&self, keys: &KeyRing, entropy: &mut Entropy) -> Option<String> {
        let texts = &[("n", self.nonce.as_str()), ("h", self.challenge.as_str()), ("t", &self.started_at.to_string())];
        let place = (self.application.as_str(), self.connector.as_str());
        let state = sealed_fields::seal(keys, Purpose::AppAttempt, entropy.bytes(), place, texts)?;
        (state.len() <= MAX_STATE_BYTES).then_some(state)
    }

    /// The attempt of a `state`.
    ///
    /// # Errors
    /// [`NoAttempt`]: nothing has been sent to anybody then.
    pub fn open(keys: &KeyRing, state: &str, application: &Application, connector: &Connector, now: u64) -> Result<Self, NoAttempt> {
        let read = || {
            let fields = sealed_fields::open(keys, Purpose::AppAttempt, state, MAX_STATE_BYTES, (&application.id, &connector.id))?;
            let (application, connector) = (application.id.clone(), connector.id.clone());
            let challenge = Challenge::parse(fields.get("h")?)?;
            Some(Self { nonce: text(&fields, "n")?, challenge, application, connector, started_at: time(&fields, "t")? })
        };
        let attempt = read().ok_or(NoAttempt::Missing)?;
        if now >= attempt.expires_at() { Err(NoAttempt::Expired) } else { Ok(attempt) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::tests::{application, website};
    use crate::session::test_key;

    fn keys() -> KeyRing {
        KeyRing::new("https://shop.example.com", vec![test_key(1)])
    }

    fn begun(application: &Application, connector: &Connector) -> AppAttempt {
        AppAttempt::begin(application, connector, Challenge::of("a"), 1000, &mut Entropy::new([1; 32]))
    }

    #[test]
    fn it_is_over_after_ten_minutes_and_good_nowhere_else() {
        let (here, app) = (application(), website().1);
        let attempt = begun(&here, &app);
        let state = attempt.seal(&keys(), &mut Entropy::new([2; 32])).unwrap();
        let open = |application: &Application, connector: &Connector, now| AppAttempt::open(&keys(), &state, application, connector, now);
        assert_eq!(open(&here, &app, 1599), Ok(attempt));
        assert_eq!(open(&here, &app, 1600), Err(NoAttempt::Expired));
        assert_eq!(open(&Application { id: "other".into(), ..application() }, &app, 1000), Err(NoAttempt::Missing));
        assert_eq!(open(&here, &Connector { id: "other".into(), ..website().1 }, 1000), Err(NoAttempt::Missing));
        let other_ring = KeyRing::new("https://shop.example.com", vec![test_key(2)]);
        assert_eq!(AppAttempt::open(&other_ring, &state, &here, &app, 1000), Err(NoAttempt::Missing));
    }

    #[test]
    fn a_token_of_another_kind_is_no_state() {
        let (here, app) = (application(), website().1);
        let state = begun(&here, &app).seal(&keys(), &mut Entropy::new([2; 32])).unwrap();
        let plaintext = keys().open(Purpose::AppAttempt, state.as_bytes()).unwrap();
        for purpose in [Purpose::Attempt, Purpose::HandBack, Purpose::Session] {
            let token = keys().seal(purpose, [1; 24], &plaintext).unwrap();
            assert_eq!(AppAttempt::open(&keys(), &token, &here, &app, 1000), Err(NoAttempt::Missing));
        }
    }

    #[test]
    fn the_longest_names_leave_it_short_enough_for_wechat_s_sdk() {
        let here = Application { id: "a".repeat(64), ..application() };
        let app = Connector { id: "c".repeat(32), ..website().1 };
        let state = begun(&here, &app).seal(&keys(), &mut Entropy::new([2; 32])).unwrap();
        assert!(state.len() < 512, "{}", state.len());
        let long = AppAttempt { nonce: "n".repeat(1024), ..begun(&here, &app) };
        assert_eq!(long.seal(&keys(), &mut Entropy::new([2; 32])), None);
        assert_eq!(AppAttempt::open(&keys(), &"a".repeat(1025), &here, &app, 1000), Err(NoAttempt::Missing));
    }
}
