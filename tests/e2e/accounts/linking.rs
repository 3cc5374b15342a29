//! Linking another WeChat to one's account, and how others would like to have theirs linked to it.

use wxgate_tests::visitor::WECHAT;
use wxgate_tests::{Answer, Stack, Visitor};

use super::{METHODS, browser, logged_in};

/// Asks on the person's own page to link: gives the address of WeChat's page.
async fn ask_to_link(visitor: &Visitor, connector: &str) -> String {
    let page = visitor.navigate("/wxgate/account").await;
    page.assert_status(200);
    let answer = visitor.answer(&page, "link", &[("connector", connector)]).await;
    answer.assert_status(303);
    answer.location().to_owned()
}

async fn identities(visitor: &Visitor) -> usize {
    let account = visitor.api("/wxgate/account").await;
    account.assert_status(200);
    account.json()["account"]["identities"].as_array().expect("identities").len()
}

#[tokio::test]
async fn another_wechat_becomes_a_way_into_the_account() {
    let stack = Stack::start().await;
    for ((connector, _, other), (owner, more)) in METHODS.into_iter().zip([("xiaoming", "xiaohong"), ("lilei", "hanmeimei")]) {
        for person in [owner, more] {
            super::newcomer(&stack, person);
        }
        let visitor = browser(&stack, connector);
        visitor.login(connector, owner).await;
        let (sub, before) = (visitor.whoami().await.sub().to_owned(), visitor.session());

        let url = ask_to_link(&visitor, connector).await;
        let back = visitor.navigate(&visitor.allow(&url, more)).await;

        back.assert_goes_to("/wxgate/account");
        let page = visitor.navigate(back.location()).await;
        assert!(page.text().contains("Linked: this WeChat can log in"), "{page}");
        assert_eq!(identities(&visitor).await, 2);
        assert_ne!(visitor.session(), before, "it was a login, too");
        assert_eq!(visitor.whoami().await.sub(), sub);
        assert_eq!(visitor.whoami().await.text("name"), owner, "nobody is renamed by what is linked");
        for connector in [connector, other] {
            assert_eq!(logged_in(&stack, connector, more).await, sub, "by every method of the platform");
            assert_eq!(logged_in(&stack, connector, owner).await, sub);
        }
    }
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

/// ACC-10.
#[tokio::test]
async fn a_wechat_that_belongs_to_somebody_is_not_moved_silently() {
    let stack = Stack::start().await;
    let taken = logged_in(&stack, "pc", "xiaohong").await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let sub = visitor.whoami().await.sub().to_owned();

    let url = ask_to_link(&visitor, "pc").await;
    visitor.navigate(&visitor.allow(&url, "xiaohong")).await.assert_failure(409, "identity_taken");

    assert_eq!((visitor.whoami().await.sub(), identities(&visitor).await), (sub.as_str(), 1));
    assert_eq!(logged_in(&stack, "pc", "xiaohong").await, taken);
    let url = ask_to_link(&visitor, "pc").await;
    visitor.navigate(&visitor.allow(&url, "xiaoming")).await.assert_goes_to("/wxgate/account");
    assert_eq!(identities(&visitor).await, 1, "one's own is linked already");
    stack.finish().await;
}

/// ACC-09.
#[tokio::test]
async fn no_other_page_and_no_address_makes_a_link() {
    let stack = Stack::start().await;
    let victim = stack.visitor();
    victim.login("pc", "xiaoming").await;
    let page = ("content-type", "application/x-www-form-urlencoded");
    let cases: [&[(&str, &str)]; 6] = [
        &[page],
        &[page, ("origin", "null")],
        &[page, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[page, ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[("content-type", "text/plain"), ("origin", "https://evil.example")],
        &[("content-type", "application/json"), ("origin", "https://evil.example")],
    ];
    for headers in cases {
        for action in ["action=link&connector=pc", "action=sign_out_everywhere", r#"{"action":"link","connector":"pc"}"#] {
            let answer = victim.send("POST", "/wxgate/account", headers, action.as_bytes()).await;
            assert!(matches!(answer.status, 400 | 403 | 415), "{headers:?} {action}: {answer}");
            assert_eq!(victim.attempts(), [], "{headers:?} {action}");
        }
    }
    for address in ["/wxgate/account?action=link&connector=pc", "/wxgate/account?action=sign_out_everywhere"] {
        victim.navigate(address).await.assert_status(200);
        assert_eq!(victim.attempts(), []);
    }
    // A start that says of itself that it is to link is a login like any other.
    let url = victim.start("pc", "/wxgate/account").await;
    victim.navigate(&victim.allow(&url, "xiaohong")).await.assert_goes_to("/wxgate/account");
    assert_eq!((identities(&victim).await, stack.accounts().await), (1, 2));
    stack.finish().await;
}

/// ACC-09: the callback that links is good in one session of one browser.
#[tokio::test]
async fn nobody_finishes_the_link_that_somebody_else_began() {
    let stack = Stack::start().await;
    let (attacker, victim) = (stack.visitor(), stack.visitor());
    attacker.login("pc", "xiaohong").await;
    victim.login("pc", "xiaoming").await;
    super::newcomer(&stack, "second");

    // The victim's browser is made to load the attacker's callback ...
    let url = ask_to_link(&attacker, "pc").await;
    let callback = attacker.allow(&url, "second");
    let answer = victim.navigate(&callback).await;
    assert!(answer.status < 500, "{answer}");
    // ... even with the attacker's cookies planted beside its own session.
    for (name, value) in attacker.attempts() {
        victim.set_cookie(&name, &value);
    }
    victim.navigate(&callback).await.assert_failure(409, "link_interrupted");
    assert_eq!(identities(&victim).await, 1);

    // Who logs in as somebody else in between links nothing to them, nor to who it was.
    let url = ask_to_link(&attacker, "pc").await;
    attacker.submit("/wxgate/logout", "").await.assert_status(303);
    attacker.navigate(&attacker.allow(&url, "second")).await.assert_failure(409, "link_interrupted");
    attacker.login("pc", "xiaohong").await.assert_status(200);
    let url = ask_to_link(&attacker, "pc").await;
    let other = attacker.start("pc", "/orders").await;
    attacker.navigate(&attacker.allow(&other, "xiaoming")).await.assert_goes_to("/orders");
    attacker.navigate(&attacker.allow(&url, "second")).await.assert_failure(409, "link_interrupted");
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

#[tokio::test]
async fn a_link_is_to_the_account_that_asked_whatever_the_policy_says_of_strangers() {
    let stack = Stack::start().await;
    let visitor = stack.visitor().calling_itself(WECHAT);
    visitor.login("in-wechat", "xiaoming").await;
    let sub = visitor.whoami().await.sub().to_owned();
    for policy in [super::ask(&["password"], true), serde_json::json!({"registration": "closed"})] {
        stack.resolver.set_policy("in-wechat", policy).await;
        super::newcomer(&stack, "second");
        let url = ask_to_link(&visitor, "in-wechat").await;
        let back: Answer = visitor.navigate(&visitor.allow(&url, "second")).await;
        back.assert_goes_to("/wxgate/account");
    }
    assert_eq!(logged_in(&stack, "in-wechat", "second").await, sub);
    stack.finish().await;
}
