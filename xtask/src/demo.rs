//! The task `demo`: the whole of wxgate on this machine, with the simulator in WeChat's place, and one login walked through it.

mod walk;

use std::{fs, net::TcpListener, path::Path, thread, time::Duration};

use anyhow::{Context, Result, bail};

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
    if let Err(error) = walk::login(&demo.gate, &demo.app, &demo.wechat) {
        demo.stack.show_logs();
        return Err(error);
    }
    if once {
        return Ok(());
    }
    println!("\nNow you: open {} in a browser of this machine.", demo.gate);
    println!("Under the QR code is a link that plays the phone; choose who you are, and allow or refuse.");
    println!("Logs are in {}. Ctrl-C ends all of it.", target().join("demo").display());
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
}

impl Demo {
    fn start(wasm: &Path, envoy: &Path) -> Result<Self> {
        let mut stack = Stack::new("demo")?;
        let keys = Keys::generate()?;
        let gate_port = (GATE_PORT..GATE_PORT + 100).find(|port| is_free(*port)).context("no free port for the gate")?;
        let gate = format!("http://localhost:{gate_port}");
        let jwks = format!("http://127.0.0.1:{gate_port}/wxgate/jwks.json");

        let wechat = stack.start_wechat()?;
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
        Ok(Self { stack, gate, app, wechat })
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
