//! The browser asks how far its scan has come, and collects the login once its person has agreed on the phone.
//!
//! A script waits for the next step: on a cluster of its own, as all questions of this kind are, so that those who ask never
//! take the place of those who log in. Where nobody can wait for it, it gets the state at once and a time to come back.
//! Without a script, the same address is a page with a link to look again.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resolver_api::tickets::{RedeemAnswer, RedeemTicket, Ticket, TicketIdentity, TicketPurpose, TicketState};
use serde_json::Value;

use super::super::answers::{About, Answers, Delivery, Visitor, back_to, insert, json, page, quiet, redirect, set_policy};
use super::super::refusal::Wants;
use super::super::standing::{Standing, Token};
use super::{RETRY_SECONDS, begun, is_from_elsewhere, missing};
use crate::config::{Application, Connector};
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError, Text};
use crate::http::{Moment, Parameter, query_parameter};
use crate::json::object;
use crate::login::attempt::{Attempt, NoAttempt, Scan, base62};
use crate::login::finish::{self, Finished, WechatIdentity};
use crate::login::return_to::ReturnTo;
use crate::pages::{self, ScanState};
use crate::resolver;
use crate::step::{Event, Reply, ScanStep, Step, Verdict};

/// `GET /scan/{connector}`.
pub(super) fn look(mut answers: Answers<'_>, application: &Rc<Application>, connector: Rc<Connector>, moment: Moment) -> Step {
    let is_script = !Wants::of(answers.request).is_for_a_person();
    if is_script && is_from_elsewhere(answers.request) {
        return missing(answers);
    }
    let standing = answers.gate.standing(answers.request, application, moment);
    let (attempt, scan) = match begun(&answers, application, &connector, moment) {
        Ok(begun) => begun,
        // The back button: who is logged in by now needs no error page.
        Err(_) if !is_script && matches!(standing, Standing::Good(..)) => {
            return quiet(redirect(back_to(application, &connector, &ReturnTo::front_page()), vec![]));
        }
        Err(NoAttempt::Missing | NoAttempt::Expired) => return missing(answers),
    };
    answers.return_to = attempt.return_to(&answers.gate.config().path_prefix);
    let is_still_theirs =
        attempt.link.as_ref().is_none_or(|link| matches!(&standing, Standing::Good(known, Token::Cookie) if link.is_of(&known.session)));
    let known = match query_parameter(answers.request.path().unwrap_or_default(), "known") {
        Parameter::Once(state) if is_script && state == b"waiting" => Some(TicketState::Waiting),
        Parameter::Once(state) if is_script && state == b"scanned" => Some(TicketState::Scanned),
        _ => None,
    };
    let poll = Poll {
        return_to: answers.return_to.clone(),
        // What a login ends with is written for a person first, and for a script made of that.
        visitor: Visitor { is_for_a_person: true, ..answers.visitor(application) },
        connector,
        attempt,
        scan,
        is_script,
        is_still_theirs,
        known,
    };
    coroutine::start(moment, |calls| async move { Verdict::Reply(poll.answer(&calls).await) })
}

struct Poll {
    visitor: Visitor,
    connector: Rc<Connector>,
    attempt: Attempt,
    scan: Scan,
    return_to: ReturnTo,
    is_script: bool,
    /// Whether whoever asked to link is still logged in here; true where nothing is to be linked.
    is_still_theirs: bool,
    /// What the script has been told already.
    known: Option<TicketState>,
}

/// How far a scan has come, as its browser is told.
enum Progress {
    /// It goes on.
    Open(Open),
    /// The person has refused.
    Cancelled,
    /// It took too long.
    Expired,
    /// It has ended well, and this is the way on.
    Collected(Reply),
}

#[derive(Default)]
struct Open {
    is_scanned: bool,
    name: Option<String>,
    picture: Option<String>,
    /// Nobody waited for the next step: seconds until it is worth asking again.
    retry_after: Option<u32>,
}

impl Poll {
    async fn answer(&self, calls: &Calls) -> Reply {
        match self.progress(calls).await {
            Ok(Progress::Open(open)) => self.open(calls, &open),
            Ok(Progress::Cancelled) => self.over("cancelled", ScanState::Cancelled),
            Ok(Progress::Expired) => {
                self.note(calls, ScanStep::Expired);
                self.over("expired", ScanState::Expired)
            }
            Ok(Progress::Collected(reply)) => {
                self.note(calls, ScanStep::Collected);
                if self.is_script { done(reply) } else { reply }
            }
            Err(failure) => self.failed(calls, failure),
        }
    }

