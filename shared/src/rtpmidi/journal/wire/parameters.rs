//! M: registered and non-registered parameters.

use crate::midi::message::U7;
use crate::wire::{DecodeError, Reader};

use super::{Family, Freshness, Side, big_endian};

/// M: the parameter system (A.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterLogs {
    /// S.
    pub freshness: Freshness,
    /// P and E: how far the choice of a parameter has come.
    pub transaction: Transaction,
    /// Parameters that were chosen, oldest first. U, W and Z, which make the logs short, follow from them.
    pub logs: Vec<ParameterLog>,
}

/// How far the choice of a parameter has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transaction {
    /// Neither P nor E: none is chosen.
    #[default]
    Closed,
    /// P: only the high half of the number came.
    Pending(Family, U7),
    /// E: the last log's parameter is chosen.
    Open,
}

/// One parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParameterLog {
    /// S.
    pub freshness: Freshness,
    /// Q.
    pub family: Family,
    /// PNUM-MSB.
    pub msb: U7,
    /// PNUM-LSB.
    pub lsb: U7,
    /// T: whether the sender counts the parameter's transactions.
    pub counts: bool,
    /// V: whether the sender tells its value.
    pub values: bool,
    /// J: ENTRY-MSB, controller 6.
    pub entry_msb: Option<Entry>,
    /// K: ENTRY-LSB, controller 38.
    pub entry_lsb: Option<Entry>,
    /// L: A-BUTTON, what controllers 96 and 97 added since the latest entry.
    pub all_steps: Option<(Side, Button)>,
    /// M: C-BUTTON, the same without what came before the latest Reset All Controllers.
    pub steps_since_reset: Option<Button>,
    /// N: COUNT, how often the parameter was used, modulo 128.
    pub count: Option<Entry>,
}

/// A value and its X bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// X.
    pub side: Side,
    /// The value.
    pub value: U7,
}

/// A sum of increments and decrements, -16,383 to 16,383.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Button(i16);

const PENDING: u16 = 0x4000;
const OPEN: u16 = 0x2000;
const ALL_REGISTERED: u16 = 0x1000;
const ALL_NON_REGISTERED: u16 = 0x0800;
const MSB_ZERO: u16 = 0x0400;
const LENGTH: u16 = 0x03FF;

const ENTRY_MSB: u8 = 0x80;
const ENTRY_LSB: u8 = 0x40;
const ALL_STEPS: u8 = 0x20;
const STEPS_SINCE_RESET: u8 = 0x10;
const COUNT: u8 = 0x08;
const COUNTS: u8 = 0x04;
const VALUES: u8 = 0x02;

impl ParameterLogs {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = big_endian(reader)?;
        let length = header & LENGTH;
        let Some(rest) = length.checked_sub(2) else {
            return Err(DecodeError::Range { field: "length of chapter M", value: length.into() });
        };
        let mut rest = Reader::new(reader.bytes(rest.into())?);
        let pending = if header & PENDING == 0 {
            None
        } else {
            let byte = rest.u8()?;
            Some(Transaction::Pending(Family::of(byte), U7::low_bits(byte)))
        };
        let open = if header & OPEN == 0 { Transaction::Closed } else { Transaction::Open };
        let short = if header & MSB_ZERO == 0 {
            None
        } else if header & ALL_REGISTERED != 0 {
            Some(Family::Registered)
        } else {
            (header & ALL_NON_REGISTERED != 0).then_some(Family::NonRegistered)
        };
        let mut logs = Vec::new();
        while !rest.rest().is_empty() {
            logs.push(ParameterLog::decode(&mut rest, short)?);
        }
        let freshness = if header & 0x8000 == 0 { Freshness::News } else { Freshness::Known };
        Ok(Self { freshness, transaction: pending.unwrap_or(open), logs })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend([0, 0]);
        let mut header = u16::from(self.freshness.bit()) << 8;
        match self.transaction {
            Transaction::Closed => {}
            Transaction::Pending(family, msb) => {
                header |= PENDING;
                bytes.push(family.bit() | msb.get());
            }
            Transaction::Open => header |= OPEN,
        }
        let all = |family| self.logs.iter().all(|log| log.family == family);
        let families = if self.logs.is_empty() {
            0
        } else if all(Family::Registered) {
            ALL_REGISTERED
        } else if all(Family::NonRegistered) {
            ALL_NON_REGISTERED
        } else {
            0
        };
        let zero = !self.logs.is_empty() && self.logs.iter().all(|log| log.msb == U7::ZERO);
        header |= families | if zero { MSB_ZERO } else { 0 };
        let short = zero && families != 0;
        for log in &self.logs {
            log.encode(bytes, if short { Numbers::Short } else { Numbers::Long });
        }
        header |= u16::try_from(bytes.len() - start).unwrap_or(LENGTH) & LENGTH;
        bytes[start..start + 2].copy_from_slice(&header.to_be_bytes());
    }
}

