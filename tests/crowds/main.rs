//! Browsers that wait for a scan, by the thousand: they come, ask, and go without a word, and nobody else notices.
//!
//! A program of its own, and one story after the other: a crowd takes nearly all the files and sockets that a process may have.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::MissedTickBehavior;
use wxgate_tests::scan::Code;
use wxgate_tests::scan::ScanMethod::MiniProgramQr;
use wxgate_tests::wechat_sim::Person;
use wxgate_tests::{Builder, Fault, Stack, Visitor, Wire, allow_open_files, eventually};

/// The longest that a request waits for the next step, and what a busy machine adds.
const HOLD: Duration = Duration::from_secs(20);

/// One crowd at a time.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// Calls have ten seconds: a login that finds no place is refused at once, and one that a crowd slows down on a busy machine is none that it costs.
fn shop() -> Builder {
    Stack::builder().scans(MiniProgramQr).config(|config| {
        config["wechat"]["timeout_ms"] = 10_000.into();
        config["resolver"]["timeout_ms"] = 10_000.into();
    })
}

/// Requests that wait at the resolver, as Envoy counts them.
async fn under_way(stack: &Stack) -> u64 {
    stack.count("cluster.wxgate_resolver_waiting.upstream_rq_active").await
}

/// What a browser that shows this code asks, as it stands on the wire.
fn question(stack: &Stack, visitor: &Visitor, code: &Code, known: &str) -> Vec<u8> {
    let cookies: Vec<_> = visitor.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let lines = ["accept: application/json".to_owned(), format!("cookie: {}", cookies.join("; "))];
    stack.head("GET", format!("{}{known}", code.poll), &lines)
}

/// D-06, QRL-08, RLX-09, O9, with the limits as they are shipped. The crowd asks from a thousand addresses, three times from each, so that the
/// resolver keeps all of them waiting, which is twelve times what its other cluster has room for. Half of them close and half are cut off, and
/// none has read a byte. Those who come meanwhile are told the state at once; they read late, and have their answer all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_thousand_pollers_that_vanish_cost_not_one_login() {
    const PEOPLE: usize = 4;
    let _alone = alone().await;
    // Each poller is a socket here, and where it waits two of the wire's and one of the resolver's; and two in Envoy. A machine
    // that allows fewer files has a smaller crowd.
    let vanish = usize::try_from((allow_open_files(20_000) - 500) / 6).unwrap();
    let stay = vanish / 2;
    let stack = shop().without_rate_limit().start().await;
    for number in 0..PEOPLE {
        stack.wechat.put_person(&format!("person-{number}"), Person::new("Somebody")).unwrap();
    }
    let visitor = stack.visitor();
    let code = visitor.show_code("scan", "/orders?page=2").await;
    let scene = visitor.read(&code).await;
    let request = question(&stack, &visitor, &code, "&known=waiting");
    let poll = async |number: usize| {
        let own = [127, 1, u8::try_from(number % 1000 / 250).unwrap(), u8::try_from(1 + number % 250).unwrap()];
        let mut wire = Wire::connect_from(own.into(), stack.envoys[0].address).await;
        wire.send(&request).await;
        wire
    };

    let is_over = Cell::new(false);
    let come_and_go = async {
        let mut vanishing = Vec::new();
        for number in 0..vanish {
            vanishing.push(poll(number).await);
        }
        // On a busy machine the first have their answers before the last have asked.
        eventually(HOLD, "a crowd waits", async || (stack.resolver.waiting() > vanish / 3).then_some(())).await;
        // Whoever scans meanwhile needs no place of theirs. While Envoy still connects for the crowd, a page may be told to come back.
        let desk = stack.visitor();
        let code = desk.show_code("scan", "/orders?page=2").await;
        stack.phone(MiniProgramQr, "xiaohong").confirm(&desk.read(&code).await).await;
        let done = async || Some(desk.look(&code).await).filter(|told| told["state"] == "done");
        let told = eventually(HOLD, "the scan is told amid the crowd", done).await;
        desk.navigate(told["location"].as_str().expect("a way on")).await.assert_status(200);
        let mut staying = Vec::new();
        for number in 0..stay {
            staying.push(poll(number).await);
        }
        for (number, wire) in vanishing.into_iter().enumerate() {
            if number % 2 == 0 { drop(wire) } else { wire.reset() }
        }
        for mut wire in staying {
            let told = wire.answer().await.expect("an answer").assert_status(200).json();
            assert_eq!(told["state"], "waiting", "{told}");
        }
        eventually(HOLD, "every place is free again", async || {
            (under_way(&stack).await == 0 && stack.resolver.waiting() == 0).then_some(())
        })
        .await;
        is_over.set(true);
    };
    let logins_go_on = async {
        // Slow enough for WeChat's quota for one person.
        let mut pace = tokio::time::interval(Duration::from_millis(200));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut logins = 0;
        while !is_over.get() {
            pace.tick().await;
            stack.visitor().login("pc", &format!("person-{}", logins % PEOPLE)).await.assert_status(200);
            logins += 1;
        }
        logins
    };
    let ((), logins) = tokio::join!(come_and_go, logins_go_on);
    assert!(logins >= 5, "{logins} logins meanwhile");

    let connections = async || stack.count("^http.https.downstream_cx_active$").await;
    eventually(HOLD, "the connections of the crowd are closed", async || (connections().await < 10).then_some(())).await;
    stack.phone(MiniProgramQr, "xiaoming").confirm(&scene).await;
    visitor.collect(&code).await.assert_status(200);
    stack.finish().await;
}

