//! What must hold on every page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use resolver_api::{Candidate, CodeSent, LinkedIdentity, LoginMethod, ProofMethod};
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

/// 1 January 2026.
const NOW: u64 = 1_767_225_600;
const DAY: u64 = 24 * 60 * 60;

/// Each page, filled with ordinary values.
fn gallery(language: Language) -> Vec<(&'static str, String)> {
    let mut pages = login_pages(language);
    pages.extend(account_pages(language));
    pages
}

fn login_pages(language: Language) -> Vec<(&'static str, String)> {
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

fn account_pages(language: Language) -> Vec<(&'static str, String)> {
    let picture = Some("https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132");
    let accounts = [
        Candidate {
            id: "1".into(),
            name: Some("晓*".into()),
            phone_number: Some("+86138****8000".into()),
            email: Some("x***@example.com".into()),
            created_at: NOW - 700 * DAY,
            last_login_at: NOW - 3 * DAY,
        },
        Candidate { id: "2".into(), created_at: NOW - 90 * DAY, ..Candidate::default() },
    ];
    let choose = |notice, nickname| {
        choose(&Choose {
            language,
            application: "云上书店",
            nickname,
            picture: None,
            accounts: &accounts,
            action: "/wxgate/account",
            notice,
            now: NOW,
        })
    };
    let asked = || asked(language);
    let phone = CodeSent { method: ProofMethod::PhoneCode, address: "+86138****8000".into(), expires_at: NOW + 300, resend_at: NOW + 57 };
    let mail = CodeSent { method: ProofMethod::EmailCode, address: "x***@example.com".into(), expires_at: NOW, resend_at: NOW };
    let typed = |method, value| Some(Typed { method, value });
    let sent = Bind { code: Some(&phone), typed: typed(ProofMethod::PhoneCode, "13800138000"), ..asked() };
    let mine = || mine(language);
    let identities = [
        LinkedIdentity {
            id: "1".into(),
            nickname: Some("林小满 🌱".into()),
            connectors: vec!["pc".into(), "in-wechat".into(), "gone".into()],
            linked_at: NOW - 400 * DAY,
            last_login_at: NOW,
        },
        LinkedIdentity {
            id: "2".into(),
            nickname: None,
            connectors: vec!["pc".into()],
            linked_at: NOW - 40 * DAY,
            last_login_at: NOW - 35 * DAY,
        },
    ];
    let one = identities.get(..1).unwrap();
    vec![
        ("choose", choose(None, Some("林小满 🌱"))),
        ("choose-notice", choose(Some(Notice::NotOffered), None)),
        ("bind", bind(&asked())),
        ("bind-sent", bind(&Bind { notice: Some(Notice::CodeSent), ..sent })),
        ("bind-wrong", bind(&Bind { notice: Some(Notice::WrongProof { tries_left: 3 }), tries_left: 3, typed: None, ..sent })),
        (
            "bind-expired",
            bind(&Bind { code: Some(&mail), typed: typed(ProofMethod::EmailCode, "x@example.com"), tries_left: 1, ..asked() }),
        ),
        (
            "bind-password",
            bind(&Bind {
                notice: Some(Notice::WrongProof { tries_left: 1 }),
                typed: typed(ProofMethod::Password, "xiaoman"),
                picture,
                ..asked()
            }),
        ),
        ("bind-invalid", bind(&Bind { notice: Some(Notice::InvalidAddress), typed: typed(ProofMethod::PhoneCode, "12"), ..asked() })),
        ("bind-too-soon", bind(&Bind { notice: Some(Notice::TooSoon { seconds: 41 }), ..sent })),
        ("bind-too-many", bind(&Bind { notice: Some(Notice::TooMany), may_create: false, nickname: None, ..asked() })),
        ("bind-create", bind(&Bind { methods: &[], ..asked() })),
        ("account", account(&Account { identities: &identities, notice: Some(AccountNotice::Linked), ..mine() })),
        ("account-one", account(&Account { identities: one, notice: Some(AccountNotice::LastWayIn), email: None, ..mine() })),
        (
            "account-stale",
            account(&Account { identities: &identities, is_fresh: false, notice: Some(AccountNotice::LogInAgain), ..mine() }),
        ),
        (
            "account-bare",
            account(&Account {
                identities: one,
                name: None,
                phone_number: None,
                email: None,
                linkable: &[],
                notice: Some(AccountNotice::LastWayIn),
                ..mine()
            }),
        ),
    ]
}

/// The question to somebody new, with all ways open.
fn asked(language: Language) -> Bind<'static> {
    Bind {
        language,
        application: "云上书店",
        nickname: Some("林小满 🌱"),
        picture: None,
        methods: &[ProofMethod::PhoneCode, ProofMethod::EmailCode, ProofMethod::Password],
        may_create: true,
        code: None,
        tries_left: 5,
        notice: None,
        typed: None,
        action: "/wxgate/account",
        now: NOW,
    }
}

