//! The forms that names may have: ids, hosts, origins, header names, paths, secrets. Each takes what was written and
//! gives the canonical value, or says what is wrong with it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::raw::Fault;
use crate::rules::plain_path;

/// Scheme, host and port of a place that browsers visit, canonical: lower case, default port left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Such as `https://shop.example.com`.
    pub(super) text: String,
    /// Such as `shop.example.com` or `localhost:8080`.
    pub(super) authority: String,
    /// Without port.
    pub(super) host: String,
}

/// `[a-z0-9-]`, beginning with a letter or digit: it stands in paths, metrics and claims.
pub(super) fn id(max: usize) -> impl FnOnce(&str) -> Result<String, Fault> {
    move |text| {
        let is_id = text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') && !text.starts_with('-');
        guard(is_id && (1..=max).contains(&text.len()), format!("expected 1 to {max} of a-z, 0-9 and -, not beginning with -"))?;
        Ok(text.into())
    }
}

/// A name that only we and the resolver compare.
pub(super) fn label(text: &str) -> Result<String, Fault> {
    let is_label = text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'));
    guard(is_label && (1..=64).contains(&text.len()), "expected 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`")?;
    Ok(text.into())
}

/// What people read.
pub(super) fn display_name(text: &str) -> Result<String, Fault> {
    let is_name = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text;
    guard(is_name, "expected 1 to 64 characters, without control characters and without spaces around")?;
    Ok(text.into())
}

pub(super) fn cluster(text: &str) -> Result<String, Fault> {
    let is_name = text.bytes().all(|c| c.is_ascii_graphic()) && (1..=128).contains(&text.len());
    guard(is_name, "expected the name of an Envoy cluster: 1 to 128 visible ASCII characters")?;
    Ok(text.into())
}

pub(super) fn app_id(text: &str) -> Result<String, Fault> {
    let digits = text.strip_prefix("wx").unwrap_or_default();
    let is_app_id = digits.len() == 16 && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if is_app_id {
        return Ok(text.into());
    }
    let fault = Fault::new("expected WeChat's AppID: wx and 16 lower-case hex digits");
    Err(if text.starts_with("gh_") {
        fault.hint("this is the original id (gh_...); the AppID stands beside it in WeChat's console")
    } else {
        fault
    })
}

/// By what apps open a mini program.
pub(super) fn original_id(text: &str) -> Result<String, Fault> {
    let digits = text.strip_prefix("gh_").unwrap_or_default();
    let is_original_id = digits.len() == 12 && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    guard(is_original_id, "expected the mini program's original id: gh_ and 12 lower-case hex digits; it stands in its console")?;
    Ok(text.into())
}

/// WeChat's form of a page's path: no slash in front, no query.
pub(super) fn mini_program_page(text: &str) -> Result<String, Fault> {
    let is_segment = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    let is_page = text.len() <= 128 && text.split('/').all(is_segment);
    guard(is_page, "expected a page such as pages/login/index: no slash in front, no query")?;
    Ok(text.into())
}

/// WeChat's console takes no other.
pub(super) fn push_token(text: &str) -> Result<(), Fault> {
    let is_token = (3..=32).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric());
    guard(is_token, "expected the Token of WeChat's console: 3 to 32 letters and digits")
}

/// WeChat's console takes no other.
pub(super) fn encoding_aes_key(text: &str) -> Result<(), Fault> {
    let is_key = text.len() == 43 && text.bytes().all(|c| c.is_ascii_alphanumeric());
    guard(is_key, "expected the EncodingAESKey of WeChat's console: 43 letters and digits")
}

/// WeChat takes texts of up to 2048 bytes; the link to confirm has to stand beside ours.
pub(super) fn welcome(text: &str) -> Result<String, Fault> {
    let is_text = (1..=1024).contains(&text.len()) && !text.chars().any(|c| c.is_control() && c != '\n');
    guard(is_text, "expected 1 to 1024 bytes of text, without control characters but line ends")?;
    Ok(text.into())
}

/// One or more plain segments: it is compared with raw bytes, so there must be one way of writing it.
pub(super) fn own_prefix(text: &str) -> Result<String, Fault> {
    let is_plain = |segment: &str| {
        !segment.is_empty()
            && segment.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
            && segment.bytes().any(|c| c != b'.')
    };
    let is_prefix = text.len() <= 64 && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain));
    guard(
        is_prefix,
        "expected a path such as /wxgate: a slash and a segment of A-Z, a-z, 0-9, `.`, `_` and `-`, once or more, without a slash at its end",
    )?;
    Ok(text.into())
}

