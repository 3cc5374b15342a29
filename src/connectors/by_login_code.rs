//! What every method has in common that begins with a code of `wx.login`.

use crate::config::{Config, Connector};
use crate::coroutine::Calls;
use crate::login::finish::WechatIdentity;
use crate::wechat::answer::Refusal;
use crate::wechat::mini_program::{self, Login};

/// Exchanges the code: one call, never repeated, since WeChat takes a code once.
pub(crate) async fn redeem(calls: &Calls, config: &Config, connector: &Connector, code: &[u8]) -> Result<Login, Refusal> {
    mini_program::read_login(calls.send(mini_program::jscode2session(&config.wechat, connector, code)).await)
}

/// Who has logged in. Mini programs get no name and no picture from WeChat, and so no application does.
pub(crate) fn identity(login: Login, phone_number: Option<String>) -> WechatIdentity {
    let Login { openid, unionid, .. } = login;
    WechatIdentity { openid, unionid, profile: None, is_profile_available: false, phone_number }
}
