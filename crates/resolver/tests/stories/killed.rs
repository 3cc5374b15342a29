//! `kill -9` amid tickets: what was said of one before holds afterwards.

use std::path::Path;

use resolver_api::tickets::{ConfirmTicket, CreateTicket, CreateTicketAnswer, RedeemAnswer, ScanAnswer, ScanTicket, Ticket, TicketState};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::program::{Running, program_on, url_of};
use crate::support::{TOKEN, postgres_database};
use crate::tickets::{fresh, person, redeemer, to_scan};

/// A ticket, and how far it had come by the last answer about it.
struct Told {
    name: String,
    verifier: String,
    openid: String,
    state: TicketState,
}

/// One program, as whoever asks it sees it.
#[derive(Clone)]
struct Desk {
    client: reqwest::Client,
    origin: String,
}

impl Desk {
    /// The answer, where there is one: the program may end at any moment.
    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Option<T> {
        let answer = self.client.post(format!("{}/v1/tickets{path}", self.origin)).bearer_auth(TOKEN).json(body).send().await.ok()?;
        (answer.status() == 200).then_some(())?;
        answer.json().await.ok()
    }

    async fn look(&self, name: &str) -> Ticket {
        let answer = self.client.get(format!("{}/v1/tickets/{name}", self.origin)).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 200, "there is no such ticket any more");
        answer.json().await.unwrap()
    }

    async fn redeem(&self, told: &Told) -> RedeemAnswer {
        self.post(&format!("/{}/redeem", told.name), &redeemer(&told.verifier)).await.expect("an answer")
    }

    /// A person's way with a ticket, as far as answers come: made, scanned, confirmed.
    async fn walk(self, openid: String) -> Option<Told> {
        let verifier = fresh();
        let ticket = CreateTicket { client_address: None, ..to_scan(&verifier) };
        let CreateTicketAnswer::Created { ticket: name, .. } = self.post("", &ticket).await? else { return None };
        let mut told = Told { name, verifier, openid, state: TicketState::Waiting };
        let identity = person(&told.openid);
        let scan = ScanTicket { identity: identity.clone(), platform: "main".into(), client_address: None };
        let Some(ScanAnswer::Done { .. }) = self.post(&format!("/{}/scan", told.name), &scan).await else { return Some(told) };
        told.state = TicketState::Scanned;
        let confirm = ConfirmTicket { identity, client_address: None };
        let Some(ScanAnswer::Done { .. }) = self.post(&format!("/{}/confirm", told.name), &confirm).await else { return Some(told) };
        told.state = TicketState::Confirmed;
        Some(told)
    }
}

/// How far, for comparing.
fn steps(state: TicketState) -> u8 {
    match state {
        TicketState::Waiting => 0,
        TicketState::Scanned => 1,
        TicketState::Confirmed => 2,
        TicketState::Cancelled | TicketState::Redeemed => 3,
    }
}

/// The program is killed again and again amid people who make, scan and confirm; then each ticket is at least as far as was said, goes on
/// from there, and is redeemed once, also when the program is killed after that.
async fn tickets_outlive_it(url: impl Fn(&Path) -> String) {
    const ROUNDS: usize = 4;
    const PEOPLE: usize = 16;
    let client = reqwest::Client::new();
    let mut dir = tempfile::tempdir().unwrap();
    let mut told: Vec<Told> = Vec::new();
    for round in 0..ROUNDS {
        let running = Running::start_with(&mut program_on(&url(dir.path())), dir);
        let desk = Desk { client: client.clone(), origin: running.origin.clone() };
        let mut people = JoinSet::new();
        for number in 0..PEOPLE {
            people.spawn(desk.clone().walk(format!("o-{round}-{number}")));
        }
        // The first may have come to the end, or one more in each round, and all others are anywhere.
        for _ in 0..=round * 2 {
            told.extend(people.join_next().await.unwrap().unwrap());
        }
        dir = running.kill();
        for person in people.join_all().await {
            told.extend(person);
        }
    }
    assert!(told.len() >= ROUNDS && told.iter().any(|told| told.state == TicketState::Confirmed));

    let running = Running::start_with(&mut program_on(&url(dir.path())), dir);
    let desk = Desk { client: client.clone(), origin: running.origin.clone() };
    for told in &told {
        let found = desk.look(&told.name).await;
        assert!(steps(found.state) >= steps(told.state), "{:?} after {:?}", found.state, told.state);
        let confirm = ConfirmTicket { identity: person(&told.openid), client_address: None };
        let confirmed: ScanAnswer = desk.post(&format!("/{}/confirm", told.name), &confirm).await.unwrap();
        assert!(matches!(confirmed, ScanAnswer::Done { .. }), "{confirmed:?}");
        assert_eq!(desk.redeem(told).await, RedeemAnswer::Redeemed { identity: Some(person(&told.openid)) });
    }
    let dir = running.kill();
    let running = Running::start_with(&mut program_on(&url(dir.path())), dir);
    let desk = Desk { client, origin: running.origin.clone() };
    for told in &told {
        assert_eq!(desk.redeem(told).await, RedeemAnswer::Used);
    }
}

#[tokio::test]
async fn on_sqlite_tickets_outlive_a_kill() {
    tickets_outlive_it(|dir| format!("sqlite:{}", dir.join("wxgate.db").display())).await;
}

#[tokio::test]
async fn on_postgres_tickets_outlive_a_kill() {
    let options = postgres_database("UTF8").await;
    tickets_outlive_it(|_| url_of(&options)).await;
}
