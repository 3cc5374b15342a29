//! Codes that the resolver has sent, in place of people's phones and mailboxes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use wxgate_resolver::delivery::{Delivery, Language, Message};

use crate::eventually;

/// What has been sent and not yet been read.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Mutex<Vec<Letter>>>);

/// One message with a code.
#[derive(Clone, Debug)]
pub struct Letter {
    /// In E.164, or an e-mail address.
    pub to: String,
    /// Six digits.
    pub code: String,
    /// The language of the message: `zh-CN` or `en`.
    pub language: &'static str,
}

impl Outbox {
    /// Puts both SMS and e-mail here.
    pub(crate) fn delivery(&self) -> Delivery {
        let letters = self.0.clone();
        Delivery::none().or_else_to(move |message: &Message| {
            let language = match message.language {
                Language::Chinese => "zh-CN",
                Language::English => "en",
            };
            let letter = Letter { to: message.to.as_str().to_owned(), code: message.code.0.clone(), language };
            letters.lock().expect("not poisoned").push(letter);
        })
    }

    /// Waits for the next message to this address, and takes it.
    pub async fn letter_to(&self, address: &str) -> Letter {
        let take = async || {
            let mut letters = self.0.lock().expect("not poisoned");
            letters.iter().position(|letter| letter.to == address).map(|at| letters.remove(at))
        };
        eventually(Duration::from_secs(10), &format!("a code for {address}"), take).await
    }

    /// Waits for the next code to this address.
    pub async fn code_for(&self, address: &str) -> String {
        self.letter_to(address).await.code
    }

    /// What nobody has read.
    pub fn unread(&self) -> Vec<Letter> {
        self.0.lock().expect("not poisoned").clone()
    }
}

/// Another code of six digits.
pub fn not(code: &str) -> String {
    let number: u32 = code.parse().expect("six digits");
    format!("{:06}", (number + 1) % 1_000_000)
}
