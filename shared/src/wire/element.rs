//! The elements of an opened packet.

use super::{Audio, AudioHead, DecodeError, FlowPart, Full, Reader, Slot, Writer};
use crate::time::{CHUNK_FRAMES, GridPosition, LocalTime};

/// One element of an opened packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// A member asks what the grid says: its own clock as it sends.
    ClockAsk {
        /// The member's clock as it sent this.
        sent: LocalTime,
    },
    /// The answer, with both of the relay's readings.
    ClockReply {
        /// The member's clock, as it was in the question.
        sent: LocalTime,
        /// The grid as the question arrived.
        relay_received: GridPosition,
        /// The grid as this answer left.
        relay_sent: GridPosition,
    },
    /// Consecutive chunks of one strip.
    Audio(Audio<'a>),
    /// A part of a retained document.
    Document(DocumentPart<'a>),
    /// The whole document of this version has arrived.
    Acknowledge {
        /// Which document.
        slot: Slot,
        /// Which version of it.
        version: u32,
    },
    /// Entries of the sender's flow.
    Flow(FlowPart<'a>),
    /// All entries of the flow before this one have arrived.
    FlowAcknowledge {
        /// The number of the next one.
        awaited: u32,
    },
    /// The sender ends the session.
    Leave(LeaveReason),
    /// Whoever receives this at a new address proves it by the reply.
    PathAsk {
        /// To be returned.
        token: u64,
    },
    /// The proof.
    PathReply {
        /// As asked.
        token: u64,
    },
}

/// A part of a retained document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentPart<'a> {
    /// Which document.
    pub slot: Slot,
    /// Which version of it.
    pub version: u32,
    /// Where these bytes lie in the document.
    pub offset: u16,
    /// The document's whole length.
    pub total: u16,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaveReason {
    /// The member left.
    Left,
    /// The relay shuts down.
    RelayStops,
    /// The room failed and was closed.
    RoomFailed,
    /// The member sent more than its room allows.
    Flooding,
}

impl LeaveReason {
    const fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::RelayStops => 1,
            Self::RoomFailed => 2,
            Self::Flooding => 3,
        }
    }

    const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Left),
            1 => Ok(Self::RelayStops),
            2 => Ok(Self::RoomFailed),
            3 => Ok(Self::Flooding),
            _ => Err(DecodeError::Range { field: "leave reason", value: code as u64 }),
        }
    }
}

const CLOCK_ASK: u8 = 0x01;
const CLOCK_REPLY: u8 = 0x02;
const AUDIO: u8 = 0x03;
const DOCUMENT: u8 = 0x04;
const ACKNOWLEDGE: u8 = 0x05;
const LEAVE: u8 = 0x06;
const PATH_ASK: u8 = 0x07;
const PATH_REPLY: u8 = 0x08;
const FLOW: u8 = 0x09;
const FLOW_ACKNOWLEDGE: u8 = 0x0A;

impl<'a> Element<'a> {
    /// Appends this element whole, or nothing of it.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        whole(out, |out| match self {
            Self::ClockAsk { sent } => {
                out.u8(CLOCK_ASK)?;
                out.i64(sent.nanos())
            }
            Self::ClockReply { sent, relay_received, relay_sent } => {
                out.u8(CLOCK_REPLY)?;
                out.i64(sent.nanos())?;
                out.i64(relay_received.raw())?;
                out.i64(relay_sent.raw())
            }
            Self::Audio(audio) => {
                out.u8(AUDIO)?;
                Audio::encode_bytes(&audio.head, audio.samples, out)
            }
            Self::Document(part) => {
                out.u8(DOCUMENT)?;
                out.u8(part.slot.0)?;
                out.u32(part.version)?;
                out.u16(part.offset)?;
                out.u16(part.total)?;
                out.u16(u16::try_from(part.bytes.len()).map_err(|_| Full { needed: part.bytes.len() })?)?;
                out.bytes(part.bytes)
            }
            Self::Acknowledge { slot, version } => {
                out.u8(ACKNOWLEDGE)?;
                out.u8(slot.0)?;
                out.u32(*version)
            }
            Self::Flow(part) => {
                out.u8(FLOW)?;
                part.encode(out)
            }
            Self::FlowAcknowledge { awaited } => {
                out.u8(FLOW_ACKNOWLEDGE)?;
                out.u32(*awaited)
            }
            Self::Leave(reason) => {
                out.u8(LEAVE)?;
                out.u8(reason.code())
            }
            Self::PathAsk { token } => {
                out.u8(PATH_ASK)?;
                out.u64(*token)
            }
            Self::PathReply { token } => {
                out.u8(PATH_REPLY)?;
                out.u64(*token)
            }
        })
    }

    /// Appends an audio element from samples, planar stereo chunk by chunk; a mono head takes the first channel.
    ///
    /// Real-time: yes. Bound: four chunks.
    pub fn encode_audio(
        head: &AudioHead,
        chunks: &[[[f32; CHUNK_FRAMES]; 2]],
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        whole(out, |out| {
            out.u8(AUDIO)?;
            Audio::encode(head, chunks, out)
        })
    }

    fn decode(bytes: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match bytes.u8()? {
            CLOCK_ASK => Ok(Self::ClockAsk { sent: LocalTime::from_nanos(bytes.i64()?) }),
            CLOCK_REPLY => Ok(Self::ClockReply {
                sent: LocalTime::from_nanos(bytes.i64()?),
                relay_received: GridPosition::from_raw(bytes.i64()?),
                relay_sent: GridPosition::from_raw(bytes.i64()?),
            }),
            AUDIO => Audio::decode(bytes).map(Self::Audio),
            DOCUMENT => {
                let slot = Slot(bytes.u8()?);
                let version = bytes.u32()?;
                let offset = bytes.u16()?;
                let total = bytes.u16()?;
                let length = bytes.u16()?;
                if u32::from(offset) + u32::from(length) > u32::from(total) {
                    return Err(DecodeError::Range { field: "document length", value: length.into() });
                }
                Ok(Self::Document(DocumentPart {
                    slot,
                    version,
                    offset,
                    total,
                    bytes: bytes.bytes(length.into())?,
                }))
            }
            ACKNOWLEDGE => Ok(Self::Acknowledge { slot: Slot(bytes.u8()?), version: bytes.u32()? }),
            FLOW => FlowPart::decode(bytes).map(Self::Flow),
            FLOW_ACKNOWLEDGE => Ok(Self::FlowAcknowledge { awaited: bytes.u32()? }),
            LEAVE => LeaveReason::from_code(bytes.u8()?).map(Self::Leave),
            PATH_ASK => Ok(Self::PathAsk { token: bytes.u64()? }),
            PATH_REPLY => Ok(Self::PathReply { token: bytes.u64()? }),
            kind => Err(DecodeError::Kind(kind)),
        }
    }
}

