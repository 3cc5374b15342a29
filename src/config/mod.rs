//! The compiled configuration: valid by type, so that nothing at request time can meet a wrong value.
//!
//! The way here is `raw` (what the operator writes, with a place for everything; unknown keys refused), `form` (what
//! each name may look like) and then [`compile()`] (every problem at once, each with its JSON path and a hint).

mod compile;
mod form;
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
}

/// The method of a connector, and what only it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// PC scan.
    WebsiteQr,
    /// Inside WeChat's own browser.
    OfficialAccountWeb {
        /// What to ask WeChat for first.
        scope: Scope,
    },
}

impl Method {
    /// Its name towards the resolver.
    pub fn login_method(&self) -> LoginMethod {
        match self {
            Self::WebsiteQr => LoginMethod::WebsiteQr,
            Self::OfficialAccountWeb { .. } => LoginMethod::OfficialAccountWeb,
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
