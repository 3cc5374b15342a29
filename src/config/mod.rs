//! The compiled configuration: valid by type, so that nothing at request time can meet a wrong value.
//!
//! The way here is `raw` (what the operator writes, with a place for everything; unknown keys refused), `form` (what
//! each name may look like) and then [`compile()`] (every problem at once, each with its JSON path and a hint).

mod compile;
mod form;
mod method;
mod push;
mod raw;
#[cfg(test)]
pub(crate) mod tests;

pub use compile::compile;
pub use raw::Problem;

use std::collections::HashMap;
use std::rc::Rc;

use resolver_api::LoginMethod;

use crate::identity::SigningKey;
use crate::rules::Rules;
use crate::secret::Secret;
use crate::session::KeyRing;

/// All that an operator decides.
pub struct Config {
    /// Where the filter answers itself, such as `/wxgate`: starts with a slash, has no slash at its end, and is one
    /// or more plain segments.
    pub path_prefix: String,
    /// How WeChat is reached.
    pub wechat: WechatApi,
    /// How the resolver is reached.
    pub resolver: ResolverService,
    /// How long sessions live and what seals them.
    pub session: SessionRules,
    /// The signed header.
    pub identity: IdentityRules,
    /// How ended sessions become known here.
    pub revocation: RevocationRules,
    /// By position in the operator's list.
    pub applications: Vec<Rc<Application>>,
    /// Canonical authority (lower case, default port left out) of every origin -> application.
    pub(crate) by_authority: HashMap<String, Rc<Application>>,
    /// Host name without port, of origins and of `hosts` -> application; these are redirected to its origin.
    pub(crate) by_host: HashMap<String, Rc<Application>>,
}

/// How WeChat is reached.
pub struct WechatApi {
    /// The Envoy cluster.
    pub cluster: String,
    /// `Host` of the calls, such as `api.weixin.qq.com`.
    pub api_authority: String,
    /// Where browsers are sent: scheme and authority, without a slash at its end.
    pub open_origin: String,
    /// 50 to 60000.
    pub timeout_ms: u32,
}

/// How the resolver is reached.
pub struct ResolverService {
    /// The Envoy cluster.
    pub cluster: String,
    /// `Host` of the calls.
    pub authority: String,
    /// The Envoy cluster for its long polls: one of their own, so that waiting scans cannot take the place of logins.
    pub waiting_cluster: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Secret,
    /// 50 to 60000.
    pub timeout_ms: u32,
}

/// How long sessions live and what seals them.
pub struct SessionRules {
    /// Seals sessions and attempts.
    pub keys: KeyRing,
    /// A session that is not used for so long ends. 60 s to `absolute_seconds`.
    pub idle_seconds: u64,
    /// A session ends so long after its login, used or not. At most one year.
    pub absolute_seconds: u64,
}

/// The signed header.
pub struct IdentityRules {
    /// The `iss` claim.
    pub issuer: String,
    /// The header's name, lower case.
    pub header: String,
    /// 10 to 300.
    pub ttl_seconds: u64,
    /// The first signs; all are published.
    pub keys: Vec<SigningKey>,
    /// Further headers that carry one claim in plain text: (lower-case header name, claim).
    pub claim_headers: Vec<(String, PlainClaim)>,
}

/// A claim that can be a header of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainClaim {
    /// The account's id.
    Sub,
    /// The session's id.
    Sid,
    /// The connector's id.
    Connector,
    /// The account's name, percent-encoded UTF-8.
    Name,
    /// The account's phone number, E.164.
    PhoneNumber,
}

/// How ended sessions become known here.
pub struct RevocationRules {
    /// Seconds between two questions to the resolver, 1 to 300.
    pub poll_seconds: u64,
    /// What happens while the resolver cannot be asked.
    pub on_outage: OnOutage,
}

/// What happens to existing sessions while the resolver cannot be asked for revocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// They go on working.
    Serve,
    /// They are refused once the last answer is older than three polls.
    Refuse,
}

/// One way of logging in, with the WeChat app behind it.
pub struct Connector {
    /// In paths, metrics and claims: `[a-z0-9-]`, 1 to 32 characters.
    pub id: String,
    /// What visitors read.
    pub display_name: String,
    /// WeChat's appid.
    pub app_id: String,
    /// WeChat's AppSecret.
    pub app_secret: Secret,
    /// Names the WeChat Open Platform account.
    pub platform: String,
    /// The method and what only it needs.
    pub method: Method,
    /// WeChat's message push for that app, where it comes to this connector.
    pub push: Option<Rc<Push>>,
}

