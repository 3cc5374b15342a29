//! The forms of a page, as a browser without scripts has them.

use crate::http::Answer;
use crate::visitor::Visitor;

/// One form.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// What its hidden fields hold, in order.
    pub hidden: Vec<(String, String)>,
    /// The names of the fields to fill in.
    pub fields: Vec<String>,
    /// The buttons that say something when they are pressed: name, value, and all that stands on the button.
    pub buttons: Vec<(String, String, String)>,
}

impl Form {
    /// What a hidden field holds.
    pub fn hidden(&self, name: &str) -> Option<&str> {
        self.hidden.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether these answers can be given in it: what is hidden has to be the same.
    fn takes(&self, values: &[(&str, &str)]) -> bool {
        values.iter().all(|(name, value)| match self.hidden(name) {
            Some(hidden) => hidden == *value,
            None => {
                self.fields.iter().any(|field| field == name)
                    || self.buttons.iter().any(|(found, pressed, _)| (found, pressed) == (&(*name).to_owned(), &(*value).to_owned()))
            }
        })
    }
}

impl Visitor {
    /// Takes a step on a page: fills in its form for this `action`, and sends it. Fails where the page has no such form.
    pub async fn answer(&self, page: &Answer, action: &str, values: &[(&str, &str)]) -> Answer {
        for (name, value) in values {
            match *name {
                "password" | "code" => self.record.add_secret(value),
                "address" | "account" => self.record.add_private(value),
                _ => {}
            }
        }
        let form = form(page, action, values);
        let added =
            values.iter().filter(|(name, _)| form.hidden(name).is_none()).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form.hidden.iter().cloned().chain(added)).finish();
        self.submit(&form.action, &body).await
    }
}

/// The page's form, in English, for this `action` and these answers.
#[track_caller]
pub fn form(page: &Answer, action: &str, values: &[(&str, &str)]) -> Form {
    let is_it = |form: &Form| {
        form.hidden("action") == Some(action) && form.hidden("language").is_none_or(|language| language == "en") && form.takes(values)
    };
    let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    forms(&page.text()).into_iter().find(is_it).unwrap_or_else(|| panic!("no form to {action} with {names:?} in {page}"))
}

/// Whether the page has a form for this `action`.
pub fn offers(page: &Answer, action: &str) -> bool {
    forms(&page.text()).iter().any(|form| form.hidden("action") == Some(action))
}

/// Every form of a page.
pub fn forms(html: &str) -> Vec<Form> {
    html.split("<form").skip(1).map(|rest| read(rest.split("</form>").next().unwrap_or_default())).collect()
}

fn read(inside: &str) -> Form {
    // From here on every piece is a tag, and the text after it.
    let mut pieces = inside.split('<');
    let mut form = Form { action: attribute(pieces.next().unwrap_or_default(), "action").unwrap_or_default(), ..Form::default() };
    let mut is_on_button = false;
    for piece in pieces {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let (kind, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let named = || attribute(rest, "name").map(|name| (name, attribute(rest, "value").unwrap_or_default()));
        match (kind, named()) {
            ("input", Some(pair)) if attribute(rest, "type").as_deref() == Some("hidden") => form.hidden.push(pair),
            ("input", Some((name, _))) => form.fields.push(name),
            ("button", Some((name, value))) => {
                form.buttons.push((name, value, String::new()));
                is_on_button = true;
            }
            ("/button", _) => is_on_button = false,
            _ => {}
        }
        if let Some((_, _, said)) = form.buttons.last_mut().filter(|_| is_on_button) {
            said.push_str(&unescape(text));
            said.push(' ');
        }
    }
    form
}

/// The value of an attribute, as our pages write them: in double quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = format!(" {tag}");
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescape(rest.split('"').next()?))
}

fn unescape(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
