//! The journal's header, and those of the system's and the channels' journals.

use crate::midi::message::Channel;
use crate::wire::{DecodeError, Reader};

use super::super::{Chapter, JournalError};
use super::{
    ActiveSensing, Controllers, Exclusives, Freshness, NoteExtras, Notes, ParameterLogs, PolyPressures,
    Pressing, Program, Sequencing, Simple, TimeCode, Wheel, big_endian, present,
};

/// A whole journal (section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// S.
    pub freshness: Freshness,
    /// H: whether any channel's chapter C is enhanced.
    pub encoding: Encoding,
    /// The first packet that the journal covers.
    pub checkpoint: u16,
    /// Y.
    pub system: Option<SystemJournal>,
    /// A and TOTCHAN: at most 16, of different channels.
    pub channels: Vec<ChannelJournal>,
}

/// How chapter C is coded: the H bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// One command a controller.
    #[default]
    Plain,
    /// As many commands a controller as the sender likes.
    Enhanced,
}

/// What is not of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemJournal {
    /// S.
    pub freshness: Freshness,
    /// D.
    pub simple: Option<Simple>,
    /// V.
    pub active_sensing: Option<ActiveSensing>,
    /// Q.
    pub sequencing: Option<Sequencing>,
    /// F.
    pub time_code: Option<TimeCode>,
    /// X.
    pub exclusives: Option<Exclusives>,
}

/// What is of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelJournal {
    /// S.
    pub freshness: Freshness,
    /// CHAN.
    pub channel: Channel,
    /// H.
    pub encoding: Encoding,
    /// P.
    pub program: Option<Program>,
    /// C.
    pub controllers: Option<Controllers>,
    /// M.
    pub parameters: Option<ParameterLogs>,
    /// W.
    pub wheel: Option<Wheel>,
    /// N.
    pub notes: Option<Notes>,
    /// E.
    pub extras: Option<NoteExtras>,
    /// T.
    pub pressing: Option<Pressing>,
    /// A.
    pub poly_pressures: Option<PolyPressures>,
}

/// What could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Everything readable.
    pub journal: Journal,
    /// The first part that was not.
    pub fault: Option<JournalError>,
}

/// Bytes of the journal's header and of a channel's, which has a table of contents in its third.
pub(in super::super) const HEADER_BYTES: usize = 3;
/// Bytes of the system journal's header.
pub(in super::super) const SYSTEM_HEADER_BYTES: usize = 2;
/// What LENGTH can say.
pub(in super::super) const LENGTH_MAX: usize = 0x3FF;

const SYSTEM: u8 = 0x40;
const CHANNELS: u8 = 0x20;
const ENHANCED: u8 = 0x10;

impl Journal {
    /// Reads what of `bytes` can be read.
    ///
    /// # Errors
    /// [`JournalError::NoHeader`]: nothing can.
    pub fn decode(bytes: &[u8]) -> Result<Decoded, JournalError> {
        let mut reader = Reader::new(bytes);
        let Ok([header, high, low]) = reader.array() else {
            return Err(JournalError::NoHeader(bytes.len()));
        };
        let mut fault = None;
        let mut journal = Self {
            freshness: Freshness::of(header),
            encoding: Encoding::of(header & ENHANCED),
            checkpoint: u16::from_be_bytes([high, low]),
            system: None,
            channels: Vec::new(),
        };
        if let Err(error) = journal.decode_parts(header, &mut reader, &mut fault) {
            fault.get_or_insert(error);
        }
        Ok(Decoded { journal, fault })
    }

