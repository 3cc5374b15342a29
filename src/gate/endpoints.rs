//! What the filter answers itself, below the path prefix.

use std::rc::Rc;

use serde_json::json;

use super::answers::{Answers, FailureDraft, json, page, redirect};
use super::browser::Browser;
use super::refusal::Wants;
use super::standing::{Standing, Token, bearer};
use super::{Gate, done};
use crate::config::{Application, Connector, VerificationFile};
use crate::connectors::{self, Callback};
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError, Text};
use crate::http::{Entropy, Moment, Parameter, query_parameter};
use crate::identity;
use crate::login::attempt::{self, Attempt, NoAttempt, base62};
use crate::login::finish::{self, Finished};
use crate::login::return_to::ReturnTo;
use crate::pages::{self, Language};
use crate::resolver;
use crate::session::{Session, cookie};
use crate::step::{EndedSession, Event, Outcome, Repetition, Reply, Step, Verdict};

/// Starts within a minute, with no session in between, before a browser is told that it keeps no cookies.
const MAX_STARTS: usize = 3;

/// Answers the endpoint of this path, given without prefix and query.
pub(super) fn answer(answers: Answers<'_>, application: &Rc<Application>, endpoint: &[u8], moment: Moment) -> Step {
    let method = answers.request.method();
    let is_get = method == b"GET";
    let is_read = is_get || method == b"HEAD";
    let (name, argument) = split(endpoint);
    match (name, argument) {
        (b"login", None) if is_read => login(answers, application, moment),
        (b"start", Some(id)) if is_get => start(answers, application, id, moment),
        (b"callback", Some(id)) if is_get => callback(answers, application, id, moment),
        (b"logout", None) if is_read => ask_logout(answers, application, moment),
        (b"logout", None) if method == b"POST" => log_out(answers, application, moment),
        (b"userinfo", None) if is_read => userinfo(answers, application, moment),
        (b"experience", None) if is_read && application.experience => experience(answers, application, moment),
        (b"experience", None) if !application.experience => answers.failure(LoginError::NotFound.into()),
        (b"login" | b"logout" | b"userinfo" | b"experience", None) | (b"start" | b"callback", Some(_)) => {
            answers.failure(LoginError::MethodNotAllowed.into())
        }
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

/// `GET /login`: a choice of methods, or straight on where there is none to make.
fn login(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let return_to = asked_return_to(&answers);
    if let Standing::Good(_, Token::Cookie) = answers.gate.standing(answers.request, application, moment) {
        return quiet(redirect(format!("{}{}", application.origin, return_to.as_str()), vec![cookie::clear(cookie::STARTS)]));
    }
    let browser = Browser::of(answers.request.headers.first("user-agent").unwrap_or_default());
    let fitting = fitting(application, browser);
    if let ([only], true, true) = (fitting.as_slice(), browser.may_go_straight(), Wants::of(answers.request) == Wants::Page) {
        let connector = Rc::clone(only);
        return begin(answers, application, &connector, return_to, moment);
    }
    let options = options(answers.gate, &fitting, &return_to);
    let html = pages::login(&pages::Login {
        language: answers.language(),
        application: &application.display_name,
        options: &options,
        hint: hint(browser, fitting.is_empty()),
    });
    answers.page(200, html, vec![])
}

/// The methods that work in a browser, in the operator's order.
fn fitting(application: &Application, browser: Browser) -> Vec<&Rc<Connector>> {
    application.connectors.iter().filter(|connector| browser.can(connector.method.login_method())).collect()
}

/// What a visitor should know whose browser cannot do the usual.
fn hint(browser: Browser, nothing_fits: bool) -> Option<Text> {
    match (browser, nothing_fits) {
        (Browser::WeChat | Browser::MiniProgram, true) => Some(Text {
            zh: "请在电脑浏览器中打开本页，再用微信扫码登录。",
            en: "Open this page in a browser on a computer, then scan with WeChat.",
        }),
        (_, true) => Some(Text { zh: "请在微信中打开本页登录。", en: "Open this page inside WeChat to log in." }),
        (Browser::Phone | Browser::WeCom, false) => Some(Text {
            zh: "需要用另一台设备上的微信扫码；也可以在微信中打开本页。",
            en: "You will need WeChat on another device to scan a code. You can also open this page inside WeChat.",
        }),
        _ => None,
    }
}

fn options<'a>(gate: &Gate, connectors: &[&'a Rc<Connector>], return_to: &ReturnTo) -> Vec<pages::LoginOption<'a>> {
    let option = |connector: &&'a Rc<Connector>| {
        let mut href = format!("{}/start/{}", gate.config().path_prefix, connector.id);
        return_to.append_to(&mut href);
        pages::LoginOption { href, display_name: &connector.display_name, method: connector.method.login_method() }
    };
    connectors.iter().map(option).collect()
}

