//! "You have two accounts here: which one?"

use resolver_api::Candidate;

use super::html::Html;
use super::language::Language;
use super::notice::Notice;
use super::shell::{Title, Width, document};
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
    document(page.language, title, Width::Narrow, |html: &mut Html| {
        html.raw("<h1>").say(Text { zh: "选择账号", en: "Choose an account" }).raw("</h1>");
    })
}
