//! Our cookies among everybody else's: found by exact name, written with fixed attributes, and cut out of what the
//! application gets without touching a byte of the rest.

use crate::http::Headers;
use crate::step::CookieEdit;

/// Every cookie of ours starts with this; an application's never does. `__Host-` makes browsers refuse one that a
/// sibling domain or plain http tries to plant (RFC 6265bis, section 4.1.3).
const OURS: &[u8] = b"__Host-wxgate_";

/// The session.
pub const SESSION: &str = "__Host-wxgate_session";

/// A login that waits for its person's answer.
pub const PENDING: &str = "__Host-wxgate_pending";

/// Times of recent starts, to notice a browser that keeps no session.
pub const STARTS: &str = "__Host-wxgate_starts";

/// What a cookie of our names is called when it carries a login attempt: this and the attempt's id.
pub const ATTEMPT_PREFIX: &str = "__Host-wxgate_attempt_";

/// All cookies of a request, as (name, value), in order. HTTP/2 may split the header in several.
pub fn cookies(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.all("cookie").flat_map(|header| header.split(|byte| *byte == b';')).map(|pair| {
        let pair = pair.trim_ascii();
        let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(split).unwrap_or_default();
        (name, value.get(1..).unwrap_or_default())
    })
}

/// The value of the cookie of exactly this name, when there is exactly one: of two, nobody can say which is the
/// browser's and which was planted.
pub fn only<'a>(headers: &'a Headers, name: &str) -> Option<&'a [u8]> {
    let mut found = cookies(headers).filter(|(candidate, _)| *candidate == name.as_bytes());
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// What the application may see of the cookies.
pub fn without_ours(headers: &Headers) -> CookieEdit {
    if !cookies(headers).any(|(name, _)| name.starts_with(OURS)) {
        return CookieEdit::Keep;
    }
    let mut rest = Vec::new();
    for header in headers.all("cookie") {
        let mut first_of_header = true;
        for pair in header.split(|byte| *byte == b';').filter(|pair| !pair.trim_ascii().starts_with(OURS)) {
            if !rest.is_empty() {
                rest.push(b';');
                if first_of_header {
                    rest.push(b' ');
                }
            }
            rest.extend_from_slice(if rest.is_empty() { pair.trim_ascii_start() } else { pair });
            first_of_header = false;
        }
    }
    if rest.trim_ascii().is_empty() { CookieEdit::Remove } else { CookieEdit::Replace(rest) }
}

/// Whether a `Set-Cookie` of an application writes a cookie of ours: it must not.
pub fn writes_ours(set_cookie: &[u8]) -> bool {
    set_cookie.trim_ascii_start().starts_with(OURS)
}

/// A `Set-Cookie` that keeps `value` for `seconds`.
pub fn set(name: &str, value: &str, seconds: u64) -> String {
    format!("{name}={value}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// A `Set-Cookie` that deletes. Browsers ignore one of a `__Host-` name that lacks `Secure` and `Path=/`.
pub fn clear(name: &str) -> String {
    set(name, "", 0)
}

/// The `Cache-Control` of an answer that now carries a session cookie: as it was, but for one browser alone.
pub fn made_private<'a>(cache_control: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let directives = cache_control.flat_map(|header| header.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let is_for_shared_caches = |directive: &&[u8]| {
        let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default();
        [&b"public"[..], b"private", b"s-maxage"].iter().any(|shared| name.eq_ignore_ascii_case(shared))
    };
    let mut kept: Vec<_> = directives.filter(|directive| !directive.is_empty() && !is_for_shared_caches(directive)).collect();
    kept.push(b"private");
    kept.join(&b", "[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(cookies: &[&str]) -> Headers {
        Headers::from_pairs(cookies.iter().map(|value| ("cookie", value.as_bytes())))
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name_and_only_when_it_stands_once() {
        assert_eq!(only(&with(&["a=1; __Host-wxgate_session=s; b"]), SESSION), Some(&b"s"[..]));
        assert_eq!(only(&with(&["a=1", "__Host-wxgate_session=s"]), SESSION), Some(&b"s"[..]));
        for other in [
            "x__Host-wxgate_session=s",
            "__Host-wxgate_sessions=s",
            "__host-wxgate_session=s",
            "a=__Host-wxgate_session=s",
            "__Host-wxgate_session=s; __Host-wxgate_session=t",
            "",
            ";;;",
        ] {
            assert_eq!(only(&with(&[other]), SESSION), None, "{other}");
        }
    }

    #[test]
    fn the_application_gets_the_rest_byte_for_byte() {
        let rest = |cookies: &[&str]| without_ours(&with(cookies));
        let replaced = |text: &str| CookieEdit::Replace(text.as_bytes().to_vec());
        assert_eq!(rest(&["a=1; b=2"]), CookieEdit::Keep);
        assert_eq!(rest(&[]), CookieEdit::Keep);
        assert_eq!(rest(&[r#"a=1; __Host-wxgate_session=s; b="x;y"; c"#]), replaced(r#"a=1; b="x;y"; c"#));
        assert_eq!(rest(&["__Host-wxgate_session=s; a=1"]), replaced("a=1"));
        assert_eq!(rest(&["a=1; __Host-wxgate_attempt_x=s"]), replaced("a=1"));
        assert_eq!(rest(&["a=1", "__Host-wxgate_session=s", "b=2"]), replaced("a=1; b=2"));
        assert_eq!(rest(&["__Host-wxgate_session=s"]), CookieEdit::Remove);
        assert_eq!(rest(&["__Host-wxgate_session=s; "]), CookieEdit::Remove);
        assert_eq!(rest(&["x__Host-wxgate_session=s;  __Host-wxgate_starts=1"]), replaced("x__Host-wxgate_session=s"));
    }

    #[test]
    fn attributes_are_always_the_same() {
        assert_eq!(set("__Host-n", "v", 9), "__Host-n=v; Max-Age=9; Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(clear("__Host-n"), "__Host-n=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn an_answer_with_a_session_is_for_one_browser_alone() {
        let made = |headers: &[&str]| String::from_utf8(made_private(headers.iter().map(|header| header.as_bytes()))).unwrap();
        assert_eq!(made(&[]), "private");
        assert_eq!(made(&["max-age=60, Public"]), "max-age=60, private");
        assert_eq!(made(&["no-store", "s-maxage=9"]), "no-store, private");
        assert_eq!(made(&["private, max-age=0"]), "max-age=0, private");
    }

    proptest! {
        #[test]
        fn nothing_of_ours_is_left_and_all_else_is(pairs in proptest::collection::vec("( ?)(__Host-wxgate_[a-z]{0,3}|[a-z]{1,3})=[a-z\"]{0,3}", 0..6)) {
            let header = pairs.join(";");
            let left = match without_ours(&with(&[&header])) {
                CookieEdit::Keep => header.clone().into_bytes(),
                CookieEdit::Remove => vec![],
                CookieEdit::Replace(rest) => rest,
            };
            let kept: Vec<_> = pairs.iter().map(|p| p.trim()).filter(|p| !p.starts_with("__Host-wxgate_")).collect();
            let seen = String::from_utf8(left).unwrap();
            let seen: Vec<_> = seen.split(';').map(str::trim).filter(|p| !p.is_empty()).collect();
            prop_assert_eq!(seen, kept);
        }
    }
}
