//! "You have two accounts here: which one?"

use resolver_api::Candidate;

use super::form::{Look, form, submit};
use super::html::Html;
use super::icons;
use super::language::Language;
use super::notice::Notice;
use super::person::avatar;
use super::shell::{Title, Width, document};
use super::when::{ago, date};
use crate::error::Text;

/// WeChat's openid and unionid belong to different accounts.
///
/// Every form posts `application/x-www-form-urlencoded` to [`Choose::action`], with `language` (a [`Language::tag`]) and `action`:
/// `choose` with `account`, a [`Candidate::id`]; or `cancel`.
pub struct Choose<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// What WeChat calls the person.
    pub nickname: Option<&'a str>,
    /// Shown when it is an `https` address below `qlogo.cn`.
    pub picture: Option<&'a str>,
    /// Two or more.
    pub accounts: &'a [Candidate],
    /// Where all forms post to: a path of the filter.
    pub action: &'a str,
    /// What became of the last answer.
    pub notice: Option<Notice>,
    /// The time in Unix seconds, for "3 days ago".
    pub now: u64,
}

/// One card with one button for each account.
pub fn choose(page: &Choose<'_>) -> String {
    let title = Title { text: Text { zh: "选择账号", en: "Choose an account" }, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html| {
        html.raw("<div class=\"who\">");
        avatar(html, page.nickname, page.picture);
        html.raw("</div><h1>").say(Text { zh: "要用哪个账号登录？", en: "Which account is it?" }).raw("</h1><p class=\"lead\">");
        match page.nickname {
            Some(nickname) => html.say(Text { zh: "您的微信 ", en: "Your WeChat " }).raw("<b>").name(nickname).raw("</b>"),
            None => html.say(Text { zh: "您的微信", en: "Your WeChat" }),
        };
        html.say(Text { zh: " 在 ", en: " is known to " }).name(page.application);
        html.say(match page.accounts.len() {
            2 => Text { zh: " 有两个账号。", en: " by two accounts." },
            _ => Text { zh: " 有多个账号。", en: " by several accounts." },
        });
        html.raw("</p>");
        if let Some(notice) = page.notice {
            notice.write(html);
        }
        form(html, page.action, "choose", |html| {
            html.raw("<ul class=\"options\">");
            for account in page.accounts {
                html.raw("<li>");
                candidate(html, account, page.now);
                html.raw("</li>");
            }
            html.raw("</ul>");
        });
        html.raw("<p class=\"small\">");
        html.say(Text {
            zh: "另一个账号会原样保留，不会被删除或合并。您的选择会被记住，下次登录不再询问。",
            en: "The other account keeps existing: nothing is deleted or merged. Your choice is remembered, so you will not be asked again.",
        });
        html.raw("</p>");
        cancel(html, page.action);
    })
}

/// The whole card is the button, so that all of it is read out, and a finger finds it.
fn candidate(html: &mut Html, account: &Candidate, now: u64) {
    html.raw("<button class=\"row\" name=\"account\"").attribute("value", &account.id).raw(">");
    avatar(html, account.name.as_deref(), None);
    html.raw("<span><b>");
    match &account.name {
        Some(name) => html.name(name),
        None => html.say(Text { zh: "未命名账号", en: "Account without a name" }),
    };
    html.raw("</b>");
    for contact in [&account.phone_number, &account.email].into_iter().flatten() {
        html.raw("<small>").name(contact).raw("</small>");
    }
    html.raw("<small>");
    match account.last_login_at {
        0 => {
            html.say(Text { zh: "从未登录过", en: "Never used to log in" });
        }
        time => {
            html.say(Text { zh: "上次登录：", en: "Last login " });
            ago(html, time, now);
        }
    }
    html.raw("</small><small>").say(Text { zh: "创建于 ", en: "Made on " });
    date(html, account.created_at);
    html.raw("</small></span>").raw(icons::ONWARD).raw("</button>");
}

/// The way back to where the login began, for this page and for [`super::bind()`].
pub(super) fn cancel(html: &mut Html, action: &str) {
    form(html, action, "cancel", |html| submit(html, Look::Quiet, Text { zh: "取消登录", en: "Cancel" }));
}
