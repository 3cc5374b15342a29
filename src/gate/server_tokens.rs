//! Calls that need an app's server token, and what the workers of one Envoy know of these tokens together.
//!
//! The root context of one worker asks for them ahead of need; a flow asks only where none is known, or where WeChat
//! refuses the one that is. The rule for that: ask once more without force. Another token is used at once. The same one
//! ends the flow, and the root finds out, after a random while, whether WeChat still gives it, and only then forces
//! another, seldom: that kills the tokens of every other Envoy, and whoever forces too often gets none at all.

mod shared;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::Gate;
use crate::config::{Config, Connector, Method, PhoneNumber};
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::http::{CallFailure, HttpCall, HttpReply, Moment, Request};
use crate::secret::Secret;
use crate::step::Event;
use crate::wechat::server_token::{self, ServerToken, TokenReport};
use shared::Shared;

/// A worker's copy of what all of them share, for each app whose methods call WeChat with a server token.
pub(super) struct ServerTokens(Vec<App>);

struct App {
    /// One of those with this app.
    connector: Rc<Connector>,
    copy: RefCell<Shared>,
}

impl ServerTokens {
    pub(super) fn new(config: &Config) -> Self {
        let mut apps: Vec<App> = Vec::new();
        for connector in config.applications.iter().flat_map(|application| &application.connectors) {
            let is_known = apps.iter().any(|app| app.connector.app_id == connector.app_id);
            if needs_server_token(&connector.method) && !is_known {
                apps.push(App { connector: Rc::clone(connector), copy: RefCell::default() });
            }
        }
        Self(apps)
    }

    fn find(&self, connector: &Connector) -> Option<&App> {
        self.0.iter().find(|app| app.connector.app_id == connector.app_id)
    }
}

fn needs_server_token(method: &Method) -> bool {
    match method {
        Method::WebsiteQr { .. } | Method::OfficialAccountWeb { .. } | Method::MobileApp => false,
        Method::MiniProgram { phone_number } => *phone_number != PhoneNumber::Off,
        Method::MiniProgramQr { .. } | Method::AppToMiniProgram { .. } | Method::OfficialAccountQr { .. } => true,
    }
}

/// What a report has come to, on top of what the workers shared before.
pub struct Told {
    /// To be shared in its place.
    pub shared: Vec<u8>,
    /// To be counted and logged.
    pub event: Option<Event>,
    /// To be made next: the forced question. Only the root is told to.
    pub call: Option<HttpCall>,
}

/// The host's side: it keeps the bytes, compares and swaps, and makes the calls. Apps are named by their position.
impl Gate {
    /// Names for the bytes of each app. A digest of the AppSecret is part of them, so that a corrected one begins anew.
    pub fn server_token_names(&self) -> Vec<String> {
        let name = |app: &App| {
            let secret = Sha256::digest(["wxgate server token\0", app.connector.app_secret.expose()].concat());
            let digest: String = secret.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{}.{}.{digest}", self.config.wechat.api_authority, app.connector.app_id)
        };
        self.server_tokens.0.iter().map(name).collect()
    }

    /// What is shared while nothing is known.
    pub fn no_server_token() -> Vec<u8> {
        Shared::default().bytes()
    }

    /// Whether a look at what is shared could find a token that this worker does not know of, and that the request may need: our
    /// endpoints alone call WeChat. On the way to an application there is nothing to look for.
    pub fn lacks_server_tokens(&self, request: &Request, now_ms: u64) -> bool {
        let is_ours = || request.path().is_some_and(|path| self.endpoint(path).is_some());
        self.server_tokens.0.iter().any(|app| !app.copy.borrow().has_token(now_ms)) && is_ours()
    }

    /// Takes in what is shared.
    pub fn adopt_server_token(&self, app: usize, shared: &[u8]) {
        if let Some(app) = self.server_tokens.0.get(app) {
            app.copy.replace(Shared::parse(shared));
        }
    }

    /// The question for a token, if it is time and nobody else is asking: for whoever manages to share these bytes.
    pub fn claim_server_token(&self, app: usize, shared: &[u8], now_ms: u64) -> Option<(Vec<u8>, HttpCall)> {
        let connector = &self.server_tokens.0.get(app)?.connector;
        let claimed = Shared::parse(shared).claimed(now_ms, self.config.wechat.timeout_ms)?;
        Some((claimed.bytes(), server_token::stable_token(&self.config.wechat, connector, false)))
    }

    /// The event of a report by the root.
    pub fn server_token_event(&self, app: usize, report: TokenReport) -> Option<Event> {
        let connector = self.server_tokens.0.get(app)?.connector.id.clone();
        Some(Event::ServerToken { connector, report })
    }

    /// The app that a report of a flow is about.
    pub fn server_token_app(&self, connector: &str) -> Option<usize> {
        let applications = self.config.applications.iter();
        let connector = applications.flat_map(|application| &application.connectors).find(|found| found.id == connector)?;
        self.server_tokens.0.iter().position(|app| app.connector.app_id == connector.app_id)
    }

