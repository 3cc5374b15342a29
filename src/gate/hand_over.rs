//! A session that goes over to a web view: an app or a mini program asks for an address, and the web view that opens it gets
//! a cookie of the same session.
//!
//! The address works once, for a minute, at one application. Who opens it is logged in as somebody, so it could be somebody
//! else's trick: a browser that was led here by another site is refused, and so is one in which another person is logged
//! in. What is spent is spent only after all of that.

use std::rc::Rc;

use resolver_api::tickets::{CreateTicket, CreateTicketAnswer, RedeemAnswer, RedeemTicket, TicketPurpose};

use super::answers::{About, Answers, Visitor, json, quiet, redirect};
use super::fields::{self, required};
use super::refusal::Wants;
use super::standing::{Standing, Token, bearer};
use crate::config::Application;
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError};
use crate::form::Encoding;
use crate::http::{Moment, Parameter, push_escaped, query_parameter};
use crate::json::object;
use crate::login::attempt::base62;
use crate::login::challenge::Challenge;
use crate::login::hand_over::{HandOver, LIFETIME};
use crate::login::return_to::ReturnTo;
use crate::resolver;
use crate::session::{Session, cookie};
use crate::step::{Event, Reply, Step, Verdict};

/// Some web views give addresses up that are much longer than this and the session together.
const MAX_TARGET_CHARS: usize = 1024;

/// `POST /hand-over`, with our bearer token: the address for the web view.
pub(super) fn issue(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    // Not a form, and no cookie: no page of any site can send this unasked.
    if Encoding::of(answers.request) != Some(Encoding::Json) {
        return answers.failure(LoginError::UnsupportedMediaType.into());
    }
    let standing = answers.gate.standing(answers.request, application, moment);
    let token = bearer(answers.request).and_then(|token| String::from_utf8(token.to_vec()).ok());
    let (known, token) = match (standing, token) {
        (Standing::Good(known, Token::Bearer), Some(token)) => (known, token),
        (standing, _) => {
            let reason = if let Standing::None(reason) = standing { reason } else { "no_session" };
            let event = Event::Refused { application: application.id.clone(), kind: "api", reason };
            return answers.failure_with(LoginError::LoginRequired.into(), event);
        }
    };
    let app = HandedOver { visitor: Visitor { is_for_a_person: false, ..answers.visitor(application) }, return_to: ReturnTo::front_page() };
    coroutine::start(moment, |calls| async move {
        let reply = app.issue(&calls, &known.session, token).await;
        Verdict::Reply(reply.unwrap_or_else(|failure| app.failed(&calls, failure)))
    })
}

/// `GET /hand-over?ticket=…`: the web view opens it, and goes on to its target, logged in.
pub(super) fn redeem(mut answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let (gate, request) = (Rc::clone(answers.gate), answers.request);
    // Neither a script nor a browser that fetches ahead may spend it.
    if Wants::of(request) != Wants::Page {
        return answers.failure(LoginError::LoginRequired.into());
    }
    // A web view says `none`; old ones say nothing.
    if request.headers.first("sec-fetch-site").is_some_and(|site| !matches!(site, b"none" | b"same-origin")) {
        return answers.failure(LoginError::CrossSite.into());
    }
    let opened = match query_parameter(request.path().unwrap_or_default(), "ticket") {
        Parameter::Once(token) => HandOver::open(&gate.config().session.keys, &token, application),
        _ => None,
    };
    let Some(over) = opened else { return answers.failure(LoginError::HandOverOver.into()) };
    let return_to = ReturnTo::parse(over.target.as_bytes(), &gate.config().path_prefix);
    answers.return_to = return_to.clone();
    let Standing::Good(known, _) = gate.worth(over.session.as_bytes(), Token::Bearer, application, moment) else {
        return answers.failure(Failure::new(LoginError::HandOverOver, "the session has ended"));
    };
    match gate.standing(request, application, moment) {
        // Loaded again: who has the session already goes on.
        Standing::Good(here, Token::Cookie) if here.session.id == known.session.id => {
            return quiet(redirect(format!("{}{}", application.origin, return_to.as_str()), vec![]));
        }
        Standing::Good(here, _) if here.session.subject != known.session.subject => {
            return answers.failure(LoginError::AnotherSession.into());
        }
        _ => {}
    }
    if moment.now() >= over.expires_at {
        return answers.failure(Failure::new(LoginError::HandOverOver, "it took too long"));
    }
    let browser = HandedOver { visitor: answers.visitor(application), return_to };
    coroutine::start(moment, |calls| async move {
        let reply = browser.redeem(&calls, known.session.clone(), over).await;
        Verdict::Reply(reply.unwrap_or_else(|failure| browser.failed(&calls, failure)))
    })
}

