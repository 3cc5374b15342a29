//! The login page.

use super::language::Language;
use super::shell::{Sign, Title, Width, close, notice, open};
use super::ways::Ways;
use crate::error::Text;

/// The login page.
pub struct Login<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// What there is to choose from.
    pub ways: Ways<'a>,
    /// What the visitor should know, such as that this browser cannot do the usual.
    pub hint: Option<Text>,
}

/// Codes to scan as tabs, and a button for every other way of logging in.
pub fn login(page: &Login<'_>) -> String {
    let title = Title { text: Text { zh: "登录", en: "Log in" }, application: Some(page.application) };
    let mut html = open(page.language, title, Width::Narrow);
    html.both(&|html| {
        // A code is tall, and brand enough.
        if !page.ways.has_panels() {
            Sign::WeChat.write(html);
        }
        html.raw("<h1>").say(Text { zh: "登录 ", en: "Log in to " }).name(page.application).raw("</h1>");
        if let Some(hint) = page.hint {
            notice(html, hint);
        }
    });
    page.ways.write(&mut html);
    html.both(&|html| {
        if !page.ways.options.is_empty() {
            let promise = Text {
                zh: "登录在微信中确认，本站不会看到您的微信密码。",
                en: "You confirm in WeChat. This site never sees your WeChat password.",
            };
            html.raw("<p class=\"small\">").say(promise).raw("</p>");
        } else if page.hint.is_none() {
            notice(
                html,
                Text {
                    zh: "这里目前没有可用的登录方式，请联系网站管理员。",
                    en: "No way to log in is available here. Please contact the site’s administrator.",
                },
            );
        }
    });
    page.ways.script(&mut html);
    close(html)
}
