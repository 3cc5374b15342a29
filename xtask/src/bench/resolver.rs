//! The task `bench resolver`: logins per second, how long they take and what they cost, on SQLite and on a PostgreSQL of its own, and
//! how that grows with the people who are stored.
//!
//! The load, the resolver and the database share this machine, so the figures compare with each other and not with another
//! machine's. What counts is the growth: for each size a resolver is up at the same time, they get load in turns, and
//! a ratio is taken within each round, where a noisy neighbour slows all of them alike.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{
    load::{Report, cpu_seconds, family_cpu_seconds},
    median,
};
use crate::{
    browser::send_json,
    command::{cargo, command, output, run, target},
    setup::{
        apt,
        postgres::{self, Durability, Postgres},
    },
    stack::Stack,
};

/// How long a resolver gets load before it is measured, so that what is used is in memory.
const WARM_UP_SECONDS: u32 = 2;
/// One that has grown by more than this part is put back to its size.
const MOST_GROWTH: f64 = 0.2;
const TOKEN: &str = "5b1f0c7d9e2a4836b7c1d0e9f8a7b6c5";

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many people are stored, the smallest first
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    sizes: Vec<u32>,

    /// How many logins are under way at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,8,64", value_parser = clap::value_parser!(u32).range(1..=1000))]
    in_flight: Vec<u32>,

    /// How often each case is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// For how long
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
}

/// Who logs in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum People {
    /// Anybody of those who are stored.
    Returning,
    /// Somebody whom nobody knows.
    First,
}

/// One measurement.
#[derive(Clone, Copy, Default)]
struct Window {
    logins: f64,
    logins_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    resolver_micros: f64,
    database_micros: f64,
}

/// Measures, and prints two tables.
pub(crate) fn measure(options: &Options) -> Result<()> {
    ensure!(options.sizes.is_sorted() && !options.sizes.is_empty(), "--sizes: expected the smallest first");
    apt::install(&["wrk", "sqlite3"], "load, and people in SQLite")?;
    run(cargo().args(["build", "--release", "--package", "wxgate-resolver", "--bins"]))?;
    let mut cases = Vec::new();
    let done = measure_all(options, &mut cases);
    // Also after a failure: what was measured until then took its time.
    print_tables(&options.sizes, &cases);
    done
}

fn measure_all(options: &Options, cases: &mut Vec<Case>) -> Result<()> {
    for kind in [DatabaseKind::Sqlite, DatabaseKind::Postgres(postgres::start(Durability::Full)?)] {
        let mut bench = Bench { stack: Stack::new("bench-resolver")?, kind, runs: 0 };
        let mut subjects = options.sizes.iter().map(|people| bench.load(*people)).collect::<Result<Vec<_>>>()?;
        for who in [People::Returning, People::First] {
            for in_flight in &options.in_flight {
                let windows = bench.compare(&mut subjects, who, *in_flight, options)?;
                cases.push(Case { name: format!("{}, {} logins", bench.kind.name(), who.name()), in_flight: *in_flight, windows });
            }
        }
        for subject in subjects {
            bench.stack.stop(subject.id);
        }
    }
    Ok(())
}

/// A kind of database, and where its databases are.
enum DatabaseKind {
    Sqlite,
    Postgres(Postgres),
}

impl DatabaseKind {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

impl People {
    fn name(self) -> &'static str {
        match self {
            Self::Returning => "returning",
            Self::First => "first",
        }
    }
}

/// A resolver with so many people.
struct Subject {
    people: u32,
    id: u32,
    port: u16,
    /// How many came since it had that many.
    newcomers: f64,
}

struct Bench {
    stack: Stack,
    kind: DatabaseKind,
    /// No two runs of the load make up the same people.
    runs: u32,
}

impl Bench {
    /// Fills a database as the resolver itself makes it, keeps it, and starts a resolver on a copy.
    fn load(&mut self, people: u32) -> Result<Subject> {
        println!("{}: {people} people", self.kind.name());
        let kept = format!("people-{people}");
        self.create_empty(&kept)?;
        let (id, _) = self.start(&kept)?;
        self.stack.stop(id);
        let script = match self.kind {
            DatabaseKind::Sqlite => include_str!("resolver/sqlite.sql"),
            DatabaseKind::Postgres(_) => include_str!("resolver/postgres.sql"),
        };
        let file = self.stack.directory.join("people.sql");
        fs::write(&file, script.replace("${PEOPLE}", &people.to_string()))?;
        let mut client = match &self.kind {
            DatabaseKind::Sqlite => {
                let mut sqlite = command("sqlite3");
                sqlite.args(["-bail", "-cmd", "PRAGMA synchronous = OFF"]).arg(self.sqlite_file(&kept));
                sqlite
            }
            DatabaseKind::Postgres(server) => server.psql(&kept)?,
        };
        run(client.stdin(File::open(&file)?))?;
        let mut subject = Subject { people, id: 0, port: 0, newcomers: 0.0 };
        self.restore(&mut subject)?;
        self.probe(&subject)?;
        Ok(subject)
    }

