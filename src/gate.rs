//! Read this first: what happens to a request, from its headers to a [`Step`].
//!
//! [`Gate::begin`] strips copies of our identity headers, finds the application by host, and then either answers
//! (our own endpoints, `gate/endpoints.rs`), admits (with the signed identity of a session), or turns away (each kind
//! of request in its own way, `gate/refusal.rs`). Nearly all traffic takes one straight way through this file: a
//! known session, no call, no parse that was done before.

mod account;
mod answers;
mod browser;
mod endpoints;
mod fields;
mod hand_over;
mod login;
mod logout;
mod native;
mod phone;
mod push;
mod refusal;
mod scan;
mod server_tokens;
mod standing;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use resolver_api::RevocationFeed;

use crate::config::{Application, Config};
use crate::error::LoginError;
use crate::http::{Entropy, HttpCall, Moment, Request};
use crate::identity::{self, Assertion};
use crate::login::return_to::{ReturnTo, is_below};
use crate::resolver;
use crate::rules::{Access, plain_path, without_query};
use crate::session::{Known, KnownSessions, Revocations, Session, cookie};
use crate::step::{EndedSession, Event, Forward, Outcome, Reply, Step, Verdict};

use answers::Answers;
use refusal::Wants;
use server_tokens::ServerTokens;
use standing::{Standing, Token};

/// The filter's core: one for each VM, for as long as its configuration lives.
pub struct Gate {
    config: Config,
    /// Names of all headers that only we may set, with `_` for `-`.
    own_headers: Vec<String>,
    known: RefCell<KnownSessions>,
    /// Codes that WeChat has drawn.
    pictures: RefCell<scan::Pictures>,
    revocations: RefCell<Revocations>,
    /// Counts changes of `revocations`, from 1.
    generation: Cell<u64>,
    /// When the resolver's feed was last read to its end by any worker here.
    revocations_read_at: Cell<u64>,
    server_tokens: ServerTokens,
}

impl Gate {
    /// A gate with nothing in its caches.
    pub fn new(config: Config) -> Self {
        let mut gate = Self {
            server_tokens: ServerTokens::new(&config),
            config,
            own_headers: Vec::new(),
            known: RefCell::default(),
            pictures: RefCell::default(),
            revocations: RefCell::default(),
            generation: Cell::new(1),
            revocations_read_at: Cell::new(0),
        };
        gate.own_headers = gate.own_header_names().map(|name| name.replace('-', "_")).collect();
        gate
    }

    /// What the operator decided.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Decides a request, or says which call has to be made first.
    pub fn begin(self: &Rc<Self>, request: &Request, moment: Moment) -> Step {
        let mut entropy = Entropy::new(moment.seed);
        let remove = self.spoofed(request);
        let answers =
            Answers { gate: self, request, entropy: &mut entropy, application: None, connector: None, return_to: ReturnTo::front_page() };
        let Some(raw_path) = request.path().filter(|path| path.starts_with(b"/")) else {
            return answers.failure(LoginError::MalformedRequest.into());
        };
        // Public keys are for everybody; a verifier asks under whatever name it knows this gateway by.
        let endpoint = self.endpoint(raw_path);
        if endpoint == Some(b"/jwks.json") {
            return endpoints::jwks(answers);
        }
        let Some(authority) = request.authority() else {
            return answers.failure(LoginError::MalformedRequest.into());
        };
        let application = match self.application(authority) {
            Host::Origin(application) => application,
            Host::Alias(application) => return answers.redirect_to_origin(&application, raw_path),
            Host::Unknown => return answers.failure(LoginError::UnknownHost.into()),
        };
        let answers = Answers { application: Some(application.clone()), ..answers };
        if let Some(endpoint) = endpoint {
            return endpoints::answer(answers, &application, endpoint, moment);
        }
        if let Some(file) = application.verification_files.iter().find(|file| file.path.as_bytes() == without_query(raw_path)) {
            return endpoints::verification_file(answers, file);
        }
        self.admit(answers, &application, raw_path, remove, moment)
    }

    /// A request for the application itself.
    fn admit(&self, answers: Answers<'_>, application: &Rc<Application>, raw_path: &[u8], remove: Vec<String>, moment: Moment) -> Step {
        let request = answers.request;
        let method = request.method();
        let decision = application.rules.decide(method, raw_path);
        let mut forward = Forward {
            remove,
            cookie: cookie::without_ours(&request.headers),
            remove_authorization: standing::carries_bearer(request),
            ..Forward::default()
        };
        // A tunnel is no request that a rule could be about: nothing of what goes through it is ever seen here.
        if method == b"CONNECT" && Wants::of(request) == Wants::Tunnel {
            return answers.failure(LoginError::MethodNotAllowed.into());
        }
        if decision.access == Access::Public {
            return pass(forward);
        }
        if refusal::is_preflight(request) && application.rules.allows_preflight(refusal::preflight_method(request), raw_path) {
            return pass(forward);
        }
        match self.standing(request, application, moment) {
            Standing::Good(known, token) => {
                let Some(assertion) = self.assertion(&known, application, moment.now()) else {
                    return answers.failure(LoginError::Internal.into());
                };
                forward.identity = Some(assertion);
                let is_due = token == Token::Cookie && known.session.is_renewal_due(&self.config.session, moment.now());
                if is_due && Wants::of(request) == Wants::Page {
                    forward.renewed_cookie = self.sealed_cookie(known.session.clone(), moment.now(), answers.entropy);
                }
                pass(forward)
            }
            Standing::None(_) if decision.access == Access::Optional => pass(forward),
            Standing::None(reason) => answers.turn_away(application, raw_path, reason),
        }
    }

