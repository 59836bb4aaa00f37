//! The one place in `host/` that reads the monotonic clock.

use std::sync::LazyLock;
use std::time::Instant;

use lockstep_shared::time::LocalTime;

static EPOCH: LazyLock<Instant> = LazyLock::new(read);

/// Nanoseconds since the first call in this process.
///
/// Real-time: yes, after the first call (activation makes it). Bound: one clock read.
pub(super) fn now() -> LocalTime {
    LocalTime::from_nanos(
        i64::try_from(read().saturating_duration_since(*EPOCH).as_nanos()).unwrap_or(i64::MAX),
    )
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that the lint points to")]
fn read() -> Instant {
    Instant::now()
}
