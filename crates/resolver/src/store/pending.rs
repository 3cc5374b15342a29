//! What is remembered of logins that wait for their person.

use std::fmt;
use std::future::Future;

use resolver_api::{Candidate, FinishAnswer, ProofMethod, SendCodeAnswer};

use super::StoreError;
use super::error::Undo;
use crate::account::PasswordHash;
use crate::address::Address;
use crate::clock::Moment;
use crate::ids::UserId;
use crate::pending::{Pending, PendingToken};
use crate::policy::Terms;

/// Logins that wait for their person. A store makes them ([`Store::login`](super::Store::login)).
pub trait PendingStore {
    /// The pending login with this token, and the accounts to choose from; none when it is over.
    fn find_pending(&self, token: &PendingToken, now: Moment) -> impl Future<Output = Result<Option<Waiting>, StoreError>> + Send;

    /// Notes that a code is asked for; none when the login is over. The same request again gets the same answer.
    fn request_code(
        &self,
        token: &PendingToken,
        request: &CodeRequest,
        now: Moment,
    ) -> impl Future<Output = Result<Option<CodeRequested>, StoreError>> + Send;

    /// The one active account of the pool with a password and this username, phone number or e-mail address.
    fn find_password(&self, pool: &str, account: &str) -> impl Future<Output = Result<Option<StoredPassword>, StoreError>> + Send;

    /// Counts a wrong answer, or ends the login with a right one, or answers how it ended when that was by the same answer.
    /// `terms` are those of the resolver that was asked.
    fn finish_pending(
        &self,
        token: &PendingToken,
        answer: &Answered,
        terms: &Terms,
        now: Moment,
    ) -> impl Future<Output = Result<FinishAnswer, FinishError>> + Send;
}

/// A login that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The login.
    pub pending: Pending,
    /// The accounts to choose from that are active.
    pub candidates: Vec<Candidate>,
}

/// A code that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRequest {
    /// How it is to be sent.
    pub method: ProofMethod,
    /// Where to.
    pub address: Address,
    /// [`PendingToken::digest_of_code`].
    pub digest: String,
    /// Where the person is, for the audit log.
    pub client_address: Option<String>,
}

/// What became of asking for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRequested {
    /// What the person is told.
    pub answer: SendCodeAnswer,
    /// Whether an account has the address, and the code has to go out.
    pub is_to_be_sent: bool,
}

/// An account's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPassword {
    /// The account.
    pub user: UserId,
    /// What its password is checked against.
    pub hash: PasswordHash,
}

/// A person's answer to a pending login, as far as it can be checked without the pending login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What is answered.
    pub proof: Checked,
    /// [`PendingToken::digest_of_proof`].
    pub digest: [u8; 32],
    /// Where the person is, for the audit log.
    pub client_address: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// This candidate.
    Choose(String),
    /// A new account.
    Create,
    /// A code with this digest.
    Code(String),
    /// A password, and that it was right for this account and this hash; none when it was wrong.
    Password(Option<StoredPassword>),
}

impl Checked {
    /// Whether somebody may hit it who does not know it, by trying often enough.
    pub fn is_a_guess(&self) -> bool {
        match self {
            Self::Code(_) | Self::Password(_) => true,
            Self::Choose(_) | Self::Create => false,
        }
    }
}

/// Why an answer was not taken.
#[derive(Debug)]
pub enum FinishError {
    /// The login is over, or never was.
    Over,
    /// It was finished by another answer.
    FinishedOtherwise,
    /// The store failed.
    Store(StoreError),
}

impl Undo for FinishError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Over | Self::FinishedOtherwise => None,
        }
    }
}

impl From<StoreError> for FinishError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for FinishError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => write!(out, "the pending login is over"),
            Self::FinishedOtherwise => write!(out, "the pending login was finished by another answer"),
            Self::Store(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for FinishError {}
