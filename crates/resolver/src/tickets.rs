//! Tickets: what may happen to one, in which order, and by whom. Pure: what the store has is handed in, and it stores what comes
//! out only while the ticket is still in the state that was looked at.

use std::net::{IpAddr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resolver_api::Profile;
use resolver_api::tickets::{
    COLLECT_SECONDS, CreateTicket, RedeemTicket, Ticket, TicketIdentity, TicketPurpose, TicketState, WithdrawAuthorization,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::Moment;
use crate::ids::{self, RandomToken, is_base64url};
use crate::login::{check_length, check_name, check_phone_number, check_profile};

/// Names a ticket. Whoever has it may look at the ticket; stores know its [`TicketId`].
pub type TicketName = RandomToken<Held>;

/// What a ticket is stored under: SHA-256 of its name, in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(String);

/// A ticket, as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it is stored under.
    pub id: TicketId,
    /// What was asked for.
    pub made: CreateTicket,
    /// How far it has come.
    pub state: TicketState,
    /// Who has scanned it, as [`Held::person`] calls them.
    pub person: Option<String>,
    /// What they are shown as.
    pub profile: Option<Profile>,
    /// What the redeemer gets.
    pub identity: Option<TicketIdentity>,
    /// The one who has redeemed it.
    pub redemption: Option<String>,
    /// When it was made.
    pub created_at: u64,
    /// When it is over.
    pub expires_at: u64,
}

/// What a WeChat person wants of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// To have scanned it.
    Scan {
        /// As in [`resolver_api::LoginRequest::platform`].
        platform: &'a str,
        /// Who.
        identity: &'a TicketIdentity,
    },
    /// To confirm it.
    Confirm(&'a TicketIdentity),
    /// To refuse it.
    Cancel {
        /// In which app.
        app_id: &'a str,
        /// Who.
        openid: &'a str,
    },
}

/// What comes of a [`Wish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// The ticket becomes this.
    Moved(Box<Held>),
    /// It was so before.
    Already,
    /// Somebody else has scanned it.
    Taken,
    /// It has gone on without this.
    Settled,
}

/// What comes of a wish to redeem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// The ticket becomes this, and its identity is the redeemer's.
    Moved(Box<Held>),
    /// The same redeemer has done so before.
    Already,
    /// Another one has.
    Used,
    /// Nobody has confirmed it.
    NotConfirmed,
}

impl Held {
    /// A ticket that begins now.
    pub fn begin(id: TicketId, made: CreateTicket, now: Moment) -> Self {
        // Nobody has to confirm a session that goes over.
        let (state, lifetime) = match made.purpose {
            TicketPurpose::HandOver => (TicketState::Confirmed, made.lifetime_seconds.min(COLLECT_SECONDS)),
            TicketPurpose::Scan | TicketPurpose::Launch => (TicketState::Waiting, made.lifetime_seconds),
        };
        let created_at = now.seconds();
        let expires_at = created_at.saturating_add(lifetime);
        Self { id, made, state, person: None, profile: None, identity: None, redemption: None, created_at, expires_at }
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Moment) -> bool {
        now.seconds() >= self.expires_at
    }