    /// Takes a report in. May be asked again on top of what somebody else has shared meanwhile.
    pub fn tell_server_token(&self, app: usize, shared: &[u8], report: &TokenReport, is_root: bool, moment: Moment) -> Option<Told> {
        let connector = &self.server_tokens.0.get(app)?.connector;
        let mut shared = Shared::parse(shared);
        let told = shared.tell(report, moment, is_root.then_some(self.config.wechat.timeout_ms));
        Some(Told {
            shared: shared.bytes(),
            event: told.news.map(|news| Event::ServerTokenNews { connector: connector.id.clone(), news }),
            call: told.must_force.then(|| server_token::stable_token(&self.config.wechat, connector, true)),
        })
    }
}

/// Makes the call that `build` makes of a token; it is made twice at most, where WeChat refuses the first token.
///
/// # Errors
/// No token, or no answer. Every other refusal of WeChat's is in the reply.
pub(crate) async fn send(
    calls: &Calls,
    gate: &Gate,
    connector: &Connector,
    build: impl Fn(&str) -> HttpCall,
) -> Result<HttpReply, Failure> {
    Asker { calls, gate, connector }.send(&build).await
}

/// A flow that needs a token.
struct Asker<'a> {
    calls: &'a Calls,
    gate: &'a Gate,
    connector: &'a Connector,
}

impl Asker<'_> {
    /// Not generic: one copy in the module, whatever the calls are.
    async fn send(&self, build: &dyn Fn(&str) -> HttpCall) -> Result<HttpReply, Failure> {
        let (first, is_fresh) = match self.known()? {
            Some(token) => (token, false),
            None => (self.ask().await?.token, true),
        };
        let reply = self.call(build(first.expose())).await?;
        let Some(errcode) = server_token::refused(&reply) else { return Ok(reply) };
        let second = self.another(&first, is_fresh, errcode).await?;
        let reply = self.call(build(second.expose())).await?;
        match server_token::refused(&reply) {
            None => Ok(reply),
            Some(errcode) => Err(self.refused(&second, errcode)),
        }
    }

    /// What all workers use. Where WeChat has just failed to give any, that is not found out once more for each visitor.
    fn known(&self) -> Result<Option<Secret>, Failure> {
        let Some(app) = self.gate.server_tokens.find(self.connector) else { return Ok(None) };
        let (copy, now_ms) = (app.copy.borrow(), self.calls.now_ms());
        match (copy.token(now_ms), copy.pause(now_ms)) {
            (Some(token), _) => Ok(Some(token)),
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(None),
        }
    }

    /// Asks WeChat, without force, and lets the other workers know.
    async fn ask(&self) -> Result<ServerToken, Failure> {
        let asked_ms = self.calls.now_ms();
        let call = server_token::stable_token(&self.gate.config.wechat, self.connector, false);
        let report = TokenReport::of(self.calls.send(call).await, asked_ms, false);
        let outcome = match &report {
            TokenReport::Given { token, .. } => Ok(token.clone()),
            TokenReport::Failed { failure, .. } => Err(failure.clone()),
            TokenReport::Refused { .. } => Err(LoginError::Internal.into()),
        };
        self.report(report);
        outcome
    }

    /// A token in place of a refused one.
    async fn another(&self, refused: &Secret, is_fresh: bool, errcode: i64) -> Result<Secret, Failure> {
        if let Some(app) = self.gate.server_tokens.find(self.connector) {
            let (copy, now_ms) = (app.copy.borrow(), self.calls.now_ms());
            // Another flow may have found one while this one was waiting.
            if let Some(token) = copy.token(now_ms).filter(|token| token.expose() != refused.expose()) {
                return Ok(token);
            }
            if copy.is_looked_after(refused.expose(), now_ms) {
                return Err(refusal(errcode));
            }
        }
        if is_fresh {
            return Err(self.refused(refused, errcode));
        }
        match self.ask().await?.token {
            same if same.expose() == refused.expose() => Err(self.refused(refused, errcode)),
            other => Ok(other),
        }
    }

    fn refused(&self, token: &Secret, errcode: i64) -> Failure {
        self.report(TokenReport::Refused { token: ServerToken { token: token.clone(), expires_in: 0 }, errcode });
        refusal(errcode)
    }

    fn report(&self, report: TokenReport) {
        self.calls.note(Event::ServerToken { connector: self.connector.id.clone(), report });
    }

    async fn call(&self, call: HttpCall) -> Result<HttpReply, Failure> {
        self.calls.send(call).await.map_err(|failure| {
            let detail = match failure {
                CallFailure::NotSent => "the call could not be sent: no such cluster, no healthy host, or too many calls under way",
                CallFailure::Reset => "the connection ended before the answer was complete",
                CallFailure::TooLarge => "the answer is too long",
            };
            Failure::new(LoginError::WechatUnavailable, detail)
        })
    }
}

fn refusal(errcode: i64) -> Failure {
    Failure::new(
        LoginError::WechatUnavailable,
        format!("WeChat refuses this app's server token (errcode {errcode}); another one is on its way"),
    )
}
