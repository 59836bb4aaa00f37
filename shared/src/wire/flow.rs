//! A run of entries of a flow.

use super::{DecodeError, Full, Reader, Writer};

/// The most bytes of an entry: longer things are sent in pieces.
pub const FLOW_ENTRY_BYTES_MAX: usize = 512;

/// Consecutive entries of a flow, as they lie in an element: each a length u16 and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowPart<'a> {
    /// The number of the first entry.
    pub first: u32,
    /// The entries. What is malformed ends them.
    pub entries: &'a [u8],
}

impl<'a> FlowPart<'a> {
    /// Appends one entry to the bytes of a part, whole or nothing of it.
    pub fn encode_entry(entry: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
        let before = out.length();
        let length = u16::try_from(entry.len()).map_err(|_| Full { needed: entry.len() })?;
        let written = out.u16(length).and_then(|()| out.bytes(entry));
        written.inspect_err(|_| out.truncate(before))
    }

    /// The entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let mut rest = Reader::new(self.entries);
        core::iter::from_fn(move || {
            let length = rest.u16().ok()?;
            rest.bytes(length.into()).ok()
        })
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        out.u32(self.first)?;
        let length = u16::try_from(self.entries.len()).map_err(|_| Full { needed: self.entries.len() })?;
        out.u16(length)?;
        out.bytes(self.entries)
    }

    pub(super) fn decode(bytes: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let first = bytes.u32()?;
        let length = bytes.u16()?;
        Ok(Self { first, entries: bytes.bytes(length.into())? })
    }
}
