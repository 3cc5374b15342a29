//! A person's phone number, where WeChat itself says whose it is.

use super::fields::required;
use super::{Gate, server_tokens};
use crate::config::{Connector, PhoneNumber};
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::form::Fields;
use crate::secret::Secret;
use crate::wechat::mini_program;
use crate::wechat::open_data::Sealed;

/// WeChat's codes are a tenth of it.
const MAX_CODE_CHARS: usize = 512;

/// What a mini program has got from WeChat for it.
pub(super) enum Proof {
    /// A code of the phone-number button. It is not one of `wx.login`.
    Code(String),
    /// Open data, under the key of the person's `wx.login`.
    Sealed(Sealed),
}

impl Proof {
    /// What a client sends, where this method takes a number at all: before any code is spent.
    pub(super) fn of(fields: &Fields, policy: PhoneNumber) -> Result<Option<Self>, Failure> {
        let sent = ["phone_code", "encrypted_data", "iv"].map(|name| fields.get(name).is_some());
        match (policy, sent) {
            (PhoneNumber::Off, _) | (PhoneNumber::Optional, [false, false, false]) => Ok(None),
            (PhoneNumber::Required, [false, false, false]) => Err(LoginError::PhoneNumberRequired.into()),
            (_, [true, false, false]) => Ok(Some(Self::Code(required(fields, "phone_code", MAX_CODE_CHARS)?.into()))),
            (_, [false, true, true]) => {
                let (data, iv) = (required(fields, "encrypted_data", 4096)?.into(), required(fields, "iv", 32)?.into());
                Ok(Some(Self::Sealed(Sealed { data, iv })))
            }
            _ => Err(Failure::new(LoginError::MalformedBody, "either `phone_code`, or `encrypted_data` with `iv`")),
        }
    }

    /// The number, in E.164. It is this person's, or it is refused. The session key is that of the login in this very request.
    pub(super) async fn number(
        &self,
        calls: &Calls,
        gate: &Gate,
        connector: &Connector,
        openid: &str,
        session_key: Option<&Secret>,
    ) -> Result<String, Failure> {
        match self {
            Self::Code(code) => {
                let call = |token: &str| mini_program::phone_number(&gate.config().wechat, token, code, openid);
                let reply = server_tokens::send(calls, gate, connector, call).await?;
                mini_program::read_phone_number(Ok(reply), connector)
            }
            Self::Sealed(sealed) => {
                let number = session_key.and_then(|key| sealed.phone_number(key, &connector.app_id, calls.now()));
                number.ok_or_else(|| Failure::new(LoginError::PhoneNumberRejected, "the encrypted data tells no number that counts here"))
            }
        }
    }
}
