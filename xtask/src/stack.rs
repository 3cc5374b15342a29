//! Programs that run together, each with a log of its own.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    background,
    command::{command, target},
    keys::Keys,
};

const START_LIMIT: Duration = Duration::from_secs(60);
/// How much of each log is worth reading after a failure.
const SHOWN_LINES: usize = 20;

/// What has been started for one task.
pub(crate) struct Stack {
    /// Everything that it writes: logs, data, configurations.
    pub(crate) directory: PathBuf,
    programs: Vec<Program>,
}

struct Program {
    id: u32,
    log: PathBuf,
}

impl Stack {
    /// An empty one, in an empty directory below target/: accounts of an earlier run would change the story.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let directory = target().join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("cannot clear {}", directory.display()))?;
        }
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, programs: Vec::new() })
    }

    /// The simulator, with its demo apps and people; the apps are those of what is behind this gate.
    pub(crate) fn start_wechat(&mut self, gate: &str) -> Result<u16> {
        self.start_ours("wechat-sim", &["--demo", "--allow-loopback-port", "--demo-gateway", gate], &[])
    }

    /// A resolver without any accounts, which prints codes.
    pub(crate) fn start_resolver(&mut self, keys: &Keys) -> Result<u16> {
        let database = format!("sqlite:{}", self.directory.join("wxgate.db").display());
        let operator = format!("operator:{}", keys.admin_token);
        let tokens = [("WXGATE_RESOLVER_TOKENS", keys.resolver_token.as_str()), ("WXGATE_RESOLVER_ADMIN_TOKENS", &operator)];
        self.start_ours("wxgate-resolver", &["--database", &database, "--print-codes"], &tokens)
    }

    /// One of our programs, on a port of its own choice; tells which.
    pub(crate) fn start_ours(&mut self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<u16> {
        let mut program = command(target().join("debug").join(name));
        program.args(arguments).envs(environment.iter().copied());
        self.start_listening(name, &mut program).map(|(_, port)| port)
    }

    /// One of our programs, however it was built; tells its id and its port.
    pub(crate) fn start_listening(&mut self, name: &str, program: &mut Command) -> Result<(u32, u16)> {
        let id = self.start_program(name, program.args(["--listen", "127.0.0.1:0"]))?;
        let log = self.log(name);
        let port = self.wait_for(name, || {
            let said = fs::read_to_string(&log).ok()?;
            let (_, after) = said.split_once("listening on http://127.0.0.1:")?;
            after.split_once('\n')?.0.parse().ok()
        })?;
        Ok((id, port))
    }

    /// Any program; tells its id.
    pub(crate) fn start_program(&mut self, name: &str, program: &mut Command) -> Result<u32> {
        let log = self.log(name);
        let id = background::start(program, &log)?;
        self.programs.push(Program { id, log });
        Ok(id)
    }

    /// Stops one of the programs.
    pub(crate) fn stop(&mut self, id: u32) {
        self.programs.retain(|program| program.id != id);
        background::stop_one(id);
    }

    /// Waits until something is there; shows the logs if it never is.
    pub(crate) fn wait_for<T>(&self, what: &str, is_there: impl Fn() -> Option<T>) -> Result<T> {
        let end = Instant::now() + START_LIMIT;
        loop {
            if let Some(found) = is_there() {
                return Ok(found);
            }
            if Instant::now() > end || self.has_lost_one() {
                self.show_logs();
                bail!("{what} does not start");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether any of the programs has ended by itself.
    pub(crate) fn has_lost_one(&self) -> bool {
        self.programs.iter().any(|program| background::has_ended(program.id))
    }

    /// Prints the end of every log.
    pub(crate) fn show_logs(&self) {
        for program in &self.programs {
            let said = fs::read_to_string(&program.log).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            println!("\n-- the end of {}", program.log.display());
            println!("{}", lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default().join("\n"));
        }
    }

    /// Where a program writes to.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
