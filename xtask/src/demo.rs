//! The task `demo`: the whole of wxgate on this machine, with the simulator in WeChat's place, and every method walked through it;
//! first in detail, then for somebody who has an account already, then one after the other.

mod binding;
mod native;
mod scans;
mod walk;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use binding::Operator;
use serde_json::json;
use walk::tell;

use crate::{
    browser::Browser,
    command::{cargo, command, root, run, target},
    keys::Keys,
    setup::envoy,
    stack::{self, Stack},
    template, wasm,
};

/// The gate's port, or the first free one after it.
const GATE_PORT: u16 = 8080;

/// Builds everything, starts it, walks a login; then stays until Ctrl-C, unless that was all that was asked for.
pub(crate) fn run_demo(once: bool) -> Result<()> {
    let wasm = wasm::build()?;
    let envoy = envoy::find()?;
    run(cargo().args(["build", "--package", "wechat-sim", "--package", "wxgate-resolver", "--package", "demo-app", "--bins"]))?;
    let demo = Demo::start(&wasm, &envoy.program)?;
    if let Err(error) = demo.walk() {
        demo.stack.show_logs();
        return Err(error);
    }
    if once {
        return Ok(());
    }
    demo.tell_what_to_try();
    while !demo.stack.has_lost_one() {
        thread::sleep(Duration::from_millis(300));
    }
    demo.stack.show_logs();
    bail!("one of the programs has ended by itself");
}

/// All that runs, and where.
struct Demo {
    stack: Stack,
    gate: String,
    app: String,
    wechat: String,
    resolver: String,
    admin_token: String,
    resolver_log: PathBuf,
}

impl Demo {
    fn walk(&self) -> Result<()> {
        let account = self.operator().make_account()?;
        walk::login(&self.gate, &self.app, &self.wechat)?;
        binding::walk(&self.gate, &self.wechat, &self.operator(), &account)?;
        self.walk_other_methods()
    }

    /// One person by six ways: WeChat gives all of these apps the same unionid for her.
    fn walk_other_methods(&self) -> Result<()> {
        type Method = fn(&str, &str) -> Result<String>;
        const METHODS: [Method; 6] = [
            scans::official_account_web,
            native::mobile_app,
            native::mini_program,
            native::app_to_mini_program,
            scans::mini_program_qr,
            scans::official_account_qr,
        ];
        tell("Now the other six methods, by another person. However she comes, it is one account.");
        let accounts = METHODS.iter().map(|method| method(&self.gate, &self.wechat)).collect::<Result<Vec<_>>>()?;
        if accounts.windows(2).any(|two| two.first() != two.last()) {
            bail!("one person has several accounts: {accounts:?}");
        }
        Ok(())
    }

    fn tell_what_to_try(&self) {
        let Self { gate, wechat, resolver_log, .. } = self;
        println!("\nNow you, in a browser of this machine:");
        println!("  {gate}/account                 the login page, with a tab for each code that can be scanned");
        println!("  {wechat}/sim/camera            a phone: choose who you are, then what to scan");
        println!("    - the website's code (WeChat)  tap it on the phone; allow or refuse");
        println!("    - the mini program's code      tap it, compare the number, confirm");
        println!("    - the official account's code  tap it, follow, tap the link in the chat, confirm");
        println!("  {wechat}/sim/mini-program?appid=wx0000000000000004&page=pages/login/index&query=");
        println!("                                  the mini program by itself: one click, and it calls the application");
        println!("  {gate}/wxgate/account          your own account, with other WeChats to link");
        println!("Inside WeChat: give your browser a User-Agent with MicroMessenger/8.0, and open {gate}/account.");
        println!("What a native app does is walked above.");
        println!("\nTo be asked for an account that exists, as whoever has not logged in yet:");
        println!("    {}", self.operator().command(&json!({"binding": "ask"})));
        println!("and back again, so that first logins make accounts:");
        println!("    {}", self.operator().command(&json!({})));
        println!("One account exists: username {}, password {},", binding::USERNAME, binding::PASSWORD);
        println!("phone {}, e-mail {}. Codes are printed to {}.", binding::PHONE, binding::EMAIL, resolver_log.display());
        println!("\nLogs are in {}. Ctrl-C ends all of it.", target().join("demo").display());
    }

    fn operator(&self) -> Operator<'_> {
        Operator { resolver: &self.resolver, token: &self.admin_token, log: &self.resolver_log }
    }

    fn start(wasm: &Path, envoy: &Path) -> Result<Self> {
        let mut stack = Stack::new("demo")?;
        let keys = Keys::generate()?;
        let gate_port = (GATE_PORT..GATE_PORT + 100).find(|port| is_free(*port)).context("no free port for the gate")?;
        let gate = format!("http://localhost:{gate_port}");
        let jwks = format!("http://127.0.0.1:{gate_port}/wxgate/jwks.json");

        let wechat = stack.start_wechat(&gate)?;
        let resolver = stack.start_resolver(&keys)?;
        let app = stack.start_ours("demo-app", &["--jwks-url", &jwks, "--issuer", &gate, "--audience", "demo"], &[])?;
        let text = fs::read_to_string(root().join("envoy/demo.yaml"))?;
        let config = stack.directory.join("envoy.yaml");
        let values = template::Values { wasm, gate: gate_port, admin: stack::free_port()?, app, wechat, resolver };
        fs::write(&config, template::fill(&text, &values)?)?;
        let mut program = command(envoy);
        program.args(["--log-level", "warning", "--component-log-level", "wasm:info", "--use-dynamic-base-id", "-c"]).arg(&config);
        keys.give_to(&mut program);
        stack.start_program("envoy", &mut program)?;
        stack.wait_for("the gate", || Browser::new().get(&jwks).is_ok_and(|answer| answer.status == 200).then_some(()))?;

        let (app, wechat) = (format!("http://127.0.0.1:{app}"), format!("http://127.0.0.1:{wechat}"));
        println!("running: gate {gate} · application {app} · WeChat {wechat} (the simulator) · resolver on port {resolver}");
        let (resolver, resolver_log) = (format!("http://127.0.0.1:{resolver}"), stack.log("wxgate-resolver"));
        Ok(Self { stack, gate, app, wechat, resolver, admin_token: keys.admin_token, resolver_log })
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
