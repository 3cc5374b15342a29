//! Rows of `tickets`.

use std::collections::HashMap;

use resolver_api::tickets::{CreateTicket, RedeemAnswer, RedeemTicket, TicketIdentity, TicketPurpose, TicketState, WithdrawAuthorization};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sqlx::Row as _;

use super::identities::Person;
use super::transaction::Repeat;
use super::{Backend, Connection, Row, TEXTS_OF_1, accounts, audit, from_sql, identities, ticket_limits, to_sql, withdrawals};
use crate::audit::{Action, Actor, By};
use crate::clock::Moment;
use crate::ids::UserId;
use crate::state::TicketLimits;
use crate::store::{Made, StoreError, TicketStore};
use crate::tickets::{Granted, Held, Redeemed, TicketId, TicketName, Wish};

pub(super) const SWEEP: &str = "DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE expires_at <= $1 LIMIT $2)";

/// Each look at a ticket that finds it moved on finds it closer to its end, which is four moves away.
const LOOKS: u32 = 6;

impl TicketStore for Backend {
    async fn create_ticket(
        &self,
        name: &TicketName,
        ticket: &CreateTicket,
        limits: &TicketLimits,
        now: Moment,
    ) -> Result<Made, StoreError> {
        let held = Held::begin(name.id(), ticket.clone(), now);
        let held = &held;
        // The second time it counts twice, and makes what is not there.
        self.step(Repeat::Always, |scope| {
            Box::pin(async move {
                if let Some(retry_at) = ticket_limits::count(scope.connection, &held.made, limits, now).await? {
                    return Ok(Made::TooMany { retry_at });
                }
                create(scope.connection, held).await?;
                Ok(Made::Created(Box::new(held.clone())))
            })
        })
        .await
    }

    async fn find_ticket(&self, name: &TicketName, now: Moment) -> Result<Option<Held>, StoreError> {
        self.read(|scope| Box::pin(find(scope.connection, name, now))).await
    }

    async fn grant_wish(
        &self,
        name: &TicketName,
        wish: Wish<'_>,
        client_address: Option<&str>,
        now: Moment,
    ) -> Result<Option<(Granted, Held)>, StoreError> {
        // The second time it finds what the first time did, if it did.
        self.step(Repeat::Always, |scope| Box::pin(grant(scope.connection, name, wish, client_address, now))).await
    }

    async fn redeem_ticket(&self, name: &TicketName, redeemer: &RedeemTicket, now: Moment) -> Result<Option<RedeemAnswer>, StoreError> {
        // Likewise.
        self.step(Repeat::Always, |scope| Box::pin(redeem(scope.connection, name, redeemer, now))).await
    }

    async fn find_ticket_states(&self, tickets: &[TicketId], now: Moment) -> Result<HashMap<TicketId, TicketState>, StoreError> {
        self.read(|scope| Box::pin(find_states(scope.connection, tickets, now))).await
    }

    async fn withdraw_authorization(
        &self,
        withdrawal: &WithdrawAuthorization,
        longest_session: std::time::Duration,
        now: Moment,
    ) -> Result<Vec<UserId>, StoreError> {
        // The second time there is nothing left to do.
        self.write(Repeat::Always, |scope| Box::pin(withdrawals::withdraw(scope.connection, withdrawal, longest_session, now))).await
    }
}

async fn grant(
    connection: &mut Connection,
    name: &TicketName,
    wish: Wish<'_>,
    client_address: Option<&str>,
    now: Moment,
) -> Result<Option<(Granted, Held)>, StoreError> {
    for _ in 0..LOOKS {
        let Some(held) = find(connection, name, now).await? else {
            return Ok(None);
        };
        let moved = match held.grant(wish, now) {
            None => return Ok(None),
            Some(Granted::Moved(moved)) => shown(connection, wish, moved).await?,
            Some(granted) => return Ok(Some((granted, held))),
        };
        if update(connection, held.state, &moved).await? {
            let action = match wish {
                Wish::Scan { .. } => Action::TicketScanned,
                Wish::Confirm(_) => Action::TicketConfirmed,
                Wish::Cancel { .. } => Action::TicketCancelled,
            };
            record(connection, action, &moved, client_address, now).await?;
            return Ok(Some((Granted::Moved(moved.clone()), *moved)));
        }
    }
    Err(StoreError::Busy)
}