    async fn progress(&self, calls: &Calls) -> Result<Progress, Failure> {
        if !self.is_still_theirs {
            return Err(LoginError::LinkInterrupted.into());
        }
        if self.scan.is_over(calls.now()) {
            return Ok(Progress::Expired);
        }
        let (ticket, retry_after) = match self.ticket(calls).await {
            Ok((Some(ticket), retry_after)) => (ticket, retry_after),
            Ok((None, _)) => return Ok(Progress::Expired),
            // The code on the screen is as good as before, and a phone may get through.
            Err(failure) if self.is_script && failure.error == LoginError::ResolverUnavailable => return Ok(self.as_before()),
            Err(failure) => return Err(failure),
        };
        let Ticket { purpose, application, connector, .. } = &ticket;
        if (*purpose, application, connector) != (TicketPurpose::Scan, &self.visitor.application.id, &self.connector.id) {
            return Err(rejected("the answer is about another ticket"));
        }
        let profile = ticket.profile.unwrap_or_default();
        let is_scanned = ticket.state == TicketState::Scanned;
        match ticket.state {
            TicketState::Waiting | TicketState::Scanned => {
                Ok(Progress::Open(Open { is_scanned, name: profile.nickname, picture: profile.picture, retry_after }))
            }
            TicketState::Cancelled => Ok(Progress::Cancelled),
            TicketState::Confirmed | TicketState::Redeemed => self.collect(calls).await,
        }
    }

    /// The ticket, and when to ask again where nobody waited. Where it cannot be had, whoever knows a state is told it once more, a little
    /// later: there is no second way, which would be that of those who log in.
    async fn ticket(&self, calls: &Calls) -> Result<(Option<Ticket>, Option<u32>), Failure> {
        let service = &self.visitor.gate.config().resolver;
        let Some(known) = self.known else {
            let result = resolver::ask(calls, resolver::look_at_ticket(service, &self.scan.ticket)).await;
            return Ok((resolver::read_ticket(result)?, Some(RETRY_SECONDS)));
        };
        let call = resolver::await_ticket(service, &self.scan.ticket, known, self.visitor.address.as_deref());
        let ticket = resolver::read_ticket(calls.send(call).await)?;
        let retry_after = ticket.as_ref().and_then(|ticket| ticket.retry_after);
        Ok((ticket, retry_after))
    }

    /// Takes what the person has agreed to, once: of many who ask at the same time one gets it.
    async fn collect(&self, calls: &Calls) -> Result<Progress, Failure> {
        let Self { visitor, connector, attempt, scan, return_to, .. } = self;
        let config = visitor.gate.config();
        let request = RedeemTicket {
            verifier: attempt.nonce.clone(),
            application: visitor.application.id.clone(),
            redemption: URL_SAFE_NO_PAD.encode(calls.entropy().bytes::<16>()),
            client_address: visitor.address.clone(),
        };
        let result = resolver::ask(calls, resolver::redeem_ticket(&config.resolver, &scan.ticket, &request)).await;
        let identity = match resolver::read_redeem(result) {
            Ok(Some(RedeemAnswer::Redeemed { identity: Some(identity) })) => identity,
            Ok(Some(RedeemAnswer::NotConfirmed { state: TicketState::Cancelled })) => return Ok(Progress::Cancelled),
            Ok(Some(RedeemAnswer::NotConfirmed { .. })) => return Ok(self.as_before()),
            Ok(Some(RedeemAnswer::Used)) => return Err(LoginError::ScanUsed.into()),
            Ok(Some(RedeemAnswer::Redeemed { identity: None })) => return Err(rejected("nobody has confirmed what was redeemed")),
            Ok(None) => return Ok(Progress::Expired),
            Err(failure) if self.is_script && failure.error == LoginError::ResolverUnavailable => return Ok(self.as_before()),
            Err(failure) => return Err(failure),
        };
        if identity.app_id != connector.app_id {
            return Err(rejected("the answer is about another app"));
        }
        let asker = visitor.asker(connector, attempt.link.as_ref());
        let key = finish::idempotency_key(connector, &attempt.nonce, scan.ticket.as_bytes());
        Ok(Progress::Collected(match asker.sign_in(calls, confirmed(identity), key).await? {
            Finished::SignedIn(signed_in) => visitor.signed_in(calls, connector, signed_in, return_to, Delivery::Redirect, self.ended()),
            Finished::Pending(unanswered) => visitor.waits(calls, connector, unanswered, return_to, self.ended()),
            Finished::ProfileRequired => return Err(rejected("a profile is asked for that WeChat does not tell")),
        }))
    }

    /// What the script knows is what it is told again, a little later.
    fn as_before(&self) -> Progress {
        let is_scanned = self.known == Some(TicketState::Scanned);
        Progress::Open(Open { is_scanned, retry_after: Some(RETRY_SECONDS), ..Open::default() })
    }

