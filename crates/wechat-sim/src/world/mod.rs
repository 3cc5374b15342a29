//! Who exists: apps, people, the ids that WeChat gives to people, and what people have consented to.

mod app;
mod ids;
mod person;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

pub use app::{App, AppKind};
pub(crate) use ids::{openid, original_id, unionid, virtual_openid, virtual_unionid};
pub use person::{Person, PhoneNumber};

use crate::push::Push;

/// WeChat does not ask again for about this long after a consent (reported by developers, not documented).
const CONSENT_LIFE: u64 = 30 * 24 * 3600;

/// As a real mini program has them, each a module of its own.
const DEMO_APP: &str = include_str!("../../demo/mini-program/app.js");
const DEMO_PAGE: &str = include_str!("../../demo/mini-program/pages/login/index.js");
const DEMO_WXML: &str = include_str!("../../demo/mini-program/pages/login/index.wxml");
/// What stands in the demo mini program for the gateway's origin.
const DEMO_ORIGIN: &str = "https://shop.example.com";
const DEMO_PUSH_TOKEN: &str = "0002demo";
const DEMO_ENCODING_AES_KEY: &str = "0002demo0002demo0002demo0002demo0002demo000";

/// Every app and person of one simulated WeChat.
#[derive(Debug, Clone, Default)]
pub struct World {
    apps: BTreeMap<String, App>,
    people: BTreeMap<String, Person>,
    consents: BTreeMap<(String, String), u64>,
    current_person: Option<String>,
}

impl World {
    /// Four apps, one of each kind on the Open Platform account `main`, all redirecting to `localhost`; three people,
    /// one of whom only ever sees snapshot pages.
    pub fn demo() -> Self {
        let mut world = Self::default();
        let apps = [
            ("wx0000000000000001", AppKind::Website, "0001demo0001demo0001demo0001demo", "演示商城"),
            ("wx0000000000000002", AppKind::OfficialAccount, "0002demo0002demo0002demo0002demo", "演示商城服务号"),
            ("wx0000000000000003", AppKind::Mobile, "0003demo0003demo0003demo0003demo", "演示商城 App"),
            ("wx0000000000000004", AppKind::MiniProgram, "0004demo0004demo0004demo0004demo", "演示商城小程序"),
        ];
        for (appid, kind, secret, name) in apps {
            let pages: &[&str] =
                if kind == AppKind::MiniProgram { &["pages/index/index", "pages/login/login", "pages/login/index"] } else { &[] };
            let app = App::new(kind, secret).having_pages(pages).named(name).on_platform("main").redirecting_to("localhost");
            world.apps.insert(appid.to_owned(), app);
        }
        let people = [
            ("xiaoming", Person::new("小明").with_phone("86", "13800138000")),
            ("xiaohong", Person::new("小红🌸").with_phone("86", "13800138001")),
            ("kuaizhao", Person::new("快照用户").only_snapshots()),
        ];
        world.people.extend(people.map(|(name, person)| (name.to_owned(), person)));
        world
    }

    /// The same, of somebody who has wxgate at this origin: the mini program in `demo/mini-program` logs in there, its main page
    /// is its only one, and what people do with the official account is pushed to `/wxgate/push/follow` there, in safe mode.
    pub fn demo_behind(origin: &str) -> Self {
        let mut world = Self::demo();
        let origin = origin.trim_end_matches('/');
        for app in world.apps.values_mut() {
            match app.kind {
                AppKind::MiniProgram => {
                    app.pages = vec!["pages/login/index".to_owned()];
                    app.program = Some(demo_program(origin));
                    app.wxml = Some(DEMO_WXML.to_owned());
                }
                AppKind::OfficialAccount => {
                    app.push = Some(Push::safe(&format!("{origin}/wxgate/push/follow"), DEMO_PUSH_TOKEN, DEMO_ENCODING_AES_KEY));
                }
                AppKind::Website | AppKind::Mobile => {}
            }
        }
        world
    }

