//! Who may use whom (ARCHITECTURE.md), read off the sources.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::report;
use crate::command::{cargo, output, root};

/// The filter's modules from top to bottom: each may use those of its own and of lower layers.
const LAYERS: [&[&str]; 6] = [
    &["host"],
    &["gate"],
    &["connectors"],
    &["login"],
    &["session", "identity", "wechat", "resolver", "pages"],
    &["form", "http", "json", "secret", "error"],
];
/// What every layer speaks with. These themselves may use what stands below `login`.
const SHARED: [&str; 4] = ["config", "coroutine", "rules", "step"];
/// Exceptions to the above: modules that must not know each other, with the reason.
const STRANGERS: [(&str, &str, &str); 2] = [
    ("wechat", "session", "WeChat's API is the same for everybody; what is kept of its answers is not its business"),
    ("wechat", "pages", "WeChat's API has no visitors"),
];

/// What the core must be given instead of reaching for it, so that it can be tested, and replayed.
const AMBIENT: [(&str, &str); 6] = [
    ("SystemTime::now", "the clock"),
    ("Instant::now", "the clock"),
    ("std::env::", "the environment"),
    ("log::", "the log"),
    ("println!", "the log"),
    ("getrandom", "randomness"),
];

/// The packages of this repository that each of its packages may depend on; one that is not listed may use none.
const PACKAGES: [(&str, &[&str]); 5] = [
    ("wxgate", &["resolver-api"]),
    ("wxgate-conformance", &["resolver-api"]),
    ("wxgate-resolver", &["resolver-api", "wxgate-conformance", "python-venv"]),
    ("wxgate-tests", &["resolver-api", "wxgate-resolver", "wechat-sim", "demo-app", "python-venv"]),
    // For its tests alone, and knows nothing of ours: the simulator stays an independent witness.
    ("wechat-sim", &["python-venv"]),
];

pub(super) fn check() -> Result<()> {
    let mut problems = Vec::new();
    let src = root().join("src");
    for file in sources(&src)? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let path = file.strip_prefix(&src).unwrap_or(&file);
        let place = format!("src/{}", path.display());
        problems.extend(check_file(path, &text).into_iter().map(|(line, problem)| format!("{place}:{line}: {problem}")));
    }
    problems.extend(check_packages()?);
    report(&problems)
}

/// The problems of one file of the filter, given its path below src/, each with its line.
fn check_file(path: &Path, text: &str) -> Vec<(usize, String)> {
    let Some(module) = path.iter().next().and_then(|first| first.to_str()).map(|first| first.trim_end_matches(".rs")) else {
        return Vec::new();
    };
    // The companion is a native program around the core; lib.rs and tests see everything.
    let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
    if module == "bin" || module == "lib" || is_test {
        return Vec::new();
    }
    let method = path.strip_prefix("connectors").ok().and_then(Path::file_stem).and_then(|stem| stem.to_str());
    let method = method.filter(|method| *method != "mod" && !OF_SEVERAL.contains(method));
    let code = code_of(text);
    let mut problems = Vec::new();
    for (at, used) in names_after(&code, "crate::") {
        if let Some(why) = why_not(module, used) {
            problems.push((at, format!("`{module}` uses `{used}`: {why}")));
        }
    }
    if module != "host" {
        problems.extend(paths(&code, "proxy_wasm").map(|at| (at, "only src/host/ knows proxy-wasm".to_owned())));
        for (name, what) in AMBIENT {
            problems.extend(paths(&code, name).map(|at| (at, format!("`{name}`: the core is given {what}, and answers with events"))));
        }
    }
    if let Some(method) = method {
        for (at, other) in ["super::", "connectors::"].iter().flat_map(|prefix| names_after(&code, prefix)) {
            if other != method && is_method(other) {
                problems.push((at, format!("connectors never use each other: `{method}` uses `{other}`")));
            }
        }
    }
    problems.sort();
    let line = |at: usize| code.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    problems.into_iter().map(|(at, problem)| (line(at), problem)).collect()
}

fn why_not(module: &str, used: &str) -> Option<String> {
    if let Some((_, _, why)) = STRANGERS.iter().find(|(one, other, _)| (*one, *other) == (module, used)) {
        return Some((*why).to_owned());
    }
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    // One past `login`: what the shared modules may use.
    let own = if SHARED.contains(&module) { Some(4) } else { layer(module) };
    match (own, layer(used)) {
        (None, _) => Some(format!("`{module}` has no place among the layers; give it one in xtask/src/check/layers.rs")),
        (Some(own), Some(below)) if below < own => Some(format!("it may use {}", allowed(own))),
        _ => None,
    }
}

