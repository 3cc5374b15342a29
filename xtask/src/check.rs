//! The task `check`: everything about the repository that can be told without running a test.

mod docs;
mod envoy_configs;
mod layers;

use anyhow::{Result, bail};

use crate::{
    command::{cargo, run, target},
    setup::wasm_target::{self, TRIPLE, WasmTarget},
    wasm,
};

/// One check: its name, and what finds its problems.
type Check = (&'static str, fn() -> Result<()>);

const CHECKS: [Check; 8] = [
    ("formatting", format),
    ("layer rules", layers::check),
    ("paths in the documents", docs::check_paths),
    ("quotes in the documents", docs::check_quotes),
    ("no path of one machine", docs::check_machine_paths),
    ("clippy", clippy),
    ("clippy for wasm32", clippy_wasm),
    ("Envoy configurations", envoy_configs::check),
];

/// Runs all of them, also after one has failed, and then tells which ones did.
pub(crate) fn run_all() -> Result<()> {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        println!("\n== {name}");
        match check() {
            Ok(()) => println!("ok: {name}"),
            Err(error) => {
                println!("FAILED: {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} checks: {}", failed.len(), CHECKS.len(), failed.join(", "));
    }
    println!("\nall {} checks passed", CHECKS.len());
    Ok(())
}

fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--", "--check"]))
}

fn clippy() -> Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The adapter to Envoy exists for wasm32 alone, so the native clippy never sees it.
fn clippy_wasm() -> Result<()> {
    let source = wasm_target::find()?;
    let mut clippy = match &source {
        WasmTarget::Toolchain { .. } => cargo(),
        WasmTarget::DebianSource(debian) => debian.cargo_clippy()?,
    };
    clippy.args(["clippy", "--package", "wxgate", "--lib", "--target", TRIPLE, "--target-dir"]).arg(target().join("wasm"));
    wasm::apply(&source, &mut clippy);
    run(clippy.args(["--", "-D", "warnings"]))
}

/// Fails with all of the problems, if there are any.
fn report(problems: &[String]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    bail!("\n  {}", problems.join("\n  "));
}
