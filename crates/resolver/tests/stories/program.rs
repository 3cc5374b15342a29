//! The program as an operator meets it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use wxgate_resolver::config::TOKENS_VARIABLE;

use crate::support::TOKEN;

fn program(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate-resolver"));
    command.env_clear().env("WXGATE_RESOLVER_LISTEN", "127.0.0.1:0").arg("--database").arg(format!("sqlite:{}", database.display()));
    command
}

fn fails(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!((status.code(), stdout.as_slice()), (Some(1), &b""[..]));
    String::from_utf8(stderr).unwrap()
}

/// A program that runs on a database of its own, and is ended with the story.
pub(crate) struct Running {
    child: Child,
    pub(crate) origin: String,
    dir: TempDir,
}

impl Running {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = program(&dir.path().join("wxgate.db"));
        command.env(TOKENS_VARIABLE, TOKEN).args(flags);
        // A file never keeps the program waiting for a reader.
        command.stdout(Stdio::piped()).stderr(File::create(dir.path().join("log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let origin = line.trim_end().strip_prefix("listening on ").expect(&line).to_owned();
        Self { child, origin, dir }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("wxgate.db")
    }

    /// Asks the program to stop, and tells what it logged.
    pub(crate) fn stop(mut self, signal: &str) -> (ExitStatus, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        (status, std::fs::read_to_string(self.dir.path().join("log")).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the story went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn it_says_where_it_listens_answers_and_stops_when_told() {
    for signal in ["TERM", "INT"] {
        let running = Running::start(&[]);
        assert!(running.origin.starts_with("http://127.0.0.1:"));
        let api: Value = reqwest::get(format!("{}/openapi.json", running.origin)).await.unwrap().json().await.unwrap();
        assert_eq!(api["openapi"], "3.1.0");
        let (status, log) = running.stop(signal);
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("INFO") && log.contains("shutting down"), "{log}");
    }
}

#[test]
fn it_does_not_start_without_a_good_token() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("wxgate.db");
    assert!(fails(&mut program(&database)).contains("there is no token"));
    for (tokens, expected) in [
        ("", "there is no token"),
        ("SHORT-CANARY", "token 1 is shorter"),
        ("changeme-CANARY-0123456789-0123456789", "token 1 looks like an example"),
    ] {
        let message = fails(program(&database).env(TOKENS_VARIABLE, tokens));
        assert!(message.contains(expected) && !message.contains("CANARY"), "{message}");
    }
    assert!(!database.exists());
}

#[test]
fn it_says_what_is_wrong_with_the_database_or_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing/wxgate.db");
    let message = fails(program(&missing).env(TOKENS_VARIABLE, TOKEN));
    assert!(message.contains("missing/wxgate.db cannot be opened"), "{message}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = program(&dir.path().join("wxgate.db"));
    let message = fails(command.env(TOKENS_VARIABLE, TOKEN).args(["--listen", &address]));
    assert!(message.contains(&format!("cannot listen on {address}")), "{message}");
}
