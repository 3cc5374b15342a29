//! Everything that a login needs, on free ports of loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wechat_sim::{App, Simulator, World};
use wxgate_resolver::policy::ConnectorPolicy;

use crate::application::Application;
use crate::database::Database;
use crate::envoy::Envoy;
use crate::fault_proxy::FaultProxy;
use crate::http::Wire;
use crate::render::{Neighbours, Rendering};
use crate::resolver::Resolver;
use crate::tls::{Authority, Certificate};
use crate::visitor::{DESKTOP, Record, Visitor};

/// The AppSecrets of [`World::demo`].
const APP_SECRETS: [(&str, &str); 2] =
    [("WX_PC_SECRET", "0001demo0001demo0001demo0001demo"), ("WX_OA_SECRET", "0002demo0002demo0002demo0002demo")];

/// Stacks that run at once in this process; each compiles the module.
const AT_ONCE: usize = 3;

/// A change to a configuration.
type Change = Box<dyn Fn(&mut Value)>;

/// How a stack is to be; see [`Stack::builder`].
pub struct Builder {
    template: &'static str,
    concurrency: u32,
    envoys: usize,
    has_jwt_authn: bool,
    has_rate_limit: bool,
    filter: Vec<Change>,
    envoy: Vec<Change>,
    env: Vec<(String, String)>,
    apps: Vec<(String, App)>,
    policy: ConnectorPolicy,
    has_postgres: bool,
    resolvers: usize,
    sends_codes: bool,
    open_paths: Vec<String>,
    tls: Option<(Certificate, Certificate)>,
}

impl Builder {
    /// Workers of each Envoy; 2 unless said otherwise.
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Changes the filter's configuration. It starts as the one in envoy/envoy.yaml, with the application `shop` at
    /// this stack's origin (`json["applications"][0]["origin"]`) and `revocation.poll_seconds` 1.
    pub fn config(mut self, change: impl Fn(&mut Value) + 'static) -> Self {
        self.filter.push(Box::new(change));
        self
    }

    /// Changes Envoy's configuration, after everything else. [`crate::render`] helps to find one's way.
    pub fn envoy(mut self, change: impl Fn(&mut Value) + 'static) -> Self {
        self.envoy.push(Box::new(change));
        self
    }

    /// tests/fixtures/bare.yaml in place of the configuration that we ship: none of Envoy's own protections.
    pub fn bare(mut self) -> Self {
        self.template = "tests/fixtures/bare.yaml";
        self
    }

    /// Several Envoys of the same origin, with the same keys, resolver and WeChat.
    pub fn envoys(mut self, number: usize) -> Self {
        self.envoys = number;
        self
    }

    /// Envoy's own jwt_authn behind the filter; the application gets what it verified as `x-verified-payload`.
    pub fn jwt_authn(mut self) -> Self {
        self.has_jwt_authn = true;
        self
    }

    /// Takes the rate limit of our endpoints away, for tests with hundreds of requests.
    pub fn without_rate_limit(mut self) -> Self {
        self.has_rate_limit = false;
        self
    }

    /// One more environment variable for Envoy.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A secret for the filter: an environment variable that it may read.
    pub fn secret(self, name: &str, value: &str) -> Self {
        let known = name.to_owned();
        self.env(name, value).envoy(move |envoy| {
            let names = &mut crate::render::plugin(envoy)["vm_config"]["environment_variables"]["host_env_keys"];
            let names = names.as_array_mut().expect("host_env_keys");
            if !names.iter().any(|name| *name == *known) {
                names.push(known.clone().into());
            }
        })
    }

    /// One more app at WeChat than in [`World::demo`], from the beginning: connectors ask for their tokens at once.
    pub fn app(mut self, app_id: &str, app: App) -> Self {
        self.apps.push((app_id.to_owned(), app));
        self
    }

