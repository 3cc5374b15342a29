//! The project's tasks: `cargo xtask <task>`. Each one sets up what it needs by itself, says what it took, and ends
//! with a failure when something cannot be had: nothing is skipped.

mod background;
mod bench;
mod browser;
mod check;
mod command;
mod conformance;
mod demo;
mod keys;
mod setup;
mod stack;
mod template;
mod test;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The tasks of wxgate", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Get the wasm target and Envoy, each by the first way that works here
    Setup,
    /// Build target/wxgate.wasm, and check its imports, exports and size
    Wasm,
    /// Formatting, clippy, layer rules, Envoy configurations, paths in the documents
    Check,
    /// Run all of it on this machine, with a simulator in WeChat's place, and walk through one login
    Demo {
        /// Stop after the walk
        #[arg(long)]
        once: bool,
    },
    /// Run the tests, all or those whose name contains the filter
    Test {
        /// A part of the names
        filter: Option<String>,
    },
    /// Check that a resolver keeps to docs/resolver-api.md; `cargo xtask conformance --help` tells how
    #[command(disable_help_flag = true)]
    Conformance {
        /// What the checks' own program takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure what the filter costs per request, against a bare Envoy and an empty filter; or the resolver
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        #[command(subcommand)]
        of: Option<BenchOf>,
        /// How often each case is measured
        #[arg(long, default_value_t = 8)]
        rounds: usize,
    },
}

#[derive(Subcommand)]
enum BenchOf {
    /// Logins: how many a second and how long they take, on SQLite and PostgreSQL, and how that grows with the people who are stored
    Resolver(bench::resolver::Options),
}

fn main() -> ExitCode {
    // rustc calls this program as the linker of the filter: see wasm/link.rs.
    if let Some(linker) = wasm::link::wanted() {
        return wasm::link::run(&linker);
    }
    let task = Arguments::parse().task;
    let done = background::stop_on_signals().and_then(|()| run(task));
    background::stop();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nfailed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Setup => setup::run(),
        Task::Wasm => wasm::build().map(drop),
        Task::Check => check::run_all(),
        Task::Demo { once } => demo::run_demo(once),
        Task::Conformance { arguments } => conformance::check(&arguments),
        Task::Bench { of: None, rounds } => bench::measure(rounds),
        Task::Bench { of: Some(BenchOf::Resolver(options)), .. } => bench::resolver::measure(&options),
        Task::Test { filter } => test::run_tests(filter.as_deref()),
    }
}