    /// What it becomes by the wish of somebody; `None` when there is no such ticket for them.
    pub fn grant(&self, wish: Wish<'_>, now: Moment) -> Option<Granted> {
        let (app_id, openid) = wish.person();
        if self.made.app_id != app_id || self.made.purpose == TicketPurpose::HandOver {
            return None;
        }
        let person = self.person_named(openid);
        if self.person.as_ref().is_some_and(|first| *first != person) {
            return Some(Granted::Taken);
        }
        Some(match (wish, self.state) {
            (Wish::Scan { .. }, TicketState::Scanned | TicketState::Confirmed)
            | (Wish::Confirm(_), TicketState::Confirmed | TicketState::Redeemed)
            | (Wish::Cancel { .. }, TicketState::Cancelled) => Granted::Already,
            (_, TicketState::Cancelled | TicketState::Redeemed) => Granted::Settled,
            (Wish::Scan { identity, .. }, TicketState::Waiting) => {
                self.moved(TicketState::Scanned, Self { profile: identity.profile.clone(), ..self.of(person) })
            }
            (Wish::Confirm(identity), TicketState::Waiting | TicketState::Scanned) => {
                let profile = identity.profile.clone().or_else(|| self.profile.clone());
                let expires_at = self.expires_at.min(now.seconds().saturating_add(COLLECT_SECONDS));
                self.moved(TicketState::Confirmed, Self { profile, identity: Some(identity.clone()), expires_at, ..self.of(person) })
            }
            (Wish::Cancel { .. }, TicketState::Waiting | TicketState::Scanned | TicketState::Confirmed) => {
                self.moved(TicketState::Cancelled, Self { profile: None, identity: None, ..self.of(person) })
            }
        })
    }

    /// What it becomes by being redeemed; `None` when there is no such ticket for this redeemer.
    pub fn redeem(&self, redeemer: &RedeemTicket, now: Moment) -> Option<Redeemed> {
        let is_theirs = self.is_challenge_of(&redeemer.verifier) && self.made.application == redeemer.application;
        if !is_theirs {
            return None;
        }
        Some(match (self.state, &self.redemption) {
            (TicketState::Redeemed, Some(redemption)) if *redemption == redeemer.redemption => Redeemed::Already,
            (TicketState::Redeemed, _) => Redeemed::Used,
            (TicketState::Confirmed, _) => Redeemed::Moved(Box::new(Self {
                state: TicketState::Redeemed,
                redemption: Some(redeemer.redemption.clone()),
                // For so long a lost answer can be asked for again.
                expires_at: now.seconds().saturating_add(COLLECT_SECONDS),
                ..self.clone()
            })),
            (TicketState::Waiting | TicketState::Scanned | TicketState::Cancelled, _) => Redeemed::NotConfirmed,
        })
    }

    /// What it becomes when a person withdraws at this time what they agreed to in that app; `None` where they have confirmed
    /// nothing by it, or only later, or where it was redeemed before.
    pub fn withdraw(&self, app_id: &str, openid: &str, at: u64) -> Option<Box<Self>> {
        let agreed = self.identity.as_ref().filter(|identity| identity.app_id == app_id && identity.openid == openid);
        // When it was confirmed is not kept, but that it was not before this.
        let confirmed_from = self.expires_at.saturating_sub(COLLECT_SECONDS);
        let is_over = self.state == TicketState::Confirmed && agreed.is_some() && confirmed_from <= at;
        is_over.then(|| Box::new(Self { state: TicketState::Cancelled, profile: None, identity: None, ..self.clone() }))
    }

    /// As others may see it.
    pub fn to_ticket(&self) -> Ticket {
        let CreateTicket { purpose, application, connector, app_id, number, client, client_address, .. } = self.made.clone();
        let Self { state, profile, created_at, expires_at, .. } = self.clone();
        Ticket {
            purpose,
            application,
            connector,
            app_id,
            state,
            number,
            client,
            client_address,
            created_at,
            expires_at,
            profile,
            retry_after: None,
        }
    }

    fn moved(&self, state: TicketState, to: Self) -> Granted {
        Granted::Moved(Box::new(Self { state, ..to }))
    }

    fn of(&self, person: String) -> Self {
        Self { person: Some(person), ..self.clone() }
    }

