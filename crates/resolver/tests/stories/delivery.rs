//! Codes on their way: a real mail server, and a service that sends SMS.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use wxgate_resolver::address::Address;
use wxgate_resolver::admin::draft::Draft;
use wxgate_resolver::audit::{Actor, By};
use wxgate_resolver::delivery::{Delivery, Language, Mailer, Message, SMTP_URL_VARIABLE, Secret, Webhook};
use wxgate_resolver::policy::Binding;
use wxgate_resolver::store::{AdminStore, SqliteStore};
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, serve};

use crate::program::Running;
use crate::support::{PATIENT, TOKEN, at, pc, sqlite};

const SECRET: &str = "a3f1c87e5b0d49268e7f1a2b3c4d5e6f";

fn message(to: Address) -> Message {
    Message {
        to,
        code: Secret("123456".to_owned()),
        language: Language::Chinese,
        application: "shop".to_owned(),
        expires_in: 300,
        asked_at: at(0),
    }
}

fn email(address: &str) -> Message {
    message(Address::email(address).unwrap())
}

fn sms() -> Message {
    message(Address::phone("13800138000").unwrap())
}

/// A mail server of its own, which ends with the story.
pub(crate) struct MailServer {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl MailServer {
    pub(crate) fn start() -> Self {
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/smtp/server.py");
        let mut command = Command::new(python());
        let mut child = command.arg(server).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let port = line(&mut lines);
        Self { child, lines, url: format!("smtp://127.0.0.1:{}", port.trim()) }
    }

    /// The next message that it takes.
    pub(crate) fn next(&mut self) -> Value {
        serde_json::from_str(&line(&mut self.lines)).unwrap()
    }
}

fn line(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the mail server has ended");
    line
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself, where the story went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With the mail server.
fn python() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/smtp/requirements.txt");
    python_venv::python(&requirements, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("smtp"))
}

#[tokio::test]
async fn a_mail_server_delivers_what_its_person_can_read() {
    let mut server = MailServer::start();
    let mailer = Mailer::new(&server.url, "Shop <no-reply@example.com>").unwrap();
    mailer.send(&email("xiaoming@example.com")).await.unwrap();

    let mail = server.next();
    assert_eq!(mail["from"], "no-reply@example.com");
    assert_eq!(mail["to"], json!(["xiaoming@example.com"]));
    assert_eq!(mail["headers"]["from"], "Shop <no-reply@example.com>");
    assert_eq!(mail["headers"]["subject"], "shop 验证码");
    assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("您的验证码是 123456，5 分钟内有效"), "{text}");
}

#[tokio::test]
async fn what_a_mail_server_says_about_a_person_is_not_repeated() {
    let server = MailServer::start();
    let mailer = Mailer::new(&server.url, "no-reply@example.com").unwrap();
    let error = mailer.send(&email("reject@example.com")).await.unwrap_err();
    assert_eq!(error.to_string(), "the mail server answered 550");
}

#[tokio::test]
async fn a_mail_server_without_tls_gets_nothing_where_tls_is_required() {
    let server = MailServer::start();
    let mailer = Mailer::new(&format!("{}?tls=required", server.url), "no-reply@example.com").unwrap();
    mailer.send(&email("xiaoming@example.com")).await.unwrap_err();
}

/// What the service was told.
#[derive(Clone, Debug)]
struct Told {
    headers: HeaderMap,
    body: String,
}