    /// Reads `{"apps": {APPID: {…}}, "people": {NAME: {…}}, "current_person": NAME}`, as in a file for `--seed`.
    pub fn from_json(text: &str) -> Result<Self, InvalidWorld> {
        let seed: Seed = serde_json::from_str(text).map_err(|error| InvalidWorld::Json(error.to_string()))?;
        let mut world = Self::default();
        for (appid, app) in seed.apps {
            world.put_app(&appid, app)?;
        }
        for (name, person) in seed.people {
            world.put_person(&name, person)?;
        }
        if let Some(name) = seed.current_person {
            world.set_current_person(Some(&name))?;
        }
        Ok(world)
    }

    pub(crate) fn put_app(&mut self, appid: &str, app: App) -> Result<(), InvalidWorld> {
        if !is_appid(appid) {
            return Err(InvalidWorld::AppId(appid.to_owned()));
        }
        if let Some(domain) = &app.redirect_domain {
            let is_domain = !domain.is_empty() && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
            if !is_domain {
                return Err(InvalidWorld::RedirectDomain(domain.clone()));
            }
        }
        app.push.as_ref().map_or(Ok(()), Push::check).map_err(InvalidWorld::Push)?;
        self.apps.insert(appid.to_owned(), app);
        Ok(())
    }

    pub(crate) fn put_person(&mut self, name: &str, person: Person) -> Result<(), InvalidWorld> {
        let is_name = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !is_name {
            return Err(InvalidWorld::PersonName(name.to_owned()));
        }
        self.consents.retain(|(who, _), _| who != name);
        self.people.insert(name.to_owned(), person);
        Ok(())
    }

    /// Binds an app to an Open Platform account, or with `None` unbinds it. Openids stay; unionids come, go or change,
    /// and WeChat tells nobody.
    pub(crate) fn bind(&mut self, appid: &str, platform: Option<&str>) -> Result<(), InvalidWorld> {
        let app = self.apps.get_mut(appid).ok_or_else(|| InvalidWorld::UnknownApp(appid.to_owned()))?;
        app.platform = platform.map(str::to_owned);
        Ok(())
    }

    /// Sets who holds the phone where no cookie says otherwise.
    pub(crate) fn set_current_person(&mut self, name: Option<&str>) -> Result<(), InvalidWorld> {
        if let Some(unknown) = name.filter(|name| !self.people.contains_key(*name)) {
            return Err(InvalidWorld::UnknownPerson(unknown.to_owned()));
        }
        self.current_person = name.map(str::to_owned);
        Ok(())
    }

    pub(crate) fn current_person(&self) -> Option<&str> {
        self.current_person.as_deref()
    }

    pub(crate) fn app(&self, appid: &str) -> Option<&App> {
        self.apps.get(appid)
    }

    pub(crate) fn existing_app(&self, appid: &str) -> Result<&App, InvalidWorld> {
        self.app(appid).ok_or_else(|| InvalidWorld::UnknownApp(appid.to_owned()))
    }

    /// Whose openid this is for an app.
    pub(crate) fn person_of(&self, openid: &str, appid: &str) -> Option<&str> {
        self.people.keys().map(String::as_str).find(|person| ids::openid(person, appid) == openid)
    }

    pub(crate) fn forget_consent(&mut self, person: &str, appid: &str) {
        self.consents.remove(&(person.to_owned(), appid.to_owned()));
        if let Some(person) = self.people.get_mut(person) {
            person.consented.remove(appid);
        }
    }

    pub(crate) fn set_push(&mut self, appid: &str, push: Option<Push>) -> Result<(), InvalidWorld> {
        push.as_ref().map_or(Ok(()), Push::check).map_err(InvalidWorld::Push)?;
        let app = self.apps.get_mut(appid).ok_or_else(|| InvalidWorld::UnknownApp(appid.to_owned()))?;
        app.push = push;
        Ok(())
    }