    /// Our header names as this request spells them, each once for every time it stands there.
    fn spoofed(&self, request: &Request) -> Vec<String> {
        let names = request.headers.iter().map(|(name, _)| name).filter(|name| self.is_own_header(name));
        names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// The headers that only we may set.
    pub fn own_header_names(&self) -> impl Iterator<Item = &str> {
        let identity = &self.config.identity;
        std::iter::once(&identity.header).chain(identity.claim_headers.iter().map(|(name, _)| name)).map(String::as_str)
    }

    /// Whether only we may set this header, in whatever spelling: applications fold `_` and `-`. Also asked of
    /// request trailers.
    pub fn is_own_header(&self, name: &[u8]) -> bool {
        let folded = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
        self.own_headers.iter().any(|own| own.len() == name.len() && own.bytes().eq(name.iter().map(folded)))
    }

    /// The part of a path after our prefix, if it is below that. A spelling with escapes is below it too, and no
    /// endpoint: nobody links to us like that, and no application must get it.
    fn endpoint<'a>(&self, raw_path: &'a [u8]) -> Option<&'a [u8]> {
        let prefix = self.config.path_prefix.as_bytes();
        let raw = without_query(raw_path);
        if is_below(raw, prefix) {
            return raw.get(prefix.len()..);
        }
        let is_disguised = raw.contains(&b'%') && plain_path(raw).is_some_and(|path| is_below(&path, prefix));
        is_disguised.then_some(&b""[..])
    }

    fn application(&self, authority: &[u8]) -> Host {
        let Ok(authority) = std::str::from_utf8(authority) else { return Host::Unknown };
        // The usual spelling costs one look-up.
        if let Some(application) = self.config.by_authority.get(authority) {
            return Host::Origin(application.clone());
        }
        let authority = authority.to_ascii_lowercase();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (host, Some(port))
            }
            _ => (authority.as_str(), None),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let canonical = |application: &Application| {
            let (scheme, authority) = application.origin.split_once("://").unwrap_or_default();
            let default_port = if scheme == "https" { "443" } else { "80" };
            match port.filter(|port| *port != default_port) {
                Some(port) => authority == format!("{host}:{port}"),
                None => authority == host,
            }
        };
        match self.config.applications.iter().find(|application| canonical(application)) {
            Some(application) => Host::Origin(application.clone()),
            None => self.config.by_host.get(host).map_or(Host::Unknown, |application| Host::Alias(application.clone())),
        }
    }

    /// The signed identity of a session for an application: signed once, then copied until half its life is over.
    fn assertion(&self, known: &Known, application: &Application, now: u64) -> Option<Rc<Assertion>> {
        let mut assertions = known.assertions.borrow_mut();
        if let Some((_, assertion)) =
            assertions.iter().find(|(audience, assertion)| *audience == application.id && now < assertion.fresh_until)
        {
            return Some(assertion.clone());
        }
        let assertion = Rc::new(identity::assert(&self.config, application, &known.session, now)?);
        assertions.retain(|(audience, _)| *audience != application.id);
        assertions.push((application.id.clone(), assertion.clone()));
        Some(assertion)
    }

    /// A `Set-Cookie` that holds the session as of now.
    fn sealed_cookie(&self, session: Session, now: u64, entropy: &mut Entropy) -> Option<String> {
        let seconds = session.ends_at.saturating_sub(now);
        let token = session.seal(&self.config.session.keys, now, || entropy.bytes())?;
        Some(cookie::set(cookie::SESSION, &token, seconds))
    }
}

/// Ended sessions: one worker asks the resolver, all of them hear of it.
impl Gate {
    /// The question for what has been revoked since the last answer.
    pub fn revocations_call(&self) -> HttpCall {
        resolver::revocations(&self.config.resolver, &self.revocations.borrow().cursor)
    }

    /// Takes in the resolver's answer, and gives the whole set as other workers read it.
    pub fn apply_revocations(&self, feed: &RevocationFeed, now: u64) -> Vec<u8> {
        self.change_revocations(|revocations| revocations.apply(feed, now));
        self.shared_revocations()
    }

    /// Ends a session at once, and gives the whole set as other workers read it.
    pub fn end_session(&self, ended: &EndedSession, now: u64) -> Vec<u8> {
        self.change_revocations(|revocations| revocations.end_session(ended.session_id.clone(), ended.expires_at, now));
        self.shared_revocations()
    }

    /// Takes in what another worker has shared. What cannot be read is left alone.
    pub fn adopt_revocations(&self, shared: &[u8]) {
        if let Some(shared) = Revocations::decode(shared) {
            self.change_revocations(|revocations| revocations.merge(shared));
        }
    }

    /// Learns when the resolver's feed was last read to its end.
    pub fn note_revocations_read(&self, at: u64) {
        self.revocations_read_at.set(at);
    }

    fn shared_revocations(&self) -> Vec<u8> {
        self.revocations.borrow().encode()
    }

    fn change_revocations(&self, change: impl FnOnce(&mut Revocations)) {
        change(&mut self.revocations.borrow_mut());
        self.generation.set(self.generation.get() + 1);
    }
}

/// What a host name stands for.
enum Host {
    /// The one name under which an application is used.
    Origin(Rc<Application>),
    /// Another name of it.
    Alias(Rc<Application>),
    /// Nothing here.
    Unknown,
}

fn pass(forward: Forward) -> Step {
    Step::Done(Outcome { verdict: Verdict::Forward(forward), events: Vec::new() })
}

fn done(reply: Reply, event: Event) -> Step {
    Step::Done(Outcome { verdict: Verdict::Reply(reply), events: vec![event] })
}
