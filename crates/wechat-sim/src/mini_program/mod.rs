//! Mini programs on a phone: what opens them, what `wx.*` gives them, and what they hand back to an app.

mod acts;

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use url::form_urlencoded::byte_serialize;

use crate::params::Params;
use crate::random;

pub use acts::{AppLaunch, OpenData, PhoneNumberAnswer};

/// Codes that the phone page offers again.
const MOST_CODES: usize = 20;

/// Which version of a mini program is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvVersion {
    /// What everybody gets.
    #[default]
    Release,
    /// 体验版
    Trial,
    /// 开发版
    Develop,
}

impl EnvVersion {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "release" => Some(Self::Release),
            "trial" => Some(Self::Trial),
            "develop" => Some(Self::Develop),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Trial => "trial",
            Self::Develop => "develop",
        }
    }
}

/// A page of a mini program with what it is opened with: what a code or a link stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The mini program.
    pub appid: String,
    /// For example `pages/login/login`.
    pub page: String,
    /// As `onLoad` gets it, still encoded; a code's scene is in it as `scene`.
    pub query: String,
    /// Which version.
    pub env_version: EnvVersion,
}

impl Target {
    /// What a simulated code says, so that anything can scan it.
    pub(crate) fn address(&self, origin: &str) -> String {
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        format!(
            "{origin}/sim/mini-program?appid={}&page={}&env_version={}&query={}",
            self.appid,
            encode(&self.page),
            self.env_version.as_str(),
            encode(&self.query)
        )
    }

    /// The opposite of [`Target::address`], from the address's query.
    pub(crate) fn from_query(query: &str) -> Option<Self> {
        let params = Params::parse(query);
        Some(Self {
            appid: params.filled("appid")?.to_owned(),
            page: params.filled("page")?.to_owned(),
            query: params.raw("query").unwrap_or_default().to_owned(),
            env_version: EnvVersion::parse(params.raw("env_version").unwrap_or("release"))?,
        })
    }

    /// The decoded `scene` of a code.
    pub fn scene(&self) -> Option<String> {
        Params::parse(&self.query).filled("scene").map(str::to_owned)
    }
}

/// A mini program that somebody has open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Visit {
    /// Names this visit in `/sim/mini-program/visits/{id}`.
    pub id: String,
    /// Who.
    pub person: String,
    /// What was opened.
    pub target: Target,
    /// 场景值, from where: 1047 a code, 1065 a link, 1069 an app.
    pub scene_number: u16,
    /// The app that opened it, and to which alone `launchApp` leads back.
    pub from_app: Option<String>,
    /// What `launchApp` handed back: `extMsg` in the app's hands.
    pub handed_back: Option<String>,
}

/// What a login code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) person: String,
    pub(crate) session_key: String,
}

/// All that goes on in mini programs.
#[derive(Debug, Default)]
pub(crate) struct MiniPrograms {
    session_keys: HashMap<(String, String), String>,
    links: HashMap<String, (Target, u64)>,
    visits: HashMap<String, Visit>,
    recent_codes: VecDeque<Target>,
}

impl MiniPrograms {
    pub(crate) fn session_key(&self, appid: &str, person: &str) -> Option<&str> {
        self.session_keys.get(&(appid.to_owned(), person.to_owned())).map(String::as_str)
    }

    pub(crate) fn set_session_key(&mut self, appid: &str, person: &str, session_key: &str) {
        self.session_keys.insert((appid.to_owned(), person.to_owned()), session_key.to_owned());
    }

    pub(crate) fn remember_code(&mut self, target: &Target) {
        self.recent_codes.truncate(MOST_CODES - 1);
        self.recent_codes.push_front(target.clone());
    }

    /// The latest first.
    pub(crate) fn recent_codes(&self) -> impl Iterator<Item = &Target> {
        self.recent_codes.iter()
    }

    pub(crate) fn remember_link(&mut self, prefix: &str, target: Target, expires_at: u64, now: u64) -> String {
        self.links.retain(|_, (_, expires_at)| now < *expires_at);
        let link = format!("{prefix}{}", random::alphanumeric(11));
        self.links.insert(link.clone(), (target, expires_at));
        link
    }

    pub(crate) fn find_link(&self, link: &str, now: u64) -> Option<&Target> {
        self.links.get(link).filter(|(_, expires_at)| now < *expires_at).map(|(target, _)| target)
    }

    pub(crate) fn open(&mut self, person: &str, target: Target, scene_number: u16, from_app: Option<String>) -> Visit {
        let id = random::alphanumeric(12);
        let visit = Visit { id: id.clone(), person: person.to_owned(), target, scene_number, from_app, handed_back: None };
        self.visits.insert(id, visit.clone());
        visit
    }

    pub(crate) fn visit(&self, id: &str) -> Option<&Visit> {
        self.visits.get(id)
    }

    pub(crate) fn visit_mut(&mut self, id: &str) -> Option<&mut Visit> {
        self.visits.get_mut(id)
    }
}