    /// The policy of connectors for which the operator has decided nothing.
    pub fn policy(mut self, policy: ConnectorPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The resolver's data in a PostgreSQL database.
    pub fn postgres(mut self) -> Self {
        self.has_postgres = true;
        self
    }

    /// A resolver that can send no codes, to phones or by mail.
    pub fn without_delivery(mut self) -> Self {
        self.sends_codes = false;
        self
    }

    /// A second resolver on the same database, which the second Envoy asks.
    pub fn two_resolvers(mut self) -> Self {
        self.resolvers = 2;
        self
    }

    /// Lets requests below this path reach the application without identity; the oracles know `/` and `/assets`.
    pub fn open_path(mut self, path: &str) -> Self {
        self.open_paths.push(path.to_owned());
        self
    }

    /// Reaches WeChat and the resolver over TLS as the shipped configuration says, only that it trusts an authority of
    /// this test; they show these certificates.
    pub fn tls(mut self, wechat: Certificate, resolver: Certificate) -> Self {
        self.tls = Some((wechat, resolver));
        self
    }

    /// Starts it all.
    pub async fn start(self) -> Stack {
        let number = self.envoys;
        let mut stack = self.prepare().await;
        for index in 0..number {
            let envoy = stack.start_envoy(index).await.unwrap_or_else(|error| panic!("{error}"));
            stack.envoys.push(envoy);
        }
        stack
    }

    /// Starts it all with a configuration that Envoy refuses: gives what Envoy said.
    pub async fn start_refused(self) -> String {
        let mut stack = self.prepare().await;
        stack.is_finished = true;
        match stack.start_envoy(0).await {
            Ok(envoy) => panic!("this configuration should have been refused:\n{}", envoy.log_tail(20)),
            Err(error) => error,
        }
    }

    /// Everything but Envoy.
    async fn prepare(self) -> Stack {
        static PERMITS: OnceLock<Arc<Semaphore>> = OnceLock::new();
        let permit = PERMITS.get_or_init(|| Arc::new(Semaphore::new(AT_ONCE))).clone().acquire_owned().await.expect("never closed");
        let directory = tempfile::Builder::new().prefix("wxgate-test-").tempdir().expect("a temporary directory");
        let keys = Keys::generate();
        let log_begins = crate::log::begin();

        let wechat = Simulator::builder().allow_loopback_port(true).world(World::demo()).build();
        for (app_id, app) in self.apps {
            wechat.put_app(&app_id, app).expect("an app");
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let wechat_address = listener.local_addr().expect("bound");
        let serving = wechat.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        let database = if self.has_postgres { Database::on_postgres(&random()).await } else { Database::in_directory(directory.path()) };
        let resolver = Resolver::start_new(database, &keys, self.policy, self.sends_codes).await;
        let app = Application::start().await;
        let (wechat_wire, resolver_wire) = (FaultProxy::start(wechat_address).await, FaultProxy::start(resolver.address).await);
        let second_resolver = if self.resolvers == 2 { Some(resolver.start_beside().await) } else { None };

        let reserved: Vec<_> = (0..self.envoys).map(|_| Reserved::take()).collect();
        let origin = format!("http://localhost:{}", reserved[0].address.port());
        let wechat_origin = format!("http://{wechat_address}");
        let mut neighbours =
            Neighbours { application: app.address, wechat: wechat_wire.address, resolver: resolver_wire.address, trusted_ca: None };
        if let Some((wechat, resolver)) = self.tls {
            let authority = Authority::new(directory.path());
            neighbours.wechat = authority.front("api.weixin.qq.com", wechat, neighbours.wechat).await;
            neighbours.resolver = authority.front("resolver.internal", resolver, neighbours.resolver).await;
            neighbours.trusted_ca = Some(authority.file);
        }
        let mut template = Rendering::load(self.template);
        template.localise_filter(&origin, &wechat_origin);
        self.filter.iter().for_each(|change| change(&mut template.filter));
        let filter_config = template.filter.clone();
        let mut env = keys.env();
        env.extend(self.env);

        let mut configs = Vec::new();
        for (index, Reserved { address, .. }) in reserved.iter().enumerate() {
            let mut rendering = Rendering { envoy: template.envoy.clone(), filter: template.filter.clone() };
            if let Some(second) = second_resolver.as_ref().filter(|_| index == 1) {
                neighbours.resolver = second.address;
            }
            rendering.localise_envoy(*address, &neighbours);
            if self.has_jwt_authn {
                rendering.add_jwt_authn(*address);
            }
            if !self.has_rate_limit {
                rendering.remove_rate_limit();
            }
            let mut config = rendering.finish();
            self.envoy.iter().for_each(|change| change(&mut config));
            configs.push(config);
        }
        Stack {
            origin,
            wechat,
            wechat_origin,
            wechat_wire,
            resolver,
            resolver_wire,
            second_resolver,
            app,
            filter_config,
            envoys: Vec::new(),
            keys,
            env,
            configs,
            reserved,
            concurrency: self.concurrency,
            open_paths: self.open_paths,
            record: Arc::default(),
            log_begins,
            directory: Some(directory),
            is_finished: false,
            permit,
        }
    }
}

/// A running stack. Every test ends with [`Stack::finish`].
pub struct Stack {
    /// The application's origin, which is the first Envoy's address.
    pub origin: String,
    /// At least one.
    pub envoys: Vec<Envoy>,
    /// WeChat; browsers reach it directly.
    pub wechat: Simulator,
    /// Where browsers find WeChat.
    pub wechat_origin: String,
    /// Between Envoy and WeChat.
    pub wechat_wire: FaultProxy,
    /// The resolver.
    pub resolver: Resolver,
    /// Between Envoy and the resolver.
    pub resolver_wire: FaultProxy,
    /// The one that the second Envoy asks, where there are two.
    pub second_resolver: Option<Resolver>,
    /// The application.
    pub app: Application,
    /// The filter's configuration.
    pub filter_config: Value,
    /// All that is secret.
    pub keys: Keys,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) open_paths: Vec<String>,
    pub(crate) record: Arc<Record>,
    /// Where this stack begins in the log of all resolvers.
    pub(crate) log_begins: usize,
    configs: Vec<Value>,
    reserved: Vec<Reserved>,
    concurrency: u32,
    directory: Option<TempDir>,
    is_finished: bool,
    #[expect(dead_code, reason = "held, not read")]
    permit: OwnedSemaphorePermit,
}

impl Stack {
    /// The shipped configuration, one Envoy with two workers.
    pub fn builder() -> Builder {
        Builder {
            template: "envoy/envoy.yaml",
            concurrency: 2,
            envoys: 1,
            has_jwt_authn: false,
            has_rate_limit: true,
            filter: Vec::new(),
            envoy: Vec::new(),
            env: Vec::new(),
            apps: Vec::new(),
            policy: ConnectorPolicy::default(),
            has_postgres: false,
            resolvers: 1,
            sends_codes: true,
            open_paths: Vec::new(),
            tls: None,
        }
    }

