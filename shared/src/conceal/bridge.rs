//! Across a gap whose other side is known.
//!
//! Of all ways across, the one that leaves the model the least error: `sum over t of (sum over k of a[k] x[t-k])^2`, over
//! every `t` that sees a missing frame (A. J. E. M. Janssen et al., *Adaptive interpolation of discrete-time signals
//! that can be modeled as autoregressive processes*, 1986). Where the derivative is zero stands one equation a missing
//! frame; its matrix is the autocorrelation of the model's polynomial, so it is symmetric, the same along each
//! diagonal, and zero beyond the 32nd: Levinson's recursion solves it in `n^2` steps instead of `n^3`.

use super::model::{Model, ORDER};
use crate::dsp::{ChunkFrames, SILENT_CHUNK};
use crate::time::CHUNK_FRAMES;
use crate::time::convert::{f32_from_f64, f64_from_usize};

/// Chunks of the longest gap that is bridged: 5.3 ms, one datagram.
pub const BRIDGE_CHUNKS_MAX: usize = 4;

const GAP_MAX: usize = BRIDGE_CHUNKS_MAX * CHUNK_FRAMES;
/// Coefficients of the prediction error, with the one of the frame itself.
const TERMS: usize = ORDER + 1;
/// Added to the matrix, in parts of its diagonal: what rounding may have taken from it.
const ROUNDING: f64 = 1e-14;
/// Frames from either edge until the model is believed no more than it deserves.
const EDGE_FRAMES: usize = 32;

/// Fills `gap` of both channels, one to four chunks, from what lies before and after it: up to 512 frames before, up to
/// 256 after, 32 of each at least. False, with nothing written, if there is nothing to go by.
///
/// Not for the audio thread: 30 us for a chunk, its models included.
pub fn bridge(before: [&[f32]; 2], after: [&[f32]; 2], gap: &mut [ChunkFrames]) -> bool {
    let frames = gap.len() * CHUNK_FRAMES;
    if !(1..=BRIDGE_CHUNKS_MAX).contains(&gap.len())
        || before.iter().chain(&after).any(|side| side.len() < ORDER)
    {
        return false;
    }
    let mut filled = [[0.0_f32; GAP_MAX]; 2];
    for (channel, filled) in filled.iter_mut().enumerate() {
        let model = Model::of(before[channel], after[channel]);
        if !across(&model, before[channel], after[channel], &mut filled[..frames]) {
            return false;
        }
    }
    for (number, chunk) in gap.iter_mut().enumerate() {
        *chunk = SILENT_CHUNK;
        for (channel, filled) in chunk.iter_mut().zip(&filled) {
            channel.copy_from_slice(&filled[number * CHUNK_FRAMES..(number + 1) * CHUNK_FRAMES]);
        }
    }
    true
}

/// One channel. False if the equations cannot be solved.
fn across(model: &Model, before: &[f32], after: &[f32], out: &mut [f32]) -> bool {
    let (a, missing) = (terms(model), out.len());
    // What the model makes of the frames that are there, with zeros between them.
    let mut line = [0.0; ORDER + GAP_MAX + ORDER];
    for (line, there) in line.iter_mut().zip(&before[before.len() - ORDER..]) {
        *line = f64::from(*there);
    }
    for (line, there) in line[ORDER + missing..].iter_mut().zip(&after[..ORDER]) {
        *line = f64::from(*there);
    }
    let mut errors = [0.0; GAP_MAX + ORDER];
    for (n, error) in errors[..missing + ORDER].iter_mut().enumerate() {
        *error = a.iter().zip(line[n..=n + ORDER].iter().rev()).map(|(a, x)| a * x).sum();
    }
    let mut wanted = [0.0; GAP_MAX];
    for (n, wanted) in wanted[..missing].iter_mut().enumerate() {
        *wanted = -a.iter().zip(&errors[n..=n + ORDER]).map(|(a, error)| a * error).sum::<f64>();
    }
    let mut diagonals: [f64; TERMS] =
        core::array::from_fn(|lag| a.iter().zip(&a[lag..]).map(|(a, b)| a * b).sum());
    diagonals[0] *= 1.0 + ROUNDING;
    let mut solved = [0.0; GAP_MAX];
    if !solve(&diagonals, &wanted[..missing], &mut solved[..missing]) {
        return false;
    }
    let ceiling = f64::from(model.ceiling());
    for (n, (out, solved)) in out.iter_mut().zip(&solved).enumerate() {
        let edge = (n.min(missing - 1 - n) + 1).min(EDGE_FRAMES);
        let inside = f64_from_usize(edge) / f64_from_usize(EDGE_FRAMES);
        let gain = 1.0 - inside * (1.0 - f64::from(model.kept()));
        *out = f32_from_f64(gain * solved.clamp(-ceiling, ceiling));
    }
    true
}

fn terms(model: &Model) -> [f64; TERMS] {
    let mut terms = [1.0; TERMS];
    terms[1..].copy_from_slice(&model.polynomial());
    terms
}

