//! Many at once, several workers and Envoys, and a resolver that goes and comes back.

use serde_json::{Value, json};
use wxgate_tests::Stack;
use wxgate_tests::scan::{Refusal, ScanMethod};
use wxgate_tests::visitor::SESSION;

use super::{PAGE, shop, shown, start};

by_both![
    of_fifty_who_collect_at_once_one_gets_the_session,
    a_scan_goes_on_where_it_was_when_the_resolver_is_back,
    two_envoys_of_four_workers_are_one_to_the_browser_to_the_phone_and_to_wechat,
];

/// QRL-04, on four workers.
async fn of_fifty_who_collect_at_once_one_gets_the_session(method: ScanMethod) {
    let stack = start(Stack::builder().concurrency(4), &[method]).await;
    let (visitor, phone) = (stack.visitor(), stack.phone(method, "xiaoming"));
    let (code, text) = shown(&visitor, method).await;
    let question = phone.scan(&text).await.unwrap();
    // Some of them wait already when the person agrees.
    let mut collectors = Vec::new();
    for number in 0..50 {
        let (tab, path) = (visitor.stolen(), if number % 2 == 0 { code.poll.clone() } else { format!("{}&known=scanned", code.poll) });
        if number == 25 {
            phone.answer(&question, "confirm").await.assert_status(200);
        }
        collectors.push(tokio::spawn(async move {
            let mut told = tab.api(&path).await.assert_status(200).json();
            while told["state"] == "scanned" {
                told = tab.api(&path).await.assert_status(200).json();
            }
            (told, tab.cookie(SESSION))
        }));
    }
    let (mut sessions, mut used) = (Vec::new(), 0);
    for collector in collectors {
        let (told, session): (Value, _) = collector.await.unwrap();
        assert_eq!(told["state"] == "done", session.is_some(), "{told}");
        used += usize::from(told["error"] == "scan_used");
        sessions.extend(session);
    }
    assert_eq!((sessions.len(), used), (1, 49));
    assert_eq!((stack.accounts().await, stack.count("wxgate_logins_total.*signed_in").await), (1, 1));
    stack.finish().await;
}

/// It goes while nobody has scanned, while the person is asked, and while the browser has not collected.
async fn a_scan_goes_on_where_it_was_when_the_resolver_is_back(method: ScanMethod) {
    let mut stack = shop(method).await;
    let visitor = stack.visitor();
    let (code, text) = shown(&visitor, method).await;

    stack.resolver.stop().await;
    let told = visitor.look_beyond(&code, "waiting").await;
    assert_eq!((&told["state"], told["retry_after"].is_u64()), (&json!("waiting"), true), "{told}");
    assert_eq!(visitor.read(&code).await, text, "the code stands");
    assert_eq!(stack.phone(method, "xiaoming").scan(&text).await.unwrap_err(), Refusal::Unavailable);
    stack.resolver.start().await;
    let question = stack.phone(method, "xiaoming").scan(&text).await.unwrap();

    stack.resolver.stop().await;
    let told = visitor.look_beyond(&code, "scanned").await;
    assert_eq!((&told["state"], told["retry_after"].is_u64()), (&json!("scanned"), true), "{told}");
    stack.phone(method, "xiaoming").answer(&question, "confirm").await.assert_failure(503, "accounts_unavailable");
    stack.resolver.start().await;
    stack.phone(method, "xiaoming").answer(&question, "confirm").await.assert_status(200);

    stack.resolver.stop().await;
    let told = visitor.look_beyond(&code, "scanned").await;
    assert_eq!((&told["state"], visitor.cookie(SESSION)), (&json!("scanned"), None), "{told}");
    stack.resolver.start().await;
    visitor.collect(&code).await.assert_status(200);
    assert_eq!((visitor.whoami().await.text("connector"), stack.accounts().await), (method.connector(), 1));
    stack.finish().await;
}

/// A push arrives where WeChat gets through, and the browser waits wherever its connection has led it.
async fn two_envoys_of_four_workers_are_one_to_the_browser_to_the_phone_and_to_wechat(method: ScanMethod) {
    let stack = start(Stack::builder().envoys(2).concurrency(4), &[method]).await;
    for round in 0..4 {
        let (here, there) = (round % 2, 1 - round % 2);
        let visitor = stack.visitor().via(stack.envoys[here].address);
        let elsewhere = visitor.via(stack.envoys[there].address);
        let code = visitor.show_code(method.connector(), PAGE).await;
        let text = elsewhere.read(&code).await;
        let phone = stack.phone(method, "xiaoming").via(here);
        let (told, question) = tokio::join!(elsewhere.look_beyond(&code, "waiting"), phone.scan(&text));
        assert_eq!(told["state"], "scanned", "{round}");
        let (question, phone) = (question.unwrap(), phone.via(there));
        let (told, answered) = tokio::join!(visitor.look_beyond(&code, "scanned"), phone.answer(&question, "confirm"));
        answered.assert_status(200);
        assert_eq!(told["state"], "done", "{round}");
        assert_eq!(elsewhere.whoami().await.text("connector"), method.connector());
    }
    assert_eq!((stack.accounts().await, stack.count("wxgate_logins_total.*signed_in").await), (1, 4));
    stack.finish().await;
}
