//! MIDI by multicast, as QmidiNet and ipMIDI send it: the bytes of messages in UDP datagrams, nothing around them.
//!
//! There is no session, no sequence number and no time in it, so what is lost is lost; the room's own participants do
//! not suffer from that. Each sender's bytes are a stream of their own.

use std::collections::VecDeque;

use core::net::SocketAddr;

use lockstep_shared::midi::message::{Message, Parser};

/// Senders remembered; beyond, the one longest silent is forgotten, with what it had not finished.
const SENDERS_MAX: usize = 32;
/// Bytes of one datagram: longer exclusive messages go in several.
const DATAGRAM_BYTES: usize = 1_024;

/// The receiving side of the gateway.
#[derive(Debug, Default)]
pub struct Gateway {
    /// The one heard last is at the back.
    senders: VecDeque<(SocketAddr, Parser)>,
}

impl Gateway {
    /// Takes a datagram and calls `heard` with the messages that it completes.
    pub fn handle_datagram(&mut self, from: SocketAddr, bytes: &[u8], mut heard: impl FnMut(Message)) {
        let known = self.senders.iter().position(|(sender, _)| *sender == from);
        let known = known.and_then(|place| self.senders.remove(place));
        let (_, mut parser) = known.unwrap_or_else(|| (from, Parser::default()));
        for &byte in bytes {
            if let Some(message) = parser.push(byte) {
                heard(message);
            }
        }
        if self.senders.len() >= SENDERS_MAX {
            self.senders.pop_front();
        }
        self.senders.push_back((from, parser));
    }
}

/// Calls `send` with the datagrams that say `message`.
pub fn datagrams(message: &Message, mut send: impl FnMut(&[u8])) {
    let mut bytes = Vec::with_capacity(3);
    message.encode(&mut bytes);
    for piece in bytes.chunks(DATAGRAM_BYTES) {
        send(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_shared::midi::message::Exclusive;

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 168, 1, 2], port))
    }

    #[test]
    fn a_long_message_comes_back_from_its_datagrams_beside_another_sender() {
        let long = Exclusive::new(&[5; 3_000]).map(Message::Exclusive).expect("data bytes");
        let note = Message::from_short(&[0x90, 60, 1]).expect("a note");
        let mut gateway = Gateway::default();
        let mut heard = Vec::new();
        let mut pieces = 0;
        datagrams(&long, |piece| {
            pieces += 1;
            gateway.handle_datagram(from(1), piece, |message| heard.push(message));
            gateway.handle_datagram(from(2), &[0x90, 60, 1], |message| heard.push(message));
        });
        assert_eq!(pieces, 3);
        assert_eq!(heard, [note.clone(), note.clone(), long, note]);
    }

    #[test]
    fn senders_without_end_are_forgotten() {
        let mut gateway = Gateway::default();
        for port in 1..2_000 {
            gateway.handle_datagram(from(port), &[0xF0, 1, 2], |_| panic!("nothing is whole"));
        }
        assert_eq!(gateway.senders.len(), SENDERS_MAX);
    }
}
