//! A client that sends exactly the bytes it is told to: libraries tidy up what a hostile client would send.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Everything is answered within this, or the test fails: twice the timeouts of all calls of a login.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One answer, as it came.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// For messages: what was asked.
    pub asked: String,
    /// The status.
    pub status: u16,
    /// In order; names in lower case, as Envoy sends them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Without chunks' framing.
    pub body: Vec<u8>,
    /// In order.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Answer {
    /// The one header of this name; fails when it stands twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.all(name);
        let first = all.next();
        assert!(all.next().is_none(), "{name} stands twice in {self:#?}");
        first
    }

    /// All headers of this name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let name = name.to_owned();
        self.headers.iter().filter(move |(found, _)| *found == name).map(|(_, value)| std::str::from_utf8(value).expect("text"))
    }

    /// Where it redirects to; fails when it does not.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("a redirect was expected, not {self}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Fails unless it is this failure of the gate: a page that names the code, or JSON with it as `error`.
    #[track_caller]
    pub fn assert_failure(&self, status: u16, code: &str) -> &Self {
        self.assert_status(status);
        let is_json = self.header("content-type") == Some("application/json");
        let names_it = if is_json { self.json()["error"] == code } else { self.text().contains(&format!("<code>{code}</code>")) };
        assert!(names_it, "{code} was expected in {self}");
        self
    }

    /// Fails unless it is a redirect by 303 to this path of the origin that was asked, or to this address.
    #[track_caller]
    pub fn assert_goes_to(&self, target: &str) -> &Self {
        self.assert_status(303);
        let location = self.location();
        // A login inside WeChat ends with an empty fragment, which ends WeChat's own.
        let page = location.strip_suffix('#').unwrap_or(location);
        let is_it = page == target || (target.starts_with('/') && crate::visitor::split_url(page).1 == target);
        assert!(is_it, "a redirect to {target} was expected, not to {location} ({self})");
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {}", self.asked, self.status)?;
        for (name, value) in &self.headers {
            write!(f, "\n  {name}: {}", String::from_utf8_lossy(value))?;
        }
        let text = self.text();
        let end = text.char_indices().nth(1500).map_or(text.len(), |(at, _)| at);
        write!(f, "\n\n{}", &text[..end])
    }
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.unwrap_or_else(|| panic!("nobody listens at {address}"))
    }

    /// The same from this address of ours.
    pub async fn connect_from(own: IpAddr, address: SocketAddr) -> Self {
        Self::try_connect_from(Some(own), address).await.unwrap_or_else(|| panic!("nobody listens at {address}"))
    }

    async fn try_connect(address: SocketAddr) -> Option<Self> {
        Self::try_connect_from(None, address).await
    }

    async fn try_connect_from(own: Option<IpAddr>, address: SocketAddr) -> Option<Self> {
        let stream = match own {
            None => TcpStream::connect(address).await,
            Some(own) => {
                let socket = TcpSocket::new_v4().ok()?;
                socket.bind((own, 0).into()).unwrap_or_else(|error| panic!("{own} is no address of this machine: {error}"));
                socket.connect(address).await
            }
        };
        let stream = stream.ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream, unread: Vec::new() })
    }

    /// Sends these bytes and no others.
    pub async fn send(&mut self, bytes: &[u8]) {
        // Envoy may have answered and closed before the last byte: the answer says what came of it.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish_sending(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Is gone at once, without a goodbye: a reset. Whoever drops it closes it.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("a socket");
    }

    /// The next answer; `None` when the connection closes before one begins.
    pub async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    /// The next answer to a request by this method: `HEAD` has none of the body that it announces.
    pub async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let reading = self.read_answer(method);
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no answer within {PATIENCE:?}"))
    }

    /// All bytes until the connection closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let all = async { while self.more().await {} };
        tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("not closed within {PATIENCE:?}: {:?}", self.unread));
        std::mem::take(&mut self.unread)
    }

    /// At least one byte; `None` when closed.
    pub async fn bytes(&mut self) -> Option<Vec<u8>> {
        if self.unread.is_empty() {
            let is_more = tokio::time::timeout(PATIENCE, self.more()).await.unwrap_or_else(|_| panic!("no bytes within {PATIENCE:?}"));
            is_more.then_some(())?;
        }
        Some(std::mem::take(&mut self.unread))
    }

    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..))
    }

    async fn read_answer(&mut self, method: &str) -> Option<Answer> {
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let (first, headers) = parse_head(&head);
            let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {first:?}"));
            let mut answer = Answer { status, headers, ..Answer::default() };
            match status {
                100 | 103 => continue,
                101 | 204 | 304 => return Some(answer),
                _ if method == "HEAD" => return Some(answer),
                _ => {}
            }
            (answer.body, answer.trailers) = self.body(&answer.headers, true).await?;
            return Some(answer);
        }
    }

    /// A message's body and trailers. `until_close`: what has no length ends with the connection.
    pub(crate) async fn body(&mut self, headers: &[(String, Vec<u8>)], until_close: bool) -> Option<Message> {
        let find =
            |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        if find("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return self.chunks().await;
        }
        if let Some(length) = find("content-length") {
            return Some((self.exactly(length.parse().ok()?).await?, vec![]));
        }
        if until_close {
            while self.more().await {}
            return Some((std::mem::take(&mut self.unread), vec![]));
        }
        Some((vec![], vec![]))
    }

    async fn chunks(&mut self) -> Option<Message> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim().split(';').next()?, 16).ok()?;
            if size == 0 {
                break;
            }
            body.extend(self.exactly(size).await?);
            self.until(b"\r\n").await?;
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            if line == b"\r\n" {
                return Some((body, trailers));
            }
            trailers.extend(parse_line(line.trim_ascii_end()));
        }
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.unread.len() < length {
            self.more().await.then_some(())?;
        }
        Some(self.unread.drain(..length).collect())
    }

    /// Up to and with `end`.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return Some(self.unread.drain(..at + end.len()).collect());
            }
            self.more().await.then_some(())?;
        }
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }
}

