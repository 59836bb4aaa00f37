//! The MIDI clock of one endpoint, derived from the room's timeline.
//!
//! Ticks never cross the network: whoever holds the timeline computes them, by this one function. Tick *k* is due
//! where the line reaches beat *k* / 24. [`Ticker::poll`] is called with windows of the grid that follow each other and
//! says what is due in each, once and in order:
//!
//! ```text
//! line      stopped           | plays from beat 8                        | stops
//! emitted   F8   F8   F8   F2 F8  FB F8   F8   F8   F8   F8   F8   F8   FC   F8   F8
//!           ticks lead up to the start ^ ^ tick 192, the downbeat        ticks go on
//! ```
//!
//! - *Stopped*: ticks run at the line's tempo, so that followers lock before play; their spacing is bent a little so that
//!   they lead up to the downbeat when that is known.
//! - *Begin*: Start where the first tick is beat 0, else Song Position (while stopped) and Continue. They are sent
//!   1.25 ms before their tick. A line before beat 0 is waited for. A follower that comes late, or whose line
//!   jumped, enters where [`Joins`] says. A jump that is known ahead is stopped for one locate lead early, so that the
//!   follower is already there, at the very tick, when the line has jumped.
//! - *Running*: between Start or Continue and Stop there is one F8 for each tick that the line travels, none lost and
//!   none doubled, whatever revisions arrive, because ticks are counted. What a new revision has put into the past is
//!   sent at twice the tempo at most; what is more than a quarter note away is a jump.
//! - *Early or late*: [`ClockOffset`] and the closed loop's correction shift where the line is read, and glide there with at
//!   most 1 % of tempo, or 5 % while a DAW that has just started is not in time yet ([`Slew`]).
//! - *The link is lost*: one Stop. Ticks go on at the last tempo, and only a line that was heard afresh
//!   ([`Ticker::regained`]) sets the follower going again, as one that comes late.
//!
//! Real-time: yes. Bound: [`EVENTS_MAX`] events a poll, each a few searches of the timeline; no allocation.

mod due;
mod join;
mod run;
mod shift;

#[cfg(test)]
mod tests;

use super::{ClockOffset, Realtime};
use crate::time::{Beats, GridPosition};
use crate::timeline::{Pace, Timeline};
use due::{Act, Due};
use join::{Begin, Join};
pub use join::{Joins, Settings, Starts};
use run::{Run, Tick};
use shift::Shift;
pub use shift::Slew;

/// Events in a poll at most; what remains is due in the next.
pub const EVENTS_MAX: usize = 128;

/// A part of the grid, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first position.
    pub from: GridPosition,
    /// The position after the last.
    pub to: GridPosition,
}

/// The MIDI clock of one endpoint. See the module's page.
#[derive(Clone, Debug)]
pub struct Ticker {
    settings: Settings,
    offset: ClockOffset,
    correction_frames: f64,
    shift: Shift,
    link: LinkState,
    place: PlaceState,
    state: State,
    /// Up to where everything has been emitted.
    polled: Option<GridPosition>,
    last_clock: Option<GridPosition>,
    /// Of the line when it was last seen.
    pace: Pace,
}

/// Whether what [`Ticker::poll`] is given is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    Up,
    Lost,
}

/// Whether the follower is where the ticks sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlaceState {
    Right,
    Wrong,
}

/// What the follower does.
#[derive(Clone, Copy, Debug)]
enum State {
    /// It stands, and may be about to begin.
    Stopped { next: Option<Next> },
    /// It was told to begin, and counts.
    Running { epoch: u32, next: Tick, origin: Tick, begun: GridPosition },
}

/// Where it will begin, and whether it has been told the place.
#[derive(Clone, Copy, Debug)]
struct Next {
    join: Join,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Place,
}

/// A poll that begins this far before the end of the last one is on another grid.
const GRID_BACK: f64 = -48_000.0;
/// The furthest that a closed loop may correct, a quarter of a second.
const CORRECTION_MOST: f64 = 12_000.0;