    /// What is kept of whoever scans: enough to know them again, with this ticket and no other.
    fn person_named(&self, openid: &str) -> String {
        let mut hash = Sha256::new();
        for text in ["wxgate ticket person", &self.id.0, &self.made.app_id, openid] {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        ids::hex(&hash.finalize())
    }

    /// RFC 7636, S256. In constant time: how much of it is right tells nobody anything.
    fn is_challenge_of(&self, verifier: &str) -> bool {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        challenge.as_bytes().ct_eq(self.made.challenge.as_bytes()).into()
    }
}

impl<'a> Wish<'a> {
    fn person(self) -> (&'a str, &'a str) {
        match self {
            Self::Scan { identity, .. } | Self::Confirm(identity) => (&identity.app_id, &identity.openid),
            Self::Cancel { app_id, openid } => (app_id, openid),
        }
    }
}

impl TicketName {
    /// What the ticket is stored under.
    pub fn id(&self) -> TicketId {
        let mut hash = Sha256::new();
        hash.update("wxgate ticket");
        hash.update(self.as_str());
        TicketId(ids::hex(&hash.finalize()))
    }
}

impl TicketId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what a store has kept.
    pub(crate) fn of_store(text: String) -> Self {
        Self(text)
    }

    /// Enough of it to find what else happened to the ticket, and nothing that opens it.
    pub(crate) fn short(&self) -> &str {
        self.0.get(..16).unwrap_or_default()
    }
}

