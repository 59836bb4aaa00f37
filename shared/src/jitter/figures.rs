//! What remains of a strip when its delay is moved about: measured the same way by the tests and the benches.
//!
//! A known signal goes through the window and the pointer while commands follow a curve. The pointer tells for
//! every frame which taps it read; what those taps should have given follows from the signal's formula. The
//! difference is what interpolation, gathering and cutting into blocks have added. Allocates; not for audio.

use core::f64::consts::TAU;
use std::sync::Arc;

use super::{ChunkWindow, Move, ReadPointer};
use crate::dsp::figures::KnownSignal;
use crate::dsp::{ChunkFrames, SILENT_CHUNK, Sinc};
use crate::time::convert::{f64_from_i64, f64_from_usize};
use crate::time::{ChunkIndex, GridFrame};

/// A way to move the delay about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// A user's jumps between 2 and 180 ms, ten a second.
    Steps,
    /// A user's automation from 5 to 105 ms within 2 s, commanded with every block of 64 frames.
    Ramp,
    /// A user's automation by 40 ms around 50, 0.7 times a second, commanded with every block.
    Sine,
    /// Automatic corrections by up to 5 ms.
    Corrections,
}

/// What was measured over 3 s.
#[derive(Clone, Copy, Debug)]
pub struct Residual {
    /// The largest difference from the model, dB below full scale.
    pub peak_dbfs: f64,
    /// The largest step between neighbouring samples, against the largest that the signal has by itself. Two
    /// unlike taps of equal power sum to 1.41 at most.
    pub step_ratio: f64,
    /// Fades and glides that were met.
    pub moving_frames: usize,
}

impl Curve {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("steps", Self::Steps),
        ("ramp", Self::Ramp),
        ("sine", Self::Sine),
        ("corrections", Self::Corrections),
    ];

    /// What is commanded at the block that begins at `frame`, in milliseconds.
    fn command(self, frame: usize) -> Option<(f64, Move)> {
        const JUMPS: [f64; 8] = [20.0, 55.3, 2.0, 180.0, 179.9, 90.07, 12.5, 33.3];
        const CORRECTIONS: [f64; 4] = [20.0, 20.4, 19.1, 24.0];
        let seconds = f64_from_usize(frame) / 48_000.0;
        match self {
            Self::Steps => {
                frame.is_multiple_of(4_800).then(|| (JUMPS[frame / 4_800 % JUMPS.len()], Move::Fade))
            }
            Self::Ramp => Some((5.0 + 50.0 * seconds.min(2.0), Move::Fade)),
            Self::Sine => Some((50.0 + 40.0 * (TAU * 0.7 * seconds).sin(), Move::Fade)),
            Self::Corrections => frame
                .is_multiple_of(38_400)
                .then(|| (CORRECTIONS[frame / 38_400 % CORRECTIONS.len()], Move::Glide)),
        }
    }
}

/// Moves the delay along `curve` for 3 s and compares with the model.
#[must_use]
pub fn automation_residual(curve: Curve, seed: u64) -> Residual {
    const FRAMES: usize = 144_000;
    const BLOCK: usize = 64;
    // A device 50 ppm off, on the lattice of the positions.
    let step = 1.0 + 52.0 / 1_048_576.0;
    let signal = KnownSignal::new(seed);
    let mut window = ChunkWindow::new(ChunkWindow::DEFAULT_CHUNKS);
    let mut pointer = ReadPointer::new(Arc::new(Sinc::new()));
    let begin = GridFrame(1_000_000).position();
    let mut stored = GridFrame(1_000_000 - 12_000).chunk();
    let (mut error, mut largest_step, mut own_step, mut moving_frames) = (0.0_f64, 0.0_f64, 0.0_f64, 0);
    let (mut before, mut own_before) = (0.0, None);
    for frame in 0..FRAMES {
        if frame % BLOCK == 0
            && let Some((millis, way)) = curve.command(frame)
        {
            pointer.command(millis * 48.0, way);
        }
        let first = begin.plus_f64(f64_from_usize(frame) * step);
        while stored.start() < first.floor() {
            window.insert(stored, &chunk_of(&signal, stored));
            stored = stored.plus(1);
        }
        let (mut left, mut right) = ([0.0], [0.0]);
        pointer.read(&mut window, first, step, [&mut left, &mut right]);

        let place = f64_from_i64(first.raw()) / 1_048_576.0;
        let model: f64 = pointer
            .taps()
            .iter()
            .flatten()
            .map(|tap| f64::from(tap.weight) * signal.at(place - tap.delay_frames))
            .sum();
        let heard = f64::from(left[0]);
        error = error.max((heard - model).abs()).max((f64::from(right[0]) + model).abs());
        largest_step = largest_step.max((heard - before).abs());
        before = heard;
        let own = signal.at(place);
        own_step = own_step.max((own - own_before.unwrap_or(own)).abs());
        own_before = Some(own);
        moving_frames += usize::from(pointer.is_moving());
    }
    Residual { peak_dbfs: 20.0 * error.log10(), step_ratio: largest_step / own_step, moving_frames }
}

/// The signal's chunk: its left channel, and the same upside down on the right.
fn chunk_of(signal: &KnownSignal, chunk: ChunkIndex) -> ChunkFrames {
    let mut frames = SILENT_CHUNK;
    for (n, sample) in signal.frames(chunk.start().0, frames[0].len()).into_iter().enumerate() {
        frames[0][n] = sample;
        frames[1][n] = -sample;
    }
    frames
}
