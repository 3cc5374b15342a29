//! Apps, as WeChat's consoles have them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::push::Push;

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
    /// Not verified (未认证), or a person's own: WeChat opens neither phone numbers nor QR codes with a parameter to it.
    #[serde(default)]
    pub is_unverified: bool,
    /// IP白名单: who may ask for server tokens. Empty is anybody.
    #[serde(default)]
    pub ip_whitelist: BTreeSet<IpAddr>,
    /// A mini program's released pages, without a leading `/`; the first is its main page.
    #[serde(default)]
    pub pages: Vec<String>,
    /// A mini program's code, as far as the phone page can run it: JavaScript with a `wx`.
    #[serde(default)]
    pub program: Option<String>,
    /// What its pages look like, as far as the phone page can draw it: WXML that is well-formed XML.
    #[serde(default)]
    pub wxml: Option<String>,
    /// 服务器配置: where WeChat pushes messages and events to.
    #[serde(default)]
    pub push: Option<Push>,
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

    /// A mobile app (移动应用), for the SDK's `SendAuth`.
    pub fn mobile(secret: &str) -> Self {
        Self::new(AppKind::Mobile, secret)
    }

    /// A mini program (小程序), with one released page, `pages/index/index`.
    pub fn mini_program(secret: &str) -> Self {
        Self::new(AppKind::MiniProgram, secret).having_pages(&["pages/index/index"])
    }

    /// An app of any kind, verified, unbound, nameless, and without a redirect domain.
    pub fn new(kind: AppKind, secret: &str) -> Self {
        Self {
            kind,
            secret: secret.to_owned(),
            name: String::new(),
            platform: None,
            redirect_domain: None,
            is_unverified: false,
            ip_whitelist: BTreeSet::new(),
            pages: Vec::new(),
            program: None,
            wxml: None,
            push: None,
        }
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

    /// Releases these pages of a mini program, and no others.
    pub fn having_pages(self, pages: &[&str]) -> Self {
        Self { pages: pages.iter().map(|&page| page.to_owned()).collect(), ..self }
    }

    /// Gives a mini program its code, for the phone page to run.
    pub fn running(self, program: &str) -> Self {
        Self { program: Some(program.to_owned()), ..self }
    }

    /// Gives a mini program's pages their look; without it, the phone page lists their data.
    pub fn looking(self, wxml: &str) -> Self {
        Self { wxml: Some(wxml.to_owned()), ..self }
    }

    /// Lets only these addresses ask for server tokens.
    pub fn only_from(self, addresses: &[IpAddr]) -> Self {
        Self { ip_whitelist: addresses.iter().copied().collect(), ..self }
    }

    /// Pushes messages and events there, as though WeChat had verified the address before.
    pub fn pushing_to(self, push: Push) -> Self {
        Self { push: Some(push), ..self }
    }

    /// Takes its verification away.
    pub fn unverified(self) -> Self {
        Self { is_unverified: true, ..self }
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