/// An account after a fresh login.
fn mine(language: Language) -> Account<'static> {
    Account {
        language,
        application: "云上书店",
        name: Some("林小满 🌱"),
        picture: None,
        phone_number: Some("+8613800138000"),
        email: Some("xiaoman@example.com"),
        identities: &[],
        connector_names: &[("pc", "微信扫码"), ("in-wechat", "微信内登录")],
        linkable: &[LinkableConnector { id: "pc", display_name: "微信扫码", method: LoginMethod::WebsiteQr }],
        is_fresh: true,
        login_href: "/wxgate/login?return_to=%2Fwxgate%2Faccount",
        action: "/wxgate/account",
        logout_action: "/wxgate/logout",
        notice: None,
        now: NOW,
    }
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
    let mut pages = vec![
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
    ];
    pages.extend(account_pages_filled_with(value));
    pages
}

fn account_pages_filled_with(value: &str) -> Vec<(&'static str, String)> {
    let language = Language::ZhCn;
    let text = || Some(value.to_owned());
    let candidate = Candidate { id: value.into(), name: text(), phone_number: text(), email: text(), ..Candidate::default() };
    let choose = choose(&Choose {
        language,
        application: value,
        nickname: Some(value),
        picture: Some(value),
        accounts: &[candidate],
        action: value,
        notice: None,
        now: NOW,
    });
    let code = CodeSent { method: ProofMethod::PhoneCode, address: value.into(), expires_at: NOW, resend_at: NOW };
    let bind = |method, code| {
        let typed = Some(Typed { method, value });
        bind(&Bind { application: value, nickname: Some(value), picture: Some(value), typed, code, action: value, ..asked(language) })
    };
    let linked = LinkedIdentity { id: value.into(), nickname: text(), connectors: vec![value.into()], linked_at: NOW, last_login_at: NOW };
    let account = |is_fresh, identities: &[LinkedIdentity]| {
        account(&Account {
            application: value,
            name: Some(value),
            picture: Some(value),
            phone_number: Some(value),
            email: Some(value),
            identities,
            connector_names: &[(value, value)],
            linkable: &[LinkableConnector { id: value, display_name: value, method: LoginMethod::WebsiteQr }],
            is_fresh,
            login_href: value,
            action: value,
            logout_action: value,
            ..mine(language)
        })
    };
    vec![
        ("choose", choose),
        ("bind-phone", bind(ProofMethod::PhoneCode, None)),
        ("bind-email", bind(ProofMethod::EmailCode, None)),
        ("bind-password", bind(ProofMethod::Password, None)),
        ("bind-sent", bind(ProofMethod::PhoneCode, Some(&code))),
        ("account", account(true, &[linked.clone(), linked.clone()])),
        ("account-stale", account(false, &[linked])),
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
    let depends = |name: &str| matches!(name.trim_start_matches('/'), "img" | "span" | "svg" | "path" | "circle" | "rect");
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
    "value",
    "inputmode",
    "maxlength",
    "required",
    "autofocus",
    "autocapitalize",
    "autocorrect",
    "spellcheck",
    "open",
    "disabled",
    "role",
    "aria-invalid",
    "aria-describedby",
];

#[test]
fn no_string_from_outside_changes_a_page() {
    let ordinary = filled_with("shop");
    for value in HOSTILE {
        for ((name, expected), (_, page)) in ordinary.iter().zip(filled_with(value)) {
            assert_eq!(shape(&page), shape(expected), "{name} with {value:?}");
            for (tag, attributes) in tags(&page) {
                let is_picture = matches!(tag.as_str(), "svg" | "path" | "circle" | "rect");
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

/// The forms of one language's half, each with the fields that it sends when its only button, or this one, is pressed.
fn forms(page: &str, language: Language) -> Vec<Vec<(String, String)>> {
    let opening = format!("<div lang=\"{}\">", language.tag());
    let half = page.split_once(&opening).unwrap().1.split("<div lang=").next().unwrap();
    let mut forms = Vec::new();
    for form in half.split("<form").skip(1).map(|rest| rest.split_once("</form>").unwrap().0) {
        let value = |attributes: &[(String, String)], key: &str| {
            attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut fields = Vec::new();
        for (tag, attributes) in tags(&format!("<form{form}")) {
            if matches!(tag.as_str(), "input" | "button") && !value(&attributes, "name").is_empty() {
                fields.push((value(&attributes, "name"), value(&attributes, "value")));
            }
        }
        forms.push(fields);
    }
    forms
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn every_form_says_its_step_and_the_language_it_was_read_in() {
    let page = bind(&asked(Language::En));
    for language in [Language::ZhCn, Language::En] {
        let read_in = |step, more: &[(&str, &str)]| [fields(&[("language", language.tag()), ("action", step)]), fields(more)].concat();
        let expected = [
            read_in("send_code", &[("method", "phone_code"), ("address", "")]),
            read_in("send_code", &[("method", "email_code"), ("address", "")]),
            read_in("password", &[("account", ""), ("password", "")]),
            read_in("create", &[]),
            read_in("cancel", &[]),
        ];
        assert_eq!(forms(&page, language), expected);
        assert_eq!(Language::from_tag(language.tag().as_bytes()), Some(language));
    }
    assert_eq!(Language::from_tag(b"fr"), None);
}

#[test]
fn the_methods_are_spelled_as_in_the_agreement() {
    let page = bind(&Bind { typed: Some(Typed { method: ProofMethod::EmailCode, value: "x@example.com" }), ..asked(Language::En) });
    for method in [ProofMethod::PhoneCode, ProofMethod::EmailCode] {
        let spelled = serde_json::to_string(&method).unwrap();
        assert!(page.contains(&format!("name=\"method\" value={spelled}")), "{spelled}");
    }
}

#[test]
fn a_code_that_was_sent_is_asked_for_first() {
    let code = CodeSent { method: ProofMethod::PhoneCode, address: "+86138****8000".into(), expires_at: NOW + 300, resend_at: NOW };
    let typed = Some(Typed { method: ProofMethod::PhoneCode, value: "13800138000" });
    let page = Bind { code: Some(&code), typed, ..asked(Language::En) };
    let steps = |page: &Bind<'_>| -> Vec<String> {
        forms(&bind(page), Language::En).into_iter().map(|form| form.into_iter().find(|(name, _)| name == "action").unwrap().1).collect()
    };
    assert_eq!(steps(&page), ["code", "send_code", "send_code", "send_code", "password", "create", "cancel"]);
    assert!(forms(&bind(&page), Language::En)[1].contains(&("address".to_owned(), "13800138000".to_owned())), "another code, same number");
    assert_eq!(steps(&Bind { typed: None, ..page })[..2], ["code", "send_code"], "nobody knows the number in full");

    let late = Bind { now: NOW + 300, ..page };
    assert_eq!(steps(&late), steps(&asked(Language::En)), "a code that has expired is asked for anew");
    assert!(bind(&late).contains("The code has expired") && bind(&late).contains("value=\"13800138000\""));
}

#[test]
fn an_address_that_nobody_has_is_answered_in_the_same_words() {
    let page = |address: &str| {
        let code = CodeSent { method: ProofMethod::PhoneCode, address: address.into(), expires_at: NOW + 300, resend_at: NOW + 60 };
        bind(&Bind { code: Some(&code), notice: Some(Notice::CodeSent), ..asked(Language::En) })
    };
    assert_eq!(page("A"), page("B").replace("<bdi>B</bdi>", "<bdi>A</bdi>"));
    assert!(page("A").contains("If an account has <b><bdi>A</bdi></b>"));
}

#[test]
fn the_form_with_the_mistake_is_open_and_says_so() {
    let typed = Some(Typed { method: ProofMethod::Password, value: "xiaoman" });
    let page = bind(&Bind { typed, notice: Some(Notice::WrongProof { tries_left: 1 }), ..asked(Language::En) });
    let (_, open) = page.split_once("<details name=\"way-en\" open>").unwrap();
    assert!(open.split("</details>").next().unwrap().contains("value=\"xiaoman\" aria-invalid=\"true\" aria-describedby=\"notice-en\""));
    assert!(page.contains("role=\"alert\" id=\"notice-en\"") && page.contains("You have 1 try left."));
    assert_eq!(page.matches(" open>").count(), 2, "one in each language");
}

#[test]
fn one_button_chooses_one_account() {
    let candidate = |id: &str| Candidate { id: id.into(), ..Candidate::default() };
    let page = choose(&Choose {
        language: Language::En,
        application: "shop",
        nickname: None,
        picture: None,
        accounts: &[candidate("a1"), candidate("b2")],
        action: "/wxgate/account",
        notice: None,
        now: NOW,
    });
    let expected = fields(&[("language", "en"), ("action", "choose"), ("account", "a1"), ("account", "b2")]);
    assert_eq!(forms(&page, Language::En)[0], expected);
}

#[test]
fn the_last_way_in_cannot_be_unlinked_and_a_stale_login_changes_nothing() {
    let linked = |id: &str| LinkedIdentity { id: id.into(), nickname: None, connectors: vec![], linked_at: NOW, last_login_at: NOW };
    let steps = |page: &Account<'_>| -> Vec<String> {
        let forms = forms(&account(page), Language::En);
        forms
            .into_iter()
            .flatten()
            .filter(|(name, _)| matches!(name.as_str(), "action" | "identity" | "connector"))
            .map(|(_, value)| value)
            .collect()
    };
    let (one, two) = ([linked("a")], [linked("a"), linked("b")]);
    let page = Account { identities: &two, ..mine(Language::En) };
    assert_eq!(steps(&page), ["unlink", "a", "unlink", "b", "link", "pc", "sign_out_everywhere"]);
    assert_eq!(steps(&Account { identities: &one, ..page }), ["link", "pc", "sign_out_everywhere"]);
    assert!(account(&Account { identities: &one, ..mine(Language::En) }).contains("disabled>Unlink"));
    let stale = Account { identities: &two, is_fresh: false, ..mine(Language::En) };
    assert_eq!(steps(&stale), ["sign_out_everywhere"]);
    assert!(account(&stale).contains("href=\"/wxgate/login?return_to=%2Fwxgate%2Faccount\""));
}

#[test]
fn an_id_stands_once_in_a_page() {
    for (name, page) in gallery(Language::En) {
        let mut ids: Vec<_> = tags(&page).into_iter().flat_map(|(_, attributes)| attributes).filter(|(key, _)| key == "id").collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}");
    }
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
    assert_eq!(pictures.len(), 4, "two pages, both languages");
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
    let onward = policy_with_forms_to("https://open.weixin.qq.com");
    assert!(onward.contains("; form-action 'self' https://open.weixin.qq.com; base-uri 'none'"), "{onward}");
}

#[test]
fn pages_are_small() {
    assert!(STYLE.len() <= 9 * 1024, "the style has {} bytes", STYLE.len());
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
