//! A participant that is here: its addresses, its signs of life, and its rounds of the clock.
//!
//! Whoever invited makes the rounds: eight in the first second, then one every 1.25 s, and a missing answer is asked for
//! again after half a second. Whoever was invited asks thrice at first, in case the other answers, which not every one
//! does; one that has answered is asked whenever it does not ask by itself. That is how silence is noticed on both sides.

use std::collections::VecDeque;

use core::net::{IpAddr, SocketAddr};

use super::estimate::Estimate;
use super::event::Refused;
use crate::rtpmidi::control::{ClockStep, Ssrc, Token};
use crate::rtpmidi::time::Ticks;
use crate::time::{LocalTime, Span};

/// Rounds right after the invitation, and their distance.
const EAGER_ROUNDS: u32 = 8;
const EAGER_EVERY: Span = Span::from_millis(125);
/// Rounds from then on.
const ROUND_EVERY: Span = Span::from_millis(1_250);
/// After this an answer is missing.
const ANSWER_WITHIN: Span = Span::from_millis(500);
/// After more missing answers than this it is asked for less often.
const ANSWERS_MISSING_MAX: u32 = 4;
/// Rounds with somebody who seems to be away.
const AWAY_EVERY: Span = Span::from_millis(1_000);
/// Somebody who makes the rounds itself and does not for this long is asked.
const ASK_AFTER: Span = Span::from_millis(1_600);
/// How often somebody who invited is asked whether it answers at all.
const TRIAL_ROUNDS: u32 = 3;
/// The first of them comes soon: whoever is lost right after it came should not hold its notes for a minute.
const TRIAL_FIRST: Span = Span::from_millis(250);
const TRIAL_EVERY: Span = Span::from_millis(1_000);
/// Missed rounds and silence after which a participant is quiet.
const QUIET_ROUNDS: u32 = 3;
const QUIET_AFTER: Span = Span::from_millis(2_000);
/// Somebody who never answers is quiet after this many times its own longest rest, which is known after a minute.
const QUIET_RESTS: i64 = 3;
const RESTS_KNOWN_AFTER: Span = Span::from_millis(60_000);
/// Silence after which a participant is gone.
const GONE_AFTER: Span = Span::from_millis(60_000);
/// And one that invited and did nothing else: its address may be forged.
const IDLE_AFTER: Span = Span::from_millis(10_000);
/// Questions and answers remembered: enough for eager rounds of two seconds each.
const MEMORY: usize = 16;
/// A question from a new address is answered at most this often.
const PATH_EVERY: Span = Span::from_millis(100);

/// Who invited whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We invited the participant.
    Inviter,
    /// The participant invited us.
    Invited,
}

/// Whether a participant shows signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Well,
    /// It does not.
    Quiet,
}

#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) role: Role,
    pub(super) control: SocketAddr,
    pub(super) data: SocketAddr,
    /// Of the invitation to the control port, and to the data port: some draw two.
    pub(super) tokens: [Token; 2],
    /// How we call ourselves there.
    pub(super) ours: Ssrc,
    /// How the peer calls itself on the control port, and on the data port: some draw two.
    pub(super) theirs: [Ssrc; 2],
    pub(super) joined: LocalTime,
    pub(super) heard: LocalTime,
    pub(super) health: Health,
    pub(super) estimate: Estimate,
    pub(super) due: LocalTime,
    /// Questions of ours.
    asked: VecDeque<LocalTime>,
    /// Questions of theirs, and when we answered.
    answered: VecDeque<(Ticks, LocalTime)>,
    rounds: u32,
    unanswered: u32,
    has_answered: bool,
    /// Anything came since the invitation.
    has_spoken: bool,
    /// The longest time between two signs of life.
    rest: Span,
    path: Option<(SocketAddr, LocalTime)>,
}

/// How well a sender is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Its SSRC, elsewhere.
    Ssrc,
    /// Its SSRC and its host.
    Host,
    /// Its SSRC and its address.
    Exact,
}

impl Link {
    pub(super) fn new(
        now: LocalTime,
        role: Role,
        [control, data]: [SocketAddr; 2],
        tokens: [Token; 2],
        ours: Ssrc,
        theirs: [Ssrc; 2],
    ) -> Self {
        let due = match role {
            Role::Inviter => now,
            Role::Invited => now + TRIAL_FIRST,
        };
        Self {
            role,
            control,
            data,
            tokens,
            ours,
            theirs,
            joined: now,
            heard: now,
            health: Health::Well,
            estimate: Estimate::default(),
            due,
            asked: VecDeque::new(),
            answered: VecDeque::new(),
            rounds: 0,
            unanswered: 0,
            has_answered: false,
            has_spoken: false,
            rest: Span::ZERO,
            path: None,
        }
    }

    /// How well the participant is recognized in somebody at `from` who calls itself `ssrc`.
    pub(super) fn likeness(&self, from: SocketAddr, ssrc: Ssrc) -> Option<Likeness> {
        let is_here = from == self.data || from == self.control;
        if self.theirs.contains(&ssrc) {
            Some(if is_here {
                Likeness::Exact
            } else if self.is_host(from.ip()) {
                Likeness::Host
            } else {
                Likeness::Ssrc
            })
        } else {
            // One library keeps but 16 bits of its SSRC in places.
            let is_half = |theirs: &Ssrc| {
                (theirs.0 ^ ssrc.0).trailing_zeros() >= 16 && (theirs.0 < 1 << 16 || ssrc.0 < 1 << 16)
            };
            (is_here && self.theirs.iter().any(is_half)).then_some(Likeness::Exact)
        }
    }

    pub(super) fn is_host(&self, ip: IpAddr) -> bool {
        self.data.ip() == ip || self.control.ip() == ip
    }

