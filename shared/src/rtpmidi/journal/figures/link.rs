//! A link that loses, delays and doubles packets.

use super::super::draw::Draw;
use super::super::state::State;
use crate::midi::message::Message;

/// What crosses the link, and the sender's state after it.
#[derive(Clone)]
pub(super) struct Packet {
    pub(super) sequence: u64,
    pub(super) messages: Vec<Message>,
    pub(super) journal: Vec<u8>,
    pub(super) state: State,
}

/// Packets on their way, with the step at which they come.
#[derive(Default)]
pub(super) struct Arrivals {
    packets: Vec<(u64, Packet)>,
    /// How many more packets the burst under way loses.
    burst: u32,
}

/// What became of a packet.
pub(super) struct Sent {
    pub(super) lost: bool,
    pub(super) doubled: bool,
}

/// Ten in a hundred are lost alone, and every hundredth begins a burst of five.
const LOST_PER_MILLE: u32 = 100;
const BURST_PER_MILLE: u32 = 10;
const BURST_PACKETS: u32 = 5;
const DOUBLED_PER_MILLE: u32 = 20;
/// How often a packet takes one to four steps longer than others.
const SLOW_PER_MILLE: u32 = 30;
const DELAY: u64 = 2;

impl Arrivals {
    pub(super) fn send(&mut self, step: u64, packet: Packet, draw: &mut Draw) -> Sent {
        if self.burst == 0 && draw.happens(BURST_PER_MILLE) {
            self.burst = BURST_PACKETS;
        }
        let alone = draw.happens(LOST_PER_MILLE);
        if self.burst > 0 || alone {
            self.burst = self.burst.saturating_sub(1);
            return Sent { lost: true, doubled: false };
        }
        let slow = if draw.happens(SLOW_PER_MILLE) { u64::from(1 + draw.below(4)) } else { 0 };
        let doubled = draw.happens(DOUBLED_PER_MILLE);
        if doubled {
            self.packets.push((step + DELAY + u64::from(draw.below(3)), packet.clone()));
        }
        self.packets.push((step + DELAY + slow, packet));
        Sent { lost: false, doubled }
    }

    /// The next packet that has come by `step`.
    pub(super) fn next(&mut self, step: u64) -> Option<Packet> {
        let place = self.packets.iter().position(|(at, _)| *at <= step)?;
        Some(self.packets.remove(place).1)
    }
}
