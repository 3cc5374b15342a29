//! A login: asked for before, decided, done.

use resolver_api::{LoginOutcome, RefusalReason};
use serde_json::{Value, json};
use uuid::Uuid;

use super::identities::{Known, Person};
use super::{Connection, accounts, audit, choices, identities, outcomes, pending, policies};
use crate::account::{Account, State};
use crate::address::Address;
use crate::audit::{Action, Actor, Entry};
use crate::clock::Moment;
use crate::ids::{self, SessionId, UserId};
use crate::login::{self, Decision, Facts, FirstLogin, IdentityKind, Login, Owner};
use crate::pending::{Pending, PendingToken};
use crate::policy::{Binding, Terms};
use crate::store::error::Undo;
use crate::store::{Answer, LoginError, StoreError};

/// Why a login is undone.
pub(super) enum Undone {
    /// One with this key was decided before.
    DecidedBefore,
    /// The store failed.
    Store(StoreError),
}

/// Decides the login, and keeps what became of it under its key.
pub(super) async fn login(connection: &mut Connection, login: &Login, terms: &Terms, now: Moment) -> Result<LoginOutcome, Undone> {
    let outcome = decide(connection, login, terms, now).await?;
    let is_first = match outcome {
        LoginOutcome::ProfileRequired => outcomes::find(connection, login.key(), now).await?.is_none(),
        _ => outcomes::create_first(connection, login.key(), &login.digest(), &outcome, now).await?,
    };
    if is_first { Ok(outcome) } else { Err(Undone::DecidedBefore) }
}

/// What was decided before for the login's key.
pub(super) async fn replay(connection: &mut Connection, login: &Login, now: Moment) -> Result<Answer, LoginError> {
    match outcomes::find(connection, login.key(), now).await? {
        Some(kept) if kept.request_digest == login.digest() => Ok(Answer { outcome: kept.outcome, is_replay: true }),
        Some(_) => Err(LoginError::KeyReused),
        // It was over in this very moment, by another resolver's clock.
        None => Err(StoreError::Busy.into()),
    }
}

async fn decide(connection: &mut Connection, login: &Login, terms: &Terms, now: Moment) -> Result<LoginOutcome, StoreError> {
    let request = login.request();
    let known = identities::find(connection, Person::of(login)).await?;
    let [openid, unionid] = [known.openid, known.unionid].map(|owned| owned.map(|owned| owned.owner));
    let link_to = match login.link_to() {
        Some(user) => accounts::find(connection, user).await?.filter(|account| account.pool == request.pool),
        None => None,
    };
    let link_to = link_to.map(|account| Owner { user: account.id, is_active: account.state == State::Active });
    let chosen = match (openid, unionid) {
        (Some(a), Some(b)) if a.user != b.user => choices::find(connection, login).await?,
        _ => None,
    };
    match login::decide(request, &Facts { openid, unionid, link_to, chosen }) {
        Decision::SignIn(user) => sign_in_user(connection, login, &known, user, now).await,
        Decision::Link(user) => {
            record(connection, login, Action::IdentityLinked, Some(user), json!({}), now).await?;
            sign_in_user(connection, login, &known, user, now).await
        }
        Decision::Choose(candidates) => {
            let (pending, expires_at) = wait(connection, &Pending::choose(login, candidates.to_vec(), now)).await?;
            Ok(LoginOutcome::ChooseAccount { pending, expires_at })
        }
        Decision::FirstLogin => first_login(connection, login, &known, terms, now).await,
        Decision::AskForProfile => Ok(LoginOutcome::ProfileRequired),
        Decision::Refuse(reason) => {
            let user = openid.or(unionid).or(link_to).map(|owner| owner.user);
            refuse(connection, login, reason, user, now).await
        }
    }
}

async fn first_login(
    connection: &mut Connection,
    login: &Login,
    known: &Known,
    terms: &Terms,
    now: Moment,
) -> Result<LoginOutcome, StoreError> {
    let request = login.request();
    let policy = policies::of(connection, &request.pool, &request.connector, terms).await?;
    let matches = match (policy.binding, &request.phone_number) {
        (Binding::Field, Some(number)) => accounts::find_by_address(connection, &request.pool, &Address::Phone(number.clone())).await?,
        _ => Vec::new(),
    };
    match login::decide_first(&policy, &matches) {
        FirstLogin::Create => create_account(connection, login, now).await,
        FirstLogin::Bind(user) => {
            record(connection, login, Action::AccountBound, Some(user), json!({"by": "phone_number_from_wechat"}), now).await?;
            sign_in_user(connection, login, known, user, now).await
        }
        FirstLogin::Ask { may_create } => {
            let (pending, expires_at) = wait(connection, &Pending::bind(login, policy.methods, may_create, now)).await?;
            Ok(LoginOutcome::BindAccount { pending, expires_at })
        }
        FirstLogin::Refuse(reason) => refuse(connection, login, reason, None, now).await,
    }
}

