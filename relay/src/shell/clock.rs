//! The relay's monotonic clock: the one place that reads it.

use std::sync::LazyLock;
use std::time::Instant;

use lockstep_shared::time::LocalTime;
#[cfg(target_os = "linux")]
use lockstep_shared::time::Span;

static EPOCH: LazyLock<Instant> = LazyLock::new(read);

/// The local time now, since the first call in this process.
#[must_use]
pub fn now() -> LocalTime {
    let passed = read().saturating_duration_since(*EPOCH);
    LocalTime::from_nanos(i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX))
}

/// How long ago the system noted `stamp` on its wall clock, which is what it stamps datagrams with. None if that clock
/// was set meanwhile: nothing lies in the future, or waits for longer than [`STAMP_AGE_MAX`].
#[cfg(target_os = "linux")]
#[must_use]
pub fn age_of(stamp: core::time::Duration) -> Option<Span> {
    let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let wall = core::time::Duration::new(u64::try_from(wall.tv_sec).ok()?, u32::try_from(wall.tv_nsec).ok()?);
    let age = Span::from_nanos(i64::try_from(wall.checked_sub(stamp)?.as_nanos()).ok()?);
    (age <= STAMP_AGE_MAX).then_some(age)
}

/// A datagram that waited longer was held up together with everything else, or the wall clock was set.
#[cfg(target_os = "linux")]
const STAMP_AGE_MAX: Span = Span::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn read() -> Instant {
    Instant::now()
}
