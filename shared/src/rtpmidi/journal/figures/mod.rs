//! What remains of loss when a stream has its journal: measured the same way by the tests and the benches.
//!
//! A player of everything that MIDI has ([`source`]) sends packets over a link that loses, delays and doubles them;
//! a receiver that drops what is late repairs from the journals and reports what it has. After each packet that it takes
//! its state is compared with the sender's. Allocates; not for audio.

mod link;
#[cfg(test)]
mod skipping_tests;
mod source;

use std::collections::VecDeque;

use super::draw::Draw;
use super::state::State;
use super::{Acknowledged, Checkpoint, History, Loss, Recovery, Repair, Repaired};
use crate::midi::message::Message;
use crate::time::Span;
use link::{Arrivals, Packet};
use source::Source;

/// What receivers say about what they have (the session's RS): which of it is useful, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// The number in the high half, as it should be.
    Right,
    /// In the low half.
    LowHalf,
    /// None ever comes.
    Absent,
    /// They come and say 0.
    Zero,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What is drawn follows from it.
    pub seed: u64,
    /// Messages that are sent.
    pub events: u64,
    /// What comes back.
    pub reports: Reports,
    /// How far back journals reach.
    pub policy: Checkpoint,
    /// How long journals may be.
    pub limit_bytes: usize,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Messages that were sent.
    pub events: u64,
    /// Packets that were sent.
    pub packets: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came after later ones and were dropped.
    pub late: u64,
    /// Packets that came twice.
    pub doubled: u64,
    /// Packets after a gap, so that their journal was used.
    pub repaired: u64,
    /// Packets after which the receiver's state was not the sender's.
    pub differences: u64,
    /// Keys that were down for the receiver and not for the sender, over all those packets, and at the end.
    pub hanging: u64,
    /// Exclusive messages that never came, came twice, or came wrong.
    pub exclusives_wrong: u64,
    /// The longest journal, bytes.
    pub journal_bytes_max: usize,
    /// All journals, bytes.
    pub journal_bytes: u64,
    /// Chapters that had no room.
    pub left_out: u64,
    /// Reports that were believed.
    pub acknowledged: u64,
    /// What the chapters told.
    pub chapters: Repaired,
}

impl Reports {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] =
        [("right", Self::Right), ("low half", Self::LowHalf), ("absent", Self::Absent), ("zero", Self::Zero)];

    /// The 32 bits of a report.
    const fn bits(self, highest: u16) -> Option<u32> {
        let [low, high] = highest.to_be_bytes();
        match self {
            Self::Right => Some(u32::from_be_bytes([low, high, 0, 0])),
            Self::LowHalf => Some(u32::from_be_bytes([0, 0, low, high])),
            Self::Absent => None,
            Self::Zero => Some(0),
        }
    }
}

/// Plays `scenario`.
#[must_use]
pub fn run(scenario: Scenario) -> Outcome {
    Run::new(scenario).run()
}

struct Run {
    scenario: Scenario,
    draw: Draw,
    source: Source,
    history: History,
    link: Arrivals,
    receiver: Receiver,
    /// Reports on their way back, with the step at which they come.
    reports: VecDeque<(u64, u32)>,
    outcome: Outcome,
}

struct Receiver {
    recovery: Recovery,
    highest: Option<u64>,
    repairs: Vec<Repair>,
    /// Exclusive messages as they were heard, by a mark in their content.
    exclusives: Vec<u64>,
}

/// Where sequence numbers begin: they come round soon.
const FIRST: u64 = 65_000;
/// Steps between reports, and how long they take.
const REPORT_STEPS: u64 = 25;
const REPORT_DELAY: u64 = 4;
/// Packets without messages at the end, for what was lost last.
const GUARDS: u64 = 200;

