//! The resolver's client: builds calls, reads answers. The types are those of the agreement, `resolver_api`.

mod answers;

use answers::Misfit;
use resolver_api::tickets::{
    CancelTicket, ConfirmTicket, CreateTicket, CreateTicketAnswer, RedeemAnswer, RedeemTicket, ScanAnswer, ScanTicket, Ticket, TicketState,
    WithdrawAuthorization,
};
use resolver_api::{
    AccountChange, AccountView, FinishAnswer, FinishLogin, LoginOutcome, LoginRequest, PendingLogin, RevocationFeed, RevokeSession,
    SendCode, SendCodeAnswer, UnlinkAnswer,
};
use serde::Serialize;
use serde_json::Value;

use crate::config::ResolverService;
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::http::{CallFailure, CallResult, HttpCall, MAX_REPLY_BYTES, Peer, push_escaped};

/// How long a resolver holds a question about a ticket: what the agreement allows.
const WAIT_MS: u32 = 10_000;

/// How much later its answer may come.
const WAIT_GRACE_MS: u32 = 2_000;

/// `POST /v1/logins`. Idempotent by the key in it.
pub fn login(service: &ResolverService, request: &LoginRequest) -> HttpCall {
    post(service, "logins.create", "/v1/logins".into(), request)
}

/// `GET /v1/logins/{key}`: what became of a login that somebody else sent. Waits up to a second for it.
pub fn login_outcome(service: &ResolverService, idempotency_key: &str) -> HttpCall {
    get(service, "logins.find", format!("/v1/logins/{idempotency_key}?wait_ms=1000"))
}

/// `GET /v1/pending-logins/{pending}`: what a login waits for.
pub fn pending_login(service: &ResolverService, pending: &str) -> HttpCall {
    get(service, "pending.find", below("/v1/pending-logins/", pending, ""))
}

/// `POST /v1/pending-logins/{pending}/code`: another one for each call.
pub fn send_code(service: &ResolverService, pending: &str, request: &SendCode) -> HttpCall {
    post(service, "pending.code", below("/v1/pending-logins/", pending, "/code"), request)
}

/// `POST /v1/pending-logins/{pending}/finish`. The same answer again gets the same outcome, but a wrong one costs a try.
pub fn finish(service: &ResolverService, pending: &str, request: &FinishLogin) -> HttpCall {
    post(service, "pending.finish", below("/v1/pending-logins/", pending, "/finish"), request)
}

/// `GET /v1/users/{user}`: a person's own account.
pub fn account(service: &ResolverService, user: &str, pool: &str) -> HttpCall {
    let mut path = below("/v1/users/", user, "?pool=");
    push_escaped(&mut path, pool.as_bytes());
    get(service, "accounts.find", path)
}

/// `POST /v1/users/{user}/identities/{id}/unlink`. Not to be repeated: what was unlinked is not found again.
pub fn unlink(service: &ResolverService, user: &str, identity: &str, change: &AccountChange) -> HttpCall {
    let mut path = below("/v1/users/", user, "/identities/");
    push_escaped(&mut path, identity.as_bytes());
    path.push_str("/unlink");
    post(service, "accounts.unlink", path, change)
}

/// `POST /v1/users/{user}/revoke-sessions`. Idempotent.
pub fn revoke_sessions(service: &ResolverService, user: &str, change: &AccountChange) -> HttpCall {
    post(service, "accounts.revoke", below("/v1/users/", user, "/revoke-sessions"), change)
}

/// `POST /v1/sessions/{sid}/revoke`. Idempotent.
pub fn revoke_session(service: &ResolverService, session_id: &str, expires_at: u64) -> HttpCall {
    post(service, "sessions.revoke", below("/v1/sessions/", session_id, "/revoke"), &RevokeSession { expires_at })
}

/// `POST /v1/tickets`: another one for each call.
pub fn create_ticket(service: &ResolverService, request: &CreateTicket) -> HttpCall {
    post(service, "tickets.create", "/v1/tickets".into(), request)
}

/// `GET /v1/tickets/{ticket}`: how far it has come.
pub fn ticket(service: &ResolverService, ticket: &str) -> HttpCall {
    get(service, "tickets.find", below("/v1/tickets/", ticket, ""))
}

/// The same for whoever shows a code: on the cluster for long polls, however often they ask.
pub fn look_at_ticket(service: &ResolverService, name: &str) -> HttpCall {
    HttpCall { cluster: service.waiting_cluster.clone(), ..ticket(service, name) }
}

/// `GET /v1/tickets/{ticket}` once it is no longer `known`, or after [`WAIT_MS`]: on the cluster for long polls.
pub fn await_ticket(service: &ResolverService, ticket: &str, known: TicketState, client_address: Option<&str>) -> HttpCall {
    let known = match known {
        TicketState::Waiting => "waiting",
        TicketState::Scanned => "scanned",
        TicketState::Confirmed => "confirmed",
        TicketState::Cancelled => "cancelled",
        TicketState::Redeemed => "redeemed",
    };
    let mut path = below("/v1/tickets/", ticket, &format!("?wait_ms={WAIT_MS}&known={known}"));
    if let Some(address) = client_address {
        path.push_str("&client_address=");
        push_escaped(&mut path, address.as_bytes());
    }
    let call = get(service, "tickets.wait", path);
    HttpCall { cluster: service.waiting_cluster.clone(), timeout_ms: WAIT_MS + WAIT_GRACE_MS, ..call }
}

