//! Codes on their way to people: by SMTP, by a webhook that sends SMS, or printed for whoever tries it out.
//!
//! A code goes out after the request for it is answered, so that neither the answer nor its time tells whether an account has
//! the address, and whether the mail server liked it.

mod message;
mod settings;
mod smtp;
mod webhook;

use std::fmt;
use std::sync::Arc;

use resolver_api::ProofMethod;
use tokio::sync::Semaphore;

use crate::address::Address;

pub use message::{Language, Message, Secret};
pub use settings::{DeliveryArgs, SMS_SECRET_VARIABLE, SMTP_URL_VARIABLE};
pub use smtp::Mailer;
pub use webhook::{SHORTEST_SECRET, Webhook};

/// How many messages may be on their way at once; one more is not sent, and its person may ask for another.
const AT_ONCE: u16 = 64;

/// The ways by which codes go out.
#[derive(Clone, Debug)]
pub struct Delivery {
    email: Option<Road>,
    sms: Option<Road>,
    places: Arc<Semaphore>,
}

/// One of them.
#[derive(Clone)]
enum Road {
    Smtp(Mailer),
    Webhook(Webhook),
    Hand(Arc<dyn Fn(&Message) + Send + Sync>),
}

/// Why a message, or a setting, was not taken. Holds neither an address nor a secret: a mail server's own words may.
#[derive(Debug, PartialEq, Eq)]
pub struct DeliveryError(pub(crate) String);

impl Delivery {
    /// No way at all: no code can be asked for.
    pub fn none() -> Self {
        Self { email: None, sms: None, places: Arc::new(Semaphore::new(usize::from(AT_ONCE))) }
    }

    /// E-mail goes out by this mail server.
    pub fn with_email(self, mailer: Mailer) -> Self {
        Self { email: Some(Road::Smtp(mailer)), ..self }
    }

    /// SMS goes out by this webhook.
    pub fn with_sms(self, webhook: Webhook) -> Self {
        Self { sms: Some(Road::Webhook(webhook)), ..self }
    }

    /// What has no other way is handed to `take`.
    pub fn or_else_to(self, take: impl Fn(&Message) + Send + Sync + 'static) -> Self {
        let hand = Road::Hand(Arc::new(take));
        Self { email: self.email.or(Some(hand.clone())), sms: self.sms.or(Some(hand)), ..self }
    }

    /// Whether an account can be proved by this method here.
    pub fn offers(&self, method: ProofMethod) -> bool {
        match method {
            ProofMethod::PhoneCode => self.sms.is_some(),
            ProofMethod::EmailCode => self.email.is_some(),
            ProofMethod::Password => true,
        }
    }

    /// What an operator should know at the start: how codes go out, and which are not offered.
    pub fn report(&self) {
        for (codes, road) in [("e-mail", &self.email), ("SMS", &self.sms)] {
            match road {
                Some(road) => tracing::info!(codes, by = %road, "codes go out"),
                None => tracing::info!(codes, "codes are not offered: no way to send them is configured"),
            }
        }
        let is_hand = |road: &Option<Road>| matches!(road, Some(Road::Hand(_)));
        if is_hand(&self.email) != is_hand(&self.sms) {
            tracing::warn!("some codes are printed while others are sent; expected --print-codes for trying out only");
        }
    }

    /// Sends the message, where there is one, in a task of its own; the log tells what became of it.
    pub fn send(&self, message: Option<Message>) {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            tracing::warn!("a code was not sent: too many are on their way");
            return;
        };
        let delivery = self.clone();
        tokio::spawn(async move {
            let _place = place;
            if let Some(message) = message {
                delivery.deliver(&message).await;
            }
        });
    }

    /// Waits until nothing is on its way any more.
    pub async fn finish(&self) {
        // It is never closed, so this is only an end of waiting.
        let _ = self.places.acquire_many(u32::from(AT_ONCE)).await;
    }

    async fn deliver(&self, message: &Message) {
        let (codes, road) = match &message.to {
            Address::Email(_) => ("e-mail", &self.email),
            Address::Phone(_) => ("SMS", &self.sms),
        };
        let sent = match road {
            Some(Road::Smtp(mailer)) => mailer.send(message).await,
            Some(Road::Webhook(webhook)) => webhook.send(message).await,
            Some(Road::Hand(take)) => {
                take(message);
                Ok(())
            }
            None => Err(DeliveryError("no way to send it is configured".to_owned())),
        };
        match sent {
            Ok(()) => tracing::info!(codes, application = message.application, "a code was sent"),
            Err(reason) => tracing::warn!(codes, application = message.application, %reason, "a code was not sent"),
        }
    }
}

impl fmt::Display for Road {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Smtp(_) => "SMTP",
            Self::Webhook(_) => "a webhook",
            Self::Hand(_) => "printing",
        })
    }
}

impl fmt::Debug for Road {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for DeliveryError {}
