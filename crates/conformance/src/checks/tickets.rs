//! Tickets: made, waited for, scanned, confirmed, redeemed once.

use std::time::{Duration, Instant};

use futures_util::future::{join, try_join_all};
use resolver_api::tickets::{
    COLLECT_SECONDS, CancelTicket, ConfirmTicket, CreateTicket, CreateTicketAnswer, RedeemAnswer, RedeemTicket, ScanAnswer, ScanTicket,
    Ticket, TicketIdentity, TicketPurpose, TicketState, WithdrawAuthorization, Withdrawal,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::withdrawals::withdraw;
use super::{Check, checks};
use crate::people::{fresh_name, fresh_session};
use crate::server::{Answer, Ending, Result, Server};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const APP: &str = "wx00000000c0f00003";
const LIFETIME: u64 = 300;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub(super) fn checks() -> Vec<Check> {
    let mut checks = checks!["Tickets":
        a_ticket_goes_step_by_step_from_waiting_to_redeemed,
        a_ticket_that_nobody_has_is_not_found,
    ];
    checks.extend(checks!["Make a ticket":
        a_ticket_has_a_name_that_nobody_guesses_and_an_end,
        a_ticket_that_is_not_valid_is_refused,
        a_session_goes_over_without_anybody,
    ]);
    checks.extend(checks!["Waiting for a ticket":
        whoever_waits_hears_at_once_what_happens,
        a_wait_ends_at_its_time,
        the_fourth_wait_of_a_client_is_answered_at_once,
    ]);
    checks.extend(checks!["Scan, confirm, cancel":
        only_the_first_who_scans_goes_on,
        of_ten_who_scan_at_once_one_has_it,
        whoever_confirms_what_nobody_has_scanned_has_scanned_it,
        the_same_person_may_say_the_same_again,
        a_person_may_refuse_until_it_is_redeemed,
        a_person_of_another_app_finds_no_ticket,
    ]);
    checks.extend(checks!["Redeem":
        only_the_verifier_and_the_application_redeem,
        of_twenty_who_redeem_at_once_one_gets_the_person,
        the_same_redemption_gets_the_same_answer,
    ]);
    checks.extend(checks!["Consent that is withdrawn":
        what_was_confirmed_before_is_not_redeemed_after,
    ]);
    checks
}

async fn a_ticket_goes_step_by_step_from_waiting_to_redeemed(server: &Server) -> Result<()> {
    let somebody = somebody();
    let made = begin(server).await?;
    made.is(server, TicketState::Waiting).await?;
    made.is_not_confirmed(server, TicketState::Waiting).await?;
    let (answer, scanned) = made.done(server, "scan", &scan(&somebody)).await?;
    answer.expect(scanned.state == TicketState::Scanned, "the state scanned")?;
    answer.expect(scanned.profile == somebody.profile, "the profile of whoever has scanned it")?;
    made.is(server, TicketState::Scanned).await?;
    made.is_not_confirmed(server, TicketState::Scanned).await?;
    let (answer, confirmed) = made.done(server, "confirm", &confirm(&somebody)).await?;
    answer.expect(confirmed.state == TicketState::Confirmed, "the state confirmed")?;
    // However slow all of this is.
    let is_sooner = confirmed.expires_at < scanned.expires_at;
    answer.expect(is_sooner, "an expires_at that lies no more than 60 seconds ahead")?;
    let (answer, redeemed) = made.redeem(server, &redeemer(server)).await?;
    answer.expect(redeemed == RedeemAnswer::Redeemed { identity: Some(somebody) }, "redeemed, with the identity of the confirmation")?;
    made.is(server, TicketState::Redeemed).await
}

async fn a_ticket_that_nobody_has_is_not_found(server: &Server) -> Result<()> {
    begin(server).await?;
    let somebody = somebody();
    for name in [fresh_session(), "short".to_owned(), "A".repeat(64)] {
        let path = format!("/v1/tickets/{name}");
        server.get(&path).await?.problem(404, "not-found")?;
        server.get(&format!("{path}?wait_ms=10000&known=waiting")).await?.problem(404, "not-found")?;
        server.post(&format!("{path}/scan"), &scan(&somebody)).await?.problem(404, "not-found")?;
        server.post(&format!("{path}/confirm"), &confirm(&somebody)).await?.problem(404, "not-found")?;
        server.post(&format!("{path}/cancel"), &cancel(&somebody)).await?.problem(404, "not-found")?;
        server.post(&format!("{path}/redeem"), &redeemer(server)).await?.problem(404, "not-found")?;
    }
    Ok(())
}

async fn a_ticket_has_a_name_that_nobody_guesses_and_an_end(server: &Server) -> Result<()> {
    let mut names = Vec::new();
    for _ in 0..3 {
        let ticket = to_scan(server);
        let made = begin_as(server, &ticket).await?;
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        made.answer.expect(made.name.len() == 22 && made.name.bytes().all(is_base64url), "a ticket of 22 base64url characters")?;
        made.answer.expect(!names.contains(&made.name), "another name than before")?;
        let (answer, found) = made.look(server, "").await?;
        let expected = Ticket {
            purpose: TicketPurpose::Scan,
            application: ticket.application,
            connector: ticket.connector,
            app_id: ticket.app_id,
            state: TicketState::Waiting,
            number: ticket.number,
            client: ticket.client,
            client_address: ticket.client_address,
            created_at: found.created_at,
            expires_at: found.created_at + LIFETIME,
            profile: None,
            retry_after: None,
        };
        answer.expect(found == expected, "the ticket as it was made, with an expires_at that lies its lifetime after its created_at")?;
        answer.expect(made.expires_at == found.expires_at, format!("the expires_at that was answered before: {}", made.expires_at))?;
        names.push(made.name);
    }
    Ok(())
}

async fn a_ticket_that_is_not_valid_is_refused(server: &Server) -> Result<()> {
    begin(server).await?;
    for (field, value) in [
        ("challenge", json!("short")),
        ("challenge", Value::Null),
        ("application", json!("")),
        ("app_id", json!("a".repeat(65))),
        ("number", json!("1")),
        ("client", json!("c".repeat(65))),
        ("lifetime_seconds", json!(9)),
        ("lifetime_seconds", json!(601)),
        ("purpose", json!("anything")),
    ] {
        let mut ticket = json!(to_scan(server));
        if let Value::Object(fields) = &mut ticket {
            fields.insert(field.to_owned(), value);
        }
        let answer = server.post("/v1/tickets", &ticket).await?;
        let problem = answer.problem(400, "invalid-request")?;
        answer.expect(problem.detail.is_some_and(|detail| detail.contains(field)), format!("a detail that names {field}"))?;
    }
    Ok(())
}

async fn a_session_goes_over_without_anybody(server: &Server) -> Result<()> {
    let made = begin_as(server, &CreateTicket { purpose: TicketPurpose::HandOver, number: None, ..to_scan(server) }).await?;
    let (answer, found) = made.look(server, "").await?;
    answer.expect(found.state == TicketState::Confirmed, "the state confirmed, from the start")?;
    answer.expect(found.expires_at <= found.created_at + COLLECT_SECONDS, "an expires_at at most 60 seconds ahead")?;
    server.post(&made.path("scan"), &scan(&somebody())).await?.problem(404, "not-found")?;
    let (answer, redeemed) = made.redeem(server, &redeemer(server)).await?;
    answer.expect(redeemed == RedeemAnswer::Redeemed { identity: None }, "redeemed, without an identity")?;
    let (answer, again) = made.redeem(server, &redeemer(server)).await?;
    answer.expect(again == RedeemAnswer::Used, "used")
}

async fn whoever_waits_hears_at_once_what_happens(server: &Server) -> Result<()> {
    let somebody = somebody();
    let made = begin(server).await?;
    let scanning = async {
        // Long enough for the other one to be waiting, most of the time; if it is not, it finds what has changed.
        tokio::time::sleep(Duration::from_millis(300)).await;
        made.done(server, "scan", &scan(&somebody)).await
    };
    let begun = Instant::now();
    let (waited, scanned) = join(made.look(server, "?wait_ms=10000&known=waiting"), scanning).await;
    let (answer, waited) = waited?;
    answer.expect(waited == scanned?.1, "the ticket as the scan has left it")?;
    answer.expect(begun.elapsed() < LONGEST_WAIT, "an answer before wait_ms is over, as soon as the state changes")
}

async fn a_wait_ends_at_its_time(server: &Server) -> Result<()> {
    let made = begin(server).await?;
    let begun = Instant::now();
    let (answer, waited) = made.look(server, "?wait_ms=1000&known=waiting").await?;
    let is_in_time = (Duration::from_millis(900)..LONGEST_WAIT).contains(&begun.elapsed());
    answer.expect(waited.state == TicketState::Waiting && is_in_time, "the state waiting, after the second of wait_ms")?;
    server.get(&format!("{}?wait_ms=10001", made.path(""))).await?.problem(400, "invalid-request")?;
    server.get(&format!("{}?known=anything", made.path(""))).await?.problem(400, "invalid-request").map(drop)
}

async fn the_fourth_wait_of_a_client_is_answered_at_once(server: &Server) -> Result<()> {
    let made = begin(server).await?;
    let client = fresh_session();
    let query = format!("?wait_ms=3000&known=waiting&client_address={client}");
    let waited = try_join_all((0..4).map(|_| made.look(server, &query))).await?;
    let told = waited.iter().filter(|(_, ticket)| ticket.retry_after.is_some()).count();
    let (answer, _) = waited.first().ok_or_else(|| made.answer.instead_of("four answers"))?;
    answer.expect(told == 1, format!("retry_after in one of four answers; it was in {told}"))
}

async fn only_the_first_who_scans_goes_on(server: &Server) -> Result<()> {
    let (first, second) = (somebody(), somebody());
    let made = begin(server).await?;
    made.done(server, "scan", &scan(&first)).await?;
    for (answer, came) in [
        made.say(server, "scan", &scan(&second)).await?,
        made.say(server, "confirm", &confirm(&second)).await?,
        made.say(server, "cancel", &cancel(&second)).await?,
    ] {
        answer.expect(came == ScanAnswer::Taken, "taken, for somebody else has scanned it")?;
    }
    made.done(server, "confirm", &confirm(&first)).await.map(drop)
}

async fn of_ten_who_scan_at_once_one_has_it(server: &Server) -> Result<()> {
    let made = begin(server).await?;
    let scans: Vec<_> = (0..10).map(|_| scan(&somebody())).collect();
    let scanned = try_join_all(scans.iter().map(|scan| made.say(server, "scan", scan))).await?;
    let has_it = scanned.iter().filter(|(_, came)| matches!(came, ScanAnswer::Done { .. })).count();
    let is_taken = scanned.iter().filter(|(_, came)| *came == ScanAnswer::Taken).count();
    let told = || format!("done once and taken nine times of ten; it was done {has_it} times and taken {is_taken} times");
    made.answer.expect((has_it, is_taken) == (1, 9), told())
}

async fn whoever_confirms_what_nobody_has_scanned_has_scanned_it(server: &Server) -> Result<()> {
    let somebody = somebody();
    let made = begin_as(server, &CreateTicket { purpose: TicketPurpose::Launch, number: None, ..to_scan(server) }).await?;
    let (answer, confirmed) = made.done(server, "confirm", &confirm(&somebody)).await?;
    answer.expect(confirmed.state == TicketState::Confirmed, "the state confirmed")?;
    let (answer, came) = made.say(server, "scan", &scan(&self::somebody())).await?;
    answer.expect(came == ScanAnswer::Taken, "taken")
}

async fn the_same_person_may_say_the_same_again(server: &Server) -> Result<()> {
    let somebody = somebody();
    let made = begin(server).await?;
    let (_, scanned) = made.done(server, "scan", &scan(&somebody)).await?;
    let (answer, again) = made.done(server, "scan", &scan(&somebody)).await?;
    answer.expect(again == scanned, "the same answer as to the first scan")?;
    let (_, confirmed) = made.done(server, "confirm", &confirm(&somebody)).await?;
    let later = TicketIdentity { phone_number: Some("+8613800138000".into()), ..somebody.clone() };
    let (answer, again) = made.done(server, "confirm", &confirm(&later)).await?;
    answer.expect(again == confirmed, "the same answer as to the first confirmation")?;
    let (answer, redeemed) = made.redeem(server, &redeemer(server)).await?;
    answer.expect(redeemed == RedeemAnswer::Redeemed { identity: Some(somebody.clone()) }, "the identity of the first confirmation")?;
    made.done(server, "confirm", &confirm(&somebody)).await.map(drop)
}

async fn a_person_may_refuse_until_it_is_redeemed(server: &Server) -> Result<()> {
    let somebody = somebody();
    for before in ["", "scan", "confirm"] {
        let made = begin(server).await?;
        match before {
            "scan" => drop(made.done(server, "scan", &scan(&somebody)).await?),
            "confirm" => drop(made.done(server, "confirm", &confirm(&somebody)).await?),
            _ => {}
        }
        for _ in 0..2 {
            let (answer, cancelled) = made.done(server, "cancel", &cancel(&somebody)).await?;
            answer.expect(cancelled.state == TicketState::Cancelled, "the state cancelled")?;
        }
        let (answer, came) = made.say(server, "confirm", &confirm(&somebody)).await?;
        answer.expect(came == ScanAnswer::Settled, "settled, for the person has refused")?;
        made.is_not_confirmed(server, TicketState::Cancelled).await?;
    }
    let made = begin(server).await?;
    made.done(server, "confirm", &confirm(&somebody)).await?;
    made.redeem(server, &redeemer(server)).await?;
    let (answer, came) = made.say(server, "cancel", &cancel(&somebody)).await?;
    answer.expect(came == ScanAnswer::Settled, "settled, for it was redeemed")
}

async fn a_person_of_another_app_finds_no_ticket(server: &Server) -> Result<()> {
    let made = begin(server).await?;
    let elsewhere = TicketIdentity { app_id: "wx00000000c0f00004".into(), ..somebody() };
    server.post(&made.path("scan"), &scan(&elsewhere)).await?.problem(404, "not-found")?;
    server.post(&made.path("confirm"), &confirm(&elsewhere)).await?.problem(404, "not-found")?;
    server.post(&made.path("cancel"), &cancel(&elsewhere)).await?.problem(404, "not-found")?;
    made.is(server, TicketState::Waiting).await
}

async fn only_the_verifier_and_the_application_redeem(server: &Server) -> Result<()> {
    let somebody = somebody();
    let made = begin(server).await?;
    made.done(server, "confirm", &confirm(&somebody)).await?;
    let right = redeemer(server);
    for wrong in [
        RedeemTicket { verifier: fresh_name(), ..right.clone() },
        RedeemTicket { verifier: CHALLENGE.into(), ..right.clone() },
        RedeemTicket { application: format!("{}-other", right.application), ..right.clone() },
    ] {
        server.post(&made.path("redeem"), &wrong).await?.problem(404, "not-found")?;
    }
    let (answer, redeemed) = made.redeem(server, &right).await?;
    answer.expect(redeemed == RedeemAnswer::Redeemed { identity: Some(somebody) }, "redeemed, for those who were wrong took nothing")
}

async fn of_twenty_who_redeem_at_once_one_gets_the_person(server: &Server) -> Result<()> {
    let made = begin(server).await?;
    made.done(server, "confirm", &confirm(&somebody())).await?;
    let redeemers: Vec<_> = (0..20).map(|_| redeemer(server)).collect();
    let redeemed = try_join_all(redeemers.iter().map(|redeemer| made.redeem(server, redeemer))).await?;
    let got = redeemed.iter().filter(|(_, came)| matches!(came, RedeemAnswer::Redeemed { .. })).count();
    let used = redeemed.iter().filter(|(_, came)| *came == RedeemAnswer::Used).count();
    made.answer
        .expect((got, used) == (1, 19), format!("redeemed once and used 19 times of 20; it was redeemed {got} times and used {used} times"))
}

async fn the_same_redemption_gets_the_same_answer(server: &Server) -> Result<()> {
    let made = begin(server).await?;
    made.done(server, "confirm", &confirm(&somebody())).await?;
    let redeemer = redeemer(server);
    let (_, first) = made.redeem(server, &redeemer).await?;
    let (answer, again) = made.redeem(server, &redeemer).await?;
    answer.expect(again == first, "the answer of the first time")?;
    let (answer, other) = made.redeem(server, &self::redeemer(server)).await?;
    answer.expect(other == RedeemAnswer::Used, "used, for another redemption was first")
}

async fn what_was_confirmed_before_is_not_redeemed_after(server: &Server) -> Result<()> {
    let (here, there) = (somebody(), somebody());
    let (withdrawn, newer, another) = (begin(server).await?, begin(server).await?, begin(server).await?);
    withdrawn.done(server, "confirm", &confirm(&here)).await?;
    let (_, confirmed) = newer.done(server, "confirm", &confirm(&there)).await?;
    another.done(server, "confirm", &confirm(&somebody())).await?;
    let confirmed_at = confirmed.expires_at.saturating_sub(COLLECT_SECONDS);
    let by = |identity: &TicketIdentity, at| WithdrawAuthorization {
        pools: vec![server.target.pool.clone()],
        platform: "main".into(),
        app_id: identity.app_id.clone(),
        openid: identity.openid.clone(),
        unionid: None,
        reason: Withdrawal::Revoked,
        at,
    };
    withdraw(server, &by(&here, confirmed_at)).await?;
    withdraw(server, &by(&there, confirmed_at.saturating_sub(1))).await?;
    withdrawn.is(server, TicketState::Cancelled).await?;
    withdrawn.is_not_confirmed(server, TicketState::Cancelled).await?;
    for (made, whose) in [(newer, "what was confirmed after the consent was withdrawn"), (another, "what somebody else has confirmed")] {
        let (answer, came) = made.redeem(server, &redeemer(server)).await?;
        answer.expect(matches!(came, RedeemAnswer::Redeemed { .. }), format!("redeemed: {whose}"))?;
    }
    Ok(())
}

/// A ticket that was made.
struct Made {
    name: String,
    expires_at: u64,
    answer: Answer,
}

impl Made {
    fn path(&self, step: &str) -> String {
        let slash = if step.is_empty() { "" } else { "/" };
        format!("/v1/tickets/{}{slash}{step}", self.name)
    }

    async fn look(&self, server: &Server, query: &str) -> Result<(Answer, Ticket)> {
        let answer = server.get(&format!("{}{query}", self.path(""))).await?;
        let ticket = answer.json("a Ticket")?;
        Ok((answer, ticket))
    }

    async fn is(&self, server: &Server, state: TicketState) -> Result<()> {
        let (answer, ticket) = self.look(server, "").await?;
        answer.expect(ticket.state == state, format!("the state {}", json!(state)))
    }

    async fn is_not_confirmed(&self, server: &Server, state: TicketState) -> Result<()> {
        let (answer, came) = self.redeem(server, &redeemer(server)).await?;
        answer.expect(came == RedeemAnswer::NotConfirmed { state }, format!("not_confirmed, with the state {}", json!(state)))
    }

    async fn say(&self, server: &Server, step: &str, body: &impl Serialize) -> Result<(Answer, ScanAnswer)> {
        let answer = server.post(&self.path(step), body).await?;
        let came = answer.json("a ScanAnswer")?;
        Ok((answer, came))
    }

    async fn done(&self, server: &Server, step: &str, body: &impl Serialize) -> Result<(Answer, Ticket)> {
        match self.say(server, step, body).await? {
            (answer, ScanAnswer::Done { ticket }) => Ok((answer, *ticket)),
            (answer, _) => Err(answer.instead_of("done")),
        }
    }

    async fn redeem(&self, server: &Server, redeemer: &RedeemTicket) -> Result<(Answer, RedeemAnswer)> {
        let answer = server.post(&self.path("redeem"), redeemer).await?;
        let came = answer.json("a RedeemAnswer")?;
        Ok((answer, came))
    }
}

async fn begin(server: &Server) -> Result<Made> {
    begin_as(server, &to_scan(server)).await
}

async fn begin_as(server: &Server, ticket: &CreateTicket) -> Result<Made> {
    let answer = server.post("/v1/tickets", ticket).await?;
    if answer.status() == 404 {
        return Err(Ending::NotOffered("the resolver keeps no tickets: POST /v1/tickets is 404".to_owned()));
    }
    match answer.json("a CreateTicketAnswer")? {
        CreateTicketAnswer::Created { ticket: name, expires_at } => Ok(Made { name, expires_at, answer }),
        CreateTicketAnswer::TooMany { .. } => Err(answer.instead_of("created, for a client that has made no ticket before")),
    }
}

fn to_scan(server: &Server) -> CreateTicket {
    let target = &server.target;
    CreateTicket {
        purpose: TicketPurpose::Scan,
        pool: target.pool.clone(),
        application: target.application.clone(),
        connector: target.connector.clone(),
        app_id: APP.into(),
        challenge: CHALLENGE.into(),
        number: Some("42".into()),
        client: Some("Chrome, Windows".into()),
        // No address, but what nobody else has: limits are counted by it.
        client_address: Some(fresh_session()),
        lifetime_seconds: LIFETIME,
    }
}

fn somebody() -> TicketIdentity {
    TicketIdentity {
        app_id: APP.into(),
        openid: fresh_name(),
        unionid: Some(fresh_name()),
        profile: Some(resolver_api::Profile { nickname: Some("小明😀".into()), picture: None }),
        phone_number: None,
    }
}

fn scan(identity: &TicketIdentity) -> ScanTicket {
    ScanTicket { platform: "main".into(), identity: identity.clone(), client_address: None }
}

fn confirm(identity: &TicketIdentity) -> ConfirmTicket {
    ConfirmTicket { identity: identity.clone(), client_address: None }
}

fn cancel(identity: &TicketIdentity) -> CancelTicket {
    CancelTicket { app_id: identity.app_id.clone(), openid: identity.openid.clone(), client_address: None }
}

fn redeemer(server: &Server) -> RedeemTicket {
    let application = server.target.application.clone();
    RedeemTicket { verifier: VERIFIER.into(), application, redemption: fresh_session(), client_address: None }
}
