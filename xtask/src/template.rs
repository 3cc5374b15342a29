//! Filling in the Envoy configurations that have places for ports and paths.

use std::path::Path;

use anyhow::{Result, bail};

/// What the `${…}` stand for.
pub(crate) struct Values<'a> {
    pub(crate) wasm: &'a Path,
    pub(crate) gate: u16,
    pub(crate) admin: u16,
    pub(crate) app: u16,
    pub(crate) wechat: u16,
    pub(crate) resolver: u16,
}

/// Puts the values in their places; fails on a place that has none.
pub(crate) fn fill(template: &str, values: &Values<'_>) -> Result<String> {
    let filled = template
        .replace("${WASM}", &values.wasm.display().to_string())
        .replace("${GATE_PORT}", &values.gate.to_string())
        .replace("${ADMIN_PORT}", &values.admin.to_string())
        .replace("${APP_PORT}", &values.app.to_string())
        .replace("${WECHAT_PORT}", &values.wechat.to_string())
        .replace("${RESOLVER_PORT}", &values.resolver.to_string());
    // A comment may speak of ${…} itself.
    if let Some(line) = filled.lines().find(|line| line.contains("${") && !line.trim_start().starts_with('#')) {
        bail!("nothing is known to put into `{}`", line.trim());
    }
    Ok(filled)
}
