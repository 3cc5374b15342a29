//! Who exists: apps, people, the ids that WeChat gives to people, and what people have consented to.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// WeChat does not ask again for about this long after a consent (reported by developers, not documented).
const CONSENT_LIFE: u64 = 30 * 24 * 3600;

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
            let app = App::new(kind, secret).named(name).on_platform("main").redirecting_to("localhost");
            world.apps.insert(appid.to_owned(), app);
        }
        let people = [
            ("xiaoming", Person::new("小明")),
            ("xiaohong", Person::new("小红🌸")),
            ("kuaizhao", Person::new("快照用户").only_snapshots()),
        ];
        world.people.extend(people.map(|(name, person)| (name.to_owned(), person)));
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

/// An app as registered in one of WeChat's consoles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// In which console it is registered, which decides where its appid is accepted.
    pub kind: AppKind,
    /// The AppSecret.
    pub secret: String,
    /// What people read on the pages.
    #[serde(default)]
    pub name: String,
    /// The Open Platform account to which it is bound; unionids exist, and are comparable, only inside one.
    #[serde(default)]
    pub platform: Option<String>,
    /// 授权回调域 (website) or 网页授权域名 (official account): a host, without scheme, port and path.
    #[serde(default)]
    pub redirect_domain: Option<String>,
}

impl App {
    /// A website app (网站应用), for `connect/qrconnect`.
    pub fn website(secret: &str) -> Self {
        Self::new(AppKind::Website, secret)
    }

    /// A service account (服务号), for `connect/oauth2/authorize`.
    pub fn official_account(secret: &str) -> Self {
        Self::new(AppKind::OfficialAccount, secret)
    }

    /// An app of any kind, unbound, nameless, and without a redirect domain.
    pub fn new(kind: AppKind, secret: &str) -> Self {
        Self { kind, secret: secret.to_owned(), name: String::new(), platform: None, redirect_domain: None }
    }

    /// Gives it a name for the pages.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Binds it to an Open Platform account.
    pub fn on_platform(self, platform: &str) -> Self {
        Self { platform: Some(platform.to_owned()), ..self }
    }

    /// Registers the domain that may receive its codes.
    pub fn redirecting_to(self, domain: &str) -> Self {
        Self { redirect_domain: Some(domain.to_owned()), ..self }
    }
}

/// The consoles in which an app may be registered (WeChat docs, "Interface field description").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// 网站应用, Open Platform.
    Website,
    /// 服务号 or 订阅号.
    OfficialAccount,
    /// 移动应用, Open Platform.
    Mobile,
    /// 小程序.
    MiniProgram,
}

/// Somebody with WeChat on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// As `sns/userinfo` gives it; may hold anything, emoji included.
    pub nickname: String,
    /// Left out: a made-up avatar. Empty: no avatar, as WeChat says it with `""`.
    #[serde(default)]
    pub headimgurl: Option<String>,
    /// Official-account pages open for this person as snapshot pages, with a virtual identity.
    #[serde(default)]
    pub snapshot: bool,
    /// Appids that this person is never asked about. A consent given on a page lapses after 30 days; these do not.
    #[serde(default)]
    pub consented: BTreeSet<String>,
}

impl Person {
    /// A person with an avatar who has consented to nothing yet.
    pub fn new(nickname: &str) -> Self {
        Self { nickname: nickname.to_owned(), headimgurl: None, snapshot: false, consented: BTreeSet::new() }
    }

    /// Makes official-account pages open as snapshot pages for this person.
    pub fn only_snapshots(self) -> Self {
        Self { snapshot: true, ..self }
    }

    /// Makes `snsapi_userinfo` silent for this app.
    pub fn having_consented_to(mut self, appid: &str) -> Self {
        self.consented.insert(appid.to_owned());
        self
    }

    pub(crate) fn avatar(&self, openid: &str) -> String {
        match &self.headimgurl {
            Some(url) => url.clone(),
            None => format!("https://thirdwx.qlogo.cn/mmopen/vi_32/{openid}/132"),
        }
    }
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

/// The openid of a person for an app: 28 characters, the first an `o`. The same pair always has the same one.
pub(crate) fn openid(person: &str, appid: &str) -> String {
    id("openid", person, appid)
}

/// The unionid of a person for an Open Platform account, in the same form as an openid.
pub(crate) fn unionid(person: &str, platform: &str) -> String {
    id("unionid", person, platform)
}

/// The openid that a snapshot page hands out in place of the person's own.
pub(crate) fn virtual_openid(person: &str, appid: &str) -> String {
    id("virtual openid", person, appid)
}

/// The unionid that a snapshot page hands out in place of the person's own.
pub(crate) fn virtual_unionid(person: &str, platform: &str) -> String {
    id("virtual unionid", person, platform)
}

fn id(what: &str, person: &str, scope: &str) -> String {
    let digest = Sha256::digest(format!("{what}\n{person}\n{scope}"));
    let text = URL_SAFE_NO_PAD.encode(digest);
    std::iter::once('o').chain(text.chars().take(27)).collect()
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
    fn ids_look_like_wechats_and_never_change() {
        let id = openid("xiaoming", "wx0000000000000001");
        assert_eq!(id.len(), 28);
        assert!(id.starts_with('o'));
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(id, openid("xiaoming", "wx0000000000000001"));
        assert_ne!(id, openid("xiaoming", "wx0000000000000002"));
        assert_ne!(id, unionid("xiaoming", "wx0000000000000001"));
        assert_ne!(id, virtual_openid("xiaoming", "wx0000000000000001"));
    }

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
