//! Sessions that have ended before their time: after a logout, "sign out everywhere", or a disabled account.
//!
//! One worker of an Envoy polls the resolver's feed into a set like this one and shares its encoded form; the others
//! read that. The set is bounded: entries leave it when the session that they end would have ended by itself.

use std::collections::HashMap;

use resolver_api::RevocationFeed;

use super::contents::Session;

/// More entries than this are not kept one by one. What falls out is covered by `floor`, so that a flood of logouts
/// can log people out, but never lets an ended session live.
const MAX_ENTRIES: usize = 100_000;

/// Which sessions have ended, and how far the feed has been read.
#[derive(Default)]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub struct Revocations {
    /// Where to go on in the feed.
    pub cursor: String,
    /// `sid` -> when the entry may be forgotten.
    sessions: HashMap<String, u64>,
    /// User -> (sessions up to this login time have ended, when the entry may be forgotten).
    users: HashMap<String, (u64, u64)>,
    /// Every session that logged in before this has ended.
    floor: u64,
}

impl Revocations {
    /// Takes in what the resolver says, read at `now`.
    pub fn apply(&mut self, feed: &RevocationFeed, now: u64) {
        self.sessions.extend(feed.sessions.iter().map(|ended| (ended.session_id.clone(), ended.expires_at)));
        for ended in &feed.users {
            self.end_user(ended.user_id.clone(), ended.not_before, ended.expires_at);
        }
        self.cursor.clone_from(&feed.cursor);
        self.forget(now);
        self.keep_bounded(now);
    }

    /// Ends one session at once, before the feed tells of it.
    pub fn end_session(&mut self, session_id: String, expires_at: u64, now: u64) {
        self.sessions.insert(session_id, expires_at);
        self.keep_bounded(now);
    }

    /// Takes in what another worker knows. What has ended for either has ended for both.
    pub fn merge(&mut self, other: Self) {
        self.sessions.extend(other.sessions);
        for (user, (not_before, expires_at)) in other.users {
            self.end_user(user, not_before, expires_at);
        }
        self.cursor = other.cursor;
        self.floor = self.floor.max(other.floor);
    }

