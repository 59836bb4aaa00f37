//! The room's musical time in this process: leading it, or following it.
//!
//! ```text
//!  lead    host's transport -> readings -> Author -> LEAD document -> relay
//!  all     relay -> TIMELINE document -> line
//!  follow  line -> Endpoint -> MIDI clock -> DAW -> its transport -> readings -> Endpoint
//!          line -> Mover -> the host's own functions -> DAW -> its transport -> readings -> Mover
//! ```
//!
//! A DAW whose host lets itself be moved is moved. The MIDI clock goes on beside that, for hardware, but is not corrected by
//! what this DAW does: two loops around one transport would pull against each other. When the host turns out not to obey, the
//! mover leaves it alone, and the clock has its loop back.
//!
//! To lead is asked for once, when the role becomes Lead. Whoever is refused, or loses the lead to somebody that takes
//! it, does not ask again by itself: after a restart of the relay the lead is again with who had it.

use std::collections::VecDeque;

use lockstep_shared::clock::RoomMap;
use lockstep_shared::midi::{ClockOffset, Endpoint, Observation, Realtime};
use lockstep_shared::time::{GRID_RATE, GridPosition, LocalTime, Span};
use lockstep_shared::timeline::author::{Author, Reading};
use lockstep_shared::timeline::{AuthorId, Place, Timeline};
use lockstep_shared::transport::{Abilities, Command, Mover, MoverState, Nudge};
use lockstep_shared::wire::{Lead, MemberId, Role, RoomTimeline};

use super::cue::{Cue, Hand};
use crate::wiring::{ClockGuide, GuideState, Watch};

/// How far ahead ticks are worked out, so that they leave at their own time and not at that of a wake-up: 3 ms.
const AHEAD_FRAMES: f64 = 0.003 * GRID_RATE as f64;
/// A tick that leaves later than this after its time is counted as late: 20 ms.
const STALE: Span = Span::from_millis(20);

/// What this process is to the room's musical time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standpoint {
    /// Nothing.
    #[default]
    Off,
    /// Its DAW follows the line.
    Following,
    /// It has asked to lead and not been answered.
    Asking,
    /// Its DAW drives the line.
    Leading,
    /// Somebody else leads, and was not to be displaced.
    Refused(MemberId),
}

/// Whether the room's line is being heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    Heard,
    Lost,
}

/// What tells one [`ClockGuide`] from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GuideNumber {
    state: GuideState,
    watch: Watch,
    lines_heard: u32,
}

impl GuideNumber {
    /// What an engine goes by that has not been told anything.
    pub(super) const UNTOLD: Self = Self { state: GuideState::Off, watch: Watch::Daw, lines_heard: 0 };
}

/// The room's musical time in this process.
#[derive(Debug)]
pub struct MusicalTime {
    room: Option<RoomTimeline>,
    /// Grows with each line that is heard.
    lines_heard: u32,
    contact: Contact,
    role: Role,
    standpoint: Standpoint,
    /// Grows each time that the user takes the lead.
    takes: u32,
    is_taking: bool,
    author: Option<Author>,
    proposal: Option<Timeline>,
    hand: Hand,
    /// What the relay was told last.
    told: Option<Lead>,
    endpoint: Endpoint,
    events: VecDeque<(GridPosition, Realtime)>,
    /// None for a host that cannot be moved.
    mover: Option<Mover>,
    moves: VecDeque<Command>,
    late: u64,
}

impl MusicalTime {
    pub(super) fn new() -> Self {
        Self {
            room: None,
            lines_heard: 0,
            contact: Contact::Heard,
            role: Role::Off,
            standpoint: Standpoint::Off,
            takes: 0,
            is_taking: false,
            author: None,
            proposal: None,
            hand: Hand::default(),
            told: None,
            endpoint: Endpoint::new(),
            events: VecDeque::new(),
            mover: None,
            moves: VecDeque::new(),
            late: 0,
        }
    }

    /// The relay began anew: whoever led asks again, and the line is none until somebody has led.
    pub(super) fn forget_room(&mut self) {
        self.room = None;
        self.author = None;
        self.proposal = None;
        self.hand.rest();
        self.endpoint.forget_grid();
        if let Some(mover) = &mut self.mover {
            mover.forget_grid();
        }
        // Their places are on a grid that is no more.
        self.events.clear();
        if self.standpoint == Standpoint::Leading {
            self.standpoint = Standpoint::Asking;
        }
    }

    /// The link is lost: a DAW that follows is stopped, once.
    pub(super) const fn lost(&mut self) {
        self.contact = Contact::Lost;
        self.endpoint.lost();
        if let Some(mover) = &mut self.mover {
            mover.lost();
        }
    }

    /// The relay said who leads, and the line.
    pub(super) const fn take_room(&mut self, room: RoomTimeline) {
        self.room = Some(room);
        self.lines_heard = self.lines_heard.wrapping_add(1);
        self.contact = Contact::Heard;
        self.endpoint.regained();
        if let Some(mover) = &mut self.mover {
            mover.regained();
        }
    }

