//! The four packets in the clear that come before a session.
//!
//! ```text
//! Hello    0x01 | version u16 | hello id u64 | room tag 8 | cookie 16 | noise 72 | zeros to 160 bytes
//! Retry    0x02 | version u16 | hello id u64 | cookie 16
//! Welcome  0x03 | version u16 | hello id u64 | noise 72
//! Refused  0x04 | version u16 | hello id u64 | reason u8
//! ```
//!
//! A hello without a cookie is answered by a Retry, which needs no state at the relay and is shorter than the
//! hello; a hello whose cookie proves the address is answered by a Welcome or a Refused, shorter too. The version
//! stands at the same place in every version of the protocol, so that a refusal can always be read.

use super::{DecodeError, Full, Reader, WIRE_VERSION, Writer};

/// Length of every hello: longer than every answer to it.
pub const HELLO_BYTES: usize = 160;
/// Noise NKpsk0: an ephemeral key, a payload of 16 bytes, and its tag; both messages alike.
pub const NOISE_BYTES: usize = 32 + NOISE_PAYLOAD_BYTES + 16;
/// The payload of each Noise message.
pub const NOISE_PAYLOAD_BYTES: usize = 24;
/// A cookie.
pub const COOKIE_BYTES: usize = 16;
/// The public tag by which a relay finds the room that a hello is for.
pub const ROOM_TAG_BYTES: usize = 8;

const HELLO: u8 = 0x01;
const RETRY: u8 = 0x02;
const WELCOME: u8 = 0x03;
const REFUSED: u8 = 0x04;
/// The kind of a sealed packet.
pub const SEALED: u8 = 0x10;

/// A packet in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// A member asks to join.
    Hello(Hello),
    /// The relay asks for the hello again, with this cookie.
    Retry {
        /// As in the hello.
        hello_id: u64,
        /// Proves the address.
        cookie: [u8; COOKIE_BYTES],
    },
    /// The relay takes the member in.
    Welcome {
        /// As in the hello.
        hello_id: u64,
        /// The second Noise message.
        noise: [u8; NOISE_BYTES],
    },
    /// The relay does not.
    Refused {
        /// As in the hello.
        hello_id: u64,
        /// The version that the relay speaks.
        version: u16,
        /// Why.
        reason: RefuseReason,
    },
}

/// A member asks to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version that the member speaks.
    pub version: u16,
    /// Chosen at random; the answers carry it.
    pub hello_id: u64,
    /// Which room.
    pub room_tag: [u8; ROOM_TAG_BYTES],
    /// From a Retry, or zeros.
    pub cookie: [u8; COOKIE_BYTES],
    /// The first Noise message.
    pub noise: [u8; NOISE_BYTES],
}

/// Why a relay does not take a member in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefuseReason {
    /// It speaks another version.
    Version,
    /// No room of the relay has this secret.
    UnknownRoom,
    /// The invite was made for another relay key.
    WrongKey,
    /// The room has no free place.
    RoomFull,
    /// Too many attempts from this address; try later.
    TooMany,
}

impl RefuseReason {
    const fn code(self) -> u8 {
        match self {
            Self::Version => 0,
            Self::UnknownRoom => 1,
            Self::WrongKey => 2,
            Self::RoomFull => 3,
            Self::TooMany => 4,
        }
    }

    const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Version),
            1 => Ok(Self::UnknownRoom),
            2 => Ok(Self::WrongKey),
            3 => Ok(Self::RoomFull),
            4 => Ok(Self::TooMany),
            _ => Err(DecodeError::Range { field: "refuse reason", value: code as u64 }),
        }
    }
}

impl Handshake {
    /// Whether `bytes` is of this kind at all, judged by the first byte.
    #[must_use]
    pub fn is_handshake(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|kind| (HELLO..=REFUSED).contains(kind))
    }

    /// Writes the packet.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        let mut head = |kind: u8, version: u16, hello_id: u64| {
            out.u8(kind)?;
            out.u16(version)?;
            out.u64(hello_id)
        };
        match self {
            Self::Hello(hello) => {
                head(HELLO, hello.version, hello.hello_id)?;
                out.bytes(&hello.room_tag)?;
                out.bytes(&hello.cookie)?;
                out.bytes(&hello.noise)?;
                let padding = HELLO_BYTES.saturating_sub(out.length());
                out.reserve(padding)?.fill(0);
                Ok(())
            }
            Self::Retry { hello_id, cookie } => {
                head(RETRY, WIRE_VERSION, *hello_id)?;
                out.bytes(cookie)
            }
            Self::Welcome { hello_id, noise } => {
                head(WELCOME, WIRE_VERSION, *hello_id)?;
                out.bytes(noise)
            }
            Self::Refused { hello_id, version, reason } => {
                head(REFUSED, *version, *hello_id)?;
                out.u8(reason.code())
            }
        }
    }

    /// Reads the packet. A hello of another version reads as far as its id, so that it can be refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let length = bytes.len();
        let mut bytes = Reader::new(bytes);
        let kind = bytes.u8()?;
        let version = bytes.u16()?;
        let hello_id = bytes.u64()?;
        let packet = match kind {
            HELLO => {
                if length < HELLO_BYTES {
                    return Err(DecodeError::Short { missing: HELLO_BYTES - length });
                }
                return Ok(Self::Hello(Hello {
                    version,
                    hello_id,
                    room_tag: bytes.array()?,
                    cookie: bytes.array()?,
                    noise: bytes.array()?,
                }));
            }
            REFUSED => Self::Refused { hello_id, version, reason: RefuseReason::from_code(bytes.u8()?)? },
            RETRY | WELCOME if version != WIRE_VERSION => {
                return Err(DecodeError::Range { field: "version", value: version.into() });
            }
            RETRY => Self::Retry { hello_id, cookie: bytes.array()? },
            WELCOME => Self::Welcome { hello_id, noise: bytes.array()? },
            kind => return Err(DecodeError::Kind(kind)),
        };
        bytes.finish()?;
        Ok(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_read_back_and_no_answer_is_longer_than_a_hello() {
        let packets = [
            Handshake::Hello(Hello {
                version: WIRE_VERSION,
                hello_id: 7,
                room_tag: [1; ROOM_TAG_BYTES],
                cookie: [2; COOKIE_BYTES],
                noise: [3; NOISE_BYTES],
            }),
            Handshake::Retry { hello_id: 7, cookie: [4; COOKIE_BYTES] },
            Handshake::Welcome { hello_id: 7, noise: [5; NOISE_BYTES] },
            Handshake::Refused { hello_id: 7, version: 2, reason: RefuseReason::RoomFull },
        ];
        for packet in packets {
            let mut buffer = [0; 256];
            let mut out = Writer::new(&mut buffer);
            packet.encode(&mut out).unwrap();
            assert!(out.length() <= HELLO_BYTES);
            assert_eq!(Handshake::decode(out.written()), Ok(packet));
        }
    }
}