/// Runs `write`, and takes back what it wrote if it ran out of room.
fn whole(out: &mut Writer<'_>, write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> Result<(), Full> {
    let before = out.length();
    write(out).inspect_err(|_| out.truncate(before))
}

/// The elements of an opened packet, in order; ends after the first that cannot be read, for nothing behind it
/// has a known place.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: Reader<'a>,
}

impl<'a> Elements<'a> {
    /// The elements of `plain`.
    #[must_use]
    pub const fn new(plain: &'a [u8]) -> Self {
        Self { rest: Reader::new(plain) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.rest().is_empty() {
            return None;
        }
        let element = Element::decode(&mut self.rest);
        if element.is_err() {
            self.rest = Reader::new(&[]);
        }
        Some(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Beats, MusicalStamp, Tempo};
    use crate::wire::{Channels, ChunksPerDatagram, Format, StripId, WireChunk};
    use proptest::prelude::*;

    #[test]
    fn every_element_reads_back_as_it_was_written() {
        let samples = [7; 64 * 2 * 2];
        let head = AudioHead {
            strip: StripId(3),
            first: WireChunk(99),
            format: Format::Pcm16,
            channels: Channels::Mono,
            chunks: ChunksPerDatagram::Two,
            stamp: Some(MusicalStamp {
                beats: Beats::from_micro(-5),
                tempo: Tempo::from_bpm(120.0).unwrap(),
            }),
        };
        let elements = [
            Element::ClockAsk { sent: LocalTime::from_nanos(-1) },
            Element::ClockReply {
                sent: LocalTime::from_nanos(1),
                relay_received: GridPosition::from_raw(2),
                relay_sent: GridPosition::from_raw(3),
            },
            Element::Audio(Audio { head, samples: &samples }),
            Element::Document(DocumentPart {
                slot: Slot::ROSTER,
                version: 9,
                offset: 2,
                total: 7,
                bytes: b"hello",
            }),
            Element::Acknowledge { slot: Slot::PROFILE, version: u32::MAX },
            Element::Flow(FlowPart { first: 7, entries: &[2, 0, 1, 2, 0, 0] }),
            Element::FlowAcknowledge { awaited: 9 },
            Element::Leave(LeaveReason::RelayStops),
            Element::PathAsk { token: 5 },
            Element::PathReply { token: 6 },
        ];
        let mut buffer = [0; 1_200];
        let mut out = Writer::new(&mut buffer);
        for element in &elements {
            element.encode(&mut out).unwrap();
        }
        let read: Vec<_> = Elements::new(out.written()).map(Result::unwrap).collect();
        assert_eq!(read, elements);
    }

    #[test]
    fn an_element_that_does_not_fit_leaves_no_half() {
        let mut buffer = [0; 10];
        let mut out = Writer::new(&mut buffer);
        Element::Leave(LeaveReason::Left).encode(&mut out).unwrap();
        assert!(Element::ClockAsk { sent: LocalTime::ZERO }.encode(&mut out).is_err());
        assert_eq!(out.length(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_to_elements_that_encode_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut buffer = [0; 1_200];
            let mut out = Writer::new(&mut buffer);
            for element in Elements::new(&bytes).map_while(Result::ok) {
                element.encode(&mut out).unwrap();
            }
            prop_assert_eq!(out.written(), &bytes[..out.length()]);
        }
    }
}