/// Where an application lives.
pub(super) fn origin(text: &str) -> Result<Origin, Fault> {
    origin_because(text, "sessions live in `__Host-` cookies, which browsers keep only over https")
}

/// Where browsers are sent to log in; the simulator's is on loopback.
pub(super) fn open_origin(text: &str) -> Result<Origin, Fault> {
    origin_because(text, "who can change what WeChat shows can show a QR code of his own")
}

fn origin_because(text: &str, why_https: &str) -> Result<Origin, Fault> {
    let expected = || Fault::new("expected an origin such as https://shop.example.com");
    let (scheme, rest) = text.split_once("://").ok_or_else(expected)?;
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            return Err(Fault::new("expected the scheme in lower case"));
        }
        _ => return Err(expected()),
    };
    guard(!rest.contains('@'), "an origin has no user name")?;
    if let Some(end) = rest.find(['/', '?', '#']) {
        let only_slash = rest.get(end..) == Some("/");
        return Err(Fault::new(if only_slash {
            "an origin has no slash at its end"
        } else {
            "an origin is scheme, host and port, without path, query or fragment"
        }));
    }
    let rest = rest.strip_suffix(default_port).unwrap_or(rest);
    let host = host_of(rest)?.to_owned();
    if scheme == "http" && !is_loopback(&host) {
        return Err(Fault::new("expected https").hint(format!("{why_https}; http is for localhost, *.localhost, 127.0.0.1 and [::1]")));
    }
    Ok(Origin { text: format!("{scheme}://{rest}"), authority: rest.into(), host })
}

/// What a `Host` header carries: a host, and a port where it is not the default one.
pub(super) fn authority(text: &str) -> Result<String, Fault> {
    host_of(text)?;
    Ok(text.into())
}

/// The host of `host` or `host:port`.
fn host_of(authority: &str) -> Result<&str, Fault> {
    guard(!authority.contains("://"), "expected a host name, without a scheme")?;
    guard(!authority.contains('/'), "expected a host name, without a path")?;
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !authority.ends_with(']') => (name, Some(port)),
        _ => (authority, None),
    };
    host(name)?;
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port);
    guard(port.is_none_or(is_port), "expected a port from 1 to 65535")?;
    Ok(name)
}

/// A host name or address as browsers send it, without port.
pub(super) fn host(text: &str) -> Result<String, Fault> {
    guard(!text.is_empty(), "expected a host name")?;
    if !text.is_ascii() {
        return Err(Fault::new("expected a host name in ASCII")
            .hint("write an internationalised name the way browsers send it, in punycode: xn--..."));
    }
    guard(!text.contains('*'), "expected one host name: there are no wildcards, every host is listed")?;
    guard(!text.bytes().any(|c| c.is_ascii_uppercase()), "expected a host name in lower case")?;
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| Some((inner, inner.parse::<Ipv6Addr>().ok()?)));
        let is_canonical = address.is_some_and(|(inner, address)| address.to_string() == inner);
        guard(is_canonical, "expected an IPv6 address in brackets, in its shortest spelling")?;
        return Ok(text.into());
    }
    guard(!text.contains("://"), "expected a host name, without a scheme")?;
    guard(!text.contains('/'), "expected a host name, without a path")?;
    guard(!text.contains(':'), "expected a host name, without a port")?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    guard(
        text.len() <= 253 && text.split('.').all(is_label),
        "expected a host name: labels of a-z, 0-9 and - with single dots between them",
    )?;
    // Browsers read a name whose last label is a number, such as 127.1 or 0x7f.1, as an IPv4 address.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number =
        last.bytes().all(|c| c.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()));
    guard(!is_number || text.parse::<Ipv4Addr>().is_ok(), "expected a host name or an IPv4 address of four numbers")?;
    Ok(text.into())
}

pub(super) fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
}

/// The `iss` claim: an address that is compared byte for byte, so it is kept as written.
pub(super) fn issuer(text: &str) -> Result<String, Fault> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_issuer = text.len() <= 256
        && rest.is_some_and(|rest| authority(rest.split('/').next().unwrap_or(rest)).is_ok())
        && text.bytes().all(|c| c.is_ascii_graphic() && !matches!(c, b'?' | b'#' | b'"' | b'\\' | b'<' | b'>'));
    guard(is_issuer, "expected an address such as https://shop.example.com, without query or fragment, of at most 256 characters")?;
    Ok(text.into())
}

