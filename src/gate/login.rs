//! A login, from the page where it begins to the callback where it ends.

use std::rc::Rc;

use super::Gate;
use super::answers::{About, Answers, Delivery, Visitor, back_to, quiet, redirect, with_flag};
use super::browser::Browser;
use super::done;
use super::refusal::Wants;
use super::standing::{Standing, Token};
use crate::config::{Application, Config, Connector, Method};
use crate::connectors::{self, Callback};
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError, Text};
use crate::http::{Entropy, Moment, Parameter, Request, query_parameter};
use crate::login::attempt::{self, Attempt, NoAttempt};
use crate::login::finish::{self, Finished, SignedIn, Unanswered};
use crate::login::return_to::ReturnTo;
use crate::pages;
use crate::session::cookie;
use crate::step::{Event, Repetition, Reply, Step, Verdict};

/// Starts within a minute, with no session in between, before a browser is told that it keeps no cookies.
const MAX_STARTS: usize = 3;

/// `GET /login`: a choice of methods, or straight on where there is none to make, unless `stay` asks for the page or `method` for
/// what it shows of one.
pub(super) fn choose(answers: Answers<'_>, application: &Rc<Application>, moment: Moment) -> Step {
    let return_to = asked_return_to(&answers);
    let has_session = matches!(answers.gate.standing(answers.request, application, moment), Standing::Good(_, Token::Cookie));
    if has_session && !asks_for(answers.request, "anew") {
        return quiet(redirect(format!("{}{}", application.origin, return_to.as_str()), vec![cookie::clear(cookie::STARTS)]));
    }
    let browser = Browser::of(answers.request.headers.first("user-agent").unwrap_or_default());
    let fitting = fitting(application, browser);
    let method = match query_parameter(answers.request.path().unwrap_or_default(), "method") {
        Parameter::Once(id) => String::from_utf8(id).ok(),
        _ => None,
    };
    let is_page_wanted = asks_for(answers.request, "stay") || method.is_some();
    let may_go_straight = browser.may_go_straight() && Wants::of(answers.request) == Wants::Page && !is_page_wanted;
    if let ([only], true) = (fitting.as_slice(), may_go_straight)
        && !only.method.is_scan()
    {
        let connector = Rc::clone(only);
        return begin(answers, application, &connector, return_to, moment);
    }
    let options = options(answers.gate, &fitting, &return_to, false);
    let ways = pages::Ways { options: &options, chosen: method.as_deref(), return_to: return_to.as_str() };
    let html = pages::login(&pages::Login {
        language: answers.language(),
        application: &application.display_name,
        ways,
        hint: hint(application, browser, fitting.is_empty()),
    });
    answers.page_with_ways(html, &ways)
}

/// The methods that work in a browser, in the operator's order.
pub(super) fn fitting(application: &Application, browser: Browser) -> Vec<&Rc<Connector>> {
    application.connectors.iter().filter(|connector| browser.can(connector.method.login_method())).collect()
}

/// What a visitor should know whose browser cannot do the usual.
fn hint(application: &Application, browser: Browser, nothing_fits: bool) -> Option<Text> {
    let would_work_in = |other: Browser| application.connectors.iter().any(|connector| other.can(connector.method.login_method()));
    let in_wechat = Text { zh: "请在微信中打开本页登录。", en: "Open this page inside WeChat to log in." };
    let at_a_desk = Text {
        zh: "请在电脑浏览器中打开本页，再用微信扫码登录。",
        en: "Open this page in a browser on a computer, then scan with WeChat.",
    };
    let elsewhere = Text {
        zh: "需要用另一台设备上的微信扫码；也可以在微信中打开本页。",
        en: "You will need WeChat on another device to scan a code. You can also open this page inside WeChat.",
    };
    match nothing_fits {
        true if would_work_in(Browser::WeChat) => Some(in_wechat),
        true if would_work_in(Browser::Desktop) => Some(at_a_desk),
        false if browser == Browser::WeCom => Some(elsewhere),
        _ => None,
    }
}

/// What the pages offer. Where `has_session`, a page of its own shows the code: none is asked for unless somebody wants to log in.
pub(super) fn options<'a>(
    gate: &Gate,
    connectors: &[&'a Rc<Connector>],
    return_to: &ReturnTo,
    has_session: bool,
) -> Vec<pages::LoginOption<'a>> {
    let prefix = &gate.config().path_prefix;
    let option = |connector: &&'a Rc<Connector>| {
        let mut href = format!("{prefix}/start/{}", connector.id);
        return_to.append_to(&mut href);
        let panel = match &connector.method {
            _ if has_session => None,
            Method::WebsiteQr { embed: true } => Some(pages::Panel::Frame(with_flag(href.clone(), "embed"))),
            method if method.is_scan() => Some(pages::Panel::Scan(format!("{prefix}/scan/{}", connector.id))),
            _ => None,
        };
        if has_session && connector.method.is_scan() {
            href = with_flag(href, "anew");
        }
        pages::LoginOption {
            id: &connector.id,
            href,
            display_name: &connector.display_name,
            method: connector.method.login_method(),
            panel,
        }
    };
    connectors.iter().map(option).collect()
}