    /// The same, started.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Somebody new at a desk, with an empty browser.
    pub fn visitor(&self) -> Visitor {
        Visitor {
            own_address: None,
            envoy: self.envoys[0].address,
            origin: self.origin.clone(),
            issuer: self.filter_config["identity"]["issuer"].as_str().unwrap_or_default().to_owned(),
            user_agent: DESKTOP.into(),
            wechat: self.wechat.clone(),
            wechat_origin: self.wechat_origin.clone(),
            record: self.record.clone(),
            jar: Arc::new(Mutex::default()),
            keeps_cookies: true,
            headers: Vec::new(),
        }
    }

    /// A raw connection to the first Envoy.
    pub async fn wire(&self) -> Wire {
        Wire::connect(self.envoys[0].address).await
    }

    /// What `Host` says for this stack's origin.
    pub fn authority(&self) -> &str {
        self.origin.strip_prefix("http://").unwrap_or_default()
    }

    /// The logs of all Envoys.
    pub fn log(&self) -> String {
        self.envoys.iter().map(Envoy::log).collect()
    }

    /// Sum of the filter's counters whose names match, over all Envoys, such as `wxgate_logins_total.*new`.
    pub async fn count(&self, filter: &str) -> u64 {
        let mut sum = 0;
        for envoy in &self.envoys {
            sum += envoy.stats(filter).await.values().sum::<u64>();
        }
        sum
    }

    /// How many accounts there are.
    pub async fn accounts(&self) -> u64 {
        self.resolver.accounts().await
    }

    /// How many accounts logins have made, as the filter counts it.
    pub async fn new_users(&self) -> u64 {
        self.count("wxgate_logins_total.*signed_in_new").await
    }

