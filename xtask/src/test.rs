//! The task `test`: every test of the workspace, with everything that any of them needs.

use anyhow::Result;

use crate::{
    command::{cargo, run},
    setup::{
        browser, docker, envoy,
        postgres::{self, Durability},
        python,
    },
    wasm,
};

/// Runs the tests whose name contains the filter, or all of them.
pub(crate) fn run_tests(filter: Option<&str>) -> Result<()> {
    let wasm = wasm::build()?;
    let envoy = envoy::find()?;
    println!("envoy: {envoy}");
    let browser = browser::find()?;
    println!("browser: {}, {}", browser.chromium.display(), browser.driver.display());
    let compose = docker::find()?;
    println!("compose: {compose}");
    let postgres = postgres::start(Durability::None)?.url("postgres");
    println!("postgres: {postgres}");
    println!("python: {}", python::find()?);
    let mut test = cargo();
    // A failure in one package says nothing about the others.
    test.args(["test", "--workspace", "--no-fail-fast"]).args(filter);
    test.env("WXGATE_WASM", &wasm);
    test.env("WXGATE_ENVOY", &envoy.program);
    test.env("WXGATE_CHROMIUM", &browser.chromium);
    test.env("WXGATE_CHROMEDRIVER", &browser.driver);
    test.env("WXGATE_COMPOSE", compose);
    test.env("WXGATE_POSTGRES_URL", &postgres);
    run(&mut test)
}
