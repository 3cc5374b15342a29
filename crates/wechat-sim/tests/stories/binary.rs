//! `wechat-sim`, the program.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

fn wechat_sim(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wechat-sim"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts it on a free port and reads from its first line which one.
async fn listening(args: &[&str]) -> (Child, String) {
    let mut child = wechat_sim(&[&["--listen", "127.0.0.1:0"], args].concat()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().to_owned();
    (child, address)
}

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_says_where_it_listens_and_ends_when_told() {
    for signal in ["-TERM", "-INT"] {
        let (mut child, address) = listening(&["--demo"]).await;
        assert!(get(&address, "/sim/apps").await.contains("wx0000000000000001"));
        let id = child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        assert!(child.wait().await.unwrap().success(), "{signal}");
    }
}

#[tokio::test]
async fn it_starts_with_the_people_of_a_file() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wechat-sim-seed.json");
    let seed = r#"{
        "apps": {"wx00000000000000a1": {"kind": "website", "secret": "s", "redirect_domain": "localhost"}},
        "people": {"laowang": {"nickname": "老王"}},
        "current_person": "laowang"
    }"#;
    std::fs::write(&file, seed).unwrap();
    let (_child, address) = listening(&["--seed", file.to_str().unwrap()]).await;
    assert!(get(&address, "/sim/people").await.contains("老王"));
    assert!(get(&address, "/sim/current-person").await.contains("laowang"));
}

#[tokio::test]
async fn it_says_which_seed_it_cannot_read() {
    let output = wechat_sim(&["--seed", "nowhere.json"]).output().await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere.json"));
}
