//! A code belongs to the browser that shows it, and to nobody who has only seen it.

use serde_json::json;
use wxgate_tests::http::Answer;
use wxgate_tests::scan::ScanMethod;
use wxgate_tests::visitor::{MINI_PROGRAM, SESSION};

use super::{confirmed, shop, shown};

by_both![
    another_browser_that_knows_everything_but_the_cookie_gets_nothing,
    pages_of_other_sites_begin_nothing_and_collect_nothing,
    nothing_that_is_pressed_can_be_framed,
    whoever_says_to_be_wechat_is_believed_nothing,
];

/// QRL-01, QRL-02.
async fn another_browser_that_knows_everything_but_the_cookie_gets_nothing(method: ScanMethod) {
    let stack = shop(method).await;
    let (victim, thief, phone) = (stack.visitor(), stack.visitor(), stack.phone(method, "xiaoming"));
    let own = format!("/wxgate/scan/{}", method.connector());
    let (code, text) = shown(&victim, method).await;
    // The thief has a scan, too, whose cookie it calls as the victim's is called.
    thief.show_code(method.connector(), "/orders").await;
    thief.set_cookie(&victim.attempts()[0].0, &thief.attempts()[0].1);
    let calls = stack.count("wxgate_calls_total.*tickets").await;
    let mut seen = Vec::new();
    for step in ["waiting", "scanned", "confirmed"] {
        match step {
            "scanned" => drop(phone.scan(&text).await.unwrap()),
            "confirmed" => phone.confirm(&text).await,
            _ => {}
        }
        let guessed = code.poll.replace(&code.told["scan"].as_str().unwrap()[..8], "00000000");
        let by_its_code: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for path in [&code.poll, &format!("{}&known=waiting", code.poll), &code.image, &guessed, &format!("{own}?scan={by_its_code}")] {
            let mut told = thief.api(path).await.assert_failure(404, "attempt_missing").json();
            told.as_object_mut().unwrap().remove("reference");
            seen.push(told);
        }
        thief.navigate(&code.poll).await.assert_failure(404, "attempt_missing");
    }
    assert!(seen.iter().all(|told| *told == seen[0]), "{seen:?}");
    assert!(thief.cookie(SESSION).is_none());
    // Twice the scan, with the ticket before it or the page after it, and the answer.
    assert_eq!(stack.count("wxgate_calls_total.*tickets").await, calls + 5, "the phone's own");
    victim.collect(&code).await.assert_status(200);
    stack.finish().await;
}

/// QRL-10. A sibling domain's request carries our cookies, since it is of the same site.
async fn pages_of_other_sites_begin_nothing_and_collect_nothing(method: ScanMethod) {
    let stack = shop(method).await;
    let visitor = stack.visitor();
    let own = format!("/wxgate/scan/{}", method.connector());
    let code = confirmed(&stack, &visitor, method, "xiaoming").await;
    let is_shared = |answer: &Answer| answer.headers.iter().any(|(name, _)| name.starts_with("access-control-"));
    for (origin, site) in [("https://evil.example", "cross-site"), ("https://wiki.localhost", "same-site"), ("null", "cross-site")] {
        let from_there = |accept| [("accept", accept), ("origin", origin), ("sec-fetch-mode", "cors"), ("sec-fetch-site", site)];
        for path in [&code.poll, &format!("{}&known=scanned", code.poll), &code.image] {
            let refused = visitor.send("GET", path, &from_there("application/json"), b"").await;
            assert!(!is_shared(refused.assert_failure(404, "attempt_missing")), "{refused}");
        }
        let picture = [("accept", "image/*"), ("sec-fetch-dest", "image"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-site", site)];
        visitor.send("GET", &code.image, &picture, b"").await.assert_status(404);
        let asked = [("access-control-request-method", "POST"), ("origin", origin)];
        let preflight = visitor.send("OPTIONS", &own, &asked, b"").await;
        assert!(!is_shared(&preflight) && preflight.status >= 400, "{preflight}");
        for (content_type, body) in
            [("application/json", "{}"), ("application/x-www-form-urlencoded", "return_to=%2F"), ("text/plain", "{}")]
        {
            let mut headers = from_there("application/json").to_vec();
            headers.push(("content-type", content_type));
            let refused = visitor.send("POST", &own, &headers, body.as_bytes()).await;
            assert!(!is_shared(refused.assert_failure(403, "cross_site")), "{refused}");
        }
    }
    assert_eq!((visitor.attempts().len(), visitor.cookie(SESSION)), (1, None), "none was begun, and none collected");

    let picture = visitor.api(&code.image).await;
    assert_eq!(picture.assert_status(200).header("cross-origin-resource-policy"), Some("same-origin"));
    visitor.collect(&code).await.assert_status(200);
    stack.finish().await;
}

/// QRL-11.
async fn nothing_that_is_pressed_can_be_framed(method: ScanMethod) {
    let stack = shop(method).await;
    let (visitor, phone) = (stack.visitor(), stack.phone(method, "xiaoming"));
    let (code, text) = shown(&visitor, method).await;
    let mut pages = vec![visitor.navigate("/wxgate/login?return_to=%2Forders").await, visitor.navigate(&code.poll).await];
    let question = phone.scan(&text).await.unwrap();
    pages.push(visitor.navigate(&code.poll).await);
    let answered = phone.answer(&question, "confirm").await;
    if method == ScanMethod::OfficialAccountQr {
        pages.extend([question, answered]);
    }
    for page in pages {
        assert_eq!(page.assert_status(200).header("x-frame-options"), Some("DENY"), "{page}");
        assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")), "{page}");
    }
    stack.finish().await;
}

/// QRL-14.
async fn whoever_says_to_be_wechat_is_believed_nothing(method: ScanMethod) {
    let stack = shop(method).await;
    let (victim, app) = (stack.visitor(), method.app());
    let (code, text) = shown(&victim, method).await;
    let claimed = stack
        .visitor()
        .calling_itself(MINI_PROGRAM)
        .with_header("referer", format!("https://servicewechat.com/{app}/7/page-frame.html"))
        .with_header("x-wx-source", "wx_client")
        .with_header("x-wx-appid", app)
        .with_header("x-wx-openid", stack.wechat.openid("xiaoming", app))
        .with_header("x-wx-unionid", stack.wechat.unionid("xiaoming", "main"));
    let confirm = format!("/wxgate/scan/{}/confirm", method.connector());
    for body in [
        json!({"ticket": text}),
        json!({"ticket": text, "code": "0".repeat(32)}),
        json!({"ticket": text, "openid": stack.wechat.openid("xiaoming", app), "action": "confirm"}),
        json!({"confirm": text, "action": "confirm"}),
    ] {
        let refused = claimed.post_from_app(&confirm, &body).await;
        assert!((400..500).contains(&refused.status), "{body}: {refused}");
    }
    let form: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("confirm", &text).append_pair("action", "confirm").finish();
    let refused = claimed.submit(&confirm, &form).await;
    assert!((400..500).contains(&refused.status), "{refused}");
    claimed.api(&code.poll).await.assert_failure(404, "attempt_missing");
    assert_eq!(claimed.cookies(), []);
    assert_eq!(victim.look(&code).await["state"], "waiting");
    stack.phone(method, "xiaohong").confirm(&text).await;
    victim.collect(&code).await.assert_status(200);
    stack.finish().await;
}
