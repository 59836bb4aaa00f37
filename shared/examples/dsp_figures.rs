//! Prints the figures of the interpolator, the mix and the read pointer: name, value, unit, goal.
//!
//! `cargo run --release -p lockstep-shared --example dsp_figures`. Everything but the times is the same on every
//! run; the times are the best of several and depend on the machine and what else it does.
#![expect(clippy::print_stdout, reason = "prints a table")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use lockstep_shared::dsp::figures::{KnownSignal, interpolation_error_db};
use lockstep_shared::dsp::{ChunkFrames, SILENT_CHUNK, Sinc, Strip, Total};
use lockstep_shared::jitter::figures::{Curve, automation_residual};
use lockstep_shared::jitter::{ChunkWindow, JitterTarget, Move, ReadPointer};
use lockstep_shared::time::convert::f64_from_usize;
use lockstep_shared::time::{ChunkIndex, GridFrame};

const BLOCK: usize = 64;

fn main() {
    interpolator_errors();
    automation_residuals();
    interpolator_times();
    pointer_times();
    other_times();
}

fn row(name: &str, value: f64, unit: &str, goal: &str) {
    println!("{name:<34} {value:>10.3} {unit:<12} {goal}");
}

/// Every way that a device's frames and the grid's are read from each other, with a clock 100 ppm off.
fn interpolator_errors() {
    let off = 1.0 + 100e-6;
    for (name, input_rate, step) in [
        ("48k_plus_100ppm", 48_000.0, 1.0 + 100e-6),
        ("48k_minus_100ppm", 48_000.0, 1.0 - 100e-6),
        ("44k1_to_grid", 44_100.0, 0.918_75 * off),
        ("96k_to_grid", 96_000.0, 2.0 * off),
        ("192k_to_grid", 192_000.0, 4.0 * off),
        ("grid_to_44k1", 48_000.0, 48.0 / 44.1 * off),
        ("grid_to_96k", 48_000.0, 0.5 * off),
        ("grid_to_192k", 48_000.0, 0.25 * off),
    ] {
        let sinc = Sinc::for_ratio(step);
        let error = |hz: f64| interpolation_error_db(&sinc, step, hz / input_rate);
        for khz in [1, 5, 10, 15, 18] {
            row(&format!("error_{name}_{khz}k"), error(f64::from(khz) * 1_000.0), "dB", "<= -90");
        }
        let worst = (1..=72).map(|quarter| error(f64::from(quarter) * 250.0)).fold(f64::MIN, f64::max);
        row(&format!("error_{name}_worst_to_18k"), worst, "dB", "<= -90");
    }
}

fn automation_residuals() {
    for (name, curve) in Curve::ALL {
        let residual = automation_residual(curve, 1);
        row(&format!("automation_{name}_residual"), residual.peak_dbfs, "dBFS peak", "<= -80");
        row(&format!("automation_{name}_step"), residual.step_ratio, "x own step", "<= 1.42");
        row(
            &format!("automation_{name}_moving"),
            f64_from_usize(residual.moving_frames),
            "frames",
            "> 14000",
        );
    }
}

/// The kernel alone, one 64-frame stereo block.
fn interpolator_times() {
    for (name, step, goal) in [
        ("48k", 1.0 + 100e-6, "<= 2500"),
        ("grid_to_44k1", 48.0 / 44.1, "-"),
        ("96k_to_grid", 2.0, "-"),
        ("192k_to_grid", 4.0, "-"),
    ] {
        let sinc = Sinc::for_ratio(step);
        let frames = KnownSignal::new(1).frames(0, 512);
        let nanos = best_nanos(|| {
            let mut sum = [0.0; 2];
            for n in 0..BLOCK {
                let place = 0.377 + f64_from_usize(n) * step;
                let at = lockstep_shared::time::convert::usize_trunc(place);
                let window = &frames[at..at + sinc.taps()];
                let [left, right] = sinc.read(black_box(window), black_box(window), place.fract());
                sum[0] += left;
                sum[1] += right;
            }
            black_box(sum);
        });
        row(&format!("interpolate_{name}"), nanos, "ns/block", goal);
    }
}

/// Window and pointer together, one 64-frame stereo block.
fn pointer_times() {
    let mut window = ChunkWindow::new(ChunkWindow::DEFAULT_CHUNKS);
    let signal = KnownSignal::new(1);
    for chunk in 0..2_000 {
        let samples = signal.frames(chunk * 64, 64);
        let mut frames = SILENT_CHUNK;
        frames.iter_mut().for_each(|channel| channel.copy_from_slice(&samples));
        window.insert(ChunkIndex(chunk), &frames);
    }
    for (name, step, moves, goal) in [
        ("exact", 1.0, false, "<= 2500"),
        ("drifting", 1.0 + 100e-6, false, "<= 2500"),
        ("fading", 1.0 + 100e-6, true, "-"),
        ("to_44k1", 48.0 / 44.1, false, "-"),
        ("to_96k", 0.5, false, "-"),
    ] {
        let mut pointer = ReadPointer::new(Arc::new(Sinc::for_ratio(step)));
        let begin = GridFrame(20_000).position();
        let mut done = 0;
        let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        pointer.command(480.0, Move::Start);
        let nanos = best_nanos(|| {
            if moves {
                pointer.command(480.0 + f64_from_usize(done % 7_919), Move::Fade);
            }
            let first = begin.plus_f64(f64_from_usize(done) * step);
            pointer.read(&mut window, first, step, [&mut left, &mut right]);
            black_box((&mut left, &mut right));
            // Back at the begin, a fade each time; rare enough not to count in the best of all.
            done = if done > 80_000 { 0 } else { done + BLOCK };
        });
        row(&format!("pointer_{name}"), nanos, "ns/block", goal);
    }
}

fn other_times() {
    let chunks: Vec<ChunkFrames> = (0..40).map(|_| [[0.25; 64]; 2]).collect();
    let mut out = SILENT_CHUNK;
    let nanos = best_nanos(|| {
        let mut total = Total::new();
        black_box(&chunks).iter().for_each(|chunk| total.add(Strip::Stereo(chunk)));
        for chunk in &chunks {
            let mut listener = total.listener();
            listener.remove(Strip::Stereo(chunk));
            listener.write(&mut out);
            black_box(&mut out);
        }
    });
    row("mix_40_listeners_of_40", nanos, "ns/chunk", "-");

    let mut window = ChunkWindow::new(ChunkWindow::DEFAULT_CHUNKS);
    let mut chunk = 0;
    let nanos = best_nanos(|| {
        window.insert(ChunkIndex(chunk), black_box(&chunks[0]));
        chunk += 1;
    });
    row("insert", nanos, "ns/chunk", "-");

    let mut target = JitterTarget::new(480.0);
    let mut count = 0;
    let nanos = best_nanos(|| {
        target.observe(f64_from_usize(count * 37 % 480));
        count += 1;
    });
    row("jitter_target_observe", nanos, "ns/chunk", "-");
}

/// The mean of the best of 15 runs of 2,000 each: what the code takes when nothing else does.
fn best_nanos(mut work: impl FnMut()) -> f64 {
    const TIMES: u32 = 2_000;
    let mut run = || {
        let start = Instant::now();
        (0..TIMES).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
    };
    (0..15).map(|_| run()).fold(f64::MAX, f64::min)
}
