//! MIDI from the network: what peers, hardware and strangers send to a relay.
//!
//! Reading order: [`control`] and [`packet`] are the two kinds of datagram of RTP-MIDI; [`session`] is a session among
//! peers that lie; [`receiver`] plays packets; [`journal`] is the recovery journal from bytes, [`repair`] what one of
//! anybody's does to a receiver, [`history`] those of ourselves; [`stream`] is bytes without packets; [`rules`] is the text that wires ports.

mod control;
mod history;
mod journal;
mod packet;
mod receiver;
mod repair;
mod rules;
mod session;
mod state;
mod stream;

pub use control::midi_control;
pub use history::midi_history;
pub use journal::midi_journal;
pub use packet::midi_packet;
pub use receiver::midi_receiver;
pub use repair::midi_repair;
pub use rules::midi_rules;
pub use session::midi_session;
pub use stream::midi_stream;

use lockstep_shared::midi::message::{Exclusive, Message, U7};

use super::input::Input;

/// A message of three bytes of the input, whatever they are.
fn message(input: &mut Input<'_>) -> Message {
    let status = input.u8() | 0x80;
    let [first, second] = [input.u8(), input.u8()].map(|byte| U7::low_bits(byte).get());
    let bytes = [status, first, second];
    let short = (1..=3).find_map(|length| Message::from_short(&bytes[..length]));
    short.unwrap_or_else(|| exclusive(&vec![second; usize::from(first)]))
}

/// An exclusive message of data bytes.
fn exclusive(content: &[u8]) -> Message {
    Message::Exclusive(Exclusive::new(content).expect("data bytes, and few"))
}
