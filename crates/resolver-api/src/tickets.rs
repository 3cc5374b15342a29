//! Tickets: a login that begins on one device and is proved on another, and whatever else may happen only once.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/tickets` | [`CreateTicket`] | 200 [`CreateTicketAnswer`] |
//! | `GET /v1/tickets/{ticket}?wait_ms=N&known=STATE&client_address=A` | | 200 [`Ticket`]: at once where the state is no longer `known`, else when it changes or after `N` ms (at most 10000). 404 when it is over |
//! | `POST /v1/tickets/{ticket}/scan` | [`ScanTicket`] | 200 [`ScanAnswer`], or 404 when it is over |
//! | `POST /v1/tickets/{ticket}/confirm` | [`ConfirmTicket`] | 200 [`ScanAnswer`], or 404 when it is over |
//! | `POST /v1/tickets/{ticket}/cancel` | [`CancelTicket`] | 200 [`ScanAnswer`], or 404 when it is over |
//! | `POST /v1/tickets/{ticket}/redeem` | [`RedeemTicket`] | 200 [`RedeemAnswer`], or 404 when it is over, or the verifier is another's |
//!
//! A ticket goes from `waiting` to `scanned` to `confirmed` to `redeemed`, or ends as `cancelled`; each step is taken once,
//! by a compare-and-set in the store. It is over when its time is, and when it was confirmed and nobody has redeemed it
//! within [`COLLECT_SECONDS`]. A redeemed one is remembered for [`COLLECT_SECONDS`] more, for whoever repeats that, then erased.
//! One that is over, one that never was and one of another WeChat app look the same.

use serde::{Deserialize, Serialize};

use crate::Profile;

/// A confirmed ticket that nobody redeems is over after so many seconds.
pub const COLLECT_SECONDS: u64 = 60;

/// The longest that a request waits for a ticket's state to change, in milliseconds.
pub const LONGEST_WAIT_MS: u64 = 10_000;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TicketPurpose {
    /// A browser shows a code, a phone scans it, and the browser collects the login.
    Scan,
    /// A native app opens a mini program, which hands a login back to it.
    Launch,
    /// A session goes over to a web view: confirmed from the start, without an identity, so nobody scans it, and it is over
    /// after [`COLLECT_SECONDS`].
    HandOver,
}

/// How far a ticket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// Nobody has scanned it.
    Waiting,
    /// One WeChat person has, and no other may.
    Scanned,
    /// That person has agreed.
    Confirmed,
    /// That person has refused.
    Cancelled,
    /// Whoever began it has collected what it is for.
    Redeemed,
}

/// Makes a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateTicket {
    /// What it is for.
    pub purpose: TicketPurpose,
    /// The user pool of the application, as in [`crate::LoginRequest::pool`]: whose audit log tells of the ticket.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub pool: String,
    /// The application where the person logs in, as in [`crate::LoginRequest::application`].
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub application: String,
    /// As in [`crate::LoginRequest::connector`].
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub connector: String,
    /// The WeChat app in which it may be scanned, as in [`crate::LoginRequest::app_id`].
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub app_id: String,
    /// Only who knows the verifier may redeem it: `BASE64URL(SHA-256(verifier))`, RFC 7636's S256. 43 characters.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{43}$"))]
    pub challenge: String,
    /// Two digits that both devices show, for the person to compare.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9]{2}$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What kind of client began it, such as `Chrome, Windows`: shown to whoever scans. At most 64 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Where it was begun: an IP address as Envoy saw it. Shown to whoever scans, and what limits are counted by (of IPv6 the
    /// first 64 bits); without it only the limit of all clients together counts.
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// 10 to 600 seconds; of [`TicketPurpose::HandOver`] at most [`COLLECT_SECONDS`] count.
    #[cfg_attr(feature = "openapi", schema(minimum = 10, maximum = 600))]
    pub lifetime_seconds: u64,
}

/// What became of making a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum CreateTicketAnswer {
    /// It waits.
    Created {
        /// Its name: 22 base64url characters, 128 random bits, which fit into WeChat's `scene`.
        #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{22}$"))]
        ticket: String,
        /// When it is over.
        expires_at: u64,
    },
    /// This client, or all clients together, made too many.
    TooMany {
        /// When to try again.
        retry_at: u64,
    },
}

