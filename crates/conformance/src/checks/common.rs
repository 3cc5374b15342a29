//! What holds for every request and every answer.

use reqwest::Method;
use reqwest::header::ALLOW;
use serde_json::{Value, json};

use super::{Check, checks};
use crate::people::{fresh_key, fresh_name, fresh_session};
use crate::server::{ANSWER_LIMIT, Call, Ending, Result, Server};

/// The largest request body that a resolver reads.
const BODY_LIMIT: usize = 64 * 1024;

pub(super) fn requests() -> Vec<Check> {
    checks!["Common to all requests":
        without_an_accepted_token_nothing_is_answered,
        fields_that_nobody_knows_yet_are_ignored,
        null_stands_for_an_optional_field_that_is_absent,
        a_body_of_64_kib_is_read,
    ]
}

pub(super) fn errors() -> Vec<Check> {
    checks!["Errors":
        a_body_that_is_no_login_is_refused,
        an_error_repeats_no_value,
        a_body_that_is_not_said_to_be_json_is_refused,
        a_body_above_64_kib_is_refused,
        a_path_that_does_not_exist_is_a_problem_too,
        a_method_that_does_not_exist_is_a_problem_too,
    ]
}

pub(super) fn answers() -> Vec<Check> {
    checks!["Common to all requests": no_answer_may_be_stored, no_answer_is_larger_than_64_kib]
}

async fn without_an_accepted_token_nothing_is_answered(server: &Server) -> Result<()> {
    let login = server.target.pc(&fresh_name());
    let calls = || -> Vec<Call> {
        vec![
            server.call(Method::POST, "/v1/logins").json(&login),
            server.call(Method::GET, &format!("/v1/logins/{}", fresh_key())),
            server.call(Method::POST, &format!("/v1/sessions/{}/revoke", fresh_session())).json(&json!({"expires_at": 1})),
            server.call(Method::GET, "/v1/revocations"),
        ]
    };
    let token = &server.target.token;
    let shorter: String = token.chars().skip(1).collect();
    let wrong =
        [None, Some(format!("Bearer {shorter}")), Some(format!("Bearer {token}x")), Some(format!("Basic {token}")), Some(token.clone())];
    for authorization in wrong {
        for call in calls() {
            server.send(&call.authorization(authorization.clone())).await?.problem(401, "unauthorized")?;
        }
    }
    let (answer, signed_in) = server.sign_in(&login).await?;
    answer.expect(signed_in.new_user, "a new account: the logins without an accepted token must have made none")
}

async fn fields_that_nobody_knows_yet_are_ignored(server: &Server) -> Result<()> {
    let mut login = json!(server.target.pc(&fresh_name()));
    insert(&mut login, "invented_later", json!({"a": [1, null], "b": "小明"}));
    let answer = server.post("/v1/logins", &login).await?;
    answer.signed_in(answer.json("a LoginOutcome")?).map(drop)
}

async fn null_stands_for_an_optional_field_that_is_absent(server: &Server) -> Result<()> {
    let mut login = json!(server.target.pc(&fresh_name()));
    for field in ["unionid", "profile", "phone_number", "link_to", "client_address"] {
        insert(&mut login, field, Value::Null);
    }
    let answer = server.post("/v1/logins", &login).await?;
    answer.signed_in(answer.json("a LoginOutcome")?).map(drop)
}

async fn a_body_of_64_kib_is_read(server: &Server) -> Result<()> {
    let mut body = serde_json::to_vec(&server.target.pc(&fresh_name())).unwrap_or_default();
    body.resize(BODY_LIMIT, b' ');
    let answer = server.send(&server.call(Method::POST, "/v1/logins").body(Some("application/json"), body)).await?;
    answer.signed_in(answer.json("a LoginOutcome")?).map(drop)
}

