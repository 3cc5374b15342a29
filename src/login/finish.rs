//! The end of every login: the resolver says whose account it is, and a session begins.

use resolver_api::{LoginOutcome, LoginRequest, Profile, RefusalReason};
use sha2::{Digest, Sha256};

use super::attempt::Attempt;
use crate::config::{Application, Config, Connector};
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::resolver;
use crate::session::{Session, WechatIds};

/// What a connector has learnt from WeChat itself, and from nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WechatIdentity {
    /// The person in the connector's app.
    pub openid: String,
    /// The person on the connector's platform.
    pub unionid: Option<String>,
    /// For display.
    pub profile: Option<Profile>,
    /// WeChat told no more than the openid, and would tell more if asked.
    pub is_profile_available: bool,
}

/// What becomes of a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    /// A session begins.
    SignedIn {
        /// Not yet sealed.
        session: Box<Session>,
        /// Whether the login made the account.
        new_user: bool,
    },
    /// WeChat has to be asked for the profile first.
    ProfileRequired,
}

/// Names one login, so that a repetition gets its outcome and nobody else can ask for it: SHA-256 over the
/// length-prefixed app id, nonce and code. Never the code alone, which stands in an address.
pub fn idempotency_key(connector: &Connector, attempt: &Attempt, code: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [connector.app_id.as_bytes(), attempt.nonce.as_bytes(), code] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asks the resolver whose account this is.
pub(crate) async fn sign_in(
    calls: &Calls,
    config: &Config,
    application: &Application,
    connector: &Connector,
    identity: WechatIdentity,
    idempotency_key: String,
) -> Result<Finished, Failure> {
    let request = LoginRequest {
        idempotency_key,
        pool: application.pool.clone(),
        application: application.id.clone(),
        connector: connector.id.clone(),
        method: connector.method.login_method(),
        platform: connector.platform.clone(),
        app_id: connector.app_id.clone(),
        openid: identity.openid,
        unionid: identity.unionid,
        profile: identity.profile,
        profile_available: identity.is_profile_available,
        phone_number: None,
        link_to: None,
        client_address: None,
    };
    let mut result = calls.send(resolver::login(&config.resolver, &request)).await;
    if resolver::was_lost(&result) {
        result = calls.send(resolver::login(&config.resolver, &request)).await;
    }
    let outcome = resolver::read_login(result)?;
    if let LoginOutcome::SignedIn { identity, .. } = &outcome
        && (&identity.app_id, &identity.openid) != (&request.app_id, &request.openid)
    {
        return Err(Failure::new(LoginError::ResolverRejected, "the answer is about another identity"));
    }
    finished(config, application, connector, outcome, calls.now())
}

/// Asks what became of this very login when somebody else finished it: WeChat's clients load a callback twice, and
/// only one of the two can exchange the code. `None` when nobody did.
pub(crate) async fn outcome_of(
    calls: &Calls,
    config: &Config,
    application: &Application,
    connector: &Connector,
    idempotency_key: &str,
) -> Result<Option<Finished>, Failure> {
    let result = calls.send(resolver::login_outcome(&config.resolver, idempotency_key)).await;
    match resolver::read_login_outcome(result)? {
        Some(outcome) => finished(config, application, connector, outcome, calls.now()).map(Some),
        None => Ok(None),
    }
}

fn finished(
    config: &Config,
    application: &Application,
    connector: &Connector,
    outcome: LoginOutcome,
    now: u64,
) -> Result<Finished, Failure> {
    match outcome {
        LoginOutcome::SignedIn { user, session_id, auth_time, identity, new_user } => {
            let is_name = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_name(&user.id) || !is_name(&session_id) || identity.app_id != connector.app_id {
                return Err(Failure::new(LoginError::ResolverRejected, "the answer has no usable user id, session id or identity"));
            }
            let session = Session {
                id: session_id,
                subject: user.id.clone(),
                pool: application.pool.clone(),
                connector: connector.id.clone(),
                auth_time,
                sealed_at: now,
                ends_at: now + config.session.absolute_seconds,
                name: None,
                picture: None,
                phone_number: None,
                phone_number_verified: None,
                wechat: WechatIds { app_id: identity.app_id, openid: identity.openid, unionid: identity.unionid },
            };
            Ok(Finished::SignedIn { session: Box::new(session.with_user(user)), new_user })
        }
        LoginOutcome::ProfileRequired => Ok(Finished::ProfileRequired),
        LoginOutcome::ChooseAccount { .. } | LoginOutcome::BindAccount { .. } => Err(LoginError::ChooseAccount.into()),
        LoginOutcome::Refused { reason } => Err(match reason {
            RefusalReason::RegistrationClosed => LoginError::RegistrationClosed,
            RefusalReason::UserDisabled => LoginError::UserDisabled,
            RefusalReason::NoMatch | RefusalReason::IdentityTaken | RefusalReason::Policy => LoginError::PolicyRefused,
        }
        .into()),
    }
}
