//! The forms of the account journey. They work without a script, and every one says which step it is and in which language it was read.

use super::html::Html;
use crate::error::Text;

/// A form that takes the step `step`, with the fields that `inside` writes.
pub(super) fn form(html: &mut Html, address: &str, step: &str, inside: impl FnOnce(&mut Html)) {
    let language = html.language().tag();
    html.raw("<form method=\"post\"").address("action", address).raw(">");
    hidden(html, "language", language);
    hidden(html, "action", step);
    inside(html);
    html.raw("</form>");
}

/// Sent along unseen.
pub(super) fn hidden(html: &mut Html, name: &'static str, value: &str) {
    html.raw("<input type=\"hidden\"").attribute("name", name).attribute("value", value).raw(">");
}

/// Sends the form.
pub(super) fn submit(html: &mut Html, look: Look, label: Text) {
    html.raw(match look {
        Look::Main => "<button class=\"button\">",
        Look::Calm => "<button class=\"button calm\">",
        Look::Plain => "<button class=\"button plain\">",
        Look::Quiet => "<button class=\"button quiet\">",
    });
    html.say(label).raw("</button>");
}

/// How much a button asks to be pressed.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// The way on.
    Main,
    /// Something ends by it.
    Calm,
    /// Another way.
    Plain,
    /// A way back.
    Quiet,
}

/// A labelled field. What is typed into it goes to the filter and from there to the resolver, which judge it.
pub(super) struct Field<'a> {
    pub(super) label: Text,
    pub(super) hint: Option<Text>,
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    /// What stands in it already.
    pub(super) value: &'a str,
    /// The notice is about this one.
    pub(super) is_wrong: bool,
}

/// What a field is for: brings up the right keyboard, and what the browser or the password manager knows.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Phone,
    Email,
    Code,
    Username,
    Password,
}

impl Field<'_> {
    /// The label stands around the field, so that it is read with it and tapped with it.
    pub(super) fn write(&self, html: &mut Html) {
        html.raw(if matches!(self.kind, Kind::Code) { "<label class=\"field code\">" } else { "<label class=\"field\">" });
        html.say(self.label).raw("<input").raw(self.kind.attributes()).attribute("name", self.name).raw(" required");
        if !self.value.is_empty() {
            html.attribute("value", self.value);
        }
        if self.is_wrong {
            html.raw(" aria-invalid=\"true\"").id("aria-describedby", "notice");
        }
        html.raw(">");
        if let Some(hint) = self.hint {
            html.raw("<small>").say(hint).raw("</small>");
        }
        html.raw("</label>");
    }
}

impl Kind {
    /// The lengths are those of [`resolver_api::SendCode`] and [`resolver_api::Proof`]; a code may be pasted with spaces in it.
    fn attributes(self) -> &'static str {
        match self {
            Self::Phone => " type=\"tel\" inputmode=\"tel\" autocomplete=\"tel\" maxlength=\"254\"",
            Self::Email => " type=\"email\" inputmode=\"email\" autocomplete=\"email\" maxlength=\"254\"",
            // Whoever has asked for a code will type it next. Browsers pass over the copy in the language that is not shown.
            Self::Code => " type=\"text\" inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"16\" autofocus",
            Self::Username => {
                " type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" autocorrect=\"off\" spellcheck=\"false\" maxlength=\"254\""
            }
            Self::Password => " type=\"password\" autocomplete=\"current-password\" maxlength=\"256\"",
        }
    }
}