/// `GET /start/{connector}`: to WeChat, with a fresh attempt.
fn start(answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment) -> Step {
    let Some(connector) = application.connector(id).cloned() else { return answers.failure(LoginError::UnknownConnector.into()) };
    // Only a navigation may start a login: an image or a script of another site would litter cookies.
    if !Wants::of(answers.request).is_for_a_person() {
        return answers.failure(LoginError::LoginRequired.into());
    }
    let return_to = asked_return_to(&answers);
    begin(answers, application, &connector, return_to, moment)
}

fn begin(mut answers: Answers<'_>, application: &Rc<Application>, connector: &Rc<Connector>, return_to: ReturnTo, moment: Moment) -> Step {
    let (gate, now) = (answers.gate, moment.now());
    let has_session = matches!(answers.gate.standing(answers.request, application, moment), Standing::Good(..));
    let is_anew = query_parameter(answers.request.path().unwrap_or_default(), "anew") != Parameter::Absent;
    let mut starts = if has_session || is_anew { Vec::new() } else { recent_starts(&answers, now) };
    if starts.len() >= MAX_STARTS {
        answers.return_to = return_to;
        return answers.failure(Failure::new(LoginError::CookiesNotKept, "three logins began within a minute and none left a session"));
    }
    starts.push(now.to_string());
    let attempt = Attempt::begin(application, connector, &return_to, now, answers.entropy);
    let mut cookies = attempt::make_room(&answers.request.headers, &gate.config().session.keys, now);
    cookies.push(cookie::set(cookie::STARTS, &starts.join("."), 60));
    let reply = to_wechat(gate, application, connector, &attempt, answers.entropy, cookies);
    done(reply, Event::LoginStarted { connector: connector.id.clone() })
}

/// Sends a browser to WeChat and leaves the attempt with it.
fn to_wechat(
    gate: &Gate,
    application: &Application,
    connector: &Connector,
    attempt: &Attempt,
    entropy: &mut Entropy,
    mut cookies: Vec<String>,
) -> Reply {
    let config = gate.config();
    let redirect_uri = format!("{}{}/callback/{}", application.origin, config.path_prefix, connector.id);
    cookies.extend(attempt.set_cookie(&config.session.keys, entropy));
    redirect(connectors::authorize_url(config, connector, attempt, &redirect_uri), cookies)
}

/// Times of starts within the last minute. The cookie is plain: whoever changes it fools only himself.
fn recent_starts(answers: &Answers<'_>, now: u64) -> Vec<String> {
    let cookie = cookie::only(&answers.request.headers, cookie::STARTS).unwrap_or_default();
    let times = cookie.split(|byte| *byte == b'.').filter_map(|time| std::str::from_utf8(time).ok()?.parse::<u64>().ok());
    times.filter(|time| now.saturating_sub(*time) < 60).take(MAX_STARTS).map(|time| time.to_string()).collect()
}