    /// Appends the bytes. The system journal and each channel's must be at most 1,023 bytes long.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        self.append(bytes);
    }

    /// Appends the bytes and says how long the longest of the system journal and the channels' is.
    pub(in super::super) fn append(&self, bytes: &mut Vec<u8>) -> usize {
        let mut longest = 0;
        let mut part = |bytes: &mut Vec<u8>, encode: &mut dyn FnMut(&mut Vec<u8>)| {
            let start = bytes.len();
            encode(bytes);
            longest = longest.max(bytes.len() - start);
        };
        let total = self.channels.len().min(Channel::COUNT);
        let count = u8::try_from(total.saturating_sub(1)).unwrap_or(15);
        let channels = if total == 0 { 0 } else { CHANNELS };
        bytes.push(
            self.freshness.bit()
                | present(self.system.as_ref(), SYSTEM)
                | channels
                | self.encoding.bit(ENHANCED)
                | count,
        );
        bytes.extend(self.checkpoint.to_be_bytes());
        if let Some(system) = &self.system {
            part(bytes, &mut |bytes| system.encode(bytes));
        }
        for channel in self.channels.iter().take(total) {
            part(bytes, &mut |bytes| channel.encode(bytes));
        }
        longest
    }

    fn decode_parts(
        &mut self,
        header: u8,
        reader: &mut Reader<'_>,
        fault: &mut Option<JournalError>,
    ) -> Result<(), JournalError> {
        if header & SYSTEM != 0 {
            self.system = Some(SystemJournal::decode(reader, fault)?);
        }
        if header & CHANNELS != 0 {
            let mut seen = 0_u16;
            for _ in 0..=header & 0x0F {
                let channel = ChannelJournal::decode(reader, fault)?;
                let bit = 1 << channel.channel.index();
                if seen & bit == 0 {
                    self.channels.push(channel);
                } else {
                    fault.get_or_insert(JournalError::Twice(channel.channel));
                }
                seen |= bit;
            }
        }
        match reader.rest().len() {
            0 => Ok(()),
            trailing => Err(JournalError::Trailing(trailing)),
        }
    }
}

impl Encoding {
    const fn of(bit: u8) -> Self {
        if bit == 0 { Self::Plain } else { Self::Enhanced }
    }

    const fn bit(self, mask: u8) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Enhanced => mask,
        }
    }
}

impl SystemJournal {
    fn decode(reader: &mut Reader<'_>, fault: &mut Option<JournalError>) -> Result<Self, JournalError> {
        let header = big_endian(reader).map_err(|_| JournalError::SystemLength(0))?;
        let length = header & 0x3FF;
        let error = JournalError::SystemLength(length);
        let body = usize::from(length).checked_sub(SYSTEM_HEADER_BYTES).ok_or(error)?;
        let mut body = Reader::new(reader.bytes(body).map_err(|_| error)?);
        let freshness = if header & 0x8000 == 0 { Freshness::News } else { Freshness::Known };
        let mut journal = Self { freshness, ..Self::default() };
        if let Err(error) = journal.decode_chapters(header, &mut body) {
            fault.get_or_insert(error);
        }
        Ok(journal)
    }

    fn decode_chapters(&mut self, header: u16, body: &mut Reader<'_>) -> Result<(), JournalError> {
        self.simple = chapter((header, 0x4000), Chapter::Simple, body, Simple::decode)?;
        self.active_sensing = chapter((header, 0x2000), Chapter::ActiveSensing, body, ActiveSensing::decode)?;
        self.sequencing = chapter((header, 0x1000), Chapter::Sequencer, body, Sequencing::decode)?;
        self.time_code = chapter((header, 0x0800), Chapter::TimeCode, body, TimeCode::decode)?;
        self.exclusives = chapter((header, 0x0400), Chapter::Exclusive, body, Exclusives::decode)?;
        Ok(())
    }

    /// Appends the bytes; what is longer than LENGTH can say must not come here.
    pub(in super::super) fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend([0; SYSTEM_HEADER_BYTES]);
        let mut contents = self.freshness.bit();
        if let Some(simple) = &self.simple {
            contents |= 0x40;
            simple.encode(bytes);
        }
        if let Some(active_sensing) = &self.active_sensing {
            contents |= 0x20;
            active_sensing.encode(bytes);
        }
        if let Some(sequencing) = &self.sequencing {
            contents |= 0x10;
            sequencing.encode(bytes);
        }
        if let Some(time_code) = &self.time_code {
            contents |= 0x08;
            time_code.encode(bytes);
        }
        if let Some(exclusives) = self.exclusives.as_ref().filter(|exclusives| !exclusives.logs.is_empty()) {
            contents |= 0x04;
            exclusives.encode(bytes);
        }
        let length = u16::try_from((bytes.len() - start).min(LENGTH_MAX)).unwrap_or(0);
        let header = u16::from(contents) << 8 | length;
        bytes[start..start + 2].copy_from_slice(&header.to_be_bytes());
    }
}

