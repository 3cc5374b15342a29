//! What `docs/resolver-api.md` asks of every resolver holds for ours, too.

use wxgate_conformance::{Target, Verdict, run};

use crate::program::Running;
use crate::support::TOKEN;

#[tokio::test]
async fn our_own_resolver_keeps_to_the_page() {
    let running = Running::start(&[]);
    let report = run(Target::new(&running.origin, TOKEN), "", |_| {}).await.unwrap();
    let failed: Vec<_> =
        report.checks.iter().filter(|check| matches!(check.verdict, Verdict::Failed { .. })).map(|check| check.to_string()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(report.passed() > 30, "{report}");
}