    /// Puts the resolver on a fresh copy of its database, and warms it up.
    fn restore(&mut self, subject: &mut Subject) -> Result<()> {
        if subject.id != 0 {
            self.stack.stop(subject.id);
        }
        let (kept, copy) = (format!("people-{}", subject.people), format!("copy-{}", subject.people));
        match &self.kind {
            DatabaseKind::Sqlite => {
                for leftover in ["-wal", "-shm"] {
                    let _ = fs::remove_file(self.sqlite_file(&format!("{copy}{leftover}")));
                }
                fs::copy(self.sqlite_file(&kept), self.sqlite_file(&copy))?;
            }
            DatabaseKind::Postgres(server) => {
                for statement in [
                    format!("DROP DATABASE IF EXISTS \"{copy}\""),
                    format!("CREATE DATABASE \"{copy}\" TEMPLATE \"{kept}\""),
                    "CHECKPOINT".to_owned(),
                ] {
                    output(server.psql("postgres")?.args(["--command", &statement]))?;
                }
            }
        }
        let (id, port) = self.start(&copy)?;
        *subject = Subject { people: subject.people, id, port, newcomers: 0.0 };
        self.wrk(subject, People::Returning, 8, WARM_UP_SECONDS)?.wait_with_output()?;
        Ok(())
    }

    fn create_empty(&self, database: &str) -> Result<()> {
        match &self.kind {
            // The resolver makes the file.
            DatabaseKind::Sqlite => Ok(()),
            DatabaseKind::Postgres(server) => {
                output(server.psql("postgres")?.args(["--command", &format!("CREATE DATABASE \"{database}\" TEMPLATE template0")]))
                    .map(drop)
            }
        }
    }

    fn start(&mut self, database: &str) -> Result<(u32, u16)> {
        let url = match &self.kind {
            DatabaseKind::Sqlite => format!("sqlite:{}", self.sqlite_file(database).display()),
            DatabaseKind::Postgres(server) => server.url(database),
        };
        let mut resolver = command(target().join("release/wxgate-resolver"));
        resolver.env("WXGATE_RESOLVER_TOKENS", TOKEN).args(["--database", &url]);
        self.stack.start_listening(&format!("resolver-{database}"), &mut resolver)
    }

    fn sqlite_file(&self, database: &str) -> PathBuf {
        self.stack.directory.join(format!("{database}.db"))
    }

    /// Makes sure that the load is what it is taken for.
    fn probe(&mut self, subject: &Subject) -> Result<()> {
        for (openid, unionid, is_new) in
            [("o00000000-6B0t5PZ9kLmNqRsTuV", "u00000000-6B0t5PZ9kLmNqRsTuV", false), ("a stranger", "a stranger", true)]
        {
            let login = json!({
                "idempotency_key": format!("{:064x}", u8::from(is_new)), "pool": "default", "application": "shop", "connector": "pc",
                "method": "website_qr", "platform": "main", "app_id": "wx0000000000000001", "openid": openid, "unionid": unionid,
            });
            let answer = send_json("POST", &format!("http://127.0.0.1:{}/v1/logins", subject.port), Some(TOKEN), &login)?;
            if answer.get("outcome") != Some(&json!("signed_in")) || answer.get("new_user").and_then(Value::as_bool) != Some(is_new) {
                bail!("{openid} was answered {answer}");
            }
        }
        Ok(())
    }

    /// Measures all of them in turns; a list of windows for each.
    fn compare(&mut self, subjects: &mut [Subject], who: People, in_flight: u32, options: &Options) -> Result<Vec<Vec<Window>>> {
        let mut windows = vec![Vec::new(); subjects.len()];
        for round in 0..options.rounds {
            // Another order each time, so that nobody always comes after the same one.
            for turn in 0..subjects.len() {
                let index = (round + turn) % subjects.len();
                let (Some(subject), Some(windows)) = (subjects.get_mut(index), windows.get_mut(index)) else { continue };
                if subject.newcomers > f64::from(subject.people) * MOST_GROWTH {
                    self.restore(subject)?;
                }
                let window = self.window(subject, who, in_flight, options.seconds)?;
                if who == People::First {
                    subject.newcomers += window.logins;
                }
                windows.push(window);
            }
        }
        println!("{}, {} logins, {in_flight} in flight: done", self.kind.name(), who.name());
        Ok(windows)
    }

