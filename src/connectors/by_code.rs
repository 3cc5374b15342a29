//! What every method has in common whose end is a code for `sns/oauth2/access_token`.

use super::Callback;
use crate::config::{Config, Connector};
use crate::coroutine::Calls;
use crate::login::finish::WechatIdentity;
use crate::step::Event;
use crate::wechat::sns::{self, Grant, Refusal};

/// Exchanges the code: one call, never repeated, since WeChat takes a code once.
pub(crate) async fn redeem(calls: &Calls, config: &Config, connector: &Connector, callback: &Callback) -> Result<Grant, Refusal> {
    sns::read_grant(calls.send(sns::access_token(&config.wechat, connector, &callback.code)).await)
}

/// Who the grant is about. A profile that cannot be had is noted and done without: it is for display, and a login
/// does not hang on it.
pub(crate) async fn identity(calls: &Calls, config: &Config, connector: &Connector, grant: Grant) -> WechatIdentity {
    let mut identity = WechatIdentity {
        openid: grant.openid.clone(),
        unionid: grant.unionid.clone(),
        profile: None,
        is_profile_available: false,
        phone_number: None,
    };
    if grant.has_profile {
        match sns::read_userinfo(calls.send(sns::userinfo(&config.wechat, &grant)).await, &grant) {
            Ok(info) => {
                identity.unionid = identity.unionid.or(info.unionid);
                identity.profile = Some(info.profile);
            }
            Err(failure) => calls.note(Event::ProfileMissing { connector: connector.id.clone(), detail: failure.detail }),
        }
    }
    identity
}
