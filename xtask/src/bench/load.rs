//! Load, and what it cost.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::command::{command, output};

/// Where the measured Envoys run, and where everything else does.
pub(super) const MEASURED_CORE: &str = "0";
pub(super) const OTHER_CORE: &str = "1";

/// A program bound to one core. taskset becomes the program, so the id is the program's own.
pub(super) fn pinned(core: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut taskset = command("taskset");
    taskset.args(["--cpu-list", core]).arg(program);
    taskset
}

/// An Envoy to put load on.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) id: u32,
    pub(super) port: u16,
    /// `Name: value`, in the order in which they are sent.
    pub(super) headers: Vec<String>,
}

/// What a window showed.
pub(super) struct Window {
    pub(super) cpu_micros_per_request: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
}

/// Puts load on all of the targets at the same time.
pub(super) fn load(targets: &[&Target], connections: u32, seconds: u32) -> Result<Vec<Window>> {
    let before = targets.iter().map(|target| cpu_seconds(target.id)).collect::<Result<Vec<_>>>()?;
    let running = targets.iter().map(|target| wrk(target, connections, seconds)).collect::<Result<Vec<_>>>()?;
    let mut reports = Vec::new();
    for (target, wrk) in targets.iter().zip(running) {
        let done = wrk.wait_with_output()?;
        reports.push(Report::read(&String::from_utf8_lossy(&done.stdout)).with_context(|| format!("wrk against {}", target.name))?);
    }
    let mut windows = Vec::new();
    for ((target, before), report) in targets.iter().zip(before).zip(reports) {
        let spent = (cpu_seconds(target.id)? - before) * 1e6;
        let cpu_micros_per_request = spent / report.requests;
        windows.push(Window { cpu_micros_per_request, p50_micros: report.p50_micros, p99_micros: report.p99_micros });
    }
    Ok(windows)
}

/// User and system time of a process with all its threads.
pub(super) fn cpu_seconds(id: u32) -> Result<f64> {
    Ok(Stat::read(id).context("what is measured has ended")?.own_ticks / ticks_per_second()?)
}

/// The same of a process and its children, also of those that have ended.
pub(super) fn family_cpu_seconds(id: u32) -> Result<f64> {
    let parent = Stat::read(id).context("what is measured has ended")?;
    let processes = fs::read_dir("/proc").context("/proc cannot be read")?;
    let ids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    // One that ends while this is read is counted among those that have, the next time.
    let children = ids.filter_map(|process| Stat::read(process).ok()).filter(|child| child.parent == id);
    let ticks = parent.own_ticks + parent.ended_children_ticks + children.map(|child| child.own_ticks).sum::<f64>();
    Ok(ticks / ticks_per_second()?)
}

/// What `/proc/…/stat` says of a process.
struct Stat {
    parent: u32,
    own_ticks: f64,
    ended_children_ticks: f64,
}

impl Stat {
    fn read(id: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The second field is the name in parentheses, which may hold anything. The parent is the 4th; from the 14th on
        // come utime and stime, its own and those of the children that have ended.
        let (_, fields) = stat.rsplit_once(')').context("/proc/…/stat has no name")?;
        let field = |number: usize| fields.split_whitespace().nth(number - 3).and_then(|field| field.parse::<f64>().ok());
        let sum = |one, other| Some(field(one)? + field(other)?);
        let read = || Some(Self { parent: field(4)? as u32, own_ticks: sum(14, 15)?, ended_children_ticks: sum(16, 17)? });
        read().context("/proc/…/stat is not as proc(5) says")
    }
}

fn ticks_per_second() -> Result<f64> {
    Ok(output(command("getconf").arg("CLK_TCK"))?.parse()?)
}

/// The memory that a process holds, in MiB.
pub(super) fn resident_mib(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc/…/status has no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

fn wrk(target: &Target, connections: u32, seconds: u32) -> Result<Child> {
    let mut wrk = pinned(OTHER_CORE, "wrk");
    wrk.args(["--threads", "1", "--latency", "--connections", &connections.to_string(), "--duration", &format!("{seconds}s")]);
    for header in &target.headers {
        wrk.args(["--header", header]);
    }
    wrk.arg(format!("http://127.0.0.1:{}/orders/1017", target.port));
    wrk.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run wrk")
}

/// What wrk says.
#[derive(Debug, PartialEq)]
pub(super) struct Report {
    pub(super) requests: f64,
    pub(super) seconds: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
}

impl Report {
    pub(super) fn read(text: &str) -> Result<Self> {
        if let Some(trouble) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
            bail!("{}", trouble.trim());
        }
        let total = text.lines().find_map(|line| {
            let (requests, rest) = line.trim().split_once(" requests in ")?;
            Some((requests.parse().ok()?, micros(rest.split_once(',')?.0)? / 1e6))
        });
        let (requests, seconds) = total.filter(|(count, _)| *count > 0.0).with_context(|| format!("no requests were answered: {text}"))?;
        let percentile = |name: &str| text.lines().find_map(|line| micros(line.trim().strip_prefix(name)?.trim()));
        Ok(Self {
            requests,
            seconds,
            p50_micros: percentile("50%").context("no 50% latency")?,
            p99_micros: percentile("99%").context("no 99% latency")?,
        })
    }
}

fn micros(text: &str) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(split)?;
    let scale = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let text =
            "  Latency Distribution\n     50%  813.00us\n     75%    1.20ms\n     99%    2.50ms\n  39712 requests in 2.00s, 6.10MB read\n";
        assert_eq!(Report::read(text).unwrap(), Report { requests: 39712.0, seconds: 2.0, p50_micros: 813.0, p99_micros: 2500.0 });
    }

    #[test]
    fn answers_that_are_no_answers_do_not_count() {
        assert!(Report::read("  10 requests in 2.00s\n  Non-2xx or 3xx responses: 10\n").is_err());
    }
}
