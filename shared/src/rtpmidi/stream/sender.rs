//! Messages into packets.

use std::collections::VecDeque;

use thiserror::Error;

use crate::midi::message::{Message, System};
use crate::rtpmidi::journal::{Acknowledged, Checkpoint, History};
use crate::rtpmidi::packet::{HEADER_BYTES, Header, Journal, List, encode_header};
use crate::rtpmidi::time::Timestamp;
use crate::time::{LocalTime, Span};

use super::guard::Guard;
use super::lane::Lanes;
use super::outgoing::{Outgoing, SEGMENT_BYTES};

/// What one participant is sent.
///
/// Messages that are pushed within 2 ms share a packet; the first one after a pause leaves at once, and the clock
/// always does, with whatever waits.
#[derive(Clone, Debug)]
pub struct Sender {
    settings: SenderSettings,
    ssrc: u32,
    /// The next packet's number, extended.
    sequence: u64,
    history: Option<History>,
    /// The clock and resets: leave at once.
    urgent: VecDeque<Queued>,
    gathered: VecDeque<Queued>,
    /// When the gathered messages leave.
    gathered_due: LocalTime,
    outgoing: Outgoing,
    lanes: Lanes<Timestamp>,
    guard: Guard,
    last_media: Option<SentMedia>,
    feedback_place: Option<usize>,
    journal_bytes: usize,
    scratch: Scratch,
    counters: SenderCounters,
}

/// How a sender sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderSettings {
    /// How far the journal reaches back; none sends no journal and no guard packets.
    pub journal: Option<Checkpoint>,
    /// The least time between two packets that wait for more: a packet's share of messages.
    pub gather: Span,
    /// What may stand between the segments of an exclusive message.
    pub interleaving: Interleaving,
}

/// What may stand between the segments of an exclusive message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interleaving {
    /// Everything: notes do not wait for a dump. The receiver must put the segments together before it plays them.
    #[default]
    Everything,
    /// The clock alone, as on a cable: for receivers that pass segments on as they come.
    Clock,
}

/// What a sender has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderCounters {
    /// Packets, guards among them.
    pub packets: u64,
    /// Packets with an empty list, to protect the last of a burst.
    pub guards: u64,
    /// Messages, whole exclusive ones too.
    pub messages: u64,
    /// Messages for which there was no room.
    pub refused: u64,
    /// Bytes of journals.
    pub journal_bytes: u64,
    /// The largest journal.
    pub journal_bytes_max: usize,
    /// Chapters that had no room in their packet.
    pub chapters_left_out: u64,
    /// Acknowledgements that moved the journal's beginning.
    pub acknowledged: u64,
    /// Acknowledgements that said nothing new or something that cannot be.
    pub feedback_ignored: u64,
}

/// More waits than is kept: the message is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more messages wait than a sender keeps")]
pub struct Refused;

#[derive(Clone, Debug)]
struct Queued {
    at: Timestamp,
    message: Message,
}

#[derive(Clone, Copy, Debug)]
struct SentMedia {
    sequence: u64,
    at: LocalTime,
}

/// Kept from packet to packet for its memory.
#[derive(Clone, Debug, Default)]
struct Scratch {
    list: List,
    batch: Vec<Queued>,
}

/// What a packet of ours may have: an Ethernet frame less IPv6, UDP and a tunnel's share.
pub(super) const PACKET_BYTES_MAX: usize = 1_200;
/// What of it a list and a journal share: less the RTP header and the two octets of flags and length.
const SHARED_BYTES: usize = PACKET_BYTES_MAX - HEADER_BYTES - 2;
/// What a list may have of that.
const LIST_BYTES_MAX: usize = 576;
/// Four octets of delta and three of message.
const COMMAND_BYTES_MAX: usize = 7;
/// Commands in a packet: 448 octets at the most.
const COMMANDS_MAX: usize = 64;
/// And with a large journal beside them.
const COMMANDS_MIN: usize = 8;
/// Messages that wait. Nobody polls a sender that has so many.
const QUEUED_MAX: usize = 8_192;
/// Stamps that go back by more are another clock's: 2 s.
const BACK_TICKS_MAX: i32 = 20_000;
/// With nothing to say: no chapters (RFC 6295, section 5).
const EMPTY_JOURNAL_FLAGS: u8 = 0;
/// S of the whole journal. It may spare receivers work, and pymidi takes it for Y and then leaves out packets whole: it is
/// never set, as if there were always news.
const WHOLE_JOURNAL_KNOWN: u8 = 0x80;

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            journal: Some(Checkpoint::ClosedLoop),
            gather: Span::from_millis(2),
            interleaving: Interleaving::Everything,
        }
    }
}

