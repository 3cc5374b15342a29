//! What the login page offers to whom, and how its frame begins a login.

use super::*;

const HAND: &str = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36";
const WECOM: &str = "Mozilla/5.0 Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1 Language/zh ColorScheme/Light wwmver/3.26.13.714";
const WEB_VIEW: &str = "Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.31(0x18001f2f) NetType/WIFI miniProgram/wx73247c7819d61796";

/// A shop with all seven methods in this order.
fn world(connectors: &[&str]) -> World {
    let connectors: Value = connectors.into();
    World::with(move |config| {
        let mini =
            json!({"app_id": "wx0000000000000004", "app_secret": {"inline": "192a3b8a1f6c3e0b9d4527c4d5e6f708"}, "platform": "main"});
        let of = |id: &str, kind: &str, more: Value| {
            let mut connector = mini.clone();
            (connector["id"], connector["type"]) = (id.into(), kind.into());
            connector.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            connector
        };
        let page = json!({"page": "pages/login/index"});
        let account = json!({"app_id": "wx0000000000000002", "app_secret": {"inline": "8a1f6c3e0b9d4527c4d5e6f708192a3b"}, "push":
            {"token": {"inline": "PushToken1"}, "encoding_aes_keys": [{"inline": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}]}});
        let launch = json!({"original_id": "gh_0123456789ab", "page": "pages/login/index"});
        config["connectors"].as_array_mut().unwrap().extend([
            of("scan", "mini_program_qr", page),
            of("follow", "official_account_qr", account),
            of("mini", "mini_program", json!({})),
            of("app", "mobile_app", json!({"app_id": "wx0000000000000005", "app_secret": {"inline": "6c3e0b9d4527c4d5e6f708192a3b8a1f"}})),
            of("launch", "app_to_mini_program", launch),
        ]);
        config["applications"][0]["connectors"] = connectors;
        config["applications"][0]["experience"] = true.into();
    })
}

const ALL: &[&str] = &["mini", "scan", "pc", "app", "in-wechat", "follow", "launch"];

fn page(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    String::from_utf8(reply.body.clone()).unwrap()
}

/// The ways that a page offers to whoever has no script, in order.
fn offered(page: &str) -> Vec<&str> {
    let half = page.split("<ul class=\"options").nth(1).unwrap_or_default().split("</ul>").next().unwrap();
    let after = |at: usize| half[at..].split(['"', '?', '&']).next().unwrap();
    half.match_indices("/wxgate/").map(|(at, _)| after(at)).collect()
}

/// The connectors of a page's tabs, and whether each is open.
fn tabs(page: &str) -> Vec<(&str, bool)> {
    page.split("role=\"tab\"")
        .skip(1)
        .map(|rest| {
            let tag = rest.split('>').next().unwrap();
            let address = tag.split_once("data-scan=\"").or(tag.split_once("data-frame=\"")).unwrap().1;
            let id = address.split_once("/wxgate/").unwrap().1.split_once('/').unwrap().1.split(['"', '?']).next().unwrap();
            (id, tag.contains("aria-selected=\"true\""))
        })
        .collect()
}

fn browser(user_agent: &'static str) -> Browser {
    Browser { user_agent: Some(user_agent), ..Browser::default() }.with("accept-language", "en")
}

#[test]
fn each_kind_of_browser_is_offered_what_works_in_it_in_the_operators_order() {
    let mut world = world(ALL);
    let mut login = |user_agent| reply(browser(user_agent).open(&mut world, "/wxgate/login?return_to=%2Fcart"));

    let desk = page(&login(PC));
    assert_eq!(offered(&desk), ["/wxgate/scan/scan", "/wxgate/start/pc", "/wxgate/scan/follow"]);
    assert_eq!(tabs(&desk), [("scan", true), ("pc", false), ("follow", false)]);
    assert!(!desk.contains("class=\"notice\""), "nothing is wrong with a desk");

    let hand = page(&login(HAND));
    assert!(offered(&hand).is_empty() && tabs(&hand).is_empty() && hand.contains("Open this page inside WeChat"), "{hand}");

    let wecom = page(&login(WECOM));
    assert_eq!(offered(&wecom), ["/wxgate/scan/scan", "/wxgate/start/pc", "/wxgate/scan/follow"]);
    assert!(wecom.contains("You will need WeChat on another device"));

    let view = page(&login(WEB_VIEW));
    assert_eq!(offered(&view), ["/wxgate/start/in-wechat"]);
    assert!(!view.contains("<script>"));

    let wechat = login(WECHAT);
    assert!(wechat.status == 303 && header(&wechat, "location").unwrap().contains("/connect/oauth2/authorize"));
}

