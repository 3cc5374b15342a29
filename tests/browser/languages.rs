//! Both languages: the right one from the start, the other by a switch that needs neither a script nor a request.

use wxgate_tests::Stack;
use wxgate_tests::visitor::PHONE;

use crate::chromium::Chromium;

/// Of each page: its path, and what it says in Chinese and in English.
const PAGES: [(&str, &str, &str); 4] = [
    ("/wxgate/login", "请在微信中打开本页登录", "Open this page inside WeChat to log in"),
    ("/wxgate/callback/pc", "无法识别的登录请求", "We could not read this login"),
    ("/wxgate/nothing", "页面不存在", "There is nothing here"),
    ("/wxgate/logout", "已退出登录", "You are logged out"),
];

#[tokio::test]
async fn pages_open_in_the_browsers_language_and_switch_without_script_or_request() {
    let stack = Stack::start().await;
    let page = "<link rel=icon href=data:,><p>before</p><script>document.write('after')</script>";
    stack.app.answer("/assets/script", 200, &[("content-type", "text/html")], page);
    let chinese = Chromium::of(&stack).calling_itself(PHONE).reading("zh-CN,zh,en").without_scripts().start().await;
    opens_in(chinese, true).await;
    let english = Chromium::of(&stack).calling_itself(PHONE).reading("en-GB,en,zh").without_scripts().start().await;
    opens_in(english, false).await;
    stack.finish().await;
}

async fn opens_in(mut hand: Chromium, is_chinese: bool) {
    hand.expects("/wxgate/callback/pc");
    hand.expects("/wxgate/nothing");
    hand.open("/assets/script").await;
    assert_eq!(hand.text().await, "before", "scripts run");

    for (path, zh, en) in PAGES {
        hand.open(path).await;
        is_in(&hand, path, zh, en, is_chinese).await;
        hand.screenshot(&format!("phone{}.{}", path.replace('/', "-"), if is_chinese { "zh" } else { "en" })).await;
        hand.requests().await;
        for is_chinese in [!is_chinese, is_chinese, !is_chinese] {
            hand.click(if is_chinese { "label[for=zh]" } else { "label[for=en]" }).await;
            is_in(&hand, path, zh, en, is_chinese).await;
        }
        assert_eq!(hand.requests().await, [""; 0], "{path}: the switch asks somebody");
    }
    hand.close().await;
}

/// One language is in view, and nothing of the other.
async fn is_in(browser: &Chromium, path: &str, zh: &str, en: &str, is_chinese: bool) {
    let (shown, hidden) = if is_chinese { (zh, en) } else { (en, zh) };
    browser.reads(shown).await;
    let text = browser.sees("main").await.text().await.expect("the page's text");
    assert!(!text.contains(hidden), "{path} shows both languages:\n{text}");
    let has_chinese = text.chars().any(|character| ('\u{3000}'..='\u{9fff}').contains(&character));
    assert_eq!(has_chinese, is_chinese, "{path}:\n{text}");
}
