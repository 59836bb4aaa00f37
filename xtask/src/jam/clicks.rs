//! Clicks: steps in what was heard that were not in the music.
//!
//! Where audio is missing, moved or concealed, what is heard differs from what was sent. That need not be heard as a click:
//! a fade is none. A click is a step from one frame to the next, in the difference of both, that is steeper than anything
//! the music itself does around it, and loud enough to be heard at all. Two pieces of the same music that are laid over each
//! other at different delays differ by twice the music's own steps at most, so that a delay that moves is no click either.

use super::audio::Stereo;

/// What is softer than this (-50 dBFS) is not counted.
const STEP_MIN: f64 = 0.003;
/// So many times the music's own steepest step: twice, and some for the interpolation between frames.
const STEEPER: f64 = 2.5;
/// Around so many frames, 5 ms on either side: how far a delay may have moved.
const AROUND_FRAMES: usize = 256;
/// Steps that lie closer together, 10 ms, are one click.
const APART_FRAMES: usize = 480;

/// Clicks in `heard`, where `reference` was sent and is heard with `gain`, on the same frames.
pub(super) fn count(heard: &Stereo, reference: &Stereo, gain: f64) -> usize {
    let mut clicks: Vec<usize> = Vec::new();
    for (heard, reference) in heard.channels.iter().zip(&reference.channels) {
        let sent: Vec<f64> = reference.iter().map(|sample| f64::from(*sample) * gain).collect();
        let steepest = steepest_around(&sent);
        let difference: Vec<f64> =
            heard.iter().zip(&sent).map(|(heard, sent)| f64::from(*heard) - sent).collect();
        let steps = difference.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        let is_click = |(frame, step): &(usize, f64)| *step > STEP_MIN.max(STEEPER * steepest[*frame]);
        clicks.extend(steps.enumerate().filter(is_click).map(|(frame, _)| frame));
    }
    clicks.sort_unstable();
    let mut last = None;
    clicks.retain(|frame| {
        let is_new = last.is_none_or(|last: usize| frame - last > APART_FRAMES);
        last = Some(*frame);
        is_new
    });
    clicks.len()
}

/// For each step of the music, the steepest one around it.
fn steepest_around(samples: &[f64]) -> Vec<f64> {
    let steps: Vec<f64> = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    // Of blocks as long as the reach: three of them cover it everywhere, and half as much again.
    let blocks: Vec<f64> =
        steps.chunks(AROUND_FRAMES).map(|block| block.iter().copied().fold(0.0, f64::max)).collect();
    (0..steps.len())
        .map(|index| {
            let block = index / AROUND_FRAMES;
            let around = block.saturating_sub(1)..(block + 2).min(blocks.len());
            blocks[around].iter().copied().fold(0.0, f64::max)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::{f32_from_f64, f64_from_usize};

    fn tone(frames: usize, late: f64) -> Vec<f32> {
        let at = |n: usize| (f64_from_usize(n) - late) * 220.0 / 48_000.0 * std::f64::consts::TAU;
        (0..frames).map(|n| f32_from_f64(0.3 * at(n).sin())).collect()
    }

    fn clicks(heard: Vec<f32>) -> usize {
        let reference = tone(heard.len(), 0.0);
        count(
            &Stereo { channels: [heard.clone(), heard] },
            &Stereo { channels: [reference.clone(), reference] },
            1.0,
        )
    }

    #[test]
    fn music_as_it_was_sent_has_none_however_late_it_is() {
        assert_eq!(clicks(tone(12_000, 0.0)), 0);
        assert_eq!(clicks(tone(12_000, 0.5)), 0);
        assert_eq!(clicks(tone(12_000, 77.0)), 0);
    }

    #[test]
    fn a_hole_clicks_unless_it_is_faded() {
        // At a crest of the tone.
        let start = 12 * 218 + 55;
        let mut cut = tone(12_000, 0.0);
        cut[start..start + 64].fill(0.0);
        assert_eq!(clicks(cut), 1);
        let mut faded = tone(12_000, 0.0);
        for (n, sample) in faded.iter_mut().enumerate().skip(start).take(160) {
            let n = n - start;
            let edge = n.min(159 - n).min(48);
            *sample *= f32_from_f64(1.0 - f64_from_usize(edge) / 48.0);
        }
        assert_eq!(clicks(faded), 0);
    }

    #[test]
    fn steps_that_lie_apart_are_clicks_of_their_own() {
        let mut heard = tone(12_000, 0.0);
        for start in [1_000, 5_000, 9_000] {
            for sample in &mut heard[start..start + 3] {
                *sample += 0.1;
            }
        }
        assert_eq!(clicks(heard), 3);
    }
}
