//! The application behind the gate: writes down every request as it came, and answers with what it saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::http::{Wire, parse_head};

/// One request as it reached the application.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// With its query.
    pub path: String,
    /// In order; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The head, byte for byte.
    pub raw_head: Vec<u8>,
    /// What came of the body; empty as long as it is not complete.
    pub body: Vec<u8>,
    /// In order; names in lower case.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Seen {
    /// The one header of this name; fails when it stands twice.
    pub fn header(&self, name: &str) -> Option<String> {
        let all: Vec<_> = self.headers.iter().filter(|(found, _)| found == name).collect();
        assert!(all.len() < 2, "{name} stands twice in {self:#?}");
        all.first().map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

/// What the application answers for a path in place of what it saw.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Sent in this order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// A running application. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Application {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Vec<Seen>,
    replies: Vec<(String, Reply)>,
}

impl Application {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let application = Self { address: listener.local_addr().expect("bound"), shared: Arc::default() };
        let shared = application.shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        application
    }

    /// Every request so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().expect("not poisoned").seen.clone()
    }

    /// The requests after the first so many.
    pub fn seen_after(&self, number: usize) -> Vec<Seen> {
        self.shared.lock().expect("not poisoned").seen.iter().skip(number).cloned().collect()
    }

    /// The latest request.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the application has seen no request")
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.shared.lock().expect("not poisoned").seen.len()
    }

    /// Answers requests for this path (without query) like this from now on.
    pub fn answer(&self, path: &str, status: u16, headers: &[(&str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let reply = Reply { status, headers, body: body.to_owned() };
        let mut shared = self.shared.lock().expect("not poisoned");
        shared.replies.retain(|(known, _)| known != path);
        shared.replies.push((path.to_owned(), reply));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let _ = stream.set_nodelay(true);
    let mut wire = Wire::of(stream);
    while let Some(raw_head) = wire.until(b"\r\n\r\n").await {
        let (first, headers) = parse_head(&raw_head);
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_websocket = headers.iter().any(|(name, value)| name == "upgrade" && value.eq_ignore_ascii_case(b"websocket"));
        let seen = Seen { method, path, headers, raw_head, ..Seen::default() };
        let index = {
            // Before the body is there: a request that arrives in half has arrived.
            let mut shared = shared.lock().expect("not poisoned");
            shared.seen.push(seen.clone());
            shared.seen.len() - 1
        };
        if is_websocket {
            wire.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n").await;
            while let Some(bytes) = wire.bytes().await {
                wire.send(&bytes).await;
            }
            return;
        }
        let Some((body, trailers)) = wire.body(&seen.headers, false).await else { return };
        let reply = {
            let mut shared = shared.lock().expect("not poisoned");
            shared.seen[index].body = body;
            shared.seen[index].trailers = trailers;
            let path = seen.path.split('?').next().unwrap_or_default();
            let scripted = shared.replies.iter().find(|(known, _)| known == path).map(|(_, reply)| reply.clone());
            scripted.unwrap_or_else(|| echo(&shared.seen[index]))
        };
        let mut answer = format!("HTTP/1.1 {} Said\r\n", reply.status);
        for (name, value) in &reply.headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = if seen.method == "HEAD" { "" } else { reply.body.as_str() };
        answer.push_str(&format!("content-length: {}\r\n\r\n{body}", reply.body.len()));
        wire.send(answer.as_bytes()).await;
    }
}

fn echo(seen: &Seen) -> Reply {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> = seen.headers.iter().map(|(name, value)| json!([name, text(value)])).collect();
    let body = json!({"method": seen.method, "path": seen.path, "headers": headers, "body": text(&seen.body)});
    Reply { status: 200, headers: vec![("content-type".into(), "application/json".into())], body: body.to_string() }
}
