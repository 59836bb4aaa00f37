//! Packets into messages.

use crate::midi::message::{Held, Message, Voice};
use crate::rtpmidi::journal::state::State;
use crate::rtpmidi::journal::{Loss, Recovery, Repair};
use crate::rtpmidi::packet::{Command, Packet, PacketError};
use crate::rtpmidi::time::{ClockMap, Timestamp};
use crate::time::{LocalTime, Span};

use super::assembly::{Assembly, Joined};
use super::counters::{Jitter, ReceiverCounters};
use super::feedback::Feedback;
use super::lane::Lanes;
use super::order::{Admission, Order};
use super::placement::{Delay, Place, Placement};
use super::playout::{Origin, Played, Playout};

/// What one participant sends.
///
/// A lost packet is made good by the journal of the next one. Peers that send no journal (`unrepaired` counts their
/// losses) are played as they come: what a lost release should have ended sounds until its key is struck and released
/// again, or the peer drops. Of what comes too late only releases are played, and only if no journal has told them.
///
/// Memory is bounded: 64 waiting packets, one exclusive message being put together, 32,768 messages waiting for their
/// time with half a megabyte of exclusive ones among them.
#[derive(Clone, Debug)]
pub struct Receiver {
    settings: ReceiverSettings,
    ssrc: Option<u32>,
    order: Order,
    recovery: Recovery,
    /// What no journal has made good yet.
    gap: Option<Gap>,
    journal_seen: JournalSeen,
    /// Everything below this number came or was made good.
    repaired_below: u64,
    /// The number that feedback tells.
    covered: Option<u64>,
    last_arrival: Option<LocalTime>,
    assembly: Assembly,
    placement: Placement,
    lanes: Lanes<LocalTime>,
    playout: Playout,
    held: Held,
    handed_until: LocalTime,
    feedback: Feedback,
    repairs: Vec<Repair>,
    counters: ReceiverCounters,
}

/// How a receiver plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverSettings {
    /// How much later than it could be.
    pub delay: Delay,
    /// How long a packet waits for those before it, at most; not beyond its own time if its journal tells what is
    /// missing.
    pub reorder_wait: Span,
    /// How long before its time a message is handed out: for those who schedule themselves.
    pub ahead: Span,
}

/// Packets that are missing, with no journal read since.
#[derive(Clone, Copy, Debug)]
struct Gap {
    from: u64,
    /// When the last packet before them came; never, before the first.
    since: Option<LocalTime>,
    /// Journals that could not be read.
    attempts: u32,
}

/// What a receiver keeps at a moment: bounded, as its page says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Packets that wait for those before them: 64 at most.
    pub packets: usize,
    /// Their bytes: 65,536 at most.
    pub packet_bytes: usize,
    /// Content of the exclusive message that is being put together: 65,536 bytes at most.
    pub open_bytes: usize,
    /// Messages that wait for their time: 32,768 at most.
    pub messages: usize,
    /// Content of the exclusive ones among them: 524,288 bytes at most.
    pub exclusive_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JournalSeen {
    Never,
    Once,
}

/// Broken journals after which the state counts as whole, so that feedback does not stand still for ever.
const ATTEMPTS_MAX: u32 = 16;

impl Default for ReceiverSettings {
    fn default() -> Self {
        Self {
            delay: Delay::Adaptive { least: Span::ZERO, most: Span::from_millis(50) },
            reorder_wait: Span::from_millis(3),
            ahead: Span::ZERO,
        }
    }
}

impl Receiver {
    /// A receiver that has heard nothing.
    #[must_use]
    pub fn new(settings: ReceiverSettings) -> Self {
        Self {
            settings,
            ssrc: None,
            order: Order::default(),
            recovery: Recovery::default(),
            gap: None,
            journal_seen: JournalSeen::Never,
            repaired_below: 0,
            covered: None,
            last_arrival: None,
            assembly: Assembly::default(),
            placement: Placement::new(settings.delay),
            lanes: Lanes::default(),
            playout: Playout::default(),
            held: Held::default(),
            handed_until: LocalTime::ZERO,
            feedback: Feedback::default(),
            repairs: Vec::new(),
            counters: ReceiverCounters::default(),
        }
    }

