//! The pointer is exact where it can be, independent of blocks, and never steps.

use proptest::prelude::*;

use super::*;
use crate::dsp::{ChunkFrames, SILENT_CHUNK};
use crate::jitter::figures::{Curve, automation_residual};
use crate::time::ChunkIndex;
use crate::time::convert::{f32_from_f64, f64_from_usize};

/// A chunk of repeatable noise, as PCM16 would carry it.
fn noise(chunk: i64) -> ChunkFrames {
    let mut state = u64::from_ne_bytes(chunk.to_ne_bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut frames = SILENT_CHUNK;
    frames.as_flattened_mut().fill_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32_from_f64(f64::from(u16::try_from(state >> 48).unwrap()) / 32_768.0 - 1.0)
    });
    frames
}

/// A window with the noise of `chunks`, all but each `gap`th.
fn window(chunks: core::ops::Range<i64>, gap: i64) -> ChunkWindow {
    let mut window = ChunkWindow::new(1_024);
    for chunk in chunks.filter(|chunk| chunk % gap != 0) {
        window.insert(ChunkIndex(chunk), &noise(chunk));
    }
    window
}

fn pointer(step: f64) -> ReadPointer {
    ReadPointer::new(Arc::new(Sinc::for_ratio(step)))
}

fn bits(samples: &[f32]) -> Vec<u32> {
    samples.iter().map(|sample| sample.to_bits()).collect()
}

#[test]
fn on_whole_frames_the_output_is_what_was_sent_bit_for_bit() {
    let (mut window, mut pointer) = (window(1..300, i64::MAX), pointer(1.0));
    pointer.command(100.0, Move::Start);
    let (mut heard, mut place) = (Vec::new(), GridFrame(1_000));
    for length in [1, 16, 480, 64, 333, 4_096, 2] {
        let (mut left, mut right) = (vec![0.0; length], vec![0.0; length]);
        pointer.read(&mut window, place.position(), 1.0, [&mut left, &mut right]);
        heard.extend(left.into_iter().zip(right));
        place += Frames(i64_from_usize(length));
    }
    for (n, (left, right)) in heard.iter().enumerate().skip(FADE_FRAMES) {
        let sent = GridFrame(900 + i64_from_usize(n));
        let [sent_left, sent_right] = noise(sent.chunk().0).map(|channel| channel[sent.offset_in_chunk()]);
        assert_eq!((left.to_bits(), right.to_bits()), (sent_left.to_bits(), sent_right.to_bits()), "{n}");
    }
}

/// 2 x 4,096 output frames at `step` in blocks of `length`, with commands at 0 and 4,096.
fn run(step: f64, length: usize, commands: &[(usize, f64, Move)]) -> (Vec<f32>, Presence) {
    let (mut window, mut pointer) = (window(0..300, 23), pointer(step));
    let begin = GridFrame(4_000).position().plus_f64(0.3);
    let (mut heard, mut presence) = (Vec::new(), Presence::default());
    let mut done = 0;
    while done < 8_192 {
        for (at, delay, way) in commands {
            if *at == done {
                pointer.command(*delay, *way);
            }
        }
        // A block ends early only where the longest one does.
        let length = length.min(4_096 - done % 4_096);
        let (mut left, mut right) = (vec![0.0; length], vec![0.0; length]);
        let first = begin.plus_f64(f64_from_usize(done) * step);
        presence += pointer.read(&mut window, first, step, [&mut left, &mut right]);
        heard.extend(left.iter().zip(&right).flat_map(|(left, right)| [*left, *right]));
        done += length;
    }
    (heard, presence)
}

#[test]
fn the_output_does_not_depend_on_where_blocks_are_cut() {
    let lattice = |step: f64| (step * 1_048_576.0).round() / 1_048_576.0;
    let commands: [&[(usize, f64, Move)]; 3] = [
        &[(0, 700.3, Move::Start), (0, 1_900.7, Move::Fade), (4_096, 1_897.2, Move::Glide)],
        &[(0, 1_000.0, Move::Start), (4_096, 20.25, Move::Fade), (4_096, 2_000.0, Move::Glide)],
        &[(0, 64.5, Move::Glide), (4_096, 65.9, Move::Glide)],
    ];
    for step in [1.0, lattice(1.0 + 100e-6), lattice(48.0 / 44.1), 0.5, lattice(0.25 * (1.0 - 30e-6))] {
        for commands in commands {
            let (whole, counted) = run(step, 4_096, commands);
            assert!(whole.iter().any(|sample| sample.abs() > 0.1));
            for length in [1, 16, 64, 333] {
                let (cut, cut_counted) = run(step, length, commands);
                assert_eq!(bits(&cut), bits(&whole), "step {step}, blocks of {length}");
                assert_eq!(cut_counted.concealed, counted.concealed, "step {step}, blocks of {length}");
            }
        }
    }
}

