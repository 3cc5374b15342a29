//! A native app and WeChat's SDK: the app begins with a challenge, and comes back with WeChat's code and the verifier.

use super::super::answers::json;
use super::super::fields::required;
use super::{Client, challenge, secret, wechat_code};
use crate::connectors::mobile_app;
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::form::Fields;
use crate::json::object;
use crate::login::app_attempt::AppAttempt;
use crate::login::attempt::NoAttempt;
use crate::login::finish::idempotency_key;
use crate::step::{Event, Reply};

/// `{"challenge"}`: what the SDK needs, the `state` among it.
pub(super) fn start(client: &Client, calls: &Calls, fields: &Fields) -> Result<Reply, Failure> {
    let (visitor, connector) = (&client.visitor, &client.connector);
    let mut entropy = calls.entropy();
    let attempt = AppAttempt::begin(&visitor.application, connector, challenge(fields)?, calls.now(), &mut entropy);
    let sealed = attempt.seal(&visitor.gate.config().session.keys, &mut entropy);
    let state = sealed.ok_or_else(|| Failure::new(LoginError::Internal, "the state could not be sealed"))?;
    calls.note(Event::LoginStarted { connector: connector.id.clone() });
    Ok(json(200, &object!({"app_id": connector.app_id.as_str(), "state": state, "expires_at": attempt.expires_at()}), vec![]))
}

/// `{"code", "state", "verifier"}`: a session. The same again gets the same one, so that an answer may get lost.
pub(super) async fn finish(client: &Client, calls: &Calls, fields: &Fields) -> Result<Reply, Failure> {
    let (visitor, connector) = (&client.visitor, &client.connector);
    let config = visitor.gate.config();
    let (code, state, verifier) = (wechat_code(fields)?, required(fields, "state", 1024)?, secret(fields, "verifier")?);
    let attempt =
        AppAttempt::open(&config.session.keys, state, &visitor.application, connector, calls.now()).map_err(|none| match none {
            NoAttempt::Expired => LoginError::AttemptExpired,
            NoAttempt::Missing => LoginError::AttemptMissing,
        })?;
    if !attempt.challenge.is_of(verifier) {
        return Err(LoginError::VerifierMismatch.into());
    }
    let key = idempotency_key(connector, &attempt.nonce, &code.code);
    let who = mobile_app::finish(calls, config, connector, &code).await;
    client.end(calls, who, key, true).await
}