    /// Sees whether this process, which the room calls `me`, has the lead that it asked for.
    pub(super) fn settle(&mut self, me: MemberId) {
        let Some(room) = &self.room else { return };
        self.standpoint = match (self.standpoint, room.leader) {
            (Standpoint::Asking | Standpoint::Leading, Some(leader)) if leader == me => Standpoint::Leading,
            // Who takes the lead waits for the answer; who only asks has it in what the room says.
            (Standpoint::Asking, Some(other)) if !self.is_taking => Standpoint::Refused(other),
            (Standpoint::Leading, Some(other)) | (Standpoint::Refused(_), Some(other)) => {
                Standpoint::Refused(other)
            }
            (Standpoint::Leading, None) => Standpoint::Asking,
            (stays, _) => stays,
        };
        self.is_taking &= self.standpoint == Standpoint::Asking;
        if room.leader.is_some_and(|leader| leader != me) {
            self.hand.rest();
        }
    }

    /// Gives everybody a cue, if this process's DAW follows like theirs, and nobody's drives the line.
    pub(super) fn cue(&mut self, cue: Cue) {
        if self.standpoint == Standpoint::Following {
            self.hand.give(cue);
        }
    }

    /// Writes the cue into the line, once the lead is there.
    pub(super) fn write_cue(&mut self, me: MemberId, now: GridPosition, round_trip: Span) {
        if let Some(room) = self.room.as_ref().filter(|room| room.leader == Some(me))
            && let Some(line) = self.hand.write(&room.timeline, me, now, round_trip)
        {
            self.proposal = Some(line);
        }
    }

    /// Takes the lead, whoever has it, if this process is to lead at all.
    pub(super) const fn take_lead(&mut self) {
        if !matches!(self.role, Role::Lead) {
            return;
        }
        self.takes += 1;
        self.is_taking = true;
        self.standpoint = Standpoint::Asking;
    }

    /// Sets what the instances want to be.
    pub(super) fn set_role(&mut self, role: Role) {
        if role == self.role {
            return;
        }
        self.role = role;
        self.is_taking = false;
        self.author = None;
        self.proposal = None;
        self.hand.rest();
        self.standpoint = match role {
            Role::Off => Standpoint::Off,
            Role::Follow => Standpoint::Following,
            Role::Lead => Standpoint::Asking,
        };
    }

    /// How much later than the room's beats the clock leaves, in milliseconds; it glides there.
    pub(super) fn set_clock_offset(&mut self, milliseconds: f64) {
        let offset = ClockOffset::from_millis(milliseconds);
        self.endpoint.set_offset(offset);
        if let Some(mover) = &mut self.mover {
            mover.set_offset(offset);
        }
    }

    /// What the host of the DAW that speaks for this process can be asked.
    pub(super) fn set_abilities(&mut self, abilities: Abilities) {
        if self.mover.as_ref().is_none_or(|mover| mover.abilities() != abilities) {
            self.mover = abilities.suffice().then(|| Mover::new(abilities));
            if let Some(mover) = self.mover.as_mut().filter(|_| self.contact == Contact::Lost) {
                mover.lost();
            }
        }
    }

    /// The mover, as long as the host does what it is asked.
    fn moves_daw(&self) -> Option<&Mover> {
        self.mover.as_ref().filter(|mover| mover.state() != MoverState::Lost)
    }

    /// Takes what the DAW's transport says, block by block.
    pub(super) fn observe(&mut self, reading: &Reading, me: Option<MemberId>) {
        match (self.standpoint, &self.room, me) {
            (Standpoint::Leading, Some(room), Some(me)) => {
                let author = self.author.get_or_insert_with(|| Author::new(AuthorId(me.0), &room.timeline));
                if let Some(line) = author.observe(reading) {
                    self.proposal = Some(line);
                }
            }
            (Standpoint::Following, Some(room), _) => match &mut self.mover {
                Some(mover) if mover.state() != MoverState::Lost => {
                    mover.observe(reading, &room.timeline);
                }
                Some(_) | None => {
                    if let Some(seen) = Observation::of(reading) {
                        self.endpoint.observe(seen, &room.timeline);
                    }
                }
            },
            (
                Standpoint::Off
                | Standpoint::Asking
                | Standpoint::Refused(_)
                | Standpoint::Leading
                | Standpoint::Following,
                ..,
            ) => {}
        }
    }

    /// What the relay has to be told, when that is something new.
    pub(super) fn wish(&mut self) -> Option<Lead> {
        let role = match self.standpoint {
            Standpoint::Asking | Standpoint::Leading => Role::Lead,
            Standpoint::Following if self.hand.leads() => Role::Lead,
            Standpoint::Following => Role::Follow,
            Standpoint::Off | Standpoint::Refused(_) => Role::Off,
        };
        let leads = self.standpoint == Standpoint::Leading || self.hand.leads();
        let wish = Lead { role, take: self.takes, proposal: self.proposal.filter(|_| leads) };
        if self.told == Some(wish) || (self.told.is_none() && wish == Lead::default()) {
            return None;
        }
        self.told = Some(wish);
        Some(wish)
    }

