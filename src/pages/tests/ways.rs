//! The ways to log in, side by side, with the script and without.

use super::*;

fn ways_page(options: &[LoginOption<'_>], chosen: Option<&str>) -> String {
    let ways = Ways { options, chosen, return_to: "/orders" };
    login(&Login { language: Language::En, application: "shop", ways, hint: None })
}

#[test]
fn several_codes_are_tabs_of_one_panel() {
    let options = options("/wxgate/scan/x", "x");
    let page = ways_page(&options, None);
    assert_eq!(page.matches("role=\"tablist\"").count(), 1);
    assert_eq!(page.matches("role=\"tabpanel\"").count(), 1);
    assert_eq!(values(&page, "aria-controls"), ["panel"; 3], "the link is no tab");
    assert_eq!(values(&page, "aria-selected"), ["true", "false", "false"], "the operator's first one is open");
    assert_eq!(page.matches("role=\"status\"").count(), 1, "what happens is read out, once");
    for reference in ["aria-labelledby", "aria-controls"].iter().flat_map(|key| values(&page, key)) {
        assert!(page.contains(&format!("id=\"{reference}\"")), "nothing is called {reference}");
    }
}

#[test]
fn the_tab_that_was_asked_for_is_open() {
    let mut options = options("/wxgate/scan/x", "x");
    (options[1].id, options[3].id) = ("mini", "link");
    assert_eq!(values(&ways_page(&options, Some("mini")), "aria-selected"), ["false", "true", "false"]);
    for other in ["link", "nobody", "\" onload=\"x"] {
        assert_eq!(values(&ways_page(&options, Some(other)), "aria-selected"), ["true", "false", "false"], "{other}");
    }
}

#[test]
fn one_code_needs_no_tabs_and_a_link_needs_no_script() {
    let options = options("/wxgate/scan/x", "x");
    let one = ways_page(&options[1..2], None);
    assert!(one.contains("data-scan=\"/wxgate/scan/x\"") && one.contains("<script>"));
    assert!(!one.contains("role=\"tablist\"") && !one.contains("role=\"tabpanel\""));
    let link = ways_page(&options[3..], None);
    assert!(!link.contains("<script>") && !link.contains("id=\"ways\"") && link.contains("href=\"/wxgate/scan/x\""));
}

#[test]
fn without_a_script_every_way_is_a_link_or_a_form() {
    let page = ways_page(&options("/wxgate/scan/x", "x"), None);
    for language in [Language::ZhCn, Language::En] {
        assert_eq!(forms(&page, language), [fields(&[("return_to", "/orders")]), fields(&[("return_to", "/orders")])]);
        assert_eq!(half(&page, language).matches("<a class=\"row\" href=\"/wxgate/scan/x\">").count(), 2);
    }
    assert!(page.contains("<div id=\"ways\" hidden"), "what needs the script is in view only with it");
}

#[test]
fn a_page_with_codes_may_run_our_script_and_frame_wechat_and_no_more() {
    let options = options("/wxgate/scan/x", "x");
    let policy = |options| Ways { options, chosen: None, return_to: "/" }.policy("https://open.weixin.qq.com");
    assert_eq!(policy(&options[3..]), None);
    let page = ways_page(&options, None);
    let script = page.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let ours = format!("{CONTENT_SECURITY_POLICY}; script-src 'sha256-{}'; connect-src 'self'", STANDARD.encode(Sha256::digest(script)));
    assert_eq!(policy(&options[1..]), Some(ours.clone()), "nothing to frame");
    assert_eq!(policy(&options), Some(format!("{ours}; frame-src 'self' https://open.weixin.qq.com")));
}

/// What cannot be seen in the page itself: names that script and page must agree on, and what strings from elsewhere could run by.
#[test]
fn the_script_fits_its_page_and_writes_no_markup() {
    for dangerous in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval", "Function(", "setAttribute('on", "srcdoc", "</"]
    {
        assert!(!SCRIPT.contains(dangerous), "{dangerous}");
    }
    let page = ways_page(&options("/wxgate/scan/x", "x"), None);
    let page = page.split_once("<script>").unwrap().0;
    for id in SCRIPT.split("at('").skip(1).map(|rest| rest.split_once('\'').unwrap().0) {
        assert!(page.contains(&format!("id=\"{id}\"")), "nothing is called {id}");
    }
    let words = values(page, "data-say");
    for state in ["loading", "waiting", "scanned", "done", "cancelled", "expired", "forgotten", "failed", "busy"] {
        assert!(words.contains(&state.to_owned()), "{state} has no words");
        assert!(values(page, "data-on").iter().any(|states| states.split(' ').any(|each| each == state)), "{state} shows nothing");
    }
    assert!(words.contains(&"offline".to_owned()));
}
