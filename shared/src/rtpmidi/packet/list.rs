//! Reading the list of commands (RFC 6295, section 3).

use thiserror::Error;

use crate::midi::message::Message;

/// The commands of a packet, in order. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Commands<'a> {
    rest: &'a [u8],
    /// Whether the next thing is a delta.
    next: Next,
    running: Option<u8>,
    elapsed_ticks: u32,
}

/// A command, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<'a> {
    /// Ticks since the packet's timestamp. Peers that say more than a minute mean nothing by it: no more is said here.
    pub after_ticks: u32,
    /// What happens.
    pub command: Command<'a>,
}

/// One command of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// A whole message that is not exclusive.
    Message(Message),
    /// An exclusive message, or a part of one.
    Segment(Segment<'a>),
    /// F4, F5, F9 or FD, which mean nothing. Its data is passed over.
    Undefined(u8),
}

/// A part of an exclusive message, or all of it: data between two status octets that say how it is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What comes before it.
    pub beginning: Beginning,
    /// Data octets only.
    pub content: &'a [u8],
    /// What comes after it.
    pub end: End,
}

/// The status octet before a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// F0: the message begins.
    First,
    /// F7: the segment before this one was sent.
    Continued,
}

/// The status octet after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// F7: the message is whole.
    Last,
    /// F5: the message is whole, but its source said so by beginning another one.
    LastUnsaid,
    /// F0: another segment follows.
    Continues,
    /// F4: the message is not to be completed.
    Cancelled,
}

/// Why the rest of a list cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ListError {
    /// A delta or a command ends with the list.
    #[error("the list ends inside a command")]
    Short,
    /// A fifth octet of a delta.
    #[error("a delta of more than four octets")]
    Delta,
    /// Data without a status before it.
    #[error("data {0:#04x} without a status")]
    NoStatus(u8),
    /// A status where data should be.
    #[error("status {status:#04x} inside of {inside:#04x}")]
    Status {
        /// What came.
        status: u8,
        /// Whose data it is not.
        inside: u8,
    },
}

/// What stands next in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Delta,
    Command,
}

/// A minute.
const ELAPSED_TICKS_MAX: u32 = 600_000;

impl<'a> Commands<'a> {
    /// Reads `list`, which begins with a delta only if the section's Z bit says so.
    pub(super) const fn new(list: &'a [u8], first_delta: bool) -> Self {
        let next = if first_delta { Next::Delta } else { Next::Command };
        Self { rest: list, next, running: None, elapsed_ticks: 0 }
    }

    /// Whether there are none left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn read(&mut self) -> Result<Option<Timed<'a>>, ListError> {
        if self.next == Next::Delta {
            let delta = self.delta()?;
            self.elapsed_ticks = self.elapsed_ticks.saturating_add(delta).min(ELAPSED_TICKS_MAX);
        }
        // A delta may stand at the end alone: it says when the next packet's list begins, at the earliest.
        let Some(status) = self.rest.first().copied() else { return Ok(None) };
        self.next = Next::Delta;
        let command = self.command(status)?;
        Ok(Some(Timed { after_ticks: self.elapsed_ticks, command }))
    }

    fn delta(&mut self) -> Result<u32, ListError> {
        let mut delta = 0;
        for _ in 0..4 {
            let octet = self.octet()?;
            delta = delta << 7 | u32::from(octet & 0x7F);
            if octet & 0x80 == 0 {
                return Ok(delta);
            }
        }
        Err(ListError::Delta)
    }

    fn command(&mut self, status: u8) -> Result<Command<'a>, ListError> {
        match status {
            0x00..=0x7F => {
                let running = self.running.ok_or(ListError::NoStatus(status))?;
                self.message(running)
            }
            0x80..=0xEF => {
                self.running = Some(status);
                self.rest = &self.rest[1..];
                self.message(status)
            }
            // Real-time octets leave the running status as it is, everything else of the system ends it.
            0xF8..=0xFF => {
                self.rest = &self.rest[1..];
                Ok(Message::from_short(&[status]).map_or(Command::Undefined(status), Command::Message))
            }
            0xF0..=0xF7 => {
                self.running = None;
                self.rest = &self.rest[1..];
                match status {
                    0xF0 => self.segment(Beginning::First, status),
                    0xF7 => self.segment(Beginning::Continued, status),
                    0xF4 | 0xF5 => Ok(self.undefined(status)),
                    _ => self.message(status),
                }
            }
        }
    }

    /// A message with the status `status`, whose data comes next.
    fn message(&mut self, status: u8) -> Result<Command<'a>, ListError> {
        let count = match status {
            0xF6 => 0,
            0xC0..=0xDF | 0xF1 | 0xF3 => 1,
            _ => 2,
        };
        let mut bytes = [status, 0, 0];
        for place in &mut bytes[1..=count] {
            let octet = self.octet()?;
            if octet >= 0x80 {
                return Err(ListError::Status { status: octet, inside: status });
            }
            *place = octet;
        }
        Message::from_short(&bytes[..=count]).map(Command::Message).ok_or(ListError::Short)
    }

    fn segment(&mut self, beginning: Beginning, status: u8) -> Result<Command<'a>, ListError> {
        let length = self.rest.iter().position(|octet| *octet >= 0x80).ok_or(ListError::Short)?;
        let (content, rest) = self.rest.split_at(length);
        let end = match rest[0] {
            0xF0 => End::Continues,
            0xF4 => End::Cancelled,
            0xF5 => End::LastUnsaid,
            0xF7 => End::Last,
            other => return Err(ListError::Status { status: other, inside: status }),
        };
        self.rest = &rest[1..];
        Ok(Command::Segment(Segment { beginning, content, end }))
    }

    /// Passes over the data of an undefined command, to the F7 that ends it or to the next status. In the second case
    /// the delta before that status cannot be told from data, and is passed over too.
    fn undefined(&mut self, status: u8) -> Command<'a> {
        let length = self.rest.iter().position(|octet| *octet >= 0x80).unwrap_or(self.rest.len());
        self.rest = &self.rest[length..];
        match self.rest.split_first() {
            Some((0xF7, rest)) => self.rest = rest,
            // Without data this is a delta of several octets.
            Some(_) if length == 0 => {}
            Some(_) | None => self.next = Next::Command,
        }
        Command::Undefined(status)
    }

    fn octet(&mut self) -> Result<u8, ListError> {
        let (octet, rest) = self.rest.split_first().ok_or(ListError::Short)?;
        self.rest = rest;
        Ok(*octet)
    }
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<Timed<'a>, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        read.transpose()
    }
}
