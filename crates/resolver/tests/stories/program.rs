//! The program as an operator meets it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use resolver_api::{LoginOutcome, LoginRequest};
use serde_json::Value;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tempfile::TempDir;
use tokio::task::JoinSet;
use wxgate_resolver::config::TOKENS_VARIABLE;

use crate::sqlite::another;
use crate::support::{TOKEN, With, fresh_key, pc, postgres_database, signed_in, told_again};

fn program(database: &Path) -> Command {
    program_on(&format!("sqlite:{}", database.display()))
}

pub(crate) fn program_on(database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate-resolver"));
    command.env_clear().env("WXGATE_RESOLVER_LISTEN", "127.0.0.1:0").args(["--database", database]);
    command
}

pub(crate) fn fails(command: &mut Command) -> String {
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
        Self::start_in(&[], flags)
    }

    /// With these variables in its environment, too.
    pub(crate) fn start_in(environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_with(program(&dir.path().join("wxgate.db")).envs(environment.iter().copied()).args(flags), dir)
    }

    pub(crate) fn start_with(command: &mut Command, dir: TempDir) -> Self {
        command.env(TOKENS_VARIABLE, TOKEN);
        // A file never keeps the program waiting for a reader.
        command.stdout(Stdio::piped()).stderr(File::create(dir.path().join("log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let origin = line.trim_end().strip_prefix("listening on ").expect(&line).to_owned();
        Self { child, origin, dir }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        // Byte by byte, so that nothing is read ahead and lost.
        BufReader::with_capacity(1, self.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("wxgate.db")
    }

    /// Ends the program as a power cut would, and leaves its directory.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap())
    }

    /// Asks the program to stop, and tells what it logged.
    pub(crate) fn stop(self, signal: &str) -> (ExitStatus, String) {
        let (status, dir) = self.stop_and_keep(signal);
        (status, std::fs::read_to_string(dir.path().join("log")).unwrap())
    }

    /// Asks the program to stop, and leaves its directory.
    fn stop_and_keep(mut self, signal: &str) -> (ExitStatus, TempDir) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        (status, std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap()))
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

/// Nothing that was acknowledged is lost and nobody is there by halves, whenever the program is killed: it is killed again and again amid
/// logins, and what it said before has to hold afterwards.
async fn it_keeps_its_word_when_it_is_killed(url: impl Fn(&Path) -> String, halves: impl AsyncFn(&Path) -> i64) {
    const ROUNDS: u64 = 5;
    let client = reqwest::Client::new();
    let mut dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(LoginRequest, LoginOutcome)> = Vec::new();
    for round in 0..ROUNDS {
        let database = url(dir.path());
        let running = Running::start_with(&mut program_on(&database), dir);
        let mut logins = JoinSet::new();
        for person in 0..24 {
            // Each second one comes for the first time.
            let person = if person % 2 == 0 { format!("{round}-{person}") } else { format!("0-{}", person - 1) };
            let request = pc(&format!("o-{person}")).unionid(&format!("u-{person}"));
            logins.spawn(log_in_at(client.clone(), running.origin.clone(), request));
        }
        // The first answer may be any of them, and so may be what is under way after the last that is waited for.
        for _ in 0..=round * 4 {
            acknowledged.extend(logins.join_next().await.unwrap().unwrap());
        }
        dir = running.kill();
        while let Some(login) = logins.join_next().await {
            acknowledged.extend(login.unwrap());
        }
    }
    assert!(acknowledged.len() as u64 >= ROUNDS, "{}", acknowledged.len());

    let running = Running::start_with(&mut program_on(&url(dir.path())), dir);
    assert_eq!(halves(running.dir.path()).await, 0, "users without both identities, or that are not in the log");
    for (request, outcome) in acknowledged {
        let (_, replay) = log_in_at(client.clone(), running.origin.clone(), request.clone()).await.unwrap();
        assert_eq!(replay, told_again(outcome.clone()), "the key still tells it");
        let again = LoginRequest { idempotency_key: fresh_key(), ..request };
        let (user, (_, again)) = (signed_in(outcome).user, log_in_at(client.clone(), running.origin.clone(), again).await.unwrap());
        assert_eq!(signed_in(again).user, user);
    }
}

/// The login and its outcome, if it was acknowledged.
pub(crate) async fn log_in_at(client: reqwest::Client, origin: String, request: LoginRequest) -> Option<(LoginRequest, LoginOutcome)> {
    let answer = client.post(format!("{origin}/v1/logins")).bearer_auth(TOKEN).json(&request).send().await.ok()?;
    (answer.status() == 200).then_some(())?;
    Some((request, answer.json().await.ok()?))
}

const HALVES: &str = "SELECT COUNT(*) FROM users
    WHERE (SELECT COUNT(*) FROM identities WHERE identities.user_id = users.id) <> 2
       OR (SELECT COUNT(*) FROM audit WHERE audit.user_id = users.id AND action = 'registered') <> 1";

#[tokio::test]
async fn on_sqlite_it_keeps_its_word_when_it_is_killed() {
    let file = |dir: &Path| dir.join("wxgate.db");
    let halves = async |dir: &Path| sqlx::query_scalar(HALVES).fetch_one(&mut another(&file(dir)).await).await.unwrap();
    it_keeps_its_word_when_it_is_killed(|dir| format!("sqlite:{}", file(dir).display()), halves).await;
}

#[tokio::test]
async fn on_postgres_it_keeps_its_word_when_it_is_killed() {
    let options = postgres_database("UTF8").await;
    let halves = async |_: &Path| {
        let mut server = PgConnection::connect_with(&options).await.unwrap();
        sqlx::query_scalar(HALVES).fetch_one(&mut server).await.unwrap()
    };
    it_keeps_its_word_when_it_is_killed(|_| url_of(&options), halves).await;
}

pub(crate) fn url_of(options: &PgConnectOptions) -> String {
    let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
    format!("postgres://{user}@{host}:{port}/{}", options.get_database().unwrap().replace(' ', "%20"))
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

/// REL-16. Root may write everywhere, so it gives that power away first: as it is for any other user.
#[tokio::test]
async fn it_says_so_when_it_may_not_write_its_database_and_loses_nothing() {
    let running = Running::start(&[]);
    let request = pc("o-1").unionid("u-1");
    let (_, outcome) = log_in_at(reqwest::Client::new(), running.origin.clone(), request.clone()).await.unwrap();
    let (_, dir) = running.stop_and_keep("TERM");
    let file = dir.path().join("wxgate.db");
    let may_write = |path: &Path, may: bool| {
        let mut permissions = std::fs::metadata(path).unwrap().permissions();
        permissions.set_mode(if may { 0o700 } else { 0o500 });
        std::fs::set_permissions(path, permissions).unwrap();
    };
    for read_only in [file.as_path(), dir.path()] {
        may_write(read_only, false);
        let message = fails(without_powers(&mut program(&file)).env(TOKENS_VARIABLE, TOKEN));
        may_write(read_only, true);
        assert!(message.contains("wxgate.db cannot be opened"), "{message}");
        assert!(message.contains("expected a file that this user may write, in a directory that exists and is writable"), "{message}");
    }
    let running = Running::start_with(without_powers(&mut program(&file)), dir);
    let (_, again) = log_in_at(reqwest::Client::new(), running.origin.clone(), request).await.unwrap();
    assert_eq!(again, told_again(outcome));
}

/// The same command, without root's power to write where permissions forbid it.
fn without_powers(command: &mut Command) -> &mut Command {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if is_root {
        let mut other = Command::new("setpriv");
        other.args(["--bounding-set=-dac_override,-dac_read_search", "--"]).arg(command.get_program()).args(command.get_args());
        other.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        other.env("PATH", std::env::var_os("PATH").unwrap());
        *command = other;
    }
    command
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
