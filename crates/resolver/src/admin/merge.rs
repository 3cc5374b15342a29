//! Two accounts that turn out to be one person's: what the one that stays is like afterwards. Pure.
//!
//! The one that stays keeps what it has, and gets what it lacks. The other one can never be logged in to again; its row keeps its
//! id, so that nobody else gets it, and its `external_id` unless the one that stays lacked one, so that an import of the same file
//! does not make the person a second time.

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use crate::account::{Account, Sourced, State};

/// Which account to merge into the one that the path names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeRequest {
    /// The account that ends.
    pub from: String,
    /// Only tell what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a merge does, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MergeReport {
    /// The account that stays.
    pub into: String,
    /// The account that ends, and with it all its sessions.
    pub from: String,
    /// Whether this is only what would happen.
    pub dry_run: bool,
    /// The identities that move.
    pub identities: Vec<Identity>,
    /// How many choices between accounts now mean the one that stays.
    pub choices: u64,
    /// The fields that the one that stays lacked, and gets.
    pub filled: Vec<String>,
    /// The fields that both have: those of the account that ends are gone.
    pub dropped: Vec<String>,
}

/// Both accounts after a merge.
#[derive(Debug)]
pub struct Merged {
    /// The one that stays.
    pub into: Account,
    /// The one that ends.
    pub from: Account,
    /// As in [`MergeReport::filled`].
    pub filled: Vec<String>,
    /// As in [`MergeReport::dropped`].
    pub dropped: Vec<String>,
}

/// Merges `from` into `into`.
pub fn merge(mut into: Account, mut from: Account) -> Merged {
    let (mut filled, mut dropped) = (Vec::new(), Vec::new());
    let mut note = |field: &str, fate: Fate| match fate {
        Fate::Filled => filled.push(field.to_owned()),
        Fate::Dropped => dropped.push(field.to_owned()),
        Fate::Nothing => {}
    };
    note("name", fill_sourced(&mut into.name, &mut from.name));
    note("picture", fill_sourced(&mut into.picture, &mut from.picture));
    note("phone_number", fill(&mut into.phone_number, &mut from.phone_number));
    note("email", fill(&mut into.email, &mut from.email));
    note("username", fill(&mut into.username, &mut from.username));
    note("password", fill(&mut into.password_hash, &mut from.password_hash));
    if into.external_id.is_none() {
        note("external_id", fill(&mut into.external_id, &mut from.external_id));
    }
    from.state = State::Merged { into: into.id };
    Merged { into, from, filled, dropped }
}

enum Fate {
    Filled,
    Dropped,
    Nothing,
}

fn fill<T>(into: &mut Option<T>, from: &mut Option<T>) -> Fate {
    match (from.take(), &into) {
        (None, _) => Fate::Nothing,
        (Some(_), Some(_)) => Fate::Dropped,
        (value, None) => {
            *into = value;
            Fate::Filled
        }
    }
}

/// Whose word goes for the field moves with its value.
fn fill_sourced(into: &mut Sourced, from: &mut Sourced) -> Fate {
    let fate = fill(&mut into.value, &mut from.value);
    if matches!(fate, Fate::Filled) {
        into.is_from_wechat = from.is_from_wechat;
    }
    fate
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::account::{Email, PasswordHash, PhoneNumber};
    use crate::clock::Moment;

    fn account(id: u128) -> Account {
        Account::blank(Uuid::from_u128(id), "default", Moment::from_unix(Duration::from_secs(100)))
    }

    fn full(id: u128) -> Account {
        let text = |kind: &str| Some(format!("{kind}-{id}"));
        Account {
            name: Sourced { value: text("name"), is_from_wechat: false },
            phone_number: Some(PhoneNumber { number: format!("+86138001380{id:02}"), is_from_wechat: true, is_verified: true }),
            email: Some(Email { address: format!("{id}@example.com"), is_verified: true }),
            username: text("username"),
            external_id: text("external"),
            password_hash: Some(PasswordHash(format!("hash-{id}"))),
            ..account(id)
        }
    }

    #[test]
    fn an_account_gets_what_it_lacks() {
        let merged = merge(account(1), full(2));
        assert_eq!(merged.filled, ["name", "phone_number", "email", "username", "password", "external_id"]);
        assert!(merged.dropped.is_empty());
        let expected = Account { id: merged.into.id, ..full(2) };
        assert_eq!(merged.into, expected, "verified stays verified");
        assert_eq!(merged.from, Account { state: State::Merged { into: merged.into.id }, name: merged.from.name.clone(), ..account(2) });
        assert_eq!(merged.from.name.value, None);
    }

    #[test]
    fn an_account_keeps_what_it_has_and_the_other_one_keeps_nothing_of_a_person() {
        let merged = merge(full(1), full(2));
        assert_eq!(merged.into, full(1));
        assert!(merged.filled.is_empty());
        assert_eq!(merged.dropped, ["name", "phone_number", "email", "username", "password"]);
        let Account { name, phone_number, email, username, password_hash, external_id, .. } = merged.from;
        assert_eq!((name.value, phone_number, email, username, password_hash), (None, None, None, None, None));
        assert_eq!(external_id.as_deref(), Some("external-2"), "an import still knows the row");
    }
}
