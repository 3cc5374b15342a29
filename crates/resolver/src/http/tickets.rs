//! Tickets: logins that begin on one device and end on another.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use resolver_api::Problem;
use resolver_api::tickets::{
    CancelTicket, ConfirmTicket, CreateTicket, CreateTicketAnswer, LONGEST_WAIT_MS, RedeemAnswer, RedeemTicket, ScanAnswer, ScanTicket,
    Ticket, TicketState, WithdrawAuthorization,
};
use serde::Deserialize;
use tokio::time::Instant;

use super::extract::{InPath, JsonBody, PathId, QueryOf, check_client_address};
use super::problem::{BodyProblems, CommonProblems, Failure};
use crate::state::AppState;
use crate::store::{Made, Store, StoreError};
use crate::tickets::{
    Granted, Held, TicketName, Wish, check_identity, check_new, check_person, check_redeemer, check_scanner, check_withdrawal, client_key,
};
use crate::waits::{NoPlace, Place, Waits};

const OVER: Failure = Failure::NotFound("the ticket is over, or never was");

/// After how many seconds to ask again where all places to wait are taken.
const RETRY_AFTER: u32 = 5;

/// The same when the resolver stops: another one answers, or this one soon.
const RETRY_AFTER_STOP: u32 = 1;

impl InPath for TicketName {
    fn parse(text: &str) -> Result<Self, Failure> {
        // A text that is no name is the name of nothing.
        Self::parse(text).ok_or(OVER)
    }
}

/// Make a ticket
///
/// Its name is given to nobody but who asks: whoever has it may look at the ticket.
#[utoipa::path(
    post,
    path = "/v1/tickets",
    tag = "tickets",
    operation_id = "createTicket",
    request_body = CreateTicket,
    responses(
        (status = 200, description = "The ticket, or when to try again", body = CreateTicketAnswer),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn create<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    JsonBody(ticket): JsonBody<CreateTicket>,
) -> Result<Json<CreateTicketAnswer>, Failure> {
    refuse(check_new(&ticket))?;
    let name = TicketName::random().map_err(StoreError::from)?;
    let made = state.store.create_ticket(&name, &ticket, &state.limits.tickets, state.clock.now()).await?;
    let (purpose, connector, application) = (ticket.purpose, &ticket.connector, &ticket.application);
    match made {
        Made::Created(held) => {
            tracing::info!(?purpose, connector, application, "ticket made");
            Ok(Json(CreateTicketAnswer::Created { ticket: name.as_str().to_owned(), expires_at: held.expires_at }))
        }
        Made::TooMany { retry_at } => {
            // Whoever makes too many does so often.
            tracing::debug!(?purpose, connector, application, "too many tickets");
            Ok(Json(CreateTicketAnswer::TooMany { retry_at }))
        }
    }
}

/// How long to wait, for what, and who does.
#[derive(Deserialize)]
pub(super) struct Wait {
    wait_ms: Option<String>,
    known: Option<String>,
    client_address: Option<String>,
}

impl Wait {
    fn duration(&self) -> Result<Duration, Failure> {
        let Some(text) = &self.wait_ms else {
            return Ok(Duration::ZERO);
        };
        match text.parse() {
            Ok(millis @ 0..=LONGEST_WAIT_MS) => Ok(Duration::from_millis(millis)),
            _ => Err(Failure::InvalidRequest(format!("wait_ms in the query: expected a whole number from 0 to {LONGEST_WAIT_MS}"))),
        }
    }

    fn known(&self) -> Result<Option<TicketState>, Failure> {
        let Some(text) = self.known.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let state = serde_json::from_value(text.into());
        state.map(Some).map_err(|_| {
            Failure::InvalidRequest("known in the query: expected waiting, scanned, confirmed, cancelled or redeemed".to_owned())
        })
    }
}