/// `POST /v1/tickets/{ticket}/scan`. Idempotent.
pub fn scan_ticket(service: &ResolverService, ticket: &str, request: &ScanTicket) -> HttpCall {
    post(service, "tickets.scan", below("/v1/tickets/", ticket, "/scan"), request)
}

/// `POST /v1/tickets/{ticket}/confirm`. Idempotent.
pub fn confirm_ticket(service: &ResolverService, ticket: &str, request: &ConfirmTicket) -> HttpCall {
    post(service, "tickets.confirm", below("/v1/tickets/", ticket, "/confirm"), request)
}

/// `POST /v1/tickets/{ticket}/cancel`. Idempotent.
pub fn cancel_ticket(service: &ResolverService, ticket: &str, request: &CancelTicket) -> HttpCall {
    post(service, "tickets.cancel", below("/v1/tickets/", ticket, "/cancel"), request)
}

/// `POST /v1/tickets/{ticket}/redeem`. Idempotent by the redemption's name.
pub fn redeem_ticket(service: &ResolverService, ticket: &str, request: &RedeemTicket) -> HttpCall {
    post(service, "tickets.redeem", below("/v1/tickets/", ticket, "/redeem"), request)
}

/// `POST /v1/authorizations/withdraw`. Idempotent.
pub fn withdraw_authorization(service: &ResolverService, request: &WithdrawAuthorization) -> HttpCall {
    post(service, "authorizations.withdraw", "/v1/authorizations/withdraw".into(), request)
}

/// `GET /v1/revocations`: what has been revoked since a cursor.
pub fn revocations(service: &ResolverService, cursor: &str) -> HttpCall {
    let mut path = String::from("/v1/revocations?after=");
    push_escaped(&mut path, cursor.as_bytes());
    get(service, "revocations.list", path)
}

/// Reads the answer to [`login`].
///
/// # Errors
/// [`LoginError::ResolverUnavailable`] when another try may help, [`LoginError::ResolverRejected`] when it will not.
pub fn read_login(result: CallResult) -> Result<LoginOutcome, Failure> {
    fitting(answers::login_outcome, &body(result)?)
}

/// Reads the answer to [`login_outcome`]: `None` when nobody has logged in with that key.
///
/// # Errors
/// As [`read_login`].
pub fn read_login_outcome(result: CallResult) -> Result<Option<LoginOutcome>, Failure> {
    found(answers::login_outcome, result)
}

/// Reads the answer to [`pending_login`]: `None` when it is over.
///
/// # Errors
/// As [`read_login`].
pub fn read_pending_login(result: CallResult) -> Result<Option<PendingLogin>, Failure> {
    found(answers::pending_login, result)
}

/// Reads the answer to [`send_code`]: `None` when the login is over.
///
/// # Errors
/// As [`read_login`].
pub fn read_send_code(result: CallResult) -> Result<Option<SendCodeAnswer>, Failure> {
    found(answers::send_code, result)
}

/// Reads the answer to [`finish`]: `None` when the login is over, or was finished in another way.
///
/// # Errors
/// As [`read_login`].
pub fn read_finish(result: CallResult) -> Result<Option<FinishAnswer>, Failure> {
    found(answers::finish, result)
}

/// Reads the answer to [`account`]: `None` when there is none.
///
/// # Errors
/// As [`read_login`].
pub fn read_account(result: CallResult) -> Result<Option<AccountView>, Failure> {
    found(answers::account, result)
}

/// Reads the answer to [`unlink`]: `None` when it is not linked.
///
/// # Errors
/// As [`read_login`].
pub fn read_unlink(result: CallResult) -> Result<Option<UnlinkAnswer>, Failure> {
    found(answers::unlink, result)
}

/// Reads the answer to [`create_ticket`].
///
/// # Errors
/// As [`read_login`].
pub fn read_create_ticket(result: CallResult) -> Result<CreateTicketAnswer, Failure> {
    fitting(answers::create_ticket, &body(result)?)
}

/// Reads the answer to [`ticket()`] and [`await_ticket`]: `None` when it is over.
///
/// # Errors
/// As [`read_login`].
pub fn read_ticket(result: CallResult) -> Result<Option<Ticket>, Failure> {
    found(answers::ticket, result)
}

/// Reads the answer to [`scan_ticket`], [`confirm_ticket`] and [`cancel_ticket`]: `None` when it is over.
///
/// # Errors
/// As [`read_login`].
pub fn read_scan(result: CallResult) -> Result<Option<ScanAnswer>, Failure> {
    found(answers::scan, result)
}

/// Reads the answer to [`redeem_ticket`]: `None` when it is over, or not the caller's.
///
/// # Errors
/// As [`read_login`].
pub fn read_redeem(result: CallResult) -> Result<Option<RedeemAnswer>, Failure> {
    found(answers::redeem, result)
}

