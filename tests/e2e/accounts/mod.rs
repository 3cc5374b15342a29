//! One person, one account, by every road: whose account a login is, what a person is asked, and what they may change.

mod addresses;
mod attacks;
mod binding;
mod choosing;
mod codes;
mod linking;
mod own_account;
mod quadrants;
mod races;

use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::visitor::{SESSION, WECHAT, split_url};
use wxgate_tests::{Answer, Stack, Visitor, forms};

/// Both methods: a connector, its app, and the other connector.
const METHODS: [(&str, &str, &str); 2] = [("pc", "wx0000000000000001", "in-wechat"), ("in-wechat", "wx0000000000000002", "pc")];

/// How long a session may outlive its end: `poll_seconds`, which is 1 here, the feed's own call, and a busy machine.
const BOUND: Duration = Duration::from_secs(8);

/// The page that everybody wants.
const PAGE: &str = "/orders?page=2";

/// A browser in which this connector works.
fn browser(stack: &Stack, connector: &str) -> Visitor {
    match connector {
        "in-wechat" => stack.visitor().calling_itself(WECHAT),
        _ => stack.visitor(),
    }
}

/// Logs in as far as the question that is put to the person: gives the page that asks it.
async fn asked(visitor: &Visitor, connector: &str, person: &str) -> Answer {
    let back = visitor.log_in_until_callback(PAGE, connector, person).await;
    back.assert_status(303);
    assert_eq!(split_url(back.location()).1.split(['?', '#']).next(), Some("/wxgate/account"), "{back}");
    assert_eq!(visitor.cookie(SESSION), None, "nobody is logged in before the answer");
    let page = visitor.navigate(back.location()).await;
    page.assert_status(200);
    page
}

/// The end of a login that was answered: the page that everybody wants, as this account.
async fn arrived(visitor: &Visitor, answer: &Answer) -> String {
    answer.assert_goes_to(PAGE);
    visitor.navigate(answer.location()).await.assert_status(200);
    visitor.whoami().await.sub().to_owned()
}

/// Logs in without any question: gives the account.
async fn logged_in(stack: &Stack, connector: &str, person: &str) -> String {
    let visitor = browser(stack, connector);
    visitor.login(connector, person).await.assert_status(200);
    visitor.whoami().await.sub().to_owned()
}

/// The policy `ask`, with these ways to prove an account, and whether a new one may be made.
fn ask(methods: &[&str], may_create: bool) -> Value {
    json!({"binding": "ask", "methods": methods, "registration": if may_create { "open" } else { "closed" }})
}

/// Which candidate on the page has this on its card.
#[track_caller]
pub(crate) fn candidate(page: &Answer, text: &str) -> String {
    let form = forms::form(page, "choose", &[]);
    let card = form.buttons.iter().find(|(name, _, said)| name == "account" && said.contains(text));
    card.unwrap_or_else(|| panic!("no account with {text} in {:#?}", form.buttons)).1.clone()
}

/// A person for whom nobody has an account, by that name at WeChat.
fn newcomer(stack: &Stack, name: &str) {
    stack.wechat.put_person(name, wxgate_tests::wechat_sim::Person::new(name)).expect("a name");
}
