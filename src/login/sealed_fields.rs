//! Sealed tokens of a few short texts. They are written and read as any client's fields are: a reader of its own for each would
//! cost the module 4 kB.

use crate::form::{Encoding, Fields};
use crate::session::{KeyRing, Purpose};

const APPLICATION: &str = "p";
const CONNECTOR: &str = "c";

/// Seals these texts, for one application and one connector. `None` only for a ring without keys.
pub(super) fn seal(
    keys: &KeyRing,
    purpose: Purpose,
    nonce: [u8; 24],
    (application, connector): (&str, &str),
    texts: &[(&str, &str)],
) -> Option<String> {
    let mut object = serde_json::Map::new();
    for (name, text) in texts.iter().copied().chain([(APPLICATION, application), (CONNECTOR, connector)]) {
        object.insert(name.into(), text.into());
    }
    keys.seal(purpose, nonce, serde_json::Value::Object(object).to_string().as_bytes())
}

/// Opens a token of at most so many bytes; `None` for whatever is not one of ours, for this application and connector.
pub(super) fn open(
    keys: &KeyRing,
    purpose: Purpose,
    token: &str,
    max_bytes: usize,
    (application, connector): (&str, &str),
) -> Option<Fields> {
    open_at(keys, purpose, token, max_bytes, application).filter(|fields| fields.get(CONNECTOR) == Some(connector))
}

/// The same, for whichever connector.
pub(super) fn open_at(keys: &KeyRing, purpose: Purpose, token: &str, max_bytes: usize, application: &str) -> Option<Fields> {
    opened(keys, purpose, token.as_bytes(), max_bytes).filter(|fields| fields.get(APPLICATION) == Some(application))
}

/// The same, for whichever application: the fields `p` and `c` say for which, and the caller looks.
pub(super) fn opened(keys: &KeyRing, purpose: Purpose, token: &[u8], max_bytes: usize) -> Option<Fields> {
    // Long rubbish is turned away before any work is done on it.
    let plaintext = if token.len() <= max_bytes { keys.open(purpose, token)? } else { return None };
    Fields::parse(Encoding::Json, &plaintext)
}

/// A text of these.
pub(super) fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).map(str::to_owned)
}

/// A time of these.
pub(super) fn time(fields: &Fields, name: &str) -> Option<u64> {
    fields.get(name)?.parse().ok()
}
