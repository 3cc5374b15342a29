//! What the checks found, for people and for programs.

use std::fmt;

use serde::Serialize;

/// What all of the checks found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Each check, in the order of `docs/resolver-api.md`.
    pub checks: Vec<Checked>,
}

/// What one check found. Displays as lines for people.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The sentence that holds for every resolver.
    pub name: String,
    /// The section of `docs/resolver-api.md` that says so.
    pub section: &'static str,
    /// Whether it holds for this one.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether a check's sentence holds.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Passed,
    /// It does not.
    Failed {
        /// The request. Never its token.
        sent: String,
        /// What should have come.
        expected: String,
        /// The answer.
        came: String,
    },
    /// It could not be told: the resolver's policy, or what this command was given, does not lead there.
    NotOffered {
        /// What it would have taken.
        why: String,
    },
}

impl Report {
    /// How many checks failed.
    pub fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failed { .. }))
    }

    /// How many checks passed.
    pub fn passed(&self) -> usize {
        self.count(|verdict| *verdict == Verdict::Passed)
    }

    /// How many checks could not be made.
    pub fn not_offered(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::NotOffered { .. }))
    }

    fn count(&self, is_counted: impl Fn(&Verdict) -> bool) -> usize {
        self.checks.iter().filter(|check| is_counted(&check.verdict)).count()
    }
}

/// The summary: a table with a line for each section.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<44} {:>6} {:>6} {:>11}", "section of docs/resolver-api.md", "passed", "failed", "not offered")?;
        for of_section in self.checks.chunk_by(|one, other| one.section == other.section) {
            let section = of_section.first().map_or("", |check| check.section);
            let count = |is_counted: fn(&Verdict) -> bool| of_section.iter().filter(|check| is_counted(&check.verdict)).count();
            let passed = count(|verdict| *verdict == Verdict::Passed);
            let failed = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
            writeln!(out, "{section:<44} {passed:>6} {failed:>6} {:>11}", of_section.len() - passed - failed)?;
        }
        write!(out, "{:<44} {:>6} {:>6} {:>11}", "", self.passed(), self.failed(), self.not_offered())
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Passed => write!(out, "ok           {}", self.name),
            Verdict::NotOffered { why } => write!(out, "not offered  {}: {why}", self.name),
            Verdict::Failed { sent, expected, came } => {
                writeln!(out, "FAILED       {}", self.name)?;
                writeln!(out, "             of        docs/resolver-api.md, {}", self.section)?;
                writeln!(out, "             sent      {sent}")?;
                writeln!(out, "             expected  {expected}")?;
                write!(out, "             came      {came}")
            }
        }
    }
}