/// A ticket, as whoever began it and whoever scans it may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// As it was made.
    pub purpose: TicketPurpose,
    /// As it was made.
    pub application: String,
    /// As it was made.
    pub connector: String,
    /// As it was made.
    pub app_id: String,
    /// How far it has come.
    pub state: TicketState,
    /// As it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// As it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// As it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// When it was made.
    pub created_at: u64,
    /// When it is over, as it stands now: confirming and redeeming move it.
    pub expires_at: u64,
    /// Who has scanned it, once somebody has: for display, to whoever began it and to the person. What WeChat told with the
    /// scan, or else what a resolver knows of the account and thinks fit to show before anything is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// The answer came before its time, because too many wait or the resolver stops: ask again after so many seconds, not sooner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

/// A WeChat person has opened the ticket, which WeChat itself has said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScanTicket {
    /// As in [`crate::LoginRequest::platform`]: by it the person's account is found, for [`Ticket::profile`].
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub platform: String,
    /// Who.
    pub identity: TicketIdentity,
    /// From where, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// The person agrees. A ticket that nobody has scanned is scanned by this, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfirmTicket {
    /// Who; all of it is what the redeemer gets.
    pub identity: TicketIdentity,
    /// From where, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// The person refuses. A ticket that nobody has scanned is scanned by this, too, and one that is confirmed can still be cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelTicket {
    /// In which app.
    pub app_id: String,
    /// Who: as the one who scanned.
    pub openid: String,
    /// From where, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// A WeChat person, as the filter learnt it from WeChat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TicketIdentity {
    /// As in [`crate::LoginRequest::app_id`]; a ticket of another app is not found.
    pub app_id: String,
    /// As in [`crate::LoginRequest::openid`].
    pub openid: String,
    /// As in [`crate::LoginRequest::unionid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    /// As in [`crate::LoginRequest::profile`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// As in [`crate::LoginRequest::phone_number`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
}

/// What became of scanning, confirming or cancelling. The same person may do the same again, and gets the same answer: what
/// was said first is what counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ScanAnswer {
    /// It is done.
    Done {
        /// The ticket, as it stands now.
        ticket: Box<Ticket>,
    },
    /// Somebody else has scanned it, whatever became of it then.
    Taken,
    /// It has gone on without this: the same person has cancelled it, or it was redeemed.
    Settled,
}

/// Collects what a ticket is for, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedeemTicket {
    /// What the challenge was made of. 22 to 128 characters of `[A-Za-z0-9._~-]`.
    #[cfg_attr(feature = "openapi", schema(pattern = r"^[A-Za-z0-9._~-]{22,128}$"))]
    pub verifier: String,
    /// The application where it is collected: that of the ticket, or it is not found.
    pub application: String,
    /// Names this one try, 22 base64url characters: the same try again, after a lost answer, gets the same answer.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{22}$"))]
    pub redemption: String,
    /// From where, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// What became of redeeming.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum RedeemAnswer {
    /// It is the caller's, and nobody else's.
    Redeemed {
        /// Who has confirmed it; absent for [`TicketPurpose::HandOver`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<TicketIdentity>,
    },
    /// It is not confirmed (yet).
    NotConfirmed {
        /// How far it has come.
        state: TicketState,
    },
    /// It was redeemed before.
    Used,
}

/// WeChat says that a person has withdrawn their consent, or that their WeChat account is gone.
///
/// `POST /v1/authorizations/withdraw`, answered 204, also where nobody is known by it: every session of the accounts that
/// began up to then ends, what WeChat had told of the person (name, picture) is erased, and tickets that the person had
/// confirmed in this app, and nobody has redeemed, are cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WithdrawAuthorization {
    /// In which user pools.
    pub pools: Vec<String>,
    /// As in [`crate::LoginRequest::platform`].
    pub platform: String,
    /// As in [`crate::LoginRequest::app_id`].
    pub app_id: String,
    /// As in [`crate::LoginRequest::openid`].
    pub openid: String,
    /// As in [`crate::LoginRequest::unionid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    /// What happened.
    pub reason: Withdrawal,
    /// When, by WeChat's clock: a repetition of the message touches nothing that is newer.
    pub at: u64,
}

/// Why an authorization is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// `user_authorization_revoke`: the person took it back.
    Revoked,
    /// `user_authorization_cancellation`: the WeChat account was closed.
    Cancelled,
}

impl std::fmt::Debug for RedeemTicket {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RedeemTicket").field("application", &self.application).finish_non_exhaustive()
    }
}
