//! The task `bench`: what the filter costs per request, in CPU time of Envoy, as a ratio to an Envoy without it.
//!
//! Every case is an Envoy of its own with one worker. All of them share one core; the load, the application behind them and everything
//! else share another. A bare Envoy and one other get load at the same time, so that the scheduler slices their core between them every
//! few milliseconds: a noisy neighbour then slows both alike, and the ratio of what a request cost each of them keeps still where
//! the times themselves do not. The second bare Envoy shows how far a ratio can be trusted. (Time in µs is that ratio times the
//! bare Envoy's cost in a quiet window: good for comparing within one run, not between machines.)

mod empty;
mod load;
pub(crate) mod resolver;

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use self::load::{MEASURED_CORE, OTHER_CORE, Target, Window, cpu_seconds, load, pinned, resident_mib};
use crate::{
    browser::{Browser, post_json},
    command::{cargo, run},
    keys::Keys,
    setup::{apt, envoy},
    stack::{self, Stack},
    template, wasm,
};

/// The whole stack is started so often: what one process was lucky with, such as its memory's layout, is not the filter's.
const GENERATIONS: usize = 2;
const WINDOW_SECONDS: u32 = 2;
const CONNECTIONS: u32 = 16;
/// Long enough for V8 to put its faster code in place.
const WARM_UP_SECONDS: u32 = 3;

/// What a browser sends; each case adds its Host and the same cookies.
const HEADERS: [&str; 10] = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-User: ?1",
    "Priority: u=0, i",
];
const OTHER_COOKIES: &str = "_ga=GA1.1.1234567890.1700000000; _ga_ABCDEFGHIJ=GS1.1.1700000000.1.1.1700000100.0.0.0; theme=dark; lang=zh-CN";

const BARE: &str = "bare";
const GATE: &str = "wxgate";

/// What stands in a case's place for the filter: its module, if it has one.
struct Case {
    name: &'static str,
    wasm: Option<PathBuf>,
}

/// What has been measured of one case.
#[derive(Default)]
struct Figures {
    ratios: Vec<f64>,
    base_micros: Vec<f64>,
    one_connection: Vec<Window>,
    ready_ms: Vec<f64>,
    ready_cpu_ms: Vec<f64>,
    resident_mib: Vec<f64>,
}

/// Measures all cases, and prints a table.
pub(crate) fn measure(rounds: usize) -> Result<()> {
    if thread::available_parallelism()?.get() < 2 {
        bail!("measuring takes two cores: one for Envoy, one for all else");
    }
    let wasm = wasm::build()?;
    let envoy = envoy::find()?;
    apt::install(&["wrk"], "wrk, for load")?;
    run(cargo().args(["build", "--package", "wechat-sim", "--package", "wxgate-resolver", "--bins"]))?;
    let mut stack = Stack::new("bench")?;
    let empty = stack.directory.join("empty.wasm");
    fs::write(&empty, empty::module())?;
    let cases = [
        Case { name: BARE, wasm: None },
        Case { name: "bare again", wasm: None },
        Case { name: "empty filter", wasm: Some(empty) },
        Case { name: GATE, wasm: Some(wasm) },
    ];

    // An idle virtual core takes milliseconds to wake. These loops run only when nothing else does.
    for core in [MEASURED_CORE, OTHER_CORE] {
        let mut spin = pinned(core, "chrt");
        stack.start_program(&format!("spin-{core}"), spin.args(["--idle", "0", "sh", "-c", "while :; do :; done"]))?;
    }
    let keys = Keys::generate()?;
    let mut bench = Bench {
        envoy: envoy.program,
        keys,
        wechat: stack.start_wechat("http://localhost:8080")?,
        resolver: 0,
        application: stack::free_port()?,
        stack,
    };
    bench.resolver = bench.stack.start_resolver(&bench.keys)?;
    bench.start_application()?;

    let mut figures: Vec<Figures> = cases.iter().map(|_| Figures::default()).collect();
    for generation in 0..GENERATIONS {
        let targets = bench.start_cases(&cases, &mut figures, generation)?;
        let (base, others) = targets.split_first().context("no cases")?;
        for target in &targets {
            load(&[target], CONNECTIONS, WARM_UP_SECONDS)?;
        }
        for round in 0..rounds.div_ceil(GENERATIONS) {
            // Another order each time, so that nobody always comes after the same one.
            for turn in 0..others.len() {
                let index = (round + turn) % others.len();
                let (Some(target), Some(figures)) = (others.get(index), figures.get_mut(index + 1)) else { continue };
                let windows = load(&[base, target], CONNECTIONS, WINDOW_SECONDS)?;
                let [bare, case] = windows.as_slice() else { continue };
                figures.ratios.push(case.cpu_micros_per_request / bare.cpu_micros_per_request);
                figures.base_micros.push(bare.cpu_micros_per_request);
            }
            println!("generation {} of {GENERATIONS}, round {} of {}", generation + 1, round + 1, rounds.div_ceil(GENERATIONS));
        }
        for (target, figures) in targets.iter().zip(&mut figures) {
            figures.one_connection.extend(load(&[target], 1, 1)?);
            figures.resident_mib.push(resident_mib(target.id)?);
        }
        for target in targets {
            bench.stack.stop(target.id);
        }
    }
    print_table(&cases, &figures);
    Ok(())
}

struct Bench {
    stack: Stack,
    envoy: PathBuf,
    keys: Keys,
    wechat: u16,
    resolver: u16,
    application: u16,
}

