//! Builds the filter, `target/wxgate.wasm`, and checks what Envoy will make of it.

pub(crate) mod link;

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use wasmparser::{Parser, Payload};

use crate::{
    command::{cargo, command, root, run, target},
    setup::{
        wasm_opt,
        wasm_target::{self, TRIPLE, WasmTarget},
    },
};

/// V8 compiles the whole module before the listener opens, at 1.5 s of CPU for a megabyte: size is start-up time.
const LIMIT: usize = 700_000;

/// What the module exports, exactly. The SDK exports every callback there is, and Envoy calls into the VM for each one
/// that it finds, so the ones that the filter has no use for are dropped. All of these have to be there:
/// without `proxy_on_request_body` or `proxy_on_request_trailers` Envoy sends an undecided request to the application,
/// and without `proxy_on_delete` the SDK keeps every request's state for ever.
pub(crate) const EXPORTS: [&str; 14] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// What the filter asks of its host, exactly. A new name here is a new power: think before adding it, and add it to
/// `allowed_capabilities` in envoy/envoy.yaml too, or Envoy will refuse the call.
pub(crate) const IMPORTS: [&str; 23] = [
    "env.proxy_add_header_map_value",
    "env.proxy_continue_stream",
    "env.proxy_define_metric",
    "env.proxy_get_buffer_bytes",
    "env.proxy_get_current_time_nanoseconds",
    "env.proxy_get_header_map_pairs",
    "env.proxy_get_header_map_value",
    "env.proxy_get_property",
    "env.proxy_get_shared_data",
    "env.proxy_http_call",
    "env.proxy_increment_metric",
    "env.proxy_log",
    "env.proxy_record_metric",
    "env.proxy_remove_header_map_value",
    "env.proxy_replace_header_map_value",
    "env.proxy_send_local_response",
    "env.proxy_set_effective_context",
    "env.proxy_set_shared_data",
    "env.proxy_set_tick_period_milliseconds",
    "wasi_snapshot_preview1.environ_get",
    "wasi_snapshot_preview1.environ_sizes_get",
    "wasi_snapshot_preview1.fd_write",
    "wasi_snapshot_preview1.random_get",
];

/// What the module imports without ever calling it: methods of the SDK's traits, which its trait objects keep alive, and the end
/// of a process, which the standard library knows. No `allowed_capabilities` has them: a call would be refused.
const NEVER_CALLED: [&str; 17] = [
    "env.proxy_call_foreign_function",
    "env.proxy_close_stream",
    "env.proxy_dequeue_shared_queue",
    "env.proxy_done",
    "env.proxy_enqueue_shared_queue",
    "env.proxy_get_status",
    "env.proxy_grpc_call",
    "env.proxy_grpc_cancel",
    "env.proxy_grpc_close",
    "env.proxy_grpc_send",
    "env.proxy_grpc_stream",
    "env.proxy_register_shared_queue",
    "env.proxy_resolve_shared_queue",
    "env.proxy_set_buffer_bytes",
    "env.proxy_set_header_map_pairs",
    "env.proxy_set_property",
    "wasi_snapshot_preview1.proc_exit",
];

/// Builds the module, checks it, and tells where it is.
pub(crate) fn build() -> Result<PathBuf> {
    let source = wasm_target::find()?;
    println!("{TRIPLE}: {source}");
    // A directory of its own: this build's flags must not make the native ones start again.
    let built = target().join("wasm");
    let mut cargo = cargo();
    cargo.args([
        "rustc",
        "--package",
        "wxgate",
        "--lib",
        "--crate-type",
        "cdylib",
        "--profile",
        "wasm",
        "--target",
        TRIPLE,
        "--target-dir",
    ]);
    cargo.arg(&built);
    apply(&source, &mut cargo);
    cargo.env("CARGO_TARGET_WASM32_WASIP1_LINKER", std::env::current_exe()?);
    cargo.env(link::LINKER, linker(&source));
    // For the last step alone; the linker sees it in wasm/link.rs.
    cargo.arg("--").arg(format!("-Clink-arg={}{}", link::KEEP, EXPORTS.join(",")));
    cargo.args(["-Clink-arg=--compress-relocations"]);
    run(&mut cargo)?;
    let wasm = target().join("wxgate.wasm");
    shrink(&built.join(TRIPLE).join("wasm/wxgate.wasm"), &wasm)?;
    check(&wasm)?;
    Ok(wasm)
}

