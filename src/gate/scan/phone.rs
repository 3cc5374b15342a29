//! The phone of whoever scans: which site asks, from where, with which number; and the person's answer.
//!
//! A mini program talks JSON, at any host of ours whose application enables the connector: what was scanned may be another
//! application's. An official account's link opens a page in WeChat. Neither has cookies of ours: who scanned is what
//! WeChat itself has said, and stands sealed in what the phone sends back with its answer.

use std::rc::Rc;

use resolver_api::tickets::{CancelTicket, ConfirmTicket, ScanAnswer, ScanTicket, Ticket, TicketIdentity, TicketPurpose, TicketState};

use super::super::answers::{About, Answers, Visitor, insert, json, page};
use super::super::fields::{self, required};
use super::super::logout::comes_from_ourselves;
use super::super::phone::Proof;
use super::is_ticket;
use crate::config::{Application, Connector, Method, PhoneNumber};
use crate::connectors::mini_program_qr;
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError};
use crate::form::{Encoding, Fields};
use crate::http::{CallResult, Moment, Parameter, query_parameter};
use crate::json::object;
use crate::login::confirmation::Confirmation;
use crate::login::return_to::ReturnTo;
use crate::pages::{self, Language, ScanAnswered};
use crate::resolver;
use crate::step::{Event, Reply, ScanStep, Step, Verdict};

/// `GET /scan/{connector}/confirm`: the question, for a link that opens in WeChat. It changes nothing.
pub(super) fn ask(answers: Answers<'_>, application: &Rc<Application>, connector: Rc<Connector>, moment: Moment) -> Step {
    if !matches!(connector.method, Method::OfficialAccountQr { .. }) {
        return answers.failure(LoginError::MethodNotAllowed.into());
    }
    let confirm = match query_parameter(answers.request.path().unwrap_or_default(), "confirm") {
        Parameter::Once(confirm) => String::from_utf8(confirm).unwrap_or_default(),
        _ => String::new(),
    };
    let visitor = Visitor { is_for_a_person: true, ..answers.visitor(application) };
    let phone = Phone { visitor, connector };
    coroutine::start(moment, |calls| async move {
        let reply = phone.question(&calls, &confirm).await;
        Verdict::Reply(reply.unwrap_or_else(|failure| phone.failed(&calls, failure)))
    })
}

/// `POST /scan/{connector}/confirm`: JSON of a mini program, or the form of our own page.
pub(super) fn answer(answers: Answers<'_>, application: &Rc<Application>, connector: Rc<Connector>, moment: Moment) -> Step {
    let is_page = matches!(connector.method, Method::OfficialAccountQr { .. });
    let encoding = match Encoding::of(answers.request) {
        Some(Encoding::Form) if is_page => Encoding::Form,
        // What no page of another site can send unasked.
        Some(Encoding::Json) if !is_page => Encoding::Json,
        _ => return answers.failure(LoginError::UnsupportedMediaType.into()),
    };
    if is_page && !comes_from_ourselves(answers.request, application) {
        return answers.failure(LoginError::CrossSite.into());
    }
    let visitor = Visitor { is_for_a_person: is_page, ..answers.visitor(application) };
    let mut phone = Phone { visitor, connector };
    coroutine::start(moment, |calls| async move {
        let reply = match fields::read(&calls, encoding).await {
            Ok(fields) if is_page => phone.submitted(&calls, &fields).await,
            Ok(fields) => phone.asked(&calls, &fields).await,
            Err(failure) => Err(failure),
        };
        Verdict::Reply(reply.unwrap_or_else(|failure| phone.failed(&calls, failure)))
    })
}

struct Phone {
    visitor: Visitor,
    connector: Rc<Connector>,
}

/// What became of a scan or of an answer to it.
enum Answered {
    /// The ticket, as it stands now.
    Done(Box<Ticket>),
    /// Somebody else has scanned it.
    Taken,
    /// It took too long, or went on without this.
    Over,
}

/// What a person may answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Confirm,
    Cancel,
}

impl Decision {
    fn of(fields: &Fields) -> Result<Self, Failure> {
        match fields.get("action") {
            Some("confirm") => Ok(Self::Confirm),
            Some("cancel") => Ok(Self::Cancel),
            _ => Err(Failure::new(LoginError::MalformedBody, "`action` is none that there is")),
        }
    }
}

/// The mini program's side.
impl Phone {
    async fn asked(&self, calls: &Calls, fields: &Fields) -> Result<Reply, Failure> {
        if fields.get("confirm").is_some() { self.decided(calls, fields).await } else { self.scanned(calls, fields).await }
    }

