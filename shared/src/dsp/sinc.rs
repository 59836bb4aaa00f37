//! Reading a signal between its frames.
//!
//! A band-limited signal is known everywhere once it is known at its frames: its value at any place is the sum
//! of the frames around it, each weighted by `sin(pi x) / (pi x)` of its distance `x`. That kernel never ends,
//! so a Kaiser window closes it after 16 frames on either side, and its values are kept in a table: 256 phases
//! between two frames, with a straight line between neighbouring phases.
//!
//! ```text
//!   frames      ...   13   14   15  |  16   17   18   ...        the place lies after frame 15 of the 32:
//!                                ^--|--^                         BEFORE = 15 frames stand before its floor,
//!                               floor  fraction 0.6              AFTER = 16 after
//! ```
//!
//! Two shapes of table:
//!
//! - **Exact.** For a signal that is read at its own rate, a little off it, or more densely. The kernel's zeros
//!   lie on the frames, so a read at a whole frame *is* that frame, bit for bit: a member whose clocks agree
//!   hears what was sent, not an approximation of it. What cannot be kept is the band between 18 and 24 kHz
//!   (at 48 kHz), where a kernel of 32 frames rolls off.
//! - **Decimating.** For a signal that is read more sparsely than its frames lie (a 96 kHz device onto the
//!   grid, the grid onto a 44.1 kHz device). The kernel is stretched, so that what the sparser frames cannot
//!   hold is removed instead of folded back. A read at a whole frame is filtered as well.

use core::f64::consts::PI;

use crate::time::convert::{f32_from_f64, f64_from_usize, usize_trunc};

/// Phases between two frames.
const PHASES: usize = 256;
const PHASES_F64: f64 = 256.0;
/// Frames of the kernel for each frame that a read advances.
const TAPS: usize = 32;
/// The Kaiser window's shape: higher gives less ripple in a narrower band. Found by measurement: the highest
/// that still holds 18 kHz of a 44.1 kHz device near -90 dB; at 48 kHz alone, 10 would gain 6 dB.
const BETA: f64 = 9.2;
/// The advance up to which a read keeps every frame's band: covers any honest clock's error.
const EXACT_UP_TO: f64 = 1.001;
/// A 44.1 kHz device onto the grid: there 18 kHz lies so near to the signal's own end that the exact table needs
/// twice the frames to hold it.
const NARROW: core::ops::Range<f64> = 0.9..0.95;
/// Frames multiplied side by side.
const LANES: usize = 8;

/// A table of interpolation kernels: immutable once built, shared by every reader of its ratio.
#[derive(Debug)]
pub struct Sinc {
    taps: usize,
    kind: Kind,
    /// `PHASES + 1` rows of `taps`; the last is the first, one frame on, so that every phase has a next.
    rows: Box<[f32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Exact,
    Decimating,
}

impl Sinc {
    /// Frames that the exact table needs before the floor of a place.
    pub const BEFORE: usize = TAPS / 2 - 1;
    /// Frames that the exact table needs after the floor of a place.
    pub const AFTER: usize = TAPS / 2;
    /// Frames of the longest table that [`Sinc::for_ratio`] builds: 192 kHz onto the grid.
    pub const MAX_TAPS: usize = TAPS * 4;

    /// The exact table, for reading at the signal's own rate or above. Allocates 33 kB.
    #[must_use]
    pub fn new() -> Self {
        Self::build(TAPS, 1.0, Kind::Exact)
    }

    /// The table for a read that advances by `input_frames_per_output` frames each time: the exact one up to
    /// 1.001 (64 frames long for a 44.1 kHz device onto the grid), above it one that removes what the sparser frames cannot hold, 32 frames long for each whole
    /// frame of the advance (64 at 96 kHz, 128 at 192 kHz, which is the longest). Allocates up to 132 kB.
    #[must_use]
    pub fn for_ratio(input_frames_per_output: f64) -> Self {
        if NARROW.contains(&input_frames_per_output) {
            return Self::build(2 * TAPS, 1.0, Kind::Exact);
        }
        if input_frames_per_output.is_nan() || input_frames_per_output <= EXACT_UP_TO {
            return Self::new();
        }
        // The allowance keeps a clock that runs fast from lengthening the table.
        let stretch = usize_trunc((input_frames_per_output / EXACT_UP_TO).ceil());
        let taps = (TAPS * stretch).min(Self::MAX_TAPS);
        Self::build(taps, 1.0 / input_frames_per_output, Kind::Decimating)
    }

