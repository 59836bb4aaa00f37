//! F: MIDI time code.

use crate::wire::{DecodeError, Reader};

use super::Freshness;

/// F: MIDI time code (B.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeCode {
    /// S.
    pub freshness: Freshness,
    /// C and Q: the latest whole frame.
    pub complete: Option<Frame>,
    /// D: which way the tape runs.
    pub direction: Direction,
    /// P and POINT: the frame that is under way.
    pub partial: Option<Partial>,
}

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// Q = 1: the four bits of each of eight quarter frames, from piece 0.
    Quarters([u8; 8]),
    /// Q = 0: hours and rate, minutes, seconds, frames of a full-frame message.
    Full([u8; 4]),
}

/// Part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// POINT: the piece that came last, 0 to 7.
    pub point: u8,
    /// The four bits of each piece; those that have not come yet are 0.
    pub quarters: [u8; 8],
}

/// Which way the tape runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Pieces come from 0 to 7.
    #[default]
    Forward,
    /// Pieces come from 7 to 0.
    Reverse,
}

const COMPLETE: u8 = 0x40;
const PARTIAL: u8 = 0x20;
const QUARTERS: u8 = 0x10;
const REVERSE: u8 = 0x08;

impl TimeCode {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = reader.u8()?;
        let complete = if header & COMPLETE == 0 {
            None
        } else {
            let bytes = reader.array()?;
            Some(if header & QUARTERS == 0 { Frame::Full(bytes) } else { Frame::Quarters(nibbles(bytes)) })
        };
        let partial = if header & PARTIAL == 0 {
            None
        } else {
            Some(Partial { point: header & 0x07, quarters: nibbles(reader.array()?) })
        };
        let direction = if header & REVERSE == 0 { Direction::Forward } else { Direction::Reverse };
        Ok(Self { freshness: Freshness::of(header), complete, direction, partial })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let mut header = self.freshness.bit();
        header |= match self.complete {
            None => 0,
            Some(Frame::Full(_)) => COMPLETE,
            Some(Frame::Quarters(_)) => COMPLETE | QUARTERS,
        };
        let (reverse, nothing_yet) = match self.direction {
            Direction::Forward => (0, 7),
            Direction::Reverse => (REVERSE, 0),
        };
        header |= reverse;
        header |= self.partial.map_or(nothing_yet, |partial| PARTIAL | partial.point & 0x07);
        bytes.push(header);
        match self.complete {
            None => {}
            Some(Frame::Full(full)) => bytes.extend(full),
            Some(Frame::Quarters(quarters)) => bytes.extend(joined(quarters)),
        }
        if let Some(partial) = self.partial {
            bytes.extend(joined(partial.quarters));
        }
    }
}

fn nibbles(bytes: [u8; 4]) -> [u8; 8] {
    let [a, b, c, d] = bytes;
    [a >> 4, a & 15, b >> 4, b & 15, c >> 4, c & 15, d >> 4, d & 15]
}

fn joined(nibbles: [u8; 8]) -> [u8; 4] {
    let [a, b, c, d, e, f, g, h] = nibbles;
    [a << 4 | b & 15, c << 4 | d & 15, e << 4 | f & 15, g << 4 | h & 15]
}
