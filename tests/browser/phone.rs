//! The person's phone, in another window of the same browser: WeChat is another site, with cookies of its own.

use crate::chromium::Chromium;

/// Scans the code that WeChat's page shows in this window, as this person, and answers. Comes back to this window.
pub(crate) async fn scan(browser: &Chromium, person: &str, decision: &str) {
    let windows = browser.driver.windows().await.expect("windows").len();
    browser.click("#sim_phone").await;
    let desk = browser.opened_window(windows).await;
    answer(browser, person, decision).await;
    browser.sees(".done").await;
    browser.close_and_switch_to(&desk).await;
}

/// Opens what a code says on the phone, as this person, and answers. Comes back to this window.
pub(crate) async fn opens(browser: &Chromium, code: &str, person: &str, decision: &str) {
    let desk = browser.new_window().await;
    browser.open(code).await;
    answer(browser, person, decision).await;
    browser.sees(".done").await;
    browser.close_and_switch_to(&desk).await;
}

/// Answers WeChat's question in this window as this person. The phone asks once whose it is.
pub(crate) async fn answer(browser: &Chromium, person: &str, decision: &str) {
    let (person, decision) = (format!("button[value={person}]"), format!("button[value={decision}]"));
    browser.sees(&format!("{person}, {decision}")).await;
    if browser.in_view(&person).await.is_some() {
        browser.click(&person).await;
    }
    browser.click(&decision).await;
}

/// Taps the button that says this.
pub(crate) async fn tap(phone: &Chromium, text: &str) {
    phone.reads(text).await;
    let script = "const [text] = arguments; [...document.querySelectorAll('button')].find(one => one.textContent.includes(text)).click();";
    phone.driver.execute(script, vec![text.into()]).await.unwrap();
}

/// Somebody else's phone from now on.
pub(crate) async fn hand_over(browser: &Chromium) {
    browser.forget_cookies_of("127.0.0.1").await;
}

/// Logs in on a PC, and goes to this page.
pub(crate) async fn log_in(browser: &Chromium, page: &str, person: &str) {
    browser.open(page).await;
    browser.arrives_at_wechat("/connect/qrconnect").await;
    scan(browser, person, "allow").await;
    browser.arrives_at(page).await;
}
