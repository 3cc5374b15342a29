//! A wire between Envoy and one of its neighbours that can be cut, stretched, or made to lie, and that remembers which pending
//! logins were spoken of on it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does to connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nobody listens.
    Refuse,
    /// Connections are accepted, requests read, and that is all.
    Silence,
    /// A connection is reset as soon as a request comes.
    Reset,
    /// Answers come this much later.
    Delay(Duration),
    /// So many bytes of an answer come, then the connection closes. `Cut(0)`: the request is handled, its answer lost.
    Cut(usize),
    /// Somebody else answers, with these bytes, and closes.
    Lie(Vec<u8>),
}

/// The wire. It starts without a fault.
#[derive(Debug)]
pub struct FaultProxy {
    /// What Envoy connects to.
    pub address: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Their names, from the paths of requests.
    pending_logins: Names,
}

type Names = Arc<Mutex<BTreeSet<String>>>;

#[derive(Clone, Debug)]
struct Weather {
    fault: Fault,
    /// Requests with another path are spared.
    only: Option<String>,
    /// One receiver for each open connection that began in this weather.
    open: watch::Sender<()>,
}

impl Weather {
    fn new(fault: Fault, only: Option<String>) -> Self {
        Self { fault, only, open: watch::Sender::new(()) }
    }
}

impl FaultProxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let weather = watch::Sender::new(Weather::new(Fault::None, None));
        let pending_logins = Names::default();
        tokio::spawn(listen(listener, target, weather.subscribe(), pending_logins.clone()));
        Self { address, weather, pending_logins }
    }

    /// The names of all pending logins that were asked about: whoever has one can go on with that login.
    pub fn pending_logins(&self) -> Vec<String> {
        self.pending_logins.lock().expect("not poisoned").iter().cloned().collect()
    }

    /// Changes what happens from now on. Connections that are open end.
    pub async fn set(&self, fault: Fault) {
        self.change(Weather::new(fault, None)).await;
    }

    /// The same, for requests whose path starts with `path` alone. (`Refuse` is for whole wires; use `Reset`.)
    pub async fn set_on(&self, path: &str, fault: Fault) {
        self.change(Weather::new(fault, Some(path.to_owned()))).await;
    }

    async fn change(&self, weather: Weather) {
        let old = self.weather.send_replace(weather);
        // So that a request that comes next meets the new weather. Connections that are only now accepted do not count:
        // Envoy opens some that it then keeps for later.
        tokio::time::timeout(Duration::from_secs(5), old.open.closed()).await.expect("connections end when the weather changes");
    }
}

async fn listen(listener: TcpListener, target: SocketAddr, mut weather: watch::Receiver<Weather>, names: Names) {
    let address = listener.local_addr().expect("bound");
    let mut listener = Some(listener);
    loop {
        if weather.borrow_and_update().fault == Fault::Refuse {
            listener = None;
            if weather.changed().await.is_err() {
                return;
            }
            continue;
        }
        if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(listening) = &listener else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::select! {
            changed = weather.changed() => if changed.is_err() { return },
            accepted = listening.accept() => if let Ok((client, _)) = accepted {
                let mut weather = weather.clone();
                let now = weather.borrow_and_update().clone();
                let is_open = now.open.subscribe();
                let names = names.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = weather.changed() => {}
                        _ = carry(client, target, now.fault, now.only, &names) => {}
                    }
                    drop(is_open);
                });
            }
        }
    }
}

async fn carry(mut client: TcpStream, target: SocketAddr, fault: Fault, only: Option<String>, names: &Names) -> std::io::Result<()> {
    let _ = client.set_nodelay(true);
    if fault == Fault::Refuse {
        // Accepted just before nobody listened any more.
        return Ok(());
    }
    if fault == Fault::None {
        return listening(client, TcpStream::connect(target).await?, names).await;
    }
    let mut head = read_head(&mut client).await?;
    let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
    let is_spared = only.is_some_and(|only| !path.starts_with(&only));
    if is_spared || matches!(fault, Fault::Delay(_) | Fault::Cut(_)) {
        // One request for each connection, so that the next one is looked at again.
        let end = head.windows(2).position(|window| window == b"\r\n").unwrap_or_default();
        head.splice(end..end, b"\r\nconnection: close".iter().copied());
        let mut server = TcpStream::connect(target).await?;
        server.write_all(&head).await?;
        return match fault {
            _ if is_spared => copy_bidirectional(&mut client, &mut server).await.map(drop),
            Fault::Delay(by) => answered(client, server, by, usize::MAX).await,
            Fault::Cut(left) => answered(client, server, Duration::ZERO, left).await,
            _ => Ok(()),
        };
    }
    match fault {
        Fault::Reset => client.set_zero_linger(),
        Fault::Lie(bytes) => {
            client.write_all(&bytes).await?;
            client.shutdown().await
        }
        _ => {
            let mut ignored = [0; 4096];
            while client.read(&mut ignored).await? > 0 {}
            Ok(())
        }
    }
}

/// Carries both ways, and reads along.
async fn listening(client: TcpStream, server: TcpStream, names: &Names) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let length = from_client.read(&mut bytes).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            note(&bytes[..length], names);
            to_server.write_all(&bytes[..length]).await?;
        }
    };
    let answering = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(asking, answering).map(drop)
}

/// Envoy writes a head at once, so that a path is never in two pieces.
fn note(bytes: &[u8], names: &Names) {
    let text = String::from_utf8_lossy(bytes);
    let found = text.split("/v1/pending-logins/").skip(1).filter_map(|rest| rest.split(['/', ' ']).next()).map(str::to_owned);
    names.lock().expect("not poisoned").extend(found);
}

async fn read_head(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// The request goes through, and so does the whole answer so much later, or as many bytes of it.
async fn answered(client: TcpStream, server: TcpStream, after: Duration, most: usize) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::io::copy(&mut from_client, &mut to_server);
    let answering = async {
        let mut answer = Vec::new();
        from_server.read_to_end(&mut answer).await?;
        tokio::time::sleep(after).await;
        to_client.write_all(answer.get(..most).unwrap_or(&answer)).await
    };
    tokio::select! {
        _ = async { let _ = asking.await; std::future::pending::<()>().await } => Ok(()),
        answered = answering => answered,
    }
}
