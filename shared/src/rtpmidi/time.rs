//! The protocol's clock: 10,000 ticks a second, counted from anywhere.
//!
//! Clock synchronization (CK) carries 64 bits of it, RTP the low 32, which come round every 119 hours. Ours counts from
//! the epoch of the process's monotonic clock; a peer's from wherever it likes, and a [`ClockMap`] finds it on ours.

use crate::time::{LocalTime, Span};

/// An instant of a peer's or of our session clock, in units of 100 us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(u64);

/// The low 32 bits of an instant: what RTP carries. Has no order, only distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timestamp(u32);

/// Where a peer's clock is on ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockMap {
    /// An instant of the peer.
    ticks: Ticks,
    /// When that was.
    local: LocalTime,
    /// How much faster than ours the peer's clock runs; 1e-6 is a millionth.
    skew: f64,
}

/// Nanoseconds of a tick.
const TICK_NANOS: i64 = 100_000;

impl Ticks {
    /// The instant with this count.
    #[must_use]
    pub const fn from_count(count: u64) -> Self {
        Self(count)
    }

    /// `now` of our clock, which must not lie before its epoch.
    #[must_use]
    pub fn at(now: LocalTime) -> Self {
        Self(u64::try_from(now.nanos().div_euclid(TICK_NANOS)).unwrap_or(0))
    }

    /// The count.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.0
    }

    /// What RTP carries of it.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        Timestamp(u32::from_le_bytes([a, b, c, d]))
    }
}

impl Timestamp {
    /// The timestamp with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// `now` of our clock.
    #[must_use]
    pub fn at(now: LocalTime) -> Self {
        Ticks::at(now).timestamp()
    }

    /// The one nearest to `at` of our clock: what is stamped is told to the tenth of a millisecond, not up to one late.
    #[must_use]
    pub fn nearest(at: LocalTime) -> Self {
        Self::at(at + Span::from_nanos(TICK_NANOS / 2))
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The timestamp `ticks` later.
    #[must_use]
    pub const fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// Ticks from `earlier` to this, negative if `earlier` is the later one: the shorter way round.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

impl ClockMap {
    /// The peer's clock said `ticks` at `local` and runs faster than ours by `skew`.
    #[must_use]
    pub const fn new(ticks: Ticks, local: LocalTime, skew: f64) -> Self {
        Self { ticks, local, skew }
    }

    /// When the peer's `timestamp` is on our clock. Bound: right within 59 hours of the map's own instant.
    #[must_use]
    pub fn local(&self, timestamp: Timestamp) -> LocalTime {
        let ticks = timestamp.since(self.ticks.timestamp());
        let seconds = f64::from(ticks) * 1e-4 / (1.0 + self.skew);
        self.local + Span::from_secs_f64(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_come_round() {
        let before = Timestamp::from_bits(u32::MAX - 9);
        assert_eq!(before.plus(20), Timestamp::from_bits(10));
        assert_eq!(before.plus(20).since(before), 20);
        assert_eq!(before.since(before.plus(20)), -20);
        assert_eq!(Ticks::from_count(1 << 32 | 7).timestamp().bits(), 7);
        assert_eq!(Ticks::at(LocalTime::from_nanos(1_000_000_000)).count(), 10_000);
    }

    #[test]
    fn a_map_places_timestamps_before_and_after_it() {
        let second = 1_000_000_000;
        let map =
            ClockMap::new(Ticks::from_count(u64::from(u32::MAX)), LocalTime::from_nanos(5 * second), 100e-6);
        let later = map.local(Timestamp::from_bits(u32::MAX).plus(10_001));
        assert_eq!(later.nanos(), 6 * second);
        let earlier = map.local(Timestamp::from_bits(u32::MAX - 10_001));
        assert_eq!(earlier.nanos(), 4 * second);
    }
}
