//! Gets what the other tasks need, each thing by the first way that works here. What this project fetches goes under
//! `target/tools`; removing that directory makes the next run choose again.

pub(crate) mod apt;
pub(crate) mod browser;
mod debian_source;
pub(crate) mod docker;
pub(crate) mod envoy;
pub(crate) mod postgres;
pub(crate) mod python;
pub(crate) mod wasm_opt;
pub(crate) mod wasm_target;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::command::target;

/// The task `setup`.
pub(crate) fn run() -> Result<()> {
    println!("wasm32-wasip1: {}", wasm_target::find()?);
    println!("wasm-opt: {}", wasm_opt::find()?.display());
    println!("envoy: {}", envoy::find()?);
    Ok(())
}

/// The directory of fetched tools.
fn tools() -> Result<PathBuf> {
    let tools = target().join("tools");
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    Ok(tools)
}
