//! Writes HTML. Text and attribute values are escaped; only what stands literally in our source is not.

use super::language::Language;
use crate::error::Text;

/// A document, or the part of one, in the making. Views get one that has a language and [`Html::say`] their sentences in it.
pub(super) struct Html {
    out: String,
    language: Language,
}

impl Html {
    pub(super) fn new(language: Language) -> Self {
        Self { out: String::with_capacity(8 * 1024), language }
    }

    /// The one that is being written.
    pub(super) fn language(&self) -> Language {
        self.language
    }

    /// Markup from our own source, as it is: `'static` keeps strings from outside away.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// One of our own sentences, in the current language.
    pub(super) fn say(&mut self, text: Text) -> &mut Self {
        self.text(match self.language {
            Language::ZhCn => text.zh,
            Language::En => text.en,
        })
    }

    /// One of our own sentences in both languages: for what stands once in a page, such as a picture's caption.
    pub(super) fn say_both(&mut self, text: Text) -> &mut Self {
        self.raw("<span lang=\"zh-CN\">").text(text.zh).raw("</span><span lang=\"en\">").text(text.en).raw("</span>")
    }

    /// A view, once in each language; CSS shows the one that is switched on.
    pub(super) fn both(&mut self, view: &dyn Fn(&mut Self)) -> &mut Self {
        for language in [Language::ZhCn, Language::En] {
            self.language = language;
            self.raw("<div").attribute("lang", language.tag()).raw(">");
            view(self);
            self.raw("</div>");
        }
        self
    }

    /// Anything, as text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                '\n' | '\t' => self.out.push(character),
                // Parsers disagree about NUL and its like. Nobody's name needs them.
                _ if character.is_control() => self.out.push(char::REPLACEMENT_CHARACTER),
                _ => self.out.push(character),
            }
        }
        self
    }

    /// A number in digits.
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.text(&number.to_string())
    }

    /// A number and what it counts, such as ` day`, ` days`.
    pub(super) fn count(&mut self, number: u64, one: Text, more: Text) -> &mut Self {
        self.number(number).say(if number == 1 { one } else { more })
    }

    /// A name or another short string from outside: it cannot turn the direction of the text around it.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        self.raw("<bdi>").text(name).raw("</bdi>")
    }

    /// ` name="value"`, quoted. Not for addresses.
    pub(super) fn attribute(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    /// ` name="stem-en"`: an id, or what refers to one. A page holds each view twice, and an id only once.
    pub(super) fn id(&mut self, name: &'static str, stem: &'static str) -> &mut Self {
        let tag = self.language.tag();
        self.raw(" ").raw(name).raw("=\"").raw(stem).raw("-").raw(tag).raw("\"")
    }

    /// ` name="address"` for `href`, `action` and `src`; the attribute is left out for whatever could run as a script or lead to
    /// another site unseen, such as `javascript:` and `//host`.
    pub(super) fn address(&mut self, name: &'static str, address: &str) -> &mut Self {
        if is_plain_address(address) { self.attribute(name, address) } else { self }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// `http://…`, `https://…`, or a path from the root. Browsers drop tabs and line ends from addresses and take `\` for `/`, so an address
/// with any of these is not plain.
fn is_plain_address(address: &str) -> bool {
    if address.chars().any(|character| character.is_control() || character == '\\') {
        return false;
    }
    let is_path = address.starts_with('/') && !address.starts_with("//");
    is_path || address.starts_with("https://") || address.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values_are_escaped() {
        let mut html = Html::new(Language::En);
        html.raw("<p").attribute("title", "\"><svg onload='x'>").raw(">").text("a & <b>\0\u{1b}[0m").raw("</p>");
        assert_eq!(html.finish(), "<p title=\"&quot;&gt;&lt;svg onload=&#39;x&#39;&gt;\">a &amp; &lt;b&gt;\u{fffd}\u{fffd}[0m</p>");
    }

    #[test]
    fn only_plain_addresses_are_written() {
        for address in ["/", "/wxgate/start/pc?a=1&b=2", "https://shop.example.com/", "http://localhost:8080/"] {
            assert!(is_plain_address(address), "{address}");
        }
        let refused = [
            "",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "vbscript:x",
            "evil.example",
            "#",
            "https:evil.example",
        ];
        for address in refused {
            let mut html = Html::new(Language::En);
            html.address("href", address);
            assert_eq!(html.finish(), "", "{address:?}");
        }
    }
}