impl Run {
    fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            draw: Draw::new(scenario.seed),
            source: Source::new(scenario.seed ^ 0x5EED),
            history: History::new(scenario.policy),
            link: Arrivals::default(),
            receiver: Receiver {
                recovery: Recovery::default(),
                highest: None,
                repairs: Vec::new(),
                exclusives: Vec::new(),
            },
            reports: VecDeque::new(),
            outcome: Outcome::default(),
        }
    }

    fn run(mut self) -> Outcome {
        let mut guards = 0;
        while guards < GUARDS {
            let step = self.outcome.packets;
            let messages = if self.outcome.events < self.scenario.events {
                let count = self.draw.of(&[0, 1, 1, 1, 2, 3, 8]);
                (0..count).map(|_| self.source.next()).collect()
            } else if guards == 0 {
                guards += 1;
                self.source.end()
            } else {
                guards += 1;
                Vec::new()
            };
            self.send(step, messages);
            while let Some(packet) = self.link.next(step) {
                self.receive(&packet);
            }
            self.report(step);
        }
        self.finish()
    }

    fn send(&mut self, step: u64, messages: Vec<Message>) {
        let sequence = FIRST + step;
        let mut journal = Vec::new();
        let written = self.history.write(sequence, self.scenario.limit_bytes, &mut journal);
        assert_eq!(written.bytes, journal.len(), "what was written is what is said of it");
        assert!(journal.len() <= self.scenario.limit_bytes, "a journal of {} bytes", journal.len());
        for message in &messages {
            self.history.record(sequence, message);
        }
        self.outcome.events += u64::try_from(messages.len()).unwrap_or(0);
        self.outcome.packets += 1;
        self.outcome.journal_bytes_max = self.outcome.journal_bytes_max.max(journal.len());
        self.outcome.journal_bytes += u64::try_from(journal.len()).unwrap_or(0);
        self.outcome.left_out += u64::from(written.left_out);
        let packet = Packet { sequence, messages, journal, state: self.history.state().clone() };
        let sent = self.link.send(step, packet, &mut self.draw);
        self.outcome.lost += u64::from(sent.lost);
        self.outcome.doubled += u64::from(sent.doubled);
    }

    fn receive(&mut self, packet: &Packet) {
        let highest = self.receiver.highest.unwrap_or(FIRST - 1);
        if packet.sequence <= highest {
            self.outcome.late += 1;
            return;
        }
        let lost = packet.sequence - highest - 1;
        if lost > 0 {
            let loss =
                if lost == 1 { Loss::One } else { Loss::Many(u32::try_from(lost).unwrap_or(u32::MAX)) };
            self.receiver.repair(loss, &packet.journal);
            self.outcome.repaired += 1;
        }
        for message in &packet.messages {
            self.receiver.recovery.note(message);
            self.receiver.hear(message);
        }
        self.receiver.highest = Some(packet.sequence);
        let (heard, said) = (self.receiver.recovery.state(), &packet.state);
        if heard != said {
            self.outcome.differences += 1;
            self.outcome.hanging += hanging(heard, said);
        }
    }

    fn report(&mut self, step: u64) {
        if let Some(highest) = self.receiver.highest
            && step.is_multiple_of(REPORT_STEPS)
            && !self.draw.happens(100)
        {
            let [low, high, ..] = highest.to_le_bytes();
            let bits = self.scenario.reports.bits(u16::from_le_bytes([low, high]));
            self.reports.extend(bits.map(|bits| (step + REPORT_DELAY, bits)));
        }
        while let Some((at, bits)) = self.reports.front().copied() {
            if at > step {
                break;
            }
            self.reports.pop_front();
            let [a, b, c, d] = bits.to_be_bytes();
            let halves = [[a, b], [c, d]].map(u16::from_be_bytes);
            let moved = halves.iter().any(|half| self.history.acknowledge(*half) == Acknowledged::Moved);
            self.outcome.acknowledged += u64::from(moved);
        }
    }

    fn finish(mut self) -> Outcome {
        self.outcome.hanging += u64::from(self.receiver.recovery.state().sounding());
        self.outcome.chapters = self.receiver.recovery.repaired();
        let said = self.source.exclusives();
        let heard = &self.receiver.exclusives;
        let times = |mark: u64| heard.iter().filter(|heard| **heard == mark).count();
        let wrong = (0..said).filter(|mark| heard.len() > 4_096 || times(*mark) != 1).count();
        self.outcome.exclusives_wrong = u64::try_from(wrong).unwrap_or(u64::MAX);
        self.outcome
    }
}

