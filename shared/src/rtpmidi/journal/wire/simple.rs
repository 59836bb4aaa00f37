//! Chapters of fixed size: P program, W wheel, T pressure; and D, the simple system commands.

use crate::midi::message::{U7, U14};
use crate::wire::{DecodeError, Reader};

use super::sequencer::{Undefined, UndefinedRealtime};
use super::{Freshness, Side, present};

/// P: the program and the bank that it was chosen from (A.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// S.
    pub freshness: Freshness,
    /// Which.
    pub program: U7,
    /// B and what it announces.
    pub bank: Option<Bank>,
}

/// What Bank Select said before the program was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank {
    /// Controller 0.
    pub msb: U7,
    /// Controller 32.
    pub lsb: U7,
    /// X: whether a Reset All Controllers came between bank and program.
    pub side: Side,
}

/// W: the wheel (A.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// S.
    pub freshness: Freshness,
    /// Where it is.
    pub bend: U14,
}

/// T: the pressure on the keys (A.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressing {
    /// S.
    pub freshness: Freshness,
    /// How much.
    pub pressure: U7,
}

/// D: simple system commands (B.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// S.
    pub freshness: Freshness,
    /// B: how often Reset was said, modulo 128.
    pub reset: Option<(Freshness, U7)>,
    /// G: how often Tune Request was said, modulo 128.
    pub tune: Option<(Freshness, U7)>,
    /// H: the song.
    pub song: Option<(Freshness, U7)>,
    /// J and K: the undefined F4 and F5.
    pub common: [Option<Undefined>; 2],
    /// Y and Z: the undefined F9 and FD.
    pub realtime: [Option<UndefinedRealtime>; 2],
}

const RESET: u8 = 0x40;
const TUNE: u8 = 0x20;
const SONG: u8 = 0x10;
const COMMON: [u8; 2] = [0x08, 0x04];
const REALTIME: [u8; 2] = [0x02, 0x01];

impl Program {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [program, msb, lsb] = reader.array()?;
        let bank = (msb & 0x80 != 0).then(|| Bank {
            msb: U7::low_bits(msb),
            lsb: U7::low_bits(lsb),
            side: Side::of(lsb),
        });
        Ok(Self { freshness: Freshness::of(program), program: U7::low_bits(program), bank })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.freshness.bit() | self.program.get());
        match self.bank {
            Some(bank) => bytes.extend([0x80 | bank.msb.get(), bank.side.bit() | bank.lsb.get()]),
            None => bytes.extend([0, 0]),
        }
    }
}

impl Wheel {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [first, second] = reader.array()?;
        let bend = U14::from_halves(U7::low_bits(first), U7::low_bits(second));
        Ok(Self { freshness: Freshness::of(first), bend })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let (low, high) = self.bend.halves();
        bytes.extend([self.freshness.bit() | low.get(), high.get()]);
    }
}

impl Pressing {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (freshness, pressure) = marked(reader)?;
        Ok(Self { freshness, pressure })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.freshness.bit() | self.pressure.get());
    }
}

impl Simple {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = reader.u8()?;
        let mut read = |mask: u8| (header & mask != 0).then(|| marked(reader)).transpose();
        let (reset, tune, song) = (read(RESET)?, read(TUNE)?, read(SONG)?);
        let mut simple = Self { freshness: Freshness::of(header), reset, tune, song, ..Self::default() };
        for (command, mask) in simple.common.iter_mut().zip(COMMON) {
            *command = (header & mask != 0).then(|| Undefined::decode(reader)).transpose()?;
        }
        for (command, mask) in simple.realtime.iter_mut().zip(REALTIME) {
            *command = (header & mask != 0).then(|| UndefinedRealtime::decode(reader)).transpose()?;
        }
        Ok(simple)
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let mut header = self.freshness.bit();
        let counted = [(&self.reset, RESET), (&self.tune, TUNE), (&self.song, SONG)];
        header |= counted.iter().fold(0, |header, (field, mask)| header | present(field.as_ref(), *mask));
        header |= self
            .common
            .iter()
            .zip(COMMON)
            .fold(0, |header, (field, mask)| header | present(field.as_ref(), mask));
        header |= self
            .realtime
            .iter()
            .zip(REALTIME)
            .fold(0, |header, (field, mask)| header | present(field.as_ref(), mask));
        bytes.push(header);
        let counted = counted.iter().filter_map(|(field, _)| **field);
        bytes.extend(counted.map(|(freshness, value)| freshness.bit() | value.get()));
        for command in self.common.iter().flatten() {
            command.encode(bytes);
        }
        for command in self.realtime.iter().flatten() {
            command.encode(bytes);
        }
    }
}

/// A byte of an S bit and a value.
fn marked(reader: &mut Reader<'_>) -> Result<(Freshness, U7), DecodeError> {
    let byte = reader.u8()?;
    Ok((Freshness::of(byte), U7::low_bits(byte)))
}