impl Ticker {
    /// A clock for a follower of this kind.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            offset: ClockOffset::default(),
            correction_frames: 0.0,
            shift: Shift::default(),
            link: LinkState::Up,
            place: PlaceState::Right,
            state: State::Stopped { next: None },
            polled: None,
            last_clock: None,
            pace: Timeline::default().place(GridPosition::default()).pace,
        }
    }

    /// Moves the clock to this offset, gliding.
    pub fn set_offset(&mut self, offset: ClockOffset) {
        self.offset = offset;
        self.retarget();
    }

    /// Moves the clock by `frames` of the grid more than its offset, gliding: the closed loop's correction, positive
    /// is later, held within a quarter of a second. NaN is none. Until the next call, every glide is as fast as `slew`
    /// says.
    pub fn set_correction(&mut self, frames: f64, slew: Slew) {
        self.shift.set_slew(slew);
        let frames = if frames.is_nan() { 0.0 } else { frames };
        self.correction_frames = frames.clamp(-CORRECTION_MOST, CORRECTION_MOST);
        self.retarget();
    }

    /// Changes what the follower can do, from its next beginning on.
    pub const fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The link has been lost: a follower that runs is stopped at the next poll, and stays so until
    /// [`Ticker::regained`].
    pub const fn lost(&mut self) {
        self.link = LinkState::Lost;
    }

    /// The timeline that will be polled with has been heard afresh.
    pub const fn regained(&mut self) {
        self.link = LinkState::Up;
    }

    /// Stops a follower that runs at the next poll, and has it begin again as one that comes late: its place was
    /// wrong.
    pub const fn relocate(&mut self) {
        self.place = PlaceState::Wrong;
    }

    /// Emits what is due in `window`, in order. The windows of successive polls follow each other; what a gap
    /// between them has left out is caught up with. The timeline must reach back as far as the offset is late,
    /// half a second at most.
    ///
    /// Real-time: yes. Bound: [`EVENTS_MAX`] events.
    pub fn poll(
        &mut self,
        timeline: Option<&Timeline>,
        window: Window,
        emit: &mut impl FnMut(GridPosition, Realtime),
    ) {
        let line = timeline.filter(|_| self.link == LinkState::Up);
        let mut cursor = self.enter(window.from);
        for _ in 0..EVENTS_MAX {
            self.settle(line, cursor);
            let due = match line {
                Some(line) => self.due(line, cursor),
                None => self.due_without_line(cursor),
            };
            let Some(due) = due.filter(|due| due.at < window.to) else {
                cursor = window.to.max(cursor);
                break;
            };
            cursor = due.at;
            self.perform(due, emit);
        }
        self.shift.advance(cursor);
        self.polled = Some(cursor);
    }

    /// Whether the follower was told to run.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// The room's beat at which the running follower is at its own beat 0: not 0 when it was set going by Start on a
    /// bar line, or when Song Position does not reach.
    #[must_use]
    pub const fn follower_origin(&self) -> Option<Beats> {
        match self.state {
            State::Running { origin, .. } => Some(origin.beats()),
            State::Stopped { .. } => None,
        }
    }

    /// What the follower can do.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The offset that was asked for.
    #[must_use]
    pub const fn offset(&self) -> ClockOffset {
        self.offset
    }

    /// By how many frames what is emitted at `at` is later than its line.
    #[must_use]
    pub fn shift_frames(&self, at: GridPosition) -> f64 {
        self.shift.at(at)
    }

    fn retarget(&mut self) {
        self.shift.set_target(self.offset.frames() + self.correction_frames);
    }

    /// The first position that may be emitted at.
    fn enter(&mut self, from: GridPosition) -> GridPosition {
        let Some(polled) = self.polled else {
            self.shift.advance(from);
            self.shift.jump();
            return from;
        };
        if from.frames_since(polled) < GRID_BACK {
            // Another grid: nothing that was counted on the old one holds on this one.
            self.shift = Shift::default();
            self.retarget();
            self.shift.advance(from);
            self.shift.jump();
            self.last_clock = None;
            return from;
        }
        polled.max(from)
    }

    /// Goes to a new offset at once while the follower stands, unless that would read the line on the other side of
    /// a start or stop.
    fn settle(&mut self, line: Option<&Timeline>, cursor: GridPosition) {
        let untold =
            matches!(self.state, State::Stopped { next: None | Some(Next { told: Told::Nothing, .. }) });
        if !untold || self.shift.is_settled() {
            return;
        }
        let run_at =
            |read| line.and_then(|line| Run::all(line).find(|run| run.holds(read))).map(|run| run.epoch);
        if run_at(self.shift.read(cursor)) == run_at(self.shift.read_at_target(cursor)) {
            self.shift.jump();
        }
    }

    fn perform(&mut self, due: Due, emit: &mut impl FnMut(GridPosition, Realtime)) {
        let event = match due.act {
            Act::FreeClock => {
                self.last_clock = Some(due.at);
                Realtime::Clock
            }
            Act::Clock => {
                self.last_clock = Some(due.at);
                if let State::Running { next, .. } = &mut self.state {
                    next.0 += 1;
                }
                Realtime::Clock
            }
            Act::Locate(next) => {
                self.state = State::Stopped { next: Some(Next { told: Told::Place, ..next }) };
                match next.join.begin {
                    Begin::Continue(position) => Realtime::SongPosition(position),
                    // Nothing to tell: the position is 0.
                    Begin::Start => return,
                }
            }
            Act::Begin(join) => {
                let Join { epoch, tick, begin } = join;
                self.state = State::Running { epoch, next: tick, origin: join.origin(), begun: due.at };
                begin.event()
            }
            Act::Stop => {
                self.state = State::Stopped { next: None };
                self.place = PlaceState::Right;
                Realtime::Stop
            }
        };
        emit(due.at, event);
    }
}
