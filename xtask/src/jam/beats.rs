//! Whether the beats met: where the songs of two DAWs were in what one heard of the other.
//!
//! ```text
//! sent frame   --sender's host--->   quarters  \
//!                                               difference, less the delay the room agreed on = beat error
//! heard frame  --receiver's host->   quarters  /
//! ```
//!
//! Which sent frame sounds in which heard frame is found in the audio, and where a DAW's song was at a frame its host
//! has written down. The players are in the sync mode Room: everybody is to hear the same beat at the same moment, late
//! by a delay that they have agreed on, and that is all that is taken from what the plugins say.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::analysis::{percentile, ranked};
use super::delay::Window;
use crate::install::shown;

/// Beats have been acquired when they are off by no more than this, in so many windows in a row: 1.5 s. A DAW that has
/// just been set going may be met at once, and then moves as its clock is corrected.
const ACQUIRED_US: f64 = 500.0;
const ACQUIRED_WINDOWS: usize = 6;

/// What one host wrote down.
#[derive(Clone, Debug, Default)]
pub(super) struct Beats {
    /// By frame.
    blocks: Vec<Block>,
    pub(super) clock: Vec<Message>,
    /// Frames a second, as the DAW counts.
    nominal_hz: f64,
}

/// The song at the first frame of a block.
#[derive(Clone, Copy, Debug)]
struct Block {
    frame: f64,
    quarters: f64,
    bpm: f64,
    plays: bool,
}

/// A message of the MIDI clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) frame: f64,
    pub(super) status: u8,
}

/// Where a song is, and how fast it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) quarters: f64,
    pub(super) bpm: f64,
}

/// How well beats met, from when they had been acquired on. None where they never were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct BeatFigures {
    /// From when both transports ran until the beats met.
    pub(super) acquire_seconds: Option<f64>,
    pub(super) beat_error_us_p50: Option<f64>,
    pub(super) beat_error_us_p99: Option<f64>,
    pub(super) beat_error_us_max: Option<f64>,
}

/// The error of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BeatError {
    /// Of the receiver's host since its start.
    pub(super) seconds: f64,
    /// Late above zero.
    pub(super) error_us: f64,
}

impl Beats {
    pub(super) fn read(path: &Path, nominal_hz: f64) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("no beats in {}", shown(path)))?;
        Ok(Self::parse(&text, nominal_hz))
    }

    pub(super) fn parse(text: &str, nominal_hz: f64) -> Self {
        let mut beats = Self { nominal_hz, ..Self::default() };
        for line in text.lines() {
            // A process that was ended may have left half a line.
            let _ = beats.take(line);
        }
        beats
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let mut fields = line.split(',');
        let frame = fields.next()?.parse().ok()?;
        match fields.next()? {
            "transport" => {
                let quarters = fields.next()?.parse().ok()?;
                let bpm = fields.next()?.parse().ok()?;
                let plays = fields.next()? == "1";
                self.blocks.push(Block { frame, quarters, bpm, plays });
            }
            "midi" => self.clock.push(Message { frame, status: fields.next()?.parse().ok()? }),
            _ => {}
        }
        Some(())
    }

    /// Where the song was at a frame; none while it stood.
    pub(super) fn place(&self, frame: f64) -> Option<Place> {
        let after = self.blocks.partition_point(|block| block.frame <= frame);
        let block = self.blocks.get(after.checked_sub(1)?).filter(|block| block.plays)?;
        let seconds = (frame - block.frame) / self.nominal_hz;
        Some(Place { quarters: block.quarters + seconds * block.bpm / 60.0, bpm: block.bpm })
    }

    /// Frames a second, as the DAW counts.
    pub(super) const fn nominal_hz(&self) -> f64 {
        self.nominal_hz
    }

    /// The first frame at which the song ran.
    pub(super) fn first_frame(&self) -> Option<f64> {
        self.blocks.iter().find(|block| block.plays).map(|block| block.frame)
    }
}

/// The error of every window in which both songs ran, where the room had agreed on a delay of `agreed_ms` by then.
pub(super) fn errors(
    windows: &[Window],
    sender: &Beats,
    receiver: &Beats,
    rate_hz: f64,
    agreed_ms: impl Fn(f64) -> Option<f64>,
) -> Vec<BeatError> {
    let errors = windows.iter().filter_map(|window| {
        let local = receiver.place(window.heard_frame)?;
        let remote = sender.place(window.sent_frame)?;
        let lag_us = (local.quarters - remote.quarters) * 60e6 / local.bpm;
        let error_us = lag_us - agreed_ms(window.heard_frame)? * 1e3;
        Some(BeatError { seconds: window.heard_frame / rate_hz, error_us })
    });
    errors.collect()
}

