//! Every shipped Envoy configuration is valid, filter configuration included, and keeps the promises of docs/operations.md.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::report;
use crate::{
    command::{command, root, target},
    keys::{self, Keys},
    setup::{apt, envoy},
    template, wasm,
};

/// Lines that every configuration has, each with what its absence would mean.
const REQUIRED: [(&str, &str); 8] = [
    ("failure_policy: FAIL_RELOAD", "any other policy is unsafe or never recovers"),
    ("allow_on_headers_stop_iteration: true", "the filter would never see a body"),
    ("vm_id: wxgate", "workers would share data with any other plugin"),
    ("normalize_path: true", "rules would match another path than the application sees"),
    ("merge_slashes: true", "rules would match another path than the application sees"),
    ("path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT", "rules would match another path than the application sees"),
    ("headers_with_underscores_action: REJECT_REQUEST", "some applications read x_wxgate_identity as x-wxgate-identity"),
    ("- remove: x-wxgate-identity", "a client's header would reach the application wherever the filter does not run"),
];

const TRUSTED_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(super) fn check() -> Result<()> {
    let files: Vec<PathBuf> = fs::read_dir(root().join("envoy"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|extension| extension == "yaml")))
        .collect::<Result<_, _>>()?;
    let mut problems = Vec::new();
    let mut configs = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        // The others, such as compose.yaml, are not for Envoy.
        if text.contains("\nstatic_resources:") {
            problems.extend(missing_lines(&file, &text));
            configs.push((file, text));
        }
    }
    problems.extend(capabilities(&configs)?);
    report(&problems)?;
    validate(&configs)
}

fn missing_lines(file: &Path, text: &str) -> Vec<String> {
    let lines: BTreeSet<&str> = text.lines().map(str::trim).collect();
    let missing = REQUIRED.iter().filter(|(line, _)| !lines.contains(line));
    missing.map(|(line, why)| format!("{} lacks the line `{line}`: {why}", shown(file))).collect()
}

/// What a configuration allows the module is exactly what the module uses.
fn capabilities(configs: &[(PathBuf, String)]) -> Result<Vec<String>> {
    let callbacks = wasm::EXPORTS.into_iter().filter(|name| name.starts_with("proxy_on_") && *name != "proxy_on_memory_allocate");
    let functions = wasm::IMPORTS.iter().filter_map(|import| import.split('.').nth(1));
    let used: BTreeSet<&str> = callbacks.chain(functions).collect();
    let mut problems = Vec::new();
    let mut restricted = 0;
    for (file, text) in configs {
        let Some((_, after)) = text.split_once("allowed_capabilities:\n") else { continue };
        restricted += 1;
        let block = after.lines().map(str::trim).take_while(|line| line.starts_with('#') || line.ends_with(": {}"));
        let allowed: BTreeSet<&str> = block.filter_map(|line| line.strip_suffix(": {}")).collect();
        problems.extend(used.difference(&allowed).map(|name| format!("{} does not allow {name}, which the filter uses", shown(file))));
        problems.extend(allowed.difference(&used).map(|name| format!("{} allows {name}, which the filter does not use", shown(file))));
    }
    if restricted == 0 {
        bail!("no configuration in envoy/ has allowed_capabilities");
    }
    Ok(problems)
}

/// Envoy loads the module, and the module compiles its configuration, in validate mode too.
fn validate(configs: &[(PathBuf, String)]) -> Result<()> {
    let wasm = wasm::build()?;
    let envoy = envoy::find()?;
    let keys = Keys::generate()?;
    if !Path::new(TRUSTED_CA).is_file() {
        apt::install(&["ca-certificates"], TRUSTED_CA)?;
    }
    let files = target().join("check");
    fs::create_dir_all(files.join("tls"))?;
    fs::copy(&wasm, files.join("wxgate.wasm"))?;
    keys::certificate("shop.example.com", &files.join("tls/server.crt"), &files.join("tls/server.key"))?;
    keys::certificate("resolver.internal", &files.join("tls/resolver-ca.crt"), &files.join("tls/resolver-ca.key"))?;

    let mut problems = Vec::new();
    for (file, text) in configs {
        let text = text.replace("/etc/wxgate/", &format!("{}/", files.display()));
        let text = template::fill(&text, &template::Values { wasm: &wasm, gate: 1, admin: 2, app: 3, wechat: 4, resolver: 5 })
            .with_context(|| shown(file))?;
        let rendered = files.join(file.file_name().unwrap_or_default());
        fs::write(&rendered, text)?;
        let mut validate = command(&envoy.program);
        validate.args(["--mode", "validate", "--log-level", "warning", "-c"]).arg(&rendered);
        keys.give_to(&mut validate);
        println!("$ envoy --mode validate -c {}", shown(file));
        let done = validate.output().with_context(|| format!("cannot run {}", envoy.program.display()))?;
        let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        // A warning here is a field that the next Envoy will have dropped.
        let complaints: Vec<&str> = said.lines().filter(|line| line.starts_with('[')).collect();
        if !done.status.success() || !complaints.is_empty() {
            problems.push(format!("{}: envoy --mode validate says:\n    {}", shown(file), said.trim().replace('\n', "\n    ")));
        }
    }
    report(&problems)
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}
