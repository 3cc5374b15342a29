//! WeChat's message push: somebody has scanned an official account's code, or has withdrawn their consent to an app of
//! any kind.
//!
//! Guards first, and the address' signature among them: nothing of a body is looked at before. WeChat waits five seconds
//! and then sends the same again, so whatever could not be stored within four is answered 503, and the next delivery brings
//! it once more; what was stored is idempotent at the resolver. Where the operator has a message server of its own, every
//! push that is WeChat's goes on to it once our part is done, as it came, and its answer reaches WeChat.

use std::rc::Rc;

use resolver_api::tickets::{ConfirmTicket, ScanAnswer, ScanTicket, Ticket, TicketIdentity, TicketState, WithdrawAuthorization};

use super::answers::{About, Answers, Visitor};
use super::{done, fields, server_tokens, standing};
use crate::config::{Application, Connector, Method, Push};
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError};
use crate::http::{Moment, Request};
use crate::login::confirmation::Confirmation;
use crate::login::return_to::ReturnTo;
use crate::resolver;
use crate::session::cookie;
use crate::step::{Event, Forward, Outcome, Reply, ScanStep, Step, Verdict};
use crate::wechat::message_push::{self, Address, MAX_TEXT_BYTES, Message, Unopened};
use crate::wechat::official_account;

/// All that a push may take, of the five seconds that WeChat waits.
const PATIENCE_MS: u64 = 4_000;

/// What a person reads in the chat whose code is too old: WeChat does not say in which language.
const OVER: &str =
    "二维码已失效，请在登录页刷新后重新扫描。\nThis code is no longer valid. Load a new one on the login page, and scan again.";

const TAKEN: &str = "这个二维码已被其他微信扫描，请在登录页刷新后重新扫描。\nAnother WeChat has scanned this code. Load a new one on the login page, and scan again.";

/// `GET, POST /push/{connector}`.
pub(super) fn answer(answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment) -> Step {
    let connector = application.connector(id);
    let Some((connector, push)) = connector.and_then(|connector| Some((Rc::clone(connector), Rc::clone(connector.push.as_ref()?)))) else {
        return answers.failure(LoginError::UnknownConnector.into());
    };
    let request = answers.request;
    let is_verification = match request.method() {
        b"GET" => true,
        b"POST" => false,
        _ => return answers.failure(LoginError::MethodNotAllowed.into()),
    };
    if is_encoded(request) {
        return answers.failure(LoginError::UnsupportedMediaType.into());
    }
    let raw_path = request.path().unwrap_or_default();
    let pushed = |kind, result| Event::Pushed { connector: connector.id.clone(), kind, result };
    let Some(address) = Address::read(raw_path).filter(|address| address.is_signed(&push.token)) else {
        return answers.failure_with(LoginError::PushRefused.into(), pushed("unknown", "unsigned"));
    };
    let forward = push.has_message_server.then(|| Forward {
        remove: answers.gate.spoofed(request),
        cookie: cookie::without_ours(&request.headers),
        remove_authorization: standing::carries_bearer(request),
        ..Forward::default()
    });
    if is_verification {
        let Some(echo) = message_push::echo(raw_path) else {
            return answers.failure_with(LoginError::PushRefused.into(), pushed("verification", "unreadable"));
        };
        return match forward {
            Some(forward) => Step::Done(Outcome { verdict: Verdict::Forward(forward), events: vec![pushed("verification", "forwarded")] }),
            None => done(text("text/plain; charset=utf-8", echo), pushed("verification", "answered")),
        };
    }
    let visitor = answers.visitor(application);
    coroutine::start(moment, |calls| async move {
        calls.finish_by(moment.now_ms.saturating_add(PATIENCE_MS));
        Delivery { visitor, connector, push, address, forward }.receive(&calls).await
    })
}

/// Whether people log in by scanning codes of that connector's account.
fn has_codes(connector: &Connector) -> bool {
    matches!(connector.method, Method::OfficialAccountQr { .. })
}

