//! Where a visitor was going: a path on the application's own origin, and nothing else.
//!
//! Redirects are always written as origin plus path, so even a path that slips through can only lead to the
//! application. What is refused here leads to the application's front page instead.

use std::borrow::Cow;

use crate::http::{push_escaped, visible_path};
use crate::rules::{plain_path, without_query};

/// A path and query that may follow the origin in a `Location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(Cow<'static, str>);

/// Longer ones are dropped, not cut: half an address leads somewhere else.
const MAX_BYTES: usize = 2048;

impl ReturnTo {
    /// The front page.
    pub fn front_page() -> Self {
        Self(Cow::Borrowed("/"))
    }

    /// The path of a request that is turned away.
    pub fn of_request(raw_path: &[u8], path_prefix: &str) -> Self {
        Self::parse(visible_path(raw_path).as_bytes(), path_prefix)
    }

    /// The person's own account.
    pub fn account(path_prefix: &str) -> Self {
        Self(format!("{path_prefix}/account").into())
    }

    /// What a client asks for. The front page unless it is a path that every reader reads alike, and that does not
    /// lead back into logging in or out.
    pub fn parse(text: &[u8], path_prefix: &str) -> Self {
        Self::checked(text, path_prefix).unwrap_or_else(Self::front_page)
    }

    fn checked(text: &[u8], path_prefix: &str) -> Option<Self> {
        let is_visible = text.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
        if text.len() > MAX_BYTES || !is_visible {
            return None;
        }
        let path = plain_path(text)?;
        let own = without_query(text).strip_prefix(path_prefix.as_bytes());
        if is_below(&path, path_prefix.as_bytes()) && !matches!(own, Some(b"/experience" | b"/account")) {
            return None;
        }
        Some(Self(std::str::from_utf8(text).ok()?.to_owned().into()))
    }

    /// For a `Location`: starts with a single slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends `return_to=...` to a path that has no query yet; nothing for the front page.
    pub fn append_to(&self, path: &mut String) {
        if self.0 != "/" {
            path.push_str("?return_to=");
            push_escaped(path, self.0.as_bytes());
        }
    }
}

/// Whether a path is this one or below it, by whole segments.
pub fn is_below(path: &[u8], parent: &[u8]) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> String {
        ReturnTo::parse(text.as_bytes(), "/wxgate").as_str().to_owned()
    }

    #[test]
    fn a_path_with_its_query_is_kept_as_it_is() {
        for path in [
            "/",
            "/cart",
            "/cart?item=1&x=%2F%2Fevil",
            "/%E5%9B%BE?q=a+b",
            "/a/?next=https://elsewhere/",
            "/wxgate/experience",
            "/wxgate/account",
            "/wxgates",
        ] {
            assert_eq!(parsed(path), path);
        }
    }

    #[test]
    fn whatever_could_lead_elsewhere_leads_to_the_front_page() {
        for path in [
            "",
            "cart",
            "//evil",
            "///evil",
            "/\\evil",
            "\\/evil",
            "/%09/evil",
            "/\t/evil",
            "https:evil",
            "https:///evil",
            "https://evil",
            "http://own@evil",
            "javascript:alert(1)",
            "data:text/html,x",
            " //evil",
            "/;@evil",
            "/own/..//evil",
            "/%2f/evil",
            "/%5cevil",
            "/.//evil",
            "/x\r\nSet-Cookie: a=b",
            "/x\u{85}",
            "/x\u{2028}",
            "/x#fragment",
            "/%0d%0aSet-Cookie:a",
        ] {
            assert_eq!(parsed(path), "/", "{path:?}");
        }
        assert_eq!(parsed(&format!("/{}", "a".repeat(MAX_BYTES))), "/");
    }

    #[test]
    fn nothing_leads_back_into_logging_in_or_out() {
        for path in [
            "/wxgate/logout",
            "/wxgate/callback/pc?code=1",
            "/wxgate/login",
            "/wxgate",
            "/wxgate/",
            "/%77xgate/logout",
            "/wxgate/experience/../logout",
            "/wxgate/account/x",
        ] {
            assert_eq!(parsed(path), "/", "{path}");
        }
    }

    #[test]
    fn it_travels_in_a_query_and_back() {
        let mut path = String::from("/wxgate/login");
        ReturnTo::parse(b"/a?b=1&c=%2F", "/wxgate").append_to(&mut path);
        assert_eq!(path, "/wxgate/login?return_to=%2Fa%3Fb%3D1%26c%3D%252F");
    }

    proptest! {
        #[test]
        fn it_always_stays_on_the_origin(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let path = ReturnTo::parse(&text, "/wxgate").0;
            let base = url::Url::parse("https://own.example.com").unwrap();
            prop_assert_eq!(base.join(&path).unwrap().origin(), base.origin());
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
