//! On from what was heard last, while nothing after the gap is known.

use super::model::{Model, ORDER, Weights};
use crate::dsp::{ChunkFrames, SILENT_CHUNK};
use crate::time::CHUNK_FRAMES;
use crate::time::convert::{f32_from_f64, f64_from_usize};

/// Frames over which what is predicted and what arrived pass into each other: 1 ms.
pub const CROSSFADE_FRAMES: usize = 48;
/// Frames that are predicted at full level: 1 ms.
pub const HOLD_FRAMES: usize = 48;
/// Frames over which it then fades: silent 10 ms after the last that was heard.
pub const FADE_FRAMES: usize = 432;

/// The models of both channels of a strip, for the gap that follows the frames they are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Continuation {
    channels: [Model; 2],
}

/// A continuation that is being heard.
#[derive(Clone, Debug)]
pub struct Run {
    channels: [Predictor; 2],
    /// Frames since the last that was there.
    frames: usize,
}

#[derive(Clone, Debug)]
struct Predictor {
    weights: Weights,
    /// The last frames, predicted ones before they were faded.
    memory: [f64; ORDER],
    kept: f32,
    ceiling: f64,
}

impl Continuation {
    /// What goes on from the end of `history`, up to 512 frames of both channels. None for silence, which goes on by
    /// itself.
    ///
    /// Not for the audio thread: 10 us for 512 frames.
    #[must_use]
    pub fn of(history: [&[f32]; 2]) -> Option<Self> {
        let channels = history.map(|history| Model::of(history, &[]));
        (channels != [Model::SILENCE; 2]).then_some(Self { channels })
    }

    /// Goes on after `last`, the chunk before the gap as it was heard.
    ///
    /// Real-time: yes. Bound: 528 multiplications a channel.
    #[must_use]
    pub fn run(&self, last: &ChunkFrames) -> Run {
        let predictor = |channel: usize| {
            let model = &self.channels[channel];
            let mut memory = [0.0; ORDER];
            for (kept, heard) in memory.iter_mut().zip(&last[channel][CHUNK_FRAMES - ORDER..]) {
                *kept = f64::from(*heard);
            }
            Predictor {
                weights: model.weights(),
                memory,
                kept: model.kept(),
                ceiling: f64::from(model.ceiling()),
            }
        };
        Run { channels: [predictor(0), predictor(1)], frames: 0 }
    }
}

impl Run {
    /// The next chunk of the gap.
    ///
    /// Real-time: yes. Bound: 32 multiplications a sample.
    #[must_use]
    pub fn next_chunk(&mut self) -> ChunkFrames {
        let mut chunk = SILENT_CHUNK;
        self.fill(&mut chunk, CHUNK_FRAMES);
        chunk
    }

    /// Passes over into `arrived`, the first chunk after the gap, within 1 ms.
    ///
    /// Real-time: yes. Bound: 32 multiplications a sample of 48 frames.
    pub fn cross_into(mut self, arrived: &mut ChunkFrames) {
        let mut predicted = SILENT_CHUNK;
        self.fill(&mut predicted, CROSSFADE_FRAMES);
        for (arrived, predicted) in arrived.iter_mut().zip(&predicted) {
            let frames = arrived.iter_mut().zip(predicted).take(CROSSFADE_FRAMES);
            for (place, (arrived, predicted)) in frames.enumerate() {
                *arrived = predicted + share(place, CROSSFADE_FRAMES) * (*arrived - predicted);
            }
        }
    }

    /// Whether nothing is heard of it any more.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.frames >= HOLD_FRAMES + FADE_FRAMES
    }

    fn fill(&mut self, chunk: &mut ChunkFrames, count: usize) {
        if self.is_silent() {
            return;
        }
        for (channel, predictor) in chunk.iter_mut().zip(&mut self.channels) {
            let out = &mut channel[..count];
            predictor.predict(out);
            for (place, sample) in (self.frames..).zip(out) {
                *sample *= predictor.gain(place);
            }
        }
        self.frames += count;
    }
}

impl Predictor {
    fn predict(&mut self, out: &mut [f32]) {
        debug_assert!(out.len() <= CHUNK_FRAMES, "a chunk at a time");
        let mut line = [0.0; ORDER + CHUNK_FRAMES];
        line[..ORDER].copy_from_slice(&self.memory);
        for (n, out) in out.iter_mut().enumerate() {
            let window: &[f64; ORDER] = line[n..].first_chunk().expect("the line is long enough");
            let next = weigh(&self.weights, window);
            line[n + ORDER] = next;
            *out = f32_from_f64(next.clamp(-self.ceiling, self.ceiling));
        }
        self.memory.copy_from_slice(&line[out.len()..out.len() + ORDER]);
    }

