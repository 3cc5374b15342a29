//! What takes a socket to see.

use std::io::ErrorKind;

use axum::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use wechat_sim::{Effect, Fault, Simulator};

use crate::support::{SITE, SITE_SECRET, Story, path_of, qr_link};

/// Serves on a free port, and sends one request on a connection of its own; the end of it is the connection's end.
async fn talk(story: &Story, path: &str) -> Result<Vec<u8>, ErrorKind> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sim = story.sim.clone();
    let server = tokio::spawn(async move { sim.serve(listener).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    server.abort();
    read.map(|_| answer).map_err(|error| error.kind())
}

fn exchange_path(code: &str) -> String {
    format!("/sns/oauth2/access_token?appid={SITE}&secret={SITE_SECRET}&code={code}&grant_type=authorization_code")
}

#[tokio::test]
async fn a_reset_comes_before_the_code_is_spent() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    story.sim.set_faults(vec![Fault::on("/sns/", Effect::Reset).times(1)]);
    assert_eq!(talk(&story, &exchange_path(&code)).await, Err(ErrorKind::ConnectionReset));
    assert!(story.exchange(SITE, SITE_SECRET, &code).await.json()["access_token"].is_string());
}

#[tokio::test]
async fn a_lost_answer_has_spent_the_code() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    story.sim.set_faults(vec![Fault::on("/sns/", Effect::LoseAnswer).times(1)]);
    assert_eq!(talk(&story, &exchange_path(&code)).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(story.exchange(SITE, SITE_SECRET, &code).await.refusal().0, 40163);
}

#[tokio::test]
async fn the_connection_ends_in_the_middle_of_an_answer() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    story.sim.set_faults(vec![Fault::on("/sns/", Effect::Truncate { keep_bytes: Some(10), hang_up: true })]);
    let answer = String::from_utf8(talk(&story, &exchange_path(&code)).await.unwrap()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"));
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert!(length > 100, "the whole length is announced");
    assert_eq!(body.len(), 10, "{body}");
}

#[tokio::test]
async fn stopping_answers_a_held_long_poll_at_once() {
    let story = Story::with(Simulator::builder().hold(std::time::Duration::from_secs(3600)));
    let uuid = story.get(&path_of(&qr_link(&[]))).await.uuid();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let sim = story.sim.clone();
    let server = tokio::spawn(async move { sim.serve_until(listener, async { drop(stopped.await) }).await });

    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /connect/l/qrconnect?uuid={uuid} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    while !story.sim.journal().iter().any(|entry| entry.path == "/connect/l/qrconnect") {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("window.wx_errcode=408;window.wx_code='';"), "{answer}");
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn unknown_paths_are_not_found_and_written_down() {
    let story = Story::begin();
    assert_eq!(story.get("/cgi-bin/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(story.sim.journal()[0].path, "/cgi-bin/nothing");
}
