//! What the resolvers of this process write to their log, at the level of an operator who looks for a fault.

use std::io::Write;
use std::sync::{Mutex, Once};

use tracing_subscriber::EnvFilter;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Keeps all that is logged from now on; gives the place of the next line.
pub(crate) fn begin() -> usize {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without the time: its digits could be a code's.
        let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("info,wxgate_resolver=debug")).without_time().with_ansi(false);
        log.with_writer(|| Log).init();
    });
    LOG.lock().expect("not poisoned").len()
}

/// What all of them have logged since that place.
pub(crate) fn since(place: usize) -> String {
    String::from_utf8_lossy(LOG.lock().expect("not poisoned").get(place..).unwrap_or_default()).into_owned()
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
