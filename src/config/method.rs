//! Reads what only one method of logging in needs.

use super::form;
use super::raw::{Fault, Object, did_you_mean, one_of};
use super::{Method, MiniProgramPage, MiniProgramVersion, PhoneNumber, Scope};

/// Every method, and the keys that only it has.
const METHODS: [(&str, &[&str]); 7] = [
    ("website_qr", &["embed"]),
    ("official_account_web", &["scope"]),
    ("mobile_app", &[]),
    ("mini_program", &["phone_number"]),
    ("mini_program_qr", &["page", "version", "phone_number"]),
    ("app_to_mini_program", &["original_id", "page", "version", "phone_number"]),
    ("official_account_qr", &["confirm", "welcome"]),
];

/// The method of a connector. Keys that all connectors have are `common`.
pub(super) fn method(place: &Object, common: &[&str], has_message_server: Option<bool>) -> Option<Method> {
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
        _ => official_account_qr(place, has_message_server)?,
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

fn official_account_qr(place: &Object, has_message_server: Option<bool>) -> Option<Method> {
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
    let welcome = match welcome {
        Some(text) => Some(text?),
        None => None,
    };
    Some(Method::OfficialAccountQr { is_confirmed: is_confirmed?, welcome })
}
