//! What the documents name exists, and nothing names a place on somebody's machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::report;
use crate::command::{command, output, root};

/// A word in backticks that ends like this and has a slash names a file of the repository.
const FILES: [&str; 10] = [".css", ".html", ".json", ".md", ".py", ".rs", ".sh", ".sql", ".toml", ".yaml"];

/// Every relative link, and every `path/like.this` in backticks, leads somewhere.
pub(super) fn check_paths() -> Result<()> {
    let mut problems = Vec::new();
    for file in tracked()?.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        let Ok(text) = fs::read_to_string(root().join(file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let links = links(line).filter(|link| !exists(file, link, false));
            let words = backticked(line).filter(|word| names_a_file(word) && !exists(file, word, true));
            for path in links.chain(words) {
                problems.push(format!("{}:{}: `{path}` does not exist", file.display(), number + 1));
            }
        }
    }
    report(&problems)
}

/// A home directory in the repository is one that only its author has.
pub(super) fn check_machine_paths() -> Result<()> {
    let mut problems = Vec::new();
    for file in tracked()? {
        // Only text counts.
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if ["home", "Users", "root"].iter().any(|directory| has_home(line, directory)) {
                problems.push(format!("{}:{}: names a home directory: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    report(&problems)
}

/// A directory of homes with a name in it, at the start of a path: in the middle of one it is something else.
fn has_home(line: &str, directory: &str) -> bool {
    let start = format!("/{directory}/");
    line.match_indices(&start).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + start.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}')) && after.is_some_and(char::is_alphanumeric)
    })
}

/// The repository's files, new ones included.
fn tracked() -> Result<Vec<PathBuf>> {
    let list =
        output(command("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])).context("the list of files")?;
    Ok(list.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}

/// What comes before a block of code that is a part of a file of the repository.
const QUOTED: &str = "<!-- quoted from ";

/// A block of code below `<!-- quoted from path -->` stands in that file, line by line; how far it is indented does not count.
pub(super) fn check_quotes() -> Result<()> {
    let mut problems = Vec::new();
    for file in tracked()?.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        let Ok(text) = fs::read_to_string(root().join(file)) else { continue };
        for (number, path, quote) in quotes(&text) {
            let place = format!("{}:{number}", file.display());
            match fs::read_to_string(root().join(&path)) {
                Err(_) => problems.push(format!("{place}: `{path}` does not exist")),
                Ok(_) if quote.is_empty() => problems.push(format!("{place}: no block of code follows")),
                Ok(source) if !contains(&source, &quote) => problems.push(format!("{place}: this does not stand in `{path}`")),
                Ok(_) => {}
            }
        }
    }
    report(&problems)
}

/// The quotes of a document: the line of the comment, the file, and the lines of the block.
fn quotes(text: &str) -> Vec<(usize, String, Vec<&str>)> {
    let lines: Vec<&str> = text.lines().collect();
    let comments = lines.iter().enumerate().filter_map(|(at, line)| Some((at, line.strip_prefix(QUOTED)?.strip_suffix(" -->")?)));
    let block = |at: usize| {
        let mut after = lines.iter().skip(at + 1).copied().skip_while(|line| line.is_empty());
        let has_fence = after.next().is_some_and(|line| line.starts_with("```"));
        after.take_while(|line| has_fence && !line.starts_with("```")).collect()
    };
    comments.map(|(at, path)| (at + 1, path.to_owned(), block(at))).collect()
}

/// Whether these lines follow each other somewhere.
fn contains(source: &str, quote: &[&str]) -> bool {
    let source: Vec<&str> = source.lines().map(str::trim).collect();
    let quote: Vec<&str> = quote.iter().map(|line| line.trim()).collect();
    source.windows(quote.len().max(1)).any(|window| window == quote)
}

/// The targets of `[text](target)` that are paths, without their `#section`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let paths = targets.filter(|target| !target.contains(':') && !target.starts_with('#'));
    paths.filter_map(|target| target.split('#').next())
}

fn backticked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn names_a_file(word: &str) -> bool {
    let is_path = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let is_ours = !word.starts_with(['/', '.']) && !word.starts_with("target/");
    let is_file = FILES.iter().any(|extension| word.ends_with(extension)) && word.contains('/');
    let is_inside = word.split_once('/').is_some_and(|(top, _)| root().join(top).is_dir());
    is_path && is_ours && (is_file || is_inside)
}

/// Whether a path that `file` mentions exists, beside it or, for a mention in the text, at the root.
fn exists(file: &Path, path: &str, at_root: bool) -> bool {
    let beside = file.parent().unwrap_or(file).join(path);
    root().join(beside).exists() || (at_root && root().join(path).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_without_their_sections() {
        let line = "see [one](docs/a.md), [two](b.md#part), [web](https://example.com/x) and [here](#here)";
        assert_eq!(links(line).collect::<Vec<_>>(), ["docs/a.md", "b.md"]);
    }

    #[test]
    fn a_quote_stands_in_its_file_line_by_line() {
        let text = "x\n<!-- quoted from a/b.js -->\n\n```js\none();\n  two();\n```\n<!-- quoted from c.js -->\nno block\n";
        let found = quotes(text);
        assert_eq!(found, [(2, "a/b.js".into(), vec!["one();", "  two();"]), (8, "c.js".into(), vec![])]);
        let (_, _, quote) = found.first().unwrap();
        assert!(contains("zero();\n    one();\n      two();\nthree();", quote));
        assert!(!contains("one();\nelse();\ntwo();", quote));
        assert!(!contains("one(); two();", quote));
    }

    #[test]
    fn a_word_names_a_file_when_it_could_not_be_anything_else() {
        assert!(names_a_file("xtask/src/main.rs"));
        assert!(names_a_file("xtask/nothing"));
        assert!(names_a_file("no/such.rs"));
        assert!(!names_a_file("application/json"));
        assert!(!names_a_file("/wxgate/login"));
        assert!(!names_a_file("target/wxgate.wasm"));
        assert!(!names_a_file("src/connectors/<method>.rs"));
    }

    #[test]
    fn a_home_directory_is_told_from_a_path_that_only_looks_like_one() {
        let somebody = ["", "home", "somebody", "x"].join("/");
        assert!(has_home(&format!("see {somebody}"), "home"));
        assert!(!has_home(&format!("https://example.com{somebody}"), "home"));
        assert!(!has_home("GET /home/", "home"));
    }
}
