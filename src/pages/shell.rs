//! What all pages have in common: the document, both languages with their switch, and the small pieces that several pages use.

use super::html::Html;
use super::icons;
use super::language::Language;
use crate::error::Text;

/// Inline in every page, and allowed by its hash.
pub(super) const STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/style.css"));

/// What the browser's tab says, in the language that the page opens in.
pub(super) struct Title<'a> {
    pub(super) text: Text,
    pub(super) application: Option<&'a str>,
}

/// How wide the card may grow.
pub(super) enum Width {
    Narrow,
    Wide,
}

/// Writes a whole document around a view. The view is written twice, once in each language, and CSS shows the one that is switched on.
pub(super) fn document(language: Language, title: Title<'_>, width: Width, view: impl Fn(&mut Html)) -> String {
    let mut html = open(language, title, width);
    html.both(&view);
    close(html)
}

/// Begins a document whose page has something that stands in it once, such as a code to scan.
///
/// The radio buttons stand before everything that depends on them, because a style sheet can only look forward.
pub(super) fn open(language: Language, title: Title<'_>, width: Width) -> Html {
    let mut html = Html::new(language);
    html.raw("<!doctype html>\n<html").attribute("lang", language.tag()).raw("><head><meta charset=\"utf-8\"><title>");
    html.say(title.text);
    if let Some(application) = title.application {
        html.raw(" · ").text(application);
    }
    html.raw("</title><meta name=\"viewport\" content=\"width=device-width,initial-scale=1,viewport-fit=cover\">");
    html.raw("<meta name=\"robots\" content=\"noindex\">").raw(icons::FAVICON);
    html.raw("<style>").raw(STYLE).raw("</style></head><body>");

    // Firefox would otherwise bring back an earlier visitor's choice on reload.
    html.raw("<input type=\"radio\" name=\"language\" id=\"zh\" autocomplete=\"off\"").raw(checked(language == Language::ZhCn)).raw(">");
    html.raw("<input type=\"radio\" name=\"language\" id=\"en\" autocomplete=\"off\"").raw(checked(language == Language::En)).raw(">");
    html.raw("<div class=\"switch\"><label for=\"zh\" lang=\"zh-CN\">中文</label><label for=\"en\" lang=\"en\">English</label></div>");
    html.raw(match width {
        Width::Narrow => "<main>",
        Width::Wide => "<main class=\"wide\">",
    });
    html
}

/// Ends what [`open`] has begun.
pub(super) fn close(mut html: Html) -> String {
    html.raw("</main></body></html>\n");
    html.finish()
}

fn checked(is_checked: bool) -> &'static str {
    if is_checked { " checked" } else { "" }
}

/// The round sign at the top of a card.
pub(super) enum Sign {
    WeChat,
    Done,
    Leave,
    Attention,
}

impl Sign {
    pub(super) fn write(self, html: &mut Html) {
        let (opening, icon) = match self {
            Self::WeChat => ("<div class=\"sign brand\">", icons::CHAT),
            Self::Done => ("<div class=\"sign good\">", icons::TICK),
            Self::Leave => ("<div class=\"sign\">", icons::LEAVE),
            Self::Attention => ("<div class=\"sign warn\">", icons::ATTENTION),
        };
        html.raw(opening).raw(icon).raw("</div>");
    }
}

/// A note that matters, without being a failure.
pub(super) fn notice(html: &mut Html, text: Text) {
    html.raw("<p class=\"notice\">").say(text).raw("</p>");
}

/// What has just become of a step, read out at once. Fields refer to it by [`Html::id`] of `notice`.
pub(super) fn outcome(html: &mut Html, is_good: bool, words: impl FnOnce(&mut Html)) {
    html.raw(if is_good { "<p class=\"notice good\" role=\"status\"" } else { "<p class=\"notice\" role=\"alert\"" });
    html.id("id", "notice").raw(">");
    words(html);
    html.raw("</p>");
}
