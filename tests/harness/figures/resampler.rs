//! The interpolator: how near it comes, and what it costs.

use std::hint::black_box;
use std::sync::Arc;

use lockstep_shared::dsp::Sinc;
use lockstep_shared::dsp::figures::{KnownSignal, interpolation_error_db};
use lockstep_shared::jitter::{ChunkWindow, Move, ReadPointer};
use lockstep_shared::time::convert::{f64_from_i64, f64_from_usize};
use lockstep_shared::time::{ChunkIndex, GridFrame};

use super::{Figure, Holds};
use crate::shell::clock;

const BLOCK: usize = 64;

/// Error to 18 kHz for every way between device and grid, and time for a 64-frame stereo block.
#[must_use]
pub fn resampler_figures() -> Vec<Figure> {
    let off = 1.0 + 100e-6;
    let mut figures = Vec::new();
    for (name, input_rate, step) in [
        ("48k_plus_100_ppm", 48_000.0, 1.0 + 100e-6),
        ("48k_minus_100_ppm", 48_000.0, 1.0 - 100e-6),
        ("44k1_to_grid", 44_100.0, 44.1 / 48.0 * off),
        ("96k_to_grid", 96_000.0, 2.0 * off),
        ("192k_to_grid", 192_000.0, 4.0 * off),
        ("grid_to_44k1", 48_000.0, 48.0 / 44.1 * off),
        ("grid_to_96k", 48_000.0, 0.5 * off),
        ("grid_to_192k", 48_000.0, 0.25 * off),
    ] {
        let sinc = Sinc::for_ratio(step);
        let error =
            |quarter: u32| interpolation_error_db(&sinc, step, f64::from(quarter) * 250.0 / input_rate);
        figures.push(Figure {
            name: format!("resampler.{name}.error"),
            note: "worst to 18 kHz".into(),
            goal: -90.0,
            measured: (1..=72).map(error).fold(f64::MIN, f64::max),
            holds: Holds::AtMost,
            unit: "dB",
        });
    }
    for (name, measured) in [("kernel", kernel_us()), ("read_pointer", pointer_us())] {
        figures.push(Figure {
            name: format!("resampler.{name}.block_64_stereo"),
            note: "best of many, CPU shared".into(),
            goal: 2.5,
            measured,
            holds: Holds::AtMost,
            unit: "us",
        });
    }
    figures
}

/// The kernel alone.
fn kernel_us() -> f64 {
    let (step, sinc) = (1.0 + 100e-6, Sinc::for_ratio(1.0));
    let frames = KnownSignal::new(1).frames(0, 256);
    best_us(|| {
        for number in 0..BLOCK {
            let place = f64_from_usize(number) * step;
            black_box(sinc.read(black_box(&frames[number..]), black_box(&frames[number..]), place.fract()));
        }
    })
}

/// Window, motion and kernel, as a lane runs them.
fn pointer_us() -> f64 {
    let mut window = ChunkWindow::new(256);
    let mut pointer = ReadPointer::new(Arc::new(Sinc::new()));
    pointer.command(200.0, Move::Start);
    let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
    let frames = KnownSignal::new(1).frames(0, BLOCK);
    let chunk = [core::array::from_fn(|n| frames[n]); 2];
    let mut place = 0.0;
    let mut next = -8;
    best_us(|| {
        let first = GridFrame(0).position().plus_f64(place);
        while ChunkIndex(next).start() < first.floor() {
            window.insert(ChunkIndex(next), &chunk);
            next += 1;
        }
        pointer.read(&mut window, first, 1.0 + 100e-6, [&mut left, &mut right]);
        place += f64_from_usize(BLOCK) * (1.0 + 100e-6);
        black_box(&left);
    })
}

/// The shortest mean of many short runs.
fn best_us(mut work: impl FnMut()) -> f64 {
    const RUNS: usize = 60;
    const CALLS: i64 = 500;
    (0..RUNS)
        .map(|_| {
            let start = clock::now();
            (0..CALLS).for_each(|_| work());
            f64_from_i64((clock::now() - start).nanos()) / f64_from_i64(CALLS) / 1_000.0
        })
        .fold(f64::INFINITY, f64::min)
}
