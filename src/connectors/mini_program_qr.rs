//! PC scan with a mini program: a browser shows a mini-program code, the person scans it in WeChat and confirms in the
//! mini program, and the browser collects the login (WeChat documents, "getUnlimitedQRCode").
//!
//! The code's scene is the ticket's name and nothing else. WeChat draws it, and only WeChat can read it.

use resolver_api::tickets::TicketIdentity;

use super::by_login_code;
use crate::config::{Config, Connector, MiniProgramPage};
use crate::coroutine::Calls;
use crate::error::Failure;
use crate::http::{HttpCall, HttpReply};
use crate::login::finish::WechatIdentity;
use crate::wechat::answer::Refusal;
use crate::wechat::codes::{self, Picture};

/// Has the code of a ticket drawn.
pub(crate) fn picture_call(config: &Config, page: &MiniProgramPage, ticket: &str, token: &str) -> HttpCall {
    codes::wxacode(&config.wechat, token, ticket, page)
}

/// The code.
pub(crate) fn read_picture(reply: HttpReply) -> Result<Picture, Failure> {
    codes::read_wxacode(reply)
}

/// Learns from WeChat who has scanned, by a code of `wx.login`. The session key ends here.
pub(crate) async fn scanner(calls: &Calls, config: &Config, connector: &Connector, code: &[u8]) -> Result<TicketIdentity, Refusal> {
    let login = by_login_code::redeem(calls, config, connector, code).await?;
    let WechatIdentity { openid, unionid, profile, phone_number, .. } = by_login_code::identity(login, None);
    Ok(TicketIdentity { app_id: connector.app_id.clone(), openid, unionid, profile, phone_number })
}
