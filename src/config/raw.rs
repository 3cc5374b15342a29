//! Reading what the operator wrote: JSON with a place for everything, so that each problem can say where it is.
//!
//! Nothing here stops at the first mistake. A reader that meets one notes it and answers `None`; whoever asked goes on
//! with the rest. serde's derived readers cannot do that, and cannot see a key that is written twice.
//!
//! A message never repeats a value: any value may be a secret that was put in the wrong place. Only what has passed
//! the check of its form (an id, a host name) is named.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// More than any sane configuration; a text of this size is a mistake.
const MAX_BYTES: usize = 1 << 20;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, such as `$.connectors[1].app_id`.
    pub path: String,
    /// What was wrong and what was expected. Never holds a secret.
    pub message: String,
    /// What to write instead, or where to look.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

/// What is wrong with a value, wherever it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A JSON value that keeps the order of its keys, and keys that are written twice.
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads JSON text. serde_json caps the depth (at 128).
pub(super) fn parse(text: &[u8]) -> Result<Json, Problem> {
    let refused = |message: String, hint: Option<&str>| Problem { path: "$".into(), message, hint: hint.map(Into::into) };
    if text.trim_ascii().is_empty() {
        return Err(refused("the configuration is empty".into(), Some("put it into the plugin's `configuration` as JSON")));
    }
    if text.len() > MAX_BYTES {
        return Err(refused(format!("the configuration is longer than {MAX_BYTES} bytes"), None));
    }
    // Our visitor takes every value, so what serde_json reports here is syntax: it names line and column and quotes nothing.
    serde_json::from_slice(text).map_err(|error| refused(format!("not JSON: {error}"), None))
}

/// What all readers share: the environment, and the problems found so far.
pub(super) struct Reading<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, problems: RefCell::default() }
    }

    pub(super) fn root(&'a self, json: &'a Json) -> Field<'a> {
        let root = Field { path: "$".into(), json, reading: self };
        root.report_repeated_keys();
        root
    }

    fn report(&self, path: String, fault: Fault) {
        self.problems.borrow_mut().push(Problem { path, message: fault.message, hint: fault.hint });
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        self.problems.take()
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Field<'a> {
    path: String,
    json: &'a Json,
    reading: &'a Reading<'a>,
}

impl<'a> Field<'a> {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn report(&self, fault: Fault) {
        self.reading.report(self.path.clone(), fault);
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        self.report(Fault::new(format!("expected {what}, found {}", self.json.kind())));
        None
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.written().or_else(|| self.expected("text"))
    }

    /// The text, where there is one; nothing is reported.
    pub(super) fn written(&self) -> Option<&'a str> {
        match self.json {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text, if `form` accepts it.
    pub(super) fn parse<T>(&self, form: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        form(self.text()?).map_err(|fault| self.report(fault)).ok()
    }

    pub(super) fn object(&self) -> Option<Object<'a>> {
        match self.json {
            Json::Object(members) => Some(Object { path: self.path.clone(), members, reading: self.reading }),
            _ => self.expected("an object"),
        }
    }

    pub(super) fn list(&self) -> Option<Vec<Field<'a>>> {
        let Json::List(items) = self.json else { return self.expected("a list") };
        let field = |(index, json)| Field { path: format!("{}[{index}]", self.path), json, reading: self.reading };
        Some(items.iter().enumerate().map(field).collect())
    }

    fn number(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Json::Number(number) = *self.json else { return self.expected(&wanted) };
        // Envoy writes every number of a protobuf Struct as a double: 5000.0 is 5000.
        if number.fract() != 0.0 || number < f64::from(*range.start()) || number > f64::from(*range.end()) {
            // Not as a float: the standard library's way to write one would be 16 kB of the module.
            let found = if number.fract() == 0.0 { format!("{}", number as i64) } else { serde_json::Value::from(number).to_string() };
            self.report(Fault::new(format!("expected {wanted}, found {found}")));
            return None;
        }
        Some(number as u32)
    }

    fn flag(&self) -> Option<bool> {
        match self.json {
            Json::Bool(flag) => Some(*flag),
            _ => self.expected("true or false"),
        }
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.report(Fault { message: format!("expected {}", one_of(&names)), hint: did_you_mean(text, &names) });
        }
        found
    }

    /// The secret that `{"env": …}` or `{"inline": …}` names. An empty one counts as missing.
    pub(super) fn secret(&self) -> Option<String> {
        let how = "write {\"env\": \"NAME\"} and pass the variable NAME to Envoy, or {\"inline\": \"…\"} for local use";
        if let Json::Text(_) = self.json {
            self.report(Fault::new("expected a reference to a secret, found text").hint(how));
            return None;
        }
        let object = self.object()?;
        object.only(&["env", "inline"]);
        let value = match (object.find("env"), object.find("inline")) {
            (Some(name), None) => self.variable(&name)?,
            (None, Some(value)) => value.text()?.into(),
            _ => {
                self.report(Fault::new("expected exactly one of `env` and `inline`").hint(how));
                return None;
            }
        };
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() {
            self.report(Fault::new("the secret is empty"));
            return None;
        }
        Some(value.into())
    }

    fn variable(&self, name: &Field<'_>) -> Option<String> {
        let text = name.text()?;
        let is_name = text.len() <= 128
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
            && !text.starts_with(|c: char| c.is_ascii_digit());
        if text.is_empty() || !is_name {
            name.report(
                Fault::new("expected the name of an environment variable, such as WXGATE_SESSION_KEY")
                    .hint("the secret itself does not belong here"),
            );
            return None;
        }
        let value = (self.reading.env)(text);
        if value.is_none() {
            // Somebody may have written the secret itself here: it is not in upper case.
            let shown = if text.bytes().any(|c| c.is_ascii_lowercase()) { "" } else { text };
            let message = format!("the environment variable {shown}{}is not set in the VM", if shown.is_empty() { "" } else { " " });
            name.report(
                Fault::new(message)
                    .hint("set it for the Envoy process and list its name in `vm_config.environment_variables.host_env_keys`"),
            );
        }
        value
    }

    fn report_repeated_keys(&self) {
        match self.json {
            Json::List(_) => self.list().into_iter().flatten().for_each(|item| item.report_repeated_keys()),
            Json::Object(members) => {
                for (index, (key, json)) in members.iter().enumerate() {
                    let field = Field { path: below(&self.path, key), json, reading: self.reading };
                    if members.iter().take(index).any(|(earlier, _)| earlier == key) {
                        field.report(
                            Fault::new("this key is written twice").hint("which one counts would depend on the reader; leave one out"),
                        );
                    }
                    field.report_repeated_keys();
                }
            }
            _ => {}
        }
    }
}