/// `GET /callback/{connector}`: WeChat sends the browser back. All guards first; only then is anything sent anywhere.
fn callback(mut answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment) -> Step {
    let Some(connector) = application.connector(id).cloned() else { return answers.failure(LoginError::UnknownConnector.into()) };
    answers.connector = Some(connector.id.clone());
    let gate = Rc::clone(answers.gate);
    let raw_path = answers.request.path().unwrap_or_default();
    let Parameter::Once(state) = query_parameter(raw_path, "state") else { return answers.failure(LoginError::CallbackMalformed.into()) };
    let keys = &gate.config().session.keys;
    let attempt = match Attempt::find(&answers.request.headers, keys, &state, application, &connector, moment.now()) {
        Ok(attempt) => attempt,
        // The back button, or the second load of a callback: who is logged in by now needs no error page.
        Err(_) if matches!(gate.standing(answers.request, application, moment), Standing::Good(..)) => {
            return quiet(redirect(back_to(application, &connector, &ReturnTo::front_page()), vec![]));
        }
        Err(NoAttempt::Expired) => return answers.failure(LoginError::AttemptExpired.into()),
        Err(NoAttempt::Missing) if cookie::cookies(&answers.request.headers).all(|(name, _)| name.is_empty()) => {
            return answers.failure(LoginError::CookiesNotKept.into());
        }
        Err(NoAttempt::Missing) => return answers.failure(LoginError::AttemptMissing.into()),
    };
    answers.return_to = attempt.return_to(&gate.config().path_prefix);
    let callback = match Callback::parse(raw_path) {
        Ok(callback) => callback,
        Err(error) => return answers.failure_and_cookies(error.into(), attempt.clear_cookie().into_iter().collect()),
    };
    let (language, is_for_a_person) = (answers.language(), Wants::of(answers.request).is_for_a_person());
    let application = Rc::clone(application);
    coroutine::start(moment, |calls| async move {
        let login = Login { gate: &gate, application: &application, connector: &connector, attempt: &attempt, language, is_for_a_person };
        Verdict::Reply(login.finish(&calls, &callback).await)
    })
}

/// A login between WeChat's callback and its end.
struct Login<'a> {
    gate: &'a Gate,
    application: &'a Application,
    connector: &'a Connector,
    attempt: &'a Attempt,
    language: Language,
    is_for_a_person: bool,
}

impl Login<'_> {
    async fn finish(&self, calls: &Calls, callback: &Callback) -> Reply {
        let ended = self.attempt.clear_cookie().into_iter().collect::<Vec<_>>();
        match self.resolve(calls, callback).await {
            Ok(Ending::SignedIn(session, new_user)) => self.signed_in(calls, *session, new_user, ended),
            Ok(Ending::Again(attempt, repetition)) => {
                calls.note(Event::LoginRepeated { connector: self.connector.id.clone(), repetition });
                let mut entropy = calls.entropy();
                to_wechat(self.gate, self.application, self.connector, &attempt, &mut entropy, ended)
            }
            Err(failure) => self.failed(calls, failure, ended),
        }
    }

    async fn resolve(&self, calls: &Calls, callback: &Callback) -> Result<Ending, Failure> {
        let Self { gate, application, connector, attempt, .. } = self;
        let config = gate.config();
        let key = finish::idempotency_key(connector, attempt, &callback.code);
        let finished = match connectors::finish(calls, config, connector, attempt, callback).await {
            Ok(identity) => finish::sign_in(calls, config, application, connector, identity, key).await?,
            // WeChat's clients load a callback twice; the other one may have exchanged this very code.
            Err(refusal) if refusal.is_code_spent => match finish::outcome_of(calls, config, application, connector, &key).await {
                Ok(Some(finished)) => finished,
                _ => {
                    let again = attempt.restarted(calls.now(), &mut calls.entropy()).ok_or(refusal.failure.clone())?;
                    return Ok(Ending::Again(again, Repetition::Restarted(refusal.failure.detail)));
                }
            },
            Err(refusal) => return Err(refusal.failure),
        };
        match finished {
            Finished::SignedIn { session, new_user } => Ok(Ending::SignedIn(session, new_user)),
            Finished::ProfileRequired => {
                let again = attempt.escalated(calls.now(), &mut calls.entropy()).ok_or_else(|| {
                    Failure::new(LoginError::ResolverRejected, "the resolver asks for a profile that WeChat was asked for already")
                })?;
                Ok(Ending::Again(again, Repetition::Escalated))
            }
        }
    }

    /// The old token, if there was one, is overwritten: what was planted before a login never becomes logged in.
    fn signed_in(&self, calls: &Calls, session: Session, new_user: bool, mut cookies: Vec<String>) -> Reply {
        let return_to = self.attempt.return_to(&self.gate.config().path_prefix);
        let Some(cookie) = self.gate.sealed_cookie(session, calls.now(), &mut calls.entropy()) else {
            return self.failed(calls, Failure::new(LoginError::Internal, "the session could not be sealed"), cookies);
        };
        cookies.push(cookie);
        calls.note(Event::SignedIn { connector: self.connector.id.clone(), application: self.application.id.clone(), new_user });
        redirect(back_to(self.application, self.connector, &return_to), cookies)
    }

    fn failed(&self, calls: &Calls, failure: Failure, cookies: Vec<String>) -> Reply {
        let reference = base62(10, &mut calls.entropy());
        let draft = FailureDraft { config: self.gate.config(), application: Some(self.application), language: self.language };
        let reply = draft.reply(
            &failure,
            self.is_for_a_person,
            Some(&reference),
            &self.attempt.return_to(&self.gate.config().path_prefix),
            cookies,
        );
        calls.note(Event::Failed { connector: Some(self.connector.id.clone()), failure, reference });
        reply
    }
}

