//! Where WeChat has been seen to behave in two ways.

use serde::{Deserialize, Serialize};

/// Behaviours of WeChat of which two have been seen; the default is the more common one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// An expired code gets 42003 in place of 40029.
    pub expired_code_is_42003: bool,
    /// Refusing on the phone sends the page to `redirect_uri` with only `state`, as older documents say.
    pub refusal_redirects: bool,
    /// Token answers have `"scope":"snsapi_userinfo,"`.
    pub trailing_scope_comma: bool,
    /// `wx.login` keeps the session key of the login before.
    pub same_session_key: bool,
    /// `countryCode` is a number, as the document says and the SDKs do not believe.
    pub numeric_country_code: bool,
}