    /// What is played of a prediction, so many frames into the gap: what the model deserves, reached without a step,
    /// and less and less from 1 ms on.
    fn gain(&self, place: usize) -> f32 {
        let distrusted = share(place.min(CROSSFADE_FRAMES), CROSSFADE_FRAMES) * (1.0 - self.kept);
        let faded = place.checked_sub(HOLD_FRAMES).map_or(0.0, |place| share(place, FADE_FRAMES));
        (1.0 - distrusted) * (1.0 - faded)
    }
}

/// In lanes, so that the compiler uses vector instructions.
fn weigh(weights: &Weights, frames: &[f64; ORDER]) -> f64 {
    let mut sums = [0.0; 8];
    let (weights, frames) = (weights.as_chunks::<8>().0, frames.as_chunks::<8>().0);
    for (weights, frames) in weights.iter().zip(frames) {
        for lane in 0..8 {
            sums[lane] += weights[lane] * frames[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// How far along a fade of `length` frames its frame `place` is: never zero, and one from the end on.
fn share(place: usize, length: usize) -> f32 {
    f32_from_f64((f64_from_usize(place + 1) / f64_from_usize(length + 1)).min(1.0))
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::*;

    fn tone(first: usize, count: usize) -> Vec<f32> {
        (first..first + count)
            .map(|n| f32_from_f64(0.5 * (TAU * 440.0 / 48_000.0 * f64_from_usize(n)).sin()))
            .collect()
    }

    fn chunk(frames: &[f32]) -> ChunkFrames {
        [core::array::from_fn(|n| frames[n]), core::array::from_fn(|n| -frames[n])]
    }

    fn run_after_512() -> Run {
        let history = tone(0, 512);
        let right: Vec<f32> = history.iter().map(|sample| -sample).collect();
        Continuation::of([&history, &right]).unwrap().run(&chunk(&history[448..]))
    }

    #[test]
    fn a_tone_goes_on_and_is_silent_after_10_ms() {
        let mut run = run_after_512();
        let mut heard = Vec::new();
        while !run.is_silent() {
            let [left, right] = run.next_chunk();
            assert!(left.iter().zip(&right).all(|(left, right)| (left + right).abs() < 1e-4));
            heard.extend(left);
        }
        let played = tone(512, 512);
        let power =
            |samples: &mut dyn Iterator<Item = f32>| samples.map(|sample| sample * sample).sum::<f32>();
        let error =
            power(&mut heard.iter().zip(&played).take(HOLD_FRAMES).map(|(heard, played)| heard - played));
        assert!(error < 0.01 * power(&mut played.iter().take(HOLD_FRAMES).copied()), "{error}");
        let faded = &heard[HOLD_FRAMES..];
        assert!(power(&mut faded[216..432].iter().copied()) < 0.2 * power(&mut faded[..216].iter().copied()));
        assert_eq!(heard[HOLD_FRAMES + FADE_FRAMES..], [0.0; 32]);
        assert_eq!(run.next_chunk(), SILENT_CHUNK);
    }

    #[test]
    fn it_passes_over_into_what_arrived_without_a_step() {
        let mut run = run_after_512();
        let last = run.next_chunk()[0][63];
        let mut arrived = chunk(&[0.25; 64]);
        run.cross_into(&mut arrived);
        let steps = core::iter::once(last).chain(arrived[0]).collect::<Vec<_>>();
        // The tone's own steepest step is 0.029.
        assert!(steps.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.04), "{steps:?}");
        assert_eq!(arrived[0][CROSSFADE_FRAMES..], [0.25; 16]);
    }

    #[test]
    fn what_grows_is_held_to_its_peak() {
        // A swell of 2 % a frame would be 600 times louder at the end of the gap.
        let swell: Vec<f32> = (0..512)
            .map(|n| tone(n, 1)[0] * f32_from_f64(1.02_f64.powf(f64_from_usize(n) - 512.0)))
            .collect();
        let peak = swell.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let mut run = Continuation::of([&swell, &swell]).unwrap().run(&chunk(&swell[448..]));
        while !run.is_silent() {
            assert!(run.next_chunk()[0].iter().all(|sample| sample.abs() <= peak));
        }
    }

    #[test]
    fn silence_needs_no_continuation() {
        assert_eq!(Continuation::of([&[0.0; 512], &[0.0; 512]]), None);
        assert_eq!(Continuation::of([&[], &[]]), None);
        assert!(Continuation::of([&tone(0, 512), &[0.0; 512]]).is_some());
    }
}
