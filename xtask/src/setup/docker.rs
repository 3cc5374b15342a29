//! A Docker engine that runs, and Compose.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::apt;
use crate::command::{command, on_path, run, succeeds};

const START_LIMIT: Duration = Duration::from_secs(60);

/// Makes sure that there is a running engine; tells how Compose is called here: `docker compose` or `docker-compose`.
pub(crate) fn find() -> Result<&'static str> {
    if on_path("docker").is_none() {
        apt::install(&["docker.io"], "the Compose tests")?;
    }
    start()?;
    if !has_compose_plugin() && on_path("docker-compose").is_none() {
        apt::install(&["docker-compose"], "the Compose tests")?;
    }
    Ok(if has_compose_plugin() { "docker compose" } else { "docker-compose" })
}

fn has_compose_plugin() -> bool {
    succeeds(command("docker").args(["compose", "version"]))
}

fn start() -> Result<()> {
    let is_running = || succeeds(command("docker").arg("info"));
    if is_running() {
        return Ok(());
    }
    if on_path("dockerd").is_none() {
        apt::install(&["docker.io"], "the Docker engine")?;
    }
    // An init system may just be starting it. Where there is none, as in most containers, the daemon is started by hand; it
    // stays, as it would with an init system.
    if !is_running() && run(command("service").args(["docker", "start"])).is_err() {
        println!("$ dockerd &");
        command("dockerd").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    }
    let end = Instant::now() + START_LIMIT;
    while !is_running() {
        if Instant::now() > end {
            bail!("the Docker engine does not run: please start it, and let this user use it");
        }
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}
