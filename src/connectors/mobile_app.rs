//! A native app through WeChat's SDK: the app pulls up WeChat, and comes with the code (WeChat documents, "Mobile app: WeChat
//! login").

use super::{Callback, by_code};
use crate::config::{Config, Connector};
use crate::coroutine::Calls;
use crate::login::finish::WechatIdentity;
use crate::wechat::sns::Refusal;

/// Exchanges the code and reads the profile.
pub(crate) async fn finish(calls: &Calls, config: &Config, connector: &Connector, callback: &Callback) -> Result<WechatIdentity, Refusal> {
    let grant = by_code::redeem(calls, config, connector, callback).await?;
    Ok(by_code::identity(calls, config, connector, grant).await)
}
