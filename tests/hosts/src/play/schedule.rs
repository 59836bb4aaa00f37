//! When each block is due, by a simulated audio interface whose clock is off.

use lockstep_shared::time::convert::{f64_from_u64, i64_round};
use lockstep_shared::time::{LocalTime, Span};

/// The due times of blocks: frame `n` falls at `anchor + n / device_rate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    anchor: LocalTime,
    device_rate: f64,
    block_frames: u64,
}

impl Schedule {
    /// A device of nominally `sample_rate` frames a second that runs `ppm` parts in a million fast, and takes its
    /// first block some part of a block's time after `from`: the part that `seed` chooses.
    pub(crate) fn new(from: LocalTime, sample_rate: f64, ppm: f64, block_frames: u64, seed: u64) -> Self {
        let device_rate = sample_rate * (1.0 + ppm * 1e-6);
        let period_seconds = f64_from_u64(block_frames) / device_rate;
        let anchor = from + Span::from_secs_f64(period_seconds * fraction(seed));
        Self { anchor, device_rate, block_frames }
    }

    /// When the process call for block `index` is due.
    pub(crate) fn due(&self, index: u64) -> LocalTime {
        let frames = f64_from_u64(index * self.block_frames);
        self.anchor + Span::from_nanos(i64_round(frames / self.device_rate * 1e9))
    }

    /// The first block that is due after `now`.
    pub(crate) fn next_after(&self, now: LocalTime) -> u64 {
        let blocks = (now - self.anchor).secs_f64() * self.device_rate / f64_from_u64(self.block_frames);
        u64::try_from(i64_round(blocks.floor()) + 1).unwrap_or(0)
    }

    /// When frame 0 falls.
    pub(crate) const fn anchor(&self) -> LocalTime {
        self.anchor
    }

    /// Frames a second by the machine's clock.
    pub(crate) const fn device_rate(&self) -> f64 {
        self.device_rate
    }

    /// Time between two blocks.
    pub(crate) fn period(&self) -> Span {
        Span::from_secs_f64(f64_from_u64(self.block_frames) / self.device_rate)
    }
}

/// `seed` as a number from 0 to 1, spread evenly (SplitMix64's finisher).
fn fraction(seed: u64) -> f64 {
    let mut bits = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    f64_from_u64(bits >> 11) / f64_from_u64(1 << 53)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: LocalTime = LocalTime::from_nanos(5_000_000_000);

    #[test]
    fn a_fast_device_is_due_early_by_its_error() {
        let exact = Schedule::new(START, 48_000.0, 0.0, 64, 1);
        let fast = Schedule::new(exact.anchor(), 48_000.0, 100.0, 64, 1);
        let hour = 48_000 / 64 * 3_600;
        let exact_span = exact.due(hour) - exact.anchor();
        let fast_span = fast.due(hour) - fast.anchor();
        assert_eq!(exact_span, Span::from_millis(3_600_000));
        assert!((exact_span.secs_f64() - fast_span.secs_f64() - 0.36).abs() < 1e-3, "{fast_span:?}");
    }

    #[test]
    fn seeds_spread_the_first_block_over_one_period() {
        let mut offsets: Vec<f64> = (0..64)
            .map(|seed| (Schedule::new(START, 48_000.0, 0.0, 480, seed).anchor() - START).millis_f64())
            .collect();
        offsets.sort_by(f64::total_cmp);
        assert!(offsets[0] < 1.0 && offsets[63] > 9.0 && offsets[63] < 10.0, "{offsets:?}");
    }

    #[test]
    fn the_next_block_is_after_now() {
        let schedule = Schedule::new(START, 44_100.0, -80.0, 333, 7);
        for index in [0, 1, 2, 1_000, 1_000_000] {
            assert_eq!(schedule.next_after(schedule.due(index) + Span::from_micros(1)), index + 1);
        }
    }
}
