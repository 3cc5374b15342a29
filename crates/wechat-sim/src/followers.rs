//! Who follows which official account, and the QR codes with a parameter by which they came.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::random;

/// Every follower of every account.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    follows: BTreeMap<(String, String), Follow>,
}

/// Since when somebody follows, and by which code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Follow {
    pub(crate) since: u64,
    pub(crate) scene: Option<Scene>,
}

impl Followers {
    pub(crate) fn find(&self, person: &str, appid: &str) -> Option<&Follow> {
        self.follows.get(&key(person, appid))
    }

    pub(crate) fn add(&mut self, person: &str, appid: &str, follow: Follow) {
        self.follows.insert(key(person, appid), follow);
    }

    /// Whether there was anything to end.
    pub(crate) fn remove(&mut self, person: &str, appid: &str) -> bool {
        self.follows.remove(&key(person, appid)).is_some()
    }
}

fn key(person: &str, appid: &str) -> (String, String) {
    (person.to_owned(), appid.to_owned())
}

/// The parameter of a QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scene {
    Number(u32),
    Text(String),
}

impl Scene {
    /// As an event tells it, without the prefix of `subscribe`.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Every QR code of `qrcode/create`.
#[derive(Debug, Default)]
pub(crate) struct AccountCodes {
    by_id: HashMap<String, (String, AccountCode)>,
    /// The ids, oldest first.
    order: Vec<String>,
}

/// A QR code with a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountCode {
    pub(crate) appid: String,
    pub(crate) scene: Scene,
    /// Permanent codes have none.
    pub(crate) expires_at: Option<u64>,
}

impl AccountCodes {
    /// Returns the ticket, and the id at the end of the address in the code.
    pub(crate) fn create(&mut self, code: AccountCode, now: u64) -> (String, String) {
        self.by_id.retain(|_, (_, code)| code.is_good(now));
        let (ticket, id) = (ticket(), random::alphanumeric(20));
        self.by_id.insert(id.clone(), (ticket.clone(), code));
        self.order.retain(|id| self.by_id.contains_key(id));
        self.order.push(id.clone());
        (ticket, id)
    }

    pub(crate) fn id_of_ticket(&self, wanted: &str, now: u64) -> Option<&str> {
        let mut good = self.by_id.iter().filter(|(_, (_, code))| code.is_good(now));
        good.find(|(_, (ticket, _))| ticket == wanted).map(|(id, _)| id.as_str())
    }

    /// Every code that is still good, with its id, the latest first.
    pub(crate) fn good(&self, now: u64) -> impl Iterator<Item = (&str, &AccountCode)> {
        self.order.iter().rev().filter_map(move |id| self.find(id, now).map(|(_, code)| (id.as_str(), code)))
    }

    /// The ticket and the code of an id.
    pub(crate) fn find(&self, id: &str, now: u64) -> Option<&(String, AccountCode)> {
        self.by_id.get(id).filter(|(_, code)| code.is_good(now))
    }
}

impl AccountCode {
    fn is_good(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// 88 characters of base64 that begin with `gQ` and end with `==`, so that a client has to encode it.
fn ticket() -> String {
    let mut bytes = random::bytes::<64>();
    let [first, second, ..] = &mut bytes;
    (*first, *second) = (0x81, *second & 0x0f);
    STANDARD.encode(bytes)
}
