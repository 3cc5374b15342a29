//! Debian's packages.

use anyhow::{Result, bail};

use crate::command::{command, on_path, output, run};

/// Installs the packages that are not there yet; `purpose` tells whoever has to do it by hand what they are for.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("{purpose}: installing Debian's {}", missing.join(", "));
    if on_path("apt-get").is_none() {
        bail!("{purpose}: please install what Debian packages as {} (there is no apt-get here to do it)", missing.join(", "));
    }
    let by_hand = format!("{purpose}: please run `apt-get install {}` as root", missing.join(" "));
    let apt_get = || -> Result<std::process::Command> {
        let mut apt_get = if is_root()? {
            command("apt-get")
        } else if on_path("sudo").is_some() {
            let mut sudo = command("sudo");
            sudo.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
            sudo
        } else {
            bail!("{by_hand}, or install sudo");
        };
        // Another installation may hold the lock: a new machine often updates itself first.
        apt_get.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=300"]);
        Ok(apt_get)
    };
    // A stale list, or one source out of reach, matters only if it keeps a package from being installed.
    if let Err(error) = run(apt_get()?.arg("update")) {
        println!("going on: {error:#}");
    }
    if let Err(error) = run(apt_get()?.args(["install", "-y", "--no-install-recommends"]).args(&missing)) {
        bail!("{by_hand} ({error:#})");
    }
    Ok(())
}

/// Whether this is Debian, or something that installs packages like it.
pub(crate) fn is_here() -> bool {
    on_path("apt-get").is_some()
}

fn is_installed(package: &str) -> bool {
    let status = output(command("dpkg-query").args(["--show", "--showformat=${Status}", package]));
    status.is_ok_and(|status| status == "install ok installed")
}

/// Whether this process may do anything.
pub(crate) fn is_root() -> Result<bool> {
    Ok(output(command("id").arg("-u"))? == "0")
}
