//! Rows of `ticket_limits`: how many tickets were made of late.
//!
//! One row for each client and one for all of them: when what they have made is worked off, at so many a minute. A ticket moves it on
//! by its share of a minute, and is made while that is less than a minute ahead. So after a quiet minute the limit may be made
//! at once, then one for each share; and any number of resolvers count in one place, whose row they wait for.

use resolver_api::tickets::{CreateTicket, TicketPurpose};

use super::{Connection, from_sql, to_sql};
use crate::clock::Moment;
use crate::state::TicketLimits;
use crate::store::StoreError;
use crate::tickets::client_key;

pub(super) const SWEEP: &str =
    "DELETE FROM ticket_limits WHERE counted_by IN (SELECT counted_by FROM ticket_limits WHERE due <= $1 * 1000000 LIMIT $2)";

/// In microseconds, as all that is due: a share of a large limit is less than a millisecond.
const MINUTE: u64 = 60_000_000;

/// What is due further ahead was counted by a clock that has stepped back since.
const FURTHEST: u64 = 2 * MINUTE;

/// Counts one more ticket, or tells when the next one may be made.
pub(super) async fn count(
    connection: &mut Connection,
    ticket: &CreateTicket,
    limits: &TicketLimits,
    now: Moment,
) -> Result<Option<u64>, StoreError> {
    // Apart, so that nobody keeps those from a web view who are logged in, by making codes to scan.
    let kind = match ticket.purpose {
        TicketPurpose::Scan | TicketPurpose::Launch => "begin",
        TicketPurpose::HandOver => "hand_over",
    };
    // The client first: one that may make no more takes nothing from all the others.
    if let Some(address) = &ticket.client_address {
        let counted_by = format!("{kind} {}", client_key(address));
        if let Some(retry_at) = count_one(connection, &counted_by, limits.a_minute_of_a_client, now).await? {
            return Ok(Some(retry_at));
        }
    }
    count_one(connection, kind, limits.a_minute, now).await
}

async fn count_one(connection: &mut Connection, counted_by: &str, a_minute: u32, now: Moment) -> Result<Option<u64>, StoreError> {
    let limit = u64::from(a_minute.max(1));
    let share = MINUTE.div_ceil(limit);
    let room = share.saturating_mul(limit - 1);
    let now = now.millis().saturating_mul(1000);
    let done = sqlx::query(
        "INSERT INTO ticket_limits (counted_by, due) VALUES ($1, $2 + $3)
         ON CONFLICT (counted_by) DO UPDATE
         SET due = CASE WHEN ticket_limits.due BETWEEN $2 AND $5 THEN ticket_limits.due ELSE $2 END + $3
         WHERE ticket_limits.due <= $4 OR ticket_limits.due > $5",
    )
    .bind(counted_by)
    .bind(to_sql(now))
    .bind(to_sql(share))
    .bind(to_sql(now.saturating_add(room)))
    .bind(to_sql(now.saturating_add(FURTHEST)))
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(None);
    }
    let due: i64 = sqlx::query_scalar("SELECT due FROM ticket_limits WHERE counted_by = $1").bind(counted_by).fetch_one(connection).await?;
    Ok(Some(from_sql(due).saturating_sub(room).div_ceil(1_000_000)))
}
