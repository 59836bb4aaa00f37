//! Journals of our own, over a link that loses.

use lockstep_shared::midi::message::Message;
use lockstep_shared::rtpmidi::journal::state::State;
use lockstep_shared::rtpmidi::journal::wire::Journal;
use lockstep_shared::rtpmidi::journal::{Checkpoint, History, Loss, Recovery};
use lockstep_shared::time::Span;

use super::message;
use super::state::{assert_same, hangs, settled};
use crate::fuzz::input::Input;

/// Packets of one run.
const PACKETS_MAX: usize = 400;
/// A strike that was lost longer ago is not played any more.
const LOST_MAX: u64 = 30;
const LIMIT_BYTES: usize = 1_000;
/// The numbers come round within a run.
const FIRST: u64 = 2 * 65_536 - 20;

/// Whatever was lost before it, the state after a packet that came is the sender's; whatever was acknowledged of what
/// truly came. Journals keep to their limit and can be read.
pub fn midi_history(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let policy = match input.below(8) {
        0 => Checkpoint::Anchor,
        1 => Checkpoint::OpenLoop { packets: 64 },
        _ => Checkpoint::ClosedLoop,
    };
    let mut link = Link {
        history: History::new(policy),
        recovery: Recovery::default(),
        came: None,
        said: State::default(),
        packets: 0,
    };
    while !input.is_over() && link.packets < PACKETS_MAX {
        let way = input.u8();
        let messages: Vec<_> = (0..way & 3).map(|_| message(&mut input)).collect();
        if link.packet(way, &messages).is_none() {
            return;
        }
    }
}

struct Link {
    history: History,
    recovery: Recovery,
    /// The latest number that came.
    came: Option<u64>,
    said: State,
    packets: usize,
}

impl Link {
    /// Nothing if a journal had no room for all of it: then nobody promises anything.
    fn packet(&mut self, way: u8, messages: &[Message]) -> Option<()> {
        let sequence = FIRST + u64::try_from(self.packets).expect("few");
        self.packets += 1;
        let mut journal = Vec::new();
        let written = self.history.write(sequence, LIMIT_BYTES, &mut journal);
        assert_eq!(written.bytes, journal.len());
        assert!(journal.len() <= LIMIT_BYTES);
        if written.left_out > 0 {
            return None;
        }
        if !journal.is_empty() {
            assert_eq!(Journal::decode(&journal).map(|decoded| decoded.fault), Ok(None));
        }
        for message in messages {
            self.history.record(sequence, message);
            self.said.apply(message);
        }
        assert_eq!(self.history.state(), &self.said);
        let missing = self.came.map_or(sequence - FIRST, |came| sequence - came - 1);
        if way & 4 != 0 && missing < LOST_MAX {
            return Some(());
        }
        self.arrive(missing, &journal);
        for message in messages {
            self.recovery.note(message);
        }
        self.came = Some(sequence);
        assert!(!hangs(self.recovery.state(), &self.said));
        assert_same(&settled(self.recovery.state()), &settled(&self.said));
        if way & 8 != 0 {
            // The latest, or an earlier one that came or was made good too.
            let back = u64::from(way >> 4).min(sequence - FIRST);
            let [low, high, ..] = (sequence - back).to_le_bytes();
            self.history.acknowledge(u16::from_le_bytes([low, high]));
        }
        Some(())
    }

    fn arrive(&mut self, missing: u64, journal: &[u8]) {
        let loss = match missing {
            0 => return,
            1 => Loss::One,
            many => Loss::Many(u32::try_from(many).expect("few")),
        };
        if journal.is_empty() {
            return;
        }
        let mut repairs = Vec::new();
        let repaired = self.recovery.repair(loss, Span::ZERO, journal, &mut repairs);
        assert_eq!(repaired, Ok(()));
    }
}
