//! Who may pass without a session, and which spelling of a path may be trusted to say so.
//!
//! A rule sees the path as the application will understand it, or not at all: a path that some server, router or
//! framework behind us might read differently (dot segments, doubled or encoded slashes, `;` parameters that
//! hide dots, broken or doubled escapes) matches no rule and is protected; so is one for which another rule stands if
//! `;` parameters, or blanks and dots at the end of names, are cut off. So `/public/..;/account`
//! never passes as `/public`, whatever sits behind Envoy, and with Envoy's own normalisation off.

use crate::http::escaped_byte;

/// What a request needs to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Passes always, without identity.
    Public,
    /// Passes always, with identity where there is a session.
    Optional,
    /// Passes only with a session.
    Protected,
}

/// How a rule names paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// This path alone.
    Exact(Vec<u8>),
    /// This path and all below it, by whole segments: `/assets` matches `/assets` and `/assets/a`, not `/assetsx`.
    /// Without a slash at its end, except for the root.
    Prefix(Vec<u8>),
}

/// One line of an application's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which paths, decoded.
    pub path: PathPattern,
    /// Which methods, upper case; all when empty.
    pub methods: Vec<String>,
    /// What they need.
    pub access: Access,
    /// Whether a CORS preflight passes (without identity).
    pub preflight: bool,
}

/// The rules of an application. The first that matches wins; what none matches is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

/// The answer of [`Rules::decide`], with the rule that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the request needs.
    pub access: Access,
    /// Whether it passes as a CORS preflight.
    pub preflight: bool,
    /// Position of the rule; `None` for the default.
    pub rule: Option<usize>,
}

impl Rules {
    /// Rules in the operator's order.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// What a request for this raw path (with or without query) by this method needs.
    pub fn decide(&self, method: &[u8], raw_path: &[u8]) -> Decision {
        let by_default = Decision { access: Access::Protected, preflight: false, rule: None };
        let Some(path) = plain_path(raw_path) else { return by_default };
        let decision = self.first_match(method, &path).unwrap_or(by_default);
        match obliging(&path) {
            // What an obliging server would take it for has to come to the same.
            Some(other) if self.first_match(method, &other).unwrap_or(by_default).rule != decision.rule => by_default,
            _ => decision,
        }
    }

    fn first_match(&self, method: &[u8], path: &[u8]) -> Option<Decision> {
        let (index, rule) = self.0.iter().enumerate().find(|(_, rule)| rule.matches(method, path))?;
        Some(Decision { access: rule.access, preflight: rule.preflight, rule: Some(index) })
    }

    /// Whether a preflight for this path passes. A preflight asks on behalf of the method that it names, so a rule's
    /// methods are held against that one.
    pub fn allows_preflight(&self, asked_method: &[u8], raw_path: &[u8]) -> bool {
        self.decide(asked_method, raw_path).preflight
    }
}

impl Rule {
    fn matches(&self, method: &[u8], path: &[u8]) -> bool {
        let by_path = match &self.path {
            PathPattern::Exact(exact) => path == exact,
            PathPattern::Prefix(prefix) if prefix == b"/" => true,
            PathPattern::Prefix(prefix) => {
                path.strip_prefix(prefix.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            }
        };
        by_path && (self.methods.is_empty() || self.methods.iter().any(|allowed| allowed.as_bytes() == method))
    }
}

/// The part before `?`.
pub fn without_query(raw_path: &[u8]) -> &[u8] {
    raw_path.split(|byte| *byte == b'?').next().unwrap_or(raw_path)
}

/// The path without its query, percent-decoded once, or `None` where two servers might disagree about it.
pub fn plain_path(raw_path: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    let raw = without_query(raw_path);
    if !raw.starts_with(b"/") || raw.iter().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'#' | b'\\')) {
        return None;
    }
    let path = percent_decode_once(raw)?;
    let text = std::str::from_utf8(&path).ok()?;
    // Full-width dots and slashes become plain ones in a framework that folds compatibility characters.
    if text.chars().any(|c| {
        c.is_control() || matches!(c, '\\' | '\u{ff0e}' | '\u{ff0f}' | '\u{ff3c}' | '\u{2024}' | '\u{2025}' | '\u{2044}' | '\u{2215}')
    }) {
        return None;
    }
    let mut segments = text.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = without_parameters(segment).trim_matches(' ');
        let is_doubled_slash = segment.is_empty() && segments.peek().is_some();
        let is_hidden = name.is_empty() && !segment.is_empty();
        if is_doubled_slash || is_hidden || matches!(name, "." | "..") {
            return None;
        }
    }
    Some(path)
}

/// The path as a server reads it that cuts things off the end of each name: servlet containers `;parameters`, Windows
/// blanks and dots. `None` where there is nothing to cut.
fn obliging(path: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(path).ok()?;
    let cut = |segment| without_parameters(segment).trim_end_matches([' ', '.']);
    let has_any = text.split('/').any(|segment| cut(segment).len() < segment.len());
    has_any.then(|| text.split('/').map(cut).collect::<Vec<_>>().join("/").into_bytes())
}

