//! Where a follower that stands enters a line that plays, or will.

use super::run::{NEAR, Run, Tick};
use crate::midi::{Realtime, SongPosition};
use crate::time::{Beats, GRID_RATE, GridPosition, Span};
use crate::timeline::{Place, Timeline};

/// Where a follower enters a line that already plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joins {
    /// On the next bar line that is far enough ahead.
    #[default]
    AtBarLine,
    /// On the next sixteenth that is far enough ahead: sooner, and in the middle of a bar.
    AtSixteenth,
}

/// How a follower can be set going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Starts {
    /// It obeys Song Position and Continue: it enters anywhere and counts the room's bars.
    #[default]
    Anywhere,
    /// It knows Start alone: it enters on bar lines, and counts bars from there.
    OnBarLine,
}

/// What an endpoint's follower can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it enters a line that plays.
    pub joins: Joins,
    /// How it can be set going.
    pub starts: Starts,
    /// The time it needs between Song Position and Continue.
    pub locate_lead: Span,
}

/// A place to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Join {
    pub(super) epoch: u32,
    /// The first tick, which is the downbeat.
    pub(super) tick: Tick,
    /// What is said just before it.
    pub(super) begin: Begin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    Start,
    Continue(SongPosition),
}

/// The first positions on the line that a follower can be ready for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) for_start: GridPosition,
    pub(super) for_continue: GridPosition,
}

const SIXTEENTH: i64 = 250_000;

impl Default for Settings {
    fn default() -> Self {
        Self { joins: Joins::default(), starts: Starts::default(), locate_lead: Span::from_millis(50) }
    }
}

impl Settings {
    /// The locate lead in frames, at least a millisecond and at most two seconds (what slow hardware asks for).
    pub(super) fn lead_frames(&self) -> f64 {
        self.locate_lead.secs_f64().clamp(0.001, 2.0) * f64::from(GRID_RATE)
    }
}

impl Begin {
    pub(super) const fn event(self) -> Realtime {
        match self {
            Self::Start => Realtime::Start,
            Self::Continue(_) => Realtime::Continue,
        }
    }
}

impl Join {
    /// The first place of `line` to enter; none while none is known.
    ///
    /// Real-time: yes. Bound: the runs of a timeline times a few searches of it.
    pub(super) fn choose(line: &Timeline, settings: &Settings, ready: Ready) -> Option<Self> {
        Run::all(line)
            .filter(|run| run.until.is_none_or(|until| until > ready.for_start))
            .find_map(|run| Self::within(line, &run, settings, ready))
    }

    /// The first place of `run` to enter.
    pub(super) fn within(line: &Timeline, run: &Run, settings: &Settings, ready: Ready) -> Option<Self> {
        let zero = run.position_of(line, Tick(0)).filter(|_| run.beats.micro() <= NEAR);
        let at = match settings.starts {
            Starts::OnBarLine => {
                // A pre-roll is no place to start from.
                let from = ready.for_start.max(zero.unwrap_or(run.from));
                line.next_bar(from)
            }
            Starts::Anywhere => zero
                .filter(|zero| *zero >= ready.for_start)
                .or_else(|| {
                    Some(run.from).filter(|from| *from >= ready.for_continue && on_sixteenth(run.beats))
                })
                .or_else(|| next_entry(line, run, settings.joins, ready.for_continue.max(run.from))),
        }?;
        // What would stop again before it has been heard is not entered.
        let last = at.plus_f64(settings.lead_frames());
        let long_enough = run.holds(at) && run.until.is_none_or(|until| until >= last);
        long_enough.then(|| Self::at(&line.place(at), settings.starts))
    }

    fn at(place: &Place, starts: Starts) -> Self {
        let tick = Tick::near(place.beats);
        let begin = match starts {
            Starts::Anywhere if tick != Tick(0) => Begin::Continue(song_position(tick, place)),
            Starts::Anywhere | Starts::OnBarLine => Begin::Start,
        };
        Self { epoch: place.epoch, tick, begin }
    }

    /// The tick at which the follower is at its own beginning.
    pub(super) fn origin(&self) -> Tick {
        match self.begin {
            Begin::Start => self.tick,
            Begin::Continue(position) => Tick(self.tick.0 - position.ticks()),
        }
    }
}

/// The first sixteenth from `from` on that the setting asks for.
fn next_entry(line: &Timeline, run: &Run, joins: Joins, from: GridPosition) -> Option<GridPosition> {
    let sixteenth_from = |at: GridPosition| {
        let micro = line.place(at).beats.micro().max(0);
        let sixteenth = micro.saturating_add(SIXTEENTH - 1).div_euclid(SIXTEENTH).saturating_mul(SIXTEENTH);
        run.position_from(line, Beats::from_micro(sixteenth), at)
    };
    match joins {
        Joins::AtSixteenth => sixteenth_from(from),
        // In a bar of 1/64 notes the bar line may lie between sixteenths.
        Joins::AtBarLine => line.next_bar(from).filter(|bar| run.holds(*bar)).and_then(sixteenth_from),
    }
}

fn on_sixteenth(beats: Beats) -> bool {
    let micro = beats.micro().saturating_add(NEAR);
    micro >= 0 && micro % SIXTEENTH <= 2 * NEAR
}

/// The song position of a tick. Beyond the 16,383 sixteenths that it can say, whole bars are taken away: the
/// follower shows another bar number, and the place within the bar is right. (In bars that are no whole number of
/// sixteenths, 4/4 is taken.)
fn song_position(tick: Tick, place: &Place) -> SongPosition {
    const REACH: i64 = 16_384;
    let bar = place.signature.bar_beats().micro();
    let bar = if bar % SIXTEENTH == 0 { bar / SIXTEENTH } else { 16 };
    let reach = (REACH / bar).max(1) * bar;
    let sixteenth = tick.0.div_euclid(SongPosition::TICKS);
    let told = if sixteenth < REACH { sixteenth } else { sixteenth.rem_euclid(reach) };
    u16::try_from(told).ok().and_then(SongPosition::new).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{Segment, TimeSignature};

    #[test]
    fn beyond_its_reach_a_song_position_keeps_the_place_in_the_bar() {
        for (numerator, denominator, bar) in [(4, 4, 16), (3, 4, 12), (7, 8, 14), (5, 16, 5)] {
            let signature = TimeSignature::new(numerator, denominator).unwrap();
            let segment = Segment { signature, ..Segment::stopped(GridPosition::from_raw(0)) };
            let place = Timeline::new(segment).place(GridPosition::from_raw(0));
            for sixteenth in [0, 5, 16_383, 16_384, 16_390, 50_000] {
                let told = i64::from(song_position(Tick(sixteenth * 6), &place).sixteenths());
                assert_eq!(told % bar, sixteenth % bar, "{numerator}/{denominator} at {sixteenth}");
                assert!(told == sixteenth || sixteenth > 16_383);
            }
        }
    }
}
