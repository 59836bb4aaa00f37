//! The relay's monotonic clock: the one place that reads it.

use std::sync::LazyLock;
use std::time::Instant;

use lockstep_shared::time::LocalTime;

static EPOCH: LazyLock<Instant> = LazyLock::new(read);

/// The local time now, since the first call in this process.
#[must_use]
pub fn now() -> LocalTime {
    let passed = read().saturating_duration_since(*EPOCH);
    LocalTime::from_nanos(i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn read() -> Instant {
    Instant::now()
}
