//! What the filter answers itself, below the path prefix.

use std::rc::Rc;

use super::answers::{Answers, insert, json, quiet};
use super::browser::Browser;
use super::standing::Standing;
use super::{account, hand_over, login, logout, native, push, scan};
use crate::config::{Application, VerificationFile};
use crate::error::LoginError;
use crate::http::Moment;
use crate::identity;
use crate::login::return_to::ReturnTo;
use crate::pages;
use crate::step::{Event, Reply, Step};

/// Answers the endpoint of this path, given without prefix and query.
pub(super) fn answer(answers: Answers<'_>, application: &Rc<Application>, endpoint: &[u8], moment: Moment) -> Step {
    let method = answers.request.method();
    let is_get = method == b"GET";
    let is_post = method == b"POST";
    let is_read = is_get || method == b"HEAD";
    let (name, argument) = split(endpoint);
    match (name, argument) {
        (b"login", None) if is_read => login::choose(answers, application, moment),
        (b"start", Some(id)) if is_get => login::start(answers, application, id, moment),
        (b"start", Some(id)) if is_post => native::start(answers, application, id, moment),
        (b"code", Some(id)) if is_post => native::code(answers, application, id, moment),
        (b"scan", Some(rest)) => scan::answer(answers, application, rest, moment),
        (b"push", Some(id)) => push::answer(answers, application, id, moment),
        (b"hand-over", None) if is_get => hand_over::redeem(answers, application, moment),
        (b"hand-over", None) if is_post => hand_over::issue(answers, application, moment),
        (b"callback", Some(id)) if is_get => login::callback(answers, application, id, moment),
        (b"account", None) if is_read => account::show(answers, application, moment),
        (b"account", None) if is_post => account::change(answers, application, moment),
        (b"logout", None) if is_read => logout::ask(answers, application, moment),
        (b"logout", None) if is_post => logout::log_out(answers, application, moment),
        (b"userinfo", None) if is_read => userinfo(answers, application, moment),
        (b"experience", None) if is_read && application.experience => experience(answers, application, moment),
        (b"experience", None) if !application.experience => answers.failure(LoginError::NotFound.into()),
        (b"login" | b"account" | b"logout" | b"userinfo" | b"experience" | b"hand-over", None)
        | (b"start" | b"callback" | b"code", Some(_)) => answers.failure(LoginError::MethodNotAllowed.into()),
        _ => answers.failure(LoginError::NotFound.into()),
    }
}

/// `GET /jwks.json`: public keys (RFC 7517), for anybody, under any host name.
pub(super) fn jwks(answers: Answers<'_>) -> Step {
    if !matches!(answers.request.method(), b"GET" | b"HEAD") {
        return answers.failure(LoginError::MethodNotAllowed.into());
    }
    let mut reply = json(200, &identity::jwks(&answers.gate.config().identity), vec![]);
    for (name, value) in &mut reply.headers {
        if *name == "cache-control" {
            *value = "public, max-age=300".into();
        }
    }
    reply.headers.push(("access-control-allow-origin", "*".into()));
    quiet(reply)
}

/// A file that WeChat asks for at the root of a host.
pub(super) fn verification_file(answers: Answers<'_>, file: &VerificationFile) -> Step {
    if !matches!(answers.request.method(), b"GET" | b"HEAD") {
        return answers.failure(LoginError::MethodNotAllowed.into());
    }
    let headers = vec![
        ("content-type", "text/plain; charset=utf-8".into()),
        ("cache-control", "no-store".into()),
        ("x-content-type-options", "nosniff".into()),
    ];
    quiet(Reply { status: 200, headers, body: file.content.clone().into_bytes() })
}

/// `GET /userinfo`: who am I, for scripts of the application's pages: the claims that the application gets.
fn userinfo(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    match answers.gate.standing(answers.request, application, moment) {
        Standing::Good(known, _) => {
            let mut body = identity::person(application, &known.session);
            insert(&mut body, "session_ends_at", known.session.ends_at);
            quiet(json(200, &body, vec![]))
        }
        Standing::None(reason) => {
            let event = Event::Refused { application: application.id.clone(), kind: "api", reason };
            answers.failure_with(LoginError::LoginRequired.into(), event)
        }
    }
}

/// `GET /experience`: try any method that works in this browser, and see what the application would receive.
fn experience(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let gate = answers.gate;
    let prefix = &gate.config().path_prefix;
    let browser = Browser::of(answers.request.headers.first("user-agent").unwrap_or_default());
    let standing = gate.standing(answers.request, application, moment);
    let return_to = ReturnTo::parse(format!("{prefix}/experience").as_bytes(), prefix);
    let has_session = matches!(standing, Standing::Good(..));
    let options = login::options(gate, &login::fitting(application, browser), &return_to, has_session);
    let ways = pages::Ways { options: &options, chosen: None, return_to: return_to.as_str() };
    let (language, name) = (answers.language(), &application.display_name);
    let show = |signed_in| pages::experience(&pages::Experience { language, application: name, ways, signed_in });
    let Standing::Good(known, _) = standing else {
        return answers.page_with_ways(show(None), &ways);
    };
    let claims = identity::claims(&gate.config().identity, application, &known.session, moment.now());
    let claims_json = format!("{claims:#}");
    let Some(assertion) = gate.assertion(&known, application, moment.now()) else { return answers.failure(LoginError::Internal.into()) };
    let Some(((header, token), plain_headers)) = assertion.headers.split_first() else {
        return answers.failure(LoginError::Internal.into());
    };
    let html = show(Some(pages::SignedIn {
        name: known.session.name.as_deref(),
        picture: known.session.picture.as_deref(),
        header,
        token,
        claims_json: &claims_json,
        plain_headers,
        logout_action: &format!("{prefix}/logout"),
    }));
    answers.page(200, html, vec![])
}

/// `/start/pc` -> (`start`, `pc`).
fn split(endpoint: &[u8]) -> (&[u8], Option<&[u8]>) {
    let path = endpoint.strip_prefix(b"/").unwrap_or_default();
    match path.iter().position(|byte| *byte == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..)),
        None => (path, None),
    }
}
