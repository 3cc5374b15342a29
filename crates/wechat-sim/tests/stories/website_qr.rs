//! `connect/qrconnect`: a page, a QR code, a phone.

use std::time::Duration;

use tokio::time::Instant;
use wechat_sim::{ActError, Decision, Outcome, Quirks, ScanError, Simulator};

use crate::support::{ACCOUNT, CALLBACK, SITE, SITE_SECRET, Story, code_in, parameter_in, path_of, qr_link, query_of, read_qr};

async fn open_page(story: &Story) -> String {
    story.get(&path_of(&qr_link(&[]))).await.uuid()
}

async fn poll(story: &Story, uuid: &str, last: &str) -> String {
    let answer = story.get(&format!("/connect/l/qrconnect?uuid={uuid}{last}&_=1700000000000")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/javascript");
    answer.text()
}

#[tokio::test]
async fn somebody_scans_and_allows_and_the_page_gets_a_code() {
    let story = Story::begin();
    let uuid = open_page(&story).await;
    assert_eq!(uuid.len(), 16);

    // The phone: nobody has said whose it is.
    let confirm = format!("/connect/confirm?uuid={uuid}");
    let chooser = story.get_in_wechat(&confirm, "").await;
    assert!(chooser.text().contains("这是谁的手机"), "{}", chooser.text());
    let form = query_of(&[("person", "xiaoming"), ("return_to", &confirm)]);
    let chosen = story.post_form("/sim/phone", "", &form).await;
    assert_eq!((chosen.status.as_u16(), chosen.location()), (303, confirm.as_str()));
    let cookie = chosen.cookie();

    // The scan: the question on the phone, the news on the page.
    let (news, question) = tokio::join!(poll(&story, &uuid, ""), story.get_in_wechat(&confirm, &cookie));
    assert!(question.text().contains("小明") && question.text().contains("演示商城"), "{}", question.text());
    assert_eq!(news, "window.wx_errcode=404;window.wx_code='';");

    // The tap.
    let form = format!("uuid={uuid}&decision=allow");
    let (news, done) = tokio::join!(poll(&story, &uuid, "&last=404"), story.post_form("/connect/confirm", &cookie, &form));
    assert!(done.text().contains("登录成功"));
    let code = news.strip_prefix("window.wx_errcode=405;window.wx_code='").unwrap().strip_suffix("';").unwrap();
    assert_eq!(code.len(), 32);
    assert!(code.bytes().all(|b| b.is_ascii_alphanumeric()));
    let tokens = story.exchange(SITE, SITE_SECRET, code).await;
    assert_eq!(tokens.field("openid"), story.sim.openid("xiaoming", SITE));
}

#[tokio::test(start_paused = true)]
async fn the_long_poll_is_held_for_25_seconds() {
    let story = Story::begin();
    let uuid = open_page(&story).await;
    let start = Instant::now();
    assert_eq!(poll(&story, &uuid, "").await, "window.wx_errcode=408;window.wx_code='';");
    assert_eq!(start.elapsed().as_secs(), 25);

    story.sim.scan(&uuid, "xiaoming").unwrap();
    assert_eq!(poll(&story, &uuid, "").await, "window.wx_errcode=404;window.wx_code='';");
    assert_eq!(start.elapsed().as_secs(), 25, "news come at once");
    assert_eq!(poll(&story, &uuid, "&last=404").await, "window.wx_errcode=408;window.wx_code='';");
    assert_eq!(start.elapsed().as_secs(), 50, "what the page knows already is no news");
}

/// What stands in the page's mark-up for its script.
async fn told(story: &Story, changes: &[(&str, &str)]) -> String {
    let page = story.get(&path_of(&qr_link(changes))).await;
    for header in ["x-frame-options", "content-security-policy"] {
        assert!(!page.headers.contains_key(header), "a site may put the page into a frame: {header}");
    }
    let text = page.text();
    text.split_once("<main ").unwrap().1.split_once('>').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_framed_page_goes_where_wx_login_js_says_and_to_the_top_window_if_it_says_nothing() {
    let story = Story::begin();
    let embedded = ("login_type", "jssdk");
    for (asked, goes) in [("true", "true"), ("false", "false"), ("default", "default")] {
        let page = told(&story, &[embedded, ("self_redirect", asked)]).await;
        assert!(page.contains(&format!(r#"data-self-redirect="{goes}""#)), "{page}");
    }
    assert!(told(&story, &[embedded]).await.contains(r#"data-self-redirect="default""#));
}

#[tokio::test]
async fn a_framed_page_has_the_size_and_the_texts_that_its_site_asks_for() {
    let story = Story::begin();
    let embedded = ("login_type", "jssdk");
    assert!(told(&story, &[]).await.starts_with(r#"class="card""#));
    assert!(told(&story, &[embedded]).await.starts_with(r#"class="framed""#));
    assert!(told(&story, &[embedded, ("style", "white")]).await.starts_with(r#"class="framed white""#));
    assert!(told(&story, &[embedded, ("stylelite", "1")]).await.starts_with(r#"class="framed lite""#));

    let page = async |changes: &[(&str, &str)]| story.get(&path_of(&qr_link(changes))).await.text();
    assert!(page(&[embedded]).await.contains("请使用微信扫描二维码登录"));
    assert!(page(&[embedded, ("lang", "en")]).await.contains("Scan the QR code with WeChat"));
    assert!(page(&[embedded, ("lang", "cn")]).await.contains("请使用微信扫描二维码登录"));

    let sheet = ("href", "https://shop.example.com/qr.css?a=1&b=2");
    let link = r#"<link rel="stylesheet" href="https://shop.example.com/qr.css?a=1&amp;b=2">"#;
    assert!(page(&[embedded, sheet]).await.contains(link));
    assert!(!page(&[embedded, sheet, ("stylelite", "1")]).await.contains("stylesheet"), "a lite page has no sheet of its site's");
    assert!(!page(&[embedded, ("href", "http://shop.example.com/qr.css")]).await.contains("stylesheet"));
}

#[tokio::test]
async fn refusing_redirects_nobody_and_the_code_may_be_scanned_again() {
    let story = Story::begin();
    let uuid = open_page(&story).await;
    story.sim.set_current_person(Some("xiaoming")).unwrap();
    story.get(&format!("/connect/confirm?uuid={uuid}")).await;
    let done = story.post_form("/connect/confirm", "", &format!("uuid={uuid}&decision=refuse")).await;
    assert!(done.text().contains("已取消登录"));
    assert_eq!(poll(&story, &uuid, "&last=404").await, "window.wx_errcode=403;window.wx_code='';");

    let (news, _) = tokio::join!(poll(&story, &uuid, "&last=403"), async { story.sim.scan(&uuid, "xiaohong").unwrap() });
    assert_eq!(news, "window.wx_errcode=404;window.wx_code='';");
    assert!(story.sim.confirm(&uuid, "xiaohong").is_ok());

    let refused = story.sim.authorize(&qr_link(&[]), "xiaoming", Decision::Refuse).unwrap();
    assert_eq!(refused, Outcome::Refused);
}

#[tokio::test]
async fn as_older_documents_say_refusing_redirects_with_only_state() {
    let story = Story::begin();
    story.sim.set_quirks(Quirks { refusal_redirects: true, ..Quirks::default() });
    let outcome = story.sim.authorize(&qr_link(&[]), "xiaoming", Decision::Refuse).unwrap();
    assert_eq!(outcome, Outcome::Redirect(format!("{CALLBACK}?state=5f1e7a0c9b3d4826")));
    assert!(story.get(&path_of(&qr_link(&[]))).await.text().contains(r#"data-refusal-redirects="true""#));
}

#[tokio::test]
async fn a_qr_code_gets_too_old() {
    let story = Story::begin();
    let uuid = open_page(&story).await;
    let expired = "window.wx_errcode=402;window.wx_code='';";
    let (news, _) = tokio::join!(poll(&story, &uuid, ""), async { story.sim.expire(&uuid) });
    assert_eq!(news, expired);

    let uuid = open_page(&story).await;
    let (news, _) = tokio::join!(poll(&story, &uuid, ""), async { story.sim.advance(Duration::from_secs(300)) });
    assert_eq!(news, expired);
    assert_eq!(story.sim.confirm(&uuid, "xiaoming"), Err(ActError::Scan(ScanError::Expired)));
    assert_eq!(story.get(&format!("/connect/qrcode/{uuid}")).await.status, 404);
    story.sim.set_current_person(Some("xiaoming")).unwrap();
    assert!(story.get(&format!("/connect/confirm?uuid={uuid}")).await.text().contains("二维码已失效"));
    assert_eq!(poll(&story, "unknown", "").await, expired);
}

#[tokio::test]
async fn a_qr_code_logs_in_once_and_only_for_the_phone_that_scanned() {
    let story = Story::begin();
    let uuid = open_page(&story).await;
    story.sim.scan(&uuid, "xiaoming").unwrap();
    assert_eq!(story.sim.confirm(&uuid, "xiaohong"), Err(ActError::Scan(ScanError::ScannedByAnother)));
    assert_eq!(story.sim.refuse(&uuid, "xiaohong"), Err(ActError::Scan(ScanError::ScannedByAnother)));
    let callback = story.sim.confirm(&uuid, "xiaoming").unwrap();
    assert!(callback.starts_with(&format!("{CALLBACK}?code=")), "{callback}");
    assert_eq!(story.sim.confirm(&uuid, "xiaoming"), Err(ActError::Scan(ScanError::Expired)));
    assert_eq!(story.sim.scan(&uuid, "nobody"), Err(ActError::UnknownPerson("nobody".into())));
}

#[tokio::test]
async fn the_image_is_a_jpeg_that_leads_a_phone_to_the_confirm_page() {
    let story = Story::begin();
    let uuid = open_page(&story).await;
    let image = story.get(&format!("http://sim.test:9400/connect/qrcode/{uuid}")).await;
    assert_eq!(image.header("content-type"), "image/jpeg");
    assert_eq!(read_qr(&image.bytes), format!("http://localhost/connect/confirm?uuid={uuid}"));

    let story = Story::with(Simulator::builder().public_origin("http://192.168.1.7:9400/"));
    let uuid = open_page(&story).await;
    let image = story.get(&format!("/connect/qrcode/{uuid}")).await;
    assert_eq!(read_qr(&image.bytes), format!("http://192.168.1.7:9400/connect/confirm?uuid={uuid}"));
}

#[tokio::test]
async fn the_state_comes_back_as_it_was_sent() {
    let story = Story::begin();
    for state in ["5f1e7a0c9b3d4826", "a b&c=d#e%2F中", &"x".repeat(235)] {
        let outcome = story.sim.authorize(&qr_link(&[("state", state)]), "xiaoming", Decision::Allow).unwrap();
        assert_eq!(parameter_in(outcome.redirect().unwrap(), "state").unwrap(), state);
    }
    let tricky = path_of(&qr_link(&[("state", "\"><script>alert(1)</script>")]));
    assert!(!story.get(&tricky).await.text().contains("<script>alert"));
}

#[tokio::test]
async fn the_order_of_parameters_and_the_fragment_do_not_matter_here() {
    let story = Story::begin();
    let query = query_of(&[("response_type", "code"), ("scope", "snsapi_login"), ("appid", SITE), ("redirect_uri", CALLBACK)]);
    let outcome =
        story.sim.authorize(&format!("https://open.weixin.qq.com/connect/qrconnect?{query}"), "xiaoming", Decision::Allow).unwrap();
    assert_eq!(code_in(outcome.redirect().unwrap()).len(), 32);
}

#[tokio::test]
async fn wrong_links_get_an_error_page_with_status_200() {
    let story = Story::begin();
    let redirect = "redirect_uri 参数错误";
    let scope = "Scope 参数错误或没有 Scope 权限";
    for (change, text) in [
        (("redirect_uri", ""), redirect),
        (("redirect_uri", "https://evil.test/cb"), redirect),
        (("redirect_uri", "https://pay.shop.example.com/cb"), redirect),
        (("redirect_uri", "https://example.com/cb"), redirect),
        (("redirect_uri", "https://shop.example.com:8443/cb"), redirect),
        (("redirect_uri", "https://shop.example.com:443/cb"), redirect),
        (("scope", ""), scope),
        (("scope", "snsapi_userinfo"), scope),
        (("response_type", "token"), "该链接无法访问"),
        (("appid", ""), "AppID 参数错误"),
        (("appid", "wx00000000000000ff"), "AppID 参数错误"),
        (("appid", ACCOUNT), "AppID 参数错误"),
    ] {
        let link = qr_link(&[change]);
        let page = story.get(&path_of(&link)).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.text().contains(text), "{change:?}: {}", page.text());
        assert!(!page.text().contains("/connect/qrcode/"), "{change:?} must not show a QR code");
        let refusal = story.refusal(&link);
        assert_eq!((refusal.code, refusal.text.as_str()), (None, text), "{change:?}");
    }
}

#[tokio::test]
async fn a_port_is_accepted_on_loopback_and_only_when_told() {
    let local = [("redirect_uri", "http://localhost:8080/cb")];
    let register = |story: &Story, domain: &str| {
        let app = wechat_sim::App::website(SITE_SECRET).redirecting_to(domain);
        story.sim.put_app(SITE, app).unwrap();
    };
    let story = Story::begin();
    register(&story, "localhost");
    assert_eq!(story.refusal(&qr_link(&local)).text, "redirect_uri 参数错误");

    let story = Story::with(Simulator::builder().allow_loopback_port(true));
    register(&story, "localhost");
    assert!(story.sim.authorize(&qr_link(&local), "xiaoming", Decision::Allow).unwrap().redirect().is_some());
    register(&story, "127.0.0.1");
    assert_eq!(story.refusal(&qr_link(&local)).text, "redirect_uri 参数错误", "another loopback host is another host");
}
