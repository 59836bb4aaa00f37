//! Writing packets.

use thiserror::Error;

use crate::midi::message::Message;

use super::{Beginning, End, HEADER_BYTES, Header, JOURNAL_BIT, LIST_BYTES_MAX, LONG_BIT, Segment, VERSION};

/// A list of commands being written. Its first command happens at the packet's timestamp.
#[derive(Clone, Debug, Default)]
pub struct List {
    bytes: Vec<u8>,
    running: Option<u8>,
}

/// The list has no room for this command: it belongs into the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the list has no room")]
pub struct Full;

/// What macOS sends, and what every peer expects.
const PAYLOAD_TYPE: u8 = 97;
/// The largest delta that four octets hold.
const DELTA_TICKS_MAX: u32 = (1 << 28) - 1;

impl List {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.running = None;
    }

    /// Appends a message that is not exclusive, `delta_ticks` after the one before it; the first has no delta.
    ///
    /// # Errors
    /// The list would become longer than `limit_bytes`; it is as it was.
    pub fn push(&mut self, delta_ticks: u32, message: &Message, limit_bytes: usize) -> Result<(), Full> {
        let Ok(short) = message.short() else { return Err(Full) };
        let bytes = short.as_slice();
        let status = bytes[0];
        let from = usize::from(self.running == Some(status));
        self.append(delta_ticks, &[&bytes[from..]], limit_bytes)?;
        match status {
            0x80..=0xEF => self.running = Some(status),
            0xF0..=0xF7 => self.running = None,
            _ => {}
        }
        Ok(())
    }

    /// Appends a part of an exclusive message, `delta_ticks` after the command before it.
    ///
    /// # Errors
    /// The list would become longer than `limit_bytes`; it is as it was.
    pub fn push_segment(
        &mut self,
        delta_ticks: u32,
        segment: Segment<'_>,
        limit_bytes: usize,
    ) -> Result<(), Full> {
        let before = match segment.beginning {
            Beginning::First => 0xF0,
            Beginning::Continued => 0xF7,
        };
        let after = match segment.end {
            End::Last => 0xF7,
            End::LastUnsaid => 0xF5,
            End::Continues => 0xF0,
            End::Cancelled => 0xF4,
        };
        self.append(delta_ticks, &[&[before], segment.content, &[after]], limit_bytes)?;
        self.running = None;
        Ok(())
    }

    /// Octets written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no commands.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends the command section with this list, and says that a journal follows if one will be.
    pub fn encode(&self, journal: Journal, packet: &mut Vec<u8>) {
        let flags = match journal {
            Journal::Follows => JOURNAL_BIT,
            Journal::Absent => 0,
        };
        let [high, low] = u16::try_from(self.bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        if self.bytes.len() <= 0x0F {
            packet.push(flags | low);
        } else {
            packet.extend_from_slice(&[flags | LONG_BIT | high & 0x0F, low]);
        }
        packet.extend_from_slice(&self.bytes);
    }

    fn append(&mut self, delta_ticks: u32, parts: &[&[u8]], limit_bytes: usize) -> Result<(), Full> {
        let before = self.bytes.len();
        if before > 0 {
            push_delta(&mut self.bytes, delta_ticks);
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        if self.bytes.len() > limit_bytes.min(LIST_BYTES_MAX) {
            self.bytes.truncate(before);
            return Err(Full);
        }
        Ok(())
    }
}

/// Whether a journal follows the command section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// To the packet's end.
    Follows,
    /// The packet ends with the list.
    Absent,
}

/// Appends an RTP header.
pub fn encode_header(header: Header, packet: &mut Vec<u8>) {
    packet.reserve(HEADER_BYTES);
    packet.extend_from_slice(&[VERSION << 6, PAYLOAD_TYPE]);
    packet.extend_from_slice(&header.sequence.to_be_bytes());
    packet.extend_from_slice(&header.timestamp.bits().to_be_bytes());
    packet.extend_from_slice(&header.ssrc.to_be_bytes());
}

/// Seven bits an octet from the highest, the top bit says that more follow.
fn push_delta(bytes: &mut Vec<u8>, ticks: u32) {
    let ticks = ticks.min(DELTA_TICKS_MAX);
    for place in (1..4).rev() {
        if ticks >> (7 * place) > 0 {
            bytes.push((ticks >> (7 * place)).to_le_bytes()[0] | 0x80);
        }
    }
    bytes.push(ticks.to_le_bytes()[0] & 0x7F);
}