    /// Works out the ticks up to a little ahead of `now`, and what the host is to be asked. A DAW that follows no more is
    /// stopped.
    pub(super) fn advance(&mut self, now: GridPosition) {
        if let Some(mover) = &mut self.mover {
            let moves = &mut self.moves;
            let mut ask = |command| moves.push_back(command);
            match self.room.as_ref().filter(|_| self.standpoint == Standpoint::Following) {
                Some(room) => mover.advance(&room.timeline, now, &mut ask),
                None => mover.rest(now, &mut ask),
            }
        }
        let events = &mut self.events;
        if let Some(room) = self.room.as_ref().filter(|_| self.standpoint == Standpoint::Following) {
            let mut emit = |at, event| events.push_back((at, event));
            self.endpoint.follow(&room.timeline, now, now.plus_f64(AHEAD_FRAMES), &mut emit);
        } else if let Some(event) = self.endpoint.rest() {
            events.clear();
            events.push_back((now, event));
        }
    }

    /// The next event of the MIDI clock that is due by `now`.
    pub(super) fn poll_clock(&mut self, now: LocalTime, map: &RoomMap) -> Option<Realtime> {
        let (at, event) = *self.events.front()?;
        let due = map.local(at);
        if due > now {
            return None;
        }
        self.events.pop_front();
        if now - due > STALE {
            self.late += 1;
        }
        Some(event)
    }

    /// The next thing that the host is to be asked.
    pub(super) fn poll_move(&mut self) -> Option<Command> {
        self.moves.pop_front()
    }

    /// The way to the host is gone: returns what takes back that it was bent, if it was. A transport that plays goes on as
    /// its user's.
    pub(super) fn let_go(&mut self) -> Option<Command> {
        self.moves.clear();
        self.mover.take().and_then(|mover| mover.is_bent().then_some(Command::Nudge(Nudge::NONE)))
    }

    /// Nobody has heard the clock so far.
    pub(super) const fn repeat_clock(&mut self) {
        self.endpoint.repeat();
    }

    /// When the next event of the MIDI clock is due.
    pub(super) fn clock_due(&self, map: Option<&RoomMap>) -> LocalTime {
        let next = self.events.front().zip(map);
        next.map_or(LocalTime::NEVER, |((at, _), map)| map.local(*at))
    }

    /// Which guide the audio threads should have by now.
    pub(super) fn guide_number(&self) -> GuideNumber {
        let state = match (self.standpoint, self.contact) {
            _ if self.room.is_none() => GuideState::Off,
            (Standpoint::Following, Contact::Heard) => GuideState::Follow,
            (Standpoint::Following, Contact::Lost) => GuideState::Lost,
            (Standpoint::Off | Standpoint::Asking | Standpoint::Leading | Standpoint::Refused(_), _) => {
                GuideState::Off
            }
        };
        let watch = if self.moves_daw().is_some() { Watch::Nobody } else { Watch::Daw };
        GuideNumber { state, watch, lines_heard: self.lines_heard }
    }

    /// The guide itself.
    pub(super) fn guide(&self) -> ClockGuide {
        let GuideNumber { state, watch, .. } = self.guide_number();
        ClockGuide { state, watch, line: self.line().copied().unwrap_or_default() }
    }

    /// What this process is to the room's musical time.
    #[must_use]
    pub const fn standpoint(&self) -> Standpoint {
        self.standpoint
    }

    /// Who leads, if anybody.
    #[must_use]
    pub fn leader(&self) -> Option<MemberId> {
        self.room.as_ref().and_then(|room| room.leader)
    }

    /// The room's line, once it is known.
    #[must_use]
    pub fn line(&self) -> Option<&Timeline> {
        self.room.as_ref().map(|room| &room.timeline)
    }

    /// Where the line is at `at`.
    #[must_use]
    pub fn place(&self, at: GridPosition) -> Option<Place> {
        self.line().map(|line| line.place(at))
    }

    /// By how much the DAW that follows is ahead of the line, in milliseconds, while the loop is closed.
    #[must_use]
    pub fn follower_error_ms(&self) -> Option<f64> {
        self.moves_daw().map_or_else(|| self.endpoint.error_ms(), Mover::error_ms)
    }

    /// How the DAW that is moved stands; none for one whose host cannot be asked.
    #[must_use]
    pub fn mover_state(&self) -> Option<MoverState> {
        self.mover.as_ref().map(Mover::state)
    }

    /// Events of the clock that left more than 20 ms after their time.
    #[must_use]
    pub const fn clock_late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
#[path = "musical_tests.rs"]
mod tests;
