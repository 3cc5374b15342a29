//! PC scan: WeChat's own page shows a QR code, the person scans and confirms on the phone, and the browser comes back
//! with a code (WeChat documents, "Website app: WeChat login").

use super::{Callback, by_code};
use crate::config::{Config, Connector};
use crate::coroutine::Calls;
use crate::http::push_escaped;
use crate::login::finish::WechatIdentity;
use crate::wechat::sns::Refusal;

/// WeChat's page. Its parameters are in WeChat's documented order, and `#wechat_redirect` is kept by browsers.
pub(super) fn authorize_url(config: &Config, connector: &Connector, redirect_uri: &str, state: &str) -> String {
    format!("{}#wechat_redirect", page_url(config, connector, redirect_uri, state))
}

/// The same page for a frame, with what WeChat's own script (wxLogin.js) appends. `self_redirect=false`: the person's confirmation
/// moves the whole page, since no browser sends the attempt's cookie from within a frame of WeChat's.
pub(super) fn frame_url(config: &Config, connector: &Connector, redirect_uri: &str, state: &str, is_english: bool) -> String {
    let mut url = page_url(config, connector, redirect_uri, state);
    url.push_str("&login_type=jssdk&self_redirect=false&styletype=&sizetype=&bgcolor=&rst=");
    url.push_str(if is_english { "&lang=en&stylelite=1" } else { "&stylelite=1" });
    url
}

fn page_url(config: &Config, connector: &Connector, redirect_uri: &str, state: &str) -> String {
    let mut url = format!("{}/connect/qrconnect?appid={}&redirect_uri=", config.wechat.open_origin, connector.app_id);
    push_escaped(&mut url, redirect_uri.as_bytes());
    url.push_str("&response_type=code&scope=snsapi_login&state=");
    url.push_str(state);
    url
}

/// Exchanges the code and reads the profile.
pub(crate) async fn finish(calls: &Calls, config: &Config, connector: &Connector, callback: &Callback) -> Result<WechatIdentity, Refusal> {
    let grant = by_code::redeem(calls, config, connector, callback).await?;
    Ok(by_code::identity(calls, config, connector, grant).await)
}
