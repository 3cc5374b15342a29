//! What people and mini programs do on a phone, as methods of [`Simulator`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::{EnvVersion, Login, Target, Visit};
use crate::act_error::ActError;
use crate::codes::SHORT_LIFE;
use crate::crypto::open_data;
use crate::random;
use crate::simulator::{Simulator, Wechat};
use crate::world::{self, App, AppKind};

/// 场景值: scanning a mini-program code.
const BY_CODE: u16 = 1047;
/// 场景值: a URL Scheme.
const BY_LINK: u16 = 1065;
/// 场景值: an app.
const BY_APP: u16 = 1069;

/// What `bindgetphonenumber` is told: `e.detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PhoneNumberAnswer {
    /// `getPhoneNumber:ok`, or why not.
    #[serde(rename = "errMsg")]
    pub err_msg: String,
    /// For `getuserphonenumber`; not a login code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The older way, where there is a session key.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub data: Option<OpenData>,
}

/// Something that only the session key opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OpenData {
    /// AES-128-CBC, base64.
    #[serde(rename = "encryptedData")]
    pub encrypted_data: String,
    /// 16 bytes, base64.
    pub iv: String,
    /// Of a profile: the same without what is secret.
    #[serde(rename = "rawData", skip_serializing_if = "Option::is_none")]
    pub raw_data: Option<String>,
    /// Of `rawData`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// What an app gives the SDK to open a mini program: `WXLaunchMiniProgramReq`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppLaunch {
    /// The mini program's original id (`gh_…`), not its appid.
    #[serde(rename = "userName")]
    pub user_name: String,
    /// A page, with a query after `?`; empty for the main page.
    #[serde(default)]
    pub path: String,
    /// 0 release, 1 develop ("test"), 2 trial ("preview").
    #[serde(default, rename = "miniProgramType")]
    pub mini_program_type: u8,
}

impl Simulator {
    /// The original id of an official account or a mini program.
    pub fn original_id(&self, appid: &str) -> String {
        world::original_id(appid)
    }

    /// `wx.login`: a code for `jscode2session`, and a new session key with it.
    pub fn wx_login(&self, appid: &str, person: &str) -> Result<String, ActError> {
        self.with(|wechat| {
            mini_program(wechat, appid, person)?;
            let now = wechat.now();
            let kept = wechat.mini_programs.session_key(appid, person).filter(|_| wechat.quirks.same_session_key);
            let session_key = kept.map_or_else(|| STANDARD.encode(random::bytes::<16>()), str::to_owned);
            wechat.mini_programs.set_session_key(appid, person, &session_key);
            let login = Login { person: person.to_owned(), session_key };
            Ok(wechat.login_codes.issue(appid, login, SHORT_LIFE, now))
        })
    }

    /// The button of `open-type="getPhoneNumber"`, and the person's answer to what it asks.
    pub fn phone_number(&self, appid: &str, person: &str, allow: bool) -> Result<PhoneNumberAnswer, ActError> {
        self.with(|wechat| {
            let is_unverified = mini_program(wechat, appid, person)?.is_unverified;
            let refused = |reason: &str| PhoneNumberAnswer { err_msg: format!("getPhoneNumber:fail {reason}"), code: None, data: None };
            if is_unverified {
                return Ok(refused("no permission"));
            }
            if !allow {
                return Ok(refused("user deny"));
            }
            let info = wechat.phone_info(person, appid).ok_or_else(|| ActError::NoPhoneNumber(person.to_owned()))?;
            let now = wechat.now();
            let code = wechat.phone_codes.issue(appid, person.to_owned(), SHORT_LIFE, now);
            let data = wechat.mini_programs.session_key(appid, person).and_then(|key| seal(key, &info.to_string(), None));
            Ok(PhoneNumberAnswer { err_msg: "getPhoneNumber:ok".to_owned(), code: Some(code), data })
        })
    }

    /// `wx.getUserInfo` of old: a profile under the session key, with `rawData` and its signature. `None` before a login.
    pub fn user_info(&self, appid: &str, person: &str) -> Result<Option<OpenData>, ActError> {
        self.with(|wechat| {
            let platform = mini_program(wechat, appid, person)?.platform.clone();
            let who = wechat.existing(person)?;
            let openid = world::openid(person, appid);
            let raw = json!({
                "nickName": who.nickname, "gender": 0, "language": "zh_CN", "city": "", "province": "", "country": "",
                "avatarUrl": who.avatar(&openid),
            });
            let more = json!({
                "openId": openid, "unionId": platform.map(|platform| world::unionid(person, &platform)),
                "watermark": {"timestamp": wechat.now(), "appid": appid},
            });
            let whole = [&raw, &more].into_iter().filter_map(Value::as_object).flatten().filter(|(_, value)| !value.is_null());
            let whole = whole.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>();
            let key = wechat.mini_programs.session_key(appid, person);
            Ok(key.and_then(|key| seal(key, &Value::Object(whole).to_string(), Some(raw.to_string()))))
        })
    }

    /// Anything at all under the session key of the latest login: an old watermark, another app's, no JSON. `None` before a
    /// login.
    pub fn seal_open_data(&self, appid: &str, person: &str, plaintext: &str) -> Result<Option<OpenData>, ActError> {
        self.with(|wechat| {
            mini_program(wechat, appid, person)?;
            Ok(wechat.mini_programs.session_key(appid, person).and_then(|key| seal(key, plaintext, None)))
        })
    }

