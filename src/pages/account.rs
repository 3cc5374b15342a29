//! "My account": who am I, by which WeChat may I log in, and the way out.

use resolver_api::{LinkedIdentity, LoginMethod};

use super::html::Html;
use super::language::Language;
use super::shell::{Title, Width, document};
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
    /// It may no longer.
    Unlinked,
    /// It is the last way in, and stays.
    LastWayIn,
    /// It belongs to another account.
    Taken,
    /// A dangerous step needs a new login first.
    LogInAgain,
}

/// Who am I, and what can I change.
pub fn account(page: &Account<'_>) -> String {
    let title = Title { text: Text { zh: "我的账号", en: "My account" }, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html: &mut Html| {
        html.raw("<h1>").say(Text { zh: "我的账号", en: "My account" }).raw("</h1>");
    })
}
