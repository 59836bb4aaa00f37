//! MIDI between a member and its relay: entries of a flow, each a place of the grid and bytes.
//!
//! ```text
//! entry   at i64 (grid position) | MIDI bytes
//! ```
//!
//! An exclusive message longer than an entry is cut; the bytes of all entries are one stream, which a
//! [`Parser`] makes messages of again. The flow keeps order and loses nothing, so that nothing has to be
//! repaired; the clock and the transport never travel so, they are derived from the timeline.

use super::flow::FLOW_ENTRY_BYTES_MAX;
use super::{DecodeError, Reader};
use crate::midi::message::{Exclusive, Message, Parser, Passed};
use crate::time::GridPosition;

/// Bytes of MIDI in an entry.
const PIECE_BYTES: usize = FLOW_ENTRY_BYTES_MAX - 8;

/// Calls `send` with the entries that say `message` at `at`.
///
/// # Errors
/// The first error of `send`; what was sent before it stands.
pub fn encode<E>(
    at: GridPosition,
    message: &Message,
    mut send: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = Vec::with_capacity(3);
    message.encode(&mut bytes);
    let mut entry = Vec::with_capacity(8 + bytes.len().min(PIECE_BYTES));
    for piece in bytes.chunks(PIECE_BYTES) {
        entry.clear();
        entry.extend_from_slice(&at.raw().to_le_bytes());
        entry.extend_from_slice(piece);
        send(&entry)?;
    }
    Ok(())
}

/// Makes messages of the entries of one flow.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    parser: Parser,
}

impl Decoder {
    /// Calls `heard` with the messages that `entry` completes, and where on the grid they belong.
    ///
    /// # Errors
    /// An entry without a place.
    pub fn decode(
        &mut self,
        entry: &[u8],
        mut heard: impl FnMut(GridPosition, Message),
    ) -> Result<(), DecodeError> {
        let mut reader = Reader::new(entry);
        let at = GridPosition::from_raw(reader.i64()?);
        for &byte in reader.rest() {
            if let Some(message) = self.parser.push(byte) {
                heard(at, message);
            }
        }
        Ok(())
    }

    /// What belonged to no message.
    #[must_use]
    pub const fn passed(&self) -> Passed {
        self.parser.passed()
    }
}

const _: () = assert!(Exclusive::MAX > PIECE_BYTES, "the longest message is cut");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_a_long_one_whole() {
        let at = GridPosition::from_raw(-77);
        let long: Vec<u8> = (0..60_000_u32).map(|byte| byte.to_le_bytes()[0] & 0x7F).collect();
        let long = Exclusive::new(&long).map(Message::Exclusive).expect("data bytes");
        let note = Message::from_short(&[0x91, 60, 3]).expect("three bytes");
        let mut decoder = Decoder::default();
        let mut heard = Vec::new();
        for message in [&note, &long, &note] {
            encode(at, message, |entry| {
                assert!(entry.len() <= FLOW_ENTRY_BYTES_MAX);
                decoder.decode(entry, |at, message| heard.push((at, message)))
            })
            .expect("whole entries");
        }
        assert_eq!(heard, [(at, note.clone()), (at, long), (at, note)]);
        assert_eq!(decoder.passed(), Passed::default());
        assert!(decoder.decode(&[1, 2, 3], |_, _| ()).is_err());
    }
}
