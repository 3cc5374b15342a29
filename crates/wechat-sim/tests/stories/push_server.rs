//! An application's own server, to which WeChat pushes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use tokio::net::TcpListener;
use url::form_urlencoded;
use wechat_sim::crypto::push as crypt;

pub(crate) const TOKEN: &str = "pamtest";
pub(crate) const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// Listens on a free port, keeps what comes, and answers as it was told, else with `success`. It answers a verification
/// with the echostr after it has checked the signature.
#[derive(Clone)]
pub(crate) struct PushServer {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    received: Vec<Received>,
    answers: VecDeque<(u16, String)>,
}

/// One request of WeChat's.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    query: Vec<(String, String)>,
}

impl Received {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Whether `signature`, or with a ciphertext `msg_signature`, is right.
    pub(crate) fn is_signed(&self, encrypted: Option<&str>) -> bool {
        let (timestamp, nonce) = (self.parameter("timestamp"), self.parameter("nonce"));
        match encrypted {
            None => self.parameter("signature") == crypt::signature(&[TOKEN, timestamp, nonce]),
            Some(encrypted) => self.parameter("msg_signature") == crypt::signature(&[TOKEN, timestamp, nonce, encrypted]),
        }
    }

    /// The text of an element.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        element(&self.body, name)
    }

    /// The message inside of `Encrypt`.
    pub(crate) fn decrypted(&self, appid: &str) -> String {
        let encrypted = self.element("Encrypt").unwrap();
        assert!(self.is_signed(Some(&encrypted)), "{self:?}");
        crypt::decrypt(KEY, &encrypted, appid).unwrap()
    }
}

pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let found = document.root_element().children().find(|node| node.has_tag_name(name))?;
    Some(found.text().unwrap_or_default().to_owned())
}

impl PushServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/push/oa", listener.local_addr().unwrap());
        let server = Self { url, shared: Arc::default() };
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    /// The next answers, in this order.
    pub(crate) fn will_answer(&self, answers: &[(u16, &str)]) {
        self.shared.lock().unwrap().answers.extend(answers.iter().map(|&(status, body)| (status, body.to_owned())));
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }

    pub(crate) fn last(&self) -> Received {
        self.received().pop().unwrap()
    }
}

async fn answer(State(server): State<PushServer>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let received = Received { method, headers, body: String::from_utf8(body.to_vec()).unwrap(), query };
    let mut shared = server.shared.lock().unwrap();
    shared.received.push(received.clone());
    match shared.answers.pop_front() {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body),
        None if received.method == Method::GET && received.is_signed(None) => (StatusCode::OK, received.parameter("echostr").to_owned()),
        None if received.method == Method::GET => (StatusCode::FORBIDDEN, String::new()),
        None => (StatusCode::OK, "success".to_owned()),
    }
}