/// A JSON object and where it stands. A reader that ends in `_or` takes a default; one that does not reports what is missing.
#[derive(Clone)]
pub(super) struct Object<'a> {
    path: String,
    members: &'a [(String, Json)],
    reading: &'a Reading<'a>,
}

impl<'a> Object<'a> {
    /// Refuses every other key.
    pub(super) fn only(&self, known: &[&str]) {
        for (key, json) in self.members {
            if !known.contains(&key.as_str()) {
                let hint = did_you_mean(key, known).unwrap_or_else(|| format!("known here: {}", known.join(", ")));
                Field { path: below(&self.path, key), json, reading: self.reading }.report(Fault::new("unknown key").hint(hint));
            }
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Reports a problem with the object as a whole.
    pub(super) fn report(&self, fault: Fault) {
        self.reading.report(self.path.clone(), fault);
    }

    /// Reports a problem with the value of `key`, also where there is none.
    pub(super) fn report_at(&self, key: &str, fault: Fault) {
        self.reading.report(below(&self.path, key), fault);
    }

    pub(super) fn find(&self, key: &str) -> Option<Field<'a>> {
        let (_, json) = self.members.iter().find(|(name, _)| name == key)?;
        Some(Field { path: below(&self.path, key), json, reading: self.reading })
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        let field = |(key, json): &'a (String, Json)| (key.as_str(), Field { path: below(&self.path, key), json, reading: self.reading });
        self.members.iter().map(field)
    }

    pub(super) fn required(&self, key: &str, what: &str) -> Option<Field<'a>> {
        let found = self.find(key);
        if found.is_none() {
            self.report_at(key, Fault::new("missing").hint(format!("expected {what}")));
        }
        found
    }

    pub(super) fn parse_or<T>(&self, key: &str, default: &str, form: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        match self.find(key) {
            Some(field) => field.parse(form),
            None => form(default).ok(),
        }
    }

    pub(super) fn number_or(&self, key: &str, default: u32, range: RangeInclusive<u32>) -> Option<u32> {
        self.find(key).map_or(Some(default), |field| field.number(range))
    }

    pub(super) fn flag_or(&self, key: &str, default: bool) -> Option<bool> {
        self.find(key).map_or(Some(default), |field| field.flag())
    }

    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.required(key, &one_of(&names))?.choice(choices)
    }

    pub(super) fn choice_or<T: Copy>(&self, key: &str, default: T, choices: &[(&str, T)]) -> Option<T> {
        self.find(key).map_or(Some(default), |field| field.choice(choices))
    }

    /// The object under `key`; where there is none, an empty one, so that each default and each missing key is told.
    pub(super) fn section(&self, key: &str) -> Option<Object<'a>> {
        match self.find(key) {
            Some(field) => field.object(),
            None => Some(Object { path: below(&self.path, key), members: &[], reading: self.reading }),
        }
    }

    pub(super) fn list_or_empty(&self, key: &str) -> Option<Vec<Field<'a>>> {
        self.find(key).map_or(Some(vec![]), |field| field.list())
    }

    /// A list of at least one.
    pub(super) fn list(&self, key: &str, what: &str) -> Option<Vec<Field<'a>>> {
        let field = self.required(key, what)?;
        let items = field.list()?;
        if items.is_empty() {
            field.report(Fault::new("the list is empty").hint(format!("expected {what}")));
            return None;
        }
        Some(items)
    }
}

impl Json {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            // All numbers here are small; one that a double cannot hold exactly is out of every range.
            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Number(value as f64))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Number(value as f64))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Number(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::Text(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut list = vec![];
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
                let mut members = vec![];
                while let Some(member) = entries.next_entry()? {
                    members.push(member);
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// `$.a.b`, and `$.a["odd key"]` for a key that is not a plain word.
fn below(path: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.len() <= 64 && key.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    if is_plain {
        return format!("{path}.{key}");
    }
    let shown: String = key.chars().take(64).collect();
    format!("{path}[{shown:?}]")
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Names the known word that is nearest to a misspelt one.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    let folded = word.to_ascii_lowercase().replace('-', "_");
    let distances =
        known.iter().map(|name| (edit_distance(folded.as_bytes(), name.to_ascii_lowercase().replace('-', "_").as_bytes()), *name));
    let (distance, name) = distances.min()?;
    (distance <= 1 + name.len() / 5).then(|| format!("did you mean `{name}`?"))
}

/// Letters to add, drop or change (Levenshtein). `usize::MAX` for words that are too long to be slips.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b) {
            let best = (diagonal + usize::from(from != to)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