    /// Takes a media packet that came at `now`, with the map of the peer's clock if the session has one.
    ///
    /// # Errors
    /// It is no media packet; nothing has changed but a count.
    pub fn handle_packet(
        &mut self,
        now: LocalTime,
        bytes: &[u8],
        clock: Option<ClockMap>,
    ) -> Result<(), PacketError> {
        let packet = Packet::decode(bytes).inspect_err(|_| self.counters.malformed += 1)?;
        self.settle(now);
        self.counters.received += 1;
        if self.ssrc.is_some_and(|ssrc| ssrc != packet.header.ssrc) {
            self.restart(now);
        }
        self.ssrc = Some(packet.header.ssrc);
        let mut admission = self.order.admit(packet.header);
        if admission == Admission::Restarted {
            self.restart(now);
            admission = self.order.admit(packet.header);
        }
        self.feedback.packet(now);
        self.placement.set_clock(clock);
        match admission {
            Admission::Turn(sequence) => {
                self.counters.reordered += u64::from(self.order.timeout().is_some());
                self.observe(now, &packet);
                self.deliver(now, sequence, packet);
                self.settle(now);
            }
            Admission::Early(sequence) => {
                self.observe(now, &packet);
                let until = self.waits_until(now, &packet);
                self.order.wait(sequence, until, bytes);
                self.settle(now);
            }
            Admission::Late(sequence) => {
                self.counters.late += 1;
                if sequence >= self.repaired_below {
                    self.deliver_releases(now, packet);
                }
            }
            Admission::Duplicate => self.counters.duplicate += 1,
            Admission::Stray | Admission::Restarted => self.counters.late += 1,
        }
        Ok(())
    }

    /// The next message whose time has come. To be called until there is none after any other call, and at
    /// [`poll_timeout`](Self::poll_timeout).
    pub fn poll_event(&mut self, now: LocalTime) -> Option<Played> {
        self.settle(now);
        let played = self.playout.pop(now + self.settings.ahead)?;
        self.handed_until = self.handed_until.max(played.at);
        self.held.note(&played.message);
        self.counters.played += 1;
        Some(played)
    }