    /// Somebody has opened the mini program by a code: who, says WeChat.
    async fn scanned(&self, calls: &Calls, fields: &Fields) -> Result<Reply, Failure> {
        let (name, code) = (required(fields, "ticket", 64)?, required(fields, "code", 512)?);
        if !is_ticket(name) || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::new(LoginError::MalformedBody, "`ticket` or `code` is none that there could be"));
        }
        // First, so that made-up names spend nothing at WeChat.
        let ticket = self.ticket(calls, name).await?.filter(|ticket| is_open(ticket.state)).ok_or(LoginError::ScanOver)?;
        self.application_of(&ticket)?;
        let scanner = mini_program_qr::scanner(calls, self.visitor.gate.config(), &self.connector, code.as_bytes()).await;
        let identity = scanner.map_err(|refusal| refusal.failure)?;
        let ticket = match self.scan(calls, name, &identity).await? {
            Answered::Done(ticket) if is_open(ticket.state) => ticket,
            Answered::Taken => return Err(LoginError::ScanTaken.into()),
            Answered::Done(_) | Answered::Over => return Err(LoginError::ScanOver.into()),
        };
        let application = self.application_of(&ticket)?;
        self.note(calls, ScanStep::Scanned);
        let keys = &self.visitor.gate.config().session.keys;
        let confirmation = Confirmation::new(&self.connector, name.into(), identity, ticket.expires_at);
        let confirm = confirmation
            .seal(keys, &mut calls.entropy())
            .ok_or_else(|| Failure::new(LoginError::Internal, "the scan could not be sealed"))?;
        let mut body = object!({
            "state": "scanned",
            "application": application.display_name.as_str(),
            "origin": application.origin.as_str(),
            "phone_number": match self.phone_number_policy() {
                PhoneNumber::Off => "off",
                PhoneNumber::Optional => "optional",
                PhoneNumber::Required => "required",
            },
            "confirm": confirm,
            "expires_at": ticket.expires_at,
        });
        for (member, value) in [("number", ticket.number), ("client", ticket.client), ("client_address", ticket.client_address)] {
            if let Some(value) = value {
                insert(&mut body, member, value);
            }
        }
        Ok(json(200, &body, vec![]))
    }

    /// The person has answered in the mini program.
    async fn decided(&self, calls: &Calls, fields: &Fields) -> Result<Reply, Failure> {
        let decision = Decision::of(fields)?;
        let confirmation = self.confirmation(calls, required(fields, "confirm", 4096)?).ok_or(LoginError::ScanOver)?;
        let proof = match decision {
            Decision::Confirm => Proof::of(fields, self.phone_number_policy())?,
            Decision::Cancel => None,
        };
        let phone_number = match proof {
            // What is encrypted needs the session key of a login, and that of the scan is gone.
            Some(proof) => Some(proof.number(calls, &self.visitor.gate, &self.connector, &confirmation.openid, None).await?),
            None => None,
        };
        match self.decide(calls, &confirmation, decision, phone_number).await? {
            Answered::Taken => Err(LoginError::ScanTaken.into()),
            Answered::Over => Err(LoginError::ScanOver.into()),
            Answered::Done(_) => {
                let state = if decision == Decision::Confirm { "confirmed" } else { "cancelled" };
                Ok(json(200, &object!({"state": state}), vec![]))
            }
        }
    }

    fn phone_number_policy(&self) -> PhoneNumber {
        match &self.connector.method {
            Method::MiniProgramQr { phone_number, .. } => *phone_number,
            _ => PhoneNumber::Off,
        }
    }
}

/// The official account's side: pages.
impl Phone {
    async fn question(&self, calls: &Calls, confirm: &str) -> Result<Reply, Failure> {
        let Some(confirmation) = self.confirmation(calls, confirm) else { return Ok(self.told(None, ScanAnswered::Over)) };
        let Some(ticket) = self.ticket(calls, &confirmation.ticket).await? else { return Ok(self.told(None, ScanAnswered::Over)) };
        let application = self.application_of(&ticket)?;
        let answered = match ticket.state {
            TicketState::Waiting | TicketState::Scanned => None,
            TicketState::Confirmed | TicketState::Redeemed => Some(ScanAnswered::Confirmed),
            TicketState::Cancelled => Some(ScanAnswered::Cancelled),
        };
        if let Some(answered) = answered {
            return Ok(self.told(Some(application), answered));
        }
        let prefix = &self.visitor.gate.config().path_prefix;
        let html = pages::confirm_scan(&pages::ConfirmScan {
            language: self.visitor.language,
            application: &application.display_name,
            origin: &application.origin,
            client: ticket.client.as_deref(),
            client_address: ticket.client_address.as_deref(),
            number: ticket.number.as_deref().unwrap_or_default(),
            action: &format!("{prefix}/scan/{}/confirm", self.connector.id),
            confirm,
        });
        Ok(page(200, html, vec![]))
    }

