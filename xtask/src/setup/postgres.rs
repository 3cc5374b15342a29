//! A PostgreSQL of a task's own, thrown away afterwards.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::apt;
use crate::{
    background,
    command::{command, output, run, succeeds},
};

/// Debian keeps the server's programs off PATH, one directory for each major version.
const VERSIONS: &str = "/usr/lib/postgresql";
const START_LIMIT: Duration = Duration::from_secs(60);

/// A server that runs as long as this task.
pub(crate) struct Postgres {
    /// Its process; each connection is a child of it.
    pub(crate) id: u32,
    /// On 127.0.0.1.
    pub(crate) port: u16,
    programs: PathBuf,
}

/// What a commit waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The disk, as anywhere else.
    Full,
    /// Nothing: no data has to outlive a power cut.
    None,
}

impl Postgres {
    /// Where a superuser reaches a database of this name, without a password.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://wxgate@127.0.0.1:{}/{database}", self.port)
    }

    /// Debian's client, connected to that database, which ends at the first error.
    pub(crate) fn psql(&self, database: &str) -> Result<Command> {
        let mut psql = program(&self.programs, "psql")?;
        psql.args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", &self.url(database)]);
        Ok(psql)
    }
}

/// Starts a server on a free port. Installs PostgreSQL if it is missing.
pub(crate) fn start(durability: Durability) -> Result<Postgres> {
    let programs = match programs() {
        Some(programs) => programs,
        None => {
            apt::install(&["postgresql"], "PostgreSQL")?;
            programs().context("Debian's postgresql was installed, but its programs are not where they should be")?
        }
    };
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    // Not below target/: the server's own user has to reach it.
    let directory = std::env::temp_dir().join(format!("wxgate-postgres-{}", std::process::id()));
    fs::create_dir(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    background::remove_at_end(&directory);
    if apt::is_root()? {
        run(command("chown").arg("postgres").arg(&directory))?;
    }
    let data = directory.join("data");
    output(program(&programs, "initdb")?.args(["--username=wxgate", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data))?;
    let mut server = program(&programs, "postgres")?;
    server.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-k"]).arg(&directory).arg("-D").arg(&data);
    if durability == Durability::None {
        server.args(["-c", "fsync=off"]);
    }
    let log = directory.join("log");
    let id = background::start(&mut server, &log)?;

    let end = Instant::now() + START_LIMIT;
    while !succeeds(program(&programs, "pg_isready")?.args(["-h", "127.0.0.1", "-p", &port.to_string()])) {
        if background::has_ended(id) || Instant::now() > end {
            bail!("PostgreSQL does not start: {}", fs::read_to_string(&log).unwrap_or_default());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Postgres { id, port, programs })
}

/// The programs of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = Path::new(VERSIONS).read_dir().ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|bin| bin.join("initdb").is_file()).max()
}

/// One of the programs. None of them agrees to run as root, so they run as the user that Debian made for them.
fn program(programs: &Path, name: &str) -> Result<Command> {
    let mut program = command(programs.join(name));
    if apt::is_root()? {
        let number = |of: &str| -> Result<u32> { Ok(output(command("id").args([of, "postgres"]))?.parse()?) };
        program.uid(number("-u")?).gid(number("-g")?);
    }
    // That user may not be allowed to look into this repository.
    program.current_dir("/");
    Ok(program)
}
