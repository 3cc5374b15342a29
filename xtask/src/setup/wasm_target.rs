//! The standard library for wasm32-wasip1: the toolchain's own, or one that is built from Debian's sources.

use std::{fmt, fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail};

use super::{apt, debian_source::DebianSource, tools};
use crate::command::{command, on_path, output, succeeds_within};

/// The target's name.
pub(crate) const TRIPLE: &str = "wasm32-wasip1";

/// A rustup that reaches nothing would try for minutes.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// Where the filter's standard library comes from.
pub(crate) enum WasmTarget {
    /// The toolchain has the target; `added` says whether rustup fetched it just now.
    Toolchain { added: bool },
    /// Built from Debian's sources, since rustup cannot fetch it.
    DebianSource(DebianSource),
}

/// Finds the target, or gets it.
pub(crate) fn find() -> Result<WasmTarget> {
    if is_in_toolchain()? {
        return Ok(WasmTarget::Toolchain { added: false });
    }
    // Remembered, so that a machine whose rustup reaches nothing does not try again on every build.
    let rustup_cannot = tools()?.join("rustup-cannot-add-wasm32-wasip1");
    if !rustup_cannot.exists() {
        let rustup = on_path("rustup").context("wasm32-wasip1: neither the toolchain has it nor is there a rustup to add it");
        match rustup {
            Ok(_) => {
                let mut add = command("rustup");
                add.args(["target", "add", TRIPLE]).env("RUSTUP_MAX_RETRIES", "1");
                if succeeds_within(&mut add, RUSTUP_LIMIT)? && is_in_toolchain()? {
                    return Ok(WasmTarget::Toolchain { added: true });
                }
                println!("rustup cannot add {TRIPLE} here; building its standard library from Debian's sources instead");
            }
            Err(error) if apt::is_here() => println!("{error}; building it from Debian's sources instead"),
            Err(error) => bail!("{error}"),
        }
    }
    let source = DebianSource::install()?;
    fs::write(&rustup_cannot, "").with_context(|| format!("cannot write {}", rustup_cannot.display()))?;
    Ok(WasmTarget::DebianSource(source))
}

fn is_in_toolchain() -> Result<bool> {
    let libraries = output(command("rustc").args(["--print", "target-libdir", "--target", TRIPLE]))?;
    Ok(Path::new(&libraries).read_dir().is_ok_and(|mut files| files.next().is_some()))
}

impl fmt::Display for WasmTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Toolchain { added: false } => f.write_str("the Rust toolchain has it"),
            Self::Toolchain { added: true } => f.write_str("added by rustup"),
            Self::DebianSource(source) => source.fmt(f),
        }
    }
}
