//! envoy/compose.yaml as somebody runs it who has cloned the repository: built, started, logged in through, and taken away.
//!
//! Nothing of it is changed or overridden. Only what the file leaves to its surroundings is given: secrets made by
//! envoy/compose-env.sh, free ports, and the quicker compiler profile. Base images that are not there are made by
//! base-images.sh, so that no registry is needed; the three programs are compiled inside, by the shipped Dockerfile.
//!
//! `cargo xtask test` brings what it needs: a Docker engine, Compose (`WXGATE_COMPOSE`), the filter (`WXGATE_WASM`) and
//! Envoy (`WXGATE_ENVOY`). Without one of them the test fails.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong ends; clippy does not see that its helpers are one"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wxgate_tests::http::{self, Answer};
use wxgate_tests::render::in_repository;
use wxgate_tests::{eventually, tool};

/// Containers start within seconds; a busy machine may need many.
const PATIENCE: Duration = Duration::from_secs(120);
/// What compose-envoy.yaml calls the gate, and what the simulator is to browsers. The ports of this run differ.
const GATE: &str = "http://localhost:8080";
const WECHAT: &str = "http://127.0.0.1:9400";

/// The stack; it is gone when this is dropped.
struct Compose {
    program: Vec<String>,
    project: String,
    secrets: PathBuf,
    gate: SocketAddr,
    wechat: SocketAddr,
}

impl Compose {
    /// What a run of its own needs: a name, secrets, ports.
    fn prepare() -> Self {
        let program = std::env::var("WXGATE_COMPOSE").expect("WXGATE_COMPOSE says how Compose is called; `cargo xtask test` sets it");
        let project = format!("wxgate-test-{}", std::process::id());
        let work = tempfile::tempdir().unwrap().keep();
        let secrets = work.join("secrets");
        say_time("secrets", || succeed(Command::new(in_repository("envoy/compose-env.sh")).arg(&secrets)));
        say_time("base images", || succeed(Command::new(in_repository("tests/compose/base-images.sh")).arg(tool("WXGATE_ENVOY"))));
        let program = program.split_whitespace().map(str::to_owned).collect();
        Self { program, project, secrets, gate: free_address(), wechat: free_address() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (program, first) = self.program.split_first().expect("the name of a program");
        let mut command = Command::new(program);
        command.args(first).args(["--project-name", &self.project, "--env-file"]).arg(&self.secrets);
        command.arg("--file").arg(in_repository("envoy/compose.yaml")).args(arguments);
        command.env("WXGATE_WASM", tool("WXGATE_WASM")).env("WXGATE_PROFILE", "dev");
        command.env("WXGATE_GATE_PORT", self.gate.port().to_string());
        command.env("WXGATE_WECHAT_PORT", self.wechat.port().to_string());
        command
    }

    /// One line for each container: its service, its state of health, its published ports.
    fn containers(&self) -> Vec<(String, bool, bool)> {
        let mut list = Command::new("docker");
        list.args(["ps", "--all", "--filter", &format!("label=com.docker.compose.project={}", self.project)]);
        list.args(["--format", "{{.Label \"com.docker.compose.service\"}}|{{.Status}}|{{.Ports}}"]);
        let listed = succeed(&mut list);
        let mut containers: Vec<_> = listed
            .lines()
            .map(|line| {
                let mut fields = line.split('|');
                let mut next = || fields.next().unwrap_or_default();
                (next().to_owned(), next().contains("(healthy)"), next().contains("->"))
            })
            .collect();
        containers.sort();
        containers
    }

    async fn healthy(&self) {
        eventually(PATIENCE, "all containers are healthy", async || self.containers().iter().all(|(_, healthy, _)| *healthy).then_some(()))
            .await;
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for arguments in [&["ps"][..], &["logs", "--no-color", "--tail", "60"]] {
                let _ = self.command(arguments).status();
            }
        }
        // Images stay: the next run has less to do.
        let _ = self.command(&["down", "--volumes", "--remove-orphans", "--timeout", "5"]).status();
        if let Some(work) = self.secrets.parent() {
            let _ = std::fs::remove_dir_all(work);
        }
    }
}

/// A browser that has the gate at the address that compose-envoy.yaml gives it.
struct Browser<'a> {
    stack: &'a Compose,
    cookies: Vec<(String, String)>,
}

