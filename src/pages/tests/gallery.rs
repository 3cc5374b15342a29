//! Each page, filled with ordinary values or with one string everywhere.

use resolver_api::{Candidate, CodeSent, LinkedIdentity, LoginMethod, ProofMethod};

use super::hostile::HOSTILE;
use super::*;
use crate::error::Text;

/// 1 January 2026.
pub(super) const NOW: u64 = 1_767_225_600;
const DAY: u64 = 24 * 60 * 60;

/// Each page, filled with ordinary values.
pub(super) fn gallery(language: Language) -> Vec<(&'static str, String)> {
    let mut pages = login_pages(language);
    pages.extend(account_pages(language));
    pages.extend(scan_pages(language, "云上书店", "林小满 🌱", None));
    pages
}

/// Each page of a scan; `value` stands wherever the filter, WeChat or a person fills something in.
fn scan_pages(language: Language, application: &str, value: &str, address: Option<&str>) -> Vec<(&'static str, String)> {
    let picture = Some(address.unwrap_or("https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132"));
    let address = |own| address.unwrap_or(own);
    let at = |method, state| {
        scan(&Scan {
            language,
            application,
            method,
            state,
            look_again: address("/wxgate/scan/scan?scan=xyz"),
            start: (method != LoginMethod::WebsiteQr).then_some(address("/wxgate/scan/scan")),
            return_to: value,
            login_href: address("/wxgate/login?return_to=%2Forders"),
        })
    };
    let waiting = |seconds_left| ScanState::Waiting { image: address("/wxgate/scan/scan/image?scan=xyz"), number: "42", seconds_left };
    let confirm = ConfirmScan {
        language,
        application,
        origin: address("https://shop.example.com"),
        client: Some(value),
        client_address: Some(value),
        number: "42",
        action: address("/wxgate/scan/follow/confirm"),
        confirm: value,
    };
    let bare = ConfirmScan { client: None, client_address: None, ..confirm };
    let mut pages = vec![
        ("scan-waiting", at(LoginMethod::MiniProgramQr, waiting(118))),
        ("scan-waiting-link", at(LoginMethod::WebsiteQr, waiting(118))),
        ("scan-waiting-follow", at(LoginMethod::OfficialAccountQr, waiting(20))),
        ("scan-scanned", at(LoginMethod::MiniProgramQr, ScanState::Scanned { name: Some(value), picture, number: "42" })),
        ("scan-scanned-unnamed", at(LoginMethod::OfficialAccountQr, ScanState::Scanned { name: None, picture: None, number: "42" })),
        ("scan-cancelled", at(LoginMethod::MiniProgramQr, ScanState::Cancelled)),
        ("scan-expired", at(LoginMethod::MiniProgramQr, ScanState::Expired)),
        ("scan-confirm", confirm_scan(&confirm)),
        ("scan-confirm-bare", confirm_scan(&bare)),
    ];
    for (name, answered) in [
        ("scan-confirmed", ScanAnswered::Confirmed),
        ("scan-refused", ScanAnswered::Cancelled),
        ("scan-over", ScanAnswered::Over),
        ("scan-taken", ScanAnswered::Taken),
    ] {
        pages.push((name, scan_answered(language, Some(application), answered)));
    }
    pages
}

fn login_pages(language: Language) -> Vec<(&'static str, String)> {
    let options = options("/wxgate/start/x?a=1", "微信登录");
    let ways = |options| Ways { options, chosen: None, return_to: "/orders" };
    let (all, first, links) = (ways(&options), ways(options.get(1..2).unwrap()), ways(options.get(3..).unwrap()));
    let framed = ways(options.get(..1).unwrap());
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
        ("login", login(&Login { language, application: "云上书店", ways: all, hint: None })),
        ("login-one", login(&Login { language, application: "shop", ways: first, hint: Some(hint) })),
        ("login-framed", login(&Login { language, application: "shop", ways: framed, hint: None })),
        ("login-links", login(&Login { language, application: "shop", ways: links, hint: None })),
        ("login-none", login(&Login { language, application: "shop", ways: ways(&[]), hint: None })),
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
        ("experience", experience(&Experience { language, application: "云上书店", ways: all, signed_in: None })),
        ("experience-in", experience(&Experience { language, application: "云上书店", ways: all, signed_in: Some(signed_in(None)) })),
        (
            "experience-picture",
            experience(&Experience {
                language,
                application: "云上书店",
                ways: links,
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
pub(super) fn asked(language: Language) -> Bind<'static> {
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
pub(super) fn mine(language: Language) -> Account<'static> {
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
pub(super) fn filled_with(value: &str) -> Vec<(&'static str, String)> {
    let language = Language::ZhCn;
    let options = options(value, value);
    let ways = Ways { options: &options, chosen: Some(value), return_to: value };
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
        ("login", login(&Login { language, application: value, ways, hint: Some(text) })),
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
        ("experience", experience(&Experience { language, application: value, ways, signed_in: None })),
        ("experience-in", experience(&Experience { language, application: value, ways, signed_in: Some(signed_in) })),
    ];
    pages.extend(account_pages_filled_with(value));
    pages.extend(scan_pages(language, value, value, Some(value)));
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

/// A frame, two codes of ours, and a link.
pub(super) fn options<'a>(address: &str, text: &'a str) -> Vec<LoginOption<'a>> {
    let ways = [
        (LoginMethod::WebsiteQr, Some(Panel::Frame(address.to_owned()))),
        (LoginMethod::MiniProgramQr, Some(Panel::Scan(address.to_owned()))),
        (LoginMethod::OfficialAccountQr, Some(Panel::Scan(address.to_owned()))),
        (LoginMethod::OfficialAccountWeb, None),
    ];
    let option = |(method, panel)| LoginOption { id: text, href: address.to_owned(), display_name: text, method, panel };
    ways.into_iter().map(option).collect()
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