/// Where a finished login leads.
fn back_to(application: &Application, connector: &Connector, return_to: &ReturnTo) -> String {
    // Browsers hand a fragment on through redirects that name none, so WeChat's own would end up in the address of the
    // application's page, and an application that routes by fragment would be lost. An empty one of ours ends that.
    let fragment = if connectors::comes_back_with_fragment(connector) { "#" } else { "" };
    format!("{}{}{fragment}", application.origin, return_to.as_str())
}

/// How a login goes on after its calls.
enum Ending {
    SignedIn(Box<Session>, bool),
    /// Once more to WeChat.
    Again(Attempt, Repetition),
}

/// `GET /logout`: a page with a button, or that it is done. Changes nothing, so no link elsewhere can end a session.
fn ask_logout(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let prefix = &answers.gate.config().path_prefix;
    let html = match answers.gate.standing(answers.request, application, moment) {
        Standing::Good(known, _) => pages::logout(&pages::Logout {
            language: answers.language(),
            application: &application.display_name,
            name: known.session.name.as_deref(),
            action: &format!("{prefix}/logout"),
            stay_href: "/",
        }),
        Standing::None(_) => logged_out(answers.gate, application, answers.language(), true),
    };
    answers.page(200, html, vec![])
}

/// `POST /logout`: ends the session everywhere, by way of the resolver's feed.
fn log_out(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let is_native = bearer(answers.request).is_some();
    // A bearer token is never sent by a browser on its own; a cookie is.
    if !is_native && !comes_from_ourselves(&answers, application) {
        return answers.failure(LoginError::CrossSite.into());
    }
    let is_for_a_person = Wants::of(answers.request).is_for_a_person();
    let gone = vec![cookie::clear(cookie::SESSION), cookie::clear(cookie::STARTS)];
    let Standing::Good(known, _) = answers.gate.standing(answers.request, application, moment) else {
        return quiet(goodbye(answers.gate, application, answers.language(), is_for_a_person, true, gone));
    };
    let (gate, application, language) = (Rc::clone(answers.gate), Rc::clone(application), answers.language());
    let ended = EndedSession { session_id: known.session.id.clone(), expires_at: known.session.ends_at };
    // Before the call: a visitor who closes the window while it is under way is logged out all the same.
    gate.end_session(&ended, moment.now());
    coroutine::start(moment, |calls| async move {
        let service = &gate.config().resolver;
        let mut result = calls.send(resolver::revoke_session(service, &ended.session_id, ended.expires_at)).await;
        if resolver::was_lost(&result) {
            result = calls.send(resolver::revoke_session(service, &ended.session_id, ended.expires_at)).await;
        }
        let everywhere = resolver::read_revoked(result).is_ok();
        calls.note(Event::SignedOut { ended, everywhere });
        Verdict::Reply(goodbye(&gate, &application, language, is_for_a_person, everywhere, gone))
    })
}

