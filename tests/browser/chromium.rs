//! A real browser: Debian's Chromium, through its driver, with a profile of its own.
//!
//! Waiting is always for something that can be seen. What the console says is part of every story: [`Chromium::finish`]
//! fails on whatever the page's policy blocked and on every error but those that the story said it [`Chromium::expects`].

use std::io::{BufRead, BufReader};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{Capabilities, WebElement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wxgate_tests::identity::{self, Identity};
use wxgate_tests::render::in_repository;
use wxgate_tests::visitor::DESKTOP;
use wxgate_tests::{Stack, tool};

/// What does not show within this never will; WeChat's page asks again after two seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Browsers that run at once in this process.
const AT_ONCE: usize = 2;

/// A desk's screen, and a phone's.
pub(crate) const DESK: (u32, u32) = (1280, 800);
/// See [`DESK`].
pub(crate) const HAND: (u32, u32) = (390, 844);

/// How a browser is to be; see [`Chromium::of`].
#[derive(Debug)]
pub(crate) struct Builder {
    origin: String,
    wechat_origin: String,
    user_agent: String,
    languages: String,
    screen: (u32, u32),
    preferences: Value,
    arguments: Vec<String>,
    hosts: Vec<(String, SocketAddr)>,
    is_beside: bool,
}

impl Builder {
    /// Somebody else's browser, in a story that has one already: two stories that each waited for a second one would wait for ever.
    pub(crate) fn beside(mut self, _first: &Chromium) -> Self {
        self.is_beside = true;
        self
    }

    /// Another User-Agent; one of a phone gets a phone's screen.
    pub(crate) fn calling_itself(mut self, user_agent: &str) -> Self {
        user_agent.clone_into(&mut self.user_agent);
        self.screen = if user_agent.contains("Mobile") { HAND } else { DESK };
        self
    }

    /// What `Accept-Language` is made of, such as `zh-CN,zh`; English unless said otherwise.
    pub(crate) fn reading(mut self, languages: &str) -> Self {
        languages.clone_into(&mut self.languages);
        self
    }

    /// A person who has switched cookies off, for all sites.
    pub(crate) fn without_cookies(mut self) -> Self {
        self.preferences["profile.default_content_setting_values.cookies"] = 2.into();
        self
    }

    /// A person who has switched scripts off, for all sites.
    pub(crate) fn without_scripts(mut self) -> Self {
        self.preferences["profile.default_content_setting_values.javascript"] = 2.into();
        self
    }

    /// Finds port 443 of this host there: the only way to a name that is not this machine's.
    pub(crate) fn host(mut self, name: &str, at: SocketAddr) -> Self {
        self.hosts.push((name.to_owned(), at));
        self
    }

    /// One more argument.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Paths are meant at this origin from now on, and WeChat is there.
    pub(crate) fn origins(mut self, application: &str, wechat: &str) -> Self {
        (self.origin, self.wechat_origin) = (application.to_owned(), wechat.to_owned());
        self
    }

    /// Starts it, with one empty window.
    pub(crate) async fn start(self) -> Chromium {
        static PERMITS: OnceLock<Arc<Semaphore>> = OnceLock::new();
        let permits = PERMITS.get_or_init(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
        let permit = if self.is_beside { None } else { Some(permits.acquire_owned().await.expect("never closed")) };
        let profile = tempfile::Builder::new().prefix("wxgate-chromium-").tempdir().expect("a temporary directory");
        let (driver_process, port) = DriverProcess::start();
        let capabilities = self.capabilities(profile.path());
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await.unwrap_or_else(|error| panic!("{error}"));
        let browser = Chromium {
            driver: ManuallyDrop::new(driver),
            origin: self.origin,
            wechat_origin: self.wechat_origin,
            expected: Vec::new(),
            process: driver_process,
            profile,
            permit,
        };
        browser.resize(self.screen).await;
        browser.prefers_dark(false).await;
        browser
    }

    fn capabilities(&self, profile: &Path) -> Capabilities {
        // First match wins; what has no address here does not exist, so no test ever asks the world for anything.
        let known = self.hosts.iter().map(|(name, at)| format!("MAP {name}:443 {at}"));
        let rules: Vec<_> = known.chain(["MAP * ~NOTFOUND", "EXCLUDE localhost", "EXCLUDE 127.0.0.1"].map(str::to_owned)).collect();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            // Tests run as root in containers, where Chromium's sandbox refuses to work. All pages here are our own.
            "--no-sandbox".into(),
            // A container's /dev/shm is too small for it.
            "--disable-dev-shm-usage".into(),
            "--disable-gpu".into(),
            "--no-proxy-server".into(),
            format!("--user-data-dir={}", profile.display()),
            format!("--user-agent={}", self.user_agent),
            format!("--window-size={},{}", self.screen.0, self.screen.1),
            format!("--host-resolver-rules={}", rules.join(",")),
        ];
        arguments.extend(self.arguments.iter().cloned());
        let mut preferences = self.preferences.clone();
        preferences["intl.accept_languages"] = self.languages.clone().into();
        let capabilities = json!({
            "browserName": "chrome",
            // WeChat's page is never quite loaded: its long poll is a script.
            "pageLoadStrategy": "eager",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": tool("WXGATE_CHROMIUM"), "args": arguments, "prefs": preferences},
        });
        capabilities.as_object().cloned().unwrap_or_default().into()
    }
}

/// A running browser. It ends when this is dropped, also when a test fails.
#[derive(Debug)]
pub(crate) struct Chromium {
    /// For whatever has no name here. Never dropped: its own clean-up would wait two minutes for a browser that is gone.
    pub(crate) driver: ManuallyDrop<WebDriver>,
    origin: String,
    wechat_origin: String,
    expected: Vec<String>,
    process: DriverProcess,
    #[expect(dead_code, reason = "held, not read")]
    profile: TempDir,
    #[expect(dead_code, reason = "held, not read")]
    permit: Option<OwnedSemaphorePermit>,
}

impl Chromium {
    /// Somebody's browser with nothing in it, at a desk in front of this stack.
    pub(crate) fn of(stack: &Stack) -> Builder {
        Builder {
            origin: stack.origin.clone(),
            wechat_origin: stack.wechat_origin.clone(),
            user_agent: DESKTOP.into(),
            languages: "en-GB,en".into(),
            screen: DESK,
            preferences: json!({}),
            arguments: Vec::new(),
            hosts: Vec::new(),
            is_beside: false,
        }
    }

    /// Types an address: a path of the application, or a whole address.
    pub(crate) async fn open(&self, target: &str) {
        let url = if target.starts_with('/') { format!("{}{target}", self.origin) } else { target.to_owned() };
        self.driver.goto(&url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Where WeChat is.
    pub(crate) fn wechat_origin(&self) -> &str {
        &self.wechat_origin
    }

    /// The address of this window's page.
    pub(crate) async fn address(&self) -> String {
        self.driver.current_url().await.expect("an address").to_string()
    }

    /// Path and query of this window's page, if it is one of the application's origin.
    pub(crate) async fn path(&self) -> Option<String> {
        self.address().await.strip_prefix(&self.origin).map(str::to_owned)
    }

    /// Waits until this window is at this path with query; whatever stands behind a `#` never leaves the browser.
    pub(crate) async fn arrives_at(&self, path: &str) {
        let is_there = async || (self.path().await?.split('#').next() == Some(path)).then_some(());
        self.eventually(&format!("the page {path}"), is_there).await;
    }

    /// Waits until this window is at WeChat, at a path that starts so.
    pub(crate) async fn arrives_at_wechat(&self, path: &str) {
        let prefix = format!("{}{path}", self.wechat_origin);
        self.eventually(&prefix, async || self.address().await.starts_with(&prefix).then_some(())).await;
    }

    /// Waits until this window is at another callback than this one.
    pub(crate) async fn arrives_at_a_callback_after(&self, before: &str) {
        let is_callback = |path: Option<String>| path.is_some_and(|path| path.starts_with("/wxgate/callback/"));
        let is_there = async || (self.address().await != before && is_callback(self.path().await)).then_some(());
        self.eventually("another callback", is_there).await;
    }

    /// Waits for what this selector means to be in view.
    pub(crate) async fn sees(&self, selector: &str) -> WebElement {
        self.eventually(selector, async || self.in_view(selector).await).await
    }

    /// The first element in view that this selector means.
    pub(crate) async fn in_view(&self, selector: &str) -> Option<WebElement> {
        for element in self.driver.find_all(By::Css(selector)).await.ok()? {
            // It may belong to a page that has just gone.
            if element.is_displayed().await.unwrap_or_default() {
                return Some(element);
            }
        }
        None
    }

    /// Waits for it, and clicks it.
    pub(crate) async fn click(&self, selector: &str) {
        let click = async || self.in_view(selector).await?.click().await.ok();
        self.eventually(&format!("a click on {selector}"), click).await;
    }

    /// Waits for a field, and types into it in place of what stood there.
    pub(crate) async fn types(&self, selector: &str, text: &str) {
        let types = async || {
            let field = self.in_view(selector).await?;
            field.clear().await.ok()?;
            field.send_keys(text).await.ok()
        };
        self.eventually(&format!("a field {selector}"), types).await;
    }

    /// All that a person can read in this window.
    pub(crate) async fn text(&self) -> String {
        let body = async || self.driver.find(By::Tag("body")).await.ok()?.text().await.ok();
        self.eventually("a page", body).await
    }

    /// Waits until a person can read this.
    pub(crate) async fn reads(&self, text: &str) {
        self.eventually(&format!("{text:?}"), async || self.text().await.contains(text).then_some(())).await;
    }

    pub(crate) async fn eventually<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            if std::time::Instant::now() > deadline {
                let body = match self.driver.find(By::Tag("body")).await {
                    Ok(body) => body.text().await.unwrap_or_default(),
                    Err(error) => error.to_string(),
                };
                panic!("not within {PATIENCE:?}: {what}\n--- the window is at {}\n{body}", self.address().await);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The identity that the echo application has shown in this window, checked as an application does it.
    pub(crate) async fn identity(&self, stack: &Stack) -> Identity {
        let said: Value = serde_json::from_str(&self.text().await).expect("the echo application's page");
        let headers = said["headers"].as_array().cloned().unwrap_or_default();
        let tokens: Vec<_> = headers.iter().filter(|pair| pair[0] == "x-wxgate-identity").filter_map(|pair| pair[1].as_str()).collect();
        let [token] = tokens[..] else { panic!("one identity header was expected in {said:#}") };
        let issuer = stack.filter_config["identity"]["issuer"].as_str().unwrap_or_default();
        let keys = stack.visitor().get("/wxgate/jwks.json").await;
        identity::verify(&keys.json(), token, Some((issuer, "shop"))).unwrap_or_else(|error| panic!("{error}: {token}"))
    }

    /// Opens a window and goes on there; gives the one before.
    pub(crate) async fn new_window(&self) -> WindowHandle {
        let before = self.window().await;
        let fresh = self.driver.new_tab().await.expect("a window");
        self.switch_to(&fresh).await;
        before
    }

    /// Goes on in the window that a click has just opened; gives the one before.
    pub(crate) async fn opened_window(&self, windows_before: usize) -> WindowHandle {
        let before = self.window().await;
        let windows = async || self.driver.windows().await.ok().filter(|windows| windows.len() > windows_before);
        let windows = self.eventually("another window", windows).await;
        self.switch_to(windows.last().expect("a window")).await;
        before
    }

    /// This window.
    pub(crate) async fn window(&self) -> WindowHandle {
        self.driver.window().await.expect("a window")
    }

    /// Goes on in another window.
    pub(crate) async fn switch_to(&self, window: &WindowHandle) {
        self.driver.switch_to_window(window.clone()).await.expect("that window");
    }

    /// Closes this window and goes on in that one.
    pub(crate) async fn close_and_switch_to(&self, window: &WindowHandle) {
        self.driver.close_window().await.expect("closed");
        self.switch_to(window).await;
    }

    /// Gives all pages another screen.
    pub(crate) async fn resize(&self, (width, height): (u32, u32)) {
        let is_phone = width < 600;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": if is_phone { 2 } else { 1 }, "mobile": is_phone});
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Dark or light, as the person's system has it. Colours change at once, so that a picture shows what is meant to be seen.
    pub(crate) async fn prefers_dark(&self, is_dark: bool) {
        let scheme = json!({"name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" }});
        let motion = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        self.cdp("Emulation.setEmulatedMedia", json!({"features": [scheme, motion]})).await;
    }

    /// Anything of the DevTools protocol.
    pub(crate) async fn cdp(&self, command: &str, parameters: Value) -> Value {
        let url = self.driver.session_id();
        self.driver.cdp().send_raw(command, parameters).await.unwrap_or_else(|error| panic!("{command} ({url}): {error}"))
    }

    /// The whole page as `target/screenshots/{name}.png`, for a person to judge.
    pub(crate) async fn screenshot(&self, name: &str) {
        let folder = in_repository("target/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder for screenshots");
        let image = self.cdp("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true})).await;
        let image = STANDARD.decode(image["data"].as_str().unwrap_or_default()).expect("base64");
        std::fs::write(folder.join(format!("{name}.png")), image).expect("write a screenshot");
    }

    /// Requests of all windows since this was asked last: method and address.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self.driver.get_log("performance").await.expect("the performance log");
        let events = entries.iter().filter_map(|entry| serde_json::from_str::<Value>(&entry.message).ok());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        let line = |event: Value| {
            let request = &event["message"]["params"]["request"];
            format!("{} {}", request["method"].as_str().unwrap_or_default(), request["url"].as_str().unwrap_or_default())
        };
        sent.map(line).filter(|line| !line.contains(" data:")).collect()
    }

    /// Every cookie that the browser keeps: name and value.
    pub(crate) async fn cookies(&self) -> Vec<(String, String)> {
        let all = self.cdp("Storage.getCookies", json!({})).await;
        let text = |cookie: &Value, key: &str| cookie[key].as_str().unwrap_or_default().to_owned();
        all["cookies"].as_array().into_iter().flatten().map(|cookie| (text(cookie, "name"), text(cookie, "value"))).collect()
    }

    /// Removes all cookies of this host.
    pub(crate) async fn forget_cookies_of(&self, host: &str) {
        let all = self.cdp("Storage.getCookies", json!({})).await;
        for cookie in all["cookies"].as_array().into_iter().flatten().filter(|cookie| cookie["domain"] == host) {
            self.cdp("Network.deleteCookies", json!({"name": cookie["name"], "domain": host})).await;
        }
    }

    /// Says that the console may tell of this: a page that is meant to answer 403 is an error to it. `text` is a part of the line.
    pub(crate) fn expects(&mut self, text: &str) {
        self.expected.push(text.to_owned());
    }

    /// Errors, and whatever a policy blocked, since this was asked last, without what was expected.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.driver.get_log("browser").await.expect("the console");
        let lines = log.into_iter().filter(|entry| entry.level == "SEVERE" || entry.message.contains("Content Security Policy"));
        let lines = lines.map(|entry| format!("{} {}", entry.level, entry.message));
        // People's pictures are WeChat's, and WeChat is far away.
        let is_far = |line: &str| line.contains(".qlogo.cn/") && line.contains("net::ERR_NAME_NOT_RESOLVED");
        let is_favicon = |line: &str| line.contains(&format!("{}/favicon.ico", self.wechat_origin));
        lines.filter(|line| !is_far(line) && !is_favicon(line) && !self.expected.iter().any(|text| line.contains(text))).collect()
    }

    /// Ends the browser and the stack; the story was a good one if nothing is wrong with either.
    pub(crate) async fn finish(self, stack: Stack) {
        // What the browser has seen must stand in no log.
        for (name, value) in self.cookies().await {
            if name.starts_with("__Host-") {
                stack.add_secret(&value);
            }
        }
        for entry in stack.wechat.journal().iter().filter(|entry| entry.path == "/sns/oauth2/access_token") {
            stack.add_secret(entry.parameter("code").expect("an exchange has a code"));
        }
        self.close().await;
        stack.finish().await;
    }

    /// Ends the browser alone; nothing may be wrong with what its console said.
    pub(crate) async fn close(mut self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "the console says:\n{}", complaints.join("\n"));
        let _ = WebDriver::clone(&self.driver).quit().await;
        self.process.kill();
    }
}

/// The driver, at the head of a process group that all of its browser belongs to.
#[derive(Debug)]
struct DriverProcess {
    child: Child,
    /// Held open: the driver would die of a broken pipe.
    output: BufReader<ChildStdout>,
    is_killed: bool,
}

impl DriverProcess {
    /// On a free port, which it names. It takes one for IPv4 and then the same for IPv6, and ends where somebody else has that.
    fn start() -> (Self, u16) {
        let mut said = String::new();
        for _ in 0..5 {
            let mut process = Self::spawn();
            while process.output.read_line(&mut said).is_ok_and(|bytes| bytes > 0) {
                let port = said.lines().last().and_then(|line| line.split_once("started successfully on port "));
                if let Some(port) = port.and_then(|(_, port)| port.trim_end_matches('.').parse().ok()) {
                    return (process, port);
                }
            }
        }
        panic!("the driver ended while starting:\n{said}");
    }

    fn spawn() -> Self {
        let mut child = Command::new(tool("WXGATE_CHROMEDRIVER"))
            .args(["--port=0"])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the driver");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, output, is_killed: false }
    }

    fn kill(&mut self) {
        if std::mem::replace(&mut self.is_killed, true) {
            return;
        }
        // The group is there until its head has been waited for.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
