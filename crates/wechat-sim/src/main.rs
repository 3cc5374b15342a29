//! `wechat-sim`: the simulator as a server.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use wechat_sim::{Simulator, World};

/// A WeChat to log in against: its pages, its API, phones, message push, and faults on demand.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes any free one, and the line on standard output says which.
    #[arg(long, env = "WECHAT_SIM_LISTEN", default_value = "127.0.0.1:9400")]
    listen: SocketAddr,

    /// Accept a port in redirect_uri for localhost, 127.0.0.1 and *.localhost. WeChat never accepts one.
    #[arg(long, env = "WECHAT_SIM_ALLOW_LOOPBACK_PORT")]
    allow_loopback_port: bool,

    /// Forgive what a client gets wrong on the way to an authorize page.
    #[arg(long, env = "WECHAT_SIM_LENIENT")]
    lenient: bool,

    /// Start with the apps and people of this JSON file.
    #[arg(long, env = "WECHAT_SIM_SEED", value_name = "FILE", conflicts_with = "demo")]
    seed: Option<PathBuf>,

    /// Start with four demo apps and three demo people.
    #[arg(long, env = "WECHAT_SIM_DEMO")]
    demo: bool,

    /// The demo apps belong to what is behind this origin: the mini program logs in there, and the official account's
    /// messages are pushed there.
    #[arg(long, env = "WECHAT_SIM_DEMO_GATEWAY", value_name = "ORIGIN", requires = "demo")]
    demo_gateway: Option<String>,

    /// Send pushes and mini programs' requests that are meant for HOST:PORT to ADDRESS; may be given more than once.
    #[arg(long, env = "WECHAT_SIM_CONNECT", value_name = "HOST:PORT=ADDRESS", value_delimiter = ',')]
    connect: Vec<String>,

    /// Where phones reach this server, for the QR codes; by default the host that the page was asked for.
    #[arg(long, env = "WECHAT_SIM_PUBLIC_ORIGIN", value_name = "ORIGIN")]
    public_origin: Option<String>,

    /// How long the QR page's long poll is held.
    #[arg(long, env = "WECHAT_SIM_HOLD_SECONDS", default_value_t = 25)]
    hold_seconds: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let world = match &args.seed {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            World::from_json(&text).map_err(|error| format!("{}: {error}", file.display()))?
        }
        None if args.demo => args.demo_gateway.as_deref().map_or_else(World::demo, World::demo_behind),
        None => World::default(),
    };
    let mut builder = Simulator::builder()
        .strict(!args.lenient)
        .allow_loopback_port(args.allow_loopback_port)
        .hold(Duration::from_secs(args.hold_seconds))
        .world(world);
    if let Some(origin) = &args.public_origin {
        builder = builder.public_origin(origin);
    }
    for connect in &args.connect {
        let (authority, address) = connect.split_once('=').ok_or_else(|| format!("--connect {connect}: no `=` in it"))?;
        builder = builder.connect(authority, address);
    }
    let listener = TcpListener::bind(args.listen).await.map_err(|error| format!("{}: {error}", args.listen))?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    builder.build().serve_until(listener, stop).await?;
    Ok(())
}
