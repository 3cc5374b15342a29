//! Several logins in one browser, and browsers that keep no cookies.

use wxgate_tests::visitor::{SESSION, links};
use wxgate_tests::{Answer, Stack, Visitor};

#[tokio::test]
async fn two_tabs_log_in_in_either_order_each_to_its_own_page() {
    let stack = Stack::start().await;
    for reversed in [false, true] {
        let browser = stack.visitor();
        let mut tabs = Vec::new();
        for page in ["/orders?page=2", "/cart"] {
            tabs.push((page, browser.allow(&browser.ask_to_log_in(page, "pc").await, "xiaoming")));
        }
        assert_eq!(browser.attempts().len(), 2);
        if reversed {
            tabs.reverse();
        }
        for (page, callback) in tabs {
            browser.navigate(&callback).await.assert_goes_to(page);
        }
        assert_eq!(browser.attempts(), []);
    }
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn two_people_on_one_machine_end_as_the_one_who_came_last() {
    let stack = Stack::start().await;
    let browser = stack.visitor();
    let first = browser.allow(&browser.ask_to_log_in("/orders", "pc").await, "xiaoming");
    let last = browser.allow(&browser.ask_to_log_in("/orders", "pc").await, "xiaohong");
    browser.navigate(&first).await.assert_goes_to("/orders");
    browser.navigate(&last).await.assert_goes_to("/orders");
    assert_eq!(browser.whoami().await.text("name"), "小红🌸");
    stack.finish().await;
}

#[tokio::test]
async fn a_browser_keeps_five_attempts_at_most_and_the_latest_of_them() {
    let stack = Stack::start().await;
    let browser = stack.visitor();
    let mut callbacks = Vec::new();
    for tab in 0..12 {
        let start = begin_anew(&browser, &format!("/page/{tab}?{}", "x".repeat(1500))).await;
        callbacks.push((tab, browser.allow(start.location(), "xiaoming")));
        let sent: usize = browser.cookies().iter().map(|(name, value)| name.len() + value.len() + 3).sum();
        assert!(sent < 8 * 1024, "{sent} bytes of cookies after {tab} tabs");
        assert!(browser.attempts().len() <= 5, "{:?}", browser.attempts());
    }
    let (_, oldest) = &callbacks[0];
    browser.navigate(oldest).await.assert_failure(400, "attempt_missing");
    let (tab, latest) = callbacks.last().unwrap();
    let back = browser.navigate(latest).await;
    back.assert_status(303);
    assert!(back.location().contains(&format!("/page/{tab}")) || back.location().ends_with('/'), "{back}");
    stack.finish().await;
}

#[tokio::test]
async fn small_attempts_are_all_kept_up_to_five() {
    let stack = Stack::start().await;
    let browser = stack.visitor();
    let mut callbacks = Vec::new();
    for tab in 0..7 {
        let page = format!("/page/{tab}");
        callbacks.push((browser.allow(begin_anew(&browser, &page).await.location(), "xiaoming"), page));
    }
    assert_eq!(browser.attempts().len(), 5);
    for (callback, page) in callbacks.iter().skip(2) {
        browser.navigate(callback).await.assert_goes_to(page);
    }
    stack.finish().await;
}

/// A start as by the button on a page that has failed.
async fn begin_anew(browser: &Visitor, page: &str) -> Answer {
    let page: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
    let start = browser.navigate(&format!("/wxgate/start/pc?return_to={page}&anew=1")).await;
    start.assert_status(303);
    start
}

#[tokio::test]
async fn three_starts_without_a_login_end_in_a_page_and_its_button_starts_again() {
    let stack = Stack::start().await;
    let browser = stack.visitor();
    for _ in 0..3 {
        browser.ask_to_log_in("/orders", "pc").await;
    }

    let page = browser.follow("/orders").await;

    page.assert_failure(400, "cookies_not_kept");
    let button = links(&page.text()).into_iter().find(|link| link.contains("/wxgate/login")).expect("a button");
    let url = browser.navigate(&button).await.location().to_owned();
    browser.navigate(&browser.allow(&url, "xiaoming")).await.assert_status(303);
    assert!(browser.is_logged_in().await);
    stack.finish().await;
}

#[tokio::test]
async fn the_page_that_stops_a_loop_leads_back_to_where_the_visitor_was_going() {
    let stack = Stack::start().await;
    let browser = stack.visitor();
    for _ in 0..3 {
        browser.ask_to_log_in("/orders", "pc").await;
    }
    let page = browser.follow("/orders").await;
    let button = links(&page.text()).into_iter().find(|link| link.contains("/wxgate/login")).expect("a button");
    assert!(button.contains("return_to=%2Forders"), "{button}");
    stack.finish().await;
}

#[tokio::test]
async fn logging_in_and_out_again_and_again_is_no_loop() {
    let stack = Stack::start().await;
    let browser = stack.visitor();
    for _ in 0..6 {
        browser.login("pc", "xiaoming").await.assert_status(200);
        browser.submit("/wxgate/logout", "").await.assert_goes_to("/wxgate/logout");
    }
    stack.finish().await;
}

#[tokio::test]
async fn without_cookies_the_visitor_is_told_why_it_cannot_work() {
    let stack = Stack::start().await;
    let visitor = stack.visitor().without_cookies();
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");

    visitor.navigate(&callback).await.assert_failure(400, "cookies_not_kept");

    assert_eq!(stack.exchanges(), 0);
    assert!(visitor.cookie(SESSION).is_none());
    stack.finish().await;
}

#[tokio::test]
async fn a_browser_that_drops_the_session_cookie_alone_is_stopped_after_three_rounds() {
    let stack = Stack::start().await;
    let browser = stack.visitor();
    for _ in 0..3 {
        let back = browser.log_in_until_callback("/orders", "pc", "xiaoming").await;
        back.assert_goes_to("/orders");
        browser.set_cookie(SESSION, "");
    }
    browser.follow("/orders").await.assert_failure(400, "cookies_not_kept");
    stack.finish().await;
}
