//! What comes in and what goes out, as plain owned data: the core's only view of HTTP.

use sha2::{Digest, Sha256};

/// Header fields in the order in which they arrived, in one buffer: a request has two dozen of them, and this is two
/// allocations. Names are lower case, as Envoy makes them; values are bytes, since nothing says that they are UTF-8.
#[derive(Clone, Default)]
pub struct Headers {
    buffer: Vec<u8>,
    fields: Vec<(Place, Place)>,
}

/// Where something stands in a buffer: (start, length).
pub type Place = (usize, usize);

impl Headers {
    /// Fields of a buffer that somebody else has laid out, each with the place of its name and of its value. A place
    /// outside of the buffer reads as empty.
    pub fn from_buffer(buffer: Vec<u8>, fields: Vec<(Place, Place)>) -> Self {
        Self { buffer, fields }
    }

    /// Fields given one by one.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let start = headers.buffer.len();
            headers.buffer.extend_from_slice(name.as_bytes());
            headers.buffer.extend_from_slice(value);
            headers.fields.push(((start, name.len()), (start + name.len(), value.len())));
        }
        headers
    }

    /// All fields, as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (self.at(*name), self.at(*value)))
    }

    /// The values of a field, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.iter().filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// The first value of a field.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    fn at(&self, (start, length): Place) -> &[u8] {
        self.buffer.get(start..start.saturating_add(length)).unwrap_or_default()
    }
}

/// A request whose headers have all arrived.
#[derive(Clone)]
pub struct Request {
    /// The header fields, pseudo-headers among them.
    pub headers: Headers,
    /// Asks Envoy for the client's address and port. Few requests need it, so it is not fetched before.
    pub source: fn() -> Option<Vec<u8>>,
}

impl Request {
    /// The client's IP address, as Envoy believes it to be.
    pub fn client_address(&self) -> Option<String> {
        let source = String::from_utf8((self.source)()?).ok()?;
        let (host, port) = source.rsplit_once(':')?;
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_address =
            |text: &str| (2..=45).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'));
        (is_address(address) && port.bytes().all(|b| b.is_ascii_digit())).then(|| address.to_owned())
    }

    /// `:method`, empty where there is none.
    pub fn method(&self) -> &[u8] {
        self.headers.first(":method").unwrap_or_default()
    }

    /// `:path` with its query; `None` for a CONNECT without one, and where Envoy could not hand the headers over.
    pub fn path(&self) -> Option<&[u8]> {
        self.headers.first(":path")
    }

    /// `:authority`.
    pub fn authority(&self) -> Option<&[u8]> {
        self.headers.first(":authority")
    }
}

/// Which service a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// api.weixin.qq.com.
    Wechat,
    /// The resolver.
    Resolver,
}

impl Peer {
    /// In metrics and log lines.
    pub fn label(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Resolver => "resolver",
        }
    }
}

/// A call for Envoy to make. It has no `Debug`: the path of a WeChat call holds the AppSecret.
#[derive(Clone)]
pub struct HttpCall {
    /// Who is called.
    pub peer: Peer,
    /// What the call is for, in metrics and log lines, such as `sns.access_token`.
    pub label: &'static str,
    /// The Envoy cluster.
    pub cluster: String,
    /// `:authority`.
    pub authority: String,
    /// `:method`.
    pub method: &'static str,
    /// `:path` with its query.
    pub path: String,
    /// Further header fields.
    pub headers: Vec<(&'static str, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// For the whole call; Envoy takes 0 for "no limit", which the configuration rules out.
    pub timeout_ms: u32,
    /// A longer answer counts as none: [`MAX_REPLY_BYTES`], but for a picture.
    pub max_reply_bytes: usize,
}

/// The answer to a call, complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    /// `:status`. Envoy itself answers 503 or 504 with a text body where it could not connect or ran out of time.
    pub status: u16,
    /// At most [`HttpCall::max_reply_bytes`].
    pub body: Vec<u8>,
}

/// No text that WeChat or a resolver says to us is near this.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// Envoy refused to send it: unknown cluster, no healthy host, circuit breaker.
    NotSent,
    /// The stream ended without a complete answer.
    Reset,
    /// The answer is longer than [`HttpCall::max_reply_bytes`].
    TooLarge,
}

/// What a call came to.
pub type CallResult = Result<HttpReply, CallFailure>;

/// Longer bodies of requests are refused: all that a client tells us fits in a fraction of it.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// Why a request's body is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFailure {
    /// It is longer than [`MAX_BODY_BYTES`].
    TooLarge,
    /// It was not complete in time.
    TooSlow,
    /// Not a byte of it came: the client sent none, or Envoy keeps it from the filter
    /// (`allow_on_headers_stop_iteration` is not set).
    Missing,
}

/// The whole body of a request, empty where it has none.
pub type BodyResult = Result<Vec<u8>, BodyFailure>;

/// The time, and randomness that nobody can foresee: the core has no other source of either.
#[derive(Clone, Copy)]
pub struct Moment {
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// 32 random bytes, used for this moment alone.
    pub seed: [u8; 32],
}

