//! Pages that ask who somebody is, and pages of somebody's own account.

use resolver_api::{Candidate, CodeSent, LinkedIdentity, ProofMethod};

use super::*;

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
