//! The frame of every page.

use axum::response::Html;

const STYLE: &str = include_str!("style.css");

/// A whole page around `body`, which is HTML already.
pub(crate) fn page(title: &str, body: &str) -> Html<String> {
    let title = escape(title);
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    ))
}

/// Text as it may stand in HTML, between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A round picture with the first character of a nickname: the avatars of made-up people are nowhere to be fetched.
pub(crate) fn avatar(nickname: &str) -> String {
    let initial = nickname.chars().next().map(String::from).unwrap_or_default();
    format!("<span class=\"avatar\" aria-hidden=\"true\">{}</span>", escape(&initial))
}
