//! The process's monotonic clock: the one place that reads it.

use std::sync::OnceLock;
use std::time::Instant;

use lockstep_shared::time::LocalTime;

static EPOCH: OnceLock<Instant> = OnceLock::new();

/// The local time now, since the first call in this process.
///
/// Real-time: yes, once called before (it reads the clock from shared memory, without a system call). Bound:
/// constant.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> LocalTime {
    let epoch = EPOCH.get_or_init(Instant::now);
    LocalTime::from_nanos(i64::try_from(epoch.elapsed().as_nanos()).unwrap_or(i64::MAX))
}