    /// A phone scans a mini-program code or follows a link: the code's text, a URL Link or a URL Scheme.
    pub fn open_mini_program(&self, text: &str, person: &str) -> Result<Visit, ActError> {
        self.with(|wechat| {
            let now = wechat.now();
            let (target, scene_number) = match wechat.mini_programs.find_link(text, now) {
                Some(target) => (target.clone(), BY_LINK),
                None => (target_of_code(text).ok_or_else(|| ActError::NotACode(text.to_owned()))?, BY_CODE),
            };
            wechat.open(person, target, scene_number, None)
        })
    }

    /// The codes of `getwxacodeunlimit`, the latest first: what stands on screens and could be scanned.
    pub fn mini_program_codes(&self) -> Vec<Target> {
        self.with(|wechat| wechat.mini_programs.recent_codes().cloned().collect())
    }

    /// As [`Simulator::open_mini_program`], for a code that is known without its picture.
    pub fn open_target(&self, target: Target, person: &str) -> Result<Visit, ActError> {
        self.with(|wechat| wechat.open_by_code(person, target))
    }

    /// A mobile app opens a mini program of its own Open Platform account by the SDK.
    pub fn launch_mini_program(&self, app: &str, launch: &AppLaunch, person: &str) -> Result<Visit, ActError> {
        self.with(|wechat| {
            let target = wechat.target_of_launch(app, launch).ok_or(ActError::BadLaunch)?;
            wechat.open(person, target, BY_APP, Some(app.to_owned()))
        })
    }

    /// The button of `open-type="launchApp"`: what the app gets as `extMsg`. Only the app that opened it may be led back to.
    pub fn launch_app(&self, visit: &str, app_parameter: &str) -> Result<Visit, ActError> {
        self.changing(|wechat| {
            let visit = wechat.mini_programs.visit_mut(visit).ok_or(ActError::NoSuchVisit)?;
            if visit.from_app.is_none() {
                return Err(ActError::InvalidLaunchScene);
            }
            visit.handed_back = Some(app_parameter.to_owned());
            Ok(visit.clone())
        })
    }

    /// A mini program that was opened, with what it has handed back.
    pub fn visit(&self, id: &str) -> Option<Visit> {
        self.with(|wechat| wechat.mini_programs.visit(id).cloned())
    }
}

impl Wechat {
    /// Opens a page that is there; a trial or development version may have pages that were never released.
    fn open(&mut self, person: &str, target: Target, scene_number: u16, from_app: Option<String>) -> Result<Visit, ActError> {
        let app = mini_program(self, &target.appid, person)?;
        if target.env_version == EnvVersion::Release && !app.pages.contains(&target.page) {
            return Err(ActError::NoSuchPage(target.page));
        }
        Ok(self.mini_programs.open(person, target, scene_number, from_app))
    }

    /// As after scanning its code.
    pub(crate) fn open_by_code(&mut self, person: &str, target: Target) -> Result<Visit, ActError> {
        self.open(person, target, BY_CODE, None)
    }

    fn target_of_launch(&self, app: &str, launch: &AppLaunch) -> Option<Target> {
        let from = self.world.app(app).filter(|app| app.kind == AppKind::Mobile)?;
        let mut programs = self.world.apps().iter().filter(|(_, app)| app.kind == AppKind::MiniProgram);
        let (appid, program) = programs.find(|(appid, _)| world::original_id(appid) == launch.user_name)?;
        if program.platform.is_none() || program.platform != from.platform {
            return None;
        }
        let (page, query) = launch.path.split_once('?').unwrap_or((&launch.path, ""));
        let page = page.strip_prefix('/').unwrap_or(page);
        let page = if page.is_empty() { program.pages.first()? } else { page };
        let env_version = match launch.mini_program_type {
            0 => EnvVersion::Release,
            1 => EnvVersion::Develop,
            2 => EnvVersion::Trial,
            _ => return None,
        };
        Some(Target { appid: appid.clone(), page: page.to_owned(), query: query.to_owned(), env_version })
    }
}

fn mini_program<'a>(wechat: &'a Wechat, appid: &str, person: &str) -> Result<&'a App, ActError> {
    wechat.existing(person)?;
    let app = wechat.world.app(appid).filter(|app| app.kind == AppKind::MiniProgram);
    app.ok_or_else(|| ActError::NotThatKindOfApp(appid.to_owned()))
}

fn target_of_code(text: &str) -> Option<Target> {
    let url = Url::parse(text).ok()?;
    Target::from_query(url.query()?).filter(|_| url.path() == "/sim/mini-program")
}

fn seal(session_key: &str, plaintext: &str, raw_data: Option<String>) -> Option<OpenData> {
    let iv = STANDARD.encode(random::bytes::<16>());
    let signature = raw_data.as_ref().map(|raw| open_data::raw_data_signature(raw, session_key));
    let encrypted_data = open_data::encrypt(session_key, &iv, plaintext).ok()?;
    Some(OpenData { encrypted_data, iv, raw_data, signature })
}
