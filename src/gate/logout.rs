//! The end of a session, by its person.

use std::rc::Rc;

use super::answers::{Answers, Visitor, json, page, quiet, redirect};
use super::standing::{Standing, bearer};
use crate::config::Application;
use crate::coroutine;
use crate::error::LoginError;
use crate::http::{Moment, Request};
use crate::json::object;
use crate::pages;
use crate::resolver;
use crate::session::cookie;
use crate::step::{EndedSession, Event, Reply, Step, Verdict};

/// `GET /logout`: a page with a button, or that it is done. Changes nothing, so no link elsewhere can end a session.
pub(super) fn ask(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let prefix = &answers.gate.config().path_prefix;
    let html = match answers.gate.standing(answers.request, application, moment) {
        Standing::Good(known, _) => pages::logout(&pages::Logout {
            language: answers.language(),
            application: &application.display_name,
            name: known.session.name.as_deref(),
            action: &format!("{prefix}/logout"),
            stay_href: "/",
        }),
        Standing::None(_) => logged_out(&answers.visitor(application), true),
    };
    answers.page(200, html, vec![])
}

/// `POST /logout`: ends the session everywhere, by way of the resolver's feed.
pub(super) fn log_out(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let is_native = bearer(answers.request).is_some();
    // A bearer token is never sent by a browser on its own; a cookie is.
    if !is_native && !comes_from_ourselves(answers.request, application) {
        return answers.failure(LoginError::CrossSite.into());
    }
    let visitor = answers.visitor(application);
    let Standing::Good(known, _) = answers.gate.standing(answers.request, application, moment) else {
        return quiet(goodbye(&visitor, true));
    };
    let ended = EndedSession { session_id: known.session.id.clone(), expires_at: known.session.ends_at };
    // Before the call: a visitor who closes the window while it is under way is logged out all the same.
    visitor.gate.end_session(&ended, moment.now());
    coroutine::start(moment, |calls| async move {
        let service = &visitor.gate.config().resolver;
        let result = resolver::ask(&calls, resolver::revoke_session(service, &ended.session_id, ended.expires_at)).await;
        let everywhere = resolver::read_revoked(result).is_ok();
        calls.note(Event::SignedOut { ended, everywhere });
        Verdict::Reply(goodbye(&visitor, everywhere))
    })
}

/// Whether a browser says that one of this application's own pages sent the request. One that says nothing at all is
/// not believed: every browser that WeChat supports names the origin of a POST.
pub(super) fn comes_from_ourselves(request: &Request, application: &Application) -> bool {
    match request.headers.first("origin") {
        Some(origin) => origin == application.origin.as_bytes(),
        None => request.headers.first("sec-fetch-site") == Some(b"same-origin"),
    }
}

/// The page after a logout does not log in again by itself, though in WeChat it could.
pub(super) fn goodbye(visitor: &Visitor, complete: bool) -> Reply {
    let cookies = vec![cookie::clear(cookie::SESSION), cookie::clear(cookie::STARTS)];
    let status = if complete { 200 } else { 503 };
    match visitor.is_for_a_person {
        // 303 to a page that can be loaded again.
        true if complete => redirect(visitor.own_address("/logout"), cookies),
        true => page(status, logged_out(visitor, complete), cookies),
        false => json(status, &object!({"logged_out": true, "everywhere": complete}), cookies),
    }
}

fn logged_out(visitor: &Visitor, complete: bool) -> String {
    pages::logged_out(&pages::LoggedOut {
        language: visitor.language,
        application: &visitor.application.display_name,
        login_href: &format!("{}/login", visitor.gate.config().path_prefix),
        complete,
    })
}
