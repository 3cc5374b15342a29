//! Whose account a scan logs in to, and what it asks first.

use serde_json::{Value, json};
use wxgate_tests::scan::{Code, ScanMethod};
use wxgate_tests::visitor::{PENDING, SESSION, WECHAT};
use wxgate_tests::wechat_sim::Person;
use wxgate_tests::{Answer, Stack, Visitor, forms};

use super::{PAGE, confirmed, logged_in, shop, shown, start};
use crate::accounts::candidate;
use crate::native::{self, Client};

by_both![
    a_new_person_scans_confirms_and_lands_on_the_page_that_was_asked_for,
    a_person_is_the_same_account_by_every_method_of_the_platform,
    the_screen_shows_whom_it_waits_for_where_they_were_here_before,
    a_person_proves_an_account_after_the_scan_and_before_the_session,
    who_has_no_account_makes_one_after_the_scan,
    who_has_two_accounts_chooses_once,
    whoever_may_not_log_in_is_told_on_the_computer,
    another_wechat_is_linked_by_a_scan,
];

async fn a_new_person_scans_confirms_and_lands_on_the_page_that_was_asked_for(method: ScanMethod) {
    let stack = shop(method).await;
    let visitor = stack.visitor();
    let (code, text) = shown(&visitor, method).await;
    assert_eq!(visitor.attempts().len(), 1);

    // The browser waits while the person takes out the phone.
    let phone = stack.phone(method, "xiaoming");
    let (seen, question) = tokio::join!(visitor.look_beyond(&code, "waiting"), phone.scan(&text));
    assert_eq!(seen["state"], "scanned");
    let question = question.unwrap();
    for fact in ["shop", &stack.origin, &code.number, "Chrome, Linux", "127.0.0.1"] {
        assert!(question.text().contains(fact), "{fact} in {question}");
    }
    assert_eq!(visitor.look(&code).await["state"], "scanned", "to be asked is not to agree");
    let (seen, answered) = tokio::join!(visitor.look_beyond(&code, "scanned"), phone.answer(&question, "confirm"));
    answered.assert_status(200);
    assert_eq!(seen, json!({"state": "done", "location": format!("{}{PAGE}", stack.origin)}));

    let page = visitor.navigate(seen["location"].as_str().unwrap()).await;
    assert_eq!(page.assert_status(200).json()["path"], PAGE);
    let connector = method.connector();
    assert_eq!((visitor.whoami().await.text("connector"), visitor.attempts().len()), (connector, 0));
    assert_eq!(phone.browser.cookies(), [], "the phone is not logged in by this");
    assert_eq!((stack.accounts().await, stack.new_users().await), (1, 1));
    for step in ["started", "scanned", "confirmed", "collected"] {
        assert_eq!(stack.count(&format!("wxgate_scans_total.*{connector}.*{step}")).await, 1, "{step}");
    }
    stack.finish().await;
}

async fn a_person_is_the_same_account_by_every_method_of_the_platform(method: ScanMethod) {
    let stack = start(native::builder(), &ScanMethod::ALL).await;
    let sub = logged_in(&stack, method, "xiaoming").await;
    for again in [method].into_iter().chain(ScanMethod::ALL) {
        assert_eq!(logged_in(&stack, again, "xiaoming").await, sub, "{again:?}");
    }
    for (connector, visitor) in [("pc", stack.visitor()), ("in-wechat", stack.visitor().calling_itself(WECHAT))] {
        visitor.login(connector, "xiaoming").await.assert_status(200);
        assert_eq!(visitor.whoami().await.sub(), sub, "{connector}");
    }
    let client = Client::of(&stack);
    for connector in ["app", "mini", "launch"] {
        let session = client.login(connector, "xiaoming").await;
        assert_eq!(client.who(&session).await.sub(), sub, "{connector}");
    }
    assert_ne!(logged_in(&stack, method, "xiaohong").await, sub);
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 2));
    stack.finish().await;
}

async fn the_screen_shows_whom_it_waits_for_where_they_were_here_before(method: ScanMethod) {
    let stack = shop(method).await;
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);
    let (visitor, other) = (stack.visitor(), stack.visitor());
    let (code, text) = shown(&visitor, method).await;
    stack.phone(method, "xiaoming").scan(&text).await.unwrap();
    let seen = visitor.look(&code).await;
    assert_eq!((&seen["state"], &seen["name"]), (&json!("scanned"), &json!("小*")));
    assert!(seen["picture"].as_str().is_some_and(|picture| picture.starts_with("https://thirdwx.qlogo.cn/")), "{seen}");
    other.api(&code.poll).await.assert_status(404);

    let (code, text) = shown(&other, method).await;
    stack.phone(method, "xiaohong").scan(&text).await.unwrap();
    let seen = other.look(&code).await;
    assert_eq!((&seen["state"], &seen["name"], &seen["picture"]), (&json!("scanned"), &Value::Null, &Value::Null), "a new person");
    stack.finish().await;
}

/// Scans as far as the question that is put to the person at the screen: gives the page that asks it.
async fn asked(stack: &Stack, visitor: &Visitor, method: ScanMethod, person: &str) -> Answer {
    let code = confirmed(stack, visitor, method, person).await;
    let told = visitor.look(&code).await;
    assert_eq!(told, json!({"state": "done", "location": format!("{}/wxgate/account", stack.origin)}));
    assert!(visitor.cookie(SESSION).is_none() && visitor.cookie(PENDING).is_some(), "nobody is logged in before the answer");
    let page = visitor.navigate("/wxgate/account").await;
    page.assert_status(200);
    page
}

