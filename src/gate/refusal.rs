//! Requests that may not pass: what each kind of client expects to hear instead.

use super::answers::{Answers, redirect};
use crate::config::Application;
use crate::error::LoginError;
use crate::http::Request;
use crate::login::return_to::ReturnTo;
use crate::step::{Event, Outcome, Step, Verdict};

/// What a client wants, as far as it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A page: a person has followed a link or typed an address. The only kind that may start a login.
    Page,
    /// A page in answer to a form.
    FormPage,
    /// Data: fetch, XHR, a program, a prefetch.
    Data,
    /// A WebSocket.
    WebSocket,
    /// A tunnel (CONNECT): never given.
    Tunnel,
}

impl Wants {
    /// Fetch metadata where the browser sends it, `Accept` where it does not. Neither is a proof of anything: a client
    /// that lies gets another shape of the same refusal.
    pub(super) fn of(request: &Request) -> Self {
        let header = |name| request.headers.first(name);
        let is = |name, value: &[u8]| header(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
        if is("upgrade", b"websocket") || is(":protocol", b"websocket") {
            return Self::WebSocket;
        }
        if request.method() == b"CONNECT" {
            return Self::Tunnel;
        }
        let is_prefetch = header("sec-purpose").or(header("purpose")).is_some_and(|purpose| purpose.starts_with(b"prefetch"));
        let is_navigation = match header("sec-fetch-mode") {
            Some(mode) => mode == b"navigate",
            None => accepts_html(request) && !is("x-requested-with", b"xmlhttprequest"),
        };
        match request.method() {
            b"GET" | b"HEAD" if is_navigation && !is_prefetch => Self::Page,
            b"POST" if is_navigation => Self::FormPage,
            _ => Self::Data,
        }
    }

    /// Whether an answer should be a page.
    pub(super) fn is_for_a_person(self) -> bool {
        matches!(self, Self::Page | Self::FormPage)
    }
}

impl Answers<'_> {
    /// Answers a request for something protected.
    pub(super) fn turn_away(self, application: &Application, raw_path: &[u8], reason: &'static str) -> Step {
        let prefix = &self.gate.config().path_prefix;
        let refused = |kind| Event::Refused { application: application.id.clone(), kind, reason };
        match Wants::of(self.request) {
            Wants::Page => {
                let mut location = format!("{}{prefix}/login", application.origin);
                ReturnTo::of_request(raw_path, prefix).append_to(&mut location);
                let reply = redirect(location, vec![]);
                Step::Done(Outcome { verdict: Verdict::Reply(reply), events: vec![refused("login")] })
            }
            Wants::FormPage => self.failure_with(LoginError::FormWithoutSession.into(), refused("form")),
            Wants::Data => self.failure_with(LoginError::LoginRequired.into(), refused("api")),
            Wants::WebSocket => self.failure_with(LoginError::LoginRequired.into(), refused("websocket")),
            Wants::Tunnel => self.failure(LoginError::MethodNotAllowed.into()),
        }
    }
}

/// A CORS preflight (Fetch standard).
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == b"OPTIONS" && request.headers.first("origin").is_some() && !preflight_method(request).is_empty()
}

/// The method that a preflight asks for.
pub(super) fn preflight_method(request: &Request) -> &[u8] {
    request.headers.first("access-control-request-method").unwrap_or_default()
}

fn accepts_html(request: &Request) -> bool {
    request.headers.all("accept").any(|accept| accept.windows(9).any(|window| window.eq_ignore_ascii_case(b"text/html")))
}
