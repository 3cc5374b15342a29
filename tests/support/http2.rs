//! HTTP/2 frame by frame (RFC 9113), for requests that no library would send: header names in upper case, trailers,
//! CONNECT without a path. It reads as much of an answer as tests ask for: status, body, or how it ended instead.

use std::net::SocketAddr;

use crate::http::Wire;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// What a peer takes in one frame unless it says more.
const FRAME: usize = 16_384;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer, complete.
    Answer {
        /// `:status`.
        status: u16,
        /// All of its data.
        body: Vec<u8>,
    },
    /// The stream was reset with this error code.
    Reset(u32),
    /// The whole connection was given up.
    Closed,
}

impl Reply {
    /// The status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            Self::Reset(_) | Self::Closed => None,
        }
    }
}

/// One connection, by prior knowledge.
#[derive(Debug)]
pub struct Http2 {
    wire: Wire,
    next_stream: u32,
}

impl Http2 {
    /// Connects and sends the preface.
    pub async fn connect(address: SocketAddr) -> Self {
        let mut http2 = Self { wire: Wire::connect(address).await, next_stream: 1 };
        http2.wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        // HEADER_TABLE_SIZE 0: then a status is readable without what came before it. (It stands in the static table.)
        http2.frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]).await;
        http2
    }

    /// Opens a stream with these fields, pseudo-headers among them, exactly as given. `is_all`: no body follows.
    pub async fn headers<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, fields: &[(N, V)], is_all: bool) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        self.fields(stream, fields, is_all).await;
        stream
    }

    /// Sends a piece of the body.
    pub async fn data(&mut self, stream: u32, bytes: &[u8], is_all: bool) {
        self.frame(DATA, if is_all { END_STREAM } else { 0 }, stream, bytes).await;
    }

    /// Ends the stream with trailers.
    pub async fn trailers<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, stream: u32, fields: &[(N, V)]) {
        self.fields(stream, fields, true).await;
    }

    /// Waits for what comes of a stream.
    pub async fn answer(&mut self, stream: u32) -> Reply {
        let reading = self.read(stream);
        tokio::time::timeout(crate::http::PATIENCE, reading).await.expect("an answer in time")
    }

    /// Waits for the head of an answer alone: what stays open has no end to wait for.
    pub async fn status(&mut self, stream: u32) -> Option<u16> {
        let reading = async {
            loop {
                let (kind, _, of, payload) = self.next().await?;
                match kind {
                    HEADERS if of == stream => return Some(status(&payload)),
                    RST_STREAM if of == stream => return None,
                    GOAWAY => return None,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(crate::http::PATIENCE, reading).await.expect("an answer in time")
    }

    async fn read(&mut self, stream: u32) -> Reply {
        let mut answer = None;
        let mut body = Vec::new();
        while let Some((kind, flags, of, payload)) = self.next().await {
            if kind == GOAWAY {
                break;
            }
            if of != stream {
                continue;
            }
            match kind {
                HEADERS if answer.is_none() => answer = Some(status(&payload)).filter(|status| *status >= 200),
                DATA => body.extend(payload),
                RST_STREAM if answer.is_none() => {
                    let code = payload.get(..4).and_then(|code| code.try_into().ok()).map_or(0, u32::from_be_bytes);
                    return Reply::Reset(code);
                }
                // Answered before all was sent.
                RST_STREAM => return Reply::Answer { status: answer.unwrap_or_default(), body },
                _ => {}
            }
            if let Some(status) = answer.filter(|_| flags & END_STREAM != 0 && matches!(kind, DATA | HEADERS)) {
                return Reply::Answer { status, body };
            }
        }
        Reply::Closed
    }

    /// The next frame: kind, flags, stream, payload.
    async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let head = self.wire.exactly(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.wire.exactly(length).await?;
        if kind == SETTINGS && flags & ACK == 0 {
            self.frame(SETTINGS, ACK, 0, &[]).await;
        }
        Some((kind, flags, stream, payload))
    }

    async fn fields<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, stream: u32, fields: &[(N, V)], is_all: bool) {
        let mut block = Vec::new();
        for (name, value) in fields {
            // A literal that enters no table, its name spelt out (RFC 7541, section 6.2.2).
            block.push(0);
            string(&mut block, name.as_ref());
            string(&mut block, value.as_ref());
        }
        let mut pieces = block.chunks(FRAME).peekable();
        let mut kind = HEADERS;
        while let Some(piece) = pieces.next() {
            let end_headers = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            let end_stream = if is_all && kind == HEADERS { END_STREAM } else { 0 };
            self.frame(kind, end_headers | end_stream, stream, piece).await;
            kind = CONTINUATION;
        }
    }

    async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.wire.send(&frame).await;
    }
}

/// A string without Huffman coding (RFC 7541, sections 5.1 and 5.2).
fn string(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap_or_default());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap_or_default() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap_or_default());
    }
    block.extend(text);
}

/// `:status`, which is the first field of an answer.
fn status(block: &[u8]) -> u16 {
    let mut rest = block;
    while let Some((byte, tail)) = rest.split_first() {
        match byte {
            // A change of the table's size, to the 0 that we asked for.
            0x20 => rest = tail,
            0x88..=0x8e => return [200, 204, 206, 304, 400, 404, 500][usize::from(byte - 0x88)],
            // A literal whose name is one of the static table's seven `:status`.
            0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e => {
                let (length, text) = tail.split_first().expect("a value");
                let text = &text[..usize::from(length & 0x7f)];
                return if length & 0x80 == 0 { String::from_utf8_lossy(text).parse().expect("a status") } else { huffman(text) };
            }
            _ => break,
        }
    }
    panic!("no :status at the start of {block:02x?}");
}

/// Three digits in Huffman coding (RFC 7541, appendix B): five bits for 0 to 2, six for the others.
fn huffman(text: &[u8]) -> u16 {
    let mut bits: Vec<u16> = text.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1))).collect();
    let mut number = 0;
    for _ in 0..3 {
        let value = |bits: &[u16]| bits.iter().fold(0, |value, bit| value * 2 + bit);
        let (digit, used) = match value(&bits[..5]) {
            digit @ 0..=2 => (digit, 5),
            _ => (value(&bits[..6]) - 0x19 + 3, 6),
        };
        number = number * 10 + digit;
        bits.drain(..used);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_every_coding() {
        assert_eq!(status(&[0x20, 0x88]), 200);
        assert_eq!(status(&[0x08, 3, b'4', b'2', b'1']), 421);
        // RFC 7541, appendix C.6.1 and C.6.2.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), 302);
        assert_eq!(status(&[0x48, 0x83, 0x64, 0x0e, 0xff]), 307);
    }
}
