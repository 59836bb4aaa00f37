//! MIDI as a stream of bytes: multicast datagrams, and the flow between a member and its relay.

use core::convert::Infallible;
use core::net::SocketAddr;

use lockstep_relay::bridge::{Gateway, datagrams};
use lockstep_shared::midi::message::{Exclusive, Message, Parser, Passed};
use lockstep_shared::time::GridPosition;
use lockstep_shared::wire::midi::{Decoder, encode};
use lockstep_shared::wire::{FLOW_ENTRY_BYTES_MAX, FlowPart, Writer};

use crate::fuzz::input::Input;

/// Bytes of an entry before its MIDI.
const PLACE_BYTES: usize = 8;

/// A parser hears what a reading of the whole stream by status bytes finds, and passes over exactly the rest; what it
/// heard, sent again, comes back by every way that MIDI travels as a stream; senders do not disturb each other.
pub fn midi_stream(bytes: &[u8]) {
    let (heard, passed) = parsed(bytes);
    let read = Reading::of(bytes);
    assert_eq!(passed, read.passed);
    let (live, others): (Vec<_>, Vec<_>) = heard
        .iter()
        .cloned()
        .partition(|message| is_live(message.short().map_or(0, |short| short.as_slice()[0])));
    assert_eq!((live, others), (read.live, read.others));
    comes_back(&heard);
    senders(bytes);
    flow(bytes);
}

fn parsed(bytes: &[u8]) -> (Vec<Message>, Passed) {
    let mut parser = Parser::default();
    (bytes.iter().filter_map(|byte| parser.push(*byte)).collect(), parser.passed())
}

/// Whether a status stands anywhere, even inside of other messages.
fn is_live(status: u8) -> bool {
    status >= 0xF8
}

/// The whole stream at once: what stands between two status bytes belongs to the first of them.
#[derive(Default)]
struct Reading {
    live: Vec<Message>,
    others: Vec<Message>,
    passed: Passed,
}

impl Reading {
    fn of(bytes: &[u8]) -> Self {
        let mut reading = Self::default();
        let (live, rest): (Vec<u8>, Vec<u8>) = bytes.iter().partition(|byte| is_live(**byte));
        for status in live {
            match Message::from_short(&[status]) {
                Some(message) => reading.live.push(message),
                None => reading.passed.undefined += 1,
            }
        }
        let begin = rest.iter().position(|byte| *byte >= 0x80).unwrap_or(rest.len());
        reading.stray(begin);
        let mut rest = &rest[begin..];
        while let Some((status, after)) = rest.split_first() {
            let length = after.iter().position(|byte| *byte >= 0x80).unwrap_or(after.len());
            let (data, next) = after.split_at(length);
            reading.run(*status, data, next.first().copied());
            rest = next;
        }
        reading
    }

    /// A status and its data, up to the next one.
    fn run(&mut self, status: u8, data: &[u8], next: Option<u8>) {
        let needed = match status {
            0xF0 => return self.exclusive(data, next),
            0xF4 | 0xF5 => {
                self.passed.undefined += 1;
                return self.stray(data.len());
            }
            0xF7 => return self.stray(data.len()),
            0xF6 => 0,
            0xC0..=0xDF | 0xF1 | 0xF3 => 1,
            _ => 2,
        };
        if needed == 0 {
            self.others.extend(Message::from_short(&[status]));
            return self.stray(data.len());
        }
        let most = if status < 0xF0 { data.len() / needed } else { (data.len() / needed).min(1) };
        for message in data.chunks_exact(needed).take(most) {
            self.others.extend(Message::from_short(&[&[status], message].concat()));
        }
        let left = data.len() - most * needed;
        if most > 0 && status >= 0xF0 {
            self.stray(left);
        } else if left > 0 && next.is_some() {
            self.passed.truncated += 1;
        }
    }

    fn exclusive(&mut self, data: &[u8], next: Option<u8>) {
        if data.len() > Exclusive::MAX {
            self.passed.oversized += 1;
            return self.stray(data.len() - Exclusive::MAX - 1);
        }
        match next {
            Some(0xF7) => self.others.extend(Exclusive::new(data).map(Message::Exclusive)),
            Some(_) => self.passed.truncated += 1,
            None => {}
        }
    }

    fn stray(&mut self, count: usize) {
        self.passed.stray += u64::try_from(count).expect("few");
    }
}

/// Every message by a parser, a flow and a gateway.
fn comes_back(heard: &[Message]) {
    let mut bytes = Vec::new();
    heard.iter().for_each(|message| message.encode(&mut bytes));
    assert_eq!(parsed(&bytes), (heard.to_vec(), Passed::default()));
    let (mut decoder, mut gateway) = (Decoder::default(), Gateway::default());
    let (mut by_flow, mut by_group) = (Vec::new(), Vec::new());
    for (message, at) in heard.iter().zip(0..) {
        let at = GridPosition::from_raw(at);
        let Ok(()) = encode(at, message, |entry| {
            assert!(entry.len() <= FLOW_ENTRY_BYTES_MAX);
            decoder.decode(entry, |at, message| by_flow.push((at, message))).expect("an entry with a place");
            Ok::<_, Infallible>(())
        });
        datagrams(message, |datagram| {
            gateway.handle_datagram(sender(0), datagram, |message| by_group.push(message));
        });
    }
    assert_eq!(by_group, heard);
    assert!(by_flow.iter().map(|(at, _)| at.raw()).eq(0..i64::try_from(heard.len()).expect("few")));
    assert!(by_flow.iter().map(|(_, message)| message).eq(heard));
    assert_eq!(decoder.passed(), Passed::default());
}

fn sender(number: u16) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, 2], 21_928 + number))
}

/// The input as datagrams of four senders.
fn senders(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut gateway = Gateway::default();
    let mut alone: [Parser; 4] = Default::default();
    while !input.is_over() {
        let number = input.below(4);
        let datagram = input.bytes();
        let mut heard = Vec::new();
        let from = sender(u16::try_from(number).expect("one of four"));
        gateway.handle_datagram(from, datagram, |message| heard.push(message));
        let expected = datagram.iter().filter_map(|byte| alone[number].push(*byte));
        assert!(expected.eq(heard));
    }
}

/// The input as the entries of a flow: they encode to the bytes that they came from, up to the first with a length that
/// lies; their MIDI is one stream.
fn flow(bytes: &[u8]) {
    let part = FlowPart { first: 0, entries: bytes };
    let mut buffer = vec![0; bytes.len()];
    let mut out = Writer::new(&mut buffer);
    let (mut decoder, mut heard, mut stream) = (Decoder::default(), Vec::new(), Vec::new());
    for entry in part.entries() {
        FlowPart::encode_entry(entry, &mut out).expect("an entry needs the room that it came in");
        let decoded = decoder.decode(entry, |at, message| heard.push((at, message)));
        assert_eq!(decoded.is_ok(), entry.len() >= PLACE_BYTES);
        stream.extend_from_slice(entry.get(PLACE_BYTES..).unwrap_or_default());
    }
    assert_eq!(out.written(), &bytes[..out.length()]);
    let left = &bytes[out.length()..];
    if let Some(([low, high], rest)) = left.split_first_chunk() {
        assert!(usize::from(u16::from_le_bytes([*low, *high])) > rest.len(), "an entry was left");
    }
    let (expected, passed) = parsed(&stream);
    assert!(heard.iter().map(|(_, message)| message).eq(&expected));
    assert_eq!(decoder.passed(), passed);
}
