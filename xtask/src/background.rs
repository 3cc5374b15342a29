//! Programs that run beside a task, and directories that are gone after it. However the task ends, by itself, by a failure or by
//! Ctrl-C, none of them stays.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::command::command;

#[derive(Default)]
struct Background {
    programs: Vec<Child>,
    directories: Vec<PathBuf>,
}

static BACKGROUND: Mutex<Background> = Mutex::new(Background { programs: Vec::new(), directories: Vec::new() });

/// How long a program may take to stop when asked.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Ends what runs in the background when this program is told to stop; then ends it.
pub(crate) fn stop_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        stop();
        // As a shell tells of SIGINT.
        std::process::exit(130);
    })
    .context("cannot listen for Ctrl-C")
}

/// Starts a program that writes to a file of its own.
pub(crate) fn start(program: &mut Command, log: &Path) -> Result<u32> {
    let out = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    program.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let mut background = background();
    let child = program.spawn().with_context(|| format!("cannot run {}", program.get_program().display()))?;
    let id = child.id();
    background.programs.push(child);
    Ok(id)
}

/// Whether the program with this id has ended by itself.
pub(crate) fn has_ended(id: u32) -> bool {
    let mut background = background();
    let program = background.programs.iter_mut().find(|child| child.id() == id);
    program.is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
}

/// Removes the directory at the end, with all that is in it.
pub(crate) fn remove_at_end(directory: &Path) {
    background().directories.push(directory.to_owned());
}

/// Stops one program.
pub(crate) fn stop_one(id: u32) {
    let mut background = background();
    if let Some(index) = background.programs.iter().position(|child| child.id() == id) {
        stop_child(background.programs.remove(index));
    }
}

/// Stops every program, the last one first, and removes the directories.
pub(crate) fn stop() {
    // Held to the end: on a signal to all of us, the task fails while the handler is at this, and has to wait for it.
    let mut background = background();
    background.programs.drain(..).rev().for_each(stop_child);
    for directory in background.directories.drain(..) {
        let _ = fs::remove_dir_all(directory);
    }
}

fn stop_child(mut child: Child) {
    let asked = command("sh").args(["-c", "kill -TERM \"$1\"", "sh", &child.id().to_string()]).stderr(Stdio::null()).status();
    let end = Instant::now() + if asked.is_ok() { STOP_LIMIT } else { Duration::ZERO };
    while Instant::now() < end && child.try_wait().is_ok_and(|status| status.is_none()) {
        thread::sleep(Duration::from_millis(20));
    }
    // It may have ended already, and then there is nothing to do.
    let _ = child.kill();
    let _ = child.wait();
}

fn background() -> MutexGuard<'static, Background> {
    BACKGROUND.lock().unwrap_or_else(PoisonError::into_inner)
}