/// Whether the body comes in an encoding: WeChat uses none, and a small one may unpack to anything.
fn is_encoded(request: &Request) -> bool {
    request.headers.all("content-encoding").any(|encoding| !encoding.trim_ascii().is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
}

/// A push that came with a good address.
struct Delivery {
    visitor: Visitor,
    connector: Rc<Connector>,
    push: Rc<Push>,
    address: Address,
    /// Where there is a message server: what of the request goes on to it.
    forward: Option<Forward>,
}

/// What became of our part of a push.
struct Handled {
    kind: &'static str,
    result: &'static str,
    /// For the person's chat.
    text: Option<String>,
}

impl Handled {
    fn silently(kind: &'static str, result: &'static str) -> Self {
        Self { kind, result, text: None }
    }
}

impl Delivery {
    async fn receive(mut self, calls: &Calls) -> Verdict {
        let body = match fields::body(calls).await {
            Ok(body) => body,
            Err(failure) => return self.failed(calls, "unknown", "unread", failure),
        };
        let message = match Message::open(&self.push, &self.connector.app_id, &self.address, &body) {
            Ok(message) => message,
            Err(Unopened::Unsigned) => return self.failed(calls, "unknown", "unsigned", LoginError::PushRefused.into()),
            Err(Unopened::Unreadable { detail, is_signed: false }) => {
                return self.failed(calls, "unknown", "unreadable", Failure::new(LoginError::MalformedBody, detail));
            }
            Err(Unopened::Unreadable { detail, is_signed: true }) => {
                let answer = self.failed(calls, "unknown", "unreadable", Failure::new(LoginError::PushUnreadable, detail));
                // It is WeChat's: what we cannot read is not ours to keep from the message server.
                return self.forward.map_or(answer, Verdict::Forward);
            }
        };
        let handled = match self.handle(calls, &message).await {
            Ok(handled) => handled,
            Err((kind, failure)) => return self.failed(calls, kind, "not_stored", failure),
        };
        self.note(calls, handled.kind, handled.result);
        if let Some(forward) = self.forward.take() {
            return Verdict::Forward(forward);
        }
        let (app_id, now) = (&self.connector.app_id, calls.now());
        let reply = handled.text.and_then(|text| message.reply(&self.push, app_id, &text, now, &mut calls.entropy()));
        let (content_type, body) = reply.unwrap_or_else(|| ("text/plain; charset=utf-8", "success".into()));
        Verdict::Reply(text(content_type, body.into_bytes()))
    }

    async fn handle(&self, calls: &Calls, message: &Message) -> Result<Handled, (&'static str, Failure)> {
        use message_push::Event::{Other, Scanned, Withdrawn};
        let event = match message.event() {
            // No code of that connector's was scanned: it has none.
            Scanned { .. } if !has_codes(&self.connector) => Other,
            event => event,
        };
        let kind = match &event {
            Scanned { is_new: true, .. } => "follow",
            Scanned { is_new: false, .. } => "scan",
            Withdrawn { .. } => "withdrawal",
            Other => return Ok(Handled::silently("other", "ignored")),
        };
        // A recording of one, sent again: WeChat's own repetitions come within seconds.
        if !self.address.is_recent(calls.now()) {
            return Ok(Handled::silently(kind, "stale"));
        }
        let handled = match event {
            Scanned { openid, ticket, .. } => self.scanned(calls, kind, openid, ticket).await,
            // Each app has an address, a token and keys of its own. Who has those of one ends no consent to another.
            Withdrawn { app_id, .. } if app_id != self.connector.app_id => Ok(Handled::silently(kind, "ignored")),
            Withdrawn { app_id, openid, unionid, reason, at } => {
                // What has not happened yet must not end sessions that are still to come.
                let at = at.min(calls.now());
                let (pools, platform) = (self.pools(), self.connector.platform.clone());
                self.withdrawn(calls, kind, &WithdrawAuthorization { pools, platform, app_id, openid, unionid, reason, at }).await
            }
            Other => Ok(Handled::silently("other", "ignored")),
        };
        handled.map_err(|failure| (kind, failure))
    }

    /// A person has scanned what may be a code of ours. Only the resolver knows, and for which application.
    async fn scanned(&self, calls: &Calls, kind: &'static str, openid: String, ticket: String) -> Result<Handled, Failure> {
        let gate = &self.visitor.gate;
        let service = &gate.config().resolver;
        let identity = self.identity(calls, openid).await?;
        let is_confirmed = self.must_be_confirmed();
        let result = if is_confirmed {
            let request = ScanTicket { platform: self.connector.platform.clone(), identity: identity.clone(), client_address: None };
            resolver::ask(calls, resolver::scan_ticket(service, &ticket, &request)).await
        } else {
            let request = ConfirmTicket { identity: identity.clone(), client_address: None };
            resolver::ask(calls, resolver::confirm_ticket(service, &ticket, &request)).await
        };
        let welcome = || self.welcome().cloned();
        Ok(match resolver::read_scan(result)? {
            None => Handled { kind, result: "over", text: Some(OVER.into()) },
            Some(ScanAnswer::Taken) => Handled { kind, result: "taken", text: Some(TAKEN.into()) },
            Some(ScanAnswer::Settled) => Handled { kind, result: "settled", text: welcome() },
            Some(ScanAnswer::Done { ticket: scanned }) if is_confirmed && scanned.state == TicketState::Scanned => {
                let text = self.invitation(calls, ticket, &scanned, identity)?;
                calls.note(Event::Scan { connector: scanned.connector, step: ScanStep::Scanned });
                Handled { kind, result: "scanned", text: Some(text) }
            }
            Some(ScanAnswer::Done { ticket: scanned }) => {
                // Where a link asks, its page has counted that.
                if !is_confirmed && self.target(&scanned).is_some() {
                    calls.note(Event::Scan { connector: scanned.connector, step: ScanStep::Confirmed });
                }
                Handled { kind, result: "confirmed", text: welcome() }
            }
        })
    }

    /// Who has scanned, as WeChat says of those who follow the account.
    async fn identity(&self, calls: &Calls, openid: String) -> Result<TicketIdentity, Failure> {
        let gate = &self.visitor.gate;
        let build = |token: &str| official_account::user_info(&gate.config().wechat, token, &openid);
        let reply = server_tokens::send(calls, gate, &self.connector, build).await?;
        let unionid = official_account::read_user_info(Ok(reply), &openid)?;
        Ok(TicketIdentity { app_id: self.connector.app_id.clone(), openid, unionid, profile: None, phone_number: None })
    }

    /// An account has one address for its pushes. Where several connectors share the account, its tickets may be any one's,
    /// so the strictest of them decides.
    fn must_be_confirmed(&self) -> bool {
        let connectors = self.visitor.gate.config().applications.iter().flat_map(|application| &application.connectors);
        let of_this_app = connectors.filter(|connector| connector.app_id == self.connector.app_id);
        of_this_app.map(|connector| &connector.method).any(|method| matches!(method, Method::OfficialAccountQr { is_confirmed: true, .. }))
    }

    fn welcome(&self) -> Option<&String> {
        match &self.connector.method {
            Method::OfficialAccountQr { welcome, .. } => welcome.as_ref(),
            _ => None,
        }
    }

    /// Where the ticket's person would be logged in.
    fn target(&self, scanned: &Ticket) -> Option<(&Rc<Application>, &Rc<Connector>)> {
        let application = self.visitor.gate.config().applications.iter().find(|application| application.id == scanned.application)?;
        let connector = application.connector(scanned.connector.as_bytes())?;
        (connector.app_id == self.connector.app_id && has_codes(connector)).then_some((application, connector))
    }

    /// The welcome, and the link to confirm: it names the site that would be logged in to.
    fn invitation(&self, calls: &Calls, ticket: String, scanned: &Ticket, identity: TicketIdentity) -> Result<String, Failure> {
        let config = self.visitor.gate.config();
        let (application, connector) = self.target(scanned).ok_or_else(|| {
            Failure::new(LoginError::ResolverRejected, "the ticket is of an application or a connector that is not configured")
        })?;
        let confirmation = Confirmation::new(connector, ticket, identity, scanned.expires_at);
        let sealed = confirmation.seal(&config.session.keys, &mut calls.entropy());
        let sealed = sealed.ok_or_else(|| Failure::new(LoginError::Internal, "the scan could not be sealed"))?;
        let (origin, prefix, id) = (&application.origin, &config.path_prefix, &connector.id);
        let (_, host) = origin.split_once("://").unwrap_or_default();
        // WeChat reads nothing but links in a text.
        let name: String = application.display_name.chars().filter(|c| !matches!(c, '<' | '>')).collect();
        let link = format!(
            "您正在登录 {name}（{host}）。\n<a href=\"{origin}{prefix}/scan/{id}/confirm?confirm={sealed}\">点此确认 · Tap to confirm</a>\n如果不是您本人的操作，请忽略此消息。\nIf this was not you, ignore this message."
        );
        let welcome = self.welcome().map(|welcome| format!("{welcome}\n\n{link}"));
        Ok(welcome.filter(|text| text.len() <= MAX_TEXT_BYTES).unwrap_or(link))
    }

    /// Where somebody may have logged in by this app.
    fn pools(&self) -> Vec<String> {
        let mut pools: Vec<String> = Vec::new();
        for application in &self.visitor.gate.config().applications {
            let has_app = application.connectors.iter().any(|connector| connector.app_id == self.connector.app_id);
            if has_app && !pools.contains(&application.pool) {
                pools.push(application.pool.clone());
            }
        }
        pools
    }

    /// A person's consent is over.
    async fn withdrawn(&self, calls: &Calls, kind: &'static str, request: &WithdrawAuthorization) -> Result<Handled, Failure> {
        let result = resolver::ask(calls, resolver::withdraw_authorization(&self.visitor.gate.config().resolver, request)).await;
        resolver::read_revoked(result)?;
        Ok(Handled::silently(kind, "withdrawn"))
    }

    /// Whatever is wrong on our side is 503 to WeChat, which then sends the same again; whatever is wrong with the push
    /// has its own status.
    fn failed(&self, calls: &Calls, kind: &'static str, result: &'static str, failure: Failure) -> Verdict {
        self.note(calls, kind, result);
        let is_ours = result == "not_stored";
        let about = About { connector: Some(&*self.connector).filter(|_| is_ours), return_to: &ReturnTo::front_page() };
        let reply = self.visitor.failed(calls, about, failure, vec![]);
        Verdict::Reply(if is_ours { Reply { status: 503, ..reply } } else { reply })
    }

    fn note(&self, calls: &Calls, kind: &'static str, result: &'static str) {
        calls.note(Event::Pushed { connector: self.connector.id.clone(), kind, result });
    }
}

/// What WeChat reads, and no browser takes for a page.
fn text(content_type: &str, body: Vec<u8>) -> Reply {
    let headers =
        vec![("content-type", content_type.into()), ("cache-control", "no-store".into()), ("x-content-type-options", "nosniff".into())];
    Reply { status: 200, headers, body }
}
