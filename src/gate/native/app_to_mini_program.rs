//! A native app, and the mini program that it opens: the app begins, the mini program logs the person in and hands the login
//! back, and the app collects it.
//!
//! Two secrets have to come together: the app's verifier, and what the mini program hands back, which travels on the
//! person's own phone. Whoever sends somebody else the link has the first one alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resolver_api::tickets::{
    ConfirmTicket, CreateTicket, CreateTicketAnswer, RedeemAnswer, RedeemTicket, ScanAnswer, Ticket, TicketIdentity, TicketPurpose,
    TicketState,
};
use sha2::{Digest, Sha256};

use super::super::answers::{insert, json};
use super::super::fields::required;
use super::super::{phone, server_tokens};
use super::{Client, challenge, secret, wechat_code};
use crate::config::{MiniProgramPage, PhoneNumber};
use crate::connectors::app_to_mini_program;
use crate::coroutine::Calls;
use crate::error::{Failure, LoginError};
use crate::form::Fields;
use crate::json::object;
use crate::login::attempt::LIFETIME;
use crate::login::finish::{WechatIdentity, idempotency_key};
use crate::login::hand_back::HandBack;
use crate::resolver;
use crate::step::{Event, Reply};
use crate::wechat::answer::Refusal;
use crate::wechat::mini_program::{self, Link};

/// `{"challenge", "link"?}` from the app: what opens the mini program.
pub(super) async fn start(
    client: &Client,
    calls: &Calls,
    fields: &Fields,
    original_id: &str,
    page: &MiniProgramPage,
) -> Result<Reply, Failure> {
    let (visitor, connector) = (&client.visitor, &client.connector);
    let config = visitor.gate.config();
    let link = match fields.get("link") {
        None => None,
        Some("scheme") => Some(Link::Scheme),
        Some("url_link") => Some(Link::UrlLink),
        Some(_) => return Err(Failure::new(LoginError::MalformedBody, "`link` is neither scheme nor url_link")),
    };
    let request = CreateTicket {
        purpose: TicketPurpose::Launch,
        pool: visitor.application.pool.clone(),
        application: visitor.application.id.clone(),
        connector: connector.id.clone(),
        app_id: connector.app_id.clone(),
        challenge: challenge(fields)?.as_str().into(),
        number: None,
        client: None,
        client_address: visitor.address.clone(),
        lifetime_seconds: LIFETIME,
    };
    let (ticket, expires_at) = match resolver::read_create_ticket(calls.send(resolver::create_ticket(&config.resolver, &request)).await)? {
        CreateTicketAnswer::Created { ticket, expires_at } => (ticket, expires_at),
        CreateTicketAnswer::TooMany { retry_at } => {
            let mut reply = client.failed(calls, LoginError::TooManyLaunches.into());
            reply.headers.push(("retry-after", retry_at.saturating_sub(calls.now()).max(1).to_string()));
            return Ok(reply);
        }
    };
    if !is_name(&ticket) {
        return Err(rejected("the ticket has no usable name"));
    }
    let mut body = object!({"launch": app_to_mini_program::launch(original_id, page, &ticket), "expires_at": expires_at});
    if let Some(link) = link {
        let query = app_to_mini_program::query(&ticket);
        let call = |token: &str| mini_program::link(&config.wechat, token, link, page, &query, expires_at);
        let reply = server_tokens::send(calls, &visitor.gate, connector, call).await?;
        let name = if link == Link::Scheme { "scheme" } else { "url_link" };
        insert(&mut body, name, mini_program::read_link(Ok(reply), link)?);
    }
    calls.note(Event::LoginStarted { connector: connector.id.clone() });
    Ok(json(200, &body, vec![]))
}

