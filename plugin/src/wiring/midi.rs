//! MIDI between the audio thread and the link: a ring of messages with their places on the grid, and beside it a ring of
//! bytes for those that are longer than three.
//!
//! An exclusive message's bytes go into their ring first and come out with the message, in the same order, so neither end
//! ever holds a list of its own. What may end a note finds room in the last quarter of the ring, which nothing else is
//! given: what is dropped first is never what ends a note.

use lockstep_shared::midi::message::{Bytes, Exclusive, Message};
use lockstep_shared::time::GridPosition;
use rtrb::{Consumer, Producer, RingBuffer};
use thiserror::Error;

/// Messages on their way: half a second of a cable of MIDI 1.0, which carries a thousand a second, four times over.
const MESSAGES: usize = 2_048;
/// Kept free for what ends a note.
const MESSAGES_KEPT: usize = MESSAGES / 4;
/// Bytes of exclusive messages: the longest three times.
const EXCLUSIVE_BYTES: usize = 3 * (Exclusive::MAX + 2);

/// A message and where on the grid it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MidiEntry {
    /// Where on the grid it counts.
    pub at: GridPosition,
    /// What it is.
    pub form: MidiForm,
}

/// A message, or how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MidiForm {
    /// All of it.
    Short(Bytes),
    /// So many bytes in the ring beside, F0 and F7 among them.
    Exclusive(usize),
}

/// There is no room; the message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too much MIDI waits already")]
pub struct MidiFull;

/// The end that messages go into.
#[derive(Debug)]
pub struct MidiProducer {
    entries: Producer<MidiEntry>,
    bytes: Producer<u8>,
}

/// The end that they come out of.
#[derive(Debug)]
pub struct MidiConsumer {
    entries: Consumer<MidiEntry>,
    bytes: Consumer<u8>,
}

/// Both ends. Allocates 250 kB.
pub(super) fn ring() -> (MidiProducer, MidiConsumer) {
    let (entries_in, entries_out) = RingBuffer::new(MESSAGES);
    let (bytes_in, bytes_out) = RingBuffer::new(EXCLUSIVE_BYTES);
    (
        MidiProducer { entries: entries_in, bytes: bytes_in },
        MidiConsumer { entries: entries_out, bytes: bytes_out },
    )
}

impl MidiProducer {
    /// Puts a message in that is not exclusive.
    ///
    /// Real-time: yes. Bound: constant.
    ///
    /// # Errors
    /// The ring is full, or so full that what is left is for messages that end notes.
    pub fn push(&mut self, at: GridPosition, message: &Message) -> Result<(), MidiFull> {
        let Ok(bytes) = message.short() else { return Err(MidiFull) };
        let ends = matches!(message, Message::Voice(_, voice) if voice.ends());
        if !ends && self.entries.slots() <= MESSAGES_KEPT {
            return Err(MidiFull);
        }
        self.entries.push(MidiEntry { at, form: MidiForm::Short(bytes) }).map_err(|_| MidiFull)
    }

    /// Puts an exclusive message in: its content, without F0 and F7.
    ///
    /// Real-time: yes. Bound: a copy of the message, 64 kB at most.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn push_exclusive(&mut self, at: GridPosition, content: &[u8]) -> Result<(), MidiFull> {
        let length = content.len() + 2;
        if self.entries.slots() <= MESSAGES_KEPT || self.bytes.slots() < length {
            return Err(MidiFull);
        }
        let mut room = self.bytes.write_chunk(length).map_err(|_| MidiFull)?;
        let (front, back) = room.as_mut_slices();
        let whole = core::iter::once(&0xF0).chain(content).chain(core::iter::once(&0xF7));
        for (place, byte) in front.iter_mut().chain(back).zip(whole) {
            *place = *byte;
        }
        room.commit_all();
        self.entries.push(MidiEntry { at, form: MidiForm::Exclusive(length) }).map_err(|_| MidiFull)
    }
}

impl MidiConsumer {
    /// The next message, which stays if it is exclusive: [`MidiConsumer::read_exclusive`] or
    /// [`MidiConsumer::skip_exclusive`] must be called for each, in order, before or after others are popped.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn pop(&mut self) -> Option<MidiEntry> {
        self.entries.pop().ok()
    }

    /// Messages that wait.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.entries.slots()
    }

    /// Hands the bytes of the oldest exclusive message that was popped to `read`, in two parts, and forgets them.
    ///
    /// Real-time: yes, if `read` is. Bound: constant beside it.
    pub fn read_exclusive<T>(&mut self, length: usize, read: impl FnOnce(&[u8], &[u8]) -> T) -> Option<T> {
        // They were put in before the message that says so.
        let bytes = self.bytes.read_chunk(length).ok()?;
        let (front, back) = bytes.as_slices();
        let read = read(front, back);
        bytes.commit_all();
        Some(read)
    }

    /// Forgets them.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn skip_exclusive(&mut self, length: usize) {
        let _ = self.read_exclusive(length, |_, _| ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: GridPosition = GridPosition::from_raw(7);

    fn message(bytes: [u8; 3]) -> Message {
        Message::from_short(&bytes).expect("three bytes")
    }

    #[test]
    fn the_last_quarter_is_for_what_ends_notes() {
        let (mut producer, mut consumer) = ring();
        let (on, off) = (message([0x90, 60, 1]), message([0x80, 60, 1]));
        let strikes = (0..3_000).filter(|_| producer.push(AT, &on).is_ok()).count();
        assert_eq!(strikes, MESSAGES - MESSAGES_KEPT);
        assert_eq!(producer.push_exclusive(AT, &[1]), Err(MidiFull));
        let releases = (0..3_000).filter(|_| producer.push(AT, &off).is_ok()).count();
        assert_eq!(releases, MESSAGES_KEPT);
        assert_eq!(consumer.waiting(), MESSAGES);
        assert_eq!(consumer.pop().map(|entry| entry.form), on.short().ok().map(MidiForm::Short));
        assert!(producer.push(AT, &off).is_ok());
    }

    #[test]
    fn exclusive_messages_come_out_whole_and_in_order() {
        let (mut producer, mut consumer) = ring();
        for round in 0..20_u8 {
            let contents = [vec![round; 40_000], vec![round + 1; 3]];
            for content in &contents {
                producer.push_exclusive(AT, content).expect("room");
            }
            for content in &contents {
                let Some(MidiForm::Exclusive(length)) = consumer.pop().map(|entry| entry.form) else {
                    panic!("an exclusive message")
                };
                let bytes = consumer.read_exclusive(length, |front, back| [front, back].concat());
                let bytes = bytes.expect("its bytes");
                assert_eq!((bytes[0], bytes[bytes.len() - 1]), (0xF0, 0xF7));
                assert_eq!(&bytes[1..bytes.len() - 1], content);
            }
        }
        let most = vec![1; Exclusive::MAX];
        assert_eq!((0..9).filter(|_| producer.push_exclusive(AT, &most).is_ok()).count(), 3);
    }
}
