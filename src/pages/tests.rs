//! What must hold on every page.

mod account;
mod gallery;
mod hostile;
mod reading;
mod ways;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use gallery::{NOW, asked, filled_with, gallery, mine, options};
use reading::{fields, forms, half, shape, shape_in, tags, values};

use super::shell::STYLE;
use super::ways::SCRIPT;
use super::*;

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
            let said = |language| -> Vec<String> {
                let tags = shape_in(&page, language);
                assert_eq!(tags.iter().filter(|tag| *tag == "h1").count(), 1, "{name}");
                tags
            };
            assert_eq!(said(Language::ZhCn), said(Language::En), "{name}: one language says more");
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
            assert!(!matches!(tag.as_str(), "iframe" | "object" | "embed" | "base"), "{name}: {tag}");
            assert!(tag != "script" || page.contains("id=\"ways\""), "{name}: a script for nothing");
            for (key, value) in attributes {
                assert!(key != "style" && !key.starts_with("on"), "{name}: {key}");
                let is_ours = value.starts_with("/wxgate/") || value.starts_with("https://thirdwx.qlogo.cn/");
                assert!(key != "src" || is_ours, "{name}: {value}");
                assert!(key != "action" || value.starts_with('/'), "{name}: {value}");
            }
        }
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
}

#[test]
fn pictures_tell_nobody_where_they_are_shown() {
    let images = gallery(Language::En).into_iter().flat_map(|(_, page)| tags(&page)).filter(|(tag, _)| tag == "img");
    let is_from_elsewhere = |attributes: &[(String, String)]| attributes.iter().any(|(key, value)| key == "src" && !value.starts_with('/'));
    let pictures: Vec<_> = images.filter(|(_, attributes)| is_from_elsewhere(attributes)).collect();
    assert_eq!(pictures.len(), 6, "three pages, both languages");
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
    assert!(STYLE.len() <= 11 * 1024, "the style has {} bytes", STYLE.len());
    assert!(SCRIPT.len() <= 9 * 1024, "the script has {} bytes", SCRIPT.len());
    for (name, page) in gallery(Language::ZhCn) {
        let script = if page.contains("<script>") { SCRIPT.len() } else { 0 };
        assert!(page.len() <= 24 * 1024 + script, "{name} has {} bytes", page.len());
    }
}