    /// The set as workers pass it on: a line for each entry, its parts between tabs. What a line cannot hold ends no session: the
    /// names of users and sessions are visible ASCII, or no login begins (`login/finish.rs`).
    pub fn encode(&self) -> Vec<u8> {
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic());
        let mut lines = format!("{}\t{}\n", self.floor, if is_name(&self.cursor) { &self.cursor } else { "" });
        for (session, expires_at) in self.sessions.iter().filter(|(name, _)| is_name(name)) {
            lines.extend([session, "\t", &expires_at.to_string(), "\n"]);
        }
        for (user, (not_before, expires_at)) in self.users.iter().filter(|(name, _)| is_name(name)) {
            lines.extend([user, "\t", &expires_at.to_string(), "\t", &not_before.to_string(), "\n"]);
        }
        lines.into_bytes()
    }

    /// Reads what [`Revocations::encode`] writes; `None` for anything else.
    pub fn decode(encoded: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(encoded).ok()?.lines();
        let (floor, cursor) = lines.next()?.split_once('\t')?;
        let mut set = Self { cursor: cursor.into(), floor: floor.parse().ok()?, ..Self::default() };
        for line in lines {
            let (name, times) = line.split_once('\t')?;
            match times.split_once('\t') {
                None => {
                    set.sessions.insert(name.into(), times.parse().ok()?);
                }
                Some((expires_at, not_before)) => {
                    set.users.insert(name.into(), (not_before.parse().ok()?, expires_at.parse().ok()?));
                }
            }
        }
        Some(set)
    }

    /// Whether this session has ended before its time.
    pub fn has_ended(&self, session: &Session) -> bool {
        session.auth_time < self.floor
            || self.sessions.contains_key(&session.id)
            || self.users.get(&session.subject).is_some_and(|(not_before, _)| session.auth_time <= *not_before)
    }

    fn end_user(&mut self, user_id: String, not_before: u64, expires_at: u64) {
        let known = self.users.entry(user_id).or_default();
        *known = (known.0.max(not_before), known.1.max(expires_at));
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.users.len()
    }

    fn forget(&mut self, now: u64) {
        self.sessions.retain(|_, expires_at| *expires_at > now);
        self.users.retain(|_, (_, expires_at)| *expires_at > now);
    }

    fn keep_bounded(&mut self, now: u64) {
        if self.len() > MAX_ENTRIES {
            self.forget(now);
        }
        if self.len() > MAX_ENTRIES {
            self.sessions.clear();
            self.users.clear();
            self.floor = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use resolver_api::{RevokedSession, RevokedUser};

    use super::*;
    use crate::session::contents::tests::session;

    fn feed(sessions: &[(&str, u64)], users: &[(&str, u64)]) -> RevocationFeed {
        RevocationFeed {
            cursor: "c".into(),
            sessions: sessions.iter().map(|(id, at)| RevokedSession { session_id: (*id).into(), expires_at: *at }).collect(),
            users: users.iter().map(|(id, at)| RevokedUser { user_id: (*id).into(), not_before: *at, expires_at: 1000 }).collect(),
            more: false,
        }
    }

    #[test]
    fn a_logged_out_session_has_ended_and_others_have_not() {
        let mut revocations = Revocations::default();
        revocations.apply(&feed(&[("AAAAAAAAAAAAAAAAAAAAAA", 500)], &[]), 10);
        assert!(revocations.has_ended(&session(5)));
        assert!(!revocations.has_ended(&Session { id: "other".into(), ..session(5) }));
    }

    #[test]
    fn signing_out_everywhere_ends_sessions_up_to_that_moment_and_no_later_one() {
        let mut revocations = Revocations::default();
        revocations.apply(&feed(&[], &[(&session(0).subject, 50)]), 60);
        assert!(revocations.has_ended(&session(50)));
        assert!(!revocations.has_ended(&session(51)));
        revocations.apply(&feed(&[], &[(&session(0).subject, 40)]), 60);
        assert!(revocations.has_ended(&session(50)), "an older entry must not weaken a newer one");
    }

    #[test]
    fn entries_leave_when_the_session_would_have_ended_by_itself() {
        let mut revocations = Revocations::default();
        revocations.apply(&feed(&[("a", 100), ("b", 200)], &[]), 10);
        revocations.apply(&feed(&[], &[]), 150);
        assert_eq!(revocations.sessions.len(), 1);
    }

    #[test]
    fn workers_pass_the_set_on_as_it_is() {
        let mut revocations = Revocations::default();
        assert_eq!(Revocations::decode(&revocations.encode()).as_ref(), Some(&revocations));
        revocations.apply(&feed(&[("a", 100), ("b-_", 200)], &[("u1", 7), ("u2", 8)]), 10);
        revocations.floor = 9;
        assert_eq!(Revocations::decode(&revocations.encode()).as_ref(), Some(&revocations));
        for odd in ["", "9", "x\tc\n", "9\tc\na", "9\tc\na\t", "9\tc\na\t1\t2\t3", "9\tc\na\t-1"] {
            assert_eq!(Revocations::decode(odd.as_bytes()), None, "{odd:?}");
        }
    }

    #[test]
    fn a_name_that_is_none_spoils_no_other() {
        let mut revocations = Revocations::default();
        revocations.apply(&feed(&[("a\tb\nc", 100), ("d", 100)], &[("é", 1)]), 10);
        let read = Revocations::decode(&revocations.encode()).unwrap();
        assert_eq!((read.sessions.len(), read.users.len()), (1, 0));
    }

    #[test]
    fn a_flood_of_logouts_is_bounded_and_fails_closed() {
        let mut revocations = Revocations::default();
        for id in 0..=MAX_ENTRIES {
            revocations.end_session(id.to_string(), 1000, 10);
        }
        assert!(revocations.sessions.is_empty());
        assert!(revocations.has_ended(&session(9)));
        assert!(!revocations.has_ended(&session(10)));
    }
}