/// `GET /start/{connector}`: to WeChat, with a fresh attempt, or to the page that shows our own code.
pub(super) fn start(answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment) -> Step {
    let Some(connector) = application.connector(id).cloned() else { return answers.failure(LoginError::UnknownConnector.into()) };
    // Only a navigation may start a login: an image or a script of another site would litter cookies.
    if !Wants::of(answers.request).is_for_a_person() {
        return answers.failure(LoginError::LoginRequired.into());
    }
    let return_to = asked_return_to(&answers);
    if connector.method.is_scan() {
        let mut page = format!("{}{}/login", application.origin, answers.gate.config().path_prefix);
        return_to.append_to(&mut page);
        page.push_str(if page.contains('?') { "&method=" } else { "?method=" });
        page.push_str(&connector.id);
        let is_anew = asks_for(answers.request, "anew");
        return quiet(redirect(if is_anew { with_flag(page, "anew") } else { page }, vec![]));
    }
    match asks_for(answers.request, "embed") {
        true => begin_in_frame(answers, application, &connector, &return_to, moment),
        false => begin(answers, application, &connector, return_to, moment),
    }
}

/// A login in a frame of our own page. It is not counted as a start: nothing goes round by itself in there, and a person may look at
/// the login page as often as they like.
fn begin_in_frame(answers: Answers<'_>, application: &Application, connector: &Connector, return_to: &ReturnTo, moment: Moment) -> Step {
    let (config, headers) = (answers.gate.config(), &answers.request.headers);
    // A frame in a page of another site would litter cookies, too. An older browser does not say where a frame stands.
    let is_ours = match (headers.first("sec-fetch-dest"), headers.first("sec-fetch-site")) {
        (None, None) => true,
        (dest, site) => dest == Some(b"iframe") && site == Some(b"same-origin"),
    };
    if !is_ours {
        return answers.failure(Failure::new(LoginError::CrossSite, "a frame outside of the login page"));
    }
    let attempt = Attempt::begin(application, connector, return_to, moment.now(), answers.entropy);
    let is_english = answers.language() == pages::Language::En;
    let redirect_uri = redirect_uri(config, application, connector);
    let Some(url) = connectors::frame_url(config, connector, &attempt, &redirect_uri, is_english) else {
        return answers.failure(LoginError::UnknownConnector.into());
    };
    let mut cookies = attempt::make_room(headers, &config.session.keys, moment.now());
    cookies.extend(attempt.set_cookie(&config.session.keys, answers.entropy));
    done(redirect(url, cookies), Event::LoginStarted { connector: connector.id.clone() })
}

fn begin(mut answers: Answers<'_>, application: &Rc<Application>, connector: &Rc<Connector>, return_to: ReturnTo, moment: Moment) -> Step {
    let (gate, now) = (answers.gate, moment.now());
    let has_session = matches!(answers.gate.standing(answers.request, application, moment), Standing::Good(..));
    let mut starts = if has_session || asks_for(answers.request, "anew") { Vec::new() } else { recent_starts(&answers, now) };
    if starts.len() >= MAX_STARTS {
        answers.return_to = return_to;
        return answers.failure(Failure::new(LoginError::CookiesNotKept, "three logins began within a minute and none left a session"));
    }
    starts.push(now.to_string());
    let attempt = Attempt::begin(application, connector, &return_to, now, answers.entropy);
    let mut cookies = attempt::make_room(&answers.request.headers, &gate.config().session.keys, now);
    cookies.push(cookie::set(cookie::STARTS, &starts.join("."), 60));
    match to_wechat(gate.config(), application, connector, &attempt, answers.entropy, cookies) {
        Ok(reply) => done(reply, Event::LoginStarted { connector: connector.id.clone() }),
        Err(failure) => answers.failure(failure),
    }
}

/// Sends a browser to WeChat and leaves the attempt with it.
pub(super) fn to_wechat(
    config: &Config,
    application: &Application,
    connector: &Connector,
    attempt: &Attempt,
    entropy: &mut Entropy,
    mut cookies: Vec<String>,
) -> Result<Reply, Failure> {
    let redirect_uri = redirect_uri(config, application, connector);
    let url = connectors::authorize_url(config, connector, attempt, &redirect_uri).ok_or(LoginError::UnknownConnector)?;
    cookies.extend(attempt.set_cookie(&config.session.keys, entropy));
    Ok(redirect(url, cookies))
}

fn redirect_uri(config: &Config, application: &Application, connector: &Connector) -> String {
    format!("{}{}/callback/{}", application.origin, config.path_prefix, connector.id)
}

