//! What an operator says about the delivery of codes.

use super::{Delivery, DeliveryError, Mailer, Message, Webhook};

/// The environment variable that holds the mail server's URL. There is no flag for it: it may hold a password, and every user of
/// a machine can read its command lines.
pub const SMTP_URL_VARIABLE: &str = "WXGATE_RESOLVER_SMTP_URL";

/// The environment variable that holds the secret with which requests to the SMS webhook are signed.
pub const SMS_SECRET_VARIABLE: &str = "WXGATE_RESOLVER_SMS_SECRET";

/// The flags about the delivery of codes.
#[derive(Debug, clap::Args)]
pub struct DeliveryArgs {
    /// Whom e-mail is from, such as 'Shop <no-reply@example.com>'. The mail server is in the environment variable WXGATE_RESOLVER_SMTP_URL
    #[arg(long, env = "WXGATE_RESOLVER_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,

    /// The service that sends SMS. Requests to it are signed with the environment variable WXGATE_RESOLVER_SMS_SECRET
    #[arg(long, env = "WXGATE_RESOLVER_SMS_WEBHOOK", value_name = "URL")]
    pub sms_webhook: Option<String>,

    /// What that service is told as the template, for carriers that want one
    #[arg(long, env = "WXGATE_RESOLVER_SMS_TEMPLATE", value_name = "NAME")]
    pub sms_template: Option<String>,

    /// Print the codes that have no other way, for trying out
    #[arg(long, env = "WXGATE_RESOLVER_PRINT_CODES")]
    pub print_codes: bool,
}

impl DeliveryArgs {
    /// The ways by which codes go out, where `smtp_url` and `sms_secret` are what the two variables hold, and `print` prints.
    ///
    /// # Errors
    ///
    /// A setting is wrong, or one is missing beside another.
    pub fn delivery(
        &self,
        smtp_url: Option<&str>,
        sms_secret: Option<&str>,
        print: impl Fn(&Message) + Send + Sync + 'static,
    ) -> Result<Delivery, DeliveryError> {
        let is_given = |value: &&str| !value.is_empty();
        let mut delivery = Delivery::none();
        delivery = match (smtp_url.filter(is_given), &self.mail_from) {
            (Some(url), Some(from)) => {
                let mailer =
                    Mailer::new(url, from).map_err(|error| DeliveryError(format!("{SMTP_URL_VARIABLE} and --mail-from: {error}")))?;
                delivery.with_email(mailer)
            }
            (None, None) => delivery,
            _ => return Err(DeliveryError(format!("expected both {SMTP_URL_VARIABLE} and --mail-from, or neither"))),
        };
        delivery = match (&self.sms_webhook, sms_secret.filter(is_given)) {
            (Some(url), Some(secret)) => {
                let webhook = Webhook::new(url, secret, self.sms_template.clone());
                delivery.with_sms(webhook.map_err(|error| DeliveryError(format!("--sms-webhook and {SMS_SECRET_VARIABLE}: {error}")))?)
            }
            (None, None) => delivery,
            _ => return Err(DeliveryError(format!("expected both --sms-webhook and {SMS_SECRET_VARIABLE}, or neither"))),
        };
        Ok(if self.print_codes { delivery.or_else_to(print) } else { delivery })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use resolver_api::ProofMethod;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        delivery: DeliveryArgs,
    }

    const SMTP: Option<&str> = Some("smtps://me:CANARY@mail.example.com");
    const SECRET: Option<&str> = Some("a3f1c87e5b0d49268e7f1a2b3c4d5e6f");
    const FROM: [&str; 2] = ["--mail-from", "Shop <no-reply@example.com>"];
    const WEBHOOK: [&str; 2] = ["--sms-webhook", "https://sms.example.com/send"];

    fn delivery(flags: &[&str], smtp_url: Option<&str>, sms_secret: Option<&str>) -> Result<Delivery, String> {
        let args = Command::parse_from(["resolver"].iter().chain(flags));
        args.delivery.delivery(smtp_url, sms_secret, |_| {}).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_code_is_offered_where_there_is_a_way_to_send_it() {
        let offers = |flags: &[&str], smtp_url, sms_secret| {
            let delivery = delivery(flags, smtp_url, sms_secret).unwrap();
            assert!(delivery.offers(ProofMethod::Password));
            (delivery.offers(ProofMethod::PhoneCode), delivery.offers(ProofMethod::EmailCode))
        };
        assert_eq!(offers(&[], None, None), (false, false));
        assert_eq!(offers(&[], Some(""), Some("")), (false, false));
        assert_eq!(offers(&FROM, SMTP, None), (false, true));
        assert_eq!(offers(&WEBHOOK, None, SECRET), (true, false));
        assert_eq!(offers(&["--print-codes"], None, None), (true, true));
    }

    #[tokio::test]
    async fn half_a_setting_is_refused_and_no_secret_repeated() {
        for (flags, smtp_url, sms_secret, expected) in [
            (&FROM[..], None, None, "expected both WXGATE_RESOLVER_SMTP_URL and --mail-from"),
            (&[], SMTP, None, "expected both WXGATE_RESOLVER_SMTP_URL and --mail-from"),
            (&WEBHOOK, None, None, "expected both --sms-webhook and WXGATE_RESOLVER_SMS_SECRET"),
            (&[], None, SECRET, "expected both --sms-webhook and WXGATE_RESOLVER_SMS_SECRET"),
            (&WEBHOOK, None, Some("CANARY"), "--sms-webhook and WXGATE_RESOLVER_SMS_SECRET: expected at least 32"),
            (&FROM, Some("CANARY"), None, "WXGATE_RESOLVER_SMTP_URL and --mail-from: expected smtps://"),
        ] {
            let error = delivery(flags, smtp_url, sms_secret).unwrap_err();
            assert!(error.starts_with(expected) && !error.contains("CANARY"), "{error}");
        }
    }
}
