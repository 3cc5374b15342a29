//! This program in the place of the filter's linker. rustc exports every `extern "C"` function that any crate marks
//! `no_mangle`, and offers no way to export fewer. So this one stands between rustc and the real linker and passes on only the
//! exports that are to be kept; the linker then collects whatever only the others kept alive.

use std::{
    ffi::{OsStr, OsString},
    process::{Command, ExitCode},
};

/// The variable that names the real linker, and so asks this program to be one.
pub(crate) const LINKER: &str = "WXGATE_XTASK_LINKER";
/// The argument that lists the exports to keep, separated by commas.
pub(crate) const KEEP: &str = "--wxgate-keep-exports=";

/// The real linker, when rustc is calling.
pub(crate) fn wanted() -> Option<OsString> {
    std::env::var_os(LINKER)
}

/// Links, with fewer exports.
pub(crate) fn run(linker: &OsStr) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match Command::new(linker).args(filtered(arguments)).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run the linker {}: {error}", linker.display());
            ExitCode::FAILURE
        }
    }
}

fn filtered(arguments: Vec<OsString>) -> Vec<OsString> {
    let listed = arguments.iter().find_map(|argument| argument.to_str()?.strip_prefix(KEEP).map(str::to_owned));
    let Some(listed) = listed else { return arguments };
    let kept: Vec<&str> = listed.split(',').collect();
    let mut passed = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--export" {
            let symbol = arguments.next().unwrap_or_default();
            if kept.iter().any(|name| symbol == *name) {
                passed.extend([argument, symbol]);
            }
        } else if !argument.as_encoded_bytes().starts_with(KEEP.as_bytes()) {
            passed.push(argument);
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn only_the_listed_exports_are_passed_on() {
        let given = words("-flavor wasm --export keep --export drop --wxgate-keep-exports=keep,other in.o -o out.wasm");
        assert_eq!(filtered(given), words("-flavor wasm --export keep in.o -o out.wasm"));
    }

    #[test]
    fn without_a_list_nothing_changes() {
        let given = words("-flavor wasm --export any in.o");
        assert_eq!(filtered(given.clone()), given);
    }
}