/// Times of starts within the last minute. The cookie is plain: whoever changes it fools only himself.
fn recent_starts(answers: &Answers<'_>, now: u64) -> Vec<String> {
    let cookie = cookie::only(&answers.request.headers, cookie::STARTS).unwrap_or_default();
    let times = cookie.split(|byte| *byte == b'.').filter_map(|time| std::str::from_utf8(time).ok()?.parse::<u64>().ok());
    times.filter(|time| now.saturating_sub(*time) < 60).take(MAX_STARTS).map(|time| time.to_string()).collect()
}

/// `GET /callback/{connector}`: WeChat sends the browser back. All guards first; only then is anything sent anywhere.
pub(super) fn callback(mut answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment) -> Step {
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
    let ended = attempt.clear_cookie().into_iter().collect();
    let callback = match Callback::parse(raw_path) {
        Ok(callback) => callback,
        Err(error) => return answers.failure_and_cookies(error.into(), ended),
    };
    // Whoever asked to link must still be here, or somebody else's WeChat would get a way in.
    if let Some(link) = &attempt.link
        && !matches!(gate.standing(answers.request, application, moment), Standing::Good(known, Token::Cookie) if link.is_of(&known.session))
    {
        return answers.failure_and_cookies(LoginError::LinkInterrupted.into(), ended);
    }
    let visitor = answers.visitor(application);
    coroutine::start(moment, |calls| async move {
        let login = Login { return_to: attempt.return_to(&gate.config().path_prefix), visitor, connector, attempt };
        Verdict::Reply(login.finish(&calls, &callback, ended).await)
    })
}

/// A login between WeChat's callback and its end.
struct Login {
    visitor: Visitor,
    connector: Rc<Connector>,
    attempt: Attempt,
    return_to: ReturnTo,
}

impl Login {
    async fn finish(&self, calls: &Calls, callback: &Callback, ended: Vec<String>) -> Reply {
        let Self { visitor, connector, .. } = self;
        match self.resolve(calls, callback).await {
            Ok(Ending::SignedIn(signed_in)) => visitor.signed_in(calls, connector, signed_in, &self.return_to, Delivery::Redirect, ended),
            Ok(Ending::Pending(unanswered)) => visitor.waits(calls, connector, unanswered, &self.return_to, ended),
            Ok(Ending::Again(attempt, repetition)) => {
                calls.note(Event::LoginRepeated { connector: connector.id.clone(), repetition });
                let config = visitor.gate.config();
                to_wechat(config, &visitor.application, connector, &attempt, &mut calls.entropy(), ended.clone())
                    .unwrap_or_else(|failure| self.failed(calls, failure, ended))
            }
            Err(failure) => self.failed(calls, failure, ended),
        }
    }

    async fn resolve(&self, calls: &Calls, callback: &Callback) -> Result<Ending, Failure> {
        let Self { visitor, connector, attempt, .. } = self;
        let config = visitor.gate.config();
        let asker = visitor.asker(connector, attempt.link.as_ref());
        let key = finish::idempotency_key(connector, &attempt.nonce, &callback.code);
        let finished = match connectors::finish(calls, config, connector, attempt, callback).await {
            Ok(identity) => asker.sign_in(calls, identity, key).await?,
            // WeChat's clients load a callback twice; the other one may have exchanged this very code.
            Err(refusal) if refusal.is_code_spent => match asker.outcome_of(calls, &key).await {
                Ok(Some(finished)) => finished,
                _ => {
                    let again = attempt.restarted(calls.now(), &mut calls.entropy()).ok_or(refusal.failure.clone())?;
                    return Ok(Ending::Again(Box::new(again), Repetition::Restarted(refusal.failure.detail)));
                }
            },
            Err(refusal) => return Err(refusal.failure),
        };
        match finished {
            Finished::ProfileRequired => {
                let again = attempt.escalated(calls.now(), &mut calls.entropy()).ok_or_else(|| {
                    Failure::new(LoginError::ResolverRejected, "the resolver asks for a profile that WeChat was asked for already")
                })?;
                Ok(Ending::Again(Box::new(again), Repetition::Escalated))
            }
            Finished::SignedIn(signed_in) => Ok(Ending::SignedIn(signed_in)),
            Finished::Pending(unanswered) => Ok(Ending::Pending(unanswered)),
        }
    }

    fn failed(&self, calls: &Calls, failure: Failure, cookies: Vec<String>) -> Reply {
        self.visitor.failed(calls, About { connector: Some(&self.connector), return_to: &self.return_to }, failure, cookies)
    }
}

/// How a login goes on after its calls.
enum Ending {
    SignedIn(SignedIn),
    Pending(Unanswered),
    /// Once more to WeChat.
    Again(Box<Attempt>, Repetition),
}

fn asked_return_to(answers: &Answers<'_>) -> ReturnTo {
    match query_parameter(answers.request.path().unwrap_or_default(), "return_to") {
        Parameter::Once(path) => ReturnTo::parse(&path, &answers.gate.config().path_prefix),
        _ => ReturnTo::front_page(),
    }
}

/// Whether a parameter stands in the query, with whatever value.
fn asks_for(request: &Request, parameter: &str) -> bool {
    query_parameter(request.path().unwrap_or_default(), parameter) != Parameter::Absent
}
