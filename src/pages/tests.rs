//! What must hold on every page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use resolver_api::LoginMethod;
use sha2::{Digest, Sha256};

use super::shell::STYLE;
use super::*;
use crate::error::Text;

/// What people put into names, addresses and identifiers.
const HOSTILE: &[&str] = &[
    "\"><svg onload=alert(1)>",
    "'><img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style></title></pre><script>alert(1)</script>",
    "<!--",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "//evil.example/x",
    "/\\evil.example/x",
    "{{7*7}}${7*7}",
    "&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;",
    "&lt;script&gt;",
    "\" autofocus onfocus=alert(1) x=\"",
    "' style='background:url(//evil.example)",
    "` onmouseover=alert(1) `",
    "\u{2028}alert(1)\u{2029}",
    "\0<\0script>",
    "\u{1b}[31m\r\nSet-Cookie: a=b",
    "\u{202e}txet desrever",
    "https://a.qlogo.cn/\"onerror=alert(1)//",
    "https://shop.example.com/?a='\"<>&b",
];

/// Each page, filled with ordinary values.
fn gallery(language: Language) -> Vec<(&'static str, String)> {
    let options = options("/wxgate/start/x?a=1", "微信登录");
    let first = options.get(..1).unwrap();
    let claims = "{\n  \"iss\": \"https://shop.example.com\",\n  \"sub\": \"usr_01J9ZP6W7E3K5V0QH2X4\",\n  \"aud\": \"shop\",\n  \"iat\": 1767225600,\n  \
                  \"exp\": 1767225720,\n  \"sid\": \"Zm9yLWEtc2Vzc2lvbi1pZA\",\n  \"auth_time\": 1767225590,\n  \"connector\": \"pc\",\n  \"name\": \"林小满 🌱\"\n}";
    let token =
        format!("eyJhbGciOiJFUzI1NiIsImtpZCI6IlRoZUtleSJ9.{}.{}", "eyJpc3MiOiJodHRwczovL3".repeat(14), "QmFzZTY0U2lnbmF0dXJl".repeat(4));
    let headers = [("x-user-id".to_owned(), "usr_01J9ZP6W7E3K5V0QH2X4".to_owned()), ("x-user-name".to_owned(), "%E6%9E%97".to_owned())];
    let signed_in = |picture| SignedIn {
        name: Some("林小满 🌱"),
        picture,
        header: "x-wxgate-identity",
        token: &token,
        claims_json: claims,
        plain_headers: &headers,
        logout_action: "/wxgate/logout",
    };
    let hint = Text {
        zh: "这里不是微信浏览器，请用手机微信扫码登录。",
        en: "This is not WeChat’s own browser. Please scan the code with WeChat on your phone.",
    };
    let busy = Text { zh: "暂时连不上微信", en: "WeChat cannot be reached" };
    let busy_more = Text {
        zh: "微信的登录服务没有及时响应，你的账号没有受到影响。请稍等片刻，再重新登录。",
        en: "WeChat’s login service did not answer in time. Nothing happened to your account. Please wait a moment, then log in again.",
    };
    let closed = Text { zh: "此账号还不能登录", en: "This account cannot log in" };
    let closed_more = Text {
        zh: "这个应用目前不接受新用户。如果你认为应该可以登录，请把下面的错误代码和编号告诉管理员。",
        en: "This application does not take new users at the moment. If you think you should have access, tell its administrator the code and \
             reference below.",
    };
    let retry = Action { label: Text { zh: "重新登录", en: "Log in again" }, href: "/wxgate/login?return_to=%2Forders" };
    vec![
        ("login", login(&Login { language, application: "云上书店", options: &options, hint: None })),
        ("login-one", login(&Login { language, application: "shop", options: first, hint: Some(hint) })),
        ("login-none", login(&Login { language, application: "shop", options: &[], hint: None })),
        (
            "failure",
            failure(&Failure {
                language,
                application: Some("云上书店"),
                title: busy,
                explanation: busy_more,
                action: Some(retry),
                code: "wechat_unavailable",
                reference: Some("7Q3M-K9TD-02XA"),
            }),
        ),
        (
            "failure-final",
            failure(&Failure {
                language,
                application: None,
                title: closed,
                explanation: closed_more,
                action: None,
                code: "registration_closed",
                reference: None,
            }),
        ),
        (
            "logout",
            logout(&Logout {
                language, application: "云上书店", name: Some("林小满 🌱"), action: "/wxgate/logout", stay_href: "/"
            }),
        ),
        ("logout-unnamed", logout(&Logout { language, application: "shop", name: None, action: "/wxgate/logout", stay_href: "/" })),
        ("logged-out", logged_out(&LoggedOut { language, application: "云上书店", login_href: "/wxgate/login", complete: true })),
        ("logged-out-partly", logged_out(&LoggedOut { language, application: "shop", login_href: "/wxgate/login", complete: false })),
        ("experience", experience(&Experience { language, application: "云上书店", options: &options, signed_in: None })),
        (
            "experience-in",
            experience(&Experience { language, application: "云上书店", options: &options, signed_in: Some(signed_in(None)) }),
        ),
        (
            "experience-picture",
            experience(&Experience {
                language,
                application: "云上书店",
                options: first,
                signed_in: Some(signed_in(Some("https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132"))),
            }),
        ),
    ]
}