/// `{"ticket", "code", "phone_code"? | "encrypted_data"? "iv"?}` from the mini program, at any application that enables the
/// connector: what it hands back to the app.
pub(super) async fn confirm(client: &Client, calls: &Calls, fields: &Fields, policy: PhoneNumber) -> Result<Reply, Failure> {
    let (visitor, connector) = (&client.visitor, &client.connector);
    let (gate, service) = (&visitor.gate, &visitor.gate.config().resolver);
    let (name, code) = (required(fields, "ticket", 64)?, wechat_code(fields)?.code);
    let phone = phone::Proof::of(fields, policy)?;
    if !is_name(name) {
        return Err(LoginError::LaunchOver.into());
    }
    // First of all what it is: one of a scan is confirmed by a person who has seen which site asks, and not here.
    let found = resolver::ask(calls, resolver::ticket(service, name)).await;
    let ticket = resolver::read_ticket(found)?.filter(|ticket| client.may_confirm(ticket)).ok_or(LoginError::LaunchOver)?;
    if matches!(ticket.state, TicketState::Cancelled | TicketState::Redeemed) {
        return Err(LoginError::LaunchOver.into());
    }
    let who = client.who(calls, &code, phone).await.map_err(|refusal| refusal.failure)?;
    let WechatIdentity { openid, unionid, profile, phone_number, .. } = who;
    let identity = TicketIdentity { app_id: connector.app_id.clone(), openid, unionid, profile, phone_number };
    let request = ConfirmTicket { identity, client_address: visitor.address.clone() };
    let confirmed = resolver::ask(calls, resolver::confirm_ticket(service, name, &request)).await;
    let ticket = match resolver::read_scan(confirmed)?.ok_or(LoginError::LaunchOver)? {
        ScanAnswer::Done { ticket } if client.may_confirm(&ticket) => ticket,
        ScanAnswer::Done { .. } => return Err(rejected("the answer is about another ticket")),
        ScanAnswer::Taken => return Err(LoginError::LaunchTaken.into()),
        ScanAnswer::Settled => return Err(LoginError::LaunchOver.into()),
    };
    let (application, expires_at) = (ticket.application, ticket.expires_at);
    let known = gate.config().applications.iter().find(|known| known.id == application);
    let display_name = known.map_or_else(|| application.clone(), |known| known.display_name.clone());
    let back = HandBack { ticket: name.into(), application, connector: connector.id.clone(), expires_at };
    let sealed = back.seal(&gate.config().session.keys, &mut calls.entropy());
    let hand_back = sealed.ok_or_else(|| Failure::new(LoginError::Internal, "what is handed back could not be sealed"))?;
    Ok(json(200, &object!({"hand_back": hand_back, "expires_at": expires_at, "application": display_name}), vec![]))
}

/// `{"hand_back", "verifier"}` from the app: a session. The same again gets the same one, so that an answer may get lost.
pub(super) async fn collect(client: &Client, calls: &Calls, fields: &Fields) -> Result<Reply, Failure> {
    let (visitor, connector) = (&client.visitor, &client.connector);
    let config = visitor.gate.config();
    let (sealed, verifier) = (required(fields, "hand_back", 1024)?, secret(fields, "verifier")?);
    let back = HandBack::open(&config.session.keys, sealed, &visitor.application, connector, calls.now()).ok_or(LoginError::LaunchOver)?;
    let request = RedeemTicket {
        verifier: verifier.into(),
        application: visitor.application.id.clone(),
        redemption: redemption(verifier, sealed),
        client_address: visitor.address.clone(),
    };
    let key = idempotency_key(connector, verifier, back.ticket.as_bytes());
    let result = resolver::ask(calls, resolver::redeem_ticket(&config.resolver, &back.ticket, &request)).await;
    let who = match resolver::read_redeem(result)?.ok_or(LoginError::LaunchOver)? {
        RedeemAnswer::Redeemed { identity: Some(identity) } if identity.app_id == connector.app_id => {
            let TicketIdentity { openid, unionid, profile, phone_number, .. } = identity;
            Ok(WechatIdentity { openid, unionid, profile, is_profile_available: false, phone_number })
        }
        RedeemAnswer::Redeemed { .. } => return Err(rejected("the ticket brings nobody of this mini program")),
        RedeemAnswer::Used => Err(Refusal { is_code_spent: true, ..LoginError::LaunchOver.into() }),
        RedeemAnswer::NotConfirmed { .. } => Err(LoginError::LaunchOver.into()),
    };
    client.end(calls, who, key, true).await
}

impl Client {
    fn may_confirm(&self, ticket: &Ticket) -> bool {
        ticket.purpose == TicketPurpose::Launch && ticket.connector == self.connector.id && ticket.app_id == self.connector.app_id
    }
}

/// Names one try by what only its owner has, so that the same again is the same try.
fn redemption(verifier: &str, hand_back: &str) -> String {
    let hash = Sha256::new().chain_update("redemption\0").chain_update(verifier).chain_update("\0").chain_update(hand_back).finalize();
    URL_SAFE_NO_PAD.encode(hash).chars().take(22).collect()
}

/// The shape that was agreed for a ticket's name.
fn is_name(ticket: &str) -> bool {
    ticket.len() == 22 && ticket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn rejected(detail: &str) -> Failure {
    Failure::new(LoginError::ResolverRejected, detail)
}
