//! The MIDI clock as a player's plugin sent it, tick by tick.

use serde::Serialize;

use super::analysis::{percentile, ranked};
use super::beats::{Beats, Message};
use crate::numbers::{f64_from_usize, i64_round};

const CLOCK: u8 = 0xF8;
const START: u8 = 0xFA;
const CONTINUE: u8 = 0xFB;
const STOP: u8 = 0xFC;
const TICKS_PER_QUARTER: f64 = 24.0;
/// Two ticks that are closer than this part of their distance are one tick twice: what is caught up with comes at half
/// of it.
const DOUBLED: f64 = 0.25;

/// What was sent to a DAW that follows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct TickFigures {
    /// How often the DAW was set going: once, unless the room's line jumped or the link was lost.
    pub(super) clock_starts: usize,
    /// How far the distance of two ticks was from what the leader's tempo makes it, in 99 of 100, after the beats met.
    pub(super) tick_jitter_us_p99: Option<f64>,
    /// Between Start and Stop.
    pub(super) ticks_lost: i64,
    pub(super) ticks_doubled: i64,
}

/// A host's frames in true seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocked<'a> {
    pub(super) beats: &'a Beats,
    pub(super) rate_hz: f64,
}

/// Measures the ticks that were sent to a follower. None if it was never set going, or the leader never played.
///
/// `settled_from` is when its beats met, in seconds of its host: before that, the closed loop moves the ticks, and only
/// those that came twice can be told. Infinity if they never met.
pub(super) fn measure(follower: Clocked<'_>, leader: Clocked<'_>, settled_from: f64) -> Option<TickFigures> {
    let leads_from = leader.beats.first_frame()?;
    let bpm = leader.beats.place(leads_from)?.bpm;
    // The leader's tempo is by the clock of its own interface.
    let tick_seconds = 60.0 / (bpm * TICKS_PER_QUARTER) * leader.beats.nominal_hz() / leader.rate_hz;
    let runs = runs(&follower.beats.clock, follower.rate_hz);
    let settled = runs.iter().flat_map(|run| run.windows(2)).filter(|pair| pair[0] >= settled_from);
    let jitter = ranked(settled.map(|pair| (pair[1] - pair[0] - tick_seconds).abs() * 1e6));
    let (mut lost, mut doubled) = (0, 0);
    for run in &runs {
        let twice = run.windows(2).filter(|pair| pair[1] - pair[0] < tick_seconds * DOUBLED).count();
        let missing = missing(run, tick_seconds, settled_from);
        let twice = crate::numbers::i64_from_usize(twice).max(-missing);
        doubled += twice;
        lost += missing + twice;
    }
    let figures = TickFigures {
        clock_starts: runs.len(),
        tick_jitter_us_p99: (!jitter.is_empty()).then(|| percentile(&jitter, 0.99)),
        ticks_lost: lost,
        ticks_doubled: doubled,
    };
    (!runs.is_empty()).then_some(figures)
}

/// The times of the ticks between each Start or Continue and the Stop after it, in seconds.
fn runs(clock: &[Message], rate_hz: f64) -> Vec<Vec<f64>> {
    let mut runs = Vec::new();
    let mut running = false;
    for message in clock {
        match message.status {
            START | CONTINUE => {
                running = true;
                runs.push(Vec::new());
            }
            STOP => running = false,
            CLOCK if running => {
                if let Some(run) = runs.last_mut() {
                    run.push(message.frame / rate_hz);
                }
            }
            _ => {}
        }
    }
    runs
}

/// How many ticks fewer there are than the time makes, from when the closed loop had settled to the end.
fn missing(run: &[f64], tick_seconds: f64, settled_from: f64) -> i64 {
    let first = run.partition_point(|seconds| *seconds < settled_from);
    let (Some(from), Some(to)) = (run.get(first), run.last()) else { return 0 };
    i64_round((to - from) / tick_seconds - f64_from_usize(run.len() - 1 - first))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    fn leader() -> Beats {
        Beats::parse("0,transport,0,120,1\n", RATE)
    }

    /// Ticks at 120 quarters a minute, after Start: these.
    fn measured(ticks: impl Iterator<Item = u32>) -> TickFigures {
        let ticks: String = ticks.map(|tick| format!("{},midi,248\n", 1_000 * tick + 100)).collect();
        let beats = Beats::parse(&format!("0,midi,248\n40,midi,250\n{ticks}"), RATE);
        let leader = leader();
        let clocked = |beats| Clocked { beats, rate_hz: RATE };
        measure(clocked(&beats), clocked(&leader), 0.0).unwrap()
    }

    #[test]
    fn every_tick_once_is_right() {
        let figures = measured(0..500);
        assert_eq!((figures.clock_starts, figures.ticks_lost, figures.ticks_doubled), (1, 0, 0));
        assert!(figures.tick_jitter_us_p99.unwrap() < 1e-6);
    }

    #[test]
    fn lost_and_doubled_ticks_are_found_even_in_equal_numbers() {
        let lost = measured((0..500).filter(|tick| *tick != 77 && *tick != 200));
        assert_eq!((lost.ticks_lost, lost.ticks_doubled), (2, 0));
        let doubled =
            measured((0..500).flat_map(|tick| std::iter::repeat_n(tick, 1 + usize::from(tick == 9))));
        assert_eq!((doubled.ticks_lost, doubled.ticks_doubled), (0, 1));
        let both = measured(
            (0..500)
                .filter(|tick| *tick != 77)
                .flat_map(|tick| std::iter::repeat_n(tick, 1 + usize::from(tick == 9))),
        );
        assert_eq!((both.ticks_lost, both.ticks_doubled), (1, 1));
    }

    #[test]
    fn a_host_that_was_never_started_has_no_figures() {
        let beats = Beats::parse("0,midi,248\n1000,midi,248\n", RATE);
        let leader = leader();
        let clocked = |beats| Clocked { beats, rate_hz: RATE };
        assert_eq!(measure(clocked(&beats), clocked(&leader), 0.0), None);
    }
}
