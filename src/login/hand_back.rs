//! What a mini program hands back to the app that opened it, by `launchApp`, on the person's own phone: a name of the login,
//! sealed. It is a secret beside the app's verifier. Whoever sent somebody else the link knows the verifier and the ticket,
//! and never sees this.

use super::sealed_fields::{self, text, time};
use crate::config::{Application, Connector};
use crate::http::Entropy;
use crate::session::{KeyRing, Purpose};

const MAX_TOKEN_BYTES: usize = 1024;

/// What the sealed token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandBack {
    /// The resolver's name for the login.
    pub ticket: String,
    /// Good only at this application ...
    pub application: String,
    /// ... and for this connector.
    pub connector: String,
    /// When it is over.
    pub expires_at: u64,
}

impl HandBack {
    /// The sealed token. `None` only for a ring without keys.
    pub fn seal(&self, keys: &KeyRing, entropy: &mut Entropy) -> Option<String> {
        let texts = &[("t", self.ticket.as_str()), ("e", &self.expires_at.to_string())];
        sealed_fields::seal(keys, Purpose::HandBack, entropy.bytes(), (&self.application, &self.connector), texts)
    }

    /// Reads a sealed token; `None` for whatever is not one of ours, for this application and connector, and still good.
    pub fn open(keys: &KeyRing, token: &str, application: &Application, connector: &Connector, now: u64) -> Option<Self> {
        let fields = sealed_fields::open(keys, Purpose::HandBack, token, MAX_TOKEN_BYTES, (&application.id, &connector.id))?;
        let (application, connector) = (application.id.clone(), connector.id.clone());
        let back = Self { ticket: text(&fields, "t")?, application, connector, expires_at: time(&fields, "e")? };
        (now < back.expires_at).then_some(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::tests::{application, website};
    use crate::session::test_key;

    #[test]
    fn it_is_good_in_one_place_and_for_its_time() {
        let keys = KeyRing::new("i", vec![test_key(1)]);
        let (here, app) = (application(), website().1);
        let back = HandBack { ticket: "t".repeat(22), application: here.id.clone(), connector: app.id.clone(), expires_at: 60 };
        let token = back.seal(&keys, &mut Entropy::new([1; 32])).unwrap();
        let open = |application: &Application, connector: &Connector, now| HandBack::open(&keys, &token, application, connector, now);
        assert_eq!(open(&here, &app, 59), Some(back.clone()));
        assert_eq!(open(&here, &app, 60), None);
        assert_eq!(open(&Application { id: "other".into(), ..application() }, &app, 0), None);
        assert_eq!(open(&here, &Connector { id: "other".into(), ..website().1 }, 0), None);
        let other_kind = {
            let plaintext = keys.open(Purpose::HandBack, token.as_bytes()).unwrap();
            keys.seal(Purpose::Confirm, [1; 24], &plaintext).unwrap()
        };
        for rubbish in [other_kind, "a".repeat(MAX_TOKEN_BYTES + 1), "t".repeat(22), String::new()] {
            assert_eq!(HandBack::open(&keys, &rubbish, &here, &app, 0), None);
        }
    }
}