/// A body and its trailers.
type Message = (Vec<u8>, Vec<(String, Vec<u8>)>);

/// The first line, and the headers with names in lower case.
pub(crate) fn parse_head(head: &[u8]) -> (String, Vec<(String, Vec<u8>)>) {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty());
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    (first, lines.filter_map(parse_line).collect())
}

fn parse_line(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase(), line[colon + 1..].trim_ascii().to_vec()))
}

/// Sends one request over a connection of its own.
pub async fn exchange(address: SocketAddr, method: &str, target: &str, headers: &[(String, Vec<u8>)], body: &[u8]) -> Answer {
    let answer = try_exchange(address, method, target, headers, body).await;
    answer.unwrap_or_else(|| panic!("{method} {target} at {address}: no connection, or closed without an answer"))
}

/// The same from this address of ours, where one is named.
pub async fn exchange_from(
    own: Option<IpAddr>,
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(String, Vec<u8>)],
    body: &[u8],
) -> Answer {
    let wire = Wire::try_connect_from(own, address).await;
    let answer = exchange_over(wire, method, target, headers, body).await;
    answer.unwrap_or_else(|| panic!("{method} {target} at {address}: no connection, or closed without an answer"))
}

/// The same where it may be that nobody answers.
pub async fn try_exchange(address: SocketAddr, method: &str, target: &str, headers: &[(String, Vec<u8>)], body: &[u8]) -> Option<Answer> {
    exchange_over(Wire::try_connect(address).await, method, target, headers, body).await
}

async fn exchange_over(wire: Option<Wire>, method: &str, target: &str, headers: &[(String, Vec<u8>)], body: &[u8]) -> Option<Answer> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
    }
    head.extend(b"\r\n");
    head.extend(body);
    let mut wire = wire?;
    wire.send(&head).await;
    let answer = wire.answer_to(method).await?;
    Some(Answer { asked: format!("{method} {target}"), ..answer })
}
