//! `/scan/{connector}` and below: a browser shows a code, a phone scans it and its person agrees, and the browser that
//! began it collects the login, once.
//!
//! The resolver keeps the ticket that both sides speak of. Its name stands in the code, so everybody in the room may know
//! it: it opens nothing but the question on the phone. The verifier is in the attempt's sealed cookie, so no other browser
//! collects, or hears how far it has come.

mod client;
mod image;
mod phone;
mod poll;
mod start;

use std::rc::Rc;

pub(super) use image::Pictures;
pub(super) use start::Start;

use super::answers::Answers;
use crate::config::{Application, Connector};
use crate::error::LoginError;
use crate::http::{Moment, Parameter, Request, query_parameter};
use crate::login::attempt::{Attempt, NoAttempt, Scan};
use crate::step::{Step, Verdict};

/// So long a code can be scanned. WeChat's own live 5 minutes; each second more is one more for whoever passes a picture
/// of it on.
const LIFETIME: u64 = 180;

/// Seconds until a browser is to ask again where nobody could wait for it.
const RETRY_SECONDS: u32 = 2;

/// `rest` is what follows `/scan/`.
pub(super) fn answer(mut answers: Answers<'_>, application: &Rc<Application>, rest: &[u8], moment: Moment) -> Step {
    let (id, below) = match rest.iter().position(|byte| *byte == b'/') {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
        None => (rest, None),
    };
    let Some(connector) = application.connector(id).filter(|connector| connector.method.is_scan()).cloned() else {
        return answers.failure(LoginError::UnknownConnector.into());
    };
    answers.connector = Some(connector.id.clone());
    match (answers.request.method(), below) {
        (b"POST", None) => start::begin(answers, application, connector, moment),
        (b"GET", None) => poll::look(answers, application, connector, moment),
        (b"GET", Some(b"image")) => image::show(answers, application, connector, moment),
        (b"GET", Some(b"confirm")) => phone::ask(answers, application, connector, moment),
        (b"POST", Some(b"confirm")) => phone::answer(answers, application, connector, moment),
        (_, None | Some(b"image" | b"confirm")) => answers.failure(LoginError::MethodNotAllowed.into()),
        _ => answers.failure(LoginError::NotFound.into()),
    }
}

/// The scan that this browser has begun, by the address that only it was given.
fn begun(answers: &Answers<'_>, application: &Application, connector: &Connector, moment: Moment) -> Result<(Attempt, Scan), NoAttempt> {
    let request = answers.request;
    let Parameter::Once(state) = query_parameter(request.path().unwrap_or_default(), "scan") else { return Err(NoAttempt::Missing) };
    let keys = &answers.gate.config().session.keys;
    let attempt = Attempt::find(&request.headers, keys, &state, application, connector, moment.now())?;
    let scan = attempt.scan.clone().ok_or(NoAttempt::Missing)?;
    Ok((attempt, scan))
}

/// Whether a script or a picture of another site asks. It would get nothing that its page could read; but a sibling
/// domain's request carries our cookies, and would collect.
fn is_from_elsewhere(request: &Request) -> bool {
    matches!(request.headers.first("sec-fetch-site"), Some(site) if site != b"same-origin")
}

/// One answer for whoever has not begun this scan, whatever has become of it.
fn missing(answers: Answers<'_>) -> Step {
    let mut step = answers.failure(LoginError::AttemptMissing.into());
    if let Step::Done(outcome) = &mut step
        && let Verdict::Reply(reply) = &mut outcome.verdict
    {
        reply.status = 404;
    }
    step
}

/// The resolver's names of tickets: what WeChat takes as `scene`.
fn is_ticket(name: &str) -> bool {
    name.len() == 22 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
