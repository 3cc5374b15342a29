//! `/account`: where a login waits for its person's answer, and where people see and change their own account.
//!
//! A question comes before a session: whoever has just come from WeChat finishes that first. A browser proves what it
//! asks for by cookies and so has to ask from a page of ours; an app sends its sealed token or its bearer token along.

mod own;
mod pending;
mod views;

use std::rc::Rc;

use super::answers::{About, Answers, Visitor};
use super::browser::Browser;
use super::fields;
use super::logout::comes_from_ourselves;
use super::standing::{Standing, Token, bearer};
use crate::config::Application;
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError};
use crate::form::{Encoding, Fields};
use crate::http::{Headers, Moment, Parameter, query_parameter};
use crate::login::pending::Pending;
use crate::login::return_to::ReturnTo;
use crate::pages::Language;
use crate::session::{Known, cookie};
use crate::step::{Event, Reply, Step, Verdict};

use own::Own;
use pending::Waiting;

/// `GET /account`: the question that a login waits for, or the person's own account.
pub(super) fn show(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let visit = Visit::of(&answers, application, moment);
    if let (None, Err(reason)) = (&visit.pending, &visit.session) {
        let raw_path = answers.request.path().unwrap_or_default();
        return answers.turn_away(application, raw_path, reason);
    }
    coroutine::start(moment, |calls| async move {
        let reply = match (&visit.pending, &visit.session) {
            (None, Ok((known, token))) => Own { visit: &visit, calls: &calls, known, token: *token }.show().await,
            _ => visit.answer(&calls, None, "show", &Fields::default()).await,
        };
        Verdict::Reply(reply.unwrap_or_else(|failure| visit.failed(&calls, failure)))
    })
}

/// `POST /account`: an answer, or a change.
pub(super) fn change(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let Some(encoding) = Encoding::of(answers.request) else { return answers.failure(LoginError::UnsupportedMediaType.into()) };
    let mut visit = Visit::of(&answers, application, moment);
    if let (Encoding::Form, None, Err(reason)) = (encoding, &visit.pending, &visit.session) {
        let raw_path = answers.request.path().unwrap_or_default();
        return answers.turn_away(application, raw_path, reason);
    }
    coroutine::start(moment, |calls| async move {
        let reply = visit.change(&calls, encoding).await;
        Verdict::Reply(reply.unwrap_or_else(|failure| visit.failed(&calls, failure)))
    })
}

/// All that a request says of who sends it; the rest of it is gone once a flow waits.
struct Visit {
    visitor: Visitor,
    browser: Browser,
    headers: Headers,
    session: Result<(Rc<Known>, Token), &'static str>,
    /// It brings a bearer token: unlike a cookie, no browser sends that on its own.
    is_app: bool,
    /// `Some(None)`: the browser's cookie tells of one that is over, or was never.
    pending: Option<Option<Pending>>,
    /// Which pending login the page was about that sent this.
    handle: Parameter,
    /// Whether it comes from a page of ours, or from the application's own.
    is_ours: bool,
}

impl Visit {
    fn of(answers: &Answers<'_>, application: &Rc<Application>, moment: Moment) -> Self {
        let (gate, request) = (answers.gate, answers.request);
        let session = match gate.standing(request, application, moment) {
            Standing::Good(known, token) => Ok((known, token)),
            Standing::None(reason) => Err(reason),
        };
        let is_app = bearer(request).is_some();
        let pending = || Pending::of_browser(&request.headers, &gate.config().session.keys, application, moment.now());
        Self {
            visitor: answers.visitor(application),
            browser: Browser::of(request.headers.first("user-agent").unwrap_or_default()),
            headers: request.headers.clone(),
            session,
            is_app,
            pending: if is_app { None } else { pending() },
            handle: query_parameter(request.path().unwrap_or_default(), "login"),
            is_ours: comes_from_ourselves(request, application),
        }
    }

    async fn change(&mut self, calls: &Calls, encoding: Encoding) -> Result<Reply, Failure> {
        let fields = fields::read(calls, encoding).await?;
        if let Some(language) = fields.get("language").and_then(Language::of_tag) {
            self.visitor.language = language;
        }
        let action = fields.get("action").unwrap_or_default();
        if let (Encoding::Json, Some(sealed)) = (encoding, fields.get("pending")) {
            return self.answer(calls, Some(sealed), action, &fields).await;
        }
        if !self.is_app && !self.is_ours {
            return Err(LoginError::CrossSite.into());
        }
        let is_own = matches!(action, "link" | "unlink" | "sign_out_everywhere") || self.pending.is_none();
        match &self.session {
            Ok((known, token)) if is_own => Own { visit: self, calls, known, token: *token }.change(action, &fields).await,
            Err(_) if is_own => Err(LoginError::LoginRequired.into()),
            _ => self.answer(calls, None, action, &fields).await,
        }
    }

    /// An answer to the login that this sealed token tells of, or else the browser's cookie.
    async fn answer(&self, calls: &Calls, sealed: Option<&str>, action: &str, fields: &Fields) -> Result<Reply, Failure> {
        let application = &self.visitor.application;
        let keys = &self.visitor.gate.config().session.keys;
        let opened = match sealed {
            Some(sealed) => Pending::open(keys, sealed.as_bytes(), application, calls.now()),
            None => self.pending.clone().flatten(),
        };
        let pending = opened.ok_or(LoginError::PendingOver)?;
        let connector = application.connector(pending.connector.as_bytes()).ok_or(LoginError::PendingOver)?;
        // Another login has taken its place, and this would answer a question that was never read.
        if action != "show" && self.is_about_another_than(&pending) {
            return Err(Failure::new(LoginError::PendingOver, "the page was about another login than the browser's"));
        }
        let return_to = pending.return_to(&self.visitor.gate.config().path_prefix);
        let waiting = Waiting { visit: self, calls, pending: &pending, connector, return_to, is_app: sealed.is_some() };
        Ok(waiting.answer(action, fields).await)
    }

    fn is_about_another_than(&self, pending: &Pending) -> bool {
        self.handle != Parameter::Absent && self.handle != Parameter::Once(pending.handle().into())
    }

    fn failed(&self, calls: &Calls, failure: Failure) -> Reply {
        let prefix = &self.visitor.gate.config().path_prefix;
        let newer = self.pending.iter().flatten().find(|pending| self.is_about_another_than(pending));
        let (return_to, cookies) = match failure.error {
            // The login of the older tab is over; that of the newer one still waits.
            LoginError::PendingOver if newer.is_some() => (ReturnTo::front_page(), vec![]),
            LoginError::PendingOver => (ReturnTo::front_page(), vec![cookie::clear(cookie::PENDING)]),
            LoginError::UserDisabled => (ReturnTo::front_page(), vec![cookie::clear(cookie::SESSION)]),
            _ => (ReturnTo::account(prefix), vec![]),
        };
        self.visitor.failed(calls, About { connector: None, return_to: &return_to }, failure, cookies)
    }

    fn note(&self, calls: &Calls, action: &'static str, result: &'static str) {
        calls.note(Event::AccountAction { application: self.visitor.application.id.clone(), action, result });
    }
}
