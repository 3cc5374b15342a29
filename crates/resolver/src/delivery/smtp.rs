//! Codes by e-mail.

use std::fmt;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};

use super::{DeliveryError, Message};

/// How long a mail server may take for one step.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends e-mail by one mail server.
#[derive(Clone)]
pub struct Mailer {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Sends from `from` by the server `url`: `smtps://USER:PASSWORD@HOST:465`, `smtp://HOST:587?tls=required`, or for a
    /// server on the same machine `smtp://127.0.0.1:25`.
    ///
    /// # Errors
    ///
    /// One of them is not of that form.
    pub fn new(url: &str, from: &str) -> Result<Self, DeliveryError> {
        // The library's own words may quote the URL, and with it the password.
        let wrong = || DeliveryError("expected smtps://USER:PASSWORD@HOST:465 or smtp://USER:PASSWORD@HOST:587?tls=required".to_owned());
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| wrong())?.timeout(Some(PATIENCE)).build();
        let from = from.parse().map_err(|_| DeliveryError("expected an address such as Shop <no-reply@example.com>".to_owned()))?;
        Ok(Self { server, from })
    }

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// It was not taken.
    pub async fn send(&self, message: &Message) -> Result<(), DeliveryError> {
        let broken = |_| DeliveryError("the e-mail could not be written".to_owned());
        let to = message.to.as_str().parse().map_err(|_| DeliveryError("the mail library refuses the address".to_owned()))?;
        let mail = Mail::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject())
            .header(ContentType::TEXT_PLAIN)
            // RFC 3834: so that no absence notice comes back.
            .raw_header(header::HeaderValue::new(header::HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .body(message.text())
            .map_err(broken)?;
        self.server.send(mail).await.map(drop).map_err(|error| DeliveryError(describe(&error)))
    }
}

/// Without the server's words, which often repeat the address.
fn describe(error: &SmtpError) -> String {
    match error.status() {
        Some(status) => format!("the mail server answered {status}"),
        None if error.is_timeout() => "the mail server took too long".to_owned(),
        None if error.is_tls() => "there was no TLS with the mail server".to_owned(),
        None => "the mail server was not reached".to_owned(),
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Mailer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_used_is_refused_without_repeating_it() {
        let from = "Shop <no-reply@example.com>";
        assert!(Mailer::new("smtps://me:CANARY@mail.example.com:465", from).is_ok());
        assert!(Mailer::new("smtp://mail.example.com:587?tls=required", from).is_ok());
        for url in ["", "mail.example.com", "http://me:CANARY@mail.example.com", "smtp://me:CANARY@mail.example.com?tls=maybe"] {
            let error = Mailer::new(url, from).unwrap_err().to_string();
            assert!(error.starts_with("expected smtps://") && !error.contains("CANARY"), "{error}");
        }
        let error = Mailer::new("smtp://127.0.0.1:25", "nobody").unwrap_err().to_string();
        assert!(error.starts_with("expected an address"), "{error}");
    }
}
