//! Clicks: places where what was heard leaves the music, or comes back to it, from one frame to the next.
//!
//! Where audio is missing, moved or concealed, what is heard differs from what was sent. That need not be heard as a click:
//! a fade is none, for under it the difference grows. A click is a difference that is next to nothing for a while and then,
//! at once, of the music's own size; or the other way round. The music's own steps, however steep, are in both and leave no
//! difference; under a delay that moves there is one, but all the time.

use super::audio::Stereo;
use crate::numbers::f64_from_usize;

/// What is softer than this (-50 dBFS) is not counted.
const STEP_MIN: f64 = 0.003;
/// A difference is next to nothing below this share (-20 dB) of the music's level around it,
const NOTHING: f64 = 0.1;
/// for so many frames, a third of a millisecond,
const NOTHING_FRAMES: usize = 16;
/// in which the music itself is there, with this share of its level: a drum that is struck while something is concealed is
/// missed, and no click;
const THERE: f64 = 0.3;
/// and of the music's size above this one: a cut has it in two of three places.
const ALL: f64 = 0.35;
/// The level is that of blocks of so many frames, 5 ms, and their neighbours.
const BLOCK_FRAMES: usize = 256;
/// Places that lie closer together, 10 ms, are one click.
const APART_FRAMES: usize = 480;

/// Clicks in `heard`, where `reference` was sent and is heard with `gain`, on the same frames.
pub(super) fn count(heard: &Stereo, reference: &Stereo, gain: f64) -> usize {
    let mut places: Vec<usize> = Vec::new();
    for (heard, reference) in heard.channels.iter().zip(&reference.channels) {
        let sent: Vec<f64> = reference.iter().map(|sample| f64::from(*sample) * gain).collect();
        let levels = levels(&sent);
        let difference: Vec<f64> =
            heard.iter().zip(&sent).map(|(heard, sent)| f64::from(*heard) - sent).collect();
        places.extend((1..difference.len()).filter(|frame| is_click(&sent, &difference, &levels, *frame)));
    }
    places.sort_unstable();
    let mut last = None;
    places.retain(|frame| {
        let is_new = last.is_none_or(|last: usize| frame - last > APART_FRAMES);
        last = Some(*frame);
        is_new
    });
    places.len()
}

/// Whether the difference comes or goes between the frame before `frame` and that one.
fn is_click(sent: &[f64], difference: &[f64], levels: &[f64], frame: usize) -> bool {
    let level = levels[frame / BLOCK_FRAMES];
    let (before, after) = (difference[frame - 1].abs(), difference[frame].abs());
    if (difference[frame] - difference[frame - 1]).abs() <= STEP_MIN || before.max(after) <= ALL * level {
        return false;
    }
    let is_met = |frames: core::ops::Range<usize>| {
        let (Some(difference), Some(sent)) = (difference.get(frames.clone()), sent.get(frames)) else {
            return false;
        };
        let is_there = sent.iter().map(|sample| sample * sample).sum::<f64>()
            > (THERE * level).powi(2) * f64_from_usize(NOTHING_FRAMES);
        is_there && difference.iter().all(|sample| sample.abs() < NOTHING * level)
    };
    let comes = frame.checked_sub(NOTHING_FRAMES).is_some_and(|from| is_met(from..frame));
    comes || is_met(frame..frame + NOTHING_FRAMES)
}

/// The music's level around each block.
fn levels(samples: &[f64]) -> Vec<f64> {
    let squares: Vec<f64> =
        samples.chunks(BLOCK_FRAMES).map(|block| block.iter().map(|sample| sample * sample).sum()).collect();
    (0..squares.len())
        .map(|block| {
            let around = block.saturating_sub(1)..(block + 2).min(squares.len());
            let frames =
                f64_from_usize((around.end * BLOCK_FRAMES).min(samples.len()) - around.start * BLOCK_FRAMES);
            (squares[around].iter().sum::<f64>() / frames).sqrt()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::f32_from_f64;

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
    fn a_cut_clicks_in_music_that_is_steep_itself() {
        // Ten kilohertz, whose own steps are larger than what a cut leaves.
        let bright = |n: usize| (f64_from_usize(n) * 10_007.0 / 48_000.0 * std::f64::consts::TAU).sin();
        let sent: Vec<f32> = (0..12_000).map(|n| f32_from_f64(0.3 * bright(n))).collect();
        let mut heard = sent.clone();
        heard[6_001..6_065].fill(0.0);
        let stereo = |channel: &[f32]| Stereo { channels: [channel.to_vec(), channel.to_vec()] };
        assert_eq!(count(&stereo(&heard), &stereo(&sent), 1.0), 1);
        assert_eq!(count(&stereo(&sent), &stereo(&sent), 1.0), 0);
    }

    #[test]
    fn what_is_struck_while_it_is_concealed_is_missed_and_does_not_click() {
        let mut sent = vec![0.0; 12_000];
        for (sample, tone) in sent[6_000..].iter_mut().zip(tone(6_000, -54.0)) {
            *sample = tone;
        }
        let mut heard = sent.clone();
        for (n, sample) in heard[6_000..6_048].iter_mut().enumerate() {
            *sample *= f32_from_f64(f64_from_usize(n) / 48.0);
        }
        let stereo = |channel: &[f32]| Stereo { channels: [channel.to_vec(), channel.to_vec()] };
        assert_eq!(count(&stereo(&heard), &stereo(&sent), 1.0), 0);
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