    fn build(taps: usize, cutoff: f64, kind: Kind) -> Self {
        let mut rows = Vec::with_capacity((PHASES + 1) * taps);
        for phase in 0..=PHASES {
            let fraction = f64_from_usize(phase) / PHASES_F64;
            let row: Vec<f64> = (0..taps)
                .map(|tap| {
                    let distance = f64_from_usize(tap) - f64_from_usize(taps / 2 - 1) - fraction;
                    sinc(distance * cutoff) * kaiser(distance / f64_from_usize(taps / 2))
                })
                .collect();
            // Every phase passes a constant unchanged: otherwise the ratio would be heard as a ripple.
            let sum: f64 = row.iter().sum();
            rows.extend(row.iter().map(|weight| f32_from_f64(weight / sum)));
        }
        Self { taps, kind, rows: rows.into_boxed_slice() }
    }

    /// Frames that one read looks at: a multiple of 32.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.taps
    }

    /// Of those, how many stand before the floor of the place that is read.
    #[must_use]
    pub const fn before(&self) -> usize {
        self.taps / 2 - 1
    }

    /// Of those, how many stand after the floor of the place that is read.
    #[must_use]
    pub const fn after(&self) -> usize {
        self.taps / 2
    }

    /// True if a read at a whole frame returns that frame as it is.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self.kind, Kind::Exact)
    }

    /// The value of a stereo signal `fraction` (`0.0..1.0`) past its frame number [`Sinc::before`], from
    /// exactly [`Sinc::taps`] frames of either channel. Both channels share one interpolated kernel.
    ///
    /// Panics if either channel is shorter than [`Sinc::taps`].
    ///
    /// Real-time: yes. Bound: 4 multiplications for each tap.
    #[must_use]
    #[inline]
    pub fn read(&self, left: &[f32], right: &[f32], fraction: f64) -> [f32; 2] {
        if fraction == 0.0 && self.is_exact() {
            return [left[self.before()], right[self.before()]];
        }
        let place = fraction * PHASES_F64;
        let phase = usize_trunc(place).min(PHASES - 1);
        let blend = f32_from_f64(place - f64_from_usize(phase));
        let rows = &self.rows[phase * self.taps..(phase + 2) * self.taps];
        match self.taps {
            TAPS => weigh::<TAPS>(rows, blend, left, right),
            64 => weigh::<64>(rows, blend, left, right),
            96 => weigh::<96>(rows, blend, left, right),
            _ => weigh::<{ Self::MAX_TAPS }>(rows, blend, left, right),
        }
    }
}

impl Default for Sinc {
    fn default() -> Self {
        Self::new()
    }
}

/// The sums of both channels under the kernel that lies `blend` of the way from the first of two rows to the
/// second. The kernel is laid down once, then each channel runs along it by itself: with both in one loop the
/// compiler pairs left with right, and shuffles more than it multiplies.
fn weigh<const N: usize>(rows: &[f32], blend: f32, left: &[f32], right: &[f32]) -> [f32; 2] {
    let (row, next) = rows.split_at(N);
    let mut kernel = [0.0_f32; N];
    for ((weight, row), next) in kernel.iter_mut().zip(row).zip(next) {
        *weight = row + blend * (next - row);
    }
    [left, right].map(|frames| {
        let [a, b, c, d, e, f, g, h] = dot(&kernel, frames.first_chunk().expect("as many frames as taps"));
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    })
}

/// Summed in lanes, without a carry from one to the next, so that the compiler uses vector instructions: the
/// order of a float sum is not the compiler's to change, only its author's. The lanes are returned as they are
/// and not inlined, because the compiler also plans its vectors from how their sum is used: seeing it, it takes
/// half the width.
#[inline(never)]
fn dot<const N: usize>(kernel: &[f32; N], frames: &[f32; N]) -> [f32; LANES] {
    let mut sums = [0.0_f32; LANES];
    for (weights, frames) in kernel.chunks_exact(LANES).zip(frames.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += weights[lane] * frames[lane];
        }
    }
    sums
}