fn allowed(layer: usize) -> String {
    let below = LAYERS.iter().skip(layer).flat_map(|layer| layer.iter());
    below.chain(SHARED.iter()).copied().collect::<Vec<_>>().join(", ")
}

/// The text without comments, and without the tests at its end, line for line.
fn code_of(text: &str) -> String {
    let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    code.map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

/// The names that follow each `prefix`, with their places: one name, or those of a list in braces.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let Some(rest) = code.get(at + prefix.len()..) else { continue };
        match rest.strip_prefix('{') {
            None => names.push((at, name_at_start(rest))),
            Some(list) => {
                let mut depth = 0;
                let mut start = 0;
                for (end, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth > 0 => depth -= 1,
                        ',' | '}' if depth == 0 => {
                            names.extend(list.get(start..end).map(|item| (at, name_at_start(item.trim_start()))));
                            start = end + 1;
                            if c == '}' {
                                break;
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names.retain(|(_, name)| !name.is_empty());
    names
}

fn name_at_start(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Where a path stands in the code by itself, not as the end of a longer one.
fn paths<'a>(code: &'a str, path: &'a str) -> impl Iterator<Item = usize> {
    code.match_indices(path).map(|(at, _)| at).filter(|at| {
        let before = code.get(..*at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// Files of `connectors` that are no method: what several have in common.
const OF_SEVERAL: [&str; 2] = ["by_code", "by_login_code"];

fn is_method(name: &str) -> bool {
    !OF_SEVERAL.contains(&name) && root().join(format!("src/connectors/{name}.rs")).is_file()
}

fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn check_packages() -> Result<Vec<String>> {
    let metadata: Value = serde_json::from_str(&output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?)?;
    let allowed: BTreeMap<&str, &[&str]> = PACKAGES.into_iter().collect();
    let mut problems = Vec::new();
    for package in list(&metadata, "packages") {
        let name = text(package, "name");
        for dependency in list(package, "dependencies") {
            let used = text(dependency, "name");
            let is_ours = dependency.get("path").is_some_and(Value::is_string);
            if is_ours && !allowed.get(name).is_some_and(|allowed| allowed.contains(&used)) {
                problems.push(format!("the package {name} must not depend on {used}"));
            }
            if used == "proxy-wasm" && text(dependency, "target") != "cfg(target_arch = \"wasm32\")" {
                problems.push(format!("the package {name} must depend on proxy-wasm for wasm32 only"));
            }
        }
    }
    Ok(problems)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        check_file(Path::new(path), text).into_iter().map(|(line, problem)| format!("{line} {problem}")).collect()
    }

    #[test]
    fn a_lower_layer_does_not_use_a_higher_one() {
        assert_eq!(problems("gate.rs", "use crate::{connectors, login::{start, finish}};"), Vec::<String>::new());
        assert_eq!(problems("login/finish.rs", "//! crate::gate\nuse crate::gate::Gate;").len(), 1);
        assert_eq!(problems("session/mod.rs", "use crate::{\n    http,\n    login::{start, gate},\n    gate,\n};").len(), 2);
        assert_eq!(problems("step.rs", "use crate::connectors;").len(), 1);
        assert_eq!(problems("wechat/sns.rs", "use crate::session;").len(), 1);
        assert_eq!(problems("nowhere.rs", "use crate::http;").len(), 1);
    }

    #[test]
    fn tests_may_use_anything() {
        assert_eq!(problems("gate/tests/login.rs", "use crate::host;"), Vec::<String>::new());
        assert_eq!(problems("http.rs", "#[cfg(test)]\nmod tests {\n    use crate::gate;\n}"), Vec::<String>::new());
    }

    #[test]
    fn only_the_host_reaches_outside() {
        assert_eq!(problems("host/root.rs", "use proxy_wasm::traits;\nlet now = SystemTime::now();"), Vec::<String>::new());
        assert_eq!(problems("gate.rs", "use proxy_wasm::traits;\nlog::info!(\"\");\nlet x = catalog::new();").len(), 2);
    }
}