impl Moment {
    /// Seconds since the Unix epoch.
    pub fn now(&self) -> u64 {
        self.now_ms / 1000
    }
}

/// Expands a [`Moment`]'s seed into as many random bytes as a flow needs: SHA-256 over seed and counter.
#[derive(Clone, Copy)]
pub struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl Entropy {
    /// Starts from a seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(32) {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.counter.to_be_bytes());
            self.counter += 1;
            for (byte, random) in chunk.iter_mut().zip(hash.finalize()) {
                *byte = random;
            }
        }
        out
    }
}

/// The value of a query parameter that may stand once: percent-decoded, `+` left alone.
#[derive(Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Not there.
    Absent,
    /// There once.
    Once(Vec<u8>),
    /// There more than once, or with a broken escape.
    Ambiguous,
}

/// Reads one parameter of the query of `raw_path`. One decoder, one rule: `&` separates, a broken escape spoils it.
pub fn query_parameter(raw_path: &[u8], name: &str) -> Parameter {
    let Some(at) = raw_path.iter().position(|byte| *byte == b'?') else { return Parameter::Absent };
    let query = raw_path.get(at + 1..).unwrap_or_default();
    let mut found = Parameter::Absent;
    for pair in query.split(|byte| *byte == b'&') {
        let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (key, value) = pair.split_at_checked(split).unwrap_or_default();
        if percent_decode(key).as_deref() != Some(name.as_bytes()) {
            continue;
        }
        found = match (found, percent_decode(value.get(1..).unwrap_or_default())) {
            (Parameter::Absent, Some(value)) => Parameter::Once(value),
            _ => return Parameter::Ambiguous,
        };
    }
    found
}

/// The byte that two leading hex digits stand for, and what follows them.
pub(crate) fn escaped_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = text.split_first_chunk::<2>()?;
    let value = char::from(*high).to_digit(16)? * 16 + char::from(*low).to_digit(16)?;
    Some((u8::try_from(value).ok()?, rest))
}

/// `None` where an escape is broken.
pub(crate) fn percent_decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let (value, tail) = escaped_byte(tail)?;
            decoded.push(value);
            rest = tail;
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// Appends `value` with all but RFC 3986's unreserved characters escaped, so it can stand anywhere in a query.
pub fn push_escaped(out: &mut String, value: &[u8]) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for &byte in value {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(HEX.get(usize::from(byte >> 4)));
            out.extend(HEX.get(usize::from(byte & 15)));
        }
    }
}

/// A path as it may stand in a `Location`: bytes that are not visible ASCII are escaped, so nothing ends the header.
pub fn visible_path(raw_path: &[u8]) -> String {
    let mut out = String::with_capacity(raw_path.len());
    for byte in raw_path {
        if byte.is_ascii_graphic() { out.push(char::from(*byte)) } else { push_escaped(&mut out, &[*byte]) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_parameter_counts_only_when_it_stands_once() {
        let read = |path: &str| query_parameter(path.as_bytes(), "code");
        assert_eq!(read("/cb"), Parameter::Absent);
        assert_eq!(read("/cb?state=1"), Parameter::Absent);
        assert_eq!(read("/cb?code=a%2Bb+c&state=1"), Parameter::Once(b"a+b+c".to_vec()));
        assert_eq!(read("/cb?code"), Parameter::Once(vec![]));
        assert_eq!(read("/cb?code=1&code=2"), Parameter::Ambiguous);
        assert_eq!(read("/cb?code=1&%63ode=2"), Parameter::Ambiguous);
        assert_eq!(read("/cb?code=%"), Parameter::Ambiguous);
        assert_eq!(read("/cb?code=%zz"), Parameter::Ambiguous);
        assert_eq!(read("/cb?code[]=1"), Parameter::Absent);
        assert_eq!(read("/cb?x=1;code=2"), Parameter::Absent);
    }

    #[test]
    fn a_client_s_address_has_no_port_and_is_one() {
        let address = |source: fn() -> Option<Vec<u8>>| Request { headers: Headers::default(), source }.client_address();
        assert_eq!(address(|| Some(b"203.0.113.7:52011".to_vec())).as_deref(), Some("203.0.113.7"));
        assert_eq!(address(|| Some(b"[2001:db8::1]:443".to_vec())).as_deref(), Some("2001:db8::1"));
        for source in [|| None, || Some(b"@/run/a.sock:1".to_vec()), || Some(vec![0xff]), || Some(vec![]), || Some(b"10.0.0.1".to_vec())] {
            assert_eq!(address(source), None);
        }
    }

    #[test]
    fn entropy_does_not_repeat() {
        let mut entropy = Entropy::new([1; 32]);
        let (a, b) = (entropy.bytes::<64>(), entropy.bytes::<64>());
        assert_ne!(a[..32], a[32..]);
        assert_ne!(a, b);
    }

    proptest! {
        #[test]
        fn what_is_escaped_reads_back(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut path = String::from("/x?v=");
            push_escaped(&mut path, &value);
            prop_assert_eq!(query_parameter(path.as_bytes(), "v"), Parameter::Once(value));
        }

        #[test]
        fn a_visible_path_is_visible(path in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(visible_path(&path).bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
