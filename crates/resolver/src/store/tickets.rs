//! What is remembered of tickets.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use resolver_api::tickets::{CreateTicket, RedeemAnswer, RedeemTicket, TicketState, WithdrawAuthorization};

use super::StoreError;
use crate::clock::Moment;
use crate::ids::UserId;
use crate::state::TicketLimits;
use crate::tickets::{Granted, Held, TicketId, TicketName, Wish};

/// Tickets. What changes one does so only while it is in the state that was looked at, so each step is taken once.
pub trait TicketStore {
    /// Makes a ticket, unless its client or all of them have made too many: then nothing but when to try again.
    fn create_ticket(
        &self,
        name: &TicketName,
        ticket: &CreateTicket,
        limits: &TicketLimits,
        now: Moment,
    ) -> impl Future<Output = Result<Made, StoreError>> + Send;

    /// The ticket of this name; none when it is over.
    fn find_ticket(&self, name: &TicketName, now: Moment) -> impl Future<Output = Result<Option<Held>, StoreError>> + Send;

    /// Does what a WeChat person wants of a ticket, and tells the ticket as it stands then; none when it is over, or not for them.
    fn grant_wish(
        &self,
        name: &TicketName,
        wish: Wish<'_>,
        client_address: Option<&str>,
        now: Moment,
    ) -> impl Future<Output = Result<Option<(Granted, Held)>, StoreError>> + Send;

    /// Redeems a ticket, or answers what was answered to the same redemption before; none when it is over, or not for this redeemer.
    fn redeem_ticket(
        &self,
        name: &TicketName,
        redeemer: &RedeemTicket,
        now: Moment,
    ) -> impl Future<Output = Result<Option<RedeemAnswer>, StoreError>> + Send;

    /// How far those of the tickets have come that are not over.
    fn find_ticket_states(
        &self,
        tickets: &[TicketId],
        now: Moment,
    ) -> impl Future<Output = Result<HashMap<TicketId, TicketState>, StoreError>> + Send;

    /// Ends the sessions that began up to then, and erases what WeChat told, of the accounts that have the identity, and cancels what it
    /// has confirmed up to then and nobody has redeemed. Tells which accounts that changed.
    fn withdraw_authorization(
        &self,
        withdrawal: &WithdrawAuthorization,
        longest_session: Duration,
        now: Moment,
    ) -> impl Future<Output = Result<Vec<UserId>, StoreError>> + Send;
}

/// What became of making a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is there.
    Created(Box<Held>),
    /// Not before this second.
    TooMany {
        /// When to try again.
        retry_at: u64,
    },
}
