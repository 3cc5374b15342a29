//! "My account": who am I, by which WeChat may I log in, and the way out.

use resolver_api::{LinkedIdentity, LoginMethod};

use super::form::{Look, form, hidden, submit};
use super::html::Html;
use super::icons;
use super::language::Language;
use super::person::avatar;
use super::shell::{Title, Width, document, outcome};
use super::ways::what_happens;
use super::when::{ago, date};
use crate::error::Text;

/// A person's own account.
///
/// Every form posts `application/x-www-form-urlencoded` to [`Account::action`], with `language` (a [`Language::tag`]) and `action`:
/// `unlink` with `identity`, a [`LinkedIdentity::id`]; `link` with `connector`, a [`LinkableConnector::id`]; or `sign_out_everywhere`.
/// Only the log-out button posts to [`Account::logout_action`], without fields.
pub struct Account<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// The account's name.
    pub name: Option<&'a str>,
    /// Shown when it is an `https` address below `qlogo.cn`.
    pub picture: Option<&'a str>,
    /// In E.164.
    pub phone_number: Option<&'a str>,
    /// The e-mail address.
    pub email: Option<&'a str>,
    /// The WeChat people who may log in to it.
    pub identities: &'a [LinkedIdentity],
    /// The names of the connectors in [`LinkedIdentity::connectors`], as (id, name); one that is missing is not shown.
    pub connector_names: &'a [(&'a str, &'a str)],
    /// By which another WeChat can be linked in this browser.
    pub linkable: &'a [LinkableConnector<'a>],
    /// False: linking and unlinking ask for a new login first, and the page says so.
    pub is_fresh: bool,
    /// Where to log in anew and come back: a path of the filter.
    pub login_href: &'a str,
    /// Where the forms post to: a path of the filter.
    pub action: &'a str,
    /// Where logging out posts to: a path of the filter.
    pub logout_action: &'a str,
    /// What has just become of a change.
    pub notice: Option<AccountNotice>,
    /// The time in Unix seconds, for "3 days ago".
    pub now: u64,
}

/// A way to link another WeChat.
pub struct LinkableConnector<'a> {
    /// The connector's id.
    pub id: &'a str,
    /// The operator's name for it.
    pub display_name: &'a str,
    /// Decides the icon.
    pub method: LoginMethod,
}

/// What has just become of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountNotice {
    /// This WeChat may log in to the account from now on.
    Linked,
    /// The WeChat that was to be unlinked is the last way in, and stays.
    LastWayIn,
    /// A dangerous step needs a new login first.
    LogInAgain,
}

/// Who am I, and what can I change.
pub fn account(page: &Account<'_>) -> String {
    let title = Title { text: Text { zh: "我的账号", en: "My account" }, application: Some(page.application) };
    document(page.language, title, Width::Wide, |html| {
        person(html, page);
        if let Some(notice) = page.notice {
            notice.write(html);
        }
        contacts(html, page);
        if !page.is_fresh {
            log_in_first(html, page);
        }
        identities(html, page);
        if page.is_fresh && !page.linkable.is_empty() {
            another(html, page);
        }
        everywhere(html, page);
    })
}

fn person(html: &mut Html, page: &Account<'_>) {
    html.raw("<header>");
    avatar(html, page.name, page.picture);
    html.raw("<div><h1>");
    match page.name {
        Some(name) => html.name(name),
        None => html.say(Text { zh: "我的账号", en: "My account" }),
    };
    html.raw("</h1><p>").say(Text { zh: "已登录 ", en: "Logged in to " }).name(page.application).raw("</p></div><form method=\"post\"");
    html.address("action", page.logout_action).raw(">");
    submit(html, Look::Plain, Text { zh: "退出登录", en: "Log out" });
    html.raw("</form></header>");
}

fn contacts(html: &mut Html, page: &Account<'_>) {
    let contacts = [(Text { zh: "手机号", en: "Phone" }, page.phone_number), (Text { zh: "邮箱", en: "E-mail" }, page.email)];
    if contacts.iter().all(|(_, value)| value.is_none()) {
        return;
    }
    html.raw("<dl class=\"facts\">");
    for (label, value) in contacts {
        let Some(value) = value else { continue };
        html.raw("<div><dt>").say(label).raw("</dt><dd>").name(value).raw("</dd></div>");
    }
    html.raw("</dl>");
}

fn log_in_first(html: &mut Html, page: &Account<'_>) {
    html.raw("<section class=\"panel\"><p>");
    html.say(Text {
        zh: "为了您的账号安全，关联或解除微信之前需要重新登录一次。",
        en: "To keep your account safe, log in once more before you link or unlink a WeChat.",
    });
    html.raw("</p><a class=\"button plain\"").address("href", page.login_href).raw(">");
    html.say(Text { zh: "重新登录", en: "Log in again" }).raw("</a></section>");
}

