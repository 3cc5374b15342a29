//! Whom and what the ticket routes refuse: strangers, guesses, and requests that are wrong.

use resolver_api::Problem;
use serde_json::{Value, json};

use super::*;

over_both_databases!(
    what_is_somebody_elses_looks_like_what_is_not_there,
    guessing_names_finds_nothing,
    what_is_wrong_is_refused_and_not_repeated,
);

/// QRL-02: knowing the ticket is not enough.
async fn what_is_somebody_elses_looks_like_what_is_not_there<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let verifier = fresh();
    let ticket = front.begin(&verifier).await;
    let elsewhere = TicketIdentity { app_id: "wx00000000000000bb".into(), ..person("o") };
    for answer in [front.scan(&ticket, &elsewhere).await, front.confirm(&ticket, &elsewhere).await, front.cancel(&ticket, &elsewhere).await]
    {
        assert_eq!(answer, Err(StatusCode::NOT_FOUND));
    }
    done(front.confirm(&ticket, &person("o")).await);
    let mut almost = verifier.clone();
    almost.pop();
    almost.push('~');
    let wrong = [
        redeemer(&fresh()),
        redeemer(&almost),
        redeemer(&to_scan(&verifier).challenge),
        RedeemTicket { application: "wiki".into(), ..redeemer(&verifier) },
    ];
    let of_nobody = problem(&front, &fresh(), &redeemer(&verifier)).await;
    assert_eq!(of_nobody.0, StatusCode::NOT_FOUND);
    for wrong in wrong {
        assert_eq!(problem(&front, &ticket, &wrong).await, of_nobody, "{wrong:?}");
    }
    assert_eq!(front.redeem(&ticket, &verifier).await, Ok(RedeemAnswer::Redeemed { identity: Some(person("o")) }), "they cost nothing");
    // Also what was redeemed is told to nobody else.
    assert_eq!(problem(&front, &ticket, &redeemer(&fresh())).await, of_nobody);
}

/// All that a caller sees of a refusal.
async fn problem<S: Store + AdminStore>(front: &Front<S>, ticket: &str, redeemer: &RedeemTicket) -> (StatusCode, Vec<u8>) {
    let request = Request::post(format!("/v1/tickets/{ticket}/redeem"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .body(Body::from(serde_json::to_vec(redeemer).unwrap()));
    let response = front.app.clone().oneshot(request.unwrap()).await.unwrap();
    (response.status(), axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
}

/// QRL-01. A name has 128 random bits: where ten thousand tickets wait and a million guesses a second come for as long as one of them lives, the chance
/// of a single hit is below 10⁻²⁶. So the count does not matter, but that all guesses are answered alike: random ones, and the neighbours
/// of a real one.
async fn guessing_names_finds_nothing<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let ticket = front.begin(&fresh()).await;
    let mut neighbours: Vec<_> = (0..1000).map(|_| fresh()).collect();
    for place in 0..ticket.len() {
        let mut neighbour: Vec<_> = ticket.chars().collect();
        neighbour[place] = if neighbour[place] == 'A' { 'Q' } else { 'A' };
        neighbours.push(neighbour.into_iter().collect());
    }
    neighbours.extend(["", "1", "%00", "AAAAAAAAAAAAAAAAAAAAA=", "%27%20OR%201=1--"].map(Into::into));
    neighbours.push(ticket.to_lowercase() + "x");
    neighbours.push(ticket[..21].into());
    for name in neighbours {
        assert_eq!(front.look(&name).await, Err(StatusCode::NOT_FOUND), "{name}");
        assert_eq!(front.wait(&name, "?wait_ms=10000&known=waiting").await, Err(StatusCode::NOT_FOUND), "{name}");
    }
    assert_eq!(front.look(&ticket).await.unwrap().state, TicketState::Waiting);
}

async fn what_is_wrong_is_refused_and_not_repeated<S: AdminStore>(store: S) {
    let front = Front::new(store);
    let right = || serde_json::to_value(to_scan(&fresh())).unwrap();
    for (field, value) in [
        ("pool", json!("")),
        ("application", json!("CANARY".repeat(11))),
        ("connector", json!("CANARY\n")),
        ("app_id", json!("")),
        ("challenge", json!("CANARY")),
        ("challenge", json!(format!("{}=", &to_scan("CANARY").challenge[..42]))),
        ("number", json!("4")),
        ("number", json!("4\u{664}")),
        ("client", json!("CANARY".repeat(11))),
        ("client_address", json!("CANARY\0")),
        ("lifetime_seconds", json!(9)),
        ("lifetime_seconds", json!(601)),
        ("purpose", json!("CANARY")),
    ] {
        let mut wrong = right();
        wrong[field] = value;
        refused(&front, "/v1/tickets", &wrong, field).await;
    }
    let ticket = front.begin(&fresh()).await;
    let right = || json!({"platform": "main", "identity": person("o"), "client_address": "192.0.2.9"});
    for (field, value) in [
        ("app_id", json!("CANARY\n")),
        ("openid", json!("")),
        ("unionid", json!("CANARY".repeat(11))),
        ("profile", json!({"picture": "http://CANARY"})),
        ("phone_number", json!("CANARY")),
    ] {
        for route in ["scan", "confirm"] {
            let mut wrong = right();
            wrong["identity"][field] = value.clone();
            refused(&front, &format!("/v1/tickets/{ticket}/{route}"), &wrong, &format!("identity.{field}")).await;
        }
    }
    for route in ["scan", "confirm"] {
        let wrong = json!({"platform": "main", "identity": person("o"), "client_address": "CANARY".repeat(11)});
        refused(&front, &format!("/v1/tickets/{ticket}/{route}"), &wrong, "client_address").await;
    }
    let wrong = json!({"platform": "CANARY\n", "identity": person("o")});
    refused(&front, &format!("/v1/tickets/{ticket}/scan"), &wrong, "platform").await;
    refused(&front, &format!("/v1/tickets/{ticket}/cancel"), &json!({"app_id": APP, "openid": ""}), "openid").await;
    for (field, value) in [
        ("verifier", json!("CANARY")),
        ("verifier", json!("CANARY ".repeat(9))),
        ("verifier", json!("C".repeat(129))),
        ("application", json!("")),
        ("redemption", json!("CANARY")),
        ("client_address", json!("\n")),
    ] {
        let mut wrong = serde_json::to_value(redeemer(&fresh())).unwrap();
        wrong[field] = value;
        refused(&front, &format!("/v1/tickets/{ticket}/redeem"), &wrong, field).await;
    }
    for query in ["wait_ms=10001", "wait_ms=-1", "wait_ms=CANARY", "known=CANARY", "known=waiting&known=waiting", "client_address=%0A"] {
        assert_eq!(front.wait(&ticket, &format!("?{query}")).await, Err(StatusCode::BAD_REQUEST), "{query}");
    }
    assert_eq!(front.look(&ticket).await.unwrap().state, TicketState::Waiting);
}

async fn refused<S: Store + AdminStore>(front: &Front<S>, path: &str, body: &Value, field: &str) {
    let request = Request::post(path).header("authorization", format!("Bearer {TOKEN}")).header("content-type", "application/json");
    let response = front.app.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let problem: Problem = serde_json::from_slice(&text).unwrap();
    let detail = problem.detail.unwrap();
    assert!(detail.starts_with(field) && !detail.contains("CANARY"), "{field}: {detail}");
}
