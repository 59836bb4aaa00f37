use thiserror::Error;

use crate::codec::lossless::LosslessError;

/// Why bytes are not what this version of the wire says. Counted where they arrive, never a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("ends {missing} bytes early")]
    Short {
        /// Bytes that the field still needed.
        missing: usize,
    },
    /// No such kind of packet or element.
    #[error("unknown kind {0:#04x}")]
    Kind(u8),
    /// A field holds a value outside its range.
    #[error("{field} out of range: {value}")]
    Range {
        /// The field's name.
        field: &'static str,
        /// What it held.
        value: u64,
    },
    /// A name is not UTF-8.
    #[error("a name is not UTF-8")]
    Text,
    /// Samples are no code of a lossless chunk.
    #[error(transparent)]
    Lossless(#[from] LosslessError),
    /// Bytes follow where the packet should end.
    #[error("{0} bytes too many")]
    Trailing(usize),
}

/// The buffer has no room for the field; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no room for {needed} more bytes")]
pub struct Full {
    /// Bytes that did not fit.
    pub needed: usize,
}
