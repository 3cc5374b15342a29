//! The resolver as a program: reads its configuration, opens its store, serves until it is told to stop.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wxgate_resolver::admin::Admins;
use wxgate_resolver::config::{ADMIN_TOKENS_VARIABLE, Args, Database, LogFormat, TOKENS_VARIABLE};
use wxgate_resolver::delivery::{Delivery, Message, SMS_SECRET_VARIABLE, SMTP_URL_VARIABLE};
use wxgate_resolver::store::{AdminStore, PATIENCE, PostgresStore, SqliteStore};
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, Limits, serve};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wxgate-resolver: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    start_log(&args)?;
    let tokens = args.tokens(std::env::var(TOKENS_VARIABLE).ok().as_deref())?;
    let admins = args.admins(std::env::var(ADMIN_TOKENS_VARIABLE).ok().as_deref(), &tokens)?;
    let variable = |name: &str| std::env::var(name).ok();
    let delivery = args.delivery.delivery(variable(SMTP_URL_VARIABLE).as_deref(), variable(SMS_SECRET_VARIABLE).as_deref(), print)?;
    delivery.report();
    // Before anything can be under way, so that no signal is missed.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    match args.database.clone() {
        Database::Sqlite(path) => run_on(SqliteStore::open(path, PATIENCE).await?, &args, tokens, admins, delivery, shutdown).await,
        Database::Postgres(options) => {
            run_on(PostgresStore::open(*options, PATIENCE).await?, &args, tokens, admins, delivery, shutdown).await
        }
    }
}

async fn run_on<S: AdminStore>(
    store: S,
    args: &Args,
    tokens: Tokens,
    admins: Admins,
    delivery: Delivery,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}; expected a free address, see --listen", args.listen))?;

    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let mut state = AppState::new(store, tokens);
    state.admins = admins;
    state.default_policy = args.default_policy();
    state.delivery = delivery;
    state.limits = limits(args);
    Ok(serve(listener, Arc::new(state), shutdown).await?)
}

/// The limits, as far as the operating system allows them.
fn limits(args: &Args) -> Limits {
    let asked = args.limits();
    let limits = open_files().map_or(asked, |files| asked.within(files));
    if limits.tickets.waits < asked.tickets.waits {
        tracing::warn!(waits = limits.tickets.waits, "fewer requests may wait than --waits says: the limit of open files is too low");
    }
    limits
}

/// The most files that this process may have open, where the operating system tells: Linux does.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    // "unlimited" is no number, and no limit.
    line.split_whitespace().next()?.parse().ok()
}

/// Prints a code for whoever tries it out.
fn print(message: &Message) {
    // Nobody may be reading.
    let _ = writeln!(std::io::stdout(), "code {} for {}", message.code.0, message.to.masked());
}

fn start_log(args: &Args) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log).map_err(|error| format!("--log: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match args.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    // The place only: a panic's message may quote what it stumbled over.
    std::panic::set_hook(Box::new(|panic| tracing::error!(place = panic.location().map(tracing::field::display), "panic")));
    Ok(())
}
