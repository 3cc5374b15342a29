//! Answers to a login that waits for its person: which account, a code, a password, a new account.

use resolver_api::{FinishAnswer, FinishLogin, PendingLogin, Proof, ProofMethod, Question, SendCode, SendCodeAnswer};

use super::super::answers::{About, Delivery, insert, json, page, redirect, with_flag};
use super::super::fields::required;
use super::{Visit, views};
use crate::config::Connector;
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::form::Fields;
use crate::json::object;
use crate::login::finish::Finished;
use crate::login::pending::Pending;
use crate::login::return_to::ReturnTo;
use crate::pages::{self, Notice, Typed};
use crate::resolver;
use crate::session::cookie;
use crate::step::Reply;

/// A pending login and who answers it.
pub(super) struct Waiting<'a> {
    pub(super) visit: &'a Visit,
    pub(super) calls: &'a Calls,
    pub(super) pending: &'a Pending,
    pub(super) connector: &'a Connector,
    pub(super) return_to: ReturnTo,
    /// It was told of in the body and not by a cookie.
    pub(super) is_app: bool,
}

impl Waiting<'_> {
    pub(super) async fn answer(&self, action: &str, fields: &Fields) -> Reply {
        let answered = match action {
            "show" => self.ask(None, None).await,
            "send_code" => self.send_code(fields).await,
            "cancel" => Ok(self.cancel()),
            _ => self.prove(action, fields).await,
        };
        answered.unwrap_or_else(|failure| {
            // An outage does not end it.
            let is_over = !matches!(
                failure.error,
                LoginError::ResolverUnavailable | LoginError::ResolverRejected | LoginError::Internal | LoginError::MalformedBody
            );
            let about = About { connector: Some(self.connector), return_to: &self.return_to };
            self.visit.visitor.failed(self.calls, about, failure, if is_over { self.forgotten() } else { vec![] })
        })
    }

    /// The question, with what became of the last answer.
    async fn ask(&self, notice: Option<Notice>, typed: Option<Typed<'_>>) -> Result<Reply, Failure> {
        let service = &self.visit.visitor.gate.config().resolver;
        let result = resolver::ask(self.calls, resolver::pending_login(service, &self.pending.token)).await;
        let login = resolver::read_pending_login(result)?.ok_or(LoginError::PendingOver)?;
        if (&login.application, &login.connector) != (&self.visit.visitor.application.id, &self.connector.id) {
            return Err(Failure::new(LoginError::ResolverRejected, "the answer is about another application's login"));
        }
        let error = notice.and_then(name_of);
        let status = if error.is_some() { 422 } else { 200 };
        if self.visit.visitor.is_for_a_person {
            return Ok(page(status, self.page(&login, notice, typed), vec![]));
        }
        let mut body = object!({"login": views::pending_login(&login)});
        if let Some(error) = error {
            insert(&mut body, "error", error);
        }
        Ok(json(status, &body, vec![]))
    }

    fn page(&self, login: &PendingLogin, notice: Option<Notice>, typed: Option<Typed<'_>>) -> String {
        let visitor = &self.visit.visitor;
        let (language, application, now) = (visitor.language, visitor.application.display_name.as_str(), self.calls.now());
        let nickname = login.profile.as_ref().and_then(|profile| profile.nickname.as_deref());
        let picture = login.profile.as_ref().and_then(|profile| profile.picture.as_deref());
        let action = &format!("{}/account?login={}", visitor.gate.config().path_prefix, self.pending.handle());
        match &login.question {
            Question::Choose { accounts } => {
                pages::choose(&pages::Choose { language, application, nickname, picture, accounts, action, notice, now })
            }
            Question::Bind { methods, may_create, code } => pages::bind(&pages::Bind {
                language,
                application,
                nickname,
                picture,
                methods,
                may_create: *may_create,
                code: code.as_ref(),
                tries_left: login.tries_left,
                notice,
                typed,
                action,
                now,
            }),
        }
    }

    async fn send_code(&self, fields: &Fields) -> Result<Reply, Failure> {
        let method = match required(fields, "method", 16)? {
            "phone_code" => ProofMethod::PhoneCode,
            "email_code" => ProofMethod::EmailCode,
            _ => return Err(Failure::new(LoginError::MalformedBody, "`method` is none that sends a code")),
        };
        let address = required(fields, "address", 254)?;
        let visitor = &self.visit.visitor;
        let request =
            SendCode { method, address: address.into(), language: visitor.language.tag().into(), client_address: visitor.address.clone() };
        let service = &visitor.gate.config().resolver;
        let result = self.calls.send(resolver::send_code(service, &self.pending.token, &request)).await;
        let notice = match resolver::read_send_code(result)?.ok_or(LoginError::PendingOver)? {
            SendCodeAnswer::Sent { .. } => Notice::CodeSent,
            SendCodeAnswer::TooSoon { resend_at } => Notice::TooSoon { seconds: resend_at.saturating_sub(self.calls.now()) },
            SendCodeAnswer::TooMany => Notice::TooMany,
            SendCodeAnswer::InvalidAddress => Notice::InvalidAddress,
            SendCodeAnswer::NotOffered => Notice::NotOffered,
        };
        self.visit.note(self.calls, "send_code", name_of(notice).unwrap_or("sent"));
        self.ask(Some(notice), Some(Typed { method, value: address })).await
    }

    /// Ends the login, if the answer is right.
    async fn prove(&self, action: &str, fields: &Fields) -> Result<Reply, Failure> {
        let mut typed = None;
        let (action, proof) = match action {
            "choose" => ("choose", Proof::Choose { account: required(fields, "account", 64)?.into() }),
            "create" => ("create", Proof::Create),
            "code" => ("code", Proof::Code { code: required(fields, "code", 32)?.into() }),
            "password" => {
                let (account, password) = (required(fields, "account", 254)?, required(fields, "password", 256)?);
                typed = Some(Typed { method: ProofMethod::Password, value: account });
                ("password", Proof::Password { account: account.into(), password: password.into() })
            }
            _ => return Err(Failure::new(LoginError::MalformedBody, "`action` is none that there is")),
        };
        let visitor = &self.visit.visitor;
        let config = visitor.gate.config();
        let request = FinishLogin { proof, client_address: visitor.address.clone() };
        let result = resolver::ask(self.calls, resolver::finish(&config.resolver, &self.pending.token, &request)).await;
        let (notice, result) = match resolver::read_finish(result)?.ok_or(LoginError::PendingOver)? {
            FinishAnswer::Finished { outcome } => return self.finish(outcome),
            FinishAnswer::Wrong { tries_left: 0 } => {
                self.visit.note(self.calls, action, "no_tries_left");
                return Err(Failure::new(LoginError::PendingOver, "too many wrong answers"));
            }
            FinishAnswer::Wrong { tries_left } => (Notice::WrongProof { tries_left }, "wrong_proof"),
            FinishAnswer::NotOffered => (Notice::NotOffered, "not_offered"),
        };
        self.visit.note(self.calls, action, result);
        self.ask(Some(notice), typed).await
    }

    fn finish(&self, outcome: resolver_api::LoginOutcome) -> Result<Reply, Failure> {
        let visitor = &self.visit.visitor;
        let Finished::SignedIn(signed_in) = visitor.asker(self.connector, None).finished(outcome, self.calls.now())? else {
            return Err(Failure::new(LoginError::ResolverRejected, "a login that was answered asks again"));
        };
        let delivery = match (self.is_app, visitor.is_for_a_person) {
            (true, _) => Delivery::Token,
            (false, true) => Delivery::Redirect,
            (false, false) => Delivery::Cookie,
        };
        Ok(visitor.signed_in(self.calls, self.connector, signed_in, &self.return_to, delivery, self.forgotten()))
    }

    /// Back to the login page, which does not go on by itself here: in WeChat it would come straight back.
    fn cancel(&self) -> Reply {
        self.visit.note(self.calls, "cancel", "done");
        if !self.visit.visitor.is_for_a_person {
            return json(200, &object!({"cancelled": true}), self.forgotten());
        }
        let mut login = self.visit.visitor.own_address("/login");
        self.return_to.append_to(&mut login);
        redirect(with_flag(login, "stay"), self.forgotten())
    }

    /// The browser need not keep it any longer. An app's is no cookie.
    fn forgotten(&self) -> Vec<String> {
        if self.is_app { vec![] } else { vec![cookie::clear(cookie::PENDING)] }
    }
}

/// In JSON, metrics and log lines; `None` where nothing went wrong.
fn name_of(notice: Notice) -> Option<&'static str> {
    Some(match notice {
        Notice::WrongProof { .. } => "wrong_proof",
        Notice::TooSoon { .. } => "too_soon",
        Notice::TooMany => "too_many",
        Notice::InvalidAddress => "invalid_address",
        Notice::NotOffered => "not_offered",
        Notice::CodeSent => return None,
    })
}
