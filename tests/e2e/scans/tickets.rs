//! What becomes of a code: what it says, who has scanned it first, how long it is good, and that it is good once.

use serde_json::json;
use wxgate_tests::scan::{Code, Refusal, ScanMethod};
use wxgate_tests::visitor::SESSION;

use super::{PAGE, confirmed, logged_in, shop, shown};

by_both![
    the_code_says_the_name_of_a_ticket_and_nothing_else,
    a_person_who_cancels_logs_nobody_in,
    a_code_that_is_too_old_logs_nobody_in,
    two_people_scan_and_the_first_one_has_it,
    what_was_good_once_is_not_good_again,
    without_a_script_it_is_a_page_with_a_link_to_look_again,
];

/// QRL-12.
async fn the_code_says_the_name_of_a_ticket_and_nothing_else(method: ScanMethod) {
    let stack = shop(method).await;
    let visitor = stack.visitor();
    let (first, _) = shown(&visitor, method).await;
    let (code, text) = shown(&visitor, method).await;
    let ticket = match method {
        ScanMethod::MiniProgramQr => text.clone(),
        // WeChat makes a code of its own of it.
        ScanMethod::OfficialAccountQr => stack.scene(),
    };
    let name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    assert!(ticket.len() == 22 && name(&ticket), "{ticket}");
    if method == ScanMethod::OfficialAccountQr {
        let id = text.strip_prefix("http://weixin.qq.com/q/").unwrap_or_else(|| panic!("no code of WeChat's: {text}"));
        assert!(name(id), "{id}");
    }
    // The browser knows another name, and nobody who sees the code knows that one.
    assert!(!code.told.to_string().contains(&ticket), "{}", code.told);
    let attempts = visitor.attempts();
    assert_eq!(attempts.len(), 2);
    let secrets = attempts.iter().map(|(_, value)| value.as_str()).chain([&code, &first].map(|code| code.told["scan"].as_str().unwrap()));
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
        for entry in stack.wechat.journal() {
            let sent = format!("{} {} {:?}", entry.query, entry.body, entry.headers);
            assert!(!sent.contains(secret), "{secret} in what WeChat got: {entry:?}");
        }
    }
    stack.finish().await;
}

async fn a_person_who_cancels_logs_nobody_in(method: ScanMethod) {
    let stack = shop(method).await;
    let (visitor, phone) = (stack.visitor(), stack.phone(method, "xiaoming"));
    let (code, text) = shown(&visitor, method).await;
    let question = phone.scan(&text).await.unwrap();
    let (seen, answered) = tokio::join!(visitor.look_beyond(&code, "scanned"), phone.answer(&question, "cancel"));
    answered.assert_status(200);
    assert_eq!(seen, json!({"state": "cancelled"}));
    // What is still open on the phone confirms nothing any more.
    phone.answer(&question, "confirm").await.assert_status(410);
    visitor.api(&code.poll).await.assert_failure(404, "attempt_missing");
    assert_eq!((stack.accounts().await, visitor.cookies().len()), (0, 0));
    stack.finish().await;
}

/// QRL-05. On which second is told by the resolver's own stories.
async fn a_code_that_is_too_old_logs_nobody_in(method: ScanMethod) {
    let stack = shop(method).await;
    let (visitor, phone) = (stack.visitor(), stack.phone(method, "xiaoming"));
    let [waiting, scanned] = [shown(&visitor, method).await, shown(&visitor, method).await];
    let question = phone.scan(&scanned.1).await.unwrap();
    let not_collected = confirmed(&stack, &visitor, method, "xiaoming").await;

    stack.resolver.set_clock_ahead(61);
    assert_eq!(visitor.look(&waiting.0).await["state"], "waiting");
    assert_eq!(visitor.look(&scanned.0).await["state"], "scanned");
    assert_eq!(visitor.look(&not_collected).await, json!({"state": "expired"}), "what is confirmed waits a minute to be collected");

    stack.resolver.set_clock_ahead(181);
    for (code, _) in [&waiting, &scanned] {
        assert_eq!(visitor.look(code).await, json!({"state": "expired"}));
        visitor.api(&code.poll).await.assert_failure(404, "attempt_missing");
    }
    phone.answer(&question, "confirm").await.assert_status(410);
    for (_, text) in [&waiting, &scanned] {
        assert_eq!(phone.scan(text).await.unwrap_err(), Refusal::Over);
    }
    assert_eq!((stack.accounts().await, visitor.cookies().len()), (0, 0));
    stack.finish().await;
}

