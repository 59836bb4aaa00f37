//! The one fractional read pointer of a strip.
//!
//! A receiver has three reasons to delay what it plays: chunks come unevenly, the device's clock is not the
//! room's, and the player wants to hear the others on a beat of their choice. Three delay lines in a row would
//! be three times the latency and three resamplers. But all three say the same thing, *which place of the grid
//! is heard now*, so there is one place, with a fraction, and one interpolator that reads there:
//!
//! ```text
//! place of output frame i = first + i x step - delay
//!                           ^^^^^^^^^^^^^^^^   ^^^^^
//!                           the clocks' maps   jitter target + sync delay, moved by `motion`
//! ```
//!
//! All places are integers of 2^-32 frame. As long as the caller's `first` of the next block is this block's
//! `first + length x step`, the output does not depend on where the blocks are cut, bit for bit. If it is not
//! (the clock map was corrected, the host stalled), the pointer stays where it is for the ear and takes the
//! difference as a delay to be moved, by the same glides and fades: the audio never jumps.

use std::sync::Arc;

use super::motion::{FADE_FRAMES, Law, Motion, Move, ONE, Shape, Taps};
use super::{ChunkWindow, Presence};
use crate::dsp::Sinc;
use crate::time::convert::{f64_from_i64, i64_from_usize, i64_round, usize_from_i64};
use crate::time::{Frames, GridFrame, GridPosition};

/// Output frames that are read at once.
const PIECE: usize = 64;
/// Grid frames that a piece may need: 64 at the steepest step of a 44.1 kHz device, and its kernel.
const SCRATCH: usize = 256;
/// The steps that any device's rate can ask for, with room for its clock's error.
const STEPS: core::ops::RangeInclusive<f64> = 0.125..=1.5;
/// Correlation above which two taps count as alike.
const ALIKE: f64 = 0.3;
/// A caller computes its places to 2^-20 frame; what is off by no more than a few of those is no leap.
const NO_LEAP: i64 = ONE >> 18;
const FRACTION: i64 = ONE - 1;

/// Reads a [`ChunkWindow`] at a moving, fractional place.
#[derive(Debug)]
pub struct ReadPointer {
    sinc: Arc<Sinc>,
    motion: Motion,
    /// Where the next block begins if nothing leaps.
    expected: Option<Place>,
    scratch: [[f32; SCRATCH]; 2],
}

/// A place of the grid: a frame, and how far past it in 2^-32 frame.
#[derive(Clone, Copy, Debug)]
struct Place {
    frame: GridFrame,
    fraction: i64,
}

/// One tap through one piece of a block.
#[derive(Clone, Copy, Debug)]
struct Line {
    from: Place,
    /// From one output frame to the next, in 2^-32 frame.
    stride: i64,
    frames: usize,
}

impl ReadPointer {
    /// A silent pointer. The table is the one for the grid onto the device: [`Sinc::for_ratio`] of the grid
    /// frames for each device frame, which is the exact one from 48 kHz up. It is shared by all pointers of the
    /// device, and whoever built it keeps one reference: the last one frees memory.
    #[must_use]
    pub const fn new(sinc: Arc<Sinc>) -> Self {
        Self { sinc, motion: Motion::new(), expected: None, scratch: [[0.0; SCRATCH]; 2] }
    }