    /// When there is something to do, at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<LocalTime> {
        let playout = self.playout.next().map(|at| at - self.settings.ahead);
        let others = [self.order.timeout(), self.assembly.timeout(), self.feedback.due()];
        others.into_iter().chain([playout]).flatten().min()
    }

    /// The number that the sender is to be told as the highest that came, when it is time to tell it: each second while
    /// packets come, and soon after a loss. What is missing and not made good yet holds it back.
    pub fn feedback(&mut self, now: LocalTime) -> Option<u16> {
        // Also when there is nothing to tell: a timer that stays due would be asked for ever.
        let due = self.feedback.take(now);
        let covered = self.covered.filter(|_| due)?;
        let [low, high, ..] = covered.to_le_bytes();
        Some(u16::from_le_bytes([low, high]))
    }

    /// Ends exactly what is held, as the next events, and forgets what was still to be played: for a peer that dropped,
    /// never for one that pauses. A peer that returns goes on where it was.
    pub fn release(&mut self, now: LocalTime) {
        self.playout.clear();
        self.order.forget_waiting();
        self.assembly.cut();
        // Not before what was handed out ahead of its time.
        self.lanes = Lanes::from(self.handed_until);
        self.counters.silenced += u64::from(self.held.notes());
        // Held until its end is played: another release before that must say it again.
        for message in self.held.clone().release() {
            self.recovery.note(&message);
            self.queue(now, message, Origin::Released);
        }
    }

    /// What it has seen.
    #[must_use]
    pub const fn counters(&self) -> &ReceiverCounters {
        &self.counters
    }

    /// What it keeps at the moment.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        let (packets, packet_bytes) = self.order.waiting();
        let (messages, exclusive_bytes) = self.playout.waiting();
        Backlog { packets, packet_bytes, open_bytes: self.assembly.open_bytes(), messages, exclusive_bytes }
    }

    /// How unevenly packets come.
    #[must_use]
    pub fn jitter(&self) -> Jitter {
        Jitter { p50: self.placement.jitter_exceeded_by(0.5), p99: self.placement.jitter_exceeded_by(0.01) }
    }

    /// How much later than their stamps messages are played. With the map of the peer's clock that includes the
    /// network's way, without one it is the delay above the fastest packet.
    #[must_use]
    pub fn delay(&self) -> Span {
        self.placement.offset()
    }

    /// What everything that came and was made good has led to, whether played yet or not.
    #[must_use]
    pub const fn state(&self) -> &State {
        self.recovery.state()
    }

    /// Plays what waited too long, and gives up what never ended.
    fn settle(&mut self, now: LocalTime) {
        while let Some((sequence, bytes)) = self.order.due(now) {
            if let Ok(packet) = Packet::decode(&bytes) {
                self.deliver(now, sequence, packet);
            }
        }
        self.counters.truncated += u64::from(self.assembly.expire(now));
    }

    /// The sender began anew: what it held ends, and nothing of it is known.
    fn restart(&mut self, now: LocalTime) {
        self.release(now);
        self.counters.restarts += 1;
        self.order = Order::default();
        self.recovery = Recovery::default();
        self.placement = Placement::new(self.settings.delay);
        (self.gap, self.covered, self.last_arrival) = (None, None, None);
        (self.repaired_below, self.journal_seen) = (0, JournalSeen::Never);
    }

    fn observe(&mut self, now: LocalTime, packet: &Packet<'_>) {
        if !packet.commands.is_empty() {
            self.placement.observe(now, packet.header.timestamp);
        }
    }

    /// Until its own time if its journal makes good what is missing; otherwise as long as anything may wait.
    fn waits_until(&self, now: LocalTime, packet: &Packet<'_>) -> LocalTime {
        let longest = now + self.settings.reorder_wait;
        if packet.journal.is_none() || packet.commands.is_empty() {
            return longest;
        }
        match self.placement.place(now, packet.header.timestamp) {
            Place::At(at) => at.clamp(now, longest),
            Place::Nonsense => longest,
        }
    }

    /// Plays the packet `sequence`, and before it what its journal makes good.
    fn deliver(&mut self, now: LocalTime, sequence: u64, packet: Packet<'_>) {
        let lost = self.order.advance(sequence);
        if self.last_arrival.is_none() {
            // Before the first packet there may have been any number.
            self.gap = Some(Gap { from: 0, since: None, attempts: 0 });
        }
        if lost > 0 {
            self.counters.lost += u64::from(lost);
            self.counters.truncated += u64::from(self.assembly.cut());
            self.feedback.loss(now);
            let from = sequence - u64::from(lost);
            self.gap.get_or_insert(Gap { from, since: self.last_arrival, attempts: 0 });
        }
        match packet.journal {
            Some(journal) => self.repair(now, sequence, journal),
            None => self.counters.unrepaired += u64::from(lost),
        }
        if self.gap.is_none() || self.journal_seen == JournalSeen::Never {
            self.covered = Some(sequence);
        }
        self.last_arrival = Some(now);
        self.play(now, packet);
    }

    fn repair(&mut self, now: LocalTime, sequence: u64, journal: &[u8]) {
        self.journal_seen = JournalSeen::Once;
        let Some(gap) = &mut self.gap else { return };
        let loss = match sequence - gap.from {
            1 => Loss::One,
            many => Loss::Many(u32::try_from(many).unwrap_or(u32::MAX)),
        };
        let age = gap.since.map_or(Span::from_nanos(i64::MAX), |since| now - since);
        match self.recovery.repair(loss, age, journal, &mut self.repairs) {
            Ok(()) => self.gap = None,
            Err(_) => {
                self.counters.broken_journals += 1;
                gap.attempts += 1;
                if gap.attempts >= ATTEMPTS_MAX {
                    self.gap = None;
                }
            }
        }
        if self.gap.is_none() {
            self.repaired_below = sequence;
        }
        let mut repairs = core::mem::take(&mut self.repairs);
        for repair in repairs.drain(..) {
            self.counters.repair(repair.chapter);
            // As soon as may be: its own time is not known, and lies before that of the packet.
            self.queue(now, repair.message, Origin::Repaired(repair.chapter));
        }
        self.repairs = repairs;
    }

    fn play(&mut self, now: LocalTime, packet: Packet<'_>) {
        let timestamp = packet.header.timestamp;
        for timed in packet.commands {
            let Ok(timed) = timed else {
                self.counters.broken_lists += 1;
                return;
            };
            let message = match timed.command {
                Command::Message(message) => message,
                Command::Undefined(_) => {
                    self.counters.undefined += 1;
                    continue;
                }
                Command::Segment(segment) => match self.assembly.push(now, segment) {
                    Joined::Whole(message) => message,
                    Joined::Nothing => continue,
                    Joined::Truncated => {
                        self.counters.truncated += 1;
                        continue;
                    }
                    Joined::Oversized => {
                        self.counters.oversized += 1;
                        continue;
                    }
                },
            };
            self.recovery.note(&message);
            let at = self.place(now, timestamp.plus(timed.after_ticks));
            self.queue(at, message, Origin::Sent);
        }
    }

    /// Of a packet whose turn is over: nothing of it may come out of order but what ends a note.
    fn deliver_releases(&mut self, now: LocalTime, packet: Packet<'_>) {
        for timed in packet.commands.map_while(Result::ok) {
            if let Command::Message(message @ Message::Voice(_, voice)) = timed.command
                && Voice::is_release(voice)
            {
                self.recovery.note(&message);
                self.queue(now, message, Origin::Sent);
            }
        }
    }

    fn place(&mut self, now: LocalTime, stamp: Timestamp) -> LocalTime {
        match self.placement.place(now, stamp) {
            Place::At(at) => {
                self.counters.overdue += u64::from(at < now);
                at.max(now)
            }
            Place::Nonsense => {
                self.counters.clamped += 1;
                now
            }
        }
    }

    fn queue(&mut self, at: LocalTime, message: Message, origin: Origin) {
        let at = self.lanes.place(&message, at, LocalTime::max);
        let room = self.playout.push(Played { at, message, origin });
        self.counters.overflowed += u64::from(!room);
    }
}