impl ChannelJournal {
    fn decode(reader: &mut Reader<'_>, fault: &mut Option<JournalError>) -> Result<Self, JournalError> {
        let [first, second, contents] = reader.array().map_err(|_| JournalError::ChannelLength(0))?;
        let length = u16::from(first & 0x03) << 8 | u16::from(second);
        let error = JournalError::ChannelLength(length);
        let body = usize::from(length).checked_sub(HEADER_BYTES).ok_or(error)?;
        let mut body = Reader::new(reader.bytes(body).map_err(|_| error)?);
        let mut journal = Self {
            freshness: Freshness::of(first),
            channel: Channel::of_status(first >> 3),
            encoding: Encoding::of(first & 0x04),
            ..Self::default()
        };
        if let Err(error) = journal.decode_chapters(contents, &mut body) {
            fault.get_or_insert(error);
        }
        Ok(journal)
    }

    fn decode_chapters(&mut self, contents: u8, body: &mut Reader<'_>) -> Result<(), JournalError> {
        let contents = u16::from(contents);
        self.program = chapter((contents, 0x80), Chapter::Program, body, Program::decode)?;
        self.controllers = chapter((contents, 0x40), Chapter::Controllers, body, Controllers::decode)?;
        self.parameters = chapter((contents, 0x20), Chapter::Parameters, body, ParameterLogs::decode)?;
        self.wheel = chapter((contents, 0x10), Chapter::Wheel, body, Wheel::decode)?;
        self.notes = chapter((contents, 0x08), Chapter::Notes, body, Notes::decode)?;
        self.extras = chapter((contents, 0x04), Chapter::NoteExtras, body, NoteExtras::decode)?;
        self.pressing = chapter((contents, 0x02), Chapter::Pressure, body, Pressing::decode)?;
        self.poly_pressures = chapter((contents, 0x01), Chapter::PolyPressure, body, PolyPressures::decode)?;
        Ok(())
    }

    /// Appends the bytes; what is longer than LENGTH can say must not come here.
    pub(in super::super) fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend([0; HEADER_BYTES]);
        let mut contents = 0;
        if let Some(program) = &self.program {
            contents |= 0x80;
            program.encode(bytes);
        }
        if let Some(controllers) = self.controllers.as_ref().filter(|chapter| !chapter.logs.is_empty()) {
            contents |= 0x40;
            controllers.encode(bytes);
        }
        if let Some(parameters) = &self.parameters {
            contents |= 0x20;
            parameters.encode(bytes);
        }
        if let Some(wheel) = &self.wheel {
            contents |= 0x10;
            wheel.encode(bytes);
        }
        if let Some(notes) = &self.notes {
            contents |= 0x08;
            notes.encode(bytes);
        }
        if let Some(extras) = self.extras.as_ref().filter(|chapter| !chapter.logs.is_empty()) {
            contents |= 0x04;
            extras.encode(bytes);
        }
        if let Some(pressing) = &self.pressing {
            contents |= 0x02;
            pressing.encode(bytes);
        }
        if let Some(poly) = self.poly_pressures.as_ref().filter(|chapter| !chapter.logs.is_empty()) {
            contents |= 0x01;
            poly.encode(bytes);
        }
        let [high, low] = u16::try_from((bytes.len() - start).min(LENGTH_MAX)).unwrap_or(0).to_be_bytes();
        let first = self.freshness.bit() | self.channel.index() << 3 | self.encoding.bit(0x04) | high;
        bytes[start..start + HEADER_BYTES].copy_from_slice(&[first, low, contents]);
    }
}

/// The chapter that `decode` reads if the table of contents has its bit.
fn chapter<'a, T>(
    (contents, bit): (u16, u16),
    chapter: Chapter,
    body: &mut Reader<'a>,
    decode: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, JournalError> {
    if contents & bit == 0 {
        return Ok(None);
    }
    decode(body).map(Some).map_err(|reason| JournalError::Unreadable { chapter, reason })
}
