//! How a simulator is set up.

use std::time::Duration;

use crate::simulator::Simulator;
use crate::world::World;

/// How a simulator is set up; see [`Simulator::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) strict: bool,
    pub(crate) allow_loopback_port: bool,
    pub(crate) hold: Duration,
    pub(crate) public_origin: Option<String>,
    pub(crate) connect: Vec<(String, String)>,
    pub(crate) world: World,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            strict: true,
            allow_loopback_port: false,
            hold: Duration::from_secs(25),
            public_origin: None,
            connect: Vec::new(),
            world: World::default(),
        }
    }
}

impl Builder {
    /// `false` forgives what a client gets wrong on the way to an authorize page (parameter order, state alphabet,
    /// redirect host, `#wechat_redirect`, browser). Codes and tokens are as strict as ever.
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// `true` accepts a port in `redirect_uri` where the host is the registered one and is `localhost`, `127.0.0.1` or
    /// under `.localhost`. WeChat never does, but nobody has port 443 of a loopback address to give.
    pub fn allow_loopback_port(self, allow: bool) -> Self {
        Self { allow_loopback_port: allow, ..self }
    }

    /// How long a long poll waits for news.
    pub fn hold(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// Where phones reach the simulator, for example `http://192.168.1.7:9400`; it stands in the QR codes. Without it
    /// they carry the host that the page was asked for.
    pub fn public_origin(self, origin: &str) -> Self {
        Self { public_origin: Some(origin.trim_end_matches('/').to_owned()), ..self }
    }

    /// Sends pushes and `wx.request`s that are meant for `authority`, such as `localhost:8080`, to `address` in place of it,
    /// such as `envoy:8080`: where names mean something else to the simulator than to browsers. `Host` stays.
    pub fn connect(mut self, authority: &str, address: &str) -> Self {
        self.connect.push((authority.to_owned(), address.to_owned()));
        self
    }

    /// `true` starts with [`World::demo`].
    pub fn seed(self, seed: bool) -> Self {
        self.world(if seed { World::demo() } else { World::default() })
    }

    /// Starts with these apps and people, to which [`Simulator::reset`] also returns.
    pub fn world(self, world: World) -> Self {
        Self { world, ..self }
    }

    /// Ready; nothing listens yet.
    pub fn build(self) -> Simulator {
        Simulator::new(self)
    }
}
