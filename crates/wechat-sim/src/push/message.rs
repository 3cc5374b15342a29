//! What is pushed, before it is encrypted: events and messages, in WeChat's field order.

use serde_json::{Map, Value, json};

use super::PushFormat;
use crate::random;

/// One event or message on its way to an app's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The original id of the account that gets it.
    pub to: String,
    /// Who did something: an openid.
    pub from: String,
    /// Unix time; the same in every repetition.
    pub create_time: u64,
    kind: &'static str,
    rest: Vec<(&'static str, Field)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Text(String),
    /// Without CDATA.
    Number(u64),
}

impl Message {
    /// An event of this name: from an openid, to an original id.
    pub fn event(to: &str, from: &str, create_time: u64, event: &str) -> Self {
        Self::new(to, from, create_time, "event").with("Event", event)
    }

    /// Somebody writes to the account.
    pub fn text(to: &str, from: &str, create_time: u64, content: &str) -> Self {
        let id = u64::from_be_bytes(random::bytes()) >> 1;
        let mut message = Self::new(to, from, create_time, "text").with("Content", content);
        message.rest.push(("MsgId", Field::Number(id)));
        message
    }

    fn new(to: &str, from: &str, create_time: u64, kind: &'static str) -> Self {
        Self { to: to.to_owned(), from: from.to_owned(), create_time, kind, rest: Vec::new() }
    }

    /// With one more field.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.rest.push((name, Field::Text(value.to_owned())));
        self
    }

    /// The event's name, or the message's type.
    pub fn name(&self) -> &str {
        self.find("Event").unwrap_or(self.kind)
    }

    /// A field such as `EventKey`, where it has that and it is text.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.rest.iter().find(|(known, _)| *known == name).and_then(|(_, field)| match field {
            Field::Text(text) => Some(text.as_str()),
            Field::Number(_) => None,
        })
    }

    /// In the clear, with `encrypted` beside it where there is one: plain and compatible mode.
    pub(super) fn write(&self, format: PushFormat, encrypted: Option<&str>) -> String {
        let encrypted = encrypted.map(|text| ("Encrypt", Field::Text(text.to_owned())));
        let fields = self.fields().into_iter().chain(encrypted);
        write(format, fields)
    }

    /// What safe mode shows to everybody.
    pub(super) fn write_envelope(&self, format: PushFormat, encrypted: &str) -> String {
        let fields = [("ToUserName", Field::Text(self.to.clone())), ("Encrypt", Field::Text(encrypted.to_owned()))];
        write(format, fields.into_iter())
    }

    fn fields(&self) -> Vec<(&'static str, Field)> {
        let mut fields = vec![
            ("ToUserName", Field::Text(self.to.clone())),
            ("FromUserName", Field::Text(self.from.clone())),
            ("CreateTime", Field::Number(self.create_time)),
            ("MsgType", Field::Text(self.kind.to_owned())),
        ];
        fields.extend(self.rest.clone());
        fields
    }
}

fn write(format: PushFormat, fields: impl Iterator<Item = (&'static str, Field)>) -> String {
    match format {
        PushFormat::Xml => {
            let inner = fields.map(|(name, field)| match field {
                Field::Text(text) => format!("<{name}><![CDATA[{}]]></{name}>", text.replace("]]>", "]]]]><![CDATA[>")),
                Field::Number(number) => format!("<{name}>{number}</{name}>"),
            });
            format!("<xml>{}</xml>", inner.collect::<Vec<_>>().join("\n"))
        }
        PushFormat::Json => {
            let members = fields.map(|(name, field)| match field {
                Field::Text(text) => (name.to_owned(), Value::String(text)),
                Field::Number(number) => (name.to_owned(), json!(number)),
            });
            Value::Object(members.collect::<Map<_, _>>()).to_string()
        }
    }
}