/// Keeps the login for its person, and tells what it is called and when it is over.
async fn wait(connection: &mut Connection, pending: &Pending) -> Result<(String, u64), StoreError> {
    let token = PendingToken::random()?;
    pending::create(connection, &token, pending).await?;
    Ok((token.as_str().to_owned(), pending.expires_at))
}

pub(super) async fn refuse(
    connection: &mut Connection,
    login: &Login,
    reason: RefusalReason,
    user: Option<UserId>,
    now: Moment,
) -> Result<LoginOutcome, StoreError> {
    record(connection, login, Action::LoginRefused, user, json!({"reason": reason}), now).await?;
    Ok(LoginOutcome::Refused { reason })
}

async fn sign_in_user(
    connection: &mut Connection,
    login: &Login,
    known: &Known,
    user: UserId,
    now: Moment,
) -> Result<LoginOutcome, StoreError> {
    let account = accounts::find(connection, user).await?.ok_or(StoreError::Unreadable("an identity of nobody"))?;
    sign_in(connection, login, known, account, now).await
}

/// Signs the account in. What the login brings is noted with it, and recorded where nobody has it; what another account has stays there.
pub(super) async fn sign_in(
    connection: &mut Connection,
    login: &Login,
    known: &Known,
    account: Account,
    now: Moment,
) -> Result<LoginOutcome, StoreError> {
    let may_rename = may_rename(connection, login, known, &account).await?;
    let (account, auth_time) = account.signed_in(login.request(), may_rename, now);
    accounts::update(connection, &account).await?;
    identities::update(connection, login, known, account.id, now).await?;
    let recorded = record_identities(connection, login, known, account.id, now).await?;
    if !recorded.is_empty() {
        record(connection, login, Action::IdentityRecorded, Some(account.id), json!({"identities": recorded}), now).await?;
    }
    record(connection, login, Action::SignedIn, Some(account.id), json!({}), now).await?;
    signed_in(login, &account, auth_time, false)
}

/// Whether the login's profile may replace the account's: an account is called after one WeChat, and keeps that name when another one is linked to it
/// or logs in, as long as the account has a WeChat of that name.
async fn may_rename(connection: &mut Connection, login: &Login, known: &Known, account: &Account) -> Result<bool, StoreError> {
    let own = known.ids_of(account.id);
    let (Some(profile), false) = (&login.request().profile, own.is_empty()) else {
        return Ok(false);
    };
    let Some(name) = account.name.value.as_deref().filter(|name| profile.nickname.as_deref() != Some(*name)) else {
        return Ok(true);
    };
    let namesakes = identities::find_named(connection, account.id, name).await?;
    Ok(namesakes.is_empty() || namesakes.iter().any(|id| own.contains(id)))
}

/// Makes an account with every identity that the login brings, and signs it in.
pub(super) async fn create_account(connection: &mut Connection, login: &Login, now: Moment) -> Result<LoginOutcome, StoreError> {
    let account = Account::new(ids::fresh_uuid(now)?, login.request(), now);
    accounts::create(connection, &account).await?;
    let recorded = record_identities(connection, login, &Known::default(), account.id, now).await?;
    record(connection, login, Action::Registered, Some(account.id), json!({"identities": recorded}), now).await?;
    signed_in(login, &account, account.last_auth_time, true)
}

/// Records with the user what the login brings and nobody has, and tells the rows' ids.
async fn record_identities(
    connection: &mut Connection,
    login: &Login,
    known: &Known,
    user: UserId,
    now: Moment,
) -> Result<Vec<Uuid>, StoreError> {
    let mut recorded = Vec::new();
    for kind in [IdentityKind::Openid, IdentityKind::Unionid] {
        if known.of(kind).is_none() {
            recorded.extend(identities::create(connection, login, kind, user, now).await?);
        }
    }
    Ok(recorded)
}

fn signed_in(login: &Login, account: &Account, auth_time: u64, new_user: bool) -> Result<LoginOutcome, StoreError> {
    let session_id = SessionId::random()?.as_str().to_owned();
    let identity = login.wechat_identity();
    Ok(LoginOutcome::SignedIn { user: account.to_user(), session_id, auth_time, identity, new_user })
}

/// Notes in the audit log what a login did, with where it came from.
async fn record(
    connection: &mut Connection,
    login: &Login,
    action: Action,
    user: Option<UserId>,
    mut detail: Value,
    now: Moment,
) -> Result<(), StoreError> {
    let request = login.request();
    if let Value::Object(detail) = &mut detail {
        detail.insert("application".to_owned(), request.application.as_str().into());
        detail.insert("connector".to_owned(), request.connector.as_str().into());
    }
    let entry =
        Entry { pool: request.pool.clone(), actor: Actor::Wechat, action, user, client_address: request.client_address.clone(), detail };
    audit::record(connection, &entry, now).await
}

impl Undo for Undone {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::DecidedBefore => None,
            Self::Store(error) => Some(error),
        }
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