    fn open(&self, calls: &Calls, open: &Open) -> Reply {
        let Open { is_scanned, name, picture, retry_after } = open;
        if !self.is_script {
            let (name, picture, number) = (name.as_deref(), picture.as_deref(), self.scan.number.as_str());
            let (prefix, id, state) = (&self.visitor.gate.config().path_prefix, &self.connector.id, self.attempt.state());
            let image = &format!("{prefix}/scan/{id}/image?scan={state}");
            return self.page(match is_scanned {
                true => ScanState::Scanned { name, picture, number },
                false => ScanState::Waiting { image, number, seconds_left: self.scan.expires_at.saturating_sub(calls.now()) },
            });
        }
        let mut body = object!({"state": if *is_scanned { "scanned" } else { "waiting" }});
        for (member, value) in [("name", name), ("picture", picture)] {
            if let Some(value) = value {
                insert(&mut body, member, value.as_str());
            }
        }
        if let Some(seconds) = retry_after {
            insert(&mut body, "retry_after", *seconds);
        }
        json(200, &body, vec![])
    }

    fn over(&self, state: &str, shown: ScanState<'_>) -> Reply {
        if self.is_script {
            return json(200, &object!({"state": state}), self.ended());
        }
        let mut reply = self.page(shown);
        reply.headers.extend(self.ended().into_iter().map(|cookie| ("set-cookie", cookie)));
        reply
    }

    /// The state as a page, for a browser without scripts.
    fn page(&self, state: ScanState<'_>) -> Reply {
        let Self { visitor, connector, attempt, return_to, .. } = self;
        let (prefix, id) = (&visitor.gate.config().path_prefix, &connector.id);
        let start = format!("{prefix}/scan/{id}");
        let mut login_href = format!("{prefix}/login");
        return_to.append_to(&mut login_href);
        let shown = pages::Scan {
            language: visitor.language,
            application: &visitor.application.display_name,
            method: connector.method.login_method(),
            state,
            look_again: &format!("{prefix}/scan/{id}?scan={}", attempt.state()),
            start: attempt.link.is_none().then_some(&start),
            return_to: return_to.as_str(),
            login_href: &login_href,
        };
        let mut reply = page(200, pages::scan(&shown), vec![]);
        if let Some(policy) = shown.policy() {
            set_policy(&mut reply, &policy);
        }
        reply
    }

    /// It has failed for good.
    fn failed(&self, calls: &Calls, failure: Failure) -> Reply {
        let Self { visitor, connector, return_to, .. } = self;
        if !self.is_script {
            // An outage does not end it.
            let is_over = failure.error != LoginError::ResolverUnavailable;
            let about = About { connector: Some(connector), return_to };
            return visitor.failed(calls, about, failure, if is_over { self.ended() } else { vec![] });
        }
        let (row, reference) = (failure.error.row(), base62(10, &mut calls.entropy()));
        let body = object!({
            "state": "failed",
            "error": row.code,
            "title": both(row.title),
            "message": both(row.explanation),
            "reference": reference.as_str(),
        });
        calls.note(Event::Failed { connector: Some(connector.id.clone()), failure, reference });
        json(200, &body, self.ended())
    }

    /// The browser need not keep it any longer.
    fn ended(&self) -> Vec<String> {
        self.attempt.clear_cookie().into_iter().collect()
    }

    fn note(&self, calls: &Calls, step: ScanStep) {
        calls.note(Event::Scan { connector: self.connector.id.clone(), step });
    }
}

/// Who has agreed, as WeChat told on the phone's side.
fn confirmed(identity: TicketIdentity) -> WechatIdentity {
    let TicketIdentity { openid, unionid, profile, phone_number, .. } = identity;
    WechatIdentity { openid, unionid, profile, is_profile_available: false, phone_number }
}

/// A redirect, for a script: it goes there itself. What is no redirect is a failure, and stays one.
fn done(reply: Reply) -> Reply {
    let location = reply.headers.iter().find(|(name, _)| *name == "location").map(|(_, location)| location.clone());
    let body = match location {
        Some(location) => object!({"state": "done", "location": location}),
        None => Value::Null,
    };
    let cookies = reply.headers.iter().filter(|(name, _)| *name == "set-cookie").map(|(_, cookie)| cookie.clone()).collect();
    if body.is_null() { reply } else { json(200, &body, cookies) }
}

fn rejected(detail: &str) -> Failure {
    Failure::new(LoginError::ResolverRejected, detail)
}

fn both(text: Text) -> Value {
    object!({"zh": text.zh, "en": text.en})
}
