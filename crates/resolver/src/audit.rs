//! The audit log: who did what to which account from where. Entries are added in the transaction of what they tell, and never
//! changed. They hold ids and names of fields; never a secret, a code, what a field holds, or what WeChat calls somebody.

use std::fmt;

use serde_json::Value;

use crate::ids::UserId;

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The pool that it happened in.
    pub pool: String,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// The account that it is about, if there is one.
    pub user: Option<UserId>,
    /// Where they were: an IP address.
    pub client_address: Option<String>,
    /// More about it: an object.
    pub detail: Value,
}

/// Who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// The IP address of their connection, where it is known.
    pub client_address: Option<String>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The administrator of this name.
    Admin(String),
    /// The account's own person.
    User(UserId),
    /// A login, as WeChat proved it.
    Wechat,
}

/// What was done. The names are stable: people search for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Action {
    SignedIn,
    Registered,
    LoginRefused,
    IdentityRecorded,
    IdentityLinked,
    IdentityUnlinked,
    IdentityMoved,
    AccountChosen,
    AccountBound,
    CodeSent,
    ProofFailed,
    SignedOutEverywhere,
    SessionRevoked,
    UserCreated,
    UserChanged,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    UsersMerged,
    UsersImported,
    PolicyChanged,
    TicketScanned,
    TicketConfirmed,
    TicketCancelled,
    TicketRedeemed,
    AuthorizationWithdrawn,
}

impl By {
    /// An entry of what they do.
    pub fn entry(&self, pool: &str, action: Action, user: Option<UserId>, detail: Value) -> Entry {
        let By { actor, client_address } = self.clone();
        Entry { pool: pool.to_owned(), actor, action, user, client_address, detail }
    }
}

impl Action {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::Registered => "registered",
            Self::LoginRefused => "login_refused",
            Self::IdentityRecorded => "identity_recorded",
            Self::IdentityLinked => "identity_linked",
            Self::IdentityUnlinked => "identity_unlinked",
            Self::IdentityMoved => "identity_moved",
            Self::AccountChosen => "account_chosen",
            Self::AccountBound => "account_bound",
            Self::CodeSent => "code_sent",
            Self::ProofFailed => "proof_failed",
            Self::SignedOutEverywhere => "signed_out_everywhere",
            Self::SessionRevoked => "session_revoked",
            Self::UserCreated => "user_created",
            Self::UserChanged => "user_changed",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::UserDeleted => "user_deleted",
            Self::UsersMerged => "users_merged",
            Self::UsersImported => "users_imported",
            Self::PolicyChanged => "policy_changed",
            Self::TicketScanned => "ticket_scanned",
            Self::TicketConfirmed => "ticket_confirmed",
            Self::TicketCancelled => "ticket_cancelled",
            Self::TicketRedeemed => "ticket_redeemed",
            Self::AuthorizationWithdrawn => "authorization_withdrawn",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin(name) => write!(out, "admin:{name}"),
            Self::User(id) => write!(out, "user:{id}"),
            Self::Wechat => write!(out, "wechat"),
        }
    }
}
