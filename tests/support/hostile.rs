//! For tests of attacks: requests as bytes, what came of them, and both configurations to try them on.

use crate::http::{Answer, Wire};
use crate::http2::{Http2, Reply};
use crate::stack::{Builder, Stack};
use crate::{Seen, render};

/// What stands between the network and the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// envoy/envoy.yaml: Envoy's own protections come first.
    Shipped,
    /// fixtures/bare.yaml: the filter stands alone.
    Bare,
}

impl Setup {
    /// A stack with this configuration and without a rate limit.
    pub fn builder(self) -> Builder {
        match self {
            Self::Shipped => Stack::builder().without_rate_limit(),
            Self::Bare => Stack::builder().bare(),
        }
    }
}

/// Runs each of these tests, `async fn name(setup: Setup)`, on both configurations: as `shipped::name` and `bare::name`.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod shipped {
            $(#[tokio::test] async fn $name() { super::$name($crate::hostile::Setup::Shipped).await; })+
        }
        mod bare {
            $(#[tokio::test] async fn $name() { super::$name($crate::hostile::Setup::Bare).await; })+
        }
    };
}

/// A header field, name and value as they stand on the wire.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Fate {
    /// The answer; none where the connection was closed or the stream reset without one.
    pub answer: Option<Answer>,
    /// What the application saw meanwhile.
    pub seen: Vec<Seen>,
}

impl Fate {
    /// The answer's status; 0 for none.
    pub fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.status)
    }

    /// Whether the client heard of a refusal, or lost its connection, and the application nothing.
    pub fn is_refused(&self) -> bool {
        self.seen.is_empty() && matches!(self.status(), 0 | 300..=499)
    }
}

impl Stack {
    /// Sends bytes over a connection of their own and waits for one answer.
    pub async fn raw(&self, bytes: &[u8]) -> Fate {
        let before = self.app.count();
        let mut wire = self.wire().await;
        wire.send(bytes).await;
        let method = String::from_utf8_lossy(bytes.split(|byte| *byte == b' ').next().unwrap_or_default()).into_owned();
        let answer = wire.answer_to(&method).await;
        Fate { answer, seen: self.app.seen().split_off(before) }
    }

    /// The same over HTTP/2: fields with the pseudo-headers, and a body where there is one.
    pub async fn raw2(&self, fields: &[Field<'_>], body: &[u8]) -> Fate {
        let before = self.app.count();
        let mut wire = Http2::connect(self.envoys[0].address).await;
        let stream = wire.headers(fields, body.is_empty()).await;
        if !body.is_empty() {
            wire.data(stream, body, true).await;
        }
        let answer = match wire.answer(stream).await {
            Reply::Answer { status, body } => Some(Answer { status, body, ..Answer::default() }),
            Reply::Reset(_) | Reply::Closed => None,
        };
        Fate { answer, seen: self.app.seen().split_off(before) }
    }

    /// The head of a request to this stack's origin: `lines` go after `Host` as they stand.
    pub fn head<L: AsRef<[u8]>>(&self, method: &str, path: impl AsRef<[u8]>, lines: &[L]) -> Vec<u8> {
        let mut head = [method.as_bytes(), b" ", path.as_ref(), b" HTTP/1.1\r\nhost: ", self.authority().as_bytes(), b"\r\n"].concat();
        for line in lines {
            head.extend_from_slice(line.as_ref());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The pseudo-headers of a request to this stack's origin, and further fields.
    pub fn fields<'a>(&'a self, method: &'a str, path: &'a [u8], more: &[Field<'a>]) -> Vec<Field<'a>> {
        let mut fields: Vec<Field<'_>> =
            vec![(b":method", method.as_bytes()), (b":scheme", b"http"), (b":authority", self.authority().as_bytes()), (b":path", path)];
        fields.extend_from_slice(more);
        fields
    }

    /// A raw connection on which something has been sent already.
    pub async fn wire_with(&self, bytes: &[u8]) -> Wire {
        let mut wire = self.wire().await;
        wire.send(bytes).await;
        wire
    }
}

/// Envoy's routes to the application.
pub fn application_routes(envoy: &mut serde_json::Value) -> &mut Vec<serde_json::Value> {
    render::connection_manager(envoy)["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().expect("routes")
}

/// The route that takes everything.
pub fn application_route(envoy: &mut serde_json::Value) -> &mut serde_json::Value {
    let route = application_routes(envoy).iter_mut().find(|route| route["match"]["prefix"] == "/");
    route.expect("a route for everything")
}
