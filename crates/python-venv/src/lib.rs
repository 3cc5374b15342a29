//! A Python of a test's own: a virtual environment with what a requirements file names. Tests hold what this repository speaks
//! against libraries in it that we did not write.
//!
//! Needs `python3` with `venv`; without it a test fails rather than passes unseen.

#![allow(clippy::panic, reason = "a test fails by panicking, and so do its tools")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// The interpreter of the environment at `place`, made by whichever test needs it first, and again when the requirements change.
pub fn python(requirements: &Path, place: &Path) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = fs::read_to_string(requirements).unwrap_or_else(|error| panic!("{}: {error}", requirements.display()));
    let mark = place.join("requirements-installed.txt");
    if !fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(place));
        output(Command::new(place.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(requirements));
        fs::write(&mark, wanted).unwrap_or_else(|error| panic!("{}: {error}", mark.display()));
    }
    place.join("bin/python")
}

/// What the command says; fails where it fails, with its own words.
pub fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("python3 with venv is needed (Debian: python3-venv): {error}"));
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    output
}
