//! What went wrong, in plain words, and the way on.

use super::language::Language;
use super::shell::{Sign, Title, Width, document};
use crate::error::Text;

/// The way on from a failure.
pub struct Action<'a> {
    /// What the button says.
    pub label: Text,
    /// Where it leads: a path, or an `http` or `https` address.
    pub href: &'a str,
}

/// A failed login, or a request that cannot be answered. It holds our own sentences only, nothing of what WeChat or the resolver said.
pub struct Failure<'a> {
    /// The language that it opens in.
    pub language: Language,
    /// The application's name, where the request belongs to one.
    pub application: Option<&'a str>,
    /// What happened, in a few words.
    pub title: Text,
    /// What it means and what to do.
    pub explanation: Text,
    /// The way on, where there is one.
    pub action: Option<Action<'a>>,
    /// Stable name of the failure, such as `wechat_unavailable`.
    pub code: &'a str,
    /// Opaque; finds this very failure in the operator's log.
    pub reference: Option<&'a str>,
}

/// What happened, what to do, and small at the bottom what support will ask for.
pub fn failure(page: &Failure<'_>) -> String {
    let title = Title { text: page.title, application: page.application };
    document(page.language, title, Width::Narrow, |html| {
        Sign::Attention.write(html);
        html.raw("<h1>").say(page.title).raw("</h1><p class=\"lead\">").say(page.explanation).raw("</p>");
        if let Some(action) = &page.action {
            html.raw("<a class=\"button\"").address("href", action.href).raw(">").say(action.label).raw("</a>");
        }
        html.raw("<dl class=\"facts\">");
        if let Some(application) = page.application {
            html.raw("<div><dt>").say(Text { zh: "应用", en: "Application" }).raw("</dt><dd>").name(application).raw("</dd></div>");
        }
        html.raw("<div><dt>")
            .say(Text { zh: "错误代码", en: "Error code" })
            .raw("</dt><dd><code>")
            .text(page.code)
            .raw("</code></dd></div>");
        if let Some(reference) = page.reference {
            html.raw("<div><dt>")
                .say(Text { zh: "编号", en: "Reference" })
                .raw("</dt><dd><code>")
                .text(reference)
                .raw("</code></dd></div>");
        }
        html.raw("</dl>");
    })
}