    fn window(&mut self, subject: &Subject, who: People, in_flight: u32, seconds: u32) -> Result<Window> {
        let before = self.spent(subject)?;
        let done = self.wrk(subject, who, in_flight, seconds)?.wait_with_output()?;
        let report = Report::read(&String::from_utf8_lossy(&done.stdout)).context("wrk against the resolver")?;
        let after = self.spent(subject)?;
        Ok(Window {
            logins: report.requests,
            logins_per_second: report.requests / report.seconds,
            p50_ms: report.p50_micros / 1e3,
            p99_ms: report.p99_micros / 1e3,
            resolver_micros: (after.0 - before.0) * 1e6 / report.requests,
            database_micros: (after.1 - before.1) * 1e6 / report.requests,
        })
    }

    /// CPU seconds of the resolver, and of the database where it is a process of its own.
    fn spent(&self, subject: &Subject) -> Result<(f64, f64)> {
        let database = match &self.kind {
            DatabaseKind::Sqlite => 0.0,
            DatabaseKind::Postgres(server) => family_cpu_seconds(server.id)?,
        };
        Ok((cpu_seconds(subject.id)?, database))
    }

    fn wrk(&mut self, subject: &Subject, who: People, in_flight: u32, seconds: u32) -> Result<Child> {
        self.runs += 1;
        let mut wrk: Command = command("wrk");
        wrk.args(["--threads", "1", "--latency", "--timeout", "10s"]);
        wrk.args(["--connections", &in_flight.to_string(), "--duration", &format!("{seconds}s"), "--script"]);
        wrk.arg(self.stack.directory.join("login.lua")).arg(format!("http://127.0.0.1:{}/v1/logins", subject.port));
        wrk.args(["--", who.name(), &subject.people.to_string(), &self.runs.to_string()]);
        fs::write(self.stack.directory.join("login.lua"), include_str!("resolver/login.lua"))?;
        wrk.env("WXGATE_RESOLVER_TOKEN", TOKEN).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run wrk")
    }
}

/// What was measured of one load: a list of windows for each size.
struct Case {
    name: String,
    in_flight: u32,
    windows: Vec<Vec<Window>>,
}

fn print_tables(sizes: &[u32], cases: &[Case]) {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!("\nThe load, the resolver and the database shared {cores} cores.\n");
    println!("| | people | in flight | logins/s | p50 ms | p99 ms | CPU of the resolver, µs a login | of the database |");
    println!("|---|---|---|---|---|---|---|---|");
    for case in cases {
        for (people, windows) in sizes.iter().zip(&case.windows) {
            let of = |figure: fn(&Window) -> f64| median(&windows.iter().map(figure).collect::<Vec<_>>());
            println!(
                "| {} | {people} | {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} |",
                case.name,
                case.in_flight,
                of(|window| window.logins_per_second),
                of(|window| window.p50_ms),
                of(|window| window.p99_ms),
                of(|window| window.resolver_micros),
                of(|window| window.database_micros),
            );
        }
    }
    let ([smallest, .., largest], true) = (sizes, sizes.len() > 1) else { return };
    println!("\nGrowth, {largest} people ÷ {smallest}: median [min–max] of the rounds.\n");
    println!("| | in flight | logins/s | p50 | p99 | CPU of both |");
    println!("|---|---|---|---|---|---|");
    for case in cases {
        let (Some(small), Some(large)) = (case.windows.first(), case.windows.last()) else { continue };
        let growth = |figure: fn(&Window) -> f64| {
            let ratios: Vec<f64> = small.iter().zip(large).map(|(small, large)| figure(large) / figure(small)).collect();
            let (least, most) = ratios.iter().fold((f64::MAX, f64::MIN), |(least, most), ratio| (least.min(*ratio), most.max(*ratio)));
            format!("{:.2} [{least:.2}–{most:.2}]", median(&ratios))
        };
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            case.name,
            case.in_flight,
            growth(|window| window.logins_per_second),
            growth(|window| window.p50_ms),
            growth(|window| window.p99_ms),
            growth(|window| window.resolver_micros + window.database_micros),
        );
    }
}