/// The end of a login that was answered: the account.
async fn arrived(visitor: &Visitor, answer: &Answer) -> String {
    answer.assert_goes_to(PAGE);
    visitor.whoami().await.sub().to_owned()
}

fn ask(registration: &str) -> Value {
    json!({"binding": "ask", "methods": ["phone_code"], "registration": registration})
}

async fn a_person_proves_an_account_after_the_scan_and_before_the_session(method: ScanMethod) {
    let stack = shop(method).await;
    let sub = stack.resolver.create_user(json!({"phone_number": "+8613800138000", "phone_number_verified": true})).await;
    stack.resolver.set_policy(method.connector(), ask("closed")).await;
    let visitor = stack.visitor();
    let page = asked(&stack, &visitor, method, "xiaoming").await;
    assert!(!forms::offers(&page, "create"), "{page}");
    let page = visitor.answer(&page, "send_code", &[("method", "phone_code"), ("address", "13800138000")]).await;
    let letter = stack.resolver.outbox.letter_to("+8613800138000").await;
    let answer = visitor.answer(&page, "code", &[("code", &letter.code)]).await;

    assert_eq!(arrived(&visitor, &answer).await, sub);
    assert_eq!(logged_in(&stack, method, "xiaoming").await, sub, "from now on the scan is enough");
    let other = stack.visitor();
    other.login("pc", "xiaoming").await.assert_status(200);
    assert_eq!(other.whoami().await.sub(), sub, "and so is any other method");
    assert_eq!((stack.accounts().await, stack.new_users().await), (1, 0));
    stack.finish().await;
}

async fn who_has_no_account_makes_one_after_the_scan(method: ScanMethod) {
    let stack = shop(method).await;
    stack.resolver.set_policy(method.connector(), ask("open")).await;
    let visitor = stack.visitor();
    let page = asked(&stack, &visitor, method, "xiaoming").await;
    let answer = visitor.answer(&page, "create", &[]).await;
    let sub = arrived(&visitor, &answer).await;
    assert_eq!(visitor.whoami().await.text("connector"), method.connector());
    assert_eq!(logged_in(&stack, method, "xiaoming").await, sub);
    assert_eq!((stack.accounts().await, stack.new_users().await), (1, 1));
    stack.finish().await;
}

/// One account was made while the app was outside of the platform, the other by another app: now that the app has joined, the openid
/// is of one and the unionid of the other.
async fn who_has_two_accounts_chooses_once(method: ScanMethod) {
    let stack = shop(method).await;
    for (person, number, email, is_by_openid) in
        [("xiaoming", "+8613800138000", "xiaoming@example.com", true), ("xiaohong", "+8613900139000", "xiaohong@example.org", false)]
    {
        stack.wechat.unbind_app(method.app()).unwrap();
        let by_openid = logged_in(&stack, method, person).await;
        stack.wechat.bind_app(method.app(), "main").unwrap();
        let other = stack.visitor();
        other.login("pc", person).await.assert_status(200);
        let by_unionid = other.whoami().await.sub().to_owned();
        stack.resolver.change_user(&by_openid, json!({"phone_number": number, "phone_number_verified": true})).await;
        stack.resolver.change_user(&by_unionid, json!({"email": email, "email_verified": true})).await;

        let visitor = stack.visitor();
        let page = asked(&stack, &visitor, method, person).await;
        let (chosen, card) = if is_by_openid { (&by_openid, &number[number.len() - 4..]) } else { (&by_unionid, &email[8..]) };
        let answer = visitor.answer(&page, "choose", &[("account", &candidate(&page, card))]).await;
        assert_eq!(arrived(&visitor, &answer).await, *chosen);
        assert_eq!(logged_in(&stack, method, person).await, *chosen, "the question does not return");
    }
    assert_eq!(stack.accounts().await, 4);
    stack.finish().await;
}

async fn whoever_may_not_log_in_is_told_on_the_computer(method: ScanMethod) {
    let stack = shop(method).await;
    let sub = logged_in(&stack, method, "xiaoming").await;
    stack.resolver.disable_user(&sub).await;
    stack.resolver.set_policy(method.connector(), json!({"registration": "closed"})).await;
    stack.wechat.put_person("late", Person::new("late")).unwrap();
    for (person, error, en, zh) in [
        ("xiaoming", "user_disabled", "This account is disabled", "账号已停用"),
        ("late", "registration_closed", "There is no account for this WeChat yet", "此微信尚未开通账号"),
    ] {
        let visitor = stack.visitor();
        let code = confirmed(&stack, &visitor, method, person).await;
        let told = visitor.look(&code).await;
        assert_eq!((&told["state"], &told["error"]), (&json!("failed"), &json!(error)));
        assert_eq!((&told["title"]["en"], &told["title"]["zh"]), (&json!(en), &json!(zh)));
        assert_eq!(visitor.cookies(), []);
    }
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

async fn another_wechat_is_linked_by_a_scan(method: ScanMethod) {
    let stack = shop(method).await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let sub = visitor.whoami().await.sub().to_owned();
    let page = visitor.navigate("/wxgate/account").await;
    let began = visitor.answer(&page, "link", &[("connector", method.connector())]).await;
    let code = Code::on_page(began.assert_status(303).location());
    let text = visitor.read(&code).await;
    stack.phone(method, "xiaohong").confirm(&text).await;
    visitor.navigate(&code.poll).await.assert_goes_to("/wxgate/account");
    assert_eq!(visitor.whoami().await.sub(), sub);
    let other = stack.visitor();
    other.login("pc", "xiaohong").await.assert_status(200);
    assert_eq!((other.whoami().await.sub(), stack.accounts().await), (sub.as_str(), 1));
    stack.finish().await;
}