impl Bench {
    /// Starts the Envoys, one after the other so that each start-up can be timed, and logs in.
    fn start_cases(&mut self, cases: &[Case], figures: &mut [Figures], generation: usize) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        for (case, figures) in cases.iter().zip(figures) {
            let port = stack::free_port()?;
            let filter = if case.wasm.is_some() { include_str!("bench/filter.yaml") } else { "" };
            let text = include_str!("bench/envoy.yaml").replace("${FILTER}\n", filter);
            let began = Instant::now();
            let id = self.start_envoy(case.name, MEASURED_CORE, &text, case.wasm.as_deref(), port, generation)?;
            figures.ready_ms.push(began.elapsed().as_secs_f64() * 1e3);
            figures.ready_cpu_ms.push(cpu_seconds(id)? * 1e3);
            targets.push(Target { name: case.name, id, port, headers: Vec::new() });
        }
        let gate = targets.iter().find(|target| target.name == GATE).context("no gate among the cases")?;
        let session = self.log_in(gate.port)?;
        for target in &mut targets {
            target.headers = HEADERS.iter().map(|header| (*header).to_owned()).collect();
            target.headers.push(format!("Host: localhost:{}", target.port));
            target.headers.push(format!("Cookie: {OTHER_COOKIES}; {session}"));
            probe(target)?;
        }
        Ok(targets)
    }

    fn start_application(&mut self) -> Result<()> {
        let port = self.application;
        self.start_envoy("application", OTHER_CORE, include_str!("bench/application.yaml"), None, port, 0).map(drop)
    }

    fn start_envoy(&mut self, name: &str, core: &str, text: &str, wasm: Option<&Path>, port: u16, generation: usize) -> Result<u32> {
        let name = format!("{name}-{generation}").replace(' ', "-");
        let values = template::Values {
            wasm: wasm.unwrap_or(Path::new("")),
            gate: port,
            admin: 0,
            app: self.application,
            wechat: self.wechat,
            resolver: self.resolver,
        };
        let config = self.stack.directory.join(format!("{name}.yaml"));
        fs::write(&config, template::fill(text, &values)?)?;
        let mut envoy = pinned(core, &self.envoy);
        envoy.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "-c"]).arg(&config);
        self.keys.give_to(&mut envoy);
        let id = self.stack.start_program(&name, &mut envoy)?;
        self.stack.wait_for(&name, || TcpStream::connect(("127.0.0.1", port)).ok().map(drop))?;
        Ok(id)
    }

    /// Logs in as a person of the simulator; tells the cookies.
    fn log_in(&self, port: u16) -> Result<String> {
        let gate = format!("http://localhost:{port}");
        let mut browser = Browser::new();
        let mut url = format!("{gate}/wxgate/start/pc?return_to=%2Forders%2F1017");
        while url.starts_with(&gate) {
            let answer = browser.open(&url)?;
            url = answer.location.with_context(|| format!("{url} answered {} without Location: {}", answer.status, answer.body))?;
            if url.starts_with('/') {
                url.insert_str(0, &gate);
            }
        }
        let authorize = format!("http://127.0.0.1:{}/sim/authorize", self.wechat);
        let played = post_json(&authorize, &json!({"url": url, "person": "xiaoming", "allow": true}))?;
        let back = played.get("redirect_to").and_then(Value::as_str).with_context(|| format!("WeChat refused: {played}"))?;
        browser.open(back)?;
        Ok(browser.cookie_header())
    }
}

/// Makes sure that a case does what it is measured for.
fn probe(target: &Target) -> Result<()> {
    let mut curl = Browser::new();
    let headers: Vec<(&str, &str)> = target.headers.iter().filter_map(|header| header.split_once(": ")).collect();
    let answer = curl.send(&format!("http://127.0.0.1:{}/orders/1017", target.port), &headers)?;
    // The application answers with the start of the identity header that it got; every JWT starts alike.
    let has_identity = answer.identity.as_deref().is_some_and(|start| start.starts_with("eyJ"));
    if answer.status != 200 || has_identity != (target.name == GATE) {
        bail!("{}: answered {} with the identity {:?}", target.name, answer.status, answer.identity);
    }
    Ok(())
}

fn print_table(cases: &[Case], figures: &[Figures]) {
    let mut quiet: Vec<f64> = figures.iter().flat_map(|figures| figures.base_micros.iter().copied()).collect();
    quiet.sort_by(f64::total_cmp);
    let quiet = quiet.get(quiet.len() / 10).copied().unwrap_or_default();
    println!("\nA bare Envoy takes {quiet:.0} µs of CPU for a request when the machine is quiet.\n");
    println!(
        "| case | CPU ÷ bare: median [min–max] | µs more than bare | 1 connection p50/p99 µs | ready after ms | CPU ms until then | RSS MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (case, figures) in cases.iter().zip(figures) {
        let (ratio, more) = if figures.ratios.is_empty() {
            ("1".to_owned(), "0".to_owned())
        } else {
            let (least, most) =
                figures.ratios.iter().fold((f64::MAX, f64::MIN), |(least, most), ratio| (least.min(*ratio), most.max(*ratio)));
            let middle = median(&figures.ratios);
            (format!("{middle:.2} [{least:.2}–{most:.2}]"), format!("{:+.0}", (middle - 1.0) * quiet))
        };
        let one = |of: fn(&Window) -> f64| median(&figures.one_connection.iter().map(of).collect::<Vec<_>>());
        println!(
            "| {} | {ratio} | {more} | {:.0}/{:.0} | {:.0} | {:.0} | {:.0} |",
            case.name,
            one(|window| window.p50_micros),
            one(|window| window.p99_micros),
            median(&figures.ready_ms),
            median(&figures.ready_cpu_ms),
            median(&figures.resident_mib),
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    if sorted.len() % 2 == 1 || middle == 0 { at(middle) } else { f64::midpoint(at(middle - 1), at(middle)) }
}
