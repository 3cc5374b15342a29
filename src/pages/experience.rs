//! "Try it": log in by any enabled method and see exactly what the application would receive.

use super::html::Html;
use super::language::Language;
use super::person::avatar;
use super::shell::{Sign, Title, Width, close, notice, open};
use super::ways::Ways;
use crate::error::Text;

/// The page, before or after a login.
pub struct Experience<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// All methods that the application enables and that this browser can do.
    pub ways: Ways<'a>,
    /// The session of this browser, if any.
    pub signed_in: Option<SignedIn<'a>>,
}

/// A session, and what it gives to the application.
pub struct SignedIn<'a> {
    /// What WeChat told.
    pub name: Option<&'a str>,
    /// Shown when it is an `https` address below `qlogo.cn`.
    pub picture: Option<&'a str>,
    /// The identity header's name.
    pub header: &'a str,
    /// Its value: a JWT.
    pub token: &'a str,
    /// The JWT's claims as indented JSON.
    pub claims_json: &'a str,
    /// The further headers, by name and value.
    pub plain_headers: &'a [(String, String)],
    /// Where logging out posts to: a path of the filter.
    pub logout_action: &'a str,
}

/// The chooser, and after a login the person, the header, its claims, and the plain headers.
pub fn experience(page: &Experience<'_>) -> String {
    let title = Title { text: Text { zh: "体验登录", en: "Try the login" }, application: Some(page.application) };
    let Some(signed_in) = &page.signed_in else {
        let mut html = open(page.language, title, Width::Narrow);
        html.both(&|html| {
            if !page.ways.has_panels() {
                Sign::WeChat.write(html);
            }
            html.raw("<h1>").say(Text { zh: "体验登录", en: "Try the login" }).raw("</h1><p class=\"lead\">");
            html.say(Text { zh: "任选一种方式登录，看看 ", en: "Log in by any method and see exactly what " }).name(page.application);
            html.say(Text { zh: " 会收到什么。", en: " would receive." }).raw("</p>");
            if page.ways.options.is_empty() {
                notice(
                    html,
                    Text {
                        zh: "这个应用没有可在浏览器中使用的登录方式。",
                        en: "This application enables no method that works in a browser.",
                    },
                );
            }
        });
        page.ways.write(&mut html);
        page.ways.script(&mut html);
        return close(html);
    };
    let mut html = open(page.language, title, Width::Wide);
    html.both(&|html| {
        person(html, page.application, signed_in);
        received(html, signed_in);
        if !page.ways.options.is_empty() {
            html.raw("<h2>").say(Text { zh: "换一种方式登录", en: "Log in another way" }).raw("</h2>");
            page.ways.buttons(html);
        }
    });
    close(html)
}

fn person(html: &mut Html, application: &str, signed_in: &SignedIn<'_>) {
    html.raw("<header>");
    avatar(html, signed_in.name, signed_in.picture);
    html.raw("<div><h1>");
    match signed_in.name {
        Some(name) => html.name(name),
        None => html.say(Text { zh: "已登录", en: "Logged in" }),
    };
    html.raw("</h1><p>").say(Text { zh: "已登录 ", en: "Logged in to " }).name(application).raw("</p></div>");
    html.raw("<form method=\"post\"").address("action", signed_in.logout_action).raw("><button class=\"button plain\">");
    html.say(Text { zh: "退出登录", en: "Log out" }).raw("</button></form></header>");
}

fn received(html: &mut Html, signed_in: &SignedIn<'_>) {
    html.raw("<p class=\"lead\">");
    let lead = Text {
        zh: "应用从您的每个请求中得到的身份信息，就是下面这些。",
        en: "This is exactly how your identity reaches the application, with every request.",
    };
    html.say(lead).raw("</p>");

    html.raw("<h2>").say(Text { zh: "身份请求头", en: "Identity header" }).raw("</h2>");
    html.raw("<pre class=\"token\"><b>").text(signed_in.header).raw(":</b> <code>");
    for (place, part) in signed_in.token.split('.').enumerate() {
        html.raw(if place == 0 { "<span>" } else { ".<span>" }).text(part).raw("</span>");
    }
    html.raw("</code></pre><h2>").say(Text { zh: "令牌解码后的内容", en: "The token, decoded" }).raw("</h2>");
    html.raw("<pre>").text(signed_in.claims_json).raw("</pre>");

    if !signed_in.plain_headers.is_empty() {
        html.raw("<h2>").say(Text { zh: "附加请求头", en: "Additional headers" }).raw("</h2><pre>");
        for (name, value) in signed_in.plain_headers {
            html.raw("<b>").text(name).raw(":</b> ").text(value).raw("\n");
        }
        html.raw("</pre>");
    }
}
