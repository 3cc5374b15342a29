//! Sends a message until it is accepted, at most as often as WeChat does, and writes down what became of it.

use std::collections::VecDeque;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HOST, USER_AGENT};
use reqwest::redirect::Policy;
use serde::Serialize;
use url::Url;

use super::request::verification;
use super::{Message, Push, PushRequest, reply};
use crate::act_error::ActError;
use crate::simulator::Simulator;
use crate::world::InvalidWorld;

const MOST: usize = 1_000;
const AGENT: &str = "Mozilla/4.0";

/// A message, and every attempt to get rid of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// Whose server.
    pub appid: String,
    /// For example `subscribe`, or `text`.
    pub name: String,
    /// What there was to tell, in the clear.
    pub message: String,
    /// In order; duplicates on demand included.
    pub attempts: Vec<Attempt>,
    /// Whether any attempt was accepted. If not, the person reads 该公众号暂时无法提供服务.
    pub is_accepted: bool,
    /// The first passive reply, decrypted: what the person reads.
    pub reply: Option<String>,
}

impl Delivery {
    /// The text of a passive reply of type `text`.
    pub fn reply_text(&self) -> Option<String> {
        self.reply.as_deref().and_then(reply::text_of)
    }
}

/// One POST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The simulator's Unix time.
    pub at: u64,
    /// As sent.
    pub request: PushRequest,
    /// Where an answer came in time.
    pub status: Option<u16>,
    /// Its body, as text.
    pub body: String,
    /// What WeChat thinks of it.
    pub verdict: Verdict,
}

/// What an answer meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// `success`, or nothing.
    Accepted,
    /// A good passive reply in the clear.
    Replied,
    /// A good passive reply that was encrypted.
    RepliedEncrypted,
    /// Refused connections, timeouts, other statuses than 200, and replies that are none: it is sent again.
    Failed(String),
}

/// Why a server configuration was not saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// Not even asked for.
    #[error(transparent)]
    Invalid(#[from] InvalidWorld),
    /// The console's "token 验证失败", with what happened.
    #[error("the address was not verified: {0}")]
    NotVerified(String),
}

/// What was pushed so far.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    list: VecDeque<Delivery>,
}

impl Deliveries {
    pub(crate) fn list(&self) -> Vec<Delivery> {
        self.list.iter().cloned().collect()
    }

    fn add(&mut self, delivery: Delivery) {
        if self.list.len() == MOST {
            self.list.pop_front();
        }
        self.list.push_back(delivery);
    }
}

impl Simulator {
    /// Saves an app's server configuration as the console does: after the address has answered with the `echostr`.
    pub async fn configure_push(&self, appid: &str, push: Push) -> Result<(), PushError> {
        push.check().map_err(InvalidWorld::Push)?;
        self.with(|wechat| wechat.world.existing_app(appid).map(drop))?;
        self.verify(&push).await.map_err(PushError::NotVerified)?;
        Ok(self.set_push(appid, Some(push))?)
    }

    /// Sets an app's server configuration unverified, or removes it.
    pub fn set_push(&self, appid: &str, push: Option<Push>) -> Result<(), InvalidWorld> {
        self.with(|wechat| wechat.world.set_push(appid, push))
    }