/// Look at a ticket
///
/// At once where its state is not `known`; else when it changes, or after `wait_ms`. One client waits at most three times at once: the fourth time, and when too many
/// wait in all, it is answered at once with `retry_after`.
#[utoipa::path(
    get,
    path = "/v1/tickets/{ticket}",
    tag = "tickets",
    operation_id = "findTicket",
    params(
        ("ticket" = String, Path, description = "The ticket's name", min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{22}$"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for another state, in milliseconds; 0 when absent", minimum = 0, maximum = 10000),
        ("known" = Option<TicketState>, Query, description = "The state that the caller knows"),
        ("client_address" = Option<String>, Query, description = "Who waits: an IP address as Envoy saw it", max_length = 64),
    ),
    responses(
        (status = 200, description = "The ticket", body = Ticket),
        (status = 400, description = "`/problems/invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`/problems/not-found`: it is over", body = Problem, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub(super) async fn find<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(name): PathId<TicketName>,
    QueryOf(query): QueryOf<Wait>,
) -> Result<Json<Ticket>, Failure> {
    check_client_address(query.client_address.as_deref())?;
    let deadline = Instant::now() + query.duration()?;
    let Some(known) = query.known()?.filter(|_| deadline > Instant::now()) else {
        return Ok(Json(read(&state, &name).await?.to_ticket()));
    };
    // Before the ticket is read, so that no change falls between.
    let place = Waits::take(&state, name.id(), query.client_address.as_deref().map(client_key));
    let held = read(&state, &name).await?;
    let (held, retry_after) = match place {
        _ if held.state != known => (held, None),
        Err(NoPlace) => (held, Some(RETRY_AFTER)),
        Ok(place) => wait(&state, &name, held, place, deadline).await?,
    };
    Ok(Json(Ticket { retry_after, ..held.to_ticket() }))
}

/// Waits until the ticket is no longer as it is held, or it is time to answer. Has no connection to the database meanwhile.
async fn wait<S: Store>(
    state: &AppState<S>,
    name: &TicketName,
    mut held: Held,
    mut place: Place,
    deadline: Instant,
) -> Result<(Held, Option<u32>), Failure> {
    let known = held.state;
    while held.state == known {
        match tokio::time::timeout_at(deadline, place.news(known)).await {
            Ok(Ok(())) => held = read(state, name).await?,
            Ok(Err(_)) => return Ok((held, Some(RETRY_AFTER_STOP))),
            Err(_) => break,
        }
    }
    Ok((held, None))
}

async fn read<S: Store>(state: &AppState<S>, name: &TicketName) -> Result<Held, Failure> {
    let read = async {
        let _turn = state.waits.reads.acquire().await.map_err(|_| Failure::Internal)?;
        state.store.find_ticket(name, state.clock.now()).await?.ok_or(OVER)
    };
    tokio::time::timeout(state.limits.request, read).await.map_err(|_| Failure::TimedOut)?
}

/// Scan a ticket
///
/// The first WeChat person to do so is the only one who can.
#[utoipa::path(
    post,
    path = "/v1/tickets/{ticket}/scan",
    tag = "tickets",
    operation_id = "scanTicket",
    params(("ticket" = String, Path, description = "The ticket's name")),
    request_body = ScanTicket,
    responses(
        (status = 200, description = "What became of it", body = ScanAnswer),
        (status = 404, description = "`/problems/not-found`: it is over, or of another WeChat app", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn scan<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(name): PathId<TicketName>,
    JsonBody(ScanTicket { platform, mut identity, client_address }): JsonBody<ScanTicket>,
) -> Result<Json<ScanAnswer>, Failure> {
    check_client_address(client_address.as_deref())?;
    refuse(check_scanner(&platform, &mut identity))?;
    grant(&state, &name, Wish::Scan { platform: &platform, identity: &identity }, client_address.as_deref()).await
}

/// Confirm a ticket
///
/// The person agrees. A ticket that nobody has scanned is scanned by this, too.
#[utoipa::path(
    post,
    path = "/v1/tickets/{ticket}/confirm",
    tag = "tickets",
    operation_id = "confirmTicket",
    params(("ticket" = String, Path, description = "The ticket's name")),
    request_body = ConfirmTicket,
    responses(
        (status = 200, description = "What became of it", body = ScanAnswer),
        (status = 404, description = "`/problems/not-found`: it is over, or of another WeChat app", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn confirm<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(name): PathId<TicketName>,
    JsonBody(ConfirmTicket { mut identity, client_address }): JsonBody<ConfirmTicket>,
) -> Result<Json<ScanAnswer>, Failure> {
    check_client_address(client_address.as_deref())?;
    refuse(check_identity(&mut identity))?;
    grant(&state, &name, Wish::Confirm(&identity), client_address.as_deref()).await
}

/// Cancel a ticket
///
/// The person refuses, also once they have confirmed, until it is redeemed.
#[utoipa::path(
    post,
    path = "/v1/tickets/{ticket}/cancel",
    tag = "tickets",
    operation_id = "cancelTicket",
    params(("ticket" = String, Path, description = "The ticket's name")),
    request_body = CancelTicket,
    responses(
        (status = 200, description = "What became of it", body = ScanAnswer),
        (status = 404, description = "`/problems/not-found`: it is over, or of another WeChat app", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn cancel<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(name): PathId<TicketName>,
    JsonBody(CancelTicket { app_id, openid, client_address }): JsonBody<CancelTicket>,
) -> Result<Json<ScanAnswer>, Failure> {
    check_client_address(client_address.as_deref())?;
    refuse(check_person(&app_id, &openid))?;
    grant(&state, &name, Wish::Cancel { app_id: &app_id, openid: &openid }, client_address.as_deref()).await
}

async fn grant<S: Store>(
    state: &AppState<S>,
    name: &TicketName,
    wish: Wish<'_>,
    client_address: Option<&str>,
) -> Result<Json<ScanAnswer>, Failure> {
    let granted = state.store.grant_wish(name, wish, client_address, state.clock.now()).await?;
    let action = match wish {
        Wish::Scan { .. } => "scan",
        Wish::Confirm(_) => "confirm",
        Wish::Cancel { .. } => "cancel",
    };
    let Some((granted, held)) = granted else {
        tracing::info!(action, answer = "over", "ticket");
        return Err(OVER);
    };
    let (answer, is_moved) = match granted {
        Granted::Moved(_) => ("done", true),
        Granted::Already => ("done_before", false),
        Granted::Taken => ("taken", false),
        Granted::Settled => ("settled", false),
    };
    if is_moved {
        state.waits.moved(&held.id, held.state);
    }
    tracing::info!(action, answer, connector = held.made.connector, application = held.made.application, "ticket");
    Ok(Json(match granted {
        Granted::Moved(_) | Granted::Already => ScanAnswer::Done { ticket: Box::new(held.to_ticket()) },
        Granted::Taken => ScanAnswer::Taken,
        Granted::Settled => ScanAnswer::Settled,
    }))
}

/// Redeem a ticket
///
/// Gives what it is for to one redeemer, who gets it again by the same `redemption`. A wrong verifier or application finds no ticket.
#[utoipa::path(
    post,
    path = "/v1/tickets/{ticket}/redeem",
    tag = "tickets",
    operation_id = "redeemTicket",
    params(("ticket" = String, Path, description = "The ticket's name")),
    request_body = RedeemTicket,
    responses(
        (status = 200, description = "What became of it", body = RedeemAnswer),
        (status = 404, description = "`/problems/not-found`: it is over, or another's", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn redeem<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(name): PathId<TicketName>,
    JsonBody(redeemer): JsonBody<RedeemTicket>,
) -> Result<Json<RedeemAnswer>, Failure> {
    check_client_address(redeemer.client_address.as_deref())?;
    refuse(check_redeemer(&redeemer))?;
    let redeemed = state.store.redeem_ticket(&name, &redeemer, state.clock.now()).await?;
    let answer = match &redeemed {
        Some(RedeemAnswer::Redeemed { .. }) => "redeemed",
        Some(RedeemAnswer::NotConfirmed { .. }) => "not_confirmed",
        Some(RedeemAnswer::Used) => "used",
        None => "over",
    };
    tracing::info!(action = "redeem", answer, application = redeemer.application, "ticket");
    if answer == "redeemed" {
        state.waits.moved(&name.id(), TicketState::Redeemed);
    }
    redeemed.map(Json).ok_or(OVER)
}

/// End what a WeChat person has withdrawn
///
/// The sessions that began up to then end, and the profile is erased that WeChat told before, of the accounts that have the identity; tickets that it has confirmed up to then, and nobody has redeemed, are cancelled. 204 also where nobody has it, and when it was done before.
#[utoipa::path(
    post,
    path = "/v1/authorizations/withdraw",
    tag = "authorizations",
    operation_id = "withdrawAuthorization",
    request_body = WithdrawAuthorization,
    responses(
        (status = 204, description = "Done"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn withdraw<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    JsonBody(withdrawal): JsonBody<WithdrawAuthorization>,
) -> Result<StatusCode, Failure> {
    refuse(check_withdrawal(&withdrawal))?;
    let accounts = state.store.withdraw_authorization(&withdrawal, state.limits.longest_session, state.clock.now()).await?;
    tracing::info!(reason = ?withdrawal.reason, accounts = accounts.len(), "authorization withdrawn");
    Ok(StatusCode::NO_CONTENT)
}

fn refuse(problems: Vec<String>) -> Result<(), Failure> {
    if problems.is_empty() { Ok(()) } else { Err(Failure::InvalidRequest(problems.join("; "))) }
}
