//! Binaryen's `wasm-opt`.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::apt;
use crate::command::on_path;

/// Finds it on PATH, or installs Debian's.
pub(crate) fn find() -> Result<PathBuf> {
    if let Some(program) = on_path("wasm-opt") {
        return Ok(program);
    }
    apt::install(&["binaryen"], "wasm-opt")?;
    on_path("wasm-opt").context("Debian's binaryen was installed, but there is no wasm-opt on PATH")
}
