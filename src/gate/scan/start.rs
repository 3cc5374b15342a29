//! A scan begins: a ticket at the resolver, and an attempt in the browser that shows its code.

use std::rc::Rc;

use resolver_api::tickets::{CreateTicket, CreateTicketAnswer, TicketPurpose};

use super::super::answers::{About, Answers, Visitor, json, redirect};
use super::super::logout::comes_from_ourselves;
use super::super::{fields, server_tokens};
use super::{LIFETIME, client, is_ticket};
use crate::config::{Application, Connector, Method};
use crate::connectors::official_account_qr;
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError};
use crate::form::Encoding;
use crate::http::{Entropy, Headers, Moment};
use crate::json::object;
use crate::login::attempt::{self, Attempt, Link, Scan};
use crate::login::challenge::Challenge;
use crate::login::return_to::ReturnTo;
use crate::resolver;
use crate::step::{Event, Reply, ScanStep, Step, Verdict};

/// `POST /scan/{connector}`, from a page of ours alone: another site's would litter tickets and cookies.
pub(super) fn begin(answers: Answers<'_>, application: &Rc<Application>, connector: Rc<Connector>, moment: Moment) -> Step {
    if !comes_from_ourselves(answers.request, application) {
        return answers.failure(LoginError::CrossSite.into());
    }
    let Some(encoding) = Encoding::of(answers.request) else { return answers.failure(LoginError::UnsupportedMediaType.into()) };
    let (visitor, headers) = (answers.visitor(application), answers.request.headers.clone());
    coroutine::start(moment, |calls| async move {
        let reply = match fields::read(&calls, encoding).await {
            Ok(fields) => {
                let asked = fields.get("return_to").unwrap_or("/");
                let return_to = ReturnTo::parse(asked.as_bytes(), &visitor.gate.config().path_prefix);
                let start = Start { visitor: &visitor, headers: &headers, connector: &connector, return_to: &return_to, link: None };
                start.reply(&calls).await
            }
            Err(failure) => {
                let about = About { connector: Some(&connector), return_to: &ReturnTo::front_page() };
                visitor.failed(&calls, about, failure, vec![])
            }
        };
        Verdict::Reply(reply)
    })
}

/// Somebody wants a code to scan.
pub(in crate::gate) struct Start<'a> {
    pub(in crate::gate) visitor: &'a Visitor,
    /// For the browser's name, and its cookies.
    pub(in crate::gate) headers: &'a Headers,
    pub(in crate::gate) connector: &'a Connector,
    pub(in crate::gate) return_to: &'a ReturnTo,
    /// Whose account it is to be linked to.
    pub(in crate::gate) link: Option<Link>,
}

impl Start<'_> {
    /// Begins, and says where to look: JSON for a script, a redirect to its page for a person.
    pub(in crate::gate) async fn reply(&self, calls: &Calls) -> Reply {
        match self.scan(calls).await {
            Ok(Begun::Attempt(attempt, scan)) => self.begun(calls, &attempt, &scan),
            Ok(Begun::TooMany { retry_at }) => {
                let mut reply = self.failed(calls, LoginError::TooManyScans.into());
                reply.headers.push(("retry-after", retry_at.saturating_sub(calls.now()).max(1).to_string()));
                reply
            }
            Err(failure) => self.failed(calls, failure),
        }
    }

    async fn scan(&self, calls: &Calls) -> Result<Begun, Failure> {
        let Self { visitor, connector, .. } = self;
        let (config, application, mut entropy) = (visitor.gate.config(), &visitor.application, calls.entropy());
        let mut attempt = Attempt::begin(application, connector, self.return_to, calls.now(), &mut entropy);
        if let Some(link) = &self.link {
            attempt = attempt.linking(link.clone());
        }
        let number = two_digits(&mut entropy);
        let request = CreateTicket {
            purpose: TicketPurpose::Scan,
            pool: application.pool.clone(),
            application: application.id.clone(),
            connector: connector.id.clone(),
            app_id: connector.app_id.clone(),
            challenge: Challenge::of(&attempt.nonce).as_str().into(),
            number: Some(number.clone()),
            client: client::label(self.headers.first("user-agent").unwrap_or_default()),
            client_address: visitor.address.clone(),
            lifetime_seconds: LIFETIME,
        };
        // Repeated like what is idempotent: a ticket whose name nobody has heard is one that nobody scans.
        let result = resolver::ask(calls, resolver::create_ticket(&config.resolver, &request)).await;
        let (ticket, expires_at) = match resolver::read_create_ticket(result)? {
            CreateTicketAnswer::Created { ticket, expires_at } => (ticket, expires_at),
            CreateTicketAnswer::TooMany { retry_at } => return Ok(Begun::TooMany { retry_at }),
        };
        if !is_ticket(&ticket) {
            return Err(Failure::new(LoginError::ResolverRejected, "the ticket's name is not what was agreed"));
        }
        let text = match connector.method {
            Method::OfficialAccountQr { .. } => {
                let call = |token: &str| official_account_qr::code_call(config, &ticket, LIFETIME, token);
                let reply = server_tokens::send(calls, &visitor.gate, connector, call).await?;
                Some(official_account_qr::read_code(reply)?)
            }
            _ => None,
        };
        let scan = Scan { ticket, text, number, expires_at };
        Ok(Begun::Attempt(Box::new(attempt.scanning(scan.clone())), scan))
    }

    fn begun(&self, calls: &Calls, attempt: &Attempt, scan: &Scan) -> Reply {
        let Self { visitor, connector, .. } = self;
        let (config, now) = (visitor.gate.config(), calls.now());
        let mut cookies = attempt::make_room(self.headers, &config.session.keys, now);
        cookies.extend(attempt.set_cookie(&config.session.keys, &mut calls.entropy()));
        calls.note(Event::Scan { connector: connector.id.clone(), step: ScanStep::Started });
        let (id, state) = (&connector.id, attempt.state());
        let poll = format!("/scan/{id}?scan={state}");
        if visitor.is_for_a_person {
            return redirect(visitor.own_address(&poll), cookies);
        }
        let prefix = &config.path_prefix;
        let body = object!({
            "scan": state,
            "state": "waiting",
            "image": format!("{prefix}/scan/{id}/image?scan={state}"),
            "poll": format!("{prefix}{poll}"),
            "number": scan.number.as_str(),
            "expires_at": scan.expires_at,
        });
        json(200, &body, cookies)
    }

    fn failed(&self, calls: &Calls, failure: Failure) -> Reply {
        self.visitor.failed(calls, About { connector: Some(self.connector), return_to: self.return_to }, failure, vec![])
    }
}

enum Begun {
    Attempt(Box<Attempt>, Scan),
    TooMany { retry_at: u64 },
}

fn two_digits(entropy: &mut Entropy) -> String {
    format!("{:02}", u32::from_be_bytes(entropy.bytes()) % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_two_digits_comes_up() {
        let mut entropy = Entropy::new([1; 32]);
        let numbers: std::collections::BTreeSet<_> = (0..2000).map(|_| two_digits(&mut entropy)).collect();
        assert_eq!(numbers.len(), 100);
        assert!(numbers.iter().all(|number| number.len() == 2));
    }
}
