//! Whether a request comes with a session that is good here and now.

use std::rc::Rc;

use super::Gate;
use crate::config::{Application, OnOutage};
use crate::http::{Moment, Request};
use crate::session::{Known, Session, cookie};

/// What a request's session is worth at one application.
pub(super) enum Standing {
    /// Good, and how it came.
    Good(Rc<Known>, Token),
    /// None, and why.
    None(&'static str),
}

/// How a session token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// In our cookie: a browser.
    Cookie,
    /// As a bearer token: a native app or a mini program.
    Bearer,
}

impl Gate {
    /// Looks at the session that a request brings. A bearer token counts before a cookie: it was put there on purpose.
    pub(super) fn standing(&self, request: &Request, application: &Application, moment: Moment) -> Standing {
        let (token, kind) = match (bearer(request), cookie::only(&request.headers, cookie::SESSION)) {
            (Some(token), _) => (token, Token::Bearer),
            (None, Some(token)) => (token, Token::Cookie),
            (None, None) => return Standing::None("no_session"),
        };
        self.worth(token, kind, application, moment)
    }

    /// What a session token is worth, however it came.
    pub(super) fn worth(&self, token: &[u8], kind: Token, application: &Application, moment: Moment) -> Standing {
        let Some(known) = self.opened(token) else { return Standing::None("unreadable") };
        let session = &known.session;
        if session.pool != application.pool || application.connector(session.connector.as_bytes()).is_none() {
            return Standing::None("foreign");
        }
        if session.has_expired(&self.config().session, moment.now()) {
            return Standing::None("expired");
        }
        let generation = self.generation.get();
        if known.cleared_for.get() != generation {
            if self.revocations.borrow().has_ended(session) {
                return Standing::None("revoked");
            }
            known.cleared_for.set(generation);
        }
        if self.config().revocation.on_outage == OnOutage::Refuse && self.are_revocations_stale(moment.now()) {
            return Standing::None("stale_revocations");
        }
        Standing::Good(known, kind)
    }

    fn opened(&self, token: &[u8]) -> Option<Rc<Known>> {
        if let Some(known) = self.known.borrow().find(token) {
            return Some(known.clone());
        }
        let session = Session::open(&self.config().session.keys, token)?;
        Some(self.known.borrow_mut().insert(token, session))
    }

    fn are_revocations_stale(&self, now: u64) -> bool {
        now.saturating_sub(self.revocations_read_at.get()) > 3 * self.config().revocation.poll_seconds
    }
}

/// Our own bearer token; any other `Authorization` is the application's. Of two such headers none counts.
pub(super) fn bearer(request: &Request) -> Option<&[u8]> {
    let mut all = request.headers.all("authorization");
    let only = all.next().filter(|_| all.next().is_none())?;
    our_token(only)
}

/// Whether a bearer token of ours is anywhere among the headers: it must not reach the application. Envoy joins what
/// came in several headers with commas.
pub(super) fn carries_bearer(request: &Request) -> bool {
    let values = request.headers.all("authorization").flat_map(|value| value.split(|byte| *byte == b','));
    values.into_iter().any(|value| our_token(value).is_some())
}

fn our_token(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.trim_ascii().split_at_checked(6)?;
    let token = rest.trim_ascii_start();
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && token.len() < rest.len();
    (is_bearer && token.starts_with(b"wxg1.")).then_some(token)
}
