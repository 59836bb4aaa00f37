//! A media packet: the RTP header, a list of timed MIDI commands, and the recovery journal (RFC 6295, sections 2 and 3).
//!
//! ```text
//!  RTP header, 12 octets   V=2 P X CC | M PT | sequence | timestamp | SSRC
//!  command section         B J Z P LEN, [LEN]   then LEN octets: [delta] command, delta command, ...
//!  journal, if J           to the end; opaque here, read by `journal`
//! ```
//!
//! A command happens at the packet's timestamp plus the deltas before it. We send what every peer takes: M=0 (some
//! discard M=1, against the RFC), payload type 97, no first delta. We take M either way and every dynamic type.
//!
//! Reading order: [`Packet`]; [`Commands`] reads the list; [`List`] writes one.

mod list;
#[cfg(test)]
mod tests;
mod write;

use thiserror::Error;

use super::time::Timestamp;

pub use list::{Beginning, Command, Commands, End, ListError, Segment, Timed};
pub use write::{Full, Journal, List, encode_header};

/// The fields of an RTP header that say something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The low 16 bits of the packet's number.
    pub sequence: u16,
    /// When the first command happens, before its own delta if it has one.
    pub timestamp: Timestamp,
    /// Who sends.
    pub ssrc: u32,
}

/// A packet that was received.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// Whose it is, and when.
    pub header: Header,
    /// What happens.
    pub commands: Commands<'a>,
    /// The recovery journal, unread.
    pub journal: Option<&'a [u8]>,
}

/// Why bytes are not a media packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The RTP header, with its lists of contributors and extensions, ends early.
    #[error("{0} bytes are no whole RTP header")]
    Header(usize),
    /// Not version 2 of RTP.
    #[error("version {0} of RTP")]
    Version(u8),
    /// A payload that is not dynamic, and so not MIDI.
    #[error("payload type {0}")]
    PayloadType(u8),
    /// The padding says that it is longer than the packet, or of no length.
    #[error("padding of {said} bytes in a payload of {present}")]
    Padding {
        /// What it says.
        said: usize,
        /// How much there is.
        present: usize,
    },
    /// No command section, or half of its length.
    #[error("no command section")]
    Section,
    /// The list says that it is longer than the packet.
    #[error("a list of {said} bytes in {present}")]
    ListLength {
        /// What it says.
        said: usize,
        /// How much there is.
        present: usize,
    },
}

/// Octets of the RTP header that we write.
pub const HEADER_BYTES: usize = 12;
/// The most octets that a list may have: LEN has 12 bits.
pub const LIST_BYTES_MAX: usize = 0xFFF;

const VERSION: u8 = 2;
const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;
/// The dynamic payload types (RFC 3551, section 6).
const PAYLOAD_TYPES: core::ops::RangeInclusive<u8> = 96..=127;
const LONG_BIT: u8 = 0x80;
const JOURNAL_BIT: u8 = 0x40;
const FIRST_DELTA_BIT: u8 = 0x20;

impl<'a> Packet<'a> {
    /// Reads a packet. The commands are read as the iterator goes.
    ///
    /// # Errors
    /// What about the packet's frame is wrong; a list that breaks off is the iterator's last item.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let (header, payload) = decode_header(bytes)?;
        let (flags, rest) = payload.split_first().ok_or(PacketError::Section)?;
        let short = usize::from(flags & 0x0F);
        let (length, rest) = if flags & LONG_BIT == 0 {
            (short, rest)
        } else {
            let (low, rest) = rest.split_first().ok_or(PacketError::Section)?;
            (short << 8 | usize::from(*low), rest)
        };
        let (list, rest) = rest
            .split_at_checked(length)
            .ok_or(PacketError::ListLength { said: length, present: rest.len() })?;
        let commands = Commands::new(list, flags & FIRST_DELTA_BIT != 0);
        Ok(Self { header, commands, journal: (flags & JOURNAL_BIT != 0).then_some(rest) })
    }
}

fn decode_header(bytes: &[u8]) -> Result<(Header, &[u8]), PacketError> {
    let whole = || PacketError::Header(bytes.len());
    let (fixed, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(whole)?;
    let [flags, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
    if flags >> 6 != VERSION {
        return Err(PacketError::Version(flags >> 6));
    }
    if !PAYLOAD_TYPES.contains(&(kind & 0x7F)) {
        return Err(PacketError::PayloadType(kind & 0x7F));
    }
    let contributors = usize::from(flags & 0x0F) * 4;
    let mut payload = rest.get(contributors..).ok_or_else(whole)?;
    if flags & EXTENSION_BIT != 0 {
        let ([_, _, high, low], rest) = payload.split_first_chunk::<4>().ok_or_else(whole)?;
        let words = usize::from(u16::from_be_bytes([*high, *low]));
        payload = rest.get(words * 4..).ok_or_else(whole)?;
    }
    if flags & PADDING_BIT != 0 {
        payload = without_padding(payload)?;
    }
    let header = Header {
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: Timestamp::from_bits(u32::from_be_bytes([t0, t1, t2, t3])),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
    };
    Ok((header, payload))
}

/// The last octet of padding counts all of it, itself too (RFC 3550, section 5.1).
fn without_padding(payload: &[u8]) -> Result<&[u8], PacketError> {
    let said = payload.last().copied().map_or(0, usize::from);
    match payload.len().checked_sub(said) {
        Some(kept) if said > 0 => Ok(&payload[..kept]),
        _ => Err(PacketError::Padding { said, present: payload.len() }),
    }
}
