//! The handle on one simulated WeChat: what is served, and what tests may do to it.

use std::future::{Future, pending};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::act_error::ActError;
use crate::builder::Builder;
use crate::clock::Clock;
use crate::codes::{Codes, Grant};
use crate::connection::{BreakableListener, Wire};
use crate::faults::{self, Fault, Faults};
use crate::followers::{AccountCodes, Followers};
use crate::journal::{self, Journal, JournalEntry};
use crate::limits::Quotas;
use crate::mini_program::{Login, MiniPrograms};
use crate::open_pages::{self, Decision, Outcome, Rules};
use crate::push::deliver::Deliveries;
use crate::quirks::Quirks;
use crate::scans::Scans;
use crate::server_tokens::ServerTokens;
use crate::tokens::Tokens;
use crate::world::{self, App, InvalidWorld, Person, World};
use crate::{cgi_bin, control, sns, wxa};

/// One simulated WeChat. Clones are handles on the same one.
///
/// Everything that a client sees goes through [`Simulator::router`]; every other method is what a test, or the control
/// API in its place, does behind WeChat's back.
#[derive(Debug, Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

impl Simulator {
    /// Strict, empty, without loopback ports, and holding the long poll for 25 s.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(settings: Builder) -> Self {
        let shared = Shared {
            wechat: Mutex::new(Wechat::new(settings.world.clone())),
            settings,
            bell: watch::Sender::new(()),
            served_at: OnceLock::new(),
            is_closing: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Everything on one router: WeChat's routes by path, and the control API under `/sim/`.
    ///
    /// For a socket prefer [`Simulator::serve`]: only there can a fault reset the connection. Under another server, or
    /// none, a reset is a body that fails.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(open_pages::routes())
            .merge(sns::routes())
            .merge(cgi_bin::routes())
            .merge(wxa::routes())
            .fallback(|| async { StatusCode::NOT_FOUND })
            .layer(from_fn_with_state(self.clone(), faults::inject))
            .layer(from_fn_with_state(self.clone(), journal::record))
            .merge(control::routes())
            .with_state(self.clone())
    }