    /// Notes a sign of life; returns whether the participant was quiet.
    pub(super) fn hear(&mut self, now: LocalTime) -> bool {
        self.rest = self.rest.max(now - self.heard);
        self.heard = now;
        self.has_spoken = true;
        core::mem::replace(&mut self.health, Health::Well) == Health::Quiet
    }

    /// Takes a step of a round, and returns the next step if there is one.
    pub(super) fn step(&mut self, now: LocalTime, step: ClockStep) -> Result<Option<ClockStep>, Refused> {
        match step {
            ClockStep::Ask(first) => {
                if self.has_answered && self.role == Role::Invited {
                    self.due = now + ASK_AFTER;
                }
                remember(&mut self.answered, (first, now));
                Ok(Some(ClockStep::Answer(first, Ticks::at(now))))
            }
            ClockStep::Answer(first, second) => {
                let asked = self.asked.iter().position(|&asked| Ticks::at(asked) == first);
                let asked = asked.and_then(|place| self.asked.remove(place)).ok_or(Refused::Unasked)?;
                self.estimate.observe(asked, now, second);
                self.has_answered = true;
                self.unanswered = 0;
                if self.rounds >= EAGER_ROUNDS || self.role == Role::Invited {
                    self.due = match self.role {
                        Role::Inviter => asked + ROUND_EVERY,
                        Role::Invited => now + ASK_AFTER,
                    };
                }
                Ok(Some(ClockStep::Finish(first, second, Ticks::at(now))))
            }
            ClockStep::Finish(first, second, third) => {
                let answered = self.take_answered(first, second).ok_or(Refused::Unasked)?;
                self.estimate.observe(answered, now, third);
                Ok(None)
            }
        }
    }

    /// Takes a step from where the participant has not been known to be: a question is answered there, for the answer is
    /// no longer than it, and whoever repeats the answer is there. Returns the next step, and whether it moved.
    pub(super) fn step_elsewhere(
        &mut self,
        now: LocalTime,
        from: SocketAddr,
        step: ClockStep,
    ) -> Result<(Option<ClockStep>, Moved), Refused> {
        match step {
            ClockStep::Ask(_) => {
                if self.path.is_some_and(|(_, answered)| now - answered < PATH_EVERY) {
                    return Err(Refused::Flood);
                }
                self.path = Some((from, now));
            }
            // Who knows our question is the one that it went to.
            ClockStep::Answer(..) => {}
            ClockStep::Finish(..) if self.path.is_some_and(|(path, _)| path == from) => {
                let next = self.step(now, step)?;
                self.path = None;
                return Ok((next, Moved::Yes));
            }
            ClockStep::Finish(..) => return Err(Refused::Unasked),
        }
        self.step(now, step).map(|next| (next, Moved::No))
    }

    fn take_answered(&mut self, first: Ticks, second: Ticks) -> Option<LocalTime> {
        let place =
            self.answered.iter().position(|&(theirs, at)| theirs == first && Ticks::at(at) == second)?;
        self.answered.remove(place).map(|(_, at)| at)
    }

    /// Whether the participant falls quiet now.
    pub(super) fn falls_quiet(&mut self, now: LocalTime) -> bool {
        if self.health == Health::Well && now >= self.quiet_at() {
            self.health = Health::Quiet;
            return true;
        }
        false
    }

    /// The question that is due.
    pub(super) fn ask(&mut self, now: LocalTime) -> Option<ClockStep> {
        if now < self.due {
            return None;
        }
        self.rounds += 1;
        self.unanswered += 1;
        let wait = match (self.role, self.health) {
            (Role::Inviter, _) if self.rounds < EAGER_ROUNDS => EAGER_EVERY,
            (Role::Invited, _) if !self.has_answered => TRIAL_EVERY,
            (_, Health::Quiet) => AWAY_EVERY,
            (_, Health::Well) if self.unanswered > ANSWERS_MISSING_MAX => AWAY_EVERY,
            (_, Health::Well) => ANSWER_WITHIN,
        };
        let is_vain = self.role == Role::Invited && !self.has_answered && self.rounds >= TRIAL_ROUNDS;
        self.due = if is_vain { LocalTime::NEVER } else { now + wait };
        remember(&mut self.asked, now);
        Some(ClockStep::Ask(Ticks::at(now)))
    }

    pub(super) fn is_gone(&self, now: LocalTime) -> bool {
        now >= self.gone_at()
    }

    pub(super) fn timeout(&self) -> LocalTime {
        let quiet_at = match self.health {
            Health::Well => self.quiet_at(),
            Health::Quiet => LocalTime::NEVER,
        };
        self.due.min(self.gone_at()).min(quiet_at)
    }

    fn gone_at(&self) -> LocalTime {
        let is_idle = self.role == Role::Invited && !self.has_spoken;
        self.heard + if is_idle { IDLE_AFTER } else { GONE_AFTER }
    }

    fn quiet_at(&self) -> LocalTime {
        if self.has_answered {
            if self.unanswered >= QUIET_ROUNDS {
                self.due.max(self.heard + QUIET_AFTER)
            } else {
                LocalTime::NEVER
            }
        } else if self.heard - self.joined >= RESTS_KNOWN_AFTER {
            let rests = Span::from_nanos(self.rest.nanos().saturating_mul(QUIET_RESTS));
            self.heard + rests.max(QUIET_AFTER)
        } else {
            LocalTime::NEVER
        }
    }
}

/// Whether a participant has proven to be at another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Yes,
    No,
}

fn remember<T>(memory: &mut VecDeque<T>, item: T) {
    if memory.len() >= MEMORY {
        memory.pop_front();
    }
    memory.push_back(item);
}
