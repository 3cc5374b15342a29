//! One Envoy, from its configuration to its end.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{self, Answer};

/// V8 compiles the module first; on a busy machine that takes a while.
const STARTUP: Duration = Duration::from_secs(60);

/// A running Envoy; it ends when this is dropped.
#[derive(Debug)]
pub struct Envoy {
    /// Its listener.
    pub address: SocketAddr,
    /// Its admin interface.
    pub admin: SocketAddr,
    process: Child,
    log: PathBuf,
}

/// A tool that `cargo xtask test` brings, by the variable that names it.
///
/// # Panics
/// Where it is not there: a test that cannot run has failed.
pub fn tool(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    match path {
        Some(path) if path.exists() => path,
        Some(path) => panic!("{variable} is {}, which does not exist; run `cargo xtask test`", path.display()),
        None => panic!("{variable} is not set; run `cargo xtask test`, which builds and finds what the tests need"),
    }
}

impl Envoy {
    /// Starts with this configuration and environment; files go to `directory`, named `name.…`.
    pub(crate) async fn start(
        directory: &Path,
        name: &str,
        config: &Value,
        concurrency: u32,
        env: &[(String, String)],
        address: SocketAddr,
    ) -> Result<Self, String> {
        let file = |kind: &str| directory.join(format!("{name}.{kind}"));
        let (config_path, log, admin_path) = (file("json"), file("log"), file("admin"));
        let _ = std::fs::remove_file(&admin_path);
        std::fs::write(&config_path, format!("{config:#}")).expect("write Envoy's configuration");
        let log_file = File::options().create(true).append(true).open(&log).expect("open Envoy's log");
        let process = Command::new(tool("WXGATE_ENVOY"))
            // Written at once, so that whoever looks for secrets in the access log sees all of it.
            .args(["--file-flush-interval-msec", "10", "--file-flush-min-size-kb", "0"])
            .args(["--disable-hot-restart", "--log-level", "info", "--concurrency", &concurrency.to_string()])
            .args(["--admin-address-path".as_ref(), admin_path.as_os_str(), "-c".as_ref(), config_path.as_os_str()])
            .env_clear()
            .envs(env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log_file.try_clone().expect("a second handle on the log"))
            .stderr(log_file)
            .spawn()
            .expect("start Envoy");
        let mut envoy = Self { address, admin: SocketAddr::from(([127, 0, 0, 1], 0)), process, log };
        envoy.wait(&admin_path).await?;
        Ok(envoy)
    }

    async fn wait(&mut self, admin_path: &Path) -> Result<(), String> {
        let deadline = Instant::now() + STARTUP;
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("Envoy ended with {status} while starting:\n{}", self.log_tail(40)));
            }
            if Instant::now() > deadline {
                return Err(format!("Envoy was not ready after {STARTUP:?}:\n{}", self.log_tail(40)));
            }
            if let Some(admin) = std::fs::read_to_string(admin_path).ok().and_then(|text| text.trim().parse().ok()) {
                self.admin = admin;
                let ready = http::try_exchange(admin, "GET", "/ready", &[("host".into(), b"admin".to_vec())], b"").await;
                if ready.is_some_and(|answer| answer.status == 200) {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the admin interface.
    pub async fn ask(&self, method: &str, path: &str) -> Answer {
        http::exchange(self.admin, method, path, &[("host".into(), b"admin".to_vec())], b"").await
    }

    /// Counters and gauges whose names match this regular expression.
    pub async fn stats(&self, filter: &str) -> BTreeMap<String, u64> {
        let answer = self.ask("GET", &format!("/stats?filter={filter}")).await;
        let line = |line: &str| line.rsplit_once(": ").and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        answer.text().lines().filter_map(line).collect()
    }

    /// All that it and the filter have logged, with the access log.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The end of the log.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<_> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it at once, as a power failure would.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        self.kill();
    }
}
