//! Reads JSON, and says what is wrong with it without repeating any value: values are personal data.

use std::fmt;

use serde::de::DeserializeOwned;

/// What is wrong with a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonProblem {
    /// The field, or `body`.
    pub(crate) place: String,
    /// What is wrong, in words.
    pub(crate) message: String,
}

/// Reads an object; nothing may follow it.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonProblem> {
    // serde takes an array for the fields of an object in their order, and none of them for all defaults.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(JsonProblem { place: "body".to_owned(), message: "is not as expected; expected an object".to_owned() });
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        describe(&path, error.inner())
    })?;
    json.end().map_err(|error| describe(".", &error))?;
    Ok(value)
}

/// serde's message without the value that it quotes: in front of "expected" may stand personal data.
fn describe(path: &str, error: &serde_json::Error) -> JsonProblem {
    use serde_json::error::Category;

    let message = error.to_string();
    let place = if path == "." { "body" } else { path };
    let problem = |place: &str, message: String| JsonProblem { place: place.to_owned(), message };
    if error.classify() != Category::Data {
        return problem("body", format!("is not valid JSON at line {} column {}", error.line(), error.column()));
    }
    let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
    // "missing field" quotes our own name of the field.
    if message.starts_with("missing field") {
        return problem(place, message.to_owned());
    }
    // serde's path ends with the name of a field that nobody knows, which is the caller's text.
    if message.starts_with("unknown field") {
        let expected = message.rsplit_once(", expected ").map_or("no fields", |(_, expected)| expected);
        let place = place.rsplit_once('.').map_or("body", |(parent, _)| parent);
        return problem(place, format!("has a field that nobody knows; expected {expected}"));
    }
    match message.rsplit_once(", expected ") {
        // serde names the Rust type.
        Some((_, expected)) if expected.starts_with("struct ") => problem(place, "is not as expected; expected an object".to_owned()),
        Some((_, expected)) => problem(place, format!("is not as expected; expected {expected}")),
        None => problem(place, "is not as expected".to_owned()),
    }
}

impl fmt::Display for JsonProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)
    }
}

#[cfg(test)]
mod tests {
    use resolver_api::LoginRequest;

    use super::*;

    fn problem(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
        let mut body = serde_json::json!({
            "idempotency_key": "", "pool": "", "application": "", "connector": "", "method": "website_qr",
            "platform": "", "app_id": "", "openid": "CANARY, expected", "profile": {"nickname": "CANARY"},
        });
        change(body.as_object_mut().unwrap());
        parse::<LoginRequest>(&serde_json::to_vec(&body).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_without_its_values() {
        assert_eq!(problem(|body| drop(body.remove("openid"))), "body: missing field `openid`");
        assert_eq!(problem(|body| drop(body.insert("openid".into(), 5.into()))), "openid: is not as expected; expected a string");
        assert_eq!(problem(|body| drop(body.insert("profile".into(), "CANARY".into()))), "profile: is not as expected; expected an object");
        let method = problem(|body| drop(body.insert("method".into(), "CANARY, expected CANARY".into())));
        assert!(method.starts_with("method: is not as expected; expected "), "{method}");
        assert!(method.contains("`website_qr`") && !method.contains("CANARY"), "{method}");
        let problem = |text: &[u8]| parse::<LoginRequest>(text).unwrap_err().to_string();
        assert_eq!(problem(b"{\"openid\": CANARY"), "body: is not valid JSON at line 1 column 12");
        assert_eq!(problem(b""), "body: is not valid JSON at line 1 column 0");
    }

    #[test]
    fn fields_that_nobody_knows_yet_are_ignored_but_nothing_may_follow_the_body() {
        let body = br#"{"expires_at": 5, "invented_later": true}"#;
        assert!(parse::<resolver_api::RevokeSession>(body).is_ok());
        assert!(parse::<resolver_api::RevokeSession>(&[body.as_slice(), b"{}"].concat()).is_err());
    }

    #[test]
    fn an_array_is_no_object() {
        use crate::policy::ConnectorPolicy;
        for array in ["[]", " \n[\"open\"]", "["] {
            let problem = parse::<ConnectorPolicy>(array.as_bytes()).unwrap_err().to_string();
            assert_eq!(problem, "body: is not as expected; expected an object");
        }
        assert!(parse::<ConnectorPolicy>(b" {}").is_ok());
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused_without_its_name_where_a_slip_would_matter() {
        use crate::admin::user::NewUser;
        let wrong = parse::<NewUser>(br#"{"CANARY": 1}"#).err().unwrap().to_string();
        assert!(wrong.starts_with("body: has a field that nobody knows; expected one of `external_id`, "), "{wrong}");
        let wrong = parse::<NewUser>(br#"{"identities": [{"platform": "main", "CANARY": 1}]}"#).err().unwrap().to_string();
        assert!(wrong.starts_with("identities[0]: has a field that nobody knows; expected one of `platform`, "), "{wrong}");
    }
}
