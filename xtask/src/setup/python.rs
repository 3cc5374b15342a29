//! Python with virtual environments, for the tests in which libraries of another language check our work.

use anyhow::Result;

use super::apt;
use crate::command::{command, succeeds};

/// Debian keeps what `python3 -m venv` needs in a package of its own.
pub(crate) fn find() -> Result<&'static str> {
    if !succeeds(command("python3").args(["-c", "import ensurepip, venv"])) {
        apt::install(&["python3", "python3-venv"], "virtual environments of Python")?;
    }
    Ok("python3 with venv")
}
