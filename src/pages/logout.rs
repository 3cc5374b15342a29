//! Before and after logging out.

use super::language::Language;
use super::shell::{Sign, Title, Width, document, notice};
use crate::error::Text;

/// The question before a session ends.
pub struct Logout<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// Who is logged in, where WeChat told a name.
    pub name: Option<&'a str>,
    /// Where the button posts to: a path of the filter.
    pub action: &'a str,
    /// Where to go instead.
    pub stay_href: &'a str,
}

/// Asks, and changes nothing: only the form's POST ends the session, so that no link or picture elsewhere can.
pub fn logout(page: &Logout<'_>) -> String {
    let title = Title { text: LOG_OUT, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html| {
        Sign::Leave.write(html);
        html.raw("<h1>").say(Text { zh: "退出 ", en: "Log out of " }).name(page.application);
        html.say(Text { zh: "？", en: "?" }).raw("</h1><p class=\"lead\">");
        match page.name {
            Some(name) => html.say(Text { zh: "当前登录的是 ", en: "You are logged in as " }).raw("<b>").name(name).raw("</b>").say(STOP),
            None => {
                html.say(Text { zh: "退出后，再次使用时需要重新登录。", en: "You will need to log in again to come back." })
            }
        };
        html.raw("</p><form method=\"post\"").address("action", page.action).raw("><button class=\"button calm\">").say(LOG_OUT);
        html.raw("</button></form><a class=\"button plain\"").address("href", page.stay_href).raw(">");
        html.say(Text { zh: "暂不退出", en: "Stay logged in" }).raw("</a>");
    })
}

/// The session has ended.
pub struct LoggedOut<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// Where to log in again.
    pub login_href: &'a str,
    /// False: this browser is logged out, but copies of the session elsewhere could not be ended yet.
    pub complete: bool,
}

/// Says so, and leads back.
pub fn logged_out(page: &LoggedOut<'_>) -> String {
    let title = Title { text: Text { zh: "已退出登录", en: "Logged out" }, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html| {
        Sign::Done.write(html);
        html.raw("<h1>").say(Text { zh: "已退出登录", en: "You are logged out" }).raw("</h1><p class=\"lead\">");
        html.say(Text { zh: "您已在此浏览器中退出 ", en: "This browser is no longer logged in to " })
            .name(page.application)
            .say(STOP)
            .raw("</p>");
        if !page.complete {
            let text = Text {
                zh: "登录服务暂时没有响应：如果这次登录还保留在别处（例如 App 中），它可能要过一段时间才会失效。若担心账号被他人使用，请联系网站管理员。",
                en: "The login service is not responding right now. If this login is also kept elsewhere, such as in an app, it may stay valid \
                     for a while. If you fear that someone else uses your account, please contact the site’s administrator.",
            };
            notice(html, text);
        }
        html.raw("<a class=\"button\"")
            .address("href", page.login_href)
            .raw(">")
            .say(Text { zh: "重新登录", en: "Log in again" })
            .raw("</a>");
    })
}

const LOG_OUT: Text = Text { zh: "退出登录", en: "Log out" };
const STOP: Text = Text { zh: "。", en: "." };
