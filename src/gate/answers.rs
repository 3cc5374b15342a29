//! Our own answers: pages for people, JSON for programs, redirects; all of them `no-store`.

use std::rc::Rc;

use super::refusal::Wants;
use super::{Gate, done};
use crate::config::{Application, Config, Connector};
use crate::connectors;
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError, Text, WayOn};
use crate::http::{Entropy, Request, visible_path};
use crate::identity;
use crate::json::object;
use crate::login::attempt::{Link, base62};
use crate::login::finish::{Asker, SignedIn, Unanswered};
use crate::login::pending::Pending;
use crate::login::return_to::ReturnTo;
use crate::pages::{self, Language};
use crate::session::cookie;
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

    /// A page with ways to log in, which may need more than other pages may do.
    pub(super) fn page_with_ways(&self, html: String, ways: &pages::Ways<'_>) -> Step {
        let mut reply = page(200, html, vec![]);
        if let Some(policy) = ways.policy(&self.gate.config().wechat.open_origin) {
            set_policy(&mut reply, &policy);
        }
        quiet(reply)
    }

    /// What a flow keeps of all this.
    pub(super) fn visitor(&self, application: &Rc<Application>) -> Visitor {
        Visitor {
            gate: Rc::clone(self.gate),
            application: Rc::clone(application),
            language: self.language(),
            is_for_a_person: Wants::of(self.request).is_for_a_person(),
            address: self.request.client_address(),
        }
    }

    /// The visitor's language.
    pub(super) fn language(&self) -> Language {
        Language::negotiate(self.request.headers.first("accept-language"))
    }
}

/// Who is answered once the request itself is gone: a flow keeps one.
pub(super) struct Visitor {
    pub(super) gate: Rc<Gate>,
    pub(super) application: Rc<Application>,
    pub(super) language: Language,
    pub(super) is_for_a_person: bool,
    /// For the resolver's audit log.
    pub(super) address: Option<String>,
}

/// How a session gets to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// In our cookie, on the way to where the visitor was going.
    Redirect,
    /// In our cookie, which no script can read, beside the facts as JSON.
    Cookie,
    /// As JSON: a client without our cookies sends it as its bearer token from now on.
    Token,
}

impl Visitor {
    /// The address of an endpoint of ours.
    pub(super) fn own_address(&self, endpoint: &str) -> String {
        format!("{}{}{endpoint}", self.application.origin, self.gate.config().path_prefix)
    }

    /// Asks the resolver about a login of theirs, which is to be linked to an account where the attempt says so.
    pub(super) fn asker<'a>(&'a self, connector: &'a Connector, link: Option<&'a Link>) -> Asker<'a> {
        Asker {
            config: self.gate.config(),
            application: &self.application,
            connector,
            link_to: link.map(|link| link.subject.as_str()),
            client_address: self.address.as_deref(),
        }
    }

    /// Says what went wrong, to the visitor and to the operator.
    pub(super) fn failed(&self, calls: &Calls, about: About<'_>, failure: Failure, cookies: Vec<String>) -> Reply {
        let reference = base62(10, &mut calls.entropy());
        let draft = FailureDraft { config: self.gate.config(), application: Some(&self.application), language: self.language };
        let reply = draft.reply(&failure, self.is_for_a_person, Some(&reference), about.return_to, cookies);
        calls.note(Event::Failed { connector: about.connector.map(|connector| connector.id.clone()), failure, reference });
        reply
    }

    /// Ends a login in a session. The old token, if there was one, is overwritten: what was planted before a login never
    /// becomes logged in.
    pub(super) fn signed_in(
        &self,
        calls: &Calls,
        connector: &Connector,
        signed_in: SignedIn,
        return_to: &ReturnTo,
        delivery: Delivery,
        mut cookies: Vec<String>,
    ) -> Reply {
        let (config, now) = (self.gate.config(), calls.now());
        let SignedIn { session, new_user } = signed_in;
        let mut data = object!({"expires_at": session.ends_at});
        if delivery != Delivery::Redirect {
            insert(&mut data, "user", identity::person(&self.application, &session));
        }
        let seconds = session.ends_at.saturating_sub(now);
        let mut entropy = calls.entropy();
        let Some(token) = session.seal(&config.session.keys, now, || entropy.bytes()) else {
            let failure = Failure::new(LoginError::Internal, "the session could not be sealed");
            return self.failed(calls, About { connector: Some(connector), return_to }, failure, cookies);
        };
        calls.note(Event::SignedIn { connector: connector.id.clone(), application: self.application.id.clone(), new_user });
        if delivery == Delivery::Token {
            insert(&mut data, "token", token);
            return json(200, &data, cookies);
        }
        cookies.push(cookie::set(cookie::SESSION, &token, seconds));
        match delivery {
            Delivery::Redirect => redirect(back_to(&self.application, connector, return_to), cookies),
            _ => {
                insert(&mut data, "return_to", return_to.as_str());
                json(200, &data, cookies)
            }
        }
    }

    /// A login whose person has to answer a question first: a browser keeps the sealed token, an app is given it.
    pub(super) fn waits(
        &self,
        calls: &Calls,
        connector: &Connector,
        unanswered: Unanswered,
        return_to: &ReturnTo,
        mut cookies: Vec<String>,
    ) -> Reply {
        let Unanswered { question, token, expires_at } = unanswered;
        let failed = |error, detail, cookies| {
            self.failed(calls, About { connector: Some(connector), return_to }, Failure::new(error, detail), cookies)
        };
        let keys = &self.gate.config().session.keys;
        let Some(pending) = Pending::new(&self.application, connector, return_to, token, expires_at) else {
            return failed(LoginError::ResolverRejected, "the pending login has no usable name", cookies);
        };
        let Some(sealed) = pending.seal(keys, &mut calls.entropy()) else {
            return failed(LoginError::Internal, "the pending login could not be sealed", cookies);
        };
        calls.note(Event::LoginPending { connector: connector.id.clone(), question });
        let account = self.own_address("/account");
        if !self.is_for_a_person {
            let body = object!({"error": question, "pending": sealed, "expires_at": expires_at, "account_url": account});
            return json(409, &body, cookies);
        }
        cookies.push(cookie::set(cookie::PENDING, &sealed, expires_at.saturating_sub(calls.now())));
        redirect(account, cookies)
    }
}

