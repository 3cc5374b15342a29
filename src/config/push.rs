//! Reads how WeChat's message push reaches a connector: apps of every kind may have one.

use std::rc::Rc;

use super::form;
use super::raw::{Fault, Field, Object};
use super::{Push, PushMode};
use crate::secret::Secret;

/// The push of a connector; `Some(None)` where it has none.
pub(super) fn push(place: &Object, has_message_server: Option<bool>) -> Option<Option<Rc<Push>>> {
    // The one method that logs in by what is pushed.
    let has_scans = place.find("type").and_then(|field| field.written()) == Some("official_account_qr");
    if !has_scans && place.find("push").is_none() {
        if let Some(field) = place.find("message_server") {
            let fault = Fault::new("without `push` there is no message that could go on to a message server");
            field.report(fault.hint("add `push`, or leave it out"));
        }
        return Some(None);
    }
    let settings = place.required("push", "how WeChat's message push is secured: {\"token\", \"encoding_aes_keys\"}")?.object()?;
    let risk = if has_scans { "log in as anybody, and end anybody's sessions" } else { "end anybody's sessions, and clear their profile" };
    settings.only(&["token", "encoding_aes_keys", "mode", "accept_forgeable_messages"]);
    let token = settings
        .required("token", "the Token of the message push, as in WeChat's console: {\"env\": \"NAME\"}")
        .and_then(|field| read_secret(&field, form::push_token));
    let mode = settings.choice_or(
        "mode",
        PushMode::Safe,
        &[("safe", PushMode::Safe), ("compatible", PushMode::Compatible), ("plain", PushMode::Plain)],
    );
    let accept = settings.flag_or("accept_forgeable_messages", false);
    match (mode, accept) {
        (Some(PushMode::Plain), Some(false)) => settings.report_at(
            "mode",
            Fault::new(format!("in plain mode nothing proves who wrote a message: whoever sees one signed address can {risk}"))
                .hint("choose safe mode here and in WeChat's console, or write \"accept_forgeable_messages\": true"),
        ),
        (Some(PushMode::Safe | PushMode::Compatible), Some(true)) => {
            settings.report_at("accept_forgeable_messages", Fault::new("only plain mode has forgeable messages").hint("leave it out"))
        }
        _ => {}
    }
    let keys = match (mode, settings.find("encoding_aes_keys")) {
        (Some(PushMode::Plain), None) => Some(vec![]),
        _ => settings
            .list("encoding_aes_keys", "the EncodingAESKey of WeChat's console, and while it changes the one before")
            .and_then(|list| list.iter().map(|field| read_secret(field, form::encoding_aes_key)).collect()),
    };
    Some(Some(Rc::new(Push { token: token?, keys: keys?, mode: mode?, has_message_server: has_message_server? })))
}

fn read_secret(field: &Field, form: impl FnOnce(&str) -> Result<(), Fault>) -> Option<Secret> {
    let value = field.secret()?;
    form(&value).map_err(|fault| field.report(fault)).ok()?;
    Some(Secret::new(value))
}
