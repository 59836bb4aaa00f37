//! A flow of entries in each direction: every one arrives once, in order, whatever the network does.
//!
//! Retained documents say what *is*; a flow says what *happened* (a note, a controller), where each entry counts.
//! Entries are numbered and leave at once; what is not acknowledged is sent again, soon at first. The receiver acknowledges by
//! the number that it awaits, takes entries in order only, and hands each on once. A lost datagram costs one
//! repetition; what came since rides in the same one.
//!
//! A new session counts anew: what was not acknowledged in the one before is sent again, so that a change of session loses
//! nothing, though an entry whose acknowledgement was lost comes twice.

use std::collections::VecDeque;

use thiserror::Error;

use crate::time::{LocalTime, Span};
use crate::wire::{Element, FLOW_ENTRY_BYTES_MAX, FlowPart, Writer};

/// Bytes that may wait for their acknowledgement; the longest exclusive message fits twice.
const WAITING_BYTES_MAX: usize = 160_000;
/// Bytes on their way at a time, so that a dump does not burst.
const WINDOW_BYTES: usize = 8_192;
/// Bytes of entries in one element; the rest of a datagram is for what else is due.
const PART_BYTES: usize = 1_024;
/// Entries that come one after the other take those before along at most this often.
const ROUND_AT_LEAST: Span = Span::from_millis(4);
/// What is not acknowledged is sent again after the first of these, then ever more rarely up to the second.
const REPEAT_FIRST: Span = Span::from_millis(10);
const REPEAT_LAST: Span = Span::from_millis(160);

/// Too much waits already: the other end does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the other end does not acknowledge; nothing more is kept for it")]
pub struct FlowFull;

/// What this end sends.
#[derive(Debug)]
pub(super) struct Sending {
    entries: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The number of the first entry in `entries`.
    first: u32,
    /// How many of them have been sent in this round.
    sent: usize,
    /// When this round began.
    round: LocalTime,
    due: LocalTime,
    /// When the next round begins if nothing is acknowledged.
    repeat_due: LocalTime,
    repeat: Span,
}

/// What this end receives.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// The number of the entry that comes next.
    awaited: u32,
    owes_acknowledgement: bool,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            first: 0,
            sent: 0,
            round: LocalTime::ZERO,
            due: LocalTime::NEVER,
            repeat_due: LocalTime::ZERO,
            repeat: REPEAT_FIRST,
        }
    }
}

impl Sending {
    pub(super) fn push(&mut self, now: LocalTime, entry: &[u8]) -> Result<(), FlowFull> {
        debug_assert!(entry.len() <= FLOW_ENTRY_BYTES_MAX);
        let bytes = self.bytes + entry.len();
        if bytes > WAITING_BYTES_MAX || entry.len() > FLOW_ENTRY_BYTES_MAX {
            return Err(FlowFull);
        }
        self.bytes = bytes;
        self.entries.push_back(entry.to_vec());
        self.due = now;
        Ok(())
    }

    /// A new session: the other end awaits number 0.
    pub(super) fn restart(&mut self, now: LocalTime) {
        (self.first, self.sent, self.repeat) = (0, 0, REPEAT_FIRST);
        self.repeat_due = now;
        self.due = if self.entries.is_empty() { LocalTime::NEVER } else { now };
    }

    /// The other end has everything before `awaited`.
    pub(super) fn acknowledge(&mut self, awaited: u32) {
        let count = usize::try_from(awaited.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        if count == 0 || count > self.entries.len() {
            return;
        }
        self.bytes -= self.entries.drain(..count).map(|entry| entry.len()).sum::<usize>();
        self.first = awaited;
        self.sent = self.sent.saturating_sub(count);
        self.repeat = REPEAT_FIRST;
        if self.entries.is_empty() {
            (self.due, self.repeat_due) = (LocalTime::NEVER, LocalTime::ZERO);
        } else if self.sent < self.entries.len() {
            // The window has moved on.
            self.due = LocalTime::ZERO;
        }
    }

    pub(super) const fn due(&self) -> LocalTime {
        self.due
    }

    /// Writes what is due and fits.
    pub(super) fn write(&mut self, now: LocalTime, out: &mut Writer<'_>) {
        if self.due > now {
            return;
        }
        // Where all that waits fits into one element it is sent whole, so that the next entry repairs what was lost.
        let is_small = self.in_flight() < PART_BYTES && now - self.round >= ROUND_AT_LEAST;
        let begins = is_small || self.repeat_due <= now;
        let start = if begins { 0 } else { self.sent };
        let mut buffer = [0; PART_BYTES];
        let mut part = Writer::new(&mut buffer);
        let mut count = 0;
        for entry in self.entries.iter().skip(start) {
            if FlowPart::encode_entry(entry, &mut part).is_err() {
                break;
            }
            count += 1;
        }
        let number = u32::try_from(start).unwrap_or(u32::MAX);
        let element = FlowPart { first: self.first.wrapping_add(number), entries: part.written() };
        if Element::Flow(element).encode(out).is_err() {
            return;
        }
        self.sent = start + count;
        if begins {
            self.round = now;
            self.repeat_due = now + self.repeat;
            self.repeat = Span::from_nanos((self.repeat.nanos() * 2).min(REPEAT_LAST.nanos()));
        }
        let is_more = self.sent < self.entries.len() && self.in_flight() < WINDOW_BYTES;
        self.due = if is_more { now } else { self.repeat_due };
    }

    fn in_flight(&self) -> usize {
        self.entries.iter().take(self.sent).map(Vec::len).sum()
    }
}

impl Receiving {
    /// Takes a part and gives the entries in it that are new and next.
    pub(super) fn take<'a>(&mut self, part: &FlowPart<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.owes_acknowledgement = true;
        let known = self.awaited.wrapping_sub(part.first);
        // A part from behind a gap is left until the gap is filled: it comes again with what fills it.
        let is_next = known <= u32::MAX / 2;
        let skipped = if is_next { usize::try_from(known).unwrap_or(usize::MAX) } else { usize::MAX };
        let fresh = part.entries().skip(skipped);
        let count = u32::try_from(fresh.clone().count()).unwrap_or(u32::MAX);
        self.awaited = self.awaited.wrapping_add(count);
        fresh
    }

