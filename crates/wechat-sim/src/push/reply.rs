//! What an app's server answers to a push: nothing, `success`, or a passive reply, encrypted in safe mode.

use serde::Serialize;
use serde_json::Value;

use super::{Message, Push, PushFormat, PushMode};
use crate::crypto::push as crypt;

/// A passive reply, decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reply {
    /// As the app's server wrote it.
    pub(super) text: String,
    pub(super) was_encrypted: bool,
}

/// What the body of a 200 says; `None` for `success` and for nothing at all.
pub(super) fn read(body: &[u8], push: &Push, appid: &str, message: &Message) -> Result<Option<Reply>, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "the reply is not UTF-8")?;
    if text.is_empty() || text == "success" {
        return Ok(None);
    }
    let outer = Fields::parse(text, push.format)?;
    let (reply, was_encrypted) = match outer.find("Encrypt") {
        Some(encrypted) => (decrypt(&outer, encrypted, push, appid)?, true),
        None if push.mode == PushMode::Safe => return Err("in safe mode a reply must be encrypted"),
        None => (text.to_owned(), false),
    };
    let fields = Fields::parse(&reply, push.format)?;
    // Replies in JSON are the event's own affair; those in XML have an envelope that WeChat looks at.
    if push.format == PushFormat::Xml {
        check(&fields, message)?;
    }
    Ok(Some(Reply { text: reply, was_encrypted }))
}

/// What a person reads of a decrypted reply.
pub(super) fn text_of(reply: &str) -> Option<String> {
    Fields::parse(reply, PushFormat::Xml).ok()?.find("Content").map(str::to_owned)
}

fn decrypt(outer: &Fields, encrypted: &str, push: &Push, appid: &str) -> Result<String, &'static str> {
    if push.mode == PushMode::Plain {
        return Err("in plain mode a reply must not be encrypted");
    }
    let find = |name: &str| outer.find(name).ok_or("an encrypted reply has Encrypt, MsgSignature, TimeStamp and Nonce");
    let (signature, timestamp, nonce) = (find("MsgSignature")?, find("TimeStamp")?, find("Nonce")?);
    if signature != crypt::signature(&[&push.token, timestamp, nonce, encrypted]) {
        return Err("the reply's MsgSignature is wrong");
    }
    crypt::decrypt(&push.encoding_aes_key, encrypted, appid).map_err(|_| "the reply does not decrypt")
}

/// To the person, from the account, with a time and a type that there is.
fn check(fields: &Fields, message: &Message) -> Result<(), &'static str> {
    if fields.find("ToUserName") != Some(&message.from) || fields.find("FromUserName") != Some(&message.to) {
        return Err("a reply goes to the person (ToUserName) from the account (FromUserName)");
    }
    if fields.find("CreateTime").and_then(|time| time.parse::<u64>().ok()).is_none() {
        return Err("a reply's CreateTime is a number");
    }
    match fields.find("MsgType") {
        Some("text") if fields.find("Content").is_none_or(str::is_empty) => Err("a text has Content"),
        Some("text" | "image" | "voice" | "video" | "music" | "news" | "transfer_customer_service") => Ok(()),
        _ => Err("no such MsgType for a reply"),
    }
}

/// The members of an object, one level deep.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(text: &str, format: PushFormat) -> Result<Self, &'static str> {
        match format {
            PushFormat::Xml => {
                let document = roxmltree::Document::parse(text).map_err(|_| "the reply is neither empty, `success`, nor XML")?;
                let root = document.root_element();
                if root.tag_name().name() != "xml" {
                    return Err("a reply's outermost element is <xml>");
                }
                let elements = root.children().filter(roxmltree::Node::is_element);
                let text_of =
                    |node: roxmltree::Node| node.descendants().filter_map(|part| part.is_text().then(|| part.text()).flatten()).collect();
                Ok(Self(elements.map(|node| (node.tag_name().name().to_owned(), text_of(node))).collect()))
            }
            PushFormat::Json => {
                let object: serde_json::Map<String, Value> =
                    serde_json::from_str(text).map_err(|_| "the reply is neither empty, `success`, nor a JSON object")?;
                let text_of = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Ok(Self(object.into_iter().map(|(name, value)| (name, text_of(value))).collect()))
            }
        }
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