/// Each page, with the same string in every place that is filled from outside.
fn filled_with(value: &str) -> Vec<(&'static str, String)> {
    let language = Language::ZhCn;
    let options = options(value, value);
    let text = Text { zh: "标题", en: "Title" };
    let headers = [(value.to_owned(), value.to_owned())];
    let signed_in = SignedIn {
        name: Some(value),
        picture: Some(value),
        header: value,
        token: value,
        claims_json: value,
        plain_headers: &headers,
        logout_action: value,
    };
    vec![
        ("login", login(&Login { language, application: value, options: &options, hint: Some(text) })),
        (
            "failure",
            failure(&Failure {
                language,
                application: Some(value),
                title: text,
                explanation: text,
                action: Some(Action { label: text, href: value }),
                code: value,
                reference: Some(value),
            }),
        ),
        ("logout", logout(&Logout { language, application: value, name: Some(value), action: value, stay_href: value })),
        ("logged-out", logged_out(&LoggedOut { language, application: value, login_href: value, complete: false })),
        ("experience", experience(&Experience { language, application: value, options: &options, signed_in: None })),
        ("experience-in", experience(&Experience { language, application: value, options: &options, signed_in: Some(signed_in) })),
    ]
}

fn options<'a>(href: &str, display_name: &'a str) -> Vec<LoginOption<'a>> {
    let methods = [LoginMethod::WebsiteQr, LoginMethod::MiniProgramQr, LoginMethod::OfficialAccountQr, LoginMethod::OfficialAccountWeb];
    methods.into_iter().map(|method| LoginOption { href: href.to_owned(), display_name, method }).collect()
}

/// The tags of a document as (name, attributes), read the way a browser does for what we write: quoted values only.
fn tags(document: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '/' && character != '!').unwrap();
        let (name, mut inside) = rest.split_at(end);
        assert!(!name.is_empty(), "a bare < at {:?}", &rest[..20.min(rest.len())]);
        let mut attributes = Vec::new();
        loop {
            inside = inside.trim_start();
            if let Some(after) = inside.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = inside.find(['=', ' ', '>']).unwrap();
            let (key, after) = inside.split_at(end);
            inside = after;
            let mut value = "";
            if let Some(after) = inside.strip_prefix("=\"") {
                (value, inside) = after.split_once('"').unwrap();
            }
            attributes.push((key.to_owned(), value.to_owned()));
        }
        tags.push((name.to_owned(), attributes));
        if name == "style" {
            rest = rest.split_once("</style").unwrap().1;
            rest = rest.strip_prefix('>').unwrap();
        }
    }
    tags
}

/// The tags alone, without those that depend on the value: a picture or an initial, and as many parts as a token has.
fn shape(document: &str) -> Vec<String> {
    let depends = |name: &str| matches!(name.trim_start_matches('/'), "img" | "span" | "svg" | "path" | "circle");
    tags(document).into_iter().map(|(name, _)| name).filter(|name| !depends(name)).collect()
}

/// Every attribute that we write, outside of pictures.
const ATTRIBUTES: &[&str] = &[
    "html",
    "lang",
    "charset",
    "name",
    "content",
    "rel",
    "href",
    "type",
    "id",
    "autocomplete",
    "checked",
    "for",
    "class",
    "method",
    "action",
    "aria-hidden",
    "alt",
    "referrerpolicy",
    "src",
];

#[test]
fn no_string_from_outside_changes_a_page() {
    let ordinary = filled_with("shop");
    for value in HOSTILE {
        for ((name, expected), (_, page)) in ordinary.iter().zip(filled_with(value)) {
            assert_eq!(shape(&page), shape(expected), "{name} with {value:?}");
            for (tag, attributes) in tags(&page) {
                let is_picture = matches!(tag.as_str(), "svg" | "path" | "circle");
                for (key, address) in attributes {
                    assert!(is_picture || ATTRIBUTES.contains(&key.as_str()), "{name} with {value:?}: {tag} {key}");
                    let is_plain = address.starts_with("https://")
                        || address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
                    assert!(tag == "link" || is_plain || !matches!(key.as_str(), "href" | "action" | "src"), "{name}: {key}={address:?}");
                }
            }
        }
    }
}