/// Whether a browser says that one of this application's own pages sent the request. One that says nothing at all is
/// not believed: every browser that WeChat supports names the origin of a POST.
fn comes_from_ourselves(answers: &Answers<'_>, application: &Application) -> bool {
    let headers = &answers.request.headers;
    match headers.first("origin") {
        Some(origin) => origin == application.origin.as_bytes(),
        None => headers.first("sec-fetch-site") == Some(b"same-origin"),
    }
}

/// The page after a logout does not log in again by itself, though in WeChat it could.
fn goodbye(
    gate: &Gate,
    application: &Application,
    language: Language,
    is_for_a_person: bool,
    complete: bool,
    cookies: Vec<String>,
) -> Reply {
    let status = if complete { 200 } else { 503 };
    match is_for_a_person {
        // 303 to a page that can be loaded again.
        true if complete => redirect(format!("{}{}/logout", application.origin, gate.config().path_prefix), cookies),
        true => page(status, logged_out(gate, application, language, complete), cookies),
        false => json(status, &json!({"logged_out": true, "everywhere": complete}), cookies),
    }
}

fn logged_out(gate: &Gate, application: &Application, language: Language, complete: bool) -> String {
    pages::logged_out(&pages::LoggedOut {
        language,
        application: &application.display_name,
        login_href: &format!("{}/login", gate.config().path_prefix),
        complete,
    })
}

/// `GET /userinfo`: who am I, for scripts of the application's pages: the claims that the application gets.
fn userinfo(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    match answers.gate.standing(answers.request, application, moment) {
        Standing::Good(known, _) => {
            let claims = identity::claims(&answers.gate.config().identity, application, &known.session, moment.now());
            let mut body = json!({"sub": claims.subject, "session_ends_at": known.session.ends_at});
            if let (Some(members), Ok(serde_json::Value::Object(custom))) = (body.as_object_mut(), serde_json::to_value(claims.custom)) {
                members.extend(custom);
            }
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
    let options = options(gate, &fitting(application, browser), &ReturnTo::parse(format!("{prefix}/experience").as_bytes(), prefix));
    let (language, name) = (answers.language(), &application.display_name);
    let show = |signed_in| pages::experience(&pages::Experience { language, application: name, options: &options, signed_in });
    let Standing::Good(known, _) = gate.standing(answers.request, application, moment) else {
        return answers.page(200, show(None), vec![]);
    };
    let claims = identity::claims(&gate.config().identity, application, &known.session, moment.now());
    let claims_json = serde_json::to_string_pretty(&claims).unwrap_or_default();
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

fn asked_return_to(answers: &Answers<'_>) -> ReturnTo {
    match query_parameter(answers.request.path().unwrap_or_default(), "return_to") {
        Parameter::Once(path) => ReturnTo::parse(&path, &answers.gate.config().path_prefix),
        _ => ReturnTo::front_page(),
    }
}

/// `/start/pc` -> (`start`, `pc`).
fn split(endpoint: &[u8]) -> (&[u8], Option<&[u8]>) {
    let path = endpoint.strip_prefix(b"/").unwrap_or_default();
    match path.iter().position(|byte| *byte == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..)),
        None => (path, None),
    }
}

/// An answer that deserves no event.
fn quiet(reply: Reply) -> Step {
    Step::Done(Outcome { verdict: Verdict::Reply(reply), events: vec![] })
}