impl Sender {
    /// A sender whose packets say `ssrc` and whose first one has the number `first_sequence`, both random.
    #[must_use]
    pub fn new(settings: SenderSettings, ssrc: u32, first_sequence: u16) -> Self {
        Self {
            settings,
            ssrc,
            // One time round ahead, so that what lies before the first number is a number too.
            sequence: 1 << 16 | u64::from(first_sequence),
            history: settings.journal.map(History::new),
            urgent: VecDeque::new(),
            gathered: VecDeque::new(),
            gathered_due: LocalTime::ZERO,
            outgoing: Outgoing::default(),
            lanes: Lanes::default(),
            guard: Guard::default(),
            last_media: None,
            feedback_place: None,
            journal_bytes: 0,
            scratch: Scratch::default(),
            counters: SenderCounters::default(),
        }
    }

    /// Sends `message`, which happens `at`, now or later. A stamp before the last one of the same channel counts as
    /// that one.
    ///
    /// # Errors
    /// Too much waits already.
    pub fn push(&mut self, now: LocalTime, at: Timestamp, message: &Message) -> Result<(), Refused> {
        let back =
            |last: Timestamp, at| if (1..BACK_TICKS_MAX).contains(&last.since(at)) { last } else { at };
        let at = self.lanes.place(message, at, back);
        let queued = match message {
            Message::Exclusive(exclusive) => self.outgoing.push(at, exclusive),
            Message::Realtime(_) => enqueue(&mut self.urgent, at, message),
            Message::System(System::Reset) => {
                // Nothing overtakes it, and it overtakes nothing but exclusive messages.
                self.urgent.append(&mut self.gathered);
                enqueue(&mut self.urgent, at, message)
            }
            Message::Voice(..) | Message::System(_) => {
                if self.gathered.is_empty() {
                    let next = self.last_media.map_or(now, |last| last.at + self.settings.gather);
                    self.gathered_due = next.max(now);
                }
                enqueue(&mut self.gathered, at, message)
            }
        };
        if queued {
            return Ok(());
        }
        self.counters.refused += 1;
        Err(Refused)
    }

    /// The receiver says what it has. `candidates` are the numbers that its feedback may mean, the standard's place
    /// first: some peers write theirs elsewhere. The place where a number first was right is the one that is read from
    /// then on, so that a stray zero is not taken for a number.
    pub fn handle_feedback(&mut self, candidates: &[u16]) -> Acknowledged {
        let places = candidates.iter().copied().enumerate();
        let heard = places.filter(|(place, number)| match self.feedback_place {
            Some(known) => known == *place,
            None => *number != 0,
        });
        for (place, number) in heard {
            let acknowledged = self.history.as_mut().map(|history| history.acknowledge(number));
            if acknowledged == Some(Acknowledged::Moved) {
                self.feedback_place = Some(place);
                self.counters.acknowledged += 1;
                let [low, high, ..] = self.last_media.map_or(0, |last| last.sequence).to_le_bytes();
                if number.wrapping_sub(u16::from_le_bytes([low, high])).cast_signed() >= 0 {
                    self.guard.stop();
                }
                return Acknowledged::Moved;
            }
        }
        self.counters.feedback_ignored += 1;
        Acknowledged::Ignored
    }

    /// The receiver may have missed whatever it has not acknowledged, and nothing else may follow: tells it again soon,
    /// in guard packets.
    pub const fn remind(&mut self, now: LocalTime) {
        if self.history.is_some() && self.last_media.is_some() {
            self.guard.restart(now);
        }
    }

    /// Writes the next packet that is due into `packet`, which is emptied first. False if none is.
    pub fn poll_transmit(&mut self, now: LocalTime, packet: &mut Vec<u8>) -> bool {
        packet.clear();
        let guard = self.guard.due().is_some_and(|due| due <= now);
        self.scratch.batch.clear();
        if !self.urgent.is_empty() || self.gathered_due().is_some_and(|due| due <= now) {
            self.take_batch();
        }
        let nothing = self.scratch.batch.is_empty() && self.outgoing.segment(now).is_none();
        if nothing && !guard {
            return false;
        }
        let composed = self.compose(now);
        self.encode(composed.timestamp, packet);
        self.depart(now, composed.completed.as_ref());
        true
    }

