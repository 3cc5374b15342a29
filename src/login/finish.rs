//! The end of every login: the resolver says whose account it is, and a session begins.

use resolver_api::{LoginOutcome, LoginRequest, Profile, RefusalReason};
use sha2::{Digest, Sha256};

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
    /// In E.164, where WeChat itself has just said that it is the person's own.
    pub phone_number: Option<String>,
}

/// What becomes of a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    /// A session begins.
    SignedIn(SignedIn),
    /// WeChat has to be asked for the profile first.
    ProfileRequired,
    /// The person has to answer a question first.
    Pending(Unanswered),
}

/// A session begins.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Not yet sealed.
    pub session: Box<Session>,
    /// Whether the login made the account.
    pub new_user: bool,
}

/// A login that waits for its person's answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// `choose_account` or `bind_account`.
    pub question: &'static str,
    /// The resolver's name for it.
    pub token: String,
    /// When it is over.
    pub expires_at: u64,
}

/// Who asks the resolver about a login.
pub struct Asker<'a> {
    /// Its configuration.
    pub config: &'a Config,
    /// Where the person logs in ...
    pub application: &'a Application,
    /// ... and how.
    pub connector: &'a Connector,
    /// The account that the login is to be linked to: nobody else's may come of it.
    pub link_to: Option<&'a str>,
    /// Where the person is, for the resolver's audit log.
    pub client_address: Option<&'a str>,
}

/// Names one login, so that a repetition gets its outcome and nobody else can ask for it: SHA-256 over the
/// length-prefixed app id, nonce and code. Never the code alone, which stands in an address.
pub fn idempotency_key(connector: &Connector, nonce: &str, code: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [connector.app_id.as_bytes(), nonce.as_bytes(), code] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Asker<'_> {
    /// Asks the resolver whose account this is.
    pub(crate) async fn sign_in(&self, calls: &Calls, identity: WechatIdentity, idempotency_key: String) -> Result<Finished, Failure> {
        let request = LoginRequest {
            idempotency_key,
            pool: self.application.pool.clone(),
            application: self.application.id.clone(),
            connector: self.connector.id.clone(),
            method: self.connector.method.login_method(),
            platform: self.connector.platform.clone(),
            app_id: self.connector.app_id.clone(),
            openid: identity.openid,
            unionid: identity.unionid,
            profile: identity.profile,
            profile_available: identity.is_profile_available,
            phone_number: identity.phone_number,
            link_to: self.link_to.map(Into::into),
            client_address: self.client_address.map(Into::into),
        };
        let result = resolver::ask(calls, resolver::login(&self.config.resolver, &request)).await;
        let outcome = resolver::read_login(result)?;
        if let LoginOutcome::SignedIn { identity, .. } = &outcome
            && (&identity.app_id, &identity.openid) != (&request.app_id, &request.openid)
        {
            return Err(rejected("the answer is about another identity"));
        }
        self.finished(outcome, calls.now())
    }

    /// Asks what became of this very login when somebody else finished it: WeChat's clients load a callback twice, and
    /// only one of the two can exchange the code. `None` when nobody did.
    pub(crate) async fn outcome_of(&self, calls: &Calls, idempotency_key: &str) -> Result<Option<Finished>, Failure> {
        let result = calls.send(resolver::login_outcome(&self.config.resolver, idempotency_key)).await;
        match resolver::read_login_outcome(result)? {
            Some(outcome) => self.finished(outcome, calls.now()).map(Some),
            None => Ok(None),
        }
    }

    /// What an outcome means here.
    pub(crate) fn finished(&self, outcome: LoginOutcome, now: u64) -> Result<Finished, Failure> {
        let waits = |question, token, expires_at| match self.link_to {
            None => Ok(Finished::Pending(Unanswered { question, token, expires_at })),
            Some(_) => Err(rejected("a question instead of a link to the account that was named")),
        };
        match outcome {
            LoginOutcome::SignedIn { user, session_id, auth_time, identity, new_user } => {
                let is_name = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_name(&user.id) || !is_name(&session_id) || identity.app_id != self.connector.app_id {
                    return Err(rejected("the answer has no usable user id, session id or identity"));
                }
                if self.link_to.is_some_and(|subject| subject != user.id) {
                    return Err(rejected("the answer is about another account than the one to link to"));
                }
                let session = Session {
                    id: session_id,
                    subject: user.id.clone(),
                    pool: self.application.pool.clone(),
                    connector: self.connector.id.clone(),
                    auth_time,
                    sealed_at: now,
                    ends_at: now + self.config.session.absolute_seconds,
                    name: None,
                    picture: None,
                    phone_number: None,
                    phone_number_verified: None,
                    wechat: WechatIds { app_id: identity.app_id, openid: identity.openid, unionid: identity.unionid },
                };
                Ok(Finished::SignedIn(SignedIn { session: Box::new(session.with_user(user)), new_user }))
            }
            LoginOutcome::ProfileRequired => Ok(Finished::ProfileRequired),
            LoginOutcome::ChooseAccount { pending, expires_at } => waits("choose_account", pending, expires_at),
            LoginOutcome::BindAccount { pending, expires_at } => waits("bind_account", pending, expires_at),
            LoginOutcome::Refused { reason } => Err(match reason {
                RefusalReason::RegistrationClosed => LoginError::RegistrationClosed,
                RefusalReason::UserDisabled => LoginError::UserDisabled,
                RefusalReason::NoMatch => LoginError::NoMatch,
                RefusalReason::IdentityTaken => LoginError::IdentityTaken,
                RefusalReason::Policy => LoginError::PolicyRefused,
            }
            .into()),
        }
    }
}

fn rejected(detail: &str) -> Failure {
    Failure::new(LoginError::ResolverRejected, detail)
}