fn identities(html: &mut Html, page: &Account<'_>) {
    html.raw("<h2>")
        .say(Text { zh: "可以登录此账号的微信", en: "WeChat that can log in to this account" })
        .raw("</h2><ul class=\"options\">");
    let is_last = page.identities.len() < 2;
    for linked in page.identities {
        html.raw("<li>");
        if is_last {
            html.raw("<div class=\"card row\">");
            identity(html, page, linked);
            html.raw("<button class=\"button plain\" disabled>").say(UNLINK).raw("</button></div><p class=\"under\">");
            html.say(Text {
                zh: "这是唯一能登录此账号的微信，所以不能解除。",
                en: "This is the only WeChat that can log in to this account, so it stays.",
            });
            html.raw("</p>");
        } else if page.is_fresh {
            html.raw("<details").id("name", "unlink").raw("><summary class=\"row\">");
            identity(html, page, linked);
            html.raw("<span class=\"aside\">").say(UNLINK).raw("</span></summary><p>");
            html.say(Text {
                zh: "解除后，这个微信不能再登录此账号，并且此账号在所有设备上都会退出登录。",
                en: "This WeChat will no longer log in to this account, and the account is signed out on all devices.",
            });
            html.raw("</p>");
            form(html, page.action, "unlink", |html| {
                hidden(html, "identity", &linked.id);
                submit(html, Look::Calm, Text { zh: "确认解除关联", en: "Unlink this WeChat" });
            });
            html.raw("</details>");
        } else {
            html.raw("<div class=\"card row\">");
            identity(html, page, linked);
            html.raw("</div>");
        }
        html.raw("</li>");
    }
    html.raw("</ul>");
}

fn identity(html: &mut Html, page: &Account<'_>, linked: &LinkedIdentity) {
    html.raw("<span class=\"icon\">").raw(icons::CHAT).raw("</span><span><b>");
    match &linked.nickname {
        Some(nickname) => html.name(nickname),
        None => html.say(Text { zh: "微信用户", en: "WeChat user" }),
    };
    html.raw("</b><small>").say(Text { zh: "上次登录：", en: "Last login " });
    ago(html, linked.last_login_at, page.now);
    html.raw("</small><small>");
    let names = page.connector_names.iter().filter(|(id, _)| linked.connectors.iter().any(|connector| connector == id));
    for (place, (_, name)) in names.enumerate() {
        html.raw(if place == 0 { "" } else { " · " }).name(name);
    }
    html.raw("</small><small>").say(Text { zh: "关联于 ", en: "Linked on " });
    date(html, linked.linked_at);
    html.raw("</small></span>");
}

fn another(html: &mut Html, page: &Account<'_>) {
    html.raw("<h2>").say(Text { zh: "关联另一个微信", en: "Link another WeChat" }).raw("</h2>");
    form(html, page.action, "link", |html| {
        html.raw("<ul class=\"options\">");
        for connector in page.linkable {
            html.raw("<li><button class=\"row\" name=\"connector\"").attribute("value", connector.id).raw("><span class=\"icon\">");
            html.raw(icons::of_method(connector.method)).raw("</span><span><b>").name(connector.display_name).raw("</b><small>");
            html.say(what_happens(connector.method)).raw("</small></span>").raw(icons::ONWARD).raw("</button></li>");
        }
        html.raw("</ul>");
    });
}

fn everywhere(html: &mut Html, page: &Account<'_>) {
    html.raw("<h2>").say(Text { zh: "所有设备", en: "All devices" }).raw("</h2><p class=\"under\">");
    html.say(Text {
        zh: "手机丢失，或怀疑有人在用您的账号？可以让此账号在所有设备上退出登录，包括这里。",
        en: "Lost a phone, or somebody else may be using your account? End every login of this account, this one too.",
    });
    html.raw("</p>");
    form(html, page.action, "sign_out_everywhere", |html| submit(html, Look::Calm, Text { zh: "退出所有设备", en: "Sign out everywhere" }));
}

impl AccountNotice {
    fn write(self, html: &mut Html) {
        let (is_good, text) = match self {
            Self::Linked => (
                true,
                Text {
                    zh: "关联成功，以后可以用这个微信登录。", en: "Linked: this WeChat can log in to your account from now on."
                },
            ),
            Self::LastWayIn => (
                false,
                Text {
                    zh: "没有解除：这是唯一能登录此账号的微信。",
                    en: "Not unlinked: it is the only WeChat that can log in to this account.",
                },
            ),
            Self::LogInAgain => (false, Text { zh: "请先重新登录，再进行更改。", en: "Please log in again first, then make the change." }),
        };
        outcome(html, is_good, |html| {
            html.say(text);
        });
    }
}

const UNLINK: Text = Text { zh: "解除关联", en: "Unlink" };