    /// When the next packet is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<LocalTime> {
        let urgent = (!self.urgent.is_empty()).then_some(LocalTime::ZERO);
        [urgent, self.gathered_due(), self.outgoing.due(), self.guard.due()].into_iter().flatten().min()
    }

    /// What it has done.
    #[must_use]
    pub const fn counters(&self) -> &SenderCounters {
        &self.counters
    }

    fn gathered_due(&self) -> Option<LocalTime> {
        let held = match self.settings.interleaving {
            Interleaving::Everything => false,
            Interleaving::Clock => self.outgoing.is_open(),
        };
        (!self.gathered.is_empty() && !held).then_some(self.gathered_due)
    }

    /// Takes what goes into one packet, by time, and what was pushed first first.
    fn take_batch(&mut self) {
        let beside_journal = SHARED_BYTES.saturating_sub(self.journal_bytes) / COMMAND_BYTES_MAX;
        let most = beside_journal.clamp(COMMANDS_MIN, COMMANDS_MAX);
        let batch = &mut self.scratch.batch;
        batch.extend(self.urgent.drain(..self.urgent.len().min(most)));
        if self.gathered_due().is_some() {
            let room = most - self.scratch.batch.len();
            let taken = self.gathered.drain(..self.gathered.len().min(room));
            self.scratch.batch.extend(taken);
        }
        let batch = &mut self.scratch.batch;
        if let Some(first) = batch.first().map(|first| first.at) {
            batch.sort_by_key(|queued| queued.at.since(first));
        }
    }

    /// Makes the list of the batch and, if it is small, of a segment.
    fn compose(&mut self, now: LocalTime) -> Composed {
        let Scratch { list, batch } = &mut self.scratch;
        list.clear();
        let first = batch.first().map(|queued| queued.at);
        let mut last = first;
        for queued in batch.iter() {
            let pushed = list.push(ticks_since(queued.at, last), &queued.message, LIST_BYTES_MAX);
            debug_assert!(pushed.is_ok(), "{COMMANDS_MAX} commands fit");
            last = Some(queued.at);
        }
        let room = list.len() + SEGMENT_BYTES + COMMAND_BYTES_MAX <= LIST_BYTES_MAX;
        let segment = self.outgoing.segment(now).filter(|_| room);
        let segment_at = segment.map(|(at, _)| at);
        let mut completed = None;
        if let Some((at, segment)) = segment
            && list.push_segment(ticks_since(at, last), segment, LIST_BYTES_MAX).is_ok()
        {
            completed = self.outgoing.sent(now);
        }
        Composed { timestamp: first.or(segment_at).unwrap_or_else(|| Timestamp::at(now)), completed }
    }

    fn encode(&mut self, timestamp: Timestamp, packet: &mut Vec<u8>) {
        let [low, high, ..] = self.sequence.to_le_bytes();
        let sequence = u16::from_le_bytes([low, high]);
        encode_header(Header { sequence, timestamp, ssrc: self.ssrc }, packet);
        let Some(history) = &mut self.history else {
            self.scratch.list.encode(Journal::Absent, packet);
            return;
        };
        self.scratch.list.encode(Journal::Follows, packet);
        let journal = packet.len();
        let written = history.write(self.sequence, PACKET_BYTES_MAX - journal, packet);
        if let Some(flags) = packet.get_mut(journal) {
            *flags &= !WHOLE_JOURNAL_KNOWN;
        } else {
            // It says that nothing is missing, which no journal at all would not.
            packet.push(EMPTY_JOURNAL_FLAGS);
            packet.extend_from_slice(&sequence.wrapping_sub(1).to_be_bytes());
        }
        self.journal_bytes = written.bytes;
        self.counters.journal_bytes += u64::try_from(written.bytes).unwrap_or(0);
        self.counters.journal_bytes_max = self.counters.journal_bytes_max.max(written.bytes);
        self.counters.chapters_left_out += u64::from(written.left_out);
    }

    /// The packet is on its way.
    fn depart(&mut self, now: LocalTime, completed: Option<&Message>) {
        let messages = self.scratch.batch.iter().map(|queued| &queued.message).chain(completed);
        for message in messages {
            self.counters.messages += 1;
            if let Some(history) = &mut self.history {
                history.record(self.sequence, message);
            }
        }
        if self.scratch.list.is_empty() {
            self.guard.sent();
            self.counters.guards += 1;
        } else {
            self.last_media = Some(SentMedia { sequence: self.sequence, at: now });
            if self.history.is_some() {
                self.guard.restart(now);
            }
        }
        self.sequence += 1;
        self.counters.packets += 1;
    }
}

/// What a packet's list was made of, beside the batch.
struct Composed {
    timestamp: Timestamp,
    /// The exclusive message that ends in it.
    completed: Option<Message>,
}

fn enqueue(queue: &mut VecDeque<Queued>, at: Timestamp, message: &Message) -> bool {
    let fits = queue.len() < QUEUED_MAX;
    if fits {
        queue.push_back(Queued { at, message: message.clone() });
    }
    fits
}

fn ticks_since(at: Timestamp, last: Option<Timestamp>) -> u32 {
    last.and_then(|last| u32::try_from(at.since(last)).ok()).unwrap_or(0)
}