/// Whether a log says its family and the high half of its number.
#[derive(Clone, Copy)]
enum Numbers {
    Short,
    Long,
}

impl ParameterLog {
    fn decode(reader: &mut Reader<'_>, short: Option<Family>) -> Result<Self, DecodeError> {
        let first = reader.u8()?;
        let (family, msb) = match short {
            Some(family) => (family, U7::ZERO),
            None => {
                let byte = reader.u8()?;
                (Family::of(byte), U7::low_bits(byte))
            }
        };
        let fields = reader.u8()?;
        let has = |mask: u8| fields & mask != 0;
        let entry = |reader: &mut Reader<'_>, mask| has(mask).then(|| Entry::decode(reader)).transpose();
        let entry_msb = entry(reader, ENTRY_MSB)?;
        let entry_lsb = entry(reader, ENTRY_LSB)?;
        let button = |reader: &mut Reader<'_>, mask| has(mask).then(|| big_endian(reader)).transpose();
        let all_steps = button(reader, ALL_STEPS)?.map(|bits| {
            let side = if bits & 0x4000 == 0 { Side::Since } else { Side::Before };
            (side, Button::of(bits))
        });
        let steps_since_reset = button(reader, STEPS_SINCE_RESET)?.map(Button::of);
        let count = entry(reader, COUNT)?;
        Ok(Self {
            freshness: Freshness::of(first),
            family,
            msb,
            lsb: U7::low_bits(first),
            counts: has(COUNTS),
            values: has(VALUES),
            entry_msb,
            entry_lsb,
            all_steps,
            steps_since_reset,
            count,
        })
    }

    fn encode(&self, bytes: &mut Vec<u8>, numbers: Numbers) {
        bytes.push(self.freshness.bit() | self.lsb.get());
        match numbers {
            Numbers::Short => {}
            Numbers::Long => bytes.push(self.family.bit() | self.msb.get()),
        }
        let fields = [
            (self.entry_msb.is_some(), ENTRY_MSB),
            (self.entry_lsb.is_some(), ENTRY_LSB),
            (self.all_steps.is_some(), ALL_STEPS),
            (self.steps_since_reset.is_some(), STEPS_SINCE_RESET),
            (self.count.is_some(), COUNT),
            (self.counts, COUNTS),
            (self.values, VALUES),
        ];
        bytes.push(fields.iter().fold(0, |byte, (here, mask)| byte | if *here { *mask } else { 0 }));
        bytes.extend([self.entry_msb, self.entry_lsb].iter().flatten().map(|entry| entry.byte()));
        if let Some((side, button)) = self.all_steps {
            bytes.extend((button.bits() | u16::from(side.bit()) << 7).to_be_bytes());
        }
        if let Some(button) = self.steps_since_reset {
            bytes.extend(button.bits().to_be_bytes());
        }
        bytes.extend(self.count.map(Entry::byte));
    }
}

impl Entry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let byte = reader.u8()?;
        Ok(Self { side: Side::of(byte), value: U7::low_bits(byte) })
    }

    const fn byte(self) -> u8 {
        self.side.bit() | self.value.get()
    }
}

impl Button {
    /// The most that can be said.
    pub const MAX: i16 = 0x3FFF;

    /// `steps`, or the nearest that can be said.
    #[must_use]
    pub fn new(steps: i16) -> Self {
        Self(steps.clamp(-Self::MAX, Self::MAX))
    }

    /// The sum.
    #[must_use]
    pub const fn steps(self) -> i16 {
        self.0
    }

    /// G is the sign, then a bit that is not ours, then the magnitude.
    const fn of(bits: u16) -> Self {
        let magnitude = (bits & 0x3FFF).cast_signed();
        Self(if bits & 0x8000 == 0 { magnitude } else { -magnitude })
    }

    const fn bits(self) -> u16 {
        let sign = if self.0 < 0 { 0x8000 } else { 0 };
        sign | self.0.unsigned_abs()
    }
}
