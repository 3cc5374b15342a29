//! Reads what only one method of logging in needs.

use std::rc::Rc;

use super::form;
use super::raw::{Fault, Field, Object, did_you_mean, one_of};
use super::{Method, MiniProgramPage, MiniProgramVersion, PhoneNumber, Push, PushMode, Scope};
use crate::secret::Secret;

/// Every method, and the keys that only it has.
const METHODS: [(&str, &[&str]); 7] = [
    ("website_qr", &["embed"]),
    ("official_account_web", &["scope"]),
    ("mobile_app", &[]),
    ("mini_program", &["phone_number"]),
    ("mini_program_qr", &["page", "version", "phone_number"]),
    ("app_to_mini_program", &["original_id", "page", "version", "phone_number"]),
    ("official_account_qr", &["push", "confirm", "welcome", "message_server"]),
];

/// The method of a connector. Keys that all connectors have are `common`.
pub(super) fn method(place: &Object, common: &[&str]) -> Option<Method> {
    let names = METHODS.map(|(name, _)| name);
    let field = place.required("type", &one_of(&names))?;
    let name = field.text()?;
    let Some((_, own)) = METHODS.iter().find(|(known, _)| *known == name) else {
        field.report(Fault { message: format!("expected {}", one_of(&names)), hint: did_you_mean(name, &names) });
        return None;
    };
    let foreign = |key: &&str| METHODS.iter().any(|(_, keys)| keys.contains(key)) && !own.contains(key);
    for (key, field) in place.members().filter(|(key, _)| foreign(key)) {
        let owners: Vec<_> = METHODS.iter().filter(|(_, keys)| keys.contains(&key)).map(|(name, _)| *name).collect();
        field.report(Fault::new(format!("{name} has no `{key}`")).hint(format!("only {} has it: leave it out", one_of(&owners))));
    }
    let others = METHODS.iter().flat_map(|(_, keys)| *keys);
    place.only(&common.iter().chain(*own).chain(others).copied().collect::<Vec<_>>());
    Some(match name {
        "website_qr" => Method::WebsiteQr { embed: place.flag_or("embed", true)? },
        "official_account_web" => Method::OfficialAccountWeb { scope: scope(place)? },
        "mobile_app" => Method::MobileApp,
        "mini_program" => Method::MiniProgram { phone_number: phone_number(place, PhoneNumber::Optional)? },
        "mini_program_qr" => {
            let (page, phone_number) = (page(place), phone_number(place, PhoneNumber::Off));
            Method::MiniProgramQr { page: page?, phone_number: phone_number? }
        }
        "app_to_mini_program" => {
            let original_id = place
                .required("original_id", "the mini program's original id, gh_ and 12 hex digits, from its console")
                .and_then(|field| field.parse(form::original_id));
            let (page, phone_number) = (page(place), phone_number(place, PhoneNumber::Optional));
            Method::AppToMiniProgram { original_id: original_id?, page: page?, phone_number: phone_number? }
        }
        _ => Method::OfficialAccountQr(Rc::new(push(place)?)),
    })
}

fn scope(place: &Object) -> Option<Scope> {
    place.choice_or("scope", Scope::Userinfo, &[("snsapi_base", Scope::Base), ("snsapi_userinfo", Scope::Userinfo)])
}

fn phone_number(place: &Object, default: PhoneNumber) -> Option<PhoneNumber> {
    let choices = [("off", PhoneNumber::Off), ("optional", PhoneNumber::Optional), ("required", PhoneNumber::Required)];
    place.choice_or("phone_number", default, &choices)
}

fn page(place: &Object) -> Option<MiniProgramPage> {
    let path = place.required("page", "the page of the mini program that logs in, such as pages/login/index");
    let path = path.and_then(|field| field.parse(form::mini_program_page));
    let choices =
        [("release", MiniProgramVersion::Release), ("trial", MiniProgramVersion::Trial), ("develop", MiniProgramVersion::Develop)];
    let version = place.choice_or("version", MiniProgramVersion::Release, &choices);
    Some(MiniProgramPage { path: path?, version: version? })
}

fn push(place: &Object) -> Option<Push> {
    let settings = place.required("push", "how WeChat's message push is secured: {\"token\", \"encoding_aes_keys\"}")?.object()?;
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
            Fault::new("in plain mode nothing proves who wrote a message: whoever sees one signed address can log in as anybody")
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
    let has_message_server = place.flag_or("message_server", false);
    let is_confirmed = place.flag_or("confirm", has_message_server == Some(false));
    let welcome = place.find("welcome").map(|field| field.parse(form::welcome));
    if has_message_server == Some(true) {
        let message = "with a message server of your own, its reply goes to WeChat and not ours";
        if is_confirmed == Some(true) {
            place.report_at("confirm", Fault::new(message).hint("the link to confirm cannot be sent then: write \"confirm\": false"));
        }
        if let Some(field) = place.find("welcome") {
            field.report(Fault::new(message).hint("leave it out"));
        }
    }
    Some(Push {
        token: token?,
        keys: keys?,
        mode: mode?,
        is_confirmed: is_confirmed?,
        welcome: match welcome {
            Some(text) => Some(text?),
            None => None,
        },
        has_message_server: has_message_server?,
    })
}

fn read_secret(field: &Field, form: impl FnOnce(&str) -> Result<(), Fault>) -> Option<Secret> {
    let value = field.secret()?;
    form(&value).map_err(|fault| field.report(fault)).ok()?;
    Some(Secret::new(value))
}
