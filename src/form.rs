//! The fields that a client sends in a body: a form of our own pages, or a flat JSON object of a program. Both are
//! read by one rule: UTF-8, each name once, values that are text.

use crate::http::{Request, percent_decode};
use crate::json;

/// More fields than this are none of ours.
const MAX_FIELDS: usize = 16;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`: what browsers send without asking anybody.
    Form,
    /// `application/json`: what no page of another site can send unasked.
    Json,
}

impl Encoding {
    /// By the request's `Content-Type`.
    pub fn of(request: &Request) -> Option<Self> {
        let content_type = request.headers.first("content-type").unwrap_or_default();
        let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            Some(Self::Form)
        } else if media_type.eq_ignore_ascii_case(b"application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }
}

/// Names and values. It has no `Debug`: some are passwords.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a body; `None` for what no client of ours would send.
    pub fn parse(encoding: Encoding, body: &[u8]) -> Option<Self> {
        match encoding {
            Encoding::Form => Self::urlencoded(body),
            Encoding::Json => json::read(body, Self::push).ok(),
        }
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The WHATWG's `application/x-www-form-urlencoded`, but a broken escape spoils it all.
    fn urlencoded(body: &[u8]) -> Option<Self> {
        let mut fields = Self::default();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(split)?;
            fields.push(text(name)?, text(value.get(1..).unwrap_or_default())?)?;
        }
        Some(fields)
    }

    fn push(&mut self, name: String, value: String) -> Option<()> {
        let is_welcome = self.0.len() < MAX_FIELDS && self.get(&name).is_none();
        is_welcome.then(|| self.0.push((name, value)))
    }
}

fn text(escaped: &[u8]) -> Option<String> {
    let spaced: Vec<_> = escaped.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8(percent_decode(&spaced)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Headers, push_escaped};
    use proptest::prelude::*;

    fn form(body: &str) -> Option<Vec<(String, String)>> {
        Fields::parse(Encoding::Form, body.as_bytes()).map(|fields| fields.0)
    }

    fn json(body: &str) -> Option<Vec<(String, String)>> {
        Fields::parse(Encoding::Json, body.as_bytes()).map(|fields| fields.0)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn a_form_and_a_json_object_say_the_same() {
        let said = Some(vec![pair("action", "password"), pair("account", "小明 a+b"), pair("password", "&=%")]);
        assert_eq!(form("action=password&account=%E5%B0%8F%E6%98%8E+a%2Bb&password=%26%3D%25"), said);
        assert_eq!(json(r#"{"action": "password", "account": "小明 a+b", "password": "&=%"}"#), said);
        assert_eq!((form(""), json("{}")), (Some(vec![]), Some(vec![])));
        assert_eq!(form("a&b=&"), Some(vec![pair("a", ""), pair("b", "")]));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_not_read_at_all() {
        for body in ["a=1&a=2", "a=1&%61=2", "a=%", "a=%4", "a=%zz", "a=%ff", "%ff=1", "a=1&".repeat(17).as_str()] {
            assert_eq!(form(body), None, "{body}");
        }
        let many = format!("{{{}}}", (0..17).map(|n| format!("\"{n}\":\"\"")).collect::<Vec<_>>().join(","));
        for body in
            ["", "[]", "\"a\"", "1", r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":"1","a":"2"}"#, r#"{"a":["1"]}"#, r#"{"a":"1"} x"#, &many]
        {
            assert_eq!(json(body), None, "{body}");
        }
    }

    #[test]
    fn a_body_is_what_its_content_type_says() {
        let of =
            |value: &str| Encoding::of(&Request { headers: Headers::from_pairs([("content-type", value.as_bytes())]), source: || None });
        assert_eq!(of("application/x-www-form-urlencoded"), Some(Encoding::Form));
        assert_eq!(of("Application/JSON ; charset=utf-8"), Some(Encoding::Json));
        for other in ["", "text/plain", "multipart/form-data; boundary=x", "application/jsonp", "text/plain; application/json"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Fields::parse(Encoding::Form, &body);
            let _ = Fields::parse(Encoding::Json, &body);
        }

        #[test]
        fn what_is_escaped_reads_back(value in ".{0,30}") {
            let mut body = String::from("a=");
            push_escaped(&mut body, value.as_bytes());
            prop_assert_eq!(form(&body), Some(vec![pair("a", &value)]));
        }
    }
}