    /// Serves until the future is dropped.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        self.serve_until(listener, pending()).await
    }

    /// Serves until `stop` resolves, then answers what is under way; held long polls are answered at once.
    pub async fn serve_until(&self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        // The first socket, where there are several.
        let _ = self.shared.served_at.set(format!("http://{}", listener.local_addr()?));
        let sim = self.clone();
        let stop = async move {
            stop.await;
            sim.shared.is_closing.store(true, Ordering::Release);
            sim.ring();
        };
        let service = self.router().into_make_service_with_connect_info::<Wire>();
        axum::serve(BreakableListener(listener), service).with_graceful_shutdown(stop).await
    }

    /// Registers an app, or replaces it.
    pub fn put_app(&self, appid: &str, app: App) -> Result<(), InvalidWorld> {
        self.with(|wechat| wechat.world.put_app(appid, app))
    }

    /// Adds a person, or replaces one, who then has consented to nothing but what the new one says.
    pub fn put_person(&self, name: &str, person: Person) -> Result<(), InvalidWorld> {
        self.with(|wechat| wechat.world.put_person(name, person))
    }

    /// Binds an app to an Open Platform account, or moves it there: openids stay, unionids appear or change.
    pub fn bind_app(&self, appid: &str, platform: &str) -> Result<(), InvalidWorld> {
        self.with(|wechat| wechat.world.bind(appid, Some(platform)))
    }

    /// Takes an app from its Open Platform account: its unionids are told no longer.
    pub fn unbind_app(&self, appid: &str) -> Result<(), InvalidWorld> {
        self.with(|wechat| wechat.world.bind(appid, None))
    }

    /// Sets who holds the phone where a browser has not chosen somebody; `None` for nobody.
    pub fn set_current_person(&self, name: Option<&str>) -> Result<(), InvalidWorld> {
        self.with(|wechat| wechat.world.set_current_person(name))
    }

    /// The openid by which `appid` knows this person. Ids depend on nothing but their names, so they can be asked for
    /// before anybody exists.
    pub fn openid(&self, person: &str, appid: &str) -> String {
        world::openid(person, appid)
    }

    /// The unionid of this person on an Open Platform account.
    pub fn unionid(&self, person: &str, platform: &str) -> String {
        world::unionid(person, platform)
    }

    /// The openid that a snapshot page gives in place of [`Simulator::openid`].
    pub fn virtual_openid(&self, person: &str, appid: &str) -> String {
        world::virtual_openid(person, appid)
    }

    /// The unionid that a snapshot page gives in place of [`Simulator::unionid`].
    pub fn virtual_unionid(&self, person: &str, platform: &str) -> String {
        world::virtual_unionid(person, platform)
    }

    /// Plays the client and the person at once: opens a complete authorize URL of either page, fragment included, as a
    /// browser would be redirected to it, and lets `person` answer. An official-account page is opened inside WeChat.
    pub fn authorize(&self, url: &str, person: &str, decision: Decision) -> Result<Outcome, ActError> {
        let rules = self.rules();
        self.changing(|wechat| open_pages::authorize(wechat, rules, url, person, decision))
    }

    /// A phone reads a QR code: the page says so.
    pub fn scan(&self, uuid: &str, person: &str) -> Result<(), ActError> {
        self.changing(|wechat| {
            wechat.existing(person)?;
            let now = wechat.now();
            wechat.scans.scan(uuid, person, now)?;
            Ok(())
        })
    }

    /// The phone that scanned allows the login, scanning first where nobody has; returns where the page goes now.
    pub fn confirm(&self, uuid: &str, person: &str) -> Result<String, ActError> {
        self.changing(|wechat| {
            wechat.existing(person)?;
            Ok(open_pages::confirm(wechat, uuid, person)?)
        })
    }

    /// The phone that scanned refuses the login, scanning first where nobody has; the page says so and stays.
    pub fn refuse(&self, uuid: &str, person: &str) -> Result<(), ActError> {
        self.changing(|wechat| {
            wechat.existing(person)?;
            open_pages::refuse(wechat, uuid, person)?;
            Ok(())
        })
    }

    /// A QR code gets too old: the page reloads.
    pub fn expire(&self, uuid: &str) {
        self.changing(|wechat| wechat.scans.expire(uuid));
    }

    /// Replaces the faults in force; the first in the list that matches a request happens.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.with(|wechat| wechat.faults.set(faults));
    }

    /// Everything works again.
    pub fn clear_faults(&self) {
        self.set_faults(Vec::new());
    }

    /// The faults in force, with how often each still happens.
    pub fn faults(&self) -> Vec<Fault> {
        self.with(|wechat| wechat.faults.list())
    }

    /// Chooses between behaviours of WeChat that have both been seen.
    pub fn set_quirks(&self, quirks: Quirks) {
        self.with(|wechat| wechat.quirks = quirks);
    }

    /// The quirks in force.
    pub fn quirks(&self) -> Quirks {
        self.with(|wechat| wechat.quirks)
    }

    /// Every request to WeChat's routes so far, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.with(|wechat| wechat.journal.entries())
    }

    /// Forgets the requests so far.
    pub fn clear_journal(&self) {
        self.with(|wechat| wechat.journal = Journal::default());
    }

    /// Lets time pass for codes, tokens, QR codes and consents; the long poll's hold is in real time.
    pub fn advance(&self, by: Duration) {
        self.changing(|wechat| wechat.clock.advance(by));
    }

    /// The simulator's Unix time.
    pub fn now(&self) -> u64 {
        self.with(|wechat| wechat.now())
    }

    /// Back to how it was built, with nobody logged in and the real time.
    pub fn reset(&self) {
        let fresh = Wechat::new(self.shared.settings.world.clone());
        self.changing(|wechat| *wechat = fresh);
    }

    /// Everything at once, under the one lock; never held while waiting.
    pub(crate) fn with<R>(&self, operation: impl FnOnce(&mut Wechat) -> R) -> R {
        let mut wechat = self.shared.wechat.lock().unwrap_or_else(PoisonError::into_inner);
        operation(&mut wechat)
    }

    /// As [`Simulator::with`], and wakes the long polls afterwards.
    pub(crate) fn changing<R>(&self, operation: impl FnOnce(&mut Wechat) -> R) -> R {
        let result = self.with(operation);
        self.ring();
        result
    }

    pub(crate) fn rules(&self) -> Rules {
        let Builder { strict, allow_loopback_port, .. } = self.shared.settings;
        Rules { strict, allow_loopback_port }
    }

    pub(crate) fn hold(&self) -> Duration {
        self.shared.settings.hold
    }

    pub(crate) fn connect(&self) -> &[(String, String)] {
        &self.shared.settings.connect
    }

    pub(crate) fn public_origin(&self) -> Option<&str> {
        self.shared.settings.public_origin.as_deref()
    }

    /// Where a phone that has scanned something finds this simulator. Calls of the API name a host of WeChat's, so their
    /// `Host` is the last to be asked.
    pub(crate) fn phone_origin(&self, headers: &HeaderMap) -> String {
        let ours = self.public_origin().or_else(|| self.shared.served_at.get().map(String::as_str));
        let host = || headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        ours.map_or_else(|| format!("http://{}", host()), str::to_owned)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.shared.is_closing.load(Ordering::Acquire)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.shared.bell.subscribe()
    }

    fn ring(&self) {
        self.shared.bell.send_replace(());
    }
}

/// What the routes share.
#[derive(Debug)]
struct Shared {
    settings: Builder,
    wechat: Mutex<Wechat>,
    /// Rung when a QR code may have got another status.
    bell: watch::Sender<()>,
    served_at: OnceLock<String>,
    is_closing: AtomicBool,
}

/// All that changes.
#[derive(Debug, Default)]
pub(crate) struct Wechat {
    pub(crate) world: World,
    /// Of the authorize pages and of mobile apps.
    pub(crate) codes: Codes<Grant>,
    /// Of `wx.login`.
    pub(crate) login_codes: Codes<Login>,
    /// Of the phone-number button: whose.
    pub(crate) phone_codes: Codes<String>,
    pub(crate) tokens: Tokens,
    pub(crate) server_tokens: ServerTokens,
    pub(crate) quotas: Quotas,
    pub(crate) mini_programs: MiniPrograms,
    pub(crate) followers: Followers,
    pub(crate) account_codes: AccountCodes,
    pub(crate) deliveries: Deliveries,
    pub(crate) scans: Scans,
    pub(crate) quirks: Quirks,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) clock: Clock,
}

impl Wechat {
    fn new(world: World) -> Self {
        Self { world, ..Self::default() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Makes sure that this person exists.
    pub(crate) fn existing(&self, person: &str) -> Result<&Person, ActError> {
        self.world.person(person).ok_or_else(|| ActError::UnknownPerson(person.to_owned()))
    }
}