/// Binaryen still finds a tenth to take away after LLVM, mostly in locals and in blocks.
fn shrink(linked: &Path, wasm: &Path) -> Result<()> {
    let changed = |file: &Path| fs::metadata(file).and_then(|file| file.modified());
    let ingredients = changed(linked)?.max(changed(&std::env::current_exe()?)?);
    if changed(wasm).is_ok_and(|done| done > ingredients) {
        return Ok(());
    }
    let mut wasm_opt = command(wasm_opt::find()?);
    wasm_opt.args(["-Oz", "--converge"]);
    // What rustc's wasm32-wasip1 uses; the list in the module went with the other names.
    for feature in ["bulk-memory", "multivalue", "mutable-globals", "nontrapping-float-to-int", "reference-types", "sign-ext"] {
        wasm_opt.arg(format!("--enable-{feature}"));
    }
    // Whoever reads the module meanwhile sees the old one or the new one.
    let unfinished = wasm.with_extension("wasm.unfinished");
    run(wasm_opt.arg(linked).arg("-o").arg(&unfinished))?;
    fs::rename(&unfinished, wasm).with_context(|| format!("cannot write {}", wasm.display()))
}

/// Gives cargo what it needs to compile for the target from this source; the module then names no path of this machine.
pub(crate) fn apply(source: &WasmTarget, cargo: &mut std::process::Command) {
    let mut flags = vec![remap(root(), "."), remap(&cargo_home(), "cargo")];
    // A panic names its file: a registry's long name in each of them would be 7 kB of the module.
    let registries = fs::read_dir(cargo_home().join("registry/src")).into_iter().flatten().flatten();
    flags.extend(registries.map(|registry| remap(&registry.path(), "crates")));
    // The loops of the ciphers as loops. No request with a session runs them, and unrolled they are 10 kB more.
    flags.extend(["--cfg=aes_backend_soft=\"compact\"", "--cfg=sha2_backend_soft=\"compact\""].map(OsString::from));
    if let WasmTarget::DebianSource(debian) = source {
        debian.apply(cargo);
        flags.extend(debian.rustc_flags());
    }
    // AES takes rounds one after the other instead of unrolled: 5 kB less, for messages of a few hundred bytes.
    flags.extend(["--cfg", "aes_backend_soft=\"compact\""].map(OsString::from));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join(OsStr::new("\x1f")));
}

fn linker(source: &WasmTarget) -> &Path {
    match source {
        // rustc puts its own linker on PATH.
        WasmTarget::Toolchain { .. } => Path::new("rust-lld"),
        WasmTarget::DebianSource(debian) => debian.linker(),
    }
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push(format!("={to}"));
    flag
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    std::env::var_os("CARGO_HOME").map_or_else(|| home().join(".cargo"), PathBuf::from)
}

/// Checks a finished module: its size, its imports, its exports.
fn check(wasm: &Path) -> Result<()> {
    let module = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let mut problems = Vec::new();
    if module.len() > LIMIT {
        problems.push(format!("it has {} bytes, more than {LIMIT}", module.len()));
    }
    let mut imports = BTreeSet::new();
    let mut exports = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&module) {
        match payload.with_context(|| format!("{} is no module", wasm.display()))? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    imports.insert(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    exports.insert(export?.name.to_owned());
                }
            }
            _ => {}
        }
    }
    for import in &imports {
        if !IMPORTS.contains(&import.as_str()) && !NEVER_CALLED.contains(&import.as_str()) {
            problems.push(format!("it imports {import}, which is not in the list of xtask/src/wasm.rs"));
        }
    }
    for import in IMPORTS {
        if !imports.contains(import) {
            problems.push(format!(
                "it does not import {import} any more: take it off the list of xtask/src/wasm.rs and out of envoy/envoy.yaml"
            ));
        }
    }
    for export in EXPORTS {
        if !exports.contains(export) {
            problems.push(format!("it does not export {export}, which Envoy needs"));
        }
    }
    for export in &exports {
        if !EXPORTS.contains(&export.as_str()) {
            problems.push(format!("it exports {export}, which costs a call into the VM and is not in the list of xtask/src/wasm.rs"));
        }
    }
    if !problems.is_empty() {
        bail!("{}:\n  {}", wasm.display(), problems.join("\n  "));
    }
    println!("{}: {} bytes of at most {LIMIT}, {} imports, {} exports", wasm.display(), module.len(), imports.len(), exports.len());
    Ok(())
}
