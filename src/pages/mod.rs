//! What visitors see: the login page, scans, the questions about their account, their account, failures, log-out, and "try it".
//!
//! In: what to show, borrowed. Out: one complete HTML document, to be sent with [`headers`]. Never: a clock, randomness, the host, or
//! a string from outside that is not escaped for its place.
//!
//! Every page carries both languages and a switch made of two radio buttons and CSS. So the switch needs no script, no cookie and no
//! request, and works on a page that answered a callback too, which must not be loaded a second time. The one script is that of [`Ways`]; what it shows can be had without it.

mod account;
mod bind;
mod choose;
mod experience;
mod failure;
mod form;
mod html;
mod icons;
mod language;
mod login;
mod logout;
mod notice;
mod person;
mod scan;
mod shell;
#[cfg(test)]
mod tests;
mod ways;
mod when;

pub use account::{Account, AccountNotice, LinkableConnector, account};
pub use bind::{Bind, Typed, bind};
pub use choose::{Choose, choose};
pub use experience::{Experience, SignedIn, experience};
pub use failure::{Action, Failure, failure};
pub use language::Language;
pub use login::{Login, login};
pub use logout::{LoggedOut, Logout, logged_out, logout};
pub use notice::Notice;
pub use scan::{ConfirmScan, Scan, ScanAnswered, ScanState, confirm_scan, scan, scan_answered};
pub use ways::{LoginOption, Panel, Ways};

/// What our pages may load and do: their own style, pictures of ours and of WeChat's people, and forms to ourselves.
///
/// The hash is computed by `build.rs` over `style.css`. Pages with [`Ways`] may need more: [`Ways::policy`].
pub const CONTENT_SECURITY_POLICY: &str = concat!(
    "default-src 'none'; style-src '",
    env!("WXGATE_STYLE_HASH"),
    "'; img-src 'self' data: https://*.qlogo.cn; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
);

/// The policy of a page with a form that leads on to `origin`: browsers hold what answers a form to `form-action`, too, and stop
/// at a redirect to anywhere else.
pub fn policy_with_forms_to(origin: &str) -> String {
    CONTENT_SECURITY_POLICY.replace("form-action 'self'", &format!("form-action 'self' {origin}"))
}

/// The headers that every page is sent with.
///
/// `referrer-policy` is `strict-origin` and not `no-referrer`: with the latter, browsers post our own forms with `Origin: null`, which
/// a cross-site check has to refuse. Neither ever sends a path or a query, where a callback's code and state stand.
pub fn headers() -> &'static [(&'static str, &'static str)] {
    &[
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "strict-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ]
}