/// A service that answers with these statuses, one after the other and then the last again, and notes what it is told.
async fn sms_service(statuses: &'static [u16]) -> (String, Arc<Mutex<Vec<Told>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = told.clone();
    let answer = move |headers: HeaderMap, body: String| {
        let note = note.clone();
        async move {
            let mut told = note.lock().unwrap();
            let status = statuses[told.len().min(statuses.len() - 1)];
            told.push(Told { headers, body });
            let elsewhere = [("location", HeaderValue::from_static("/elsewhere"))];
            (StatusCode::from_u16(status).unwrap(), elsewhere).into_response()
        }
    };
    let app = Router::new().route("/send", post(answer.clone())).route("/elsewhere", post(answer.clone()).get(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/send"), told)
}

#[tokio::test]
async fn the_sms_service_is_told_whom_what_and_by_whom() {
    let (url, told) = sms_service(&[204]).await;
    let webhook = Webhook::new(&url, SECRET, Some("SMS_1".to_owned())).unwrap();
    webhook.send(&sms()).await.unwrap();

    let Told { headers, body } = told.lock().unwrap()[0].clone();
    let said: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&said["to"], &said["code"]), (&json!("+8613800138000"), &json!("123456")));
    assert_eq!((&said["language"], &said["application"]), (&json!("zh-CN"), &json!("shop")));
    assert_eq!((&said["template"], &said["expires_in"]), (&json!("SMS_1"), &json!(300)));
    assert!(said["text"].as_str().unwrap().contains("123456"));
    assert_eq!(headers["content-type"], "application/json");

    let timestamp = headers["x-wxgate-timestamp"].to_str().unwrap();
    assert_eq!(timestamp, at(0).seconds().to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(headers["x-wxgate-signature"], format!("v1={expected}"));
}

#[tokio::test]
async fn a_service_that_stumbles_is_told_once_more_under_the_same_id() {
    let (url, told) = sms_service(&[503, 200]).await;
    Webhook::new(&url, SECRET, None).unwrap().send(&sms()).await.unwrap();
    {
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].body, told[1].body);
        assert!(!told[0].body.contains("template"));
    }

    let (url, told) = sms_service(&[500]).await;
    let error = Webhook::new(&url, SECRET, None).unwrap().send(&sms()).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), told.lock().unwrap().len()), ("the webhook answered 500", 2));
}

#[tokio::test]
async fn a_service_that_refuses_or_sends_on_is_told_once() {
    for (status, expected) in [(403, "the webhook answered 403"), (307, "the webhook answered 307"), (302, "the webhook answered 302")] {
        let statuses: &'static [u16] = Box::leak(Box::new([status]));
        let (url, told) = sms_service(statuses).await;
        let error = Webhook::new(&url, SECRET, None).unwrap().send(&sms()).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), told.lock().unwrap().len()), (expected, 1));
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_named_without_its_address() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Webhook::new(&format!("http://{gone}/?key=CANARY"), SECRET, None).unwrap().send(&sms()).await.unwrap_err();
    assert_eq!(error.to_string(), "the webhook was not reached");
}

#[tokio::test]
async fn a_message_is_handed_over_where_nothing_sends_it_and_the_asker_never_waits() {
    let (sender, mut messages) = mpsc::unbounded_channel();
    let delivery = Delivery::none().or_else_to(move |message| sender.send(message.clone()).unwrap());
    delivery.send(Some(sms()));
    delivery.send(None);
    let message = tokio::time::timeout(Duration::from_secs(30), messages.recv()).await.unwrap().unwrap();
    assert_eq!((message.to.as_str(), message.code.0.as_str()), ("+8613800138000", "123456"));
}

