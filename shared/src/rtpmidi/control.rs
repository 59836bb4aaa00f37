//! The packets of an `AppleMIDI` session, which travel beside the music: invitations, clock, receipts, goodbyes.
//!
//! Everything is big-endian and starts with `FF FF` and two letters:
//!
//! | letters | packet | then | port |
//! |---|---|---|---|
//! | `IN` | [`Control::Invite`] | version, token, SSRC, name with a zero byte | control, then data |
//! | `OK` | [`Control::Accept`] | version, the same token, SSRC, name | the one that was asked |
//! | `NO` | [`Control::Refuse`] | version, the same token, SSRC | the one that was asked |
//! | `BY` | [`Control::Goodbye`] | version, token, SSRC | control |
//! | `CK` | [`Control::Clock`] | SSRC, count, three zero bytes, three instants of 64 bits | data |
//! | `RS` | [`Control::Receipt`] | SSRC, sequence number of 16 bits, 16 zero bits | control |
//! | `RL` | [`Control::RateLimit`] | SSRC, bits a second | control |
//!
//! Decoding is liberal: a name may be absent, a packet may be longer than it need be, and a receipt may hold its number
//! in either half. What the session makes of a strange version is its own affair.

use core::fmt;

use thiserror::Error;

use super::name::Name;
use super::time::Ticks;

/// What the first two bytes of every session packet are; RTP starts with `80`.
pub const CONTROL_MARK: [u8; 2] = [0xFF, 0xFF];
/// The version of the protocol that everybody speaks.
pub const CONTROL_VERSION: u32 = 2;
/// Length of an invitation, an answer or a goodbye, without a name.
pub const GREETING_BYTES: usize = 16;

/// Who sends: drawn at random by each session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ssrc(pub u32);

/// What makes an answer belong to an invitation: drawn at random by the inviter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u32);

/// What an invitation and its answers have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Of the protocol; [`CONTROL_VERSION`] unless the peer is strange.
    pub version: u32,
    /// The inviter's.
    pub token: Token,
    /// The sender's.
    pub ssrc: Ssrc,
    /// The sender's; may be empty.
    pub name: Name,
}

/// A step of a clock exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStep {
    /// The asker's clock as it asks.
    Ask(Ticks),
    /// That, and the answerer's clock.
    Answer(Ticks, Ticks),
    /// Both, and the asker's clock as the answer arrived.
    Finish(Ticks, Ticks, Ticks),
}

/// What a receipt says: the highest sequence number received. The standard puts it into the upper half of a field; one
/// peer puts another number into the lower half, so that its upper one is always zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What stands where it should.
    pub upper: u16,
    /// What stands where zero should.
    pub lower: u16,
}

/// A packet of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// `IN`: will you play with me?
    Invite(Greeting),
    /// `OK`: yes.
    Accept(Greeting),
    /// `NO`: not allowed, full, or another version.
    Refuse(Greeting),
    /// `BY`: it is over.
    Goodbye {
        /// Of the invitation that began it.
        token: Token,
        /// The sender's.
        ssrc: Ssrc,
    },
    /// `CK`.
    Clock {
        /// The sender's.
        ssrc: Ssrc,
        /// Which of the three steps.
        step: ClockStep,
    },
    /// `RS`: what was received up to now.
    Receipt {
        /// The sender's: whoever receives the music.
        ssrc: Ssrc,
        /// The number.
        receipt: Receipt,
    },
    /// `RL`: send no more than this.
    RateLimit {
        /// The sender's.
        ssrc: Ssrc,
        /// The limit.
        bits_per_second: u32,
    },
}

/// Why a datagram is no session packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    /// It does not start with [`CONTROL_MARK`].
    #[error("no session packet")]
    Mark,
    /// It ends inside a field.
    #[error("a session packet of {0} bytes is too short")]
    Short(usize),
    /// No such command.
    #[error("unknown command {0:02x?}")]
    Command([u8; 2]),
    /// A clock exchange has three steps, and this is none of them.
    #[error("clock step {0} of 0 to 2")]
    Step(u8),
}

impl Control {
    /// Whether `datagram` means to be a session packet.
    #[must_use]
    pub fn is_control(datagram: &[u8]) -> bool {
        datagram.starts_with(&CONTROL_MARK)
    }