/// With what its person's account is known by, where WeChat told nothing with the scan: neither a mini program nor a push does.
async fn shown(connection: &mut Connection, wish: Wish<'_>, mut moved: Box<Held>) -> Result<Box<Held>, StoreError> {
    if let (Wish::Scan { platform, identity }, None) = (wish, &moved.profile) {
        let TicketIdentity { app_id, openid, unionid, .. } = identity;
        let person = Person { pool: &moved.made.pool, platform, app_id, openid, unionid: unionid.as_deref() };
        let known = identities::find(connection, person).await?;
        let owner = known.openid.or(known.unionid).map(|owned| owned.owner);
        if let Some(owner) = owner.filter(|owner| owner.is_active) {
            moved.profile = accounts::find(connection, owner.user).await?.map(|account| account.glimpse());
        }
    }
    Ok(moved)
}

async fn redeem(
    connection: &mut Connection,
    name: &TicketName,
    redeemer: &RedeemTicket,
    now: Moment,
) -> Result<Option<RedeemAnswer>, StoreError> {
    for _ in 0..LOOKS {
        let Some(held) = find(connection, name, now).await? else {
            return Ok(None);
        };
        match held.redeem(redeemer, now) {
            None => return Ok(None),
            Some(Redeemed::Already) => return Ok(Some(RedeemAnswer::Redeemed { identity: held.identity })),
            Some(Redeemed::Used) => return Ok(Some(RedeemAnswer::Used)),
            Some(Redeemed::NotConfirmed) => return Ok(Some(RedeemAnswer::NotConfirmed { state: held.state })),
            Some(Redeemed::Moved(moved)) => {
                if update(connection, held.state, &moved).await? {
                    record(connection, Action::TicketRedeemed, &moved, redeemer.client_address.as_deref(), now).await?;
                    return Ok(Some(RedeemAnswer::Redeemed { identity: moved.identity }));
                }
            }
        }
    }
    Err(StoreError::Busy)
}

/// Cancels what a person has confirmed in an app of this pool and nobody has redeemed, for they agree to it no longer.
pub(super) async fn withdraw(
    connection: &mut Connection,
    pool: &str,
    withdrawal: &WithdrawAuthorization,
    at: u64,
    now: Moment,
) -> Result<(), StoreError> {
    let WithdrawAuthorization { app_id, openid, .. } = withdrawal;
    let rows: Vec<Row> =
        sqlx::query("SELECT * FROM tickets WHERE pool = $1 AND app_id = $2 AND state = 'confirmed' AND expires_at > $3 ORDER BY id")
            .bind(pool)
            .bind(app_id)
            .bind(to_sql(now.seconds()))
            .fetch_all(&mut *connection)
            .await?;
    for row in &rows {
        let held = read(row)?;
        let Some(cancelled) = held.withdraw(app_id, openid, at) else { continue };
        if update(connection, held.state, &cancelled).await? {
            record(connection, Action::TicketCancelled, &cancelled, None, now).await?;
        }
    }
    Ok(())
}

async fn create(connection: &mut Connection, held: &Held) -> Result<(), StoreError> {
    let made = &held.made;
    sqlx::query(
        "INSERT INTO tickets (id, purpose, pool, application, connector, app_id, challenge, number, client, client_address,
             state, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING",
    )
    .bind(held.id.as_str())
    .bind(purpose_name(made.purpose))
    .bind(&made.pool)
    .bind(&made.application)
    .bind(&made.connector)
    .bind(&made.app_id)
    .bind(&made.challenge)
    .bind(&made.number)
    .bind(&made.client)
    .bind(&made.client_address)
    .bind(state_name(held.state))
    .bind(to_sql(held.created_at))
    .bind(to_sql(held.expires_at))
    .execute(connection)
    .await?;
    Ok(())
}

async fn find(connection: &mut Connection, name: &TicketName, now: Moment) -> Result<Option<Held>, StoreError> {
    let row: Option<Row> = sqlx::query("SELECT * FROM tickets WHERE id = $1").bind(name.id().as_str()).fetch_optional(connection).await?;
    let held = row.as_ref().map(read).transpose()?;
    Ok(held.filter(|held| !held.is_over(now)))
}

