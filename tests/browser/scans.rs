//! A shop with codes of our own, and the phone that scans them: WeChat's camera, a mini program that runs, an account's chat.

use serde_json::{Value, json};
use thirtyfour::{By, WindowHandle};
use wxgate_tests::scan::{ACCOUNT, ACCOUNT_SECRET, MINI_PROGRAM_APP, MINI_PROGRAM_SECRET};
use wxgate_tests::wechat_sim::App;
use wxgate_tests::{Builder, Fault, Stack};

use crate::chromium::Chromium;
use crate::phone::tap;

/// A shop in front of which visitors find these connectors, of `pc`, `in-wechat`, `scan` and `follow`, in this order.
pub(crate) fn shop(connectors: &[&str]) -> Builder {
    let connectors: Value = connectors.into();
    Stack::builder()
        .mini_program_qr(json!({"display_name": "小程序", "page": "pages/login/index"}))
        .official_account_qr(json!({"display_name": "公众号"}))
        .config(move |filter| {
            filter["connectors"][0]["display_name"] = "微信".into();
            let shop = &mut filter["applications"][0];
            (shop["display_name"], shop["connectors"]) = ("云上商城 Cloud Shop".into(), connectors.clone());
        })
}

/// The same, running, with the mini program of the simulator's demo and the account's push set up for it.
pub(crate) async fn start(builder: Builder) -> Stack {
    let stack = builder.start().await;
    let app = include_str!("../../crates/wechat-sim/demo/mini-program/app.js").replace("https://shop.example.com", &stack.origin);
    let page = include_str!("../../crates/wechat-sim/demo/mini-program/pages/login/index.js");
    let mini_program = App::mini_program(MINI_PROGRAM_SECRET)
        .named("云上商城小程序")
        .on_platform("main")
        .having_pages(&["pages/login/index"])
        .running(&format!("(() => {{\n{app}}})();\n(() => {{\n{page}}})();\n"))
        .looking(include_str!("../../crates/wechat-sim/demo/mini-program/pages/login/index.wxml"));
    stack.wechat.put_app(MINI_PROGRAM_APP, mini_program).unwrap();
    let account = App::official_account(ACCOUNT_SECRET).named("云上商城服务号").on_platform("main").pushing_to(stack.console());
    stack.wechat.put_app(ACCOUNT, account.redirecting_to("localhost")).unwrap();
    stack
}

/// Opens WeChat's camera in a window of its own, and scans what is on the screen: of a mini program's codes the newest, or an account's.
/// Goes on in the phone's window; gives the desk's.
pub(crate) async fn scan(browser: &Chromium, person: &str, kind: Kind) -> WindowHandle {
    let desk = browser.new_window().await;
    browser.open(&format!("{}/sim/camera", browser.wechat_origin())).await;
    let code = match kind {
        Kind::MiniProgram => "#codes a[href*='/sim/mini-program']",
        Kind::Account => "#codes a[href^='/q/']",
    };
    let person = format!("button[value={person}]");
    browser.sees(&format!("{person}, {code}")).await;
    if browser.in_view(&person).await.is_some() {
        browser.click(&person).await;
    }
    browser.click(code).await;
    desk
}

/// Whoever has scanned a mini program's code agrees, on the phone.
pub(crate) async fn confirm(phone: &Chromium) {
    tap(phone, "确认登录").await;
    phone.reads("已登录，请回到电脑").await;
}

/// Scans a mini program's code, agrees, and is back at the desk.
pub(crate) async fn scan_and_confirm(browser: &Chromium, person: &str) {
    let desk = scan(browser, person, Kind::MiniProgram).await;
    confirm(browser).await;
    browser.close_and_switch_to(&desk).await;
}

/// What a code opens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A mini program.
    MiniProgram,
    /// An official account.
    Account,
}

/// The panel is in this state; gives its number.
pub(crate) async fn is(browser: &Chromium, state: &str) -> String {
    browser.sees(&format!("#panel[data-state={state}]")).await;
    browser.driver.find(By::Id("number")).await.unwrap().text().await.unwrap()
}

/// The code on the screen, drawn: its address.
pub(crate) async fn code(browser: &Chromium) -> String {
    is(browser, "waiting").await;
    let drawn =
        "const code = document.getElementById('code'); return code.complete && code.naturalWidth > 0 ? code.getAttribute('src') : null";
    let address = async || browser.driver.execute(drawn, vec![]).await.ok()?.json().as_str().map(str::to_owned);
    browser.eventually("a code that is drawn", address).await
}

/// An answer of the resolver's that it never gave.
pub(crate) fn lie(status: u16, body: &Value) -> Fault {
    let body = body.to_string();
    Fault::Lie(
        format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into(),
    )
}
