//! Inside WeChat's own browser: a redirect, silent or with a consent page, and a code (WeChat documents, "Official
//! account: web page authorization").
//!
//! With scope `snsapi_base` WeChat shows nothing and tells only an openid. Where the resolver does not know it, the
//! login goes once more with `snsapi_userinfo`: base never gives a unionid, so an account made from it would be a
//! second one of the person who logs in on a PC.

use super::{Callback, by_code};
use crate::config::{Config, Connector, Scope};
use crate::coroutine::Calls;
use crate::http::push_escaped;
use crate::login::finish::WechatIdentity;
use crate::wechat::sns::Refusal;

/// WeChat's page. WeChat matches this address with a regular expression: parameters in any other order, or without
/// `#wechat_redirect`, may open nothing.
pub(super) fn authorize_url(config: &Config, connector: &Connector, scope: Scope, redirect_uri: &str, state: &str) -> String {
    let mut url = format!("{}/connect/oauth2/authorize?appid={}&redirect_uri=", config.wechat.open_origin, connector.app_id);
    push_escaped(&mut url, redirect_uri.as_bytes());
    url.push_str("&response_type=code&scope=");
    url.push_str(match scope {
        Scope::Base => "snsapi_base",
        Scope::Userinfo => "snsapi_userinfo",
    });
    url.push_str("&state=");
    url.push_str(state);
    url.push_str("#wechat_redirect");
    url
}

/// Exchanges the code, and reads the profile where the scope allows it.
pub(crate) async fn finish(
    calls: &Calls,
    config: &Config,
    connector: &Connector,
    asked_for: Scope,
    callback: &Callback,
) -> Result<WechatIdentity, Refusal> {
    let grant = by_code::redeem(calls, config, connector, callback).await?;
    let is_profile_available = asked_for == Scope::Base && !grant.has_profile;
    let identity = by_code::identity(calls, config, connector, grant).await;
    Ok(WechatIdentity { is_profile_available, ..identity })
}