/// Reads the answer to [`revoke_session`], [`revoke_sessions`] and [`withdraw_authorization`].
///
/// # Errors
/// As [`read_login`].
pub fn read_revoked(result: CallResult) -> Result<(), Failure> {
    match result {
        Ok(reply) if reply.status == 204 => Ok(()),
        result => body(result).map(drop),
    }
}

/// Reads the answer to [`revocations`].
///
/// # Errors
/// As [`read_login`].
pub fn read_revocations(result: CallResult) -> Result<RevocationFeed, Failure> {
    fitting(answers::revocations, &body(result)?)
}

/// Makes a call that is idempotent, and makes it again where it got lost on the way. An answer that came too late is not worth
/// that: the visitor has waited long enough.
pub(crate) async fn ask(calls: &Calls, call: HttpCall) -> CallResult {
    let result = calls.send(call.clone()).await;
    if was_lost(&result) { calls.send(call).await } else { result }
}

/// Whether a call got lost on the way.
pub fn was_lost(result: &CallResult) -> bool {
    match result {
        Ok(reply) => matches!(reply.status, 502 | 503),
        Err(failure) => *failure == CallFailure::Reset,
    }
}

/// `None` where what was asked about is not there (any more), or was settled in another way.
fn found<T>(read: fn(&Value) -> Result<T, Misfit>, result: CallResult) -> Result<Option<T>, Failure> {
    match result {
        Ok(reply) if matches!(reply.status, 404 | 409) => Ok(None),
        result => fitting(read, &body(result)?).map(Some),
    }
}

fn fitting<T>(read: fn(&Value) -> Result<T, Misfit>, json: &Value) -> Result<T, Failure> {
    read(json).map_err(|field| Failure::new(LoginError::ResolverRejected, format!("the answer does not fit the agreement at `{field}`")))
}

/// The JSON of a good answer.
fn body(result: CallResult) -> Result<Value, Failure> {
    let unavailable = |detail: &str| Failure::new(LoginError::ResolverUnavailable, detail);
    let reply = result.map_err(|failure| match failure {
        CallFailure::NotSent => unavailable("the call could not be sent: no such cluster, no healthy host, or too many calls under way"),
        CallFailure::Reset => unavailable("the connection ended before the answer was complete"),
        CallFailure::TooLarge => Failure::new(LoginError::ResolverRejected, "the answer is too long"),
    })?;
    match reply.status {
        200 => serde_json::from_slice(&reply.body)
            .map_err(|error| Failure::new(LoginError::ResolverRejected, format!("the answer is no JSON: {error}"))),
        429 | 500..=599 => Err(unavailable(&format!("HTTP status {}", reply.status))),
        status => Err(Failure::new(LoginError::ResolverRejected, format!("HTTP status {status}"))),
    }
}

/// A path around a name that is not ours.
fn below(parent: &str, name: &str, rest: &str) -> String {
    let mut path = String::from(parent);
    push_escaped(&mut path, name.as_bytes());
    path.push_str(rest);
    path
}

fn get(service: &ResolverService, label: &'static str, path: String) -> HttpCall {
    call(service, label, "GET", path, Vec::new())
}

fn post(service: &ResolverService, label: &'static str, path: String, body: &impl Serialize) -> HttpCall {
    // Serialising these plain structs cannot fail; if it ever did, the resolver would refuse the empty body.
    let mut call = call(service, label, "POST", path, serde_json::to_vec(body).unwrap_or_default());
    call.headers.push(("content-type", "application/json".into()));
    call
}

fn call(service: &ResolverService, label: &'static str, method: &'static str, path: String, body: Vec<u8>) -> HttpCall {
    HttpCall {
        peer: Peer::Resolver,
        label,
        cluster: service.cluster.clone(),
        authority: service.authority.clone(),
        method,
        path,
        headers: vec![("authorization", format!("Bearer {}", service.token.expose())), ("accept", "application/json".into())],
        body,
        timeout_ms: service.timeout_ms,
        max_reply_bytes: MAX_REPLY_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpReply;

    #[test]
    fn anything_but_the_agreed_answer_signs_nobody_in() {
        let read = |status, body: &str| read_login(Ok(HttpReply { status, body: body.into() })).map_err(|failure| failure.error);
        assert_eq!(read(200, r#"{"outcome":"profile_required"}"#), Ok(LoginOutcome::ProfileRequired));
        for (status, body) in [(200, "<html>"), (200, "{}"), (200, ""), (204, ""), (301, ""), (400, "{}"), (401, "{}"), (409, "{}")] {
            assert_eq!(read(status, body), Err(LoginError::ResolverRejected), "{status} {body}");
        }
        for status in [429, 500, 502, 503, 504] {
            assert_eq!(read(status, "{}"), Err(LoginError::ResolverUnavailable), "{status}");
        }
        assert_eq!(read_login(Err(CallFailure::NotSent)).unwrap_err().error, LoginError::ResolverUnavailable);
    }
}
