//! The login chooser.

use resolver_api::LoginMethod;

use super::html::Html;
use super::icons;
use super::language::Language;
use super::shell::{Sign, Title, Width, document, notice};
use crate::error::Text;

/// One way to log in.
pub struct LoginOption<'a> {
    /// Where the button leads: a path of the filter.
    pub href: String,
    /// The operator's name for it.
    pub display_name: &'a str,
    /// Decides the icon, and the line that says what will happen.
    pub method: LoginMethod,
}

/// The login chooser.
pub struct Login<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// In the operator's order; those that can work in this browser.
    pub options: &'a [LoginOption<'a>],
    /// What the visitor should know, such as that this browser cannot do the usual.
    pub hint: Option<Text>,
}

/// One big button for each way of logging in.
pub fn login(page: &Login<'_>) -> String {
    let title = Title { text: Text { zh: "登录", en: "Log in" }, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html| {
        Sign::WeChat.write(html);
        html.raw("<h1>").say(Text { zh: "登录 ", en: "Log in to " }).name(page.application).raw("</h1>");
        if let Some(hint) = page.hint {
            notice(html, hint);
        }
        options(html, page.options);
        if !page.options.is_empty() {
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
    })
}

/// The buttons, also for "try it".
pub(super) fn options(html: &mut Html, options: &[LoginOption<'_>]) {
    if options.is_empty() {
        return;
    }
    html.raw("<ul class=\"options\">");
    for option in options {
        html.raw("<li><a class=\"row\"").address("href", &option.href).raw("><span class=\"icon\">").raw(icons::of_method(option.method));
        html.raw("</span><span><b>").name(option.display_name).raw("</b><small>").say(what_happens(option.method)).raw("</small></span>");
        html.raw(icons::ONWARD).raw("</a></li>");
    }
    html.raw("</ul>");
}

/// Also for linking another WeChat.
pub(super) fn what_happens(method: LoginMethod) -> Text {
    match method {
        LoginMethod::WebsiteQr => Text { zh: "用微信扫一扫登录", en: "Scan a code with WeChat" },
        LoginMethod::OfficialAccountWeb => Text { zh: "使用当前的微信账号继续", en: "Continue with your WeChat account" },
        LoginMethod::MobileApp => Text { zh: "打开手机上的微信确认登录", en: "Confirm in the WeChat app on this phone" },
        LoginMethod::MiniProgram => Text { zh: "在微信小程序里一键登录", en: "One tap inside the WeChat mini program" },
        LoginMethod::MiniProgramQr => Text { zh: "扫小程序码，在手机上确认", en: "Scan the mini program code" },
        LoginMethod::AppToMiniProgram => Text { zh: "前往微信小程序确认登录", en: "Confirm in a WeChat mini program" },
        LoginMethod::OfficialAccountQr => Text { zh: "微信扫码关注公众号登录", en: "Scan and follow the official account" },
    }
}