/// The method of a connector, and what only it needs.
#[derive(Clone)]
pub enum Method {
    /// PC scan.
    WebsiteQr {
        /// Whether the login page shows WeChat's code itself, beside the way to WeChat's page.
        embed: bool,
    },
    /// Inside WeChat's own browser.
    OfficialAccountWeb {
        /// What to ask WeChat for first.
        scope: Scope,
    },
    /// A native app through WeChat's SDK.
    MobileApp,
    /// Inside a mini program.
    MiniProgram {
        /// Whether the person's number is taken.
        phone_number: PhoneNumber,
    },
    /// PC scan of a mini-program code.
    MiniProgramQr {
        /// What the code opens.
        page: MiniProgramPage,
        /// Whether the person's number is taken.
        phone_number: PhoneNumber,
    },
    /// A native app that pulls up a mini program.
    AppToMiniProgram {
        /// The mini program's `gh_...`, by which apps open it.
        original_id: String,
        /// What the app opens.
        page: MiniProgramPage,
        /// Whether the person's number is taken.
        phone_number: PhoneNumber,
    },
    /// PC scan of an official account's code.
    OfficialAccountQr {
        /// Whether a scan has to be confirmed by a link that opens in WeChat: a scan alone can be begged for by a picture
        /// of somebody else's code.
        is_confirmed: bool,
        /// What a person who scans reads in the account's chat.
        welcome: Option<String>,
    },
}

/// Whether a login takes the phone number that WeChat may deliver with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneNumber {
    /// Never.
    Off,
    /// Where the person gives it.
    Optional,
    /// Nobody logs in without.
    Required,
}

/// A page of a mini program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MiniProgramPage {
    /// Without a leading slash, and without query.
    pub path: String,
    /// Which version of the mini program.
    pub version: MiniProgramVersion,
}

/// A version of a mini program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MiniProgramVersion {
    /// What everybody gets.
    Release,
    /// For people who were invited to try it.
    Trial,
    /// For its developers.
    Develop,
}

impl MiniProgramVersion {
    /// WeChat's word for it, as in `env_version`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Trial => "trial",
            Self::Develop => "develop",
        }
    }
}

/// How WeChat's messages to an app's server come to us.
pub struct Push {
    /// Signs every push.
    pub token: Secret,
    /// 43 characters each: the current one first, then those before it. Empty in plain mode alone.
    pub keys: Vec<Secret>,
    /// What is read of a push.
    pub mode: PushMode,
    /// Whether every message goes on to the route that Envoy has for it, and the reply comes from there.
    pub has_message_server: bool,
}

/// How WeChat sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushMode {
    /// Encrypted.
    Safe,
    /// Encrypted, and in clear beside that; only what was encrypted is read.
    Compatible,
    /// In clear, under a signature that does not cover the message.
    Plain,
}

impl Method {
    /// Whether WeChat sends the browser back to `/callback`, on a domain that is registered with the app.
    pub fn comes_back_to_callback(&self) -> bool {
        matches!(self, Self::WebsiteQr { .. } | Self::OfficialAccountWeb { .. })
    }

    /// Whether a browser shows a code, and collects the login once a phone has confirmed it.
    pub fn is_scan(&self) -> bool {
        matches!(self, Self::MiniProgramQr { .. } | Self::OfficialAccountQr { .. })
    }

    /// Its name towards the resolver.
    pub fn login_method(&self) -> LoginMethod {
        match self {
            Self::WebsiteQr { .. } => LoginMethod::WebsiteQr,
            Self::OfficialAccountWeb { .. } => LoginMethod::OfficialAccountWeb,
            Self::MobileApp => LoginMethod::MobileApp,
            Self::MiniProgram { .. } => LoginMethod::MiniProgram,
            Self::MiniProgramQr { .. } => LoginMethod::MiniProgramQr,
            Self::AppToMiniProgram { .. } => LoginMethod::AppToMiniProgram,
            Self::OfficialAccountQr { .. } => LoginMethod::OfficialAccountQr,
        }
    }
}

/// Scope of `official_account_web`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Silent; gives an openid and nothing else.
    Base,
    /// May show a consent page; gives profile and unionid.
    Userinfo,
}

/// One protected application.
pub struct Application {
    /// The audience of its identity header: `[a-z0-9-]`, 1 to 64 characters.
    pub id: String,
    /// What visitors read; the id where the operator gives none.
    pub display_name: String,
    /// The resolver's user pool.
    pub pool: String,
    /// Scheme and authority, such as `https://shop.example.com`: lower case, default port left out, no slash.
    pub origin: String,
    /// Enabled connectors in the operator's order, never empty.
    pub connectors: Vec<Rc<Connector>>,
    /// Who may pass without a session.
    pub rules: Rules,
    /// Claims beyond the fixed ones.
    pub claims: Claims,
    /// Whether `/experience` answers.
    pub experience: bool,
    /// WeChat's domain-verification files.
    pub verification_files: Vec<VerificationFile>,
}

impl Application {
    /// The enabled connector of that id.
    pub fn connector(&self, id: &[u8]) -> Option<&Rc<Connector>> {
        self.connectors.iter().find(|connector| connector.id.as_bytes() == id)
    }
}

/// Which optional claims an application's identity header carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `name`
    pub name: bool,
    /// `picture`
    pub picture: bool,
    /// `phone_number` and `phone_number_verified`
    pub phone_number: bool,
    /// `wechat {app_id, openid, unionid}`
    pub wechat: bool,
}

/// A file that WeChat asks for at the root of a host to see that it is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationFile {
    /// Such as `/MP_verify_abc.txt`: one segment.
    pub path: String,
    /// Served as is, `text/plain`.
    pub content: String,
}
