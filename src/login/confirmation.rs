//! What the phone side of a scan holds between scanning and confirming: whose scan it is, as WeChat said, sealed. So
//! only the phone that scanned can confirm, and WeChat is asked once.

use resolver_api::tickets::TicketIdentity;

use super::sealed_fields::{self, text, time};
use crate::config::Connector;
use crate::http::Entropy;
use crate::session::{KeyRing, Purpose};

const MAX_TOKEN_BYTES: usize = 4096;

/// It is good at every application that enables the connector: what was scanned may be another one's.
const ANY_APPLICATION: &str = "";

/// A scan that its person has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The resolver's name for what was scanned.
    pub ticket: String,
    /// Good only for this connector.
    connector: String,
    /// Who scanned.
    pub openid: String,
    /// Who scanned, on the platform.
    pub unionid: Option<String>,
    /// When it is over.
    pub expires_at: u64,
}

impl Confirmation {
    /// A scan of `ticket` by whom WeChat has named.
    pub fn new(connector: &Connector, ticket: String, identity: TicketIdentity, expires_at: u64) -> Self {
        let TicketIdentity { openid, unionid, .. } = identity;
        Self { ticket, connector: connector.id.clone(), openid, unionid, expires_at }
    }

    /// Reads a sealed token; `None` for whatever is not one of ours, for this connector, and still going on.
    pub fn open(keys: &KeyRing, token: &str, connector: &Connector, now: u64) -> Option<Self> {
        let place = (ANY_APPLICATION, connector.id.as_str());
        let fields = sealed_fields::open(keys, Purpose::Confirm, token, MAX_TOKEN_BYTES, place)?;
        let confirmation = Self {
            ticket: text(&fields, "t")?,
            connector: connector.id.clone(),
            openid: text(&fields, "o")?,
            unionid: text(&fields, "u"),
            expires_at: time(&fields, "e")?,
        };
        (now < confirmation.expires_at).then_some(confirmation)
    }

    /// The sealed token. `None` only for a ring without keys.
    pub fn seal(&self, keys: &KeyRing, entropy: &mut Entropy) -> Option<String> {
        let expires_at = self.expires_at.to_string();
        let mut texts = vec![("t", self.ticket.as_str()), ("o", &self.openid), ("e", &expires_at)];
        texts.extend(self.unionid.as_deref().map(|unionid| ("u", unionid)));
        sealed_fields::seal(keys, Purpose::Confirm, entropy.bytes(), (ANY_APPLICATION, &self.connector), &texts)
    }

    /// Who confirms, for the resolver. WeChat tells neither side a name.
    pub fn identity(&self, connector: &Connector, phone_number: Option<String>) -> TicketIdentity {
        TicketIdentity {
            app_id: connector.app_id.clone(),
            openid: self.openid.clone(),
            unionid: self.unionid.clone(),
            profile: None,
            phone_number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::tests::website;
    use crate::session::test_key;

    #[test]
    fn it_opens_for_its_connector_until_it_is_over_and_as_nothing_else() {
        let keys = KeyRing::new("i", vec![test_key(1)]);
        let connector = website().1;
        for unionid in [None, Some("u1".to_owned())] {
            let identity =
                TicketIdentity { app_id: connector.app_id.clone(), openid: "o1".into(), unionid, profile: None, phone_number: None };
            let made = Confirmation::new(&connector, "q2nqv0hYdVOkdlkY0m2m3g".into(), identity.clone(), 60);
            let token = made.seal(&keys, &mut Entropy::new([1; 32])).unwrap();
            let open = |connector: &Connector, now| Confirmation::open(&keys, &token, connector, now);
            assert_eq!(open(&connector, 59), Some(made.clone()));
            assert_eq!(made.identity(&connector, None), identity);
            assert_eq!(open(&connector, 60), None);
            assert_eq!(open(&Connector { id: "other".into(), ..website().1 }, 0), None);
            let plaintext = keys.open(Purpose::Confirm, token.as_bytes()).unwrap();
            let other_kind = keys.seal(Purpose::HandBack, [1; 24], &plaintext).unwrap();
            for rubbish in [other_kind, "a".repeat(MAX_TOKEN_BYTES + 1), String::new()] {
                assert_eq!(Confirmation::open(&keys, &rubbish, &connector, 0), None);
            }
        }
    }
}