#[tokio::test]
async fn codes_bind_accounts_and_no_log_tells_codes_addresses_passwords_or_tokens() {
    let mut mail = MailServer::start();
    let flags = ["--binding", "ask", "--mail-from", "Shop <no-reply@example.com>", "--print-codes", "--log", "trace"];
    let mut running = Running::start_in(&[(SMTP_URL_VARIABLE, &mail.url)], &flags);
    let store = SqliteStore::open(running.database(), PATIENT).await.unwrap();
    let draft = Draft {
        email: Some("canary@example.com".into()),
        is_email_verified: true,
        phone_number: Some("+8613800138000".into()),
        is_phone_number_verified: true,
        ..Draft::default()
    };
    let admin = By { actor: Actor::Admin("alice".into()), client_address: None };
    let user = store.create_user("default", &draft, &admin, at(0)).await.unwrap().id.to_string();

    let client = reqwest::Client::new();
    let origin = running.origin.clone();
    let post = async |path: &str, body: Value| -> Value {
        let answer = client.post(format!("{origin}{path}")).bearer_auth(TOKEN).json(&body).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let mut secrets = vec!["canary@".to_owned(), "13800138000".to_owned(), "PASSWORD-CANARY".to_owned()];
    for (openid, method, address) in [("o-1", "email_code", "canary@example.com"), ("o-2", "phone_code", "13800138000")] {
        let login = post("/v1/logins", serde_json::to_value(pc(openid)).unwrap()).await;
        let pending = login["pending"].as_str().unwrap();
        let asked = json!({"method": method, "address": address, "language": "en"});
        assert_eq!(post(&format!("/v1/pending-logins/{pending}/code"), asked).await["answer"], "sent");
        let text = if method == "email_code" { mail.next()["text"].as_str().unwrap().to_owned() } else { running.line() };
        let code: String = text.chars().skip_while(|character| !character.is_ascii_digit()).take(6).collect();
        if method == "phone_code" {
            assert_eq!(text, format!("code {code} for +86138****8000\n"));
        }
        let finish = format!("/v1/pending-logins/{pending}/finish");
        let password = json!({"proof": {"action": "password", "account": "13800138000", "password": "PASSWORD-CANARY"}});
        assert_eq!(post(&finish, password).await, json!({"answer": "wrong", "tries_left": 4}));
        let finished = post(&finish, json!({"proof": {"action": "code", "code": code}})).await;
        assert_eq!(finished["outcome"]["user"]["id"], *user, "{finished}");
        // A number of six digits may stand in a log for other reasons.
        secrets.extend([pending.to_owned(), format!("\"{code}\"")]);
    }

    let (_, log) = running.stop("TERM");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} in the log:\n{log}");
    }
    for line in
        ["codes go out", "some codes are printed while others are sent", "code asked for", "a code was sent", "pending login answered"]
    {
        assert!(log.contains(line), "{line} is not in the log:\n{log}");
    }
}

/// The service that sends SMS is slow, and the resolver is told to stop while it sends.
#[tokio::test]
async fn a_code_that_is_on_its_way_when_the_resolver_stops_arrives() {
    let (stop, stopped) = oneshot::channel();
    let (stop, has_arrived) = (Arc::new(Mutex::new(Some(stop))), Arc::new(AtomicBool::new(false)));
    let note = has_arrived.clone();
    let slow = move || async move {
        if let Some(stop) = stop.lock().unwrap().take() {
            stop.send(()).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        note.store(true, Ordering::Relaxed);
        StatusCode::OK
    };
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/send", service.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(service, Router::new().route("/send", post(slow))).await });

    let (store, _dir) = sqlite().await;
    let by = By { actor: Actor::Admin("alice".into()), client_address: None };
    let draft = Draft { phone_number: Some("+8613800138000".into()), is_phone_number_verified: true, ..Draft::default() };
    store.create_user("default", &draft, &by, at(0)).await.unwrap();
    let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
    state.default_policy.binding = Binding::Ask;
    state.delivery = Delivery::none().with_sms(Webhook::new(&url, SECRET, None).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(serve(listener, Arc::new(state), async { stopped.await.unwrap() }));

    let ask = async |path: &str, body: Value| -> Value {
        let asked = reqwest::Client::new().post(format!("{origin}{path}")).bearer_auth(TOKEN).json(&body).send();
        asked.await.unwrap().json().await.unwrap()
    };
    let login = ask("/v1/logins", serde_json::to_value(pc("o-1")).unwrap()).await;
    let path = format!("/v1/pending-logins/{}/code", login["pending"].as_str().unwrap());
    assert_eq!(ask(&path, json!({"method": "phone_code", "address": "13800138000", "language": "en"})).await["answer"], "sent");
    serving.await.unwrap().unwrap();
    assert!(has_arrived.load(Ordering::Relaxed));
}