    /// Reads a datagram. Returns for every byte string, and allocates a name at most.
    ///
    /// # Errors
    /// When it is no session packet, is too short, or is of a kind that is unknown here.
    pub fn decode(datagram: &[u8]) -> Result<Self, ControlError> {
        let rest = datagram.strip_prefix(&CONTROL_MARK).ok_or(ControlError::Mark)?;
        let fields = Fields { rest, length: datagram.len() };
        let (command, fields) = fields.array::<2>()?;
        match &command {
            b"IN" => Ok(Self::Invite(fields.greeting()?)),
            b"OK" => Ok(Self::Accept(fields.greeting()?)),
            b"NO" => Ok(Self::Refuse(fields.greeting()?)),
            b"BY" => {
                let Greeting { token, ssrc, .. } = fields.greeting()?;
                Ok(Self::Goodbye { token, ssrc })
            }
            b"CK" => fields.clock(),
            b"RS" => {
                let (ssrc, fields) = fields.u32()?;
                let (upper, fields) = fields.array()?;
                let lower = fields.array().map_or(0, |(bytes, _)| u16::from_be_bytes(bytes));
                let receipt = Receipt { upper: u16::from_be_bytes(upper), lower };
                Ok(Self::Receipt { ssrc: Ssrc(ssrc), receipt })
            }
            b"RL" => {
                let (ssrc, fields) = fields.u32()?;
                let (bits_per_second, _) = fields.u32()?;
                Ok(Self::RateLimit { ssrc: Ssrc(ssrc), bits_per_second })
            }
            _ => Err(ControlError::Command(command)),
        }
    }

    /// Appends the packet to `out`: at most 80 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(CONTROL_MARK);
        match self {
            Self::Invite(greeting) => greeting.encode(*b"IN", out),
            Self::Accept(greeting) => greeting.encode(*b"OK", out),
            Self::Refuse(greeting) => greeting.encode(*b"NO", out),
            Self::Goodbye { token, ssrc } => Greeting::nameless(*token, *ssrc).encode(*b"BY", out),
            Self::Clock { ssrc, step } => {
                out.extend(b"CK");
                out.extend(ssrc.0.to_be_bytes());
                let zero = Ticks::from_count(0);
                let (count, instants) = match *step {
                    ClockStep::Ask(first) => (0, [first, zero, zero]),
                    ClockStep::Answer(first, second) => (1, [first, second, zero]),
                    ClockStep::Finish(first, second, third) => (2, [first, second, third]),
                };
                out.extend([count, 0, 0, 0]);
                for instant in instants {
                    out.extend(instant.count().to_be_bytes());
                }
            }
            Self::Receipt { ssrc, receipt } => {
                out.extend(b"RS");
                out.extend(ssrc.0.to_be_bytes());
                out.extend(receipt.upper.to_be_bytes());
                out.extend(receipt.lower.to_be_bytes());
            }
            Self::RateLimit { ssrc, bits_per_second } => {
                out.extend(b"RL");
                out.extend(ssrc.0.to_be_bytes());
                out.extend(bits_per_second.to_be_bytes());
            }
        }
    }
}

impl Greeting {
    /// One that names nobody.
    #[must_use]
    pub fn nameless(token: Token, ssrc: Ssrc) -> Self {
        Self { version: CONTROL_VERSION, token, ssrc, name: Name::default() }
    }

    fn encode(&self, command: [u8; 2], out: &mut Vec<u8>) {
        out.extend(command);
        out.extend(self.version.to_be_bytes());
        out.extend(self.token.0.to_be_bytes());
        out.extend(self.ssrc.0.to_be_bytes());
        if !self.name.is_empty() {
            out.extend(self.name.as_str().as_bytes());
            out.push(0);
        }
    }
}

impl Receipt {
    /// A receipt as the standard has it.
    #[must_use]
    pub const fn of(sequence: u16) -> Self {
        Self { upper: sequence, lower: 0 }
    }

    /// The numbers that may be meant, the likelier one first. Whoever sent the music takes the first of them that it
    /// has sent and that has not been received already, and none if neither is so.
    pub fn candidates(self) -> impl Iterator<Item = u16> {
        let (first, second) = match self {
            Self { upper, lower: 0 } => (upper, None),
            Self { upper: 0, lower } => (lower, Some(0)),
            Self { upper, lower } => (upper, Some(lower)),
        };
        core::iter::once(first).chain(second)
    }
}

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Takes big-endian fields off the front.
#[derive(Clone, Copy)]
struct Fields<'a> {
    rest: &'a [u8],
    /// Of the whole packet.
    length: usize,
}

