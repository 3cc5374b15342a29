//! The WeChat SDK in a mobile app: `SendAuth` (WeChat docs, "Mobile app WeChat login").

use serde::{Deserialize, Serialize};

use crate::act_error::ActError;
use crate::codes::{Grant, LONG_LIFE, Scope};
use crate::simulator::Simulator;
use crate::world::AppKind;

/// The SDK's header says so.
const LONGEST_STATE: usize = 1024;

/// What a person does when an app has pulled up WeChat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SdkAnswer {
    /// 允许
    #[default]
    Allow,
    /// 拒绝
    Refuse,
    /// Goes back to the app without an answer.
    Cancel,
}

/// `SendAuth.Req`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendAuth {
    /// `snsapi_userinfo`.
    pub scope: String,
    /// At most 1 KB; comes back as it was.
    #[serde(default)]
    pub state: String,
}

/// `SendAuth.Resp`, as the app gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SendAuthAnswer {
    /// 0 allowed, -4 refused, -2 cancelled, -1 anything else.
    #[serde(rename = "errCode")]
    pub err_code: i32,
    /// For `sns/oauth2/access_token`; only where it was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// As the app gave it.
    pub state: String,
    /// The client's language.
    pub lang: &'static str,
    /// The person's country.
    pub country: &'static str,
}

impl Simulator {
    /// An app asks WeChat to log somebody in, and somebody answers.
    pub fn send_auth(&self, appid: &str, request: &SendAuth, person: &str, answer: SdkAnswer) -> Result<SendAuthAnswer, ActError> {
        self.with(|wechat| {
            wechat.existing(person)?;
            let app = wechat.world.app(appid).filter(|app| app.kind == AppKind::Mobile);
            app.ok_or_else(|| ActError::NotThatKindOfApp(appid.to_owned()))?;
            let is_good = request.scope == Scope::UserInfo.as_str() && request.state.len() <= LONGEST_STATE;
            let (err_code, code) = match answer {
                _ if !is_good => (-1, None),
                SdkAnswer::Refuse => (-4, None),
                SdkAnswer::Cancel => (-2, None),
                SdkAnswer::Allow => {
                    let now = wechat.now();
                    wechat.world.record_consent(person, appid, now);
                    let grant = Grant { appid: appid.to_owned(), person: person.to_owned(), scope: Scope::UserInfo, is_snapshot: false };
                    (0, Some(wechat.codes.issue(appid, grant, LONG_LIFE, now)))
                }
            };
            Ok(SendAuthAnswer { err_code, code, state: request.state.clone(), lang: "zh_CN", country: "CN" })
        })
    }
}