    /// Exchanges of a code, as WeChat saw them.
    pub fn exchanges(&self) -> usize {
        self.wechat.journal().iter().filter(|entry| entry.path == "/sns/oauth2/access_token").count()
    }

    /// Ends one Envoy and starts it again, on the same port with the same configuration.
    pub async fn restart_envoy(&mut self, index: usize) {
        self.envoys[index].kill();
        self.envoys[index] = self.start_envoy(index).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Where the files of this stack are.
    pub fn directory(&self) -> &Path {
        self.directory.as_ref().expect("there until the end").path()
    }

    /// Says that this value must turn up in no log.
    pub fn add_secret(&self, secret: &str) {
        self.record.add_secret(secret);
    }

    /// Holds the stack against everything that must be so after any test, and ends it.
    pub async fn finish(mut self) {
        let broken = crate::oracles::broken(&mut self).await;
        assert!(broken.is_empty(), "what must hold after every test does not:\n{}", broken.join("\n"));
        self.is_finished = true;
    }

    /// The same for a test of the oracles: gives what is wrong.
    pub async fn finish_broken(mut self) -> Vec<String> {
        self.is_finished = true;
        crate::oracles::broken(&mut self).await
    }

    async fn start_envoy(&self, index: usize) -> Result<Envoy, String> {
        let name = format!("envoy{index}");
        let address = self.reserved[index].address;
        Envoy::start(self.directory(), &name, &self.configs[index], self.concurrency, &self.env, address).await
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.is_finished, "a test ends with `stack.finish().await`, or what must always hold is not looked at");
            return;
        }
        eprintln!("--- the filter's configuration\n{:#}", self.filter_config);
        let exchanges = self.record.exchanges.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        eprintln!("--- the last requests");
        for exchange in exchanges.iter().rev().take(15).rev() {
            eprintln!("{} -> {}", exchange.asked, exchange.status);
        }
        let seen = self.app.seen();
        eprintln!("--- the last that the application saw");
        for seen in seen.iter().rev().take(3).rev() {
            eprintln!("{}", String::from_utf8_lossy(&seen.raw_head));
        }
        eprintln!("--- the last that WeChat saw");
        for entry in self.wechat.journal().iter().rev().take(5).rev() {
            eprintln!("{} {}?{}", entry.method, entry.path, entry.query);
        }
        for (index, envoy) in self.envoys.iter().enumerate() {
            eprintln!("--- Envoy {index}\n{}", envoy.log_tail(60));
        }
        if let Some(directory) = self.directory.take() {
            eprintln!("--- everything else: {}", directory.keep().display());
        }
    }
}

/// All that is secret in one stack.
#[derive(Clone, Debug)]
pub struct Keys {
    /// 32 bytes in base64url.
    pub session_key: String,
    /// PKCS#8 PEM, P-256.
    pub signing_key: String,
    /// Shared with the resolver.
    pub resolver_token: String,
    /// The operator's, for the admin API.
    pub admin_token: String,
}

impl Keys {
    /// New ones.
    pub fn generate() -> Self {
        let signing_key = rcgen::KeyPair::generate().expect("a P-256 key").serialize_pem();
        Self { session_key: random(), signing_key, resolver_token: random(), admin_token: random() }
    }

    /// As Envoy's environment has them.
    pub fn env(&self) -> Vec<(String, String)> {
        let own = [
            ("WXGATE_SESSION_KEY", self.session_key.as_str()),
            ("WXGATE_SIGNING_KEY", self.signing_key.as_str()),
            ("WXGATE_RESOLVER_TOKEN", self.resolver_token.as_str()),
        ];
        own.into_iter().chain(APP_SECRETS).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// 32 random bytes in base64url: a session key, or a token.
pub fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A port that nobody else gets, and that Envoy (which listens with SO_REUSEPORT) can still take: bound, not listening.
struct Reserved {
    address: SocketAddr,
    #[expect(dead_code, reason = "held, not read")]
    socket: Socket,
}

impl Reserved {
    fn take() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("SO_REUSEPORT");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let address = socket.local_addr().expect("bound").as_socket().expect("IPv4");
        Self { address, socket }
    }
}
