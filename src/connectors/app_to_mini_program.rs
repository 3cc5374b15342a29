//! A native app that opens a mini program, where the person logs in (WeChat documents, "Mobile app: launching a mini
//! program").

use serde_json::Value;

use crate::config::MiniProgramPage;
use crate::json::object;

/// What the page that is opened finds in its `options`.
pub(crate) fn query(ticket: &str) -> String {
    format!("ticket={ticket}")
}

/// What the app gives WeChat's SDK, which knows a mini program by its original id.
pub(crate) fn launch(original_id: &str, page: &MiniProgramPage, ticket: &str) -> Value {
    object!({"original_id": original_id, "path": format!("{}?{}", page.path, query(ticket)), "version": page.version.label()})
}
