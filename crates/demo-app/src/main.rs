//! `demo-app`: the demo application as a server.

use std::error::Error;
use std::net::SocketAddr;

use axum::http::HeaderName;
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// An application behind the gate: shows who is logged in, from the identity header alone.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; port 0 takes a free one, and the line on standard output says which
    #[arg(long, env = "DEMO_APP_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8400")]
    listen: SocketAddr,

    /// Where the gate publishes its public keys
    #[arg(long, env = "DEMO_APP_JWKS_URL", value_name = "URL", default_value = "http://127.0.0.1:8080/wxgate/jwks.json")]
    jwks_url: String,

    /// The gate's identity.issuer
    #[arg(long, env = "DEMO_APP_ISSUER", value_name = "URL", default_value = "http://localhost:8080")]
    issuer: String,

    /// The id that the gate's configuration gives this application
    #[arg(long, env = "DEMO_APP_AUDIENCE", value_name = "ID", default_value = "demo")]
    audience: String,

    /// The name of the identity header
    #[arg(long, env = "DEMO_APP_HEADER", value_name = "NAME", default_value = "x-wxgate-identity")]
    header: HeaderName,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Args { listen, jwks_url, issuer, audience, header } = Args::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_max_level(tracing::Level::INFO).init();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let app = demo_app::app(demo_app::Config { jwks_url, issuer, audience, header })?;
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("{listen}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}