#[test]
fn what_people_are_called_is_shown_as_it_is() {
    let page = logout(&Logout { language: Language::En, application: "R&D <beta>", name: Some("O'Neil"), action: "/a", stay_href: "/" });
    assert!(page.contains("<bdi>R&amp;D &lt;beta&gt;</bdi>") && page.contains("<bdi>O&#39;Neil</bdi>"));
}

#[test]
fn every_page_has_both_languages_and_opens_in_the_asked_one() {
    for (language, opening, checked) in [
        (Language::ZhCn, "<html lang=\"zh-CN\">", "id=\"zh\" autocomplete=\"off\" checked>"),
        (Language::En, "<html lang=\"en\">", "id=\"en\" autocomplete=\"off\" checked>"),
    ] {
        for (name, page) in gallery(language) {
            assert!(page.contains(opening) && page.contains(checked), "{name}");
            assert_eq!(page.matches(" checked>").count(), 1, "{name}");
            let (chinese, english) = page.split_once("<div lang=\"zh-CN\">").unwrap().1.split_once("<div lang=\"en\">").unwrap();
            assert_eq!(chinese.matches("<h1>").count(), 1, "{name}");
            assert_eq!(english.matches("<h1>").count(), 1, "{name}");
            assert_eq!(
                shape(chinese).len() + 3,
                shape(english).len(),
                "{name}: one language says more (main, body and html end behind the second)"
            );
        }
    }
}

#[test]
fn the_policy_names_the_style_that_the_pages_carry() {
    for (name, page) in gallery(Language::ZhCn) {
        let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let source = format!("style-src 'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
        assert!(CONTENT_SECURITY_POLICY.contains(&source), "{name}");
        assert_eq!(page.matches("<style").count(), 1, "{name}");
    }
}

#[test]
fn nothing_in_a_page_is_against_the_policy() {
    for (name, page) in gallery(Language::En) {
        for (tag, attributes) in tags(&page) {
            assert!(!matches!(tag.as_str(), "script" | "iframe" | "object" | "embed" | "base"), "{name}: {tag}");
            for (key, value) in attributes {
                assert!(key != "style" && !key.starts_with("on"), "{name}: {key}");
                assert!(key != "src" || value.starts_with("https://thirdwx.qlogo.cn/"), "{name}: {value}");
                assert!(key != "action" || value.starts_with('/'), "{name}: {value}");
            }
        }
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
}

#[test]
fn pictures_tell_nobody_where_they_are_shown() {
    let pictures: Vec<_> = gallery(Language::En).into_iter().flat_map(|(_, page)| tags(&page)).filter(|(tag, _)| tag == "img").collect();
    assert_eq!(pictures.len(), 2, "one page, both languages");
    for (_, attributes) in pictures {
        assert!(attributes.contains(&("referrerpolicy".to_owned(), "no-referrer".to_owned())));
    }
}

#[test]
fn the_headers_are_complete() {
    let value = |name: &str| headers().iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    assert_eq!(value("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(value("content-security-policy"), Some(CONTENT_SECURITY_POLICY));
    assert_eq!(value("x-frame-options"), Some("DENY"));
    assert_eq!(value("x-content-type-options"), Some("nosniff"));
    assert_eq!(value("referrer-policy"), Some("strict-origin"));
    assert_eq!(value("cross-origin-opener-policy"), Some("same-origin"));
    assert_eq!(value("cache-control"), Some("no-store"));
    assert!(value("permissions-policy").is_some());
    for directive in ["default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(CONTENT_SECURITY_POLICY.contains(directive), "{directive}");
    }
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe") && !CONTENT_SECURITY_POLICY.contains("script-src"));
}

#[test]
fn pages_are_small() {
    assert!(STYLE.len() <= 6 * 1024, "the style has {} bytes", STYLE.len());
    for (name, page) in gallery(Language::ZhCn) {
        assert!(page.len() <= 20 * 1024, "{name} has {} bytes", page.len());
    }
}

/// Open them in a browser and judge: `target/pages/*.html`, to be sent with `headers.txt`; in `hostile/` nothing may run.
#[test]
fn the_gallery_is_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(folder.join("hostile")).unwrap();
    for (language, suffix) in [(Language::ZhCn, "zh"), (Language::En, "en")] {
        for (name, page) in gallery(language) {
            std::fs::write(folder.join(format!("{name}.{suffix}.html")), page).unwrap();
        }
    }
    for (number, value) in HOSTILE.iter().enumerate() {
        for (name, page) in filled_with(value) {
            std::fs::write(folder.join(format!("hostile/{name}.{number}.html")), page).unwrap();
        }
    }
    let lines: String = headers().iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    std::fs::write(folder.join("headers.txt"), &lines).unwrap();
    assert!(lines.contains("content-security-policy: default-src 'none'"));
}