async fn two_people_scan_and_the_first_one_has_it(method: ScanMethod) {
    let stack = shop(method).await;
    let visitor = stack.visitor();
    let people = ["xiaoming", "xiaohong"];
    let subs = [logged_in(&stack, method, people[0]).await, logged_in(&stack, method, people[1]).await];
    let phones = people.map(|person| stack.phone(method, person));
    let (code, text) = shown(&visitor, method).await;
    let answers: [_; 2] = tokio::join!(phones[0].scan(&text), phones[1].scan(&text)).into();
    let first = usize::from(answers[0].is_err());
    let question = answers[first].as_ref().expect("one of them is asked");
    assert_eq!(answers[1 - first].as_ref().unwrap_err(), &Refusal::Taken);
    assert_eq!(phones[1 - first].scan(&text).await.unwrap_err(), Refusal::Taken);
    phones[first].scan(&text).await.expect("who has it may scan it again");
    phones[first].answer(question, "confirm").await.assert_status(200);
    assert_eq!(phones[1 - first].scan(&text).await.unwrap_err(), Refusal::Taken, "also what is confirmed");
    visitor.collect(&code).await.assert_status(200);
    assert_eq!(visitor.whoami().await.sub(), subs[first]);
    stack.finish().await;
}

/// Whoever sends again what the phone has sent, or what the browser has sent, with everything that each of them had.
async fn what_was_good_once_is_not_good_again(method: ScanMethod) {
    let stack = shop(method).await;
    let (visitor, phone) = (stack.visitor(), stack.phone(method, "xiaoming"));
    let (code, text) = shown(&visitor, method).await;
    let question = phone.scan(&text).await.unwrap();
    phone.answer(&question, "confirm").await.assert_status(200);
    let thief = visitor.stolen();
    visitor.collect(&code).await.assert_status(200);

    // It is confirmed, and stays so.
    phone.answer(&question, "confirm").await.assert_status(200);
    phone.answer(&question, "cancel").await.assert_status(410);
    let again = thief.look(&code).await;
    assert_eq!((&again["state"], &again["error"]), (&json!("failed"), &json!("scan_used")));
    thief.api(&code.poll).await.assert_failure(404, "attempt_missing");
    visitor.api(&code.poll).await.assert_failure(404, "attempt_missing");
    assert_eq!(thief.cookie(SESSION), None);

    // Nor is it good for the next code on the same screen.
    let (next, _) = shown(&visitor, method).await;
    phone.answer(&question, "confirm").await.assert_status(200);
    assert_eq!(visitor.look(&next).await["state"], "waiting");
    assert_eq!((stack.accounts().await, stack.count("wxgate_logins_total.*signed_in").await), (1, 1));
    stack.finish().await;
}

async fn without_a_script_it_is_a_page_with_a_link_to_look_again(method: ScanMethod) {
    let stack = shop(method).await;
    let visitor = stack.visitor();
    let began = visitor.submit(&format!("/wxgate/scan/{}", method.connector()), "return_to=%2Forders%3Fpage%3D2").await;
    let code = Code::on_page(began.assert_status(303).location());
    let html = visitor.navigate(&code.poll).await.assert_status(200).text();
    let image = html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a code");
    assert!(code.image.ends_with(image), "{image}");
    let text = visitor.read(&code).await;
    stack.phone(method, "xiaoming").confirm(&text).await;
    visitor.navigate(&code.poll).await.assert_goes_to(PAGE);
    assert!(visitor.is_logged_in().await);
    // The back button.
    visitor.navigate(&code.poll).await.assert_goes_to("/");
    stack.finish().await;
}