/// What limits know a client by: its address, of IPv6 the 64 bits that one subscriber has.
pub fn client_key(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => format!("{}/64", Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

/// Checks every field: one sentence for each that is wrong, without its value.
pub fn check_new(ticket: &CreateTicket) -> Vec<String> {
    let mut problems = Vec::new();
    for (field, value) in
        [("pool", &ticket.pool), ("application", &ticket.application), ("connector", &ticket.connector), ("app_id", &ticket.app_id)]
    {
        check_name(&mut problems, field, value);
    }
    if ticket.challenge.len() != 43 || !ticket.challenge.bytes().all(is_base64url) {
        problems.push("challenge: expected 43 base64url characters".to_owned());
    }
    if ticket.number.as_ref().is_some_and(|number| number.len() != 2 || !number.bytes().all(|byte| byte.is_ascii_digit())) {
        problems.push("number: expected two digits".to_owned());
    }
    for (field, value) in [("client", &ticket.client), ("client_address", &ticket.client_address)] {
        if let Some(value) = value {
            check_name(&mut problems, field, value);
        }
    }
    if !(10..=600).contains(&ticket.lifetime_seconds) {
        problems.push("lifetime_seconds: expected 10 to 600".to_owned());
    }
    problems
}

/// Puts in order and checks who scans, and on which platform, likewise.
pub fn check_scanner(platform: &str, identity: &mut TicketIdentity) -> Vec<String> {
    let mut problems = check_identity(identity);
    check_name(&mut problems, "platform", platform);
    problems
}

/// Puts in order and checks who confirms, likewise.
pub fn check_identity(identity: &mut TicketIdentity) -> Vec<String> {
    let mut problems = Vec::new();
    check_name(&mut problems, "identity.app_id", &identity.app_id);
    check_length(&mut problems, "identity.openid", &identity.openid, 64);
    if let Some(unionid) = &identity.unionid {
        check_length(&mut problems, "identity.unionid", unionid, 64);
    }
    if let Some(profile) = &mut identity.profile {
        check_profile(&mut problems, "identity.profile", profile);
    }
    if let Some(number) = &identity.phone_number {
        check_phone_number(&mut problems, "identity.phone_number", number);
    }
    problems
}

/// Checks who cancels, likewise.
pub fn check_person(app_id: &str, openid: &str) -> Vec<String> {
    let mut problems = Vec::new();
    check_name(&mut problems, "app_id", app_id);
    check_length(&mut problems, "openid", openid, 64);
    problems
}

/// Checks who redeems, likewise.
pub fn check_redeemer(redeemer: &RedeemTicket) -> Vec<String> {
    let mut problems = Vec::new();
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(22..=128).contains(&redeemer.verifier.len()) || !redeemer.verifier.bytes().all(is_unreserved) {
        problems.push("verifier: expected 22 to 128 characters of A-Z, a-z, 0-9 and -._~".to_owned());
    }
    check_name(&mut problems, "application", &redeemer.application);
    if !ids::is_random_token(&redeemer.redemption) {
        problems.push("redemption: expected 22 base64url characters".to_owned());
    }
    problems
}

/// The most pools that a withdrawal names.
const MOST_POOLS: usize = 100;

/// Checks who has withdrawn, likewise.
pub fn check_withdrawal(withdrawal: &WithdrawAuthorization) -> Vec<String> {
    let mut problems = Vec::new();
    if !(1..=MOST_POOLS).contains(&withdrawal.pools.len()) {
        problems.push(format!("pools: expected 1 to {MOST_POOLS}"));
    }
    for pool in withdrawal.pools.iter().take(MOST_POOLS) {
        check_name(&mut problems, "pools", pool);
    }
    check_name(&mut problems, "platform", &withdrawal.platform);
    check_name(&mut problems, "app_id", &withdrawal.app_id);
    check_length(&mut problems, "openid", &withdrawal.openid, 64);
    if let Some(unionid) = &withdrawal.unionid {
        check_length(&mut problems, "unionid", unionid, 64);
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// QRL-07.
    #[test]
    fn a_name_is_22_characters_that_fit_into_wechats_scene_and_tell_nothing() {
        const COUNT: usize = 100_000;
        const WECHATS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&'()*+,/:;=?@-._~";
        let names: Vec<_> = (0..COUNT).map(|_| TicketName::random().unwrap().as_str().to_owned()).collect();
        assert!(names.iter().all(|name| name.len() == 22 && name.len() <= 32 && name.bytes().all(|byte| WECHATS.contains(&byte))));
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), COUNT);

        // Nothing in them stands for a time or a number: each place has each character as often as any other (ten standard deviations
        // of it), the last one those four that are left for two bits, and a name is above the one before as often as below.
        for place in 0..22 {
            let mut counts = BTreeMap::new();
            for name in &names {
                *counts.entry(name.as_bytes()[place]).or_insert(0_usize) += 1;
            }
            let (characters, tolerance) = if place < 21 { (64, 400) } else { (4, 1400) };
            let expected = COUNT / characters;
            assert_eq!(counts.len(), characters, "place {place}");
            assert!(counts.values().all(|count| count.abs_diff(expected) < tolerance), "place {place}: {counts:?}");
        }
        let rises = names.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!(rises.abs_diff(COUNT / 2) < 1000, "{rises} of {COUNT} rise");
        assert_ne!(TicketName::parse(&names[0]).unwrap().id().as_str(), names[0]);
    }

    #[test]
    fn whoever_scans_is_known_again_with_this_ticket_and_no_other() {
        let person =
            |openid: &str| TicketIdentity { app_id: "wx1".into(), openid: openid.into(), unionid: None, profile: None, phone_number: None };
        let ticket = || {
            let made = CreateTicket {
                purpose: TicketPurpose::Scan,
                pool: "default".into(),
                application: "shop".into(),
                connector: "scan".into(),
                app_id: "wx1".into(),
                challenge: "A".repeat(43),
                number: None,
                client: None,
                client_address: None,
                lifetime_seconds: 180,
            };
            Held::begin(TicketName::random().unwrap().id(), made, now())
        };
        let scanned = |ticket: &Held, openid: &str| match ticket.grant(Wish::Scan { platform: "main", identity: &person(openid) }, now()) {
            Some(Granted::Moved(held)) => held.person.unwrap(),
            other => panic!("{other:?}"),
        };
        let (one, other) = (ticket(), ticket());
        assert_eq!(scanned(&one, "o1"), scanned(&one, "o1"));
        assert_ne!(scanned(&one, "o1"), scanned(&one, "o2"));
        assert_ne!(scanned(&one, "o1"), scanned(&other, "o1"), "nobody's scans can be told from a database that was stolen");
    }

    fn now() -> Moment {
        Moment::from_unix(std::time::Duration::from_secs(1_800_000_000))
    }

    #[test]
    fn a_client_of_ipv6_is_known_by_its_network() {
        for (address, key) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("no address", "no address"),
        ] {
            assert_eq!(client_key(address), key);
        }
    }
}