/// Where a finished login leads.
pub(super) fn back_to(application: &Application, connector: &Connector, return_to: &ReturnTo) -> String {
    // Browsers hand a fragment on through redirects that name none, so WeChat's own would end up in the address of the
    // application's page, and an application that routes by fragment would be lost. An empty one of ours ends that.
    let fragment = if connectors::comes_back_with_fragment(connector) { "#" } else { "" };
    format!("{}{}{fragment}", application.origin, return_to.as_str())
}

/// What a failure is about, where that is known.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) connector: Option<&'a Connector>,
    pub(super) return_to: &'a ReturnTo,
}

/// What a failure's answer depends on.
struct FailureDraft<'a> {
    config: &'a Config,
    application: Option<&'a Application>,
    language: Language,
}

impl FailureDraft<'_> {
    /// A page for a person, JSON for a program, the same facts in both.
    fn reply(
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
            // What keeps a browser that drops cookies from going round in circles counts starts, and a good session
            // would lead straight back.
            let is_anew = matches!(failure.error, LoginError::CookiesNotKept | LoginError::FreshLoginRequired | LoginError::AnotherSession);
            if is_anew { with_flag(login, "anew") } else { login }
        });
        let mut reply = if is_for_a_person {
            let html = pages::failure(&pages::Failure {
                language: self.language,
                application: self.application.map(|application| application.display_name.as_str()),
                title: row.title,
                explanation: row.explanation,
                action: login.as_deref().map(|href| pages::Action { label: LOG_IN, href }),
                code: row.code,
                reference,
            });
            page(row.status, html, cookies)
        } else {
            let mut body = object!({"error": row.code, "message": row.explanation.en});
            for (name, value) in [("login_url", login.as_deref()), ("reference", reference)] {
                if let Some(value) = value {
                    insert(&mut body, name, value);
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

/// An address with one more parameter. `anew`: logging in begins anew, whatever happened before; `stay`: the login page
/// does not go on by itself.
pub(super) fn with_flag(address: String, flag: &str) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{flag}=1")
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

/// Another Content-Security-Policy than that of most pages.
pub(super) fn set_policy(reply: &mut Reply, policy: &str) {
    let is_policy = |header: &&mut (&'static str, String)| header.0 == "content-security-policy";
    reply.headers.iter_mut().filter(is_policy).for_each(|(_, value)| policy.clone_into(value));
}

/// One more member of an object.
pub(super) fn insert(object: &mut serde_json::Value, name: &str, value: impl Into<serde_json::Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.into(), value.into());
    }
}

/// An answer that deserves no event.
pub(super) fn quiet(reply: Reply) -> Step {
    Step::Done(Outcome { verdict: Verdict::Reply(reply), events: vec![] })
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