impl Receiver {
    fn repair(&mut self, loss: Loss, journal: &[u8]) {
        if journal.is_empty() {
            return;
        }
        self.repairs.clear();
        let repaired = self.recovery.repair(loss, Span::from_nanos(0), journal, &mut self.repairs);
        repaired.expect("our own journals can be read");
        let heard: Vec<_> = self.repairs.iter().map(|repair| repair.message.clone()).collect();
        for message in heard {
            self.hear(&message);
        }
    }

    fn hear(&mut self, message: &Message) {
        if let Message::Exclusive(exclusive) = message {
            self.exclusives.extend(source::mark(exclusive));
        }
    }
}

/// Keys that are down in `heard` and not in `said`.
fn hanging(heard: &State, said: &State) -> u64 {
    let keys = |state: &State| -> Vec<bool> {
        state.channels.iter().flat_map(|channel| channel.notes.map(|note| note.count > 0)).collect()
    };
    let both = keys(heard).into_iter().zip(keys(said));
    both.map(|(heard, said)| u64::from(heard && !said)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::Chapter;
    use super::*;

    fn scenario(seed: u64) -> Scenario {
        Scenario {
            seed,
            events: 15_000,
            reports: Reports::Right,
            policy: Checkpoint::ClosedLoop,
            limit_bytes: 900,
        }
    }

    fn check(name: &str, scenario: Scenario) -> Outcome {
        let outcome = run(scenario);
        assert_eq!(
            (outcome.differences, outcome.hanging, outcome.exclusives_wrong, outcome.left_out),
            (0, 0, 0, 0),
            "{name}: {outcome:?}"
        );
        // A link without loss would prove nothing.
        assert!(outcome.lost > outcome.packets / 10, "{name}: {outcome:?}");
        assert!(outcome.repaired > outcome.packets / 20, "{name}: {outcome:?}");
        assert!(outcome.late > 0 && outcome.doubled > 0, "{name}: {outcome:?}");
        for chapter in Chapter::ALL {
            assert!(outcome.chapters.by(chapter) > 0, "{name}: nothing by {}", chapter.letter());
        }
        outcome
    }

    #[test]
    fn the_receiver_is_the_sender_after_any_loss_whatever_it_reports() {
        for (seed, (name, reports)) in (1..).zip(Reports::ALL) {
            let outcome = check(name, Scenario { reports, ..scenario(seed) });
            let believed = matches!(reports, Reports::Right | Reports::LowHalf);
            assert_eq!(outcome.acknowledged > 100, believed, "{name}: {outcome:?}");
        }
    }

    #[test]
    fn journals_are_as_short_as_reports_allow() {
        let longest = |reports| check("", Scenario { reports, ..scenario(5) }).journal_bytes_max;
        let (reported, unreported) = (longest(Reports::Right), longest(Reports::Absent));
        assert!(reported < 500, "{reported}");
        assert!(unreported <= 900, "{unreported}");
    }

    #[test]
    fn every_policy_keeps_the_state() {
        let anchor = Scenario { policy: Checkpoint::Anchor, limit_bytes: 4_000, ..scenario(6) };
        check("anchor", anchor);
        check("open loop", Scenario { policy: Checkpoint::OpenLoop { packets: 60 }, ..scenario(7) });
    }

    #[test]
    fn without_room_for_all_no_key_hangs() {
        let outcome = run(Scenario { limit_bytes: 200, ..scenario(8) });
        assert_eq!(outcome.hanging, 0, "{outcome:?}");
        assert!(outcome.left_out > 0, "{outcome:?}");
    }
}