/// `sin(pi x) / (pi x)`, exactly one or zero at whole numbers: a sine's rounding must not blur the frames.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x.fract() == 0.0 {
        0.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The Kaiser window over `-1.0..=1.0`.
fn kaiser(x: f64) -> f64 {
    bessel_i0(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel_i0(BETA)
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut order) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= (x / (2.0 * order)).powi(2);
        sum += term;
        order += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::figures::interpolation_error_db;
    use super::*;

    #[test]
    fn at_18_khz_the_error_stays_below_90_db_at_every_ratio_a_clock_can_have() {
        let sinc = Sinc::new();
        for step in [1.0 - 100e-6, 1.0 - 7e-6, 1.0 + 3e-6, 1.0 + 100e-6, 0.5, 0.25, 0.730_001] {
            for hz in (250..=18_000).step_by(710) {
                let error = interpolation_error_db(&sinc, step, f64::from(hz) / 48_000.0);
                assert!(error <= -90.0, "{hz} Hz at {step}: {error} dB");
            }
        }
    }

    #[test]
    fn a_decimating_table_keeps_the_band_and_removes_what_would_fold_into_it() {
        for device in [88_200.0, 96_000.0, 176_400.0, 192_000.0] {
            let step = device / 48_000.0 * (1.0 + 50e-6);
            let sinc = Sinc::for_ratio(step);
            for hz in [1_000.0, 10_000.0, 18_000.0] {
                let error = interpolation_error_db(&sinc, step, hz / device);
                assert!(error <= -90.0, "{hz} Hz from {device}: {error} dB");
            }
            // A tone at 31 kHz would be heard at 17 kHz. Against silence, the error is what is left of it.
            let (frames, mut loudest) = (4_096, 0.0_f32);
            let tone: Vec<f32> = (0..frames + sinc.taps())
                .map(|n| f32_from_f64((2.0 * PI * 31_000.0 / device * f64_from_usize(n)).sin()))
                .collect();
            for n in 0..frames {
                let fraction = (f64_from_usize(n) * 0.618_034).fract();
                let window = &tone[n..n + sinc.taps()];
                loudest = loudest.max(sinc.read(window, window, fraction)[0].abs());
            }
            assert!(loudest < 1e-4, "{loudest} left from {device}");
        }
    }

    #[test]
    fn tables_are_as_long_as_their_ratio_asks() {
        for (ratio, taps) in [
            (0.25, 32),
            (1.0, 32),
            (1.0001, 32),
            (48.0 / 44.1, 64),
            (2.0 * 1.0001, 64),
            (4.0 * 1.0001, 128),
            (900.0, Sinc::MAX_TAPS),
            (f64::NAN, 32),
        ] {
            let sinc = Sinc::for_ratio(ratio);
            assert_eq!(sinc.taps(), taps, "{ratio}");
            assert_eq!(sinc.before() + 1 + sinc.after(), taps);
            assert_eq!(sinc.is_exact(), taps == 32);
        }
    }

    proptest! {
        #[test]
        fn a_whole_frame_is_returned_bit_for_bit(
            left in prop::collection::vec(any::<f32>(), TAPS),
            right in prop::collection::vec(any::<f32>(), TAPS),
        ) {
            let read = Sinc::new().read(&left, &right, 0.0);
            prop_assert_eq!(read[0].to_bits(), left[Sinc::BEFORE].to_bits());
            prop_assert_eq!(read[1].to_bits(), right[Sinc::BEFORE].to_bits());
        }

        #[test]
        fn a_constant_stays_what_it_is(level in -1.0_f32..1.0, fraction in 0.0..1.0_f64, ratio in 0.5..4.0_f64) {
            let sinc = Sinc::for_ratio(ratio);
            let frames = vec![level; sinc.taps()];
            let [left, right] = sinc.read(&frames, &frames, fraction);
            prop_assert!((left - level).abs() < 1e-6);
            prop_assert_eq!(left.to_bits(), right.to_bits());
        }
    }
}