#[test]
fn where_nothing_fits_the_page_says_where_to_go() {
    let told = |connectors: &[&str], user_agent| page(&reply(browser(user_agent).open(&mut world(connectors), "/wxgate/login")));
    for connectors in [&["pc"][..], &["scan"], &["follow", "mini"]] {
        for user_agent in [HAND, WECHAT, WEB_VIEW] {
            assert!(told(connectors, user_agent).contains("Open this page in a browser on a computer"), "{connectors:?} {user_agent}");
        }
    }
    for user_agent in [PC, HAND, WECOM] {
        assert!(told(&["in-wechat"], user_agent).contains("Open this page inside WeChat"), "{user_agent}");
    }
    for user_agent in [PC, HAND, WECHAT] {
        let page = told(&["mini", "app", "launch"], user_agent);
        assert!(offered(&page).is_empty() && page.contains("No way to log in is available here"), "{user_agent}");
    }
}

#[test]
fn one_code_of_ours_is_shown_by_the_login_page_and_one_of_wechats_is_gone_to() {
    for only in ["scan", "follow"] {
        let page = page(&reply(browser(PC).open(&mut world(&[only, "app"]), "/wxgate/login?return_to=%2Fcart")));
        assert_eq!(tabs(&page), [(only, true)]);
        assert!(!page.contains("role=\"tablist\"") && page.contains("data-return-to=\"/cart\""));
    }
    let mut world = world(&["pc", "in-wechat"]);
    assert_eq!(reply(browser(PC).open(&mut world, "/wxgate/login")).status, 303);
    for asked in ["/wxgate/login?stay=1", "/wxgate/login?method=pc"] {
        assert_eq!(tabs(&page(&reply(browser(PC).open(&mut world, asked)))), [("pc", true)], "{asked}");
    }
}

#[test]
fn an_address_opens_a_tab() {
    let mut world = world(ALL);
    let started = reply(browser(PC).open(&mut world, "/wxgate/start/follow?return_to=%2Fcart%3Fa%3D1"));
    let login = "https://shop.example.com/wxgate/login?return_to=%2Fcart%3Fa%3D1&method=follow";
    assert_eq!((started.status, header(&started, "location")), (303, Some(login)));
    let page = page(&reply(browser(PC).open(&mut world, login.strip_prefix("https://shop.example.com").unwrap())));
    assert_eq!(tabs(&page), [("scan", false), ("pc", false), ("follow", true)]);

    let bare = reply(browser(PC).open(&mut world, "/wxgate/start/scan?anew=1"));
    assert_eq!(header(&bare, "location"), Some("https://shop.example.com/wxgate/login?method=scan&anew=1"));
    assert_eq!(code(&reply(browser(PC).send(&mut world, "GET", "shop.example.com", "/wxgate/start/scan"))), "login_required");
    for native in ["mini", "app", "launch"] {
        assert_eq!(reply(browser(PC).open(&mut world, &format!("/wxgate/start/{native}"))).status, 404, "{native}");
    }
    assert!(world.calls.is_empty());
}

#[test]
fn only_a_page_with_codes_may_run_a_script_and_only_one_with_a_frame_may_frame_wechat() {
    let policy = |connectors: &[&str], user_agent, path| {
        let reply = reply(browser(user_agent).open(&mut world(connectors), path));
        header(&reply, "content-security-policy").unwrap().to_owned()
    };
    let scripts = "; script-src 'sha256-";
    for path in ["/wxgate/login?stay=1", "/wxgate/experience"] {
        let framed = policy(&["scan", "pc"], PC, path);
        assert!(
            framed.contains(scripts) && framed.ends_with("; connect-src 'self'; frame-src 'self' https://open.weixin.qq.com"),
            "{framed}"
        );
        let own = policy(&["scan", "follow"], PC, path);
        assert!(own.contains(scripts) && own.ends_with("; connect-src 'self'"), "{own}");
        let none = policy(&["in-wechat"], WECHAT, path);
        assert!(!none.contains("script-src") && !none.contains("connect-src") && !none.contains("frame-src"), "{none}");
    }
}

fn framed(user_agent: &'static str) -> Browser {
    browser(user_agent).with("sec-fetch-dest", "iframe").with("sec-fetch-site", "same-origin").with("sec-fetch-mode", "navigate")
}

