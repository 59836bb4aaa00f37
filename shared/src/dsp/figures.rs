//! The interpolator's figures, measured the same way by the tests and by the benches. Allocates; not for audio.

use core::f64::consts::PI;

use super::Sinc;
use crate::time::convert::{f32_from_f64, f64_from_usize, i64_floor, i64_from_usize, usize_from_i64};

/// Outputs that a measurement reads: at 1 ppm every 16th phase is met, at 100 ppm all of them.
const OUTPUTS: usize = 20_000;

/// How far the tone of `cycles_per_frame` comes out of `sinc` from what it is by its formula, when read every
/// `step` frames: the root mean square of the error against that of the tone, in dB.
#[must_use]
pub fn interpolation_error_db(sinc: &Sinc, step: f64, cycles_per_frame: f64) -> f64 {
    let tone = |frame: f64| 0.5 * (2.0 * PI * cycles_per_frame * frame).sin();
    let last = i64_floor(f64_from_usize(OUTPUTS) * step) + 1;
    let input: Vec<f32> = (0..usize_from_i64(last) + sinc.taps())
        .map(|frame| f32_from_f64(tone(f64_from_usize(frame))))
        .collect();
    let (mut error, mut power) = (0.0, 0.0);
    for output in 0..OUTPUTS {
        // A start between two frames, so that no ratio begins with the table's best phase.
        let place = 0.377 + f64_from_usize(output) * step;
        let floor = usize_from_i64(i64_floor(place));
        let window = &input[floor..floor + sinc.taps()];
        let [got, _] = sinc.read(window, window, place.fract());
        let wanted = tone(place + f64_from_usize(sinc.before()));
        error += (f64::from(got) - wanted).powi(2);
        power += wanted * wanted;
    }
    10.0 * (error / power).log10()
}

/// A band-limited signal that is known everywhere by its formula: what a test reads between frames, it can
/// compare. A few tones with an octave of noise above them, all of it built of sines, at most `peak` in sum.
#[derive(Clone, Debug)]
pub struct KnownSignal {
    sines: Vec<(f64, f64, f64)>,
}

impl KnownSignal {
    /// Tones at 110, 440, 1,000 and 3,520 Hz of the grid, and 60 sines spread from 200 Hz to 15 kHz with
    /// phases drawn from `seed`; the sum never exceeds one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        // An additive generator, whitened by multiplication (splitmix64): enough for phases.
        let mut draw = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / 4_294_967_296.0
        };
        let tones = [110.0, 440.0, 1_000.0, 3_520.0].map(|hz| (hz, 0.15));
        let noise = (0..60).map(|n| (200.0 * 75.0_f64.powf(f64::from(n) / 59.0), 0.4 / 60.0));
        let sines = tones.into_iter().chain(noise).map(|(hz, level)| {
            let detuned = hz * (1.0 + 0.01 * draw());
            (2.0 * PI * detuned / 48_000.0, 2.0 * PI * draw(), level)
        });
        Self { sines: sines.collect() }
    }

    /// The value at a place of the grid.
    #[must_use]
    pub fn at(&self, frame: f64) -> f64 {
        self.sines.iter().map(|(radians, phase, level)| level * (radians * frame + phase).sin()).sum()
    }

    /// The values of `count` frames from `first`, as they would be sent.
    #[must_use]
    pub fn frames(&self, first: i64, count: usize) -> Vec<f32> {
        (0..count)
            .map(|n| f32_from_f64(self.at(crate::time::convert::f64_from_i64(first + i64_from_usize(n)))))
            .collect()
    }
}