/// The figures of these errors, given when both transports had started, in the receiver's seconds.
pub(super) fn figures(errors: &[BeatError], both_from: Option<f64>) -> BeatFigures {
    let met = |errors: &[BeatError]| errors.iter().all(|error| error.error_us.abs() <= ACQUIRED_US);
    let (Some(first), Some(both_from)) = (errors.windows(ACQUIRED_WINDOWS).position(met), both_from) else {
        return BeatFigures::default();
    };
    let magnitudes = ranked(errors[first..].iter().map(|error| error.error_us.abs()));
    BeatFigures {
        acquire_seconds: Some((errors[first].seconds - both_from).max(0.0)),
        beat_error_us_p50: Some(percentile(&magnitudes, 0.5)),
        beat_error_us_p99: Some(percentile(&magnitudes, 0.99)),
        beat_error_us_max: magnitudes.last().copied(),
    }
}

/// Of all strips of a player the worst of each figure; none if any strip was never acquired.
pub(super) fn worst(of: &[BeatFigures]) -> BeatFigures {
    let worst_of = |figure: fn(&BeatFigures) -> Option<f64>| {
        of.iter()
            .map(figure)
            .try_fold(0.0, |worst: f64, value| Some(worst.max(value?)))
            .filter(|_| !of.is_empty())
    };
    BeatFigures {
        acquire_seconds: worst_of(|figures| figures.acquire_seconds),
        beat_error_us_p50: worst_of(|figures| figures.beat_error_us_p50),
        beat_error_us_p99: worst_of(|figures| figures.beat_error_us_p99),
        beat_error_us_max: worst_of(|figures| figures.beat_error_us_max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn song(offset_quarters: f64, from_block: u32) -> Beats {
        let block = |number: u32| {
            let frame = f64::from(number * 64);
            let quarters = offset_quarters + frame / 24_000.0;
            format!("{frame},transport,{quarters},120,{}\n{frame},midi,248\n", u8::from(number >= from_block))
        };
        Beats::parse(&(0..4_000).map(block).collect::<String>(), 48_000.0)
    }

    fn window(heard_frame: f64, lag_frames: f64) -> Window {
        Window { heard_frame, sent_frame: heard_frame - lag_frames, ..Window::default() }
    }

    #[test]
    fn what_is_late_by_what_was_agreed_is_on_the_beat() {
        let (sender, receiver) = (song(0.0, 0), song(0.0, 1_000));
        assert_eq!((receiver.first_frame(), receiver.clock.len()), (Some(64_000.0), 4_000));
        // 12 frames, a quarter of a millisecond, later than 9 ms.
        let windows: Vec<Window> =
            (1..20).map(|number| window(f64::from(number) * 12_000.0, 444.0)).collect();
        let errors = errors(&windows, &sender, &receiver, 48_000.0, |_| Some(9.0));
        assert_eq!(errors.len(), 14, "no error before both play");
        let figures = figures(&errors, Some(64_000.0 / 48_000.0));
        assert!((figures.beat_error_us_p99.unwrap() - 250.0).abs() < 1e-3, "{figures:?}");
        assert!((figures.acquire_seconds.unwrap() - 8_000.0 / 48_000.0).abs() < 1e-9, "{figures:?}");
    }

    #[test]
    fn what_came_before_the_beats_met_does_not_count_and_what_never_met_has_no_figure() {
        let error = |seconds: u32, error_us| BeatError { seconds: f64::from(seconds), error_us };
        let mut good = vec![error(0, 400.0), error(1, -9e3), error(2, 20.0), error(3, -30.0)];
        good.extend((4..8).map(|second| error(second, 10.0)));
        let met = figures(&good, Some(0.5));
        assert_eq!((met.acquire_seconds, met.beat_error_us_max), (Some(1.5), Some(30.0)));
        let never = figures(&good[..4], Some(0.5));
        assert_eq!(never, BeatFigures::default());
        assert_eq!(worst(&[met, never]), never);
        assert_eq!(worst(&[met, met]), met);
    }
}
