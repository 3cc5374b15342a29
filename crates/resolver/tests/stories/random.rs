//! How stories are told that are made up at random.

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};
use tempfile::TempDir;
use wxgate_resolver::store::SqliteStore;

use crate::support::PATIENT;

/// Tells so many of them: the same ones each time, unless proptest's own variables ask for others.
pub(crate) fn each<S: Strategy>(cases: u32, strategy: S, tell: impl Fn(S::Value)) {
    let asked = ProptestConfig::default();
    let config = ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases },
        rng_seed: if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { asked.rng_seed },
        failure_persistence: None,
        ..asked
    };
    let outcome = TestRunner::new(config).run(&strategy, |story| {
        tell(story);
        Ok::<(), TestCaseError>(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// A new SQLite file, in memory where that is possible: thousands of commits wait for no disk then. It vanishes with its directory.
pub(crate) fn sqlite_in_memory() -> (impl Future<Output = SqliteStore>, TempDir) {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let file = dir.path().join("wxgate.db");
    (async { SqliteStore::open(file, PATIENT).await.unwrap() }, dir)
}