    /// Wants a delay of `delay_frames` grid frames, reached as `way` says. The first command of all fades in
    /// from silence. During a fade the latest command waits for its end.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn command(&mut self, delay_frames: f64, way: Move) {
        self.motion.command(delay_frames, way);
    }

    /// Writes a block. `first` is the place that the room is at when the block's first frame is heard, before
    /// any delay; `step` is the grid frames for each output frame. Both channels of `out` have one length, up
    /// to 4,096 frames or more. Returns the chunks newly passed.
    ///
    /// With a step of exactly one and a place and delay in whole frames, what is written is what was sent, bit
    /// for bit.
    ///
    /// Real-time: yes. Bound: one read of the kernel a frame, two during a fade; at a fade's begin a look at
    /// the last 10 ms.
    pub fn read(
        &mut self,
        window: &mut ChunkWindow,
        first: GridPosition,
        step: f64,
        [left, right]: [&mut [f32]; 2],
    ) -> Presence {
        debug_assert_eq!(left.len(), right.len(), "planar channels are of one length");
        debug_assert!(STEPS.contains(&step), "a step that no device has: {step}");
        let step = if step.is_nan() { 1.0 } else { step.clamp(*STEPS.start(), *STEPS.end()) };
        let stride = i64_round(step * f64_from_i64(ONE));
        let first = Place::of(first);
        if let Some(expected) = self.expected.take() {
            let leap = first.since(expected);
            if leap.abs() > NO_LEAP {
                self.motion.leapt(leap);
            }
        }

        let (mut presence, mut done) = (Presence::default(), 0);
        while done < left.len() {
            let here = first.plus(i64_from_usize(done) * stride);
            if let Some((from, to)) = self.motion.unplanned() {
                let law =
                    from.map_or(Law::Linear, |from| law_between(window, here.plus(-from), here.plus(-to)));
                self.motion.plan(law, stride);
            }
            let segment = self.motion.advance(self.piece(stride).min(left.len() - done), stride);
            let end = done + segment.frames;
            let out = [&mut left[done..end], &mut right[done..end]];
            presence += self.render(window, here, stride, segment.shape, out);
            done = end;
        }
        self.expected = Some(first.plus(i64_from_usize(done) * stride));
        presence
    }

    /// The delay in force, in grid frames; in a fade, of the tap that opens.
    #[must_use]
    pub fn delay_frames(&self) -> f64 {
        self.motion.delay_frames()
    }

    /// True during a glide or a fade.
    #[must_use]
    pub const fn is_moving(&self) -> bool {
        self.motion.is_moving()
    }

    /// What the last frame of the last block was read from.
    #[must_use]
    pub const fn taps(&self) -> Taps {
        self.motion.taps()
    }

    /// Output frames whose grid frames fit into the scratch at this stride, and one more for a glide.
    fn piece(&self, stride: i64) -> usize {
        let room = i64_from_usize(SCRATCH - self.sinc.taps() - 2) * ONE;
        usize_from_i64(room / (stride + stride / 500)).clamp(1, PIECE)
    }

    fn render(
        &mut self,
        window: &mut ChunkWindow,
        here: Place,
        stride: i64,
        shape: Shape,
        [left, right]: [&mut [f32]; 2],
    ) -> Presence {
        let frames = left.len();
        let line =
            |delay: i64, change: i64| Line { from: here.plus(-delay), stride: stride - change, frames };
        match shape {
            Shape::Silence => {
                left.fill(0.0);
                right.fill(0.0);
                Presence::default()
            }
            Shape::One { delay, change } => {
                self.tap(window, line(delay, change), |n, frame| [left[n], right[n]] = frame)
            }
            Shape::Two { from, to, plan } => {
                left.fill(0.0);
                right.fill(0.0);
                let mut add = |n: usize, weight: f32, frame: [f32; 2]| {
                    left[n] += weight * frame[0];
                    right[n] += weight * frame[1];
                };
                let mut presence = Presence::default();
                if let Some(from) = from {
                    presence += self.tap(window, line(from, 0), |n, frame| add(n, plan.weights(n)[0], frame));
                }
                presence += self.tap(window, line(to, 0), |n, frame| add(n, plan.weights(n)[1], frame));
                presence
            }
        }
    }

    /// Reads along one line and hands every frame to `put`.
    fn tap(
        &mut self,
        window: &mut ChunkWindow,
        line: Line,
        mut put: impl FnMut(usize, [f32; 2]),
    ) -> Presence {
        let taps = self.sinc.taps();
        let last = line.from.fraction + i64_from_usize(line.frames.saturating_sub(1)) * line.stride;
        let needed = usize_from_i64(last / ONE) + taps;
        let [left, right] = &mut self.scratch;
        let [left, right] = [&mut left[..needed], &mut right[..needed]];
        let start = line.from.frame - Frames(i64_from_usize(self.sinc.before()));
        let presence = window.gather(start, [&mut *left, &mut *right]);
        let mut place = line.from.fraction;
        for n in 0..line.frames {
            let at = usize_from_i64(place / ONE);
            let fraction = f64_from_i64(place & FRACTION) / f64_from_i64(ONE);
            put(n, self.sinc.read(&left[at..at + taps], &right[at..at + taps], fraction));
            place += line.stride;
        }
        presence
    }
}

impl Place {
    fn of(position: GridPosition) -> Self {
        Self { frame: position.floor(), fraction: i64_round(position.fraction() * f64_from_i64(ONE)) }
    }

    const fn plus(self, fixed: i64) -> Self {
        let sum = self.fraction + fixed;
        Self { frame: GridFrame(self.frame.0 + (sum >> 32)), fraction: sum & FRACTION }
    }

    /// In 2^-32 frame, saturating.
    const fn since(self, earlier: Self) -> i64 {
        let frames = self.frame.0.saturating_sub(earlier.frame.0);
        frames.saturating_mul(ONE).saturating_add(self.fraction - earlier.fraction)
    }
}

/// How to fade between two places, by how alike the 10 ms before them are. Whole frames are near enough: a part
/// of a frame matters only to what is too high to be told apart.
fn law_between(window: &ChunkWindow, from: Place, to: Place) -> Law {
    const STRETCH: usize = FADE_FRAMES / 5;
    let mut taps = [[[0.0_f32; STRETCH]; 2]; 2];
    let (mut product, mut powers) = (0.0_f64, [0.0_f64; 2]);
    for stretch in 1..=FADE_FRAMES / STRETCH {
        for ([left, right], place) in taps.iter_mut().zip([from, to]) {
            window.peek(place.frame - Frames(i64_from_usize(stretch * STRETCH)), [left, right]);
        }
        for (a, b) in taps[0].as_flattened().iter().zip(taps[1].as_flattened()) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            product += a * b;
            powers[0] += a * a;
            powers[1] += b * b;
        }
    }
    // One of them silent: nothing to be alike, and a line is the gentler slope.
    if product > ALIKE * (powers[0] * powers[1]).sqrt() || powers[0] * powers[1] == 0.0 {
        Law::Linear
    } else {
        Law::EqualPower
    }
}

#[cfg(test)]
#[path = "pointer_tests.rs"]
mod tests;