    pub(crate) fn person(&self, name: &str) -> Option<&Person> {
        self.people.get(name)
    }

    pub(crate) fn apps(&self) -> &BTreeMap<String, App> {
        &self.apps
    }

    pub(crate) fn people(&self) -> &BTreeMap<String, Person> {
        &self.people
    }

    pub(crate) fn record_consent(&mut self, person: &str, appid: &str, now: u64) {
        self.consents.insert((person.to_owned(), appid.to_owned()), now);
    }

    pub(crate) fn has_consented(&self, person: &str, appid: &str, now: u64) -> bool {
        let is_given = self.people.get(person).is_some_and(|person| person.consented.contains(appid));
        let given_at = self.consents.get(&(person.to_owned(), appid.to_owned()));
        is_given || given_at.is_some_and(|&at| now.saturating_sub(at) < CONSENT_LIFE)
    }

    /// Apps that this person would not be asked about again now.
    pub(crate) fn consents_of(&self, person: &str, now: u64) -> Vec<&str> {
        self.apps.keys().map(String::as_str).filter(|appid| self.has_consented(person, appid, now)).collect()
    }

    /// The Open Platform accounts to which at least one app is bound.
    pub(crate) fn platforms(&self) -> BTreeSet<&str> {
        self.apps.values().filter_map(|app| app.platform.as_deref()).collect()
    }
}

fn demo_program(origin: &str) -> String {
    format!("(() => {{\n{}}})();\n(() => {{\n{DEMO_PAGE}}})();\n", DEMO_APP.replace(DEMO_ORIGIN, origin))
}

/// Why an app or a person was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWorld {
    /// An appid that WeChat would not have given out.
    #[error("an appid is `wx` and 16 lower-case hex digits, not {0:?}")]
    AppId(String),
    /// WeChat's consoles take a bare host.
    #[error("a redirect domain is a host without scheme, port and path, not {0:?}")]
    RedirectDomain(String),
    /// 服务器配置 that WeChat's consoles would not take.
    #[error("push: {0}")]
    Push(&'static str),
    /// The name is part of a path and of a cookie.
    #[error("a person's name is 1 to 64 letters, digits, `-`, `.` or `_`, not {0:?}")]
    PersonName(String),
    /// Nobody put this app.
    #[error("no app {0:?}; PUT /sim/apps/{{appid}} first")]
    UnknownApp(String),
    /// Nobody put this person.
    #[error("no person {0:?}; PUT /sim/people/{{name}} first")]
    UnknownPerson(String),
    /// A seed file that is not of the expected form.
    #[error("not a seed: {0}")]
    Json(String),
}

fn is_appid(text: &str) -> bool {
    text.strip_prefix("wx").is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    #[serde(default)]
    apps: BTreeMap<String, App>,
    #[serde(default)]
    people: BTreeMap<String, Person>,
    current_person: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_is_forgotten_after_thirty_days() {
        let mut world = World::demo();
        world.record_consent("xiaoming", "wx0000000000000002", 1_000);
        assert!(world.has_consented("xiaoming", "wx0000000000000002", 1_000 + CONSENT_LIFE - 1));
        assert!(!world.has_consented("xiaoming", "wx0000000000000002", 1_000 + CONSENT_LIFE));
    }

    #[test]
    fn the_consoles_take_no_scheme_port_or_path_in_a_domain() {
        for domain in ["https://example.com", "example.com:8443", "example.com/x", ""] {
            let app = App::website("s").redirecting_to(domain);
            let refused = World::default().put_app("wx0000000000000001", app);
            assert_eq!(refused, Err(InvalidWorld::RedirectDomain(domain.to_owned())));
        }
    }

    #[test]
    fn a_seed_with_an_unknown_key_is_refused() {
        assert!(World::from_json(r#"{"app": {}}"#).is_err());
    }
}
