//! Stamps the git commit, and makes the pages' own style and script ready: without indentation and lines that are comments, which
//! every visitor would load, with the hashes by which the Content-Security-Policy allows them. Nothing else.
//!
//! Out: `style.css` and `login.js` in `OUT_DIR`, `WXGATE_COMMIT` (40 hex digits, or `unknown` outside of a git checkout) and `WXGATE_STYLE_HASH`, `WXGATE_SCRIPT_HASH` (`sha256-…`). The version is
//! Cargo's own `CARGO_PKG_VERSION`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// What stands inline in pages, with the variable that carries its hash.
const INLINE: &[(&str, &str)] = &[("WXGATE_STYLE_HASH", "src/pages/style.css"), ("WXGATE_SCRIPT_HASH", "src/pages/login.js")];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    for (variable, path) in INLINE {
        println!("cargo::rerun-if-changed={path}");
        let content = stripped(path)?;
        println!("cargo::rustc-env={variable}=sha256-{}", STANDARD.encode(Sha256::digest(&content)));
        fs::write(out.join(Path::new(path).file_name().ok_or("a file has a name")?), content)?;
    }
    let checkout = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let commit = commit(&checkout).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=WXGATE_COMMIT={commit}");
    Ok(())
}

fn stripped(path: &str) -> Result<String, Box<dyn Error>> {
    let content = fs::read_to_string(path)?;
    // A browser turns CRLF into LF before it hashes: a policy for the CRLF form would block it in every browser.
    if content.contains('\r') {
        return Err(format!("{path} has CR line ends; store it with LF").into());
    }
    let lines = content.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// The commit that is checked out, read from git's files so that no git program is needed. Each file that decides it is watched, so a
/// new commit or another branch is noticed.
fn commit(checkout: &Path) -> Option<String> {
    let git = git_folder(checkout)?;
    let head = read_watched(&git.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else {
        return object_id(&head);
    };
    // In a linked worktree HEAD is its own, and the branches are in the main checkout's folder.
    let common = fs::read_to_string(git.join("commondir")).map_or_else(|_| git.clone(), |relative| git.join(relative.trim()));
    if let Some(id) = read_watched(&common.join(reference)) {
        return object_id(&id);
    }
    // The branch is packed. Its next commit makes a file of its own: watch the folder where it will appear.
    let folder = common.join(reference).ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_path_buf);
    if let Some(folder) = folder.filter(|folder| *folder != common) {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let packed = read_watched(&common.join("packed-refs"))?;
    packed.lines().find_map(|line| line.strip_suffix(reference)?.strip_suffix(' ').and_then(object_id))
}

/// `.git`, or the folder that it names where this is a linked worktree.
fn git_folder(checkout: &Path) -> Option<PathBuf> {
    let git = checkout.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let pointer = read_watched(&git)?;
    Some(checkout.join(pointer.strip_prefix("gitdir: ")?))
}

/// The trimmed content. Only a file that exists is watched: Cargo would build again every time for one that does not.
fn read_watched(path: &Path) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(content.trim().to_owned())
}

/// Guards against a damaged file: 40 hex digits, or 64 in a SHA-256 repository.
fn object_id(text: &str) -> Option<String> {
    let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| text.to_owned())
}