/// Stores how the ticket stands now, unless it is no longer in the state that was looked at.
async fn update(connection: &mut Connection, expected: TicketState, held: &Held) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE tickets SET state = $3, person = $4, profile = $5, identity = $6, redemption = $7, expires_at = $8
         WHERE id = $1 AND state = $2",
    )
    .bind(held.id.as_str())
    .bind(state_name(expected))
    .bind(state_name(held.state))
    .bind(&held.person)
    .bind(held.profile.as_ref().map(to_json).transpose()?)
    .bind(held.identity.as_ref().map(to_json).transpose()?)
    .bind(&held.redemption)
    .bind(to_sql(held.expires_at))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn find_states(connection: &mut Connection, tickets: &[TicketId], now: Moment) -> Result<HashMap<TicketId, TicketState>, StoreError> {
    let ids: Vec<_> = tickets.iter().map(TicketId::as_str).collect();
    // One text for any number of them, so that it is prepared once.
    let statement = format!("SELECT id, state FROM tickets WHERE id IN {TEXTS_OF_1} AND expires_at > $2");
    let rows: Vec<Row> =
        sqlx::query(sqlx::AssertSqlSafe(statement)).bind(to_json(&ids)?).bind(to_sql(now.seconds())).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((TicketId::of_store(row.try_get("id")?), read_state(row.try_get("state")?)?))).collect()
}

/// Notes what was done to a ticket. Who it was in WeChat is nobody's business here; who of ours, the login tells that comes of it.
async fn record(
    connection: &mut Connection,
    action: Action,
    held: &Held,
    client_address: Option<&str>,
    now: Moment,
) -> Result<(), StoreError> {
    let made = &held.made;
    let somebody = By { actor: Actor::Wechat, client_address: client_address.map(ToOwned::to_owned) };
    let detail = json!({
        "ticket": held.id.short(),
        "purpose": made.purpose,
        "application": made.application,
        "connector": made.connector,
        "begun_at": made.client_address,
    });
    audit::record(connection, &somebody.entry(&made.pool, action, None, detail), now).await
}

fn read(row: &Row) -> Result<Held, StoreError> {
    let purpose = match row.try_get("purpose")? {
        "scan" => TicketPurpose::Scan,
        "launch" => TicketPurpose::Launch,
        "hand_over" => TicketPurpose::HandOver,
        _ => return Err(UNREADABLE),
    };
    let created_at = from_sql(row.try_get("created_at")?);
    let expires_at = from_sql(row.try_get("expires_at")?);
    Ok(Held {
        id: TicketId::of_store(row.try_get("id")?),
        made: CreateTicket {
            purpose,
            pool: row.try_get("pool")?,
            application: row.try_get("application")?,
            connector: row.try_get("connector")?,
            app_id: row.try_get("app_id")?,
            challenge: row.try_get("challenge")?,
            number: row.try_get("number")?,
            client: row.try_get("client")?,
            client_address: row.try_get("client_address")?,
            lifetime_seconds: expires_at.saturating_sub(created_at),
        },
        state: read_state(row.try_get("state")?)?,
        person: row.try_get("person")?,
        profile: from_json(row.try_get("profile")?)?,
        identity: from_json(row.try_get("identity")?)?,
        redemption: row.try_get("redemption")?,
        created_at,
        expires_at,
    })
}

const UNREADABLE: StoreError = StoreError::Unreadable("a ticket");

fn read_state(name: &str) -> Result<TicketState, StoreError> {
    use TicketState::{Cancelled, Confirmed, Redeemed, Scanned, Waiting};
    [Waiting, Scanned, Confirmed, Cancelled, Redeemed].into_iter().find(|state| state_name(*state) == name).ok_or(UNREADABLE)
}

fn state_name(state: TicketState) -> &'static str {
    match state {
        TicketState::Waiting => "waiting",
        TicketState::Scanned => "scanned",
        TicketState::Confirmed => "confirmed",
        TicketState::Cancelled => "cancelled",
        TicketState::Redeemed => "redeemed",
    }
}

fn purpose_name(purpose: TicketPurpose) -> &'static str {
    match purpose {
        TicketPurpose::Scan => "scan",
        TicketPurpose::Launch => "launch",
        TicketPurpose::HandOver => "hand_over",
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Database(error.into()))
}

fn from_json<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, StoreError> {
    // serde's error may quote what it stumbled over.
    text.map(|text| serde_json::from_str(text).map_err(|_| UNREADABLE)).transpose()
}