impl Browser<'_> {
    async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut all =
            vec![("host", "localhost:8080"), ("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        all.extend(headers);
        let all: Vec<_> = all.into_iter().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
        let answer = http::exchange(self.stack.gate, "GET", path, &all, b"").await;
        for cookie in answer.all("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect(cookie);
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// Follows a redirect to the gate itself.
    async fn follow(&mut self, location: &str) -> Answer {
        let path = location.strip_prefix(GATE).unwrap_or(location);
        assert!(path.starts_with('/'), "not an address of the gate: {location}");
        self.get(path, &[]).await
    }

    /// Scans as this person; gives the answer to WeChat's callback.
    async fn arrive_from_wechat(&mut self, person: &str) -> Answer {
        let start = self.get("/wxgate/start/pc?return_to=/account", &[]).await;
        let url = start.assert_status(303).location().to_owned();
        assert!(url.starts_with(&format!("{WECHAT}/connect/qrconnect?")), "{url}");

        let scan = json!({"url": url, "person": person, "allow": true}).to_string();
        let headers = [("host".to_owned(), b"127.0.0.1:9400".to_vec())];
        let scanned = http::exchange(self.stack.wechat, "POST", "/sim/authorize", &headers, scan.as_bytes()).await;
        let redirect = scanned.assert_status(200).json()["redirect_to"].as_str().expect("allowed").to_owned();

        self.follow(&redirect).await
    }

    /// Logs in as this person, who then sees their account; gives what the application knows of them.
    async fn log_in(&mut self, person: &str) -> Value {
        let callback = self.arrive_from_wechat(person).await;
        let account = callback.assert_status(303).location().to_owned();
        let page = self.follow(&account).await;
        assert!(page.assert_status(200).text().contains("Every claim below was verified"), "{page}");
        self.get("/api/me", &[]).await.assert_status(200).json()
    }
}

#[tokio::test]
async fn the_stack_comes_up_and_a_person_logs_in() {
    let stack = Compose::prepare();
    say_time("build", || succeed(&mut stack.command(&["build"])));
    say_time("up", || succeed(&mut stack.command(&["up", "--detach"])));
    stack.healthy().await;

    // Whoever could reach the application or the accounts directly would need no gate.
    let published: Vec<_> = stack.containers().into_iter().map(|(service, _, published)| (service, published)).collect();
    let expected = [("demo-app", false), ("envoy", true), ("resolver", false), ("wechat-sim", true)];
    assert_eq!(published, expected.map(|(service, published)| (service.to_owned(), published)));

    let mut browser = Browser { stack: &stack, cookies: vec![] };
    let home = browser.get("/", &[]).await;
    assert!(home.assert_status(200).text().contains("Hello, stranger"), "{home}");
    let forged = [("x-wxgate-identity", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0."), ("x-user-id", "root")];
    let turned_away = browser.get("/account", &forged).await;
    assert!(turned_away.assert_status(303).location().starts_with(&format!("{GATE}/wxgate/login")), "{turned_away}");

    let me = browser.log_in("xiaoming").await;
    assert_eq!((&me["name"], &me["claims"]["aud"], &me["claims"]["iss"]), (&json!("小明"), &json!("demo"), &json!(GATE)));
    assert_eq!((&me["claims"]["connector"], &me["user_id"]), (&json!("pc"), &me["claims"]["sub"]));
    // With a session too, what reaches the application is what the gate says.
    let mine = browser.get("/api/me", &forged).await.assert_status(200).json();
    assert_eq!(mine["user_id"], me["user_id"]);

    // Sessions live in cookies and accounts in a volume: neither minds a restart.
    succeed(&mut stack.command(&["restart", "--timeout", "5", "envoy", "resolver"]));
    stack.healthy().await;
    assert_eq!(browser.get("/api/me", &[]).await.assert_status(200).json()["user_id"], me["user_id"]);
    let mut elsewhere = Browser { stack: &stack, cookies: vec![] };
    assert_eq!(elsewhere.log_in("xiaoming").await["user_id"], me["user_id"]);
    assert_ne!(Browser { stack: &stack, cookies: vec![] }.log_in("xiaohong").await["user_id"], me["user_id"]);

    // The operator's way in is the container itself.
    let policy = ["exec", "-T", "resolver", "admin", "PUT", "/v1/admin/policies/default/pc", r#"{"registration": "closed"}"#];
    let set: Value = serde_json::from_str(&succeed(&mut stack.command(&policy))).unwrap();
    assert_eq!(set["policy"]["registration"], "closed");
    let mut stranger = Browser { stack: &stack, cookies: vec![] };
    let refused = stranger.arrive_from_wechat("kuaizhao").await;
    assert!(refused.assert_status(403).text().contains("<code>registration_closed</code>"), "{refused}");
}

/// Its standard output; where it fails, the test does, with everything that it said.
fn succeed(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{shown}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{shown}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn say_time(what: &str, work: impl FnOnce() -> String) {
    let started = Instant::now();
    work();
    println!("{what}: {:.0?}", started.elapsed());
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