/// Where the cluster itself is full, a page hears at once what it knows already, and its login ends as soon as there is a place.
#[tokio::test]
async fn where_no_place_is_left_a_page_is_told_to_come_back_and_logins_go_on() {
    const PLACES: u64 = 20;
    let _alone = alone().await;
    let few_places = |envoy: &mut Value| {
        let clusters = envoy["static_resources"]["clusters"].as_array_mut().unwrap();
        let waiting = clusters.iter_mut().find(|cluster| cluster["name"] == "wxgate_resolver_waiting").unwrap();
        for bound in ["max_connections", "max_pending_requests", "max_requests"] {
            waiting["circuit_breakers"]["thresholds"][0][bound] = PLACES.into();
        }
    };
    let stack = shop().without_rate_limit().envoy(few_places).start().await;
    let visitor = stack.visitor();
    let code = visitor.show_code("scan", "/orders?page=2").await;
    let scene = visitor.read(&code).await;
    // The resolver holds every one of these questions for as long as Envoy lets it.
    stack.resolver_wire.set_on(&format!("/v1/tickets/{scene}?wait_ms"), Fault::Silence).await;
    let request = question(&stack, &visitor, &code, "&known=waiting");
    for _ in 0..PLACES * 2 {
        Wire::connect(stack.envoys[0].address).await.send(&request).await;
    }
    eventually(HOLD, "every place is taken", async || (under_way(&stack).await >= PLACES).then_some(())).await;

    let come_back = json!({"state": "waiting", "retry_after": 2});
    assert_eq!(visitor.look_beyond(&code, "waiting").await, come_back);
    for person in ["xiaoming", "xiaohong"] {
        stack.visitor().login("pc", person).await.assert_status(200);
    }
    stack.phone(MiniProgramQr, "xiaoming").confirm(&scene).await;
    assert_eq!(visitor.look_beyond(&code, "waiting").await, come_back);
    stack.resolver_wire.set(Fault::None).await;
    let told =
        eventually(HOLD, "there is a place", async || Some(visitor.look_beyond(&code, "waiting").await).filter(|told| *told != come_back));
    assert_eq!(told.await["state"], "done");
    stack.finish().await;
}

/// QRL-08: a browser that asks as fast as it can. The shipped limit is for its address alone, and passes.
#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_nobody_else_waits_for_it() {
    const EAGER: usize = 16;
    const EACH: usize = 100;
    let _alone = alone().await;
    let stack = shop().start().await;
    let eager = stack.visitor().calling_from("127.0.0.9");
    let code = eager.show_code("scan", "/orders?page=2").await;
    let scene = eager.read(&code).await;
    let request = question(&stack, &eager, &code, "");
    let polls = (0..EAGER).map(|_| {
        let (envoy, request) = (stack.envoys[0].address, request.clone());
        tokio::spawn(async move {
            let (mut wire, mut answers) = (Wire::connect_from([127, 0, 0, 9].into(), envoy).await, Vec::new());
            for _ in 0..EACH {
                wire.send(&request).await;
                answers.push(wire.answer().await.expect("an answer"));
            }
            answers
        })
    });
    let mut limited = 0;
    for poll in polls.collect::<Vec<_>>() {
        for answer in poll.await.unwrap() {
            if answer.status == 429 {
                assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
                limited += 1;
            } else {
                assert_eq!(answer.assert_status(200).json()["state"], "waiting");
            }
        }
    }
    assert!(limited > EAGER * EACH / 4, "{limited} were over the limit");
    let other = stack.visitor();
    assert_eq!(other.look(&other.show_code("scan", "/").await).await["state"], "waiting");
    other.login("pc", "xiaohong").await.assert_status(200);

    stack.phone(MiniProgramQr, "xiaoming").confirm(&scene).await;
    let collected = async || Some(eager.api(&code.poll).await).filter(|answer| answer.status != 429);
    let told = eventually(HOLD, "the limit passes", collected).await;
    assert_eq!(told.assert_status(200).json()["state"], "done");
    stack.finish().await;
}
