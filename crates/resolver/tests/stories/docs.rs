//! The examples of `docs/resolver-api.md` are what both sides say, and `docs/admin-api.md` leaves nothing out.

use resolver_api::tickets::{
    CancelTicket, ConfirmTicket, CreateTicket, CreateTicketAnswer, RedeemAnswer, RedeemTicket, ScanAnswer, ScanTicket, Ticket,
    WithdrawAuthorization,
};
use resolver_api::{
    AccountChange, AccountView, FinishAnswer, FinishLogin, LoginOutcome, LoginRequest, PendingLogin, Problem, RevocationFeed,
    RevokeSession, SendCode, SendCodeAnswer, UnlinkAnswer,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wxgate_resolver::login::Login;
use wxgate_resolver::tickets;

const PAGE: &str = include_str!("../../../../docs/resolver-api.md");
const ADMIN_PAGE: &str = include_str!("../../../../docs/admin-api.md");

/// The type that an example says it is of, and the example.
fn examples() -> impl Iterator<Item = (&'static str, Value)> {
    PAGE.split("```json ").skip(1).map(|rest| {
        let (kind, rest) = rest.split_once('\n').unwrap();
        let (json, _) = rest.split_once("```").unwrap();
        (kind, serde_json::from_str(json).unwrap())
    })
}

/// An example that its type reads and writes again knows every field by its right name.
fn check<T: DeserializeOwned + Serialize>(example: &Value) -> T {
    let read: T = serde_json::from_value(example.clone()).unwrap();
    let mut written = serde_json::to_value(&read).unwrap();
    // An example may leave out what is false.
    for (field, value) in written.clone().as_object().unwrap() {
        if *value == Value::Bool(false) && example.get(field).is_none() {
            written.as_object_mut().unwrap().remove(field);
        }
    }
    assert_eq!(written, *example);
    read
}

#[test]
fn the_examples_of_the_manual_are_right() {
    let mut seen = 0;
    for (kind, example) in examples() {
        match kind {
            "LoginRequest" => drop(Login::parse(check::<LoginRequest>(&example)).unwrap()),
            "LoginOutcome" => drop(check::<LoginOutcome>(&example)),
            "PendingLogin" => drop(check::<PendingLogin>(&example)),
            "SendCode" => drop(check::<SendCode>(&example)),
            "SendCodeAnswer" => drop(check::<SendCodeAnswer>(&example)),
            "FinishLogin" => drop(check::<FinishLogin>(&example)),
            "FinishAnswer" => drop(check::<FinishAnswer>(&example)),
            "AccountView" => drop(check::<AccountView>(&example)),
            "AccountChange" => drop(check::<AccountChange>(&example)),
            "UnlinkAnswer" => drop(check::<UnlinkAnswer>(&example)),
            "RevokeSession" => drop(check::<RevokeSession>(&example)),
            "RevocationFeed" => drop(check::<RevocationFeed>(&example)),
            "CreateTicket" => assert_eq!(tickets::check_new(&check::<CreateTicket>(&example)), [""; 0]),
            "CreateTicketAnswer" => drop(check::<CreateTicketAnswer>(&example)),
            "Ticket" => drop(check::<Ticket>(&example)),
            "ScanTicket" => {
                let ScanTicket { platform, mut identity, .. } = check(&example);
                assert_eq!(tickets::check_scanner(&platform, &mut identity), [""; 0]);
            }
            "ConfirmTicket" => assert_eq!(tickets::check_identity(&mut check::<ConfirmTicket>(&example).identity), [""; 0]),
            "CancelTicket" => drop(check::<CancelTicket>(&example)),
            "ScanAnswer" => drop(check::<ScanAnswer>(&example)),
            "RedeemTicket" => assert_eq!(tickets::check_redeemer(&check::<RedeemTicket>(&example)), [""; 0]),
            "RedeemAnswer" => drop(check::<RedeemAnswer>(&example)),
            "WithdrawAuthorization" => assert_eq!(tickets::check_withdrawal(&check::<WithdrawAuthorization>(&example)), [""; 0]),
            "Problem" => drop(check::<Problem>(&example)),
            other => panic!("an example of {other}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 32);
}

#[test]
fn the_manuals_name_every_route_and_flag() {
    let api = serde_json::to_value(wxgate_resolver::http::openapi::api()).unwrap();
    for route in api["paths"].as_object().unwrap().keys() {
        let (page, name) = if route.starts_with("/v1/admin") { (ADMIN_PAGE, "admin-api.md") } else { (PAGE, "resolver-api.md") };
        assert!(page.contains(route.as_str()), "{route} in {name}");
    }
    let command = <wxgate_resolver::config::Args as clap::CommandFactory>::command();
    for flag in command.get_arguments().filter_map(|flag| flag.get_long()) {
        assert!(PAGE.contains(&format!("`--{flag}`")), "{flag}");
    }
}

#[test]
fn the_manual_of_the_admin_api_names_every_field() {
    let api = serde_json::to_value(wxgate_resolver::http::openapi::api()).unwrap();
    let fields = ["NewUser", "MergeReport", "ConnectorPolicy", "AuditEntry", "MoveIdentity"]
        .into_iter()
        .flat_map(|schema| api["components"]["schemas"][schema]["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    for field in fields {
        assert!(ADMIN_PAGE.contains(&format!("`{field}`")) || ADMIN_PAGE.contains(&format!("\"{field}\":")), "{field}");
    }
}
