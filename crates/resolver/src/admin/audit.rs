//! The audit log, as an administrator reads it. Nobody changes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::ids::UserId;

/// Who did what to which account from where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Names the entry.
    pub id: String,
    /// When, in Unix milliseconds.
    pub at: u64,
    /// The pool.
    pub pool: String,
    /// `admin:NAME`, `user:ID`, or `wechat` for a login.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The account, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// From where, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// More about it. Ids and names of fields, never what a field holds.
    pub detail: Value,
}

/// Which entries are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of this pool.
    pub pool: String,
    /// About this user.
    pub user: Option<UserId>,
    /// Of this action.
    pub action: Option<String>,
    /// Later than this entry.
    pub after: Uuid,
    /// Earlier than this one; the largest id there is for no end.
    pub before: Uuid,
    /// At most so many.
    pub limit: usize,
}

/// The id before all that are made in this second or later.
pub fn id_at(seconds: u64) -> Uuid {
    let millis = seconds.saturating_mul(1000).min((1 << 48) - 1);
    Uuid::from_u128(u128::from(millis) << 80)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Moment;
    use crate::ids::fresh_uuid;

    #[test]
    fn a_time_lies_between_the_ids_before_it_and_those_from_it_on() {
        let made = |millis| fresh_uuid(Moment::from_unix(Duration::from_millis(millis))).unwrap();
        assert!(made(1_799_999_999_999) < id_at(1_800_000_000));
        assert!(made(1_800_000_000_000) > id_at(1_800_000_000));
        assert!(made(1_800_000_000_000).to_string() > id_at(1_800_000_000).to_string(), "databases compare the text");
        assert!(id_at(u64::MAX) < Uuid::max());
    }
}