fn without_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or(segment)
}

/// Decodes `%XX` once. `None` for a broken escape, for an encoded slash (a segment to some, a separator to others), and
/// where the result could be decoded a second time.
fn percent_decode_once(raw: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    if !raw.contains(&b'%') {
        return Some(raw.into());
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (value, tail) = escaped_byte(tail)?;
        if value == b'/' {
            return None;
        }
        decoded.push(value);
        rest = tail;
    }
    let is_escaped_again = decoded.windows(3).any(|window| matches!(window, [b'%', digits @ ..] if escaped_byte(digits).is_some()));
    (!is_escaped_again).then(|| decoded.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules() -> Rules {
        let rule = |path, access| Rule { path, methods: vec![], access, preflight: false };
        Rules::new(vec![
            rule(PathPattern::Exact(b"/".to_vec()), Access::Optional),
            rule(PathPattern::Prefix(b"/public/admin".to_vec()), Access::Protected),
            rule(PathPattern::Prefix(b"/public".to_vec()), Access::Public),
            Rule { path: PathPattern::Prefix(b"/api".to_vec()), methods: vec!["GET".into()], access: Access::Public, preflight: true },
        ])
    }

    fn access(path: &str) -> Access {
        rules().decide(b"GET", path.as_bytes()).access
    }

    #[test]
    fn the_first_rule_that_matches_wins_and_the_default_is_protected() {
        assert_eq!(access("/"), Access::Optional);
        assert_eq!(access("/?a=/public"), Access::Optional);
        assert_eq!(access("/public"), Access::Public);
        assert_eq!(access("/public/"), Access::Public);
        assert_eq!(access("/public/a.css?v=../.."), Access::Public);
        assert_eq!(access("/public/admin/x"), Access::Protected);
        assert_eq!(access("/publicity"), Access::Protected);
        assert_eq!(access("/account"), Access::Protected);
    }

    #[test]
    fn a_rule_may_be_for_some_methods_only() {
        assert_eq!(rules().decide(b"GET", b"/api/x").access, Access::Public);
        assert_eq!(rules().decide(b"POST", b"/api/x").access, Access::Protected);
        assert!(rules().allows_preflight(b"GET", b"/api/x"));
        assert!(!rules().allows_preflight(b"POST", b"/api/x"));
    }

    #[test]
    fn escapes_of_plain_characters_do_not_hide_a_path() {
        assert_eq!(access("/public/%61dmin"), Access::Protected);
        assert_eq!(access("/%70ublic/x"), Access::Public);
        assert_eq!(access("/public/%E5%9B%BE.png"), Access::Public);
    }

    #[test]
    fn parameters_and_dots_that_change_nothing_are_let_be() {
        for path in ["/public/a;v=1", "/public/...", "/public/x..y", "/public/a%20b", "/public/membership;x"] {
            assert_eq!(access(path), Access::Public, "{path}");
        }
    }

    #[test]
    fn a_path_that_two_servers_may_read_differently_is_protected() {
        for path in [
            "//public/x",
            "/public//x",
            "/public/../account",
            "/public/./x",
            "/public/..",
            "/public/.",
            "/public/%2e%2e/account",
            "/public/%2E./account",
            "/public/..%2faccount",
            "/public%2f..%2faccount",
            "/public/..%5caccount",
            "/public/..\\account",
            "/public/..;/account",
            "/public/..;x=1/account",
            "/public/.;/account",
            "/public/;/../account",
            "/public/;x",
            "/public#/../account",
            "/public/%00/x",
            "/public/%0d%0a",
            "/public/%",
            "/public/%zz",
            "/public/%4",
            "/public/%252e%252e/account",
            "/public/%c0%ae%c0%ae/account",
            "/public/%u002e",
            "/public/\u{ff0e}\u{ff0e}/account",
            "/public/%EF%BC%8E%EF%BC%8E/account",
            "/public/a b",
            "/public/%25%32%65%25%32%65/account",
            "/public/..%20/account",
            "/public/admin;x",
            "/public/admin%3bx/list",
            "/public/admin%20",
            "/public/admin.",
            "/public/\t",
            "public",
            "",
            "*",
            "http://other/public/x",
        ] {
            assert_eq!(access(path), Access::Protected, "{path}");
        }
        assert_eq!(rules().decide(b"GET", b"/public/\xff").access, Access::Protected);
    }

    proptest! {
        /// Whatever is let through as public holds no step upwards, even for a server that also takes encoded slashes,
        /// backslashes and path parameters for what they are not.
        #[test]
        fn public_means_below_public_for_everybody(tail in r"(/|\.|%2e|%2f|%5c|;|a|admin|%252e|\\|//|\.\./){0,8}") {
            let path = format!("/public/{tail}");
            if access(&path) == Access::Public {
                let lenient = tail.replace("%25", "%").replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
                for segment in lenient.split('/') {
                    prop_assert_ne!(segment.split(';').next(), Some(".."), "{}", path);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(path in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = rules().decide(b"GET", &path);
        }
    }
}