    async fn submitted(&mut self, calls: &Calls, fields: &Fields) -> Result<Reply, Failure> {
        if let Some(language) = fields.get("language").and_then(Language::of_tag) {
            self.visitor.language = language;
        }
        let decision = Decision::of(fields)?;
        let Some(confirmation) = self.confirmation(calls, required(fields, "confirm", 4096)?) else {
            return Ok(self.told(None, ScanAnswered::Over));
        };
        Ok(match self.decide(calls, &confirmation, decision, None).await? {
            Answered::Taken => self.told(None, ScanAnswered::Taken),
            Answered::Over => self.told(None, ScanAnswered::Over),
            Answered::Done(ticket) => {
                let answered = if decision == Decision::Confirm { ScanAnswered::Confirmed } else { ScanAnswered::Cancelled };
                self.told(Some(self.application_of(&ticket)?), answered)
            }
        })
    }

    fn told(&self, application: Option<&Application>, answered: ScanAnswered) -> Reply {
        let status = match answered {
            ScanAnswered::Confirmed | ScanAnswered::Cancelled => 200,
            ScanAnswered::Over => 410,
            ScanAnswered::Taken => 409,
        };
        let application = application.map(|application| application.display_name.as_str());
        page(status, pages::scan_answered(self.visitor.language, application, answered), vec![])
    }
}

/// What both have in common.
impl Phone {
    /// What the phone was given when it scanned.
    fn confirmation(&self, calls: &Calls, sealed: &str) -> Option<Confirmation> {
        Confirmation::open(&self.visitor.gate.config().session.keys, sealed, &self.connector, calls.now())
    }

    async fn ticket(&self, calls: &Calls, name: &str) -> Result<Option<Ticket>, Failure> {
        let service = &self.visitor.gate.config().resolver;
        resolver::read_ticket(resolver::ask(calls, resolver::ticket(service, name)).await)
    }

    /// Where the person would be logged in: an application of ours that enables this connector, and none other.
    fn application_of(&self, ticket: &Ticket) -> Result<&Application, Failure> {
        let is_ours =
            (ticket.purpose, &ticket.connector, &ticket.app_id) == (TicketPurpose::Scan, &self.connector.id, &self.connector.app_id);
        let applications = &self.visitor.gate.config().applications;
        let application = applications.iter().find(|application| application.id == ticket.application);
        let application = application.filter(|application| application.connector(ticket.connector.as_bytes()).is_some());
        application.filter(|_| is_ours).map(Rc::as_ref).ok_or_else(|| {
            Failure::new(LoginError::ScanOver, "the ticket is for another connector, or for an application that does not enable this one")
        })
    }

    async fn scan(&self, calls: &Calls, name: &str, identity: &TicketIdentity) -> Result<Answered, Failure> {
        let service = &self.visitor.gate.config().resolver;
        let platform = self.connector.platform.clone();
        let request = ScanTicket { platform, identity: identity.clone(), client_address: self.visitor.address.clone() };
        answered(resolver::ask(calls, resolver::scan_ticket(service, name, &request)).await)
    }

    async fn decide(
        &self,
        calls: &Calls,
        confirmation: &Confirmation,
        decision: Decision,
        phone_number: Option<String>,
    ) -> Result<Answered, Failure> {
        let (service, name) = (&self.visitor.gate.config().resolver, &confirmation.ticket);
        let client_address = self.visitor.address.clone();
        let call = match decision {
            Decision::Confirm => {
                let request = ConfirmTicket { identity: confirmation.identity(&self.connector, phone_number), client_address };
                resolver::confirm_ticket(service, name, &request)
            }
            Decision::Cancel => {
                let (app_id, openid) = (self.connector.app_id.clone(), confirmation.openid.clone());
                resolver::cancel_ticket(service, name, &CancelTicket { app_id, openid, client_address })
            }
        };
        let answered = answered(resolver::ask(calls, call).await)?;
        if matches!(answered, Answered::Done(_)) {
            self.note(calls, if decision == Decision::Confirm { ScanStep::Confirmed } else { ScanStep::Cancelled });
        }
        Ok(answered)
    }

    fn failed(&self, calls: &Calls, failure: Failure) -> Reply {
        let about = About { connector: Some(&self.connector), return_to: &ReturnTo::front_page() };
        self.visitor.failed(calls, about, failure, vec![])
    }

    fn note(&self, calls: &Calls, step: ScanStep) {
        calls.note(Event::Scan { connector: self.connector.id.clone(), step });
    }
}

fn answered(result: CallResult) -> Result<Answered, Failure> {
    Ok(match resolver::read_scan(result)? {
        Some(ScanAnswer::Done { ticket }) => Answered::Done(ticket),
        Some(ScanAnswer::Taken) => Answered::Taken,
        Some(ScanAnswer::Settled) | None => Answered::Over,
    })
}

/// Whether a phone can still do something about it. The same person may scan again what they have confirmed.
fn is_open(state: TicketState) -> bool {
    matches!(state, TicketState::Waiting | TicketState::Scanned | TicketState::Confirmed)
}
