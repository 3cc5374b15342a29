//! Building the standard library for wasm32-wasip1 from Debian's sources, for a machine whose rustup cannot fetch it.
//!
//! Debian ships a current compiler (`rustc-web`), that compiler's own sources (`rust-web-src`) and the C library of WASI.
//! The toolchain's cargo builds the standard library of those sources with that compiler (`-Z build-std`), and the
//! toolchain's linker links it. This is the only file that knows any of this.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::apt;
use crate::command::{command, output};

const PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "wasi-libc"];
const RUSTC: &str = "/usr/bin/rustc";
const WASI_LIBC: &str = "/usr/lib/wasm32-wasi";

/// The parts, all there.
pub(crate) struct DebianSource {
    /// The sources of the standard library, of the version of [`RUSTC`].
    library: PathBuf,
    linker: PathBuf,
    version: String,
}

impl DebianSource {
    /// Installs the packages that are missing, and finds the parts.
    pub(super) fn install() -> Result<Self> {
        apt::install(&PACKAGES, "wasm32-wasip1 from Debian's sources")?;
        let version = output(command(RUSTC).arg("--version"))?;
        let version = version.split([' ', '+', '-']).nth(1).context("rustc --version names no version")?.to_owned();
        let library = Path::new("/usr/src").join(format!("rustc-{version}")).join("library");
        if !library.is_dir() {
            bail!("{RUSTC} is {version}, but its sources are not in {}: is {} of the same version?", library.display(), PACKAGES[1]);
        }
        // The wasm linker of the toolchain: Debian's own lld may be older than the compiler's objects.
        let sysroot = PathBuf::from(output(command("rustc").args(["--print", "sysroot"]))?);
        let host = output(command("rustc").args(["--print", "host-tuple"]))?;
        let linker = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
        if !linker.is_file() {
            bail!("the Rust toolchain has no {}: please use a toolchain of rustup's", linker.display());
        }
        Ok(Self { library, linker, version })
    }

    /// Turns a cargo command for wasm32-wasip1 into one that builds its standard library too.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        cargo.args(["-Z", "build-std=std,panic_abort"]);
        cargo.env("RUSTC", RUSTC);
        // Stable compilers refuse -Z; cargo looks for sources beside the compiler, where Debian does not put them.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", &self.library);
    }

    /// A cargo that understands `clippy` for this compiler; the toolchain's clippy cannot read what another version compiled.
    pub(crate) fn cargo_clippy(&self) -> Result<Command> {
        apt::install(&["rust-web-clippy"], "clippy for wasm32-wasip1 from Debian's sources")?;
        Ok(command("/usr/bin/cargo-clippy"))
    }

    /// What rustc needs to link with the system's WASI C library instead of one of its own.
    pub(crate) fn rustc_flags(&self) -> Vec<OsString> {
        let mut sources = OsString::from("--remap-path-prefix=");
        sources.push(self.library.parent().unwrap_or(&self.library));
        sources.push("=rust");
        let search = format!("-Lnative={WASI_LIBC}");
        vec!["-Clinker-flavor=wasm-ld".into(), "-Clink-self-contained=no".into(), search.into(), sources]
    }

    /// The linker that understands this compiler's objects.
    pub(crate) fn linker(&self) -> &Path {
        &self.linker
    }
}

impl fmt::Display for DebianSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "built from Debian's sources of Rust {}, since rustup cannot add it here", self.version)
    }
}