impl<'a> Fields<'a> {
    fn array<const N: usize>(self) -> Result<([u8; N], Self), ControlError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ControlError::Short(self.length))?;
        Ok((*taken, Self { rest, ..self }))
    }

    fn u32(self) -> Result<(u32, Self), ControlError> {
        self.array().map(|(bytes, rest)| (u32::from_be_bytes(bytes), rest))
    }

    fn ticks(self) -> Result<(Ticks, Self), ControlError> {
        self.array().map(|(bytes, rest)| (Ticks::from_count(u64::from_be_bytes(bytes)), rest))
    }

    fn greeting(self) -> Result<Greeting, ControlError> {
        let (version, fields) = self.u32()?;
        let (token, fields) = fields.u32()?;
        let (ssrc, fields) = fields.u32()?;
        Ok(Greeting { version, token: Token(token), ssrc: Ssrc(ssrc), name: Name::from_wire(fields.rest) })
    }

    fn clock(self) -> Result<Control, ControlError> {
        let (ssrc, fields) = self.u32()?;
        let ([count, ..], fields) = fields.array::<4>()?;
        let (first, fields) = fields.ticks()?;
        let (second, fields) = fields.ticks()?;
        let (third, _) = fields.ticks()?;
        let step = match count {
            0 => ClockStep::Ask(first),
            1 => ClockStep::Answer(first, second),
            2 => ClockStep::Finish(first, second, third),
            _ => return Err(ControlError::Step(count)),
        };
        Ok(Control::Clock { ssrc: Ssrc(ssrc), step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(packet: &Control) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        bytes
    }

    fn packets() -> Vec<Control> {
        let (token, ssrc) = (Token(0x0102_0304), Ssrc(0xE448_A90A));
        let greeting = Greeting { name: Name::new("Pult"), ..Greeting::nameless(token, ssrc) };
        let [first, second, third] = [1, u64::MAX, 1 << 40].map(Ticks::from_count);
        vec![
            Control::Invite(greeting.clone()),
            Control::Accept(greeting),
            Control::Refuse(Greeting::nameless(token, ssrc)),
            Control::Goodbye { token, ssrc },
            Control::Clock { ssrc, step: ClockStep::Ask(first) },
            Control::Clock { ssrc, step: ClockStep::Answer(first, second) },
            Control::Clock { ssrc, step: ClockStep::Finish(first, second, third) },
            Control::Receipt { ssrc, receipt: Receipt::of(0x434A) },
            Control::RateLimit { ssrc, bits_per_second: 31_250 },
        ]
    }

    #[test]
    fn every_packet_reads_back_and_none_of_its_beginnings_is_a_longer_one() {
        for packet in packets() {
            let bytes = encoded(&packet);
            assert_eq!(Control::decode(&bytes).as_ref(), Ok(&packet));
            for cut in 0..bytes.len() {
                if let Ok(shorter) = Control::decode(&bytes[..cut]) {
                    // Only a name may be missing, and the half of a receipt that is zero.
                    assert!(
                        cut >= GREETING_BYTES || matches!(shorter, Control::Receipt { .. }),
                        "{shorter:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol() {
        let [invite, _, _, goodbye, ask, _, _, receipt, _] = packets().try_into().unwrap();
        assert_eq!(encoded(&invite), b"\xFF\xFFIN\0\0\0\x02\x01\x02\x03\x04\xE4\x48\xA9\x0APult\0");
        assert_eq!(encoded(&goodbye), b"\xFF\xFFBY\0\0\0\x02\x01\x02\x03\x04\xE4\x48\xA9\x0A");
        assert_eq!(encoded(&ask).len(), 36);
        assert_eq!(encoded(&receipt), b"\xFF\xFFRS\xE4\x48\xA9\x0A\x43\x4A\0\0");
    }

    #[test]
    fn a_receipt_may_stand_in_either_half() {
        let numbers = |upper, lower| Receipt { upper, lower }.candidates().collect::<Vec<_>>();
        assert_eq!(numbers(7, 0), [7]);
        assert_eq!(numbers(0, 7), [7, 0]);
        assert_eq!(numbers(0, 0), [0]);
        assert_eq!(numbers(7, 9), [7, 9]);
        let short = Control::decode(b"\xFF\xFFRS\0\0\0\x01\x43\x4A");
        assert_eq!(short, Ok(Control::Receipt { ssrc: Ssrc(1), receipt: Receipt::of(0x434A) }));
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert_eq!(Control::decode(b"\xFF\xFFXY1234"), Err(ControlError::Command(*b"XY")));
        assert_eq!(Control::decode(b"\x80\x61"), Err(ControlError::Mark));
        assert_eq!(Control::decode(b"\xFF\xFFIN\0\0"), Err(ControlError::Short(6)));
        let mut clock = encoded(&packets()[4]);
        clock[8] = 3;
        assert_eq!(Control::decode(&clock), Err(ControlError::Step(3)));
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_what_decodes_the_same(
            bytes in prop::collection::vec(any::<u8>(), 0..80), which in 0..7_usize,
        ) {
            let mut datagram = CONTROL_MARK.to_vec();
            datagram.extend([b"IN", b"OK", b"NO", b"BY", b"CK", b"RS", b"RL"][which]);
            datagram.extend(bytes);
            if let Ok(packet) = Control::decode(&datagram) {
                let again = encoded(&packet);
                prop_assert!(again.len() <= 80);
                prop_assert_eq!(Control::decode(&again), Ok(packet));
            }
        }
    }
}
