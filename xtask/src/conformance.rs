//! The task `conformance`: asks a resolver, whoever wrote it, whether it keeps to docs/resolver-api.md. The checks are a program of
//! their own, so that this one depends on little.

use anyhow::{Context, Result, bail};

use crate::command::cargo;

/// Builds and runs that program.
pub(crate) fn check(arguments: &[String]) -> Result<()> {
    let mut program = cargo();
    program.args(["run", "--quiet", "--package", "wxgate-conformance", "--"]).args(arguments);
    // The command is not shown: with --json, standard output holds one object and nothing else.
    let status = program.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the resolver does not keep to docs/resolver-api.md, or could not be asked");
    }
    Ok(())
}
