//! Messages out of a stream of bytes.

use super::bytes::{data_bytes_of, single, with_one, with_two};
use super::{Exclusive, Message, U7};

/// Makes messages of bytes that may be split anywhere: running status, real-time bytes inside other messages, exclusive
/// messages up to [`Exclusive::MAX`].
#[derive(Clone, Debug, Default)]
pub struct Parser {
    status: Option<u8>,
    first: Option<U7>,
    exclusive: Option<Vec<u8>>,
    passed: Passed,
}

/// What a parser passed over: what it was given is not lost silently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Data bytes that belonged to nothing.
    pub stray: u64,
    /// Undefined status bytes: F4, F5, F9, FD.
    pub undefined: u64,
    /// Messages that another status cut short.
    pub truncated: u64,
    /// Exclusive messages longer than [`Exclusive::MAX`].
    pub oversized: u64,
}

impl Parser {
    /// Takes the next byte and gives the message that it completes.
    pub fn push(&mut self, byte: u8) -> Option<Message> {
        match byte {
            0x00..=0x7F => self.push_data(byte),
            0xF9 | 0xFD => {
                self.passed.undefined += 1;
                None
            }
            // Real-time bytes leave an unfinished message as it is.
            0xF8..=0xFF => single(byte),
            0xF7 => self.end_exclusive(),
            0x80..=0xF6 => self.begin(byte),
        }
    }

    /// What was passed over so far.
    #[must_use]
    pub const fn passed(&self) -> Passed {
        self.passed
    }

    fn begin(&mut self, status: u8) -> Option<Message> {
        if self.first.take().is_some() || self.exclusive.take().is_some() {
            self.passed.truncated += 1;
        }
        self.status = None;
        if status == 0xF0 {
            self.exclusive = Some(Vec::new());
            return None;
        }
        match data_bytes_of(status) {
            None => self.passed.undefined += 1,
            Some(0) => return single(status),
            Some(_) => self.status = Some(status),
        }
        None
    }

    fn push_data(&mut self, byte: u8) -> Option<Message> {
        if let Some(content) = &mut self.exclusive {
            if content.len() < Exclusive::MAX {
                content.push(byte);
            } else {
                self.exclusive = None;
                self.passed.oversized += 1;
            }
            return None;
        }
        let data = U7::low_bits(byte);
        let Some(status) = self.status else {
            self.passed.stray += 1;
            return None;
        };
        let message = match (data_bytes_of(status), self.first.take()) {
            (Some(1), _) => with_one(status, data),
            (_, Some(first)) => with_two(status, first, data),
            (_, None) => {
                self.first = Some(data);
                return None;
            }
        };
        // Running status is for channels alone.
        if status >= 0xF0 {
            self.status = None;
        }
        message
    }

    fn end_exclusive(&mut self) -> Option<Message> {
        self.status = None;
        if self.first.take().is_some() {
            self.passed.truncated += 1;
        }
        let content = self.exclusive.take()?;
        Exclusive::new(&content).map(Message::Exclusive)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Realtime;
    use super::super::{Channel, System, Voice};
    use super::*;

    fn parse(bytes: &[u8]) -> (Vec<Message>, Passed) {
        let mut parser = Parser::default();
        let messages = bytes.iter().filter_map(|byte| parser.push(*byte)).collect();
        (messages, parser.passed())
    }

    fn on(note: u8) -> Message {
        let (note, velocity) = (U7::low_bits(note), U7::low_bits(100));
        Message::Voice(Channel::of_status(1), Voice::NoteOn { note, velocity })
    }

    #[test]
    fn running_status_and_clocks_inside_a_message() {
        let (messages, passed) = parse(&[0x91, 60, 0xF8, 100, 62, 100, 0xFC, 64, 100]);
        let clock = [Realtime::Clock, Realtime::Stop].map(Message::Realtime);
        assert_eq!(messages, [clock[0].clone(), on(60), on(62), clock[1].clone(), on(64)]);
        assert_eq!(passed, Passed::default());
    }

    #[test]
    fn exclusive_messages_with_a_clock_inside() {
        let (messages, _) = parse(&[0xF0, 1, 2, 0xF8, 3, 0xF7, 0xF6]);
        let exclusive = Exclusive::new(&[1, 2, 3]).map(Message::Exclusive);
        assert_eq!(
            messages,
            [
                Message::Realtime(Realtime::Clock),
                exclusive.expect("data bytes"),
                Message::System(System::TuneRequest)
            ]
        );
    }

    #[test]
    fn what_belongs_to_nothing_is_counted() {
        let (messages, passed) = parse(&[5, 0xF4, 0x91, 60, 0xF1, 3, 7, 0xF0, 1, 0x91, 60, 100, 0xF9]);
        assert_eq!(messages, [Message::System(System::QuarterFrame(U7::low_bits(3))), on(60)]);
        assert_eq!(passed, Passed { stray: 2, undefined: 2, truncated: 2, oversized: 0 });
    }

    #[test]
    fn an_endless_exclusive_message_keeps_no_memory() {
        let mut parser = Parser::default();
        parser.push(0xF0);
        for _ in 0..3 * Exclusive::MAX {
            assert_eq!(parser.push(1), None);
        }
        assert_eq!(parser.push(0xF7), None);
        assert_eq!(parser.passed().oversized, 1);
    }
}