#[test]
fn the_frame_of_the_login_page_begins_a_login_that_ends_in_the_whole_page() {
    let mut world = world(ALL);
    let mut desk = browser(PC);
    let src = "/wxgate/start/pc?return_to=%2Fcart&embed=1";
    assert!(page(&reply(desk.open(&mut world, "/wxgate/login?return_to=%2Fcart"))).contains(&src.replace('&', "&amp;")));

    let framed = reply(framed(PC).absorbing(&mut desk, |frame| frame.send(&mut world, "GET", "shop.example.com", src)));
    let url = url::Url::parse(header(&framed, "location").unwrap()).unwrap();
    assert_eq!((framed.status, url.path(), url.fragment()), (303, "/connect/qrconnect", None));
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("login_type", "jssdk"),
        ("self_redirect", "false"),
        ("styletype", ""),
        ("sizetype", ""),
        ("bgcolor", ""),
        ("rst", ""),
        ("stylelite", "1"),
        ("lang", "en"),
        ("scope", "snsapi_login"),
        ("redirect_uri", "https://shop.example.com/wxgate/callback/pc"),
    ] {
        assert_eq!(query[name], value, "{name}");
    }
    let callback = format!("/wxgate/callback/pc?code=CODE1&state={}", query["state"]);
    let ended = reply(desk.open(&mut world, &callback));
    assert_eq!((ended.status, header(&ended, "location")), (303, Some("https://shop.example.com/cart")));
    assert_eq!(desk.count("__Host-wxgate_session"), 1);
}

#[test]
fn a_login_page_may_be_loaded_as_often_as_its_visitor_likes() {
    let mut world = world(ALL);
    let mut desk = framed(PC);
    for _ in 0..20 {
        assert_eq!(reply(desk.send(&mut world, "GET", "shop.example.com", "/wxgate/start/pc?embed=1")).status, 303);
    }
    assert_eq!((desk.count("__Host-wxgate_attempt"), desk.count("__Host-wxgate_starts")), (5, 0));
    let mut person = Browser { cookies: desk.cookies, ..browser(PC) };
    assert_eq!(reply(person.open(&mut world, "/wxgate/start/pc")).status, 303, "the whole page still begins a login");
}

#[test]
fn nobody_else_may_frame_the_beginning_of_a_login() {
    let mut world = world(ALL);
    for (dest, site) in [
        (Some("iframe"), Some("cross-site")),
        (Some("iframe"), Some("same-site")),
        (Some("iframe"), Some("none")),
        (Some("iframe"), None),
        (Some("document"), Some("same-origin")),
        (Some("document"), Some("cross-site")),
        (Some("embed"), Some("same-origin")),
        (None, Some("same-origin")),
    ] {
        let mut elsewhere = browser(PC).with("accept", "text/html");
        for (name, value) in [("sec-fetch-dest", dest), ("sec-fetch-site", site)] {
            elsewhere = value.map_or(elsewhere.clone(), |value| elsewhere.with(name, value));
        }
        let refused = reply(elsewhere.send(&mut world, "GET", "shop.example.com", "/wxgate/start/pc?embed=1"));
        assert_eq!((refused.status, header(&refused, "set-cookie")), (403, None), "{dest:?} {site:?}");
    }
    let old = reply(browser(PC).open(&mut world, "/wxgate/start/pc?embed=1"));
    assert_eq!(old.status, 303, "an older browser does not say");
    assert_eq!(reply(framed(PC).send(&mut world, "GET", "shop.example.com", "/wxgate/start/in-wechat?embed=1")).status, 404);
}

#[test]
fn where_the_operator_wants_no_frame_the_way_to_wechat_is_a_button() {
    let mut world = World::with(|config| config["connectors"][0]["embed"] = false.into());
    let page = page(&reply(browser(PC).open(&mut world, "/wxgate/login?stay=1")));
    assert_eq!(offered(&page), ["/wxgate/start/pc"]);
    assert!(tabs(&page).is_empty() && !page.contains("<script>"));
    assert_eq!(reply(framed(PC).send(&mut world, "GET", "shop.example.com", "/wxgate/start/pc?embed=1")).status, 404);
}

#[test]
fn who_is_logged_in_may_try_another_way_and_no_code_is_asked_for_until_then() {
    let mut world = world(ALL);
    let mut desk = browser(PC);
    assert_eq!(tabs(&page(&reply(desk.open(&mut world, "/wxgate/experience")))).len(), 3);
    desk.log_in(&mut world);
    let page = page(&reply(desk.open(&mut world, "/wxgate/experience")));
    assert!(tabs(&page).is_empty() && !page.contains("<script>"));
    assert_eq!(offered(&page), ["/wxgate/start/scan", "/wxgate/start/pc", "/wxgate/start/follow"]);
    let href = page.split("href=\"/wxgate/start/scan").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let started = reply(desk.open(&mut world, &format!("/wxgate/start/scan{href}")));
    let login = header(&started, "location").unwrap().strip_prefix("https://shop.example.com").unwrap().to_owned();
    let shown = reply(desk.open(&mut world, &login));
    assert_eq!(shown.status, 200, "a good session does not lead back at once");
}