#[test]
fn before_it_is_placed_it_is_silent_and_passes_nothing() {
    let (mut window, mut pointer) = (window(0..300, i64::MAX), pointer(1.0));
    let (mut left, mut right) = ([1.0; 100], [1.0; 100]);
    let presence = pointer.read(&mut window, GridFrame(640).position(), 1.0, [&mut left, &mut right]);
    assert_eq!((left, right, presence), ([0.0; 100], [0.0; 100], Presence::default()));
    assert_eq!((window.cursor(), pointer.taps()), (None, [None; 2]));
}

#[test]
fn chunks_are_counted_once_through_history_and_fades() {
    let (_, presence) = run(1.0, 64, &[(0, 1_000.0, Move::Start), (4_096, 1_500.0, Move::Fade)]);
    // From frame 2,985 of the grid (4,000 less the delay and the kernel) to 10,707: chunks 46 to 167.
    assert_eq!(presence.concealed, (46..=167).filter(|chunk| chunk % 23 == 0).count());
    assert_eq!(presence.present + presence.concealed, 167 - 46 + 1);
}

#[test]
fn automation_leaves_no_residue_and_no_click() {
    for (name, curve) in Curve::ALL {
        let residual = automation_residual(curve, 7);
        assert!(residual.peak_dbfs <= -80.0, "{name}: {residual:?}");
        assert!(residual.step_ratio <= 1.42, "{name}: {residual:?}");
        assert!(residual.moving_frames > 14_000, "{name} did not move: {residual:?}");
    }
}

/// A slow sine over the whole window: any jump of the place shows as a step.
fn sine_window() -> ChunkWindow {
    let mut window = ChunkWindow::new(1_024);
    for chunk in 0..1_000 {
        let mut frames = SILENT_CHUNK;
        for (n, place) in (chunk * 64..chunk * 64 + 64).enumerate() {
            let sample = f32_from_f64(0.9 * (f64_from_i64(place) * 0.01).sin());
            (frames[0][n], frames[1][n]) = (sample, sample);
        }
        window.insert(ChunkIndex(chunk), &frames);
    }
    window
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is commanded, and however the place leaps, neighbouring samples stay neighbours.
    #[test]
    fn nothing_makes_it_step(
        blocks in prop::collection::vec(
            (1_usize..200, prop_oneof![
                4 => Just(0.0),
                2 => -0.4..0.4_f64,
                1 => -3_000.0..3_000.0_f64,
            ], prop::option::of((0.0..4_000.0_f64, any::<bool>()))),
            1..60,
        ),
        step in 0.25..1.0885_f64,
    ) {
        let (mut window, mut pointer) = (sine_window(), pointer(step));
        pointer.command(2_000.0, Move::Start);
        let mut first = GridFrame(30_000).position();
        let mut before = 0.0_f32;
        for (length, leap, command) in blocks {
            if let Some((delay, glide)) = command {
                pointer.command(delay, if glide { Move::Glide } else { Move::Fade });
            }
            // Not so far that there is nothing to be read.
            let leapt = first.plus_f64(leap);
            if (20_000..50_000).contains(&leapt.floor().0) {
                first = leapt;
            }
            let (mut left, mut right) = (vec![0.0; length], vec![0.0; length]);
            pointer.read(&mut window, first, step, [&mut left, &mut right]);
            for sample in left {
                // The sine's own slope times the step, and the fade's slope between two extremes.
                let allowed = 0.009 * 1.0885 * 1.42 + 1.8 * 1.571 * 1.0885 / 480.0;
                prop_assert!(f64::from((sample - before).abs()) < allowed, "{before} to {sample}");
                before = sample;
            }
            first = first.plus_f64(f64_from_usize(length) * step);
        }
    }

    /// Left alone, it arrives at what was commanded last, exactly.
    #[test]
    fn it_arrives(delays in prop::collection::vec((0_i32..4_000, any::<bool>()), 1..6), step in 0.25..1.0885_f64) {
        let (mut window, mut pointer) = (ChunkWindow::new(16), pointer(step));
        let mut first = GridFrame(100_000).position();
        let last = f64::from(delays.last().unwrap().0);
        for (delay, glide) in delays {
            pointer.command(f64::from(delay), if glide { Move::Glide } else { Move::Fade });
            let (mut left, mut right) = ([0.0; 100], [0.0; 100]);
            pointer.read(&mut window, first, step, [&mut left, &mut right]);
            first = first.plus_f64(100.0 * step);
        }
        let (mut left, mut right) = (vec![0.0; 4_096], vec![0.0; 4_096]);
        // The longest glide is 480 frames at a thousandth of the slowest step.
        for _ in 0..480 {
            if !pointer.is_moving() {
                break;
            }
            pointer.read(&mut window, first, step, [&mut left, &mut right]);
            first = first.plus_f64(4_096.0 * step);
        }
        prop_assert!(!pointer.is_moving());
        prop_assert_eq!(pointer.delay_frames(), last);
    }
}
