//! "Do you already have an account?"

use resolver_api::{CodeSent, ProofMethod};

use super::html::Html;
use super::language::Language;
use super::notice::Notice;
use super::shell::{Title, Width, document};
use crate::error::Text;

/// Nobody has this WeChat identity: the person proves an account that exists, or makes one.
///
/// Every form posts `application/x-www-form-urlencoded` to [`Bind::action`], with `language` (a [`Language::tag`]) and `action`:
///
/// | `action` | further fields |
/// |---|---|
/// | `send_code` | `method` (`phone_code` or `email_code`), `address`; the button for another code sends the same |
/// | `code` | `code` |
/// | `password` | `account`, `password` |
/// | `create`, `cancel` | none |
pub struct Bind<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name.
    pub application: &'a str,
    /// What WeChat calls the person.
    pub nickname: Option<&'a str>,
    /// Shown when it is an `https` address below `qlogo.cn`.
    pub picture: Option<&'a str>,
    /// The ways to prove an account, in the operator's order.
    pub methods: &'a [ProofMethod],
    /// Whether a new account may be made.
    pub may_create: bool,
    /// The code that was sent last: its form comes first. With [`Bind::typed`] of the same method there is a button for another one.
    pub code: Option<&'a CodeSent>,
    /// How many wrong answers are left.
    pub tries_left: u32,
    /// What became of the last answer.
    pub notice: Option<Notice>,
    /// What was typed into the form that was posted last, also when a code was sent; never a password or a code.
    pub typed: Option<Typed<'a>>,
    /// Where all forms post to: a path of the filter.
    pub action: &'a str,
    /// The time in Unix seconds, for "in 40 seconds".
    pub now: u64,
}

/// What stands in a form again.
#[derive(Clone, Copy)]
pub struct Typed<'a> {
    /// The form, which is open then.
    pub method: ProofMethod,
    /// The phone number, the e-mail address, or the account's name.
    pub value: &'a str,
}

/// One form for each way. No word differs between an address that an account has and one that nobody has.
pub fn bind(page: &Bind<'_>) -> String {
    let title = Title { text: Text { zh: "关联账号", en: "Connect your account" }, application: Some(page.application) };
    document(page.language, title, Width::Narrow, |html: &mut Html| {
        html.raw("<h1>").say(Text { zh: "关联账号", en: "Connect your account" }).raw("</h1>");
    })
}
