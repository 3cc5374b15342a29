//! Native apps and mini programs: JSON in, JSON out, no cookies. What they send beside the fields that are named here, an
//! openid or a unionid say, is never looked at: who somebody is, WeChat says.

mod app_to_mini_program;
mod mini_program;
mod mobile_app;

use std::rc::Rc;

use super::answers::{About, Answers, Delivery, Visitor};
use super::fields::{self, required};
use super::phone;
use crate::config::{Application, Connector, Method};
use crate::connectors::{Callback, by_login_code};
use crate::coroutine::{self, Calls};
use crate::error::{Failure, LoginError};
use crate::form::{Encoding, Fields};
use crate::http::Moment;
use crate::login::challenge::{Challenge, is_verifier};
use crate::login::finish::{Finished, WechatIdentity};
use crate::login::return_to::ReturnTo;
use crate::step::{Reply, Step, Verdict};
use crate::wechat::answer::Refusal;

/// `POST /start/{connector}`: the app begins, and gets what WeChat's SDK needs.
pub(super) fn start(answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment) -> Step {
    answer(answers, application, id, moment, Request::Start)
}

/// `POST /code/{connector}`: a code comes, a session goes.
pub(super) fn code(answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment) -> Step {
    answer(answers, application, id, moment, Request::Code)
}

#[derive(Clone, Copy)]
enum Request {
    Start,
    Code,
}

fn answer(mut answers: Answers<'_>, application: &Rc<Application>, id: &[u8], moment: Moment, request: Request) -> Step {
    let Some(connector) = application.connector(id).cloned() else { return answers.failure(LoginError::UnknownConnector.into()) };
    let is_taken = match connector.method {
        Method::MobileApp | Method::AppToMiniProgram { .. } => true,
        Method::MiniProgram { .. } => matches!(request, Request::Code),
        _ => false,
    };
    if !is_taken {
        return answers.failure(LoginError::MethodNotAllowed.into());
    }
    // Not a form: any page of any site could send one.
    answers.connector = Some(connector.id.clone());
    if Encoding::of(answers.request) != Some(Encoding::Json) {
        return answers.failure(LoginError::UnsupportedMediaType.into());
    }
    let client = Client { visitor: Visitor { is_for_a_person: false, ..answers.visitor(application) }, connector };
    coroutine::start(moment, |calls| async move {
        let reply = client.answer(&calls, request).await;
        Verdict::Reply(reply.unwrap_or_else(|failure| client.failed(&calls, failure)))
    })
}

/// Who is answered, and how they log in.
struct Client {
    visitor: Visitor,
    connector: Rc<Connector>,
}

impl Client {
    async fn answer(&self, calls: &Calls, request: Request) -> Result<Reply, Failure> {
        let fields = fields::read(calls, Encoding::Json).await?;
        match (&self.connector.method, request) {
            (Method::MobileApp, Request::Start) => mobile_app::start(self, calls, &fields),
            (Method::MobileApp, Request::Code) => mobile_app::finish(self, calls, &fields).await,
            (Method::MiniProgram { phone_number }, Request::Code) => mini_program::finish(self, calls, &fields, *phone_number).await,
            (Method::AppToMiniProgram { original_id, page, .. }, Request::Start) => {
                app_to_mini_program::start(self, calls, &fields, original_id, page).await
            }
            (Method::AppToMiniProgram { .. }, Request::Code) if fields.get("hand_back").is_some() => {
                app_to_mini_program::collect(self, calls, &fields).await
            }
            (Method::AppToMiniProgram { phone_number, .. }, Request::Code) => {
                app_to_mini_program::confirm(self, calls, &fields, *phone_number).await
            }
            _ => Err(LoginError::MethodNotAllowed.into()),
        }
    }

    /// Who has called `wx.login`, with the phone number that they gave.
    async fn who(&self, calls: &Calls, code: &[u8], phone: Option<phone::Proof>) -> Result<WechatIdentity, Refusal> {
        let (gate, connector) = (&self.visitor.gate, &self.connector);
        let login = by_login_code::redeem(calls, gate.config(), connector, code).await?;
        let number = match phone {
            Some(phone) => Some(phone.number(calls, gate, connector, &login.openid, Some(&login.session_key)).await?),
            None => None,
        };
        Ok(by_login_code::identity(login, number))
    }

    /// The end of a login: a session, or a question to the person. Where the code is spent, whoever can name this very login
    /// gets what became of it, since an answer may have got lost.
    async fn end(&self, calls: &Calls, who: Result<WechatIdentity, Refusal>, key: String, is_named: bool) -> Result<Reply, Failure> {
        let (visitor, connector, return_to) = (&self.visitor, &self.connector, ReturnTo::front_page());
        let asker = visitor.asker(connector, None);
        let finished = match who {
            Ok(identity) => asker.sign_in(calls, identity, key).await?,
            Err(refusal) if refusal.is_code_spent && is_named => asker.outcome_of(calls, &key).await?.ok_or(refusal.failure)?,
            Err(refusal) => return Err(refusal.failure),
        };
        match finished {
            Finished::SignedIn(signed_in) => Ok(visitor.signed_in(calls, connector, signed_in, &return_to, Delivery::Token, vec![])),
            Finished::Pending(unanswered) => Ok(visitor.waits(calls, connector, unanswered, &return_to, vec![])),
            Finished::ProfileRequired => {
                Err(Failure::new(LoginError::ResolverRejected, "the resolver asks for a profile, and there is no other than it has seen"))
            }
        }
    }

    fn failed(&self, calls: &Calls, failure: Failure) -> Reply {
        let about = About { connector: Some(&self.connector), return_to: &ReturnTo::front_page() };
        self.visitor.failed(calls, about, failure, vec![])
    }
}

/// WeChat's code: 1 to 512 visible ASCII characters.
fn wechat_code(fields: &Fields) -> Result<Callback, Failure> {
    let code = required(fields, "code", 512)?;
    if !code.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::new(LoginError::MalformedBody, "`code` is none of WeChat's"));
    }
    Ok(Callback { code: code.into() })
}

/// What only its owner can have made the verifier of.
fn challenge(fields: &Fields) -> Result<Challenge, Failure> {
    let challenge = Challenge::parse(required(fields, "challenge", 43)?);
    challenge.ok_or_else(|| Failure::new(LoginError::MalformedBody, "`challenge` is no base64url of a SHA-256"))
}

/// A secret of the client's that nobody could guess.
fn secret<'a>(fields: &'a Fields, name: &str) -> Result<&'a str, Failure> {
    let secret = required(fields, name, 128)?;
    if is_verifier(secret) {
        Ok(secret)
    } else {
        Err(Failure::new(LoginError::MalformedBody, format!("`{name}` is not 22 to 128 characters of [A-Za-z0-9._~-]")))
    }
}