    /// What was pushed so far, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.with(|wechat| wechat.deliveries.list())
    }

    /// The POST that WeChat would send now with this message, for a test to change or to send at another time.
    pub fn seal_push(&self, appid: &str, message: &Message) -> Result<PushRequest, ActError> {
        let push = self.push_of(appid)?.ok_or_else(|| ActError::NoPush(appid.to_owned()))?;
        PushRequest::seal(&push, appid, message, self.now()).map_err(|_| ActError::NoPush(appid.to_owned()))
    }

    /// Pushes a message, where the app has a server for it.
    pub async fn push(&self, appid: &str, message: &Message) -> Result<Option<Delivery>, ActError> {
        let Some(push) = self.push_of(appid)? else {
            return Ok(None);
        };
        let mut delivery = Delivery {
            appid: appid.to_owned(),
            name: message.name().to_owned(),
            message: message.write(push.format, None),
            attempts: Vec::new(),
            is_accepted: false,
            reply: None,
        };
        let mut wanted = 1 + usize::from(push.duplicates);
        let mut request = self.seal_push(appid, message)?;
        for attempt in 0..usize::from(push.attempts) + usize::from(push.duplicates) {
            if attempt > 0 && !push.repeats_verbatim {
                request = self.seal_push(appid, message)?;
            }
            let (attempt, reply) = self.attempt(&push, appid, message, request.clone()).await;
            let is_accepted = !matches!(attempt.verdict, Verdict::Failed(_));
            delivery.attempts.push(attempt);
            delivery.is_accepted |= is_accepted;
            delivery.reply = delivery.reply.or(reply);
            wanted -= usize::from(is_accepted);
            let is_given_up = !delivery.is_accepted && delivery.attempts.len() == usize::from(push.attempts);
            if wanted == 0 || is_given_up {
                break;
            }
        }
        self.changing(|wechat| wechat.deliveries.add(delivery.clone()));
        Ok(Some(delivery))
    }

    fn push_of(&self, appid: &str) -> Result<Option<Push>, ActError> {
        self.with(|wechat| wechat.world.app(appid).map(|app| app.push.clone()).ok_or_else(|| ActError::NotThatKindOfApp(appid.to_owned())))
    }

    async fn attempt(&self, push: &Push, appid: &str, message: &Message, request: PushRequest) -> (Attempt, Option<String>) {
        let at = self.now();
        let answer = self.send(push, &request).await;
        let (status, body) = match &answer {
            Ok((status, body)) => (Some(*status), String::from_utf8_lossy(body).into_owned()),
            Err(_) => (None, String::new()),
        };
        let read = answer.and_then(|(status, body)| match status {
            200 => reply::read(&body, push, appid, message).map_err(str::to_owned),
            other => Err(format!("HTTP status {other}")),
        });
        let (verdict, reply) = match read {
            Ok(None) => (Verdict::Accepted, None),
            Ok(Some(reply)) if reply.was_encrypted => (Verdict::RepliedEncrypted, Some(reply.text)),
            Ok(Some(reply)) => (Verdict::Replied, Some(reply.text)),
            Err(why) => (Verdict::Failed(why), None),
        };
        (Attempt { at, request, status, body, verdict }, reply)
    }

    async fn send(&self, push: &Push, request: &PushRequest) -> Result<(u16, Vec<u8>), String> {
        let post = self.call(push, Method::POST, &request.url)?;
        read(post.header(CONTENT_TYPE, request.content_type).body(request.body.clone())).await
    }

    /// The answer is the `echostr`, and nothing else.
    async fn verify(&self, push: &Push) -> Result<(), String> {
        let (url, echostr) = verification(push, self.now());
        let (status, body) = read(self.call(push, Method::GET, &url)?).await?;
        match status {
            200 if body == echostr.as_bytes() => Ok(()),
            200 => Err("the answer is not the echostr and nothing else".to_owned()),
            other => Err(format!("HTTP status {other}")),
        }
    }

    /// A connection of its own for each request, no proxy, no redirects.
    fn call(&self, push: &Push, method: Method, url: &str) -> Result<reqwest::RequestBuilder, String> {
        let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(push.timeout());
        let client = builder.build().map_err(|error| error.to_string())?;
        let mut url = Url::parse(url).map_err(|error| error.to_string())?;
        let Some(address) = push.connect_to else {
            let host = self.divert(&mut url)?;
            let request = client.request(method, url);
            return Ok(match host {
                Some(host) => request.header(HOST, host),
                None => request,
            });
        };
        let authority = url.authority().to_owned();
        let is_set = url.set_ip_host(address.ip()).is_ok() && url.set_port(Some(address.port())).is_ok();
        is_set.then(|| client.request(method, url).header(HOST, authority)).ok_or_else(|| "the url has no host".to_owned())
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), String> {
    let in_words = |error: reqwest::Error| if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
    let response = request.header(USER_AGENT, AGENT).send().await.map_err(in_words)?;
    let status = response.status().as_u16();
    let body = response.bytes().await.map_err(in_words)?;
    Ok((status, body.to_vec()))
}