/// A header that we may set on requests to applications.
pub(super) fn header_name(text: &str) -> Result<String, Fault> {
    guard(!text.contains('_'), "expected a header name without `_`: servers drop such headers, or take them for the same name with `-`")?;
    guard(!text.bytes().any(|c| c.is_ascii_uppercase()), "expected a header name in lower case")?;
    let is_name = (1..=64).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    let is_word = is_name && text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.ends_with('-');
    guard(is_word, "expected a header name of 1 to 64 of a-z, 0-9 and -, such as x-user-id")?;
    let is_taken = TAKEN_HEADERS.contains(&text) || TAKEN_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    guard(!is_taken, "this header has a meaning of its own in HTTP or Envoy; choose another, such as x-user-id")?;
    Ok(text.into())
}

/// Headers that mean something to Envoy, to proxies or to every application. Ours are removed from each request first,
/// so one of these as ours would also take away the real one.
const TAKEN_HEADERS: [&str; 26] = [
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-request-id",
];

const TAKEN_PREFIXES: [&str; 13] = [
    "accept",
    "access-control-",
    "content-",
    "grpc-",
    "if-",
    "proxy-",
    "sec-",
    "x-b3-",
    "x-envoy-",
    "x-forwarded-",
    "x-http-method",
    "x-original-",
    "x-real-",
];

/// The path of a rule, as requests will be compared with it: percent-decoded.
pub(super) fn rule_path(text: &str) -> Result<Vec<u8>, Fault> {
    guard(text.starts_with('/'), "expected a path that begins with a slash")?;
    guard(!text.contains('?'), "expected a path without `?`: the query takes no part in the match")?;
    if text.contains(['*', '^', '|', '[', ']', '{', '}', '\\']) {
        return Err(Fault::new("rules have no wildcards, patterns or regular expressions")
            .hint("`path_prefix` covers a path and everything below it"));
    }
    guard(text.bytes().all(|c| c.is_ascii_graphic()), "expected characters other than visible ASCII as percent escapes (of UTF-8)")?;
    let path = plain_path(text.as_bytes());
    let why = "no request ever matches it: a path with dot segments, doubled or encoded slashes, `#`, control characters or broken escapes is always protected";
    Ok(path.ok_or_else(|| Fault::new(why))?.into_owned())
}

/// The method names of a rule.
pub(super) fn http_method(text: &str) -> Result<String, Fault> {
    let is_method = (1..=32).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_uppercase() || matches!(c, b'-' | b'_'));
    guard(is_method, "expected an HTTP method in upper case, such as GET")?;
    Ok(text.into())
}

/// The place of one of WeChat's domain-verification files: one segment at the root.
pub(super) fn verification_path(text: &str) -> Result<String, Fault> {
    let name = text.strip_prefix('/').unwrap_or_default();
    let is_name = (5..=128).contains(&name.len())
        && name.ends_with(".txt")
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'));
    guard(is_name, "expected the name of the file as WeChat gave it, after a slash, such as /MP_verify_abc.txt")?;
    Ok(text.into())
}

pub(super) fn verification_content(text: &str) -> Result<String, Fault> {
    let is_content = (1..=1024).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic() || matches!(c, b' ' | b'\r' | b'\n'));
    guard(is_content, "expected the content of the file as WeChat gave it: 1 to 1024 visible ASCII characters")?;
    Ok(text.into())
}

/// A secret that is compared or sent as text.
pub(super) fn secret_text(text: &str, min: usize) -> Result<(), Fault> {
    let is_visible = text.bytes().all(|c| c.is_ascii_graphic());
    guard(is_visible, "the secret holds a space, a line break or another character that is not visible ASCII")?;
    guard(text.len() >= min, format!("the secret has {} characters, expected at least {min}", text.len()))?;
    guard(text.len() <= 512, "the secret is longer than 512 characters")?;
    guard(!is_placeholder(text), "this is an example or a placeholder, not a secret")
}

/// Whether a text is what people write where a secret should stand: few different characters, or nothing but the
/// words of placeholders. Random text has other letters beside them.
fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let distinct = (0..=u8::MAX).filter(|byte| lower.as_bytes().contains(byte)).count();
    let tells = ["changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me", "placeholder", "example"];
    let mut words = lower.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()).peekable();
    let only_words = words.peek().is_some() && words.all(|word| PLACEHOLDER_WORDS.contains(&word));
    distinct < 6 || tells.iter().any(|tell| lower.contains(tell)) || only_words
}

const PLACEHOLDER_WORDS: [&str; 25] = [
    "app",
    "appsecret",
    "change",
    "default",
    "dummy",
    "here",
    "is",
    "insert",
    "key",
    "me",
    "my",
    "password",
    "resolver",
    "sample",
    "secret",
    "session",
    "test",
    "the",
    "this",
    "todo",
    "token",
    "wechat",
    "wxgate",
    "xxx",
    "your",
];

pub(super) fn guard(holds: bool, otherwise: impl Into<String>) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::new(otherwise)) }
}
