//! Users of an older system, read from a file while it arrives.
//!
//! Each row is a user of its own: one that is wrong is reported and loses nothing else. A row is known by its `external_id`, so
//! the same file can be sent again.

mod csv;
mod json_lines;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::fields::FieldProblem;
use super::user::NewUser;

pub use csv::CsvRows;
pub use json_lines::JsonLines;

/// The longest row, in bytes.
pub const LONGEST_ROW: usize = 64 * 1024;

/// A row as it was read: a user to make, or what is wrong.
pub struct Row {
    /// Where it begins, counted from 1.
    pub line: u64,
    /// What it says.
    pub user: Result<Draft, Vec<FieldProblem>>,
}

/// A file, read piece by piece.
pub enum Rows {
    /// With a header row.
    Csv(Box<CsvRows>),
    /// One JSON object a line.
    JsonLines(JsonLines),
}

impl Rows {
    /// The rows that are complete with the next piece of the file.
    ///
    /// # Errors
    ///
    /// The file as a whole cannot be read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Row>, FieldProblem> {
        match self {
            Self::Csv(rows) => rows.push(bytes),
            Self::JsonLines(rows) => Ok(rows.push(bytes)),
        }
    }

    /// The row that ends with the file.
    ///
    /// # Errors
    ///
    /// As [`Rows::push`].
    pub fn finish(&mut self) -> Result<Vec<Row>, FieldProblem> {
        match self {
            Self::Csv(rows) => rows.finish(),
            Self::JsonLines(rows) => Ok(rows.finish()),
        }
    }
}

/// One line of the answer to an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ImportEvent {
    /// A row that failed.
    Row {
        /// Where it begins, counted from 1.
        line: u64,
        /// What is wrong with it. Never a value.
        problems: Vec<FieldProblem>,
    },
    /// So far.
    Progress {
        /// How many rows became what.
        #[serde(flatten)]
        counts: ImportCounts,
    },
    /// The last line.
    End {
        /// How many rows became what.
        #[serde(flatten)]
        counts: ImportCounts,
        /// Whether the file was read to its end.
        complete: bool,
        /// Why it was not. The rows before stay, and the file can be sent again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
}

/// How many rows became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportCounts {
    /// The sum of the others.
    pub done: u64,
    /// New users.
    pub created: u64,
    /// Rows whose `external_id` was known.
    pub unchanged: u64,
    /// Rows that are wrong, or contradict what is there.
    pub failed: u64,
}

/// Checks what a row says.
fn check(user: &NewUser) -> Result<Draft, Vec<FieldProblem>> {
    let draft = Draft::parse(user);
    if user.external_id.is_some() {
        return draft;
    }
    let missing = FieldProblem::new("external_id", "a name that no other row has");
    let mut problems = draft.err().unwrap_or_default();
    problems.insert(0, missing);
    Err(problems)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(mut rows: Rows, text: &[u8], piece: usize) -> Vec<(u64, Option<String>)> {
        let mut read = Vec::new();
        for bytes in text.chunks(piece.max(1)) {
            match rows.push(bytes) {
                Ok(rows) => read.extend(rows),
                Err(_) => return Vec::new(),
            }
        }
        read.extend(rows.finish().unwrap_or_default());
        read.into_iter().map(|row| (row.line, row.user.ok().and_then(|draft| draft.external_id))).collect()
    }

    proptest! {
        #[test]
        fn a_file_says_the_same_in_whatever_pieces_it_arrives(text in "(external_id,name\r?\n)?([a-z{}\":,\" 小\r\n]{0,12}\n){0,8}", piece in 1_usize..9) {
            let csv = || Rows::Csv(Box::default());
            prop_assert_eq!(read(csv(), text.as_bytes(), piece), read(csv(), text.as_bytes(), usize::MAX));
            let json = || Rows::JsonLines(JsonLines::default());
            prop_assert_eq!(read(json(), text.as_bytes(), piece), read(json(), text.as_bytes(), usize::MAX));
        }

        #[test]
        fn no_bytes_stop_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
            read(Rows::Csv(Box::default()), &[b"external_id,name\n".as_slice(), &bytes].concat(), piece);
            read(Rows::Csv(Box::default()), &bytes, piece);
            read(Rows::JsonLines(JsonLines::default()), &bytes, piece);
        }
    }
}