/// Whom a session goes over from or to.
struct HandedOver {
    visitor: Visitor,
    return_to: ReturnTo,
}

impl HandedOver {
    async fn issue(&self, calls: &Calls, session: &Session, token: String) -> Result<Reply, Failure> {
        let fields = fields::read(calls, Encoding::Json).await?;
        let (visitor, config) = (&self.visitor, self.visitor.gate.config());
        let target = required(&fields, "target", MAX_TARGET_CHARS)?;
        if ReturnTo::parse(target.as_bytes(), &config.path_prefix).as_str() != target {
            return Err(Failure::new(LoginError::MalformedBody, "`target` is no plain path of this application"));
        }
        let verifier = base62(43, &mut calls.entropy());
        let request = CreateTicket {
            purpose: TicketPurpose::HandOver,
            pool: visitor.application.pool.clone(),
            application: visitor.application.id.clone(),
            connector: session.connector.clone(),
            app_id: session.wechat.app_id.clone(),
            challenge: Challenge::of(&verifier).as_str().into(),
            number: None,
            client: None,
            client_address: visitor.address.clone(),
            lifetime_seconds: LIFETIME,
        };
        let created = calls.send(resolver::create_ticket(&config.resolver, &request)).await;
        let (ticket, expires_at) = match resolver::read_create_ticket(created)? {
            CreateTicketAnswer::Created { ticket, expires_at } => (ticket, expires_at.min(calls.now().saturating_add(LIFETIME))),
            CreateTicketAnswer::TooMany { retry_at } => {
                let mut reply = self.failed(calls, LoginError::TooManyLaunches.into());
                reply.headers.push(("retry-after", retry_at.saturating_sub(calls.now()).max(1).to_string()));
                return Ok(reply);
            }
        };
        let over = HandOver { ticket, verifier, session: token, target: target.to_owned(), expires_at };
        let sealed = over.seal(&config.session.keys, &visitor.application, &session.connector, &mut calls.entropy());
        let sealed = sealed.ok_or_else(|| Failure::new(LoginError::Internal, "the session could not be sealed"))?;
        let mut url = visitor.own_address("/hand-over?ticket=");
        push_escaped(&mut url, sealed.as_bytes());
        calls.note(Event::HandedOver { application: visitor.application.id.clone(), result: "issued" });
        Ok(json(200, &object!({"url": url, "expires_at": expires_at}), vec![]))
    }

    async fn redeem(&self, calls: &Calls, session: Session, over: HandOver) -> Result<Reply, Failure> {
        let (visitor, config) = (&self.visitor, self.visitor.gate.config());
        let request = RedeemTicket {
            verifier: over.verifier,
            application: visitor.application.id.clone(),
            redemption: base62(22, &mut calls.entropy()),
            client_address: visitor.address.clone(),
        };
        let redeemed = resolver::ask(calls, resolver::redeem_ticket(&config.resolver, &over.ticket, &request)).await;
        match resolver::read_redeem(redeemed)? {
            Some(RedeemAnswer::Redeemed { .. }) => {}
            _ => return Err(Failure::new(LoginError::HandOverOver, "it was used before, or the resolver does not know it")),
        }
        let cookie = visitor.gate.sealed_cookie(session, calls.now(), &mut calls.entropy());
        let cookie = cookie.ok_or_else(|| Failure::new(LoginError::Internal, "the session could not be sealed"))?;
        calls.note(Event::HandedOver { application: visitor.application.id.clone(), result: "redeemed" });
        Ok(redirect(format!("{}{}", visitor.application.origin, self.return_to.as_str()), vec![cookie, cookie::clear(cookie::STARTS)]))
    }

    fn failed(&self, calls: &Calls, failure: Failure) -> Reply {
        self.visitor.failed(calls, About { connector: None, return_to: &self.return_to }, failure, vec![])
    }
}