/// Solves `T x = wanted` for the symmetric matrix `T` with these diagonals, the main one first and zero beyond the last
/// (N. Levinson, 1946). False if it turns out not to be positive definite.
fn solve(diagonals: &[f64; TERMS], wanted: &[f64], out: &mut [f64]) -> bool {
    // The diagonals from the furthest to the first beside the main one.
    let mut row = [0.0; ORDER];
    for (row, diagonal) in row.iter_mut().zip(diagonals[1..].iter().rev()) {
        *row = *diagonal;
    }
    // The backward predictor of the leading part of the matrix: its last entry is one.
    let mut backward = [0.0; GAP_MAX];
    backward[0] = 1.0;
    let mut error = diagonals[0];
    for n in 0..wanted.len() {
        if n > 0 {
            // Only the 32 nearest entries meet a diagonal that is not zero.
            let near = n.min(ORDER);
            let forward_meets: f64 =
                backward[..near].iter().zip(row.iter().rev()).map(|(entry, diagonal)| entry * diagonal).sum();
            let reflection = -forward_meets / error;
            // Both predictors are each other mirrored.
            let mut longer = [0.0; GAP_MAX];
            longer[1..=n].copy_from_slice(&backward[..n]);
            for (entry, mirrored) in longer[..n].iter_mut().zip(backward[..n].iter().rev()) {
                *entry += reflection * mirrored;
            }
            backward[..=n].copy_from_slice(&longer[..=n]);
            error *= 1.0 - reflection * reflection;
        }
        if error.is_nan() || error <= 0.0 {
            return false;
        }
        let near = n.min(ORDER);
        let met: f64 =
            out[n - near..n].iter().zip(&row[ORDER - near..]).map(|(x, diagonal)| x * diagonal).sum();
        let step = (wanted[n] - met) / error;
        out[n] = 0.0;
        for (x, entry) in out[..=n].iter_mut().zip(&backward[..=n]) {
            *x += step * entry;
        }
    }
    out.iter().all(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::*;

    /// A low tone and one that is no multiple of it.
    fn music(first: usize, count: usize) -> Vec<f32> {
        let sample = |n: usize| {
            let turns = f64_from_usize(n) * TAU / 48_000.0;
            f32_from_f64(0.4 * (82.0 * turns).sin() + 0.1 * (1_310.0 * turns).sin())
        };
        (first..first + count).map(sample).collect()
    }

    #[test]
    fn a_gap_in_music_is_filled_with_that_music() {
        for chunks in 1..=BRIDGE_CHUNKS_MAX {
            let missing = chunks * CHUNK_FRAMES;
            let (before, after) = (music(0, 512), music(512 + missing, 64));
            let mut gap = vec![SILENT_CHUNK; chunks];
            assert!(bridge([&before, &before], [&after, &after], &mut gap));
            let (mut error, mut power) = (0.0, 0.0);
            for (filled, played) in gap.iter().flat_map(|chunk| chunk[0]).zip(music(512, missing)) {
                error += (filled - played).powi(2);
                power += played.powi(2);
            }
            assert!(error < 0.05 * power, "{chunks} chunks: {error} of {power}");
        }
    }

    #[test]
    fn there_must_be_something_on_either_side() {
        let (side, short) = (music(0, 64), music(0, 31));
        let mut gap = [SILENT_CHUNK; 5];
        assert!(!bridge([&side, &side], [&side, &short], &mut gap[..1]));
        assert!(!bridge([&short, &side], [&side, &side], &mut gap[..1]));
        assert!(!bridge([&side, &side], [&side, &side], &mut gap[..0]));
        assert!(!bridge([&side, &side], [&side, &side], &mut gap));
        assert_eq!(gap, [SILENT_CHUNK; 5]);
        assert!(bridge([&side, &side], [&side, &side], &mut gap[..1]));
    }

    #[test]
    fn between_silences_is_silence() {
        let mut gap = [[[1.0; CHUNK_FRAMES]; 2]];
        assert!(bridge([&[0.0; 512], &[0.0; 512]], [&[0.0; 64], &[0.0; 64]], &mut gap));
        assert_eq!(gap, [SILENT_CHUNK]);
    }

    #[test]
    fn the_recursion_solves_its_equations() {
        let mut diagonals = [0.0; TERMS];
        for (lag, diagonal) in diagonals.iter_mut().enumerate() {
            *diagonal = if lag == 0 { 3.0 } else { 0.9_f64.powf(f64_from_usize(lag)) * 0.3 };
        }
        let wanted: Vec<f64> = (0..100).map(|n| f64_from_usize(n * n % 17) - 8.0).collect();
        let mut x = [0.0; 100];
        assert!(solve(&diagonals, &wanted, &mut x));
        for (row, wanted) in wanted.iter().enumerate() {
            let sum: f64 = (0..100_usize)
                .filter(|column| row.abs_diff(*column) < TERMS)
                .map(|column| diagonals[row.abs_diff(column)] * x[column])
                .sum();
            assert!((sum - wanted).abs() < 1e-9, "row {row}: {sum} {wanted}");
        }
        diagonals[1] = 5.0;
        assert!(!solve(&diagonals, &wanted, &mut x), "not positive definite");
    }
}