    pub(super) const fn owes_acknowledgement(&self) -> bool {
        self.owes_acknowledgement
    }

    pub(super) fn write(&mut self, out: &mut Writer<'_>) {
        if self.owes_acknowledgement {
            let element = Element::FlowAcknowledge { awaited: self.awaited };
            self.owes_acknowledgement = element.encode(out).is_err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Entropy;
    use crate::wire::Elements;

    /// Datagrams on their way, and when they arrive.
    type Way = Vec<(LocalTime, Vec<u8>)>;

    fn write(now: LocalTime, sending: &mut Sending, receiving: &mut Receiving) -> Option<Vec<u8>> {
        let mut buffer = [0; 1_176];
        let mut out = Writer::new(&mut buffer);
        receiving.write(&mut out);
        sending.write(now, &mut out);
        (out.length() > 0).then(|| out.written().to_vec())
    }

    #[test]
    fn every_entry_arrives_once_and_in_order_over_a_bad_network() {
        let mut entropy = Entropy::new(&[3; 32]);
        let (mut sending, mut receiving) = (Sending::default(), Receiving::default());
        let (mut nothing_sent, mut nothing_received) = (Sending::default(), Receiving::default());
        let (mut there, mut back): (Way, Way) = (Vec::new(), Vec::new());
        let mut heard: Vec<u32> = Vec::new();
        let mut said = 0_u32;
        let mut worst = Span::ZERO;
        let mut said_at = Vec::new();
        for step in 0..60_000_i64 {
            let now = LocalTime::from_nanos(step * 1_000_000);
            if step < 50_000 && entropy.u64().is_multiple_of(5) {
                let mut entry = said.to_le_bytes().to_vec();
                entry.resize(4 + usize::try_from(entropy.u64() % 40).unwrap(), 7);
                sending.push(now, &entry).unwrap();
                said_at.push(now);
                said += 1;
            }
            let mut carry = |way: &mut Way, datagram: Vec<u8>| {
                let fate = entropy.u64();
                // One in five is lost, one in twenty comes twice; delays of 20 to 50 ms put them out of order.
                for copy in
                    0..(1 + u64::from(fate.is_multiple_of(20))) * u64::from(!(fate / 20).is_multiple_of(5))
                {
                    let delay = 20 + i64::try_from((fate >> 20 >> copy) % 30).unwrap();
                    way.push((now + Span::from_millis(delay), datagram.clone()));
                }
            };
            for _ in 0..4 {
                let Some(datagram) = write(now, &mut sending, &mut nothing_received) else { break };
                carry(&mut there, datagram);
            }
            if let Some(datagram) = write(now, &mut nothing_sent, &mut receiving) {
                carry(&mut back, datagram);
            }
            for (_, datagram) in there.extract_if(.., |(at, _)| *at <= now) {
                for element in Elements::new(&datagram).flatten() {
                    if let Element::Flow(part) = element {
                        for entry in receiving.take(&part) {
                            let number = u32::from_le_bytes(entry[..4].try_into().unwrap());
                            worst = worst.max(now - said_at[usize::try_from(number).unwrap()]);
                            heard.push(number);
                        }
                    }
                }
            }
            for (_, datagram) in back.extract_if(.., |(at, _)| *at <= now) {
                for element in Elements::new(&datagram).flatten() {
                    if let Element::FlowAcknowledge { awaited } = element {
                        sending.acknowledge(awaited);
                    }
                }
            }
        }
        assert!(said > 9_000);
        assert_eq!(heard, (0..said).collect::<Vec<_>>());
        assert_eq!(sending.due(), LocalTime::NEVER);
        assert!(worst < Span::from_millis(400), "{worst:?}");
    }

    #[test]
    fn a_dump_leaves_in_windows_and_too_much_is_refused() {
        let mut sending = Sending::default();
        let mut pushed = 0;
        while sending.push(LocalTime::ZERO, &[1; FLOW_ENTRY_BYTES_MAX]).is_ok() {
            pushed += 1;
        }
        assert_eq!(pushed, WAITING_BYTES_MAX / FLOW_ENTRY_BYTES_MAX);
        let mut datagrams = 0;
        while write(LocalTime::ZERO, &mut sending, &mut Receiving::default()).is_some() {
            datagrams += 1;
        }
        assert!((WINDOW_BYTES / PART_BYTES..=20).contains(&datagrams), "{datagrams}");
    }

    #[test]
    fn a_new_session_gets_what_the_old_one_did_not_acknowledge() {
        let mut sending = Sending::default();
        for entry in 0..3_u8 {
            sending.push(LocalTime::ZERO, &[entry]).unwrap();
        }
        sending.acknowledge(1);
        sending.restart(LocalTime::ZERO);
        let datagram = write(LocalTime::ZERO, &mut sending, &mut Receiving::default()).unwrap();
        let mut receiving = Receiving::default();
        let Some(Ok(Element::Flow(part))) = Elements::new(&datagram).next() else { panic!("no flow") };
        assert_eq!(receiving.take(&part).collect::<Vec<_>>(), [&[1_u8][..], &[2]]);
        assert_eq!(receiving.take(&part).count(), 0);
    }
}
