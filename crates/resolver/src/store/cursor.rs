//! The revocation feed's cursor.
//!
//! Every revocation gets the next position of one counter row, which its transaction holds locked until it commits. So
//! positions become visible in their order, and whoever has read up to one misses nothing that commits later: on
//! SQLite because there is one writer; on PostgreSQL by the row lock, where a sequence would hand out numbers
//! that commit in another order.
//!
//! Beside the position the cursor names the entry that stood there, by its random id: after a restore from a backup the
//! positions are handed out again, and a cursor from before has to be recognised.

use uuid::Uuid;

/// A place in the feed: after the entry `entry` at `position`; position 0 is before all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Cursor {
    pub(in crate::store) position: i64,
    pub(in crate::store) entry: Uuid,
}

impl Cursor {
    /// Before the first entry.
    pub(in crate::store) const START: Self = Self { position: 0, entry: Uuid::nil() };

    /// Reads what `to_string` wrote; anything else is the start.
    pub(in crate::store) fn parse(text: &str) -> Self {
        let parse = || {
            let (position, entry) = text.split_once('.')?;
            Some(Self { position: position.parse().ok()?, entry: entry.parse().ok()? })
        };
        parse().unwrap_or(Self::START)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.position, self.entry.simple())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_anything_else_is_the_start() {
        let cursor = Cursor { position: 42, entry: Uuid::from_u128(7) };
        assert_eq!(Cursor::parse(&cursor.to_string()), cursor);
        assert_eq!(Cursor::parse(&Cursor::START.to_string()), Cursor::START);
        for wrong in ["", "42", "42.", ".", "x.00000000000000000000000000000007", "99999999999999999999.7", "é"] {
            assert_eq!(Cursor::parse(wrong), Cursor::START, "{wrong}");
        }
    }
}
