//! A login: asked for before, decided, done.

use resolver_api::{LoginOutcome, RefusalReason};

use super::{Connection, accounts, identities, outcomes, policies};
use crate::account::{Account, State};
use crate::clock::Moment;
use crate::ids::{self, SessionId};
use crate::login::{self, Decision, IdentityKind, Login};
use crate::policy::ConnectorPolicy;
use crate::store::{Answer, LoginError, StoreError};

pub(super) async fn login(
    connection: &mut Connection,
    login: &Login,
    default: &ConnectorPolicy,
    now: Moment,
) -> Result<Answer, LoginError> {
    if let Some(kept) = outcomes::find(connection, login.key(), now).await? {
        if kept.request_digest != login.digest() {
            return Err(LoginError::KeyReused);
        }
        return Ok(Answer { outcome: kept.outcome, is_replay: true });
    }
    let request = login.request();
    let own = policies::find(connection, &request.pool, &request.connector).await?;
    let policy = own.map_or_else(|| default.clone(), |own| own.policy);
    let outcome = decide(connection, login, &policy, now).await?;
    if outcome != LoginOutcome::ProfileRequired {
        outcomes::create(connection, login.key(), &login.digest(), &outcome, now).await?;
    }
    Ok(Answer { outcome, is_replay: false })
}

async fn decide(connection: &mut Connection, login: &Login, policy: &ConnectorPolicy, now: Moment) -> Result<LoginOutcome, StoreError> {
    let request = login.request();
    let by_openid = identities::find_user(connection, login, IdentityKind::Openid).await?;
    let by_unionid = identities::find_user(connection, login, IdentityKind::Unionid).await?;
    match login::decide(request, by_openid, by_unionid, policy) {
        Decision::SignIn { user, record } => {
            let account = accounts::find(connection, user).await?.ok_or(StoreError::Unreadable("an identity of nobody"))?;
            if account.state != State::Active {
                return Ok(LoginOutcome::Refused { reason: RefusalReason::UserDisabled });
            }
            let (account, auth_time) = account.signed_in(request.profile.as_ref(), now);
            accounts::update(connection, &account).await?;
            if let Some(kind) = record {
                identities::create(connection, login, kind, account.id, now).await?;
            }
            signed_in(login, &account, auth_time, false)
        }
        Decision::Create => {
            let account = Account::new(ids::fresh_uuid(now)?, &request.pool, request.profile.as_ref(), now);
            accounts::create(connection, &account).await?;
            identities::create(connection, login, IdentityKind::Openid, account.id, now).await?;
            identities::create(connection, login, IdentityKind::Unionid, account.id, now).await?;
            signed_in(login, &account, account.last_auth_time, true)
        }
        Decision::Choose => Ok(LoginOutcome::ChooseAccount { pending: ids::random_token()?, expires_at: now.seconds() + 600 }),
        Decision::AskForProfile => Ok(LoginOutcome::ProfileRequired),
        Decision::Refuse(reason) => Ok(LoginOutcome::Refused { reason }),
    }
}

fn signed_in(login: &Login, account: &Account, auth_time: u64, new_user: bool) -> Result<LoginOutcome, StoreError> {
    let session_id = SessionId::random()?.as_str().to_owned();
    let identity = login.wechat_identity();
    Ok(LoginOutcome::SignedIn { user: account.to_user(), session_id, auth_time, identity, new_user })
}
