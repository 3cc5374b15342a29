//! Our own answers: pages for people, JSON for programs, redirects; all of them `no-store`.

use std::rc::Rc;

use serde_json::json;

use super::refusal::Wants;
use super::{Gate, done};
use crate::config::Application;
use crate::error::{Failure, LoginError, Text, WayOn};
use crate::http::{Entropy, Request, visible_path};
use crate::login::attempt::base62;
use crate::login::return_to::ReturnTo;
use crate::pages::{self, Language};
use crate::step::{Event, Outcome, Reply, Step, Verdict};

/// All that an answer depends on.
pub(super) struct Answers<'a> {
    pub(super) gate: &'a Rc<Gate>,
    pub(super) request: &'a Request,
    pub(super) entropy: &'a mut Entropy,
    /// Known once the host has been looked up.
    pub(super) application: Option<Rc<Application>>,
    /// The connector's id, once one is involved.
    pub(super) connector: Option<String>,
    /// Where the visitor was going, once that is known: a failure's way on leads there.
    pub(super) return_to: ReturnTo,
}

impl Answers<'_> {
    /// Says what went wrong, to the visitor and to the operator.
    pub(super) fn failure(self, failure: Failure) -> Step {
        self.failed(failure, None, vec![])
    }

    /// The same, where another event says it better than a failure would. There is no reference then: everyday refusals
    /// are nothing to ask an operator about.
    pub(super) fn failure_with(self, failure: Failure, event: Event) -> Step {
        self.failed(failure, Some(event), vec![])
    }

    /// The same, with changes to the browser's cookies.
    pub(super) fn failure_and_cookies(self, failure: Failure, cookies: Vec<String>) -> Step {
        self.failed(failure, None, cookies)
    }

    fn failed(self, failure: Failure, event: Option<Event>, cookies: Vec<String>) -> Step {
        let reference = event.is_none().then(|| base62(10, self.entropy));
        let draft = FailureDraft { config: self.gate.config(), application: self.application.as_deref(), language: self.language() };
        let is_for_a_person = Wants::of(self.request).is_for_a_person();
        let reply = draft.reply(&failure, is_for_a_person, reference.as_deref(), &self.return_to, cookies);
        let failed = |reference| Event::Failed { connector: self.connector, failure, reference };
        done(reply, event.unwrap_or_else(|| failed(reference.unwrap_or_default())))
    }

    /// One name for an application: another one leads there before any cookie is set.
    pub(super) fn redirect_to_origin(self, application: &Application, raw_path: &[u8]) -> Step {
        if !matches!(self.request.method(), b"GET" | b"HEAD") {
            return self.failure(Failure::new(LoginError::UnknownHost, "an alias, asked for with a method that cannot be redirected"));
        }
        let location = format!("{}{}", application.origin, visible_path(raw_path));
        let reply = Reply { status: 308, ..redirect(location, vec![]) };
        Step::Done(Outcome { verdict: Verdict::Reply(reply), events: vec![] })
    }

    /// A page.
    pub(super) fn page(&self, status: u16, html: String, cookies: Vec<String>) -> Step {
        Step::Done(Outcome { verdict: Verdict::Reply(page(status, html, cookies)), events: vec![] })
    }

    /// The visitor's language.
    pub(super) fn language(&self) -> Language {
        Language::negotiate(self.request.headers.first("accept-language"))
    }
}

/// What a failure's answer depends on; flows keep one, since the request is gone by the time they fail.
pub(super) struct FailureDraft<'a> {
    pub(super) config: &'a crate::config::Config,
    pub(super) application: Option<&'a Application>,
    pub(super) language: Language,
}

impl FailureDraft<'_> {
    /// A page for a person, JSON for a program, the same facts in both.
    pub(super) fn reply(
        &self,
        failure: &Failure,
        is_for_a_person: bool,
        reference: Option<&str>,
        return_to: &ReturnTo,
        cookies: Vec<String>,
    ) -> Reply {
        let row = failure.error.row();
        let login = self.application.filter(|_| row.way_on == WayOn::LogIn).map(|application| {
            let mut login = format!("{}{}/login", application.origin, self.config.path_prefix);
            return_to.append_to(&mut login);
            login
        });
        let mut reply = if is_for_a_person {
            // What keeps a browser that drops cookies from going round in circles counts starts; a tap starts anew.
            let href = login.map(|login| if failure.error == LoginError::CookiesNotKept { anew(login) } else { login });
            let html = pages::failure(&pages::Failure {
                language: self.language,
                application: self.application.map(|application| application.display_name.as_str()),
                title: row.title,
                explanation: row.explanation,
                action: href.as_deref().map(|href| pages::Action { label: LOG_IN, href }),
                code: row.code,
                reference,
            });
            page(row.status, html, cookies)
        } else {
            let mut body = json!({"error": row.code, "message": row.explanation.en});
            for (name, value) in [("login_url", login.as_deref()), ("reference", reference)] {
                if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
                    members.insert(name.into(), value.into());
                }
            }
            json(row.status, &body, cookies)
        };
        if let Some(seconds) = row.retry_after {
            reply.headers.push(("retry-after", seconds.to_string()));
        }
        reply
    }
}

const LOG_IN: Text = Text { zh: "重新登录", en: "Log in again" };

fn anew(mut login: String) -> String {
    login.push_str(if login.contains('?') { "&anew=1" } else { "?anew=1" });
    login
}

/// A redirect by GET: 303, since 307 and 308 would send a form on to wherever it leads. `no-referrer`: the address that
/// we leave may hold a code and a state.
pub(super) fn redirect(location: String, cookies: Vec<String>) -> Reply {
    let headers = vec![("location", location), ("cache-control", "no-store".into()), ("referrer-policy", "no-referrer".into())];
    Reply { status: 303, headers: with_cookies(headers, cookies), body: Vec::new() }
}

/// A page with all the headers that pages have.
pub(super) fn page(status: u16, html: String, cookies: Vec<String>) -> Reply {
    let headers = pages::headers().iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Reply { status, headers: with_cookies(headers, cookies), body: html.into_bytes() }
}

/// JSON that no browser takes for anything else.
pub(super) fn json(status: u16, body: &serde_json::Value, cookies: Vec<String>) -> Reply {
    let headers = vec![
        ("content-type", "application/json".into()),
        ("cache-control", "no-store".into()),
        ("x-content-type-options", "nosniff".into()),
    ];
    Reply { status, headers: with_cookies(headers, cookies), body: body.to_string().into_bytes() }
}

fn with_cookies(mut headers: Vec<(&'static str, String)>, cookies: Vec<String>) -> Vec<(&'static str, String)> {
    headers.extend(cookies.into_iter().map(|cookie| ("set-cookie", cookie)));
    headers
}
