//! Changes of the line, scheduled ahead.

use super::{AuthorId, Motion, Pace, Segment, TimeSignature, Timeline};
use crate::time::{Beats, GRID_RATE, GridPosition, Span, Tempo};

/// What somebody wants the transport to do, and where on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Play from `beats` at `at`.
    Start {
        /// The beat.
        beats: Beats,
        /// Where on the grid.
        at: GridPosition,
    },
    /// Stand from `at`.
    Stop {
        /// Where on the grid.
        at: GridPosition,
    },
    /// Go on from `beats` at `at`, playing or standing as before.
    Locate {
        /// The beat.
        beats: Beats,
        /// Where on the grid.
        at: GridPosition,
    },
    /// Run at `tempo` from `at`; [`Timeline::when`] tells where a beat lies.
    Tempo {
        /// The tempo.
        tempo: Tempo,
        /// Where on the grid.
        at: GridPosition,
    },
    /// Count bars by `signature` from `at`, which begins a bar.
    Signature {
        /// The signature.
        signature: TimeSignature,
        /// Where on the grid.
        at: GridPosition,
    },
}

/// How far ahead a change is scheduled when the way to the relay and back takes `round_trip`: there is time to
/// repeat it at least five times.
#[must_use]
pub fn lead_time(round_trip: Span) -> Span {
    round_trip + round_trip + Span::from_millis(100)
}

impl Intent {
    /// Where on the grid it takes effect.
    #[must_use]
    pub const fn at(&self) -> GridPosition {
        match self {
            Self::Start { at, .. }
            | Self::Stop { at }
            | Self::Locate { at, .. }
            | Self::Tempo { at, .. }
            | Self::Signature { at, .. } => *at,
        }
    }

    fn apply(&self, to: Segment) -> Segment {
        match *self {
            Self::Start { beats, at } => {
                Segment { at, beats, motion: Motion::Playing, epoch: to.epoch.wrapping_add(1), ..to }
            }
            Self::Stop { at } => Segment { at, motion: Motion::Stopped, ..to },
            Self::Locate { beats, at } => Segment { at, beats, epoch: to.epoch.wrapping_add(1), ..to },
            Self::Tempo { tempo, .. } => Segment { tempo, pace: Pace::from_tempo(tempo), ramp: None, ..to },
            Self::Signature { signature, .. } => {
                Segment { signature, bar_origin: signature.origin_of(to.beats), ..to }
            }
        }
    }
}

impl Timeline {
    /// The next revision, by `author`: this line up to the intent, then what it says, in place of everything
    /// scheduled after it.
    #[must_use]
    pub fn with_intent(&self, author: AuthorId, intent: &Intent) -> Self {
        let mut next = self.stamped(self.revision().saturating_add(1), author);
        let mut before = next.active(intent.at()).cut_at(intent.at());
        before.motion = next.place(intent.at()).motion;
        next.push(intent.apply(before));
        next
    }

    /// Where a start, or whatever is to begin on a bar, is scheduled by default: the first bar line that lies at
    /// least [`lead_time`] after `now`; that moment itself while the line stands.
    #[must_use]
    pub fn first_bar_after(&self, now: GridPosition, round_trip: Span) -> GridPosition {
        let soonest = now.plus_f64(lead_time(round_trip).secs_f64() * f64::from(GRID_RATE));
        self.next_bar(soonest).unwrap_or(soonest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::GridFrame;

    const ME: AuthorId = AuthorId(3);

    fn frame(frame: i64) -> GridPosition {
        GridFrame(frame).position()
    }

    fn started() -> Timeline {
        Timeline::default().with_intent(ME, &Intent::Start { beats: Beats::default(), at: frame(48_000) })
    }

    #[test]
    fn a_start_is_on_its_frame_and_not_before() {
        let line = started();
        assert_eq!((line.revision(), line.author()), (1, ME));
        assert_eq!(line.place(frame(47_999)).motion, Motion::Stopped);
        assert_eq!(line.place(frame(48_000)).motion, Motion::Playing);
        assert_ne!(line.place(frame(47_999)).epoch, line.place(frame(48_000)).epoch);
        assert_eq!(line.when(Beats::default(), frame(0)), Some(frame(48_000)));
        assert_eq!(line.place(frame(72_000)).beats, Beats::from_quarters(1.0));
    }

    #[test]
    fn stop_and_continue_keeps_the_beat() {
        let stop = started().with_intent(ME, &Intent::Stop { at: frame(60_000) });
        assert_eq!(stop.place(frame(90_000)).beats, Beats::from_quarters(0.5));
        assert_eq!(stop.when(Beats::from_quarters(1.0), frame(0)), None);
        let beats = stop.place(frame(90_000)).beats;
        let on = stop.with_intent(ME, &Intent::Start { beats, at: frame(96_000) });
        assert_eq!(on.place(frame(108_000)).beats, Beats::from_quarters(1.0));
        assert_eq!(on.when(Beats::from_quarters(1.0), frame(0)), Some(frame(108_000)));
    }

    #[test]
    fn a_tempo_change_bends_the_line_without_a_step() {
        let tempo = Tempo::from_bpm(133.3).unwrap();
        let line = started().with_intent(ME, &Intent::Tempo { tempo, at: frame(60_001) });
        let change = line.segments().last().unwrap();
        assert_eq!((change.tempo, change.epoch), (tempo, 1));
        let mut before = None;
        for micro in 499_000..502_000 {
            let at = line.when(Beats::from_micro(micro), frame(0));
            assert_eq!(line.place(at.unwrap()).beats.micro(), micro);
            assert!(at > before);
            before = at;
        }
    }

    #[test]
    fn an_intent_replaces_what_was_scheduled_after_it() {
        let line = started()
            .with_intent(ME, &Intent::Locate { beats: Beats::from_quarters(64.0), at: frame(96_000) })
            .with_intent(ME, &Intent::Stop { at: frame(90_000) });
        assert_eq!(line.segments().len(), 3);
        assert_eq!(line.place(frame(96_000)).motion, Motion::Stopped);
        assert_eq!(line.revision(), 3);
    }

    #[test]
    fn an_intent_before_everything_is_alone() {
        let line = Timeline::new(Segment::stopped(frame(1_000)))
            .with_intent(ME, &Intent::Tempo { tempo: Tempo::MAX, at: frame(-5) });
        assert_eq!(line.segments().len(), 1);
        assert_eq!(line.place(frame(0)).tempo, Tempo::MAX);
        assert_eq!(line.place(frame(48_000)).motion, Motion::Stopped);
    }

    #[test]
    fn a_full_line_forgets_its_oldest() {
        let mut line = started();
        for at in 1..100 {
            line = line.with_intent(ME, &Intent::Locate { beats: Beats::default(), at: frame(100_000 + at) });
        }
        assert_eq!(line.segments().len(), super::super::SEGMENTS_MAX);
        assert_eq!(line.last().at, frame(100_099));
        assert_eq!(line.last().epoch, 100);
    }

    #[test]
    fn bars_begin_after_the_lead_time() {
        let line = started();
        let round_trip = Span::from_millis(40);
        assert_eq!(lead_time(round_trip), Span::from_millis(180));
        // 120 BPM: a bar is 96,000 frames; 180 ms are 8,640. The pace's rounding is less than a step here.
        let bar = |now| line.first_bar_after(frame(now), round_trip).round();
        assert_eq!(bar(48_000 + 96_000 - 8_641), GridFrame(144_000));
        assert_eq!(bar(48_000 + 96_000 - 8_639), GridFrame(240_000));
        assert_eq!(Timeline::default().first_bar_after(frame(0), round_trip), frame(8_640));
    }
}
