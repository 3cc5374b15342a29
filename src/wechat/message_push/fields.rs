//! Reads a message's fields: the flat XML that WeChat writes, or JSON. A reader for these and for nothing else: no
//! DOCTYPE, no entities, no attributes, no comments, no instructions; each field once. What WeChat nests (lists of
//! pictures, of templates) is gone through and not kept.

use serde_json::Value;

use crate::http::MAX_BODY_BYTES;
use crate::json;

/// WeChat nests four deep.
const MAX_DEPTH: usize = 8;

/// WeChat's longest messages have some dozens.
const MAX_ELEMENTS: usize = 256;

const MAX_NAME_BYTES: usize = 64;

/// How a message is written; its reply is written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// What official accounts get.
    Xml,
    /// What some consoles offer.
    Json,
}

/// A value that is to be written.
pub(super) enum Part<'a> {
    /// Whatever is in it.
    Text(&'a str),
    Number(u64),
}

impl Format {
    /// A message with these fields.
    pub(super) fn write(self, fields: &[(&str, Part<'_>)]) -> String {
        let mut out = String::new();
        for (name, part) in fields {
            let value = match (self, part) {
                (_, Part::Number(number)) => number.to_string(),
                (Self::Xml, Part::Text(text)) => ["<![CDATA[", &text.replace("]]>", "]]]]><![CDATA[>"), "]]>"].concat(),
                (Self::Json, Part::Text(text)) => Value::from(*text).to_string(),
            };
            let pieces = match self {
                Self::Xml => ["<", name, ">", &value, "</", name, ">"],
                Self::Json => [if out.is_empty() { "\"" } else { ",\"" }, name, "\":", &value, "", "", ""],
            };
            pieces.iter().for_each(|piece| out.push_str(piece));
        }
        match self {
            Self::Xml => ["<xml>", &out, "</xml>"].concat(),
            Self::Json => ["{", &out, "}"].concat(),
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Xml => "text/xml; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// Names and values. A value that is no text is there and has none.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, Option<String>)>);

impl Fields {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong, in words for the operator.
    pub(super) fn parse(body: &[u8]) -> Result<(Self, Format), &'static str> {
        if body.len() > MAX_BODY_BYTES {
            return Err("it is too long");
        }
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?.trim_ascii();
        if text.starts_with('{') {
            let fields = json::read(text.as_bytes(), Self::member).map_err(|_| "it is no JSON object with each name once")?;
            return Ok((fields, Format::Json));
        }
        Ok((Self::xml(text)?, Format::Xml))
    }

    /// The value of a field.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name)?.1.as_deref()
    }

    fn xml(text: &str) -> Result<Self, &'static str> {
        let mut fields = Self::default();
        let mut rest = text.strip_prefix("<xml>").ok_or("it does not begin with <xml>")?;
        let mut open = vec!["xml"];
        let mut elements = 0;
        loop {
            let (characters, markup) = rest.split_once('<').ok_or("it ends too soon")?;
            if characters.contains('&') {
                return Err("it has an entity");
            }
            // White space between fields, and around a CDATA section, is nobody's.
            if !characters.trim_ascii().is_empty() {
                fields.write(open.len(), characters)?;
            }
            if let Some(data) = markup.strip_prefix("![CDATA[") {
                let (data, tail) = data.split_once("]]>").ok_or("it ends too soon")?;
                fields.write(open.len(), data)?;
                rest = tail;
                continue;
            }
            let (tag, tail) = markup.split_once('>').ok_or("it ends too soon")?;
            rest = tail;
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop() != Some(name) {
                    return Err("an element does not end where it should");
                }
                if open.is_empty() {
                    return if rest.is_empty() { Ok(fields) } else { Err("something follows its end") };
                }
                continue;
            }
            let name = tag.strip_suffix('/').unwrap_or(tag);
            let is_name = (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !is_name {
                return Err("it has more than fields: a DOCTYPE, a comment, an instruction or an attribute");
            }
            elements += 1;
            if elements > MAX_ELEMENTS || open.len() >= MAX_DEPTH {
                return Err("it has too many fields");
            }
            match open.len() {
                1 => fields.push(name.to_owned(), Some(String::new()))?,
                2 => fields.nest(),
                _ => {}
            }
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
    }

    fn member(&mut self, name: String, value: Value) -> Option<()> {
        let text = match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        self.push(name, text).ok()
    }

    fn push(&mut self, name: String, value: Option<String>) -> Result<(), &'static str> {
        if self.0.len() >= MAX_ELEMENTS || self.0.iter().any(|(found, _)| *found == name) {
            return Err("it has a field twice, or too many");
        }
        self.0.push((name, value));
        Ok(())
    }

    /// More text, at this depth.
    fn write(&mut self, depth: usize, text: &str) -> Result<(), &'static str> {
        match (depth, self.0.last_mut()) {
            (2, Some((_, Some(value)))) => value.push_str(text),
            (2, _) => return Err("it has text beside elements"),
            (1, _) => return Err("it has text between fields"),
            _ => {}
        }
        Ok(())
    }

    /// The latest field holds elements, so it is no text.
    fn nest(&mut self) {
        if let Some((_, value)) = self.0.last_mut() {
            *value = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Option<String>)>, &'static str> {
        Fields::parse(text.as_bytes()).map(|(fields, _)| fields.0)
    }

    fn field(name: &str, value: &str) -> (String, Option<String>) {
        (name.into(), Some(value.into()))
    }

    #[test]
    fn a_message_is_read_with_and_without_cdata_and_line_ends() {
        let said = vec![field("A", "x <b> & ]]>"), field("CreateTime", "123"), field("EventKey", ""), field("Empty", "")];
        let xml = "<xml><A><![CDATA[x <b> & ]]]]><![CDATA[>]]></A>\n<CreateTime>123</CreateTime>\r\n <EventKey>\n<![CDATA[]]>\n</EventKey><Empty/></xml>\n";
        assert_eq!(read(xml), Ok(said.clone()));
        let json = r#" {"A": "x <b> & ]]>", "CreateTime": 123, "EventKey": "", "Empty": ""} "#;
        assert_eq!(read(json), Ok(said));
        assert_eq!(read("<xml></xml>"), Ok(vec![]));
        assert_eq!(Fields::parse(b"<xml></xml>").map(|(_, format)| format).ok(), Some(Format::Xml));
        assert_eq!(Fields::parse(b"{}").map(|(_, format)| format).ok(), Some(Format::Json));
    }

    #[test]
    fn what_is_nested_is_no_text_and_may_repeat_itself() {
        let xml = "<xml><List><item><a>1</a></item><item><a><![CDATA[2]]></a><b/></item></List><Event>x</Event></xml>";
        assert_eq!(read(xml), Ok(vec![("List".into(), None), field("Event", "x")]));
        let json = r#"{"List": [{"a": 1}, {"a": 2}], "Nothing": null, "Event": "x"}"#;
        assert_eq!(read(json), Ok(vec![("List".into(), None), ("Nothing".into(), None), field("Event", "x")]));
    }

    #[test]
    fn attacks_on_readers_of_xml_are_not_messages() {
        let deep = format!("<xml>{}{}</xml>", "<a>".repeat(100_000), "</a>".repeat(100_000));
        let wide = format!("<xml>{}</xml>", (0..300).map(|n| format!("<a{n}/>")).collect::<String>());
        let attributes = format!("<xml><a {}>1</a></xml>", "b=\"1\" ".repeat(1000));
        let long = format!("<xml><a>{}</a></xml>", "x".repeat(MAX_BODY_BYTES));
        for bad in [
            "",
            "x",
            "<xml>",
            "<xml><a>1",
            "<xml><a>1</b></xml>",
            "<xml><a>1</a>",
            "<xml><a><![CDATA[1</a></xml>",
            "<xml><a>1</a></xml><xml></xml>",
            "<xml><a>1</a></xml>x",
            "<xml>x<a>1</a></xml>",
            "<xml><![CDATA[x]]></xml>",
            "<xml><a>1</a><a>2</a></xml>",
            "<xml><a/><a>2</a></xml>",
            "<xml><a>1<b/></a></xml>extra",
            "<xml><a><b/>1</a></xml>",
            "<xml><a>&lt;</a></xml>",
            "<xml><a>&#65;</a></xml>",
            "<xml a=\"1\"><b>1</b></xml>",
            "<xml><a b=\"1\">1</a></xml>",
            "<xml><a:b>1</a:b></xml>",
            "<xml><a >1</a></xml>",
            "<xml><a>1</a ></xml>",
            "<xml><>1</></xml>",
            "<xml></></xml>",
            "<xml><!-- x --><a>1</a></xml>",
            "<xml><?php x ?></xml>",
            "<?xml version=\"1.0\"?><xml><a>1</a></xml>",
            "<!DOCTYPE x SYSTEM \"http://canary.example/\"><xml><a>1</a></xml>",
            "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>",
            "<xml><!DOCTYPE x [<!ENTITY % e SYSTEM \"http://canary.example/\"> %e;]></xml>",
            "<html><body></body></html>",
            "\u{feff}<xml></xml>",
            &deep,
            &wide,
            &attributes,
            &long,
        ] {
            assert!(read(bad).is_err(), "{}", bad.chars().take(80).collect::<String>());
        }
        assert!(Fields::parse(b"<xml><a>\xff</a></xml>").is_err());
    }

    #[test]
    fn json_that_two_readers_could_read_differently_is_no_message() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for bad in ["{", "{}x", r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"{a:1}"#, "[]", "null", &deep] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), xml in "(<xml>)?([<>/!\\[\\]a-cCDATA&;x \n\"=]|<!\\[CDATA\\[|\\]\\]>|</?[ab]>){0,40}(</xml>)?") {
            let _ = Fields::parse(&bytes);
            let _ = Fields::parse(xml.as_bytes());
        }

        #[test]
        fn what_is_written_reads_back(values in proptest::collection::vec(".{0,20}", 0..10), number in any::<u64>()) {
            let names: Vec<_> = (0..values.len()).map(|at| format!("F{at}")).collect();
            let mut parts: Vec<_> = names.iter().zip(&values).map(|(name, value)| (name.as_str(), Part::Text(value))).collect();
            parts.push(("Number", Part::Number(number)));
            let mut expected: Vec<_> = names.iter().zip(&values).map(|(name, value)| field(name, value)).collect();
            expected.push(field("Number", &number.to_string()));
            for format in [Format::Xml, Format::Json] {
                prop_assert_eq!(read(&format.write(&parts)), Ok(expected.clone()));
            }
        }
    }
}