async fn a_body_that_is_no_login_is_refused(server: &Server) -> Result<()> {
    let login = || json!(server.target.pc(&fresh_name()));
    let changed = |field: &str, value: Value| {
        let mut login = login();
        insert(&mut login, field, value);
        login
    };
    let mut wrong = vec![
        json!({}),
        json!([]),
        changed("idempotency_key", json!("AB".repeat(32))),
        changed("idempotency_key", json!("ab".repeat(31))),
        changed("method", json!("carrier_pigeon")),
        changed("openid", json!("")),
        changed("openid", json!("o".repeat(65))),
        changed("openid", json!(7)),
        changed("unionid", json!("")),
        changed("unionid", json!("😀".repeat(65))),
        changed("profile", json!({"nickname": "n".repeat(257)})),
        changed("profile", json!({"picture": "http://thirdwx.qlogo.cn/0"})),
    ];
    for field in ["pool", "application", "connector", "platform", "app_id"] {
        wrong.extend([changed(field, json!("")), changed(field, json!("x".repeat(65))), changed(field, json!("a\nb"))]);
    }
    for body in &wrong {
        server.post("/v1/logins", body).await?.problem(400, "invalid-request")?;
    }
    for text in ["", "{", "{}{}", "<login/>"] {
        let call = server.call(Method::POST, "/v1/logins").body(Some("application/json"), text);
        server.send(&call).await?.problem(400, "invalid-request")?;
    }
    Ok(())
}

async fn an_error_repeats_no_value(server: &Server) -> Result<()> {
    for field in ["idempotency_key", "pool", "openid", "unionid", "method"] {
        let mut login = json!(server.target.pc(&fresh_name()));
        let canary = format!("CANARY{}", fresh_name().repeat(3));
        insert(&mut login, field, json!(canary));
        let answer = server.post("/v1/logins", &login).await?;
        answer.problem(400, "invalid-request")?;
        answer.expect(!answer.text().contains("CANARY"), "a problem that does not repeat the value")?;
    }
    Ok(())
}

async fn a_body_that_is_not_said_to_be_json_is_refused(server: &Server) -> Result<()> {
    let body = serde_json::to_vec(&server.target.pc(&fresh_name())).unwrap_or_default();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let call = server.call(Method::POST, "/v1/logins").body(content_type, body.clone());
        server.send(&call).await?.problem(415, "unsupported-media-type")?;
    }
    Ok(())
}

async fn a_body_above_64_kib_is_refused(server: &Server) -> Result<()> {
    let mut body = serde_json::to_vec(&server.target.pc(&fresh_name())).unwrap_or_default();
    body.resize(BODY_LIMIT + 1, b' ');
    let call = server.call(Method::POST, "/v1/logins").body(Some("application/json"), body);
    server.send(&call).await?.problem(413, "body-too-large").map(drop)
}

async fn a_path_that_does_not_exist_is_a_problem_too(server: &Server) -> Result<()> {
    for path in ["/v1/conformance", "/v1/logins/", "/v2/logins"] {
        server.get(path).await?.problem(404, "not-found")?;
    }
    Ok(())
}

async fn a_method_that_does_not_exist_is_a_problem_too(server: &Server) -> Result<()> {
    let answer = server.get("/v1/logins").await?;
    answer.problem(405, "method-not-allowed")?;
    answer.expect(answer.header(&ALLOW).contains("POST"), "the header Allow with POST in it")
}

async fn no_answer_may_be_stored(server: &Server) -> Result<()> {
    let ending = server.seen(|seen| seen.storable.as_ref().map(|answer| answer.instead_of("the header Cache-Control: no-store")));
    ending.map_or(Ok(()), Err)
}

async fn no_answer_is_larger_than_64_kib(server: &Server) -> Result<()> {
    let nothing = || Ending::NotOffered("nothing has been answered".to_owned());
    let largest = server.seen(|seen| seen.largest.clone()).ok_or_else(nothing)?;
    largest.expect(largest.length() <= ANSWER_LIMIT, "at most 64 KiB")
}

fn insert(object: &mut Value, field: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(field.to_owned(), value);
    }
}
