//! The checks as a program: `cargo xtask conformance`.

use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use wxgate_conformance::{Report, SetupError, Target, run};

/// Checks over HTTP that a service keeps to the resolver API, docs/resolver-api.md.
///
/// It makes accounts of invented people, a few hundred each time, and revokes sessions: give it a pool of its own, or better a
/// database of its own. The connector has to have an open registration that asks nobody anything.
#[derive(Parser)]
#[command(name = "wxgate-conformance", version)]
struct Arguments {
    /// Where the resolver is, such as http://127.0.0.1:8300
    #[arg(long)]
    url: String,

    /// The environment variable that holds one of its tokens
    #[arg(long, value_name = "NAME", default_value = "WXGATE_RESOLVER_TOKEN")]
    token_env: String,

    /// The pool to make accounts in
    #[arg(long, default_value = "conformance")]
    pool: String,

    /// The application to log in to
    #[arg(long, default_value = "conformance")]
    application: String,

    /// The WeChat Open Platform account to have unionids of
    #[arg(long, default_value = "conformance")]
    platform: String,

    /// A connector where registration is open, and nobody is asked for an account
    #[arg(long, default_value = "conformance")]
    connector: String,

    /// A connector where registration is closed
    #[arg(long, value_name = "CONNECTOR")]
    closed_connector: Option<String>,

    /// A connector that asks people whom nobody knows for an account
    #[arg(long, value_name = "CONNECTOR")]
    asking_connector: Option<String>,

    /// Only the checks whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,

    /// Print one JSON object, once all checks are done
    #[arg(long)]
    json: bool,
}

/// What stands in `$?` when a check failed; 2 is what clap says of wrong arguments.
const CHECK_FAILED: u8 = 1;
const NOT_CHECKED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Ok(token) = std::env::var(&arguments.token_env) else {
        eprintln!("the environment variable {} is not set; expected one of the resolver's tokens", arguments.token_env);
        return ExitCode::from(NOT_CHECKED);
    };
    match check(arguments, token).await {
        Ok(report) if report.failed() > 0 => ExitCode::from(CHECK_FAILED),
        Ok(report) if report.passed() > 0 => ExitCode::SUCCESS,
        // What passes nothing, such as a wrong --only, has shown nothing.
        Ok(_) => ExitCode::from(NOT_CHECKED),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(NOT_CHECKED)
        }
    }
}

async fn check(arguments: Arguments, token: String) -> Result<Report, SetupError> {
    let Arguments { url, pool, application, platform, connector, closed_connector, asking_connector, only, json, .. } = arguments;
    let target = Target { url, token, pool, application, platform, connector, closed_connector, asking_connector };
    let report = run(target, &only, |checked| {
        if !json {
            println!("{checked}");
        }
    })
    .await?;
    if json {
        let summary = json!({
            "passed": report.passed(),
            "failed": report.failed(),
            "not_offered": report.not_offered(),
            "checks": report.checks,
        });
        println!("{summary:#}");
    } else {
        println!("\n{report}");
    }
    Ok(report)
}
