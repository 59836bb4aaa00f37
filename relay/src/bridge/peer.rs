//! One RTP-MIDI participant: what goes to it, what comes from it, and its clock.

use lockstep_shared::midi::ClockOffset;
use lockstep_shared::midi::message::{Held, Message};
use lockstep_shared::rtpmidi::control::{Receipt, Ssrc};
use lockstep_shared::rtpmidi::stream::{Receiver, ReceiverSettings, Sender, SenderSettings};
use lockstep_shared::rtpmidi::time::Timestamp;
use lockstep_shared::session::Entropy;
use lockstep_shared::time::{LocalTime, Span};

use super::clock::ClockOut;

/// More than the longest playout delay.
const HANDED_AHEAD: Span = Span::from_millis(100);

/// See the module's page.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) presence: Presence,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) clock: ClockOut,
    /// What it has been told and would sound for ever if nobody ended it.
    told: Held,
    pub(super) acknowledged: Option<LocalTime>,
}

/// Whether a participant is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It waits for somebody to let it in.
    Asking,
    Here,
    /// It does not answer at the moment.
    Quiet,
    Away,
}

impl Peer {
    pub(super) fn new(
        name: String,
        address: String,
        offset: ClockOffset,
        ssrc: Ssrc,
        entropy: &mut Entropy,
    ) -> Self {
        Self {
            name,
            address,
            presence: Presence::Here,
            sender: new_sender(ssrc, entropy),
            receiver: new_receiver(),
            clock: ClockOut::new(offset),
            told: Held::default(),
            acknowledged: None,
        }
    }

    /// Begins both streams anew: the peer has. What it was told to hold is ended, for it may hold it since then.
    pub(super) fn renew(&mut self, now: LocalTime, ssrc: Ssrc, entropy: &mut Entropy) {
        self.sender = new_sender(ssrc, entropy);
        self.receiver = new_receiver();
        for message in self.told.release() {
            self.push(now, now, &message);
        }
        self.acknowledged = None;
    }

    /// Sends it a message that counts at `at`.
    pub(super) fn tell(&mut self, now: LocalTime, at: LocalTime, message: &Message) {
        self.told.note(message);
        self.push(now, at, message);
    }

    fn push(&mut self, now: LocalTime, at: LocalTime, message: &Message) {
        // A sender that keeps no more has counted it; eight thousand messages wait then.
        let _ = self.sender.push(now, Timestamp::nearest(at), message);
    }

    pub(super) fn take_receipt(&mut self, now: LocalTime, receipt: Receipt) {
        self.acknowledged = Some(now);
        let candidates: Vec<u16> = receipt.candidates().collect();
        self.sender.handle_feedback(&candidates);
    }
}

impl Presence {
    /// Whether it is told what passes. One that is quiet hears of it by the journal when it is back.
    pub(super) const fn is_told(self) -> bool {
        match self {
            Self::Here | Self::Quiet => true,
            Self::Asking | Self::Away => false,
        }
    }

    /// For people.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Here => "here",
            Self::Quiet => "quiet",
            Self::Away => "away",
        }
    }
}

fn new_sender(ssrc: Ssrc, entropy: &mut Entropy) -> Sender {
    let [low, high, ..] = entropy.u64().to_le_bytes();
    Sender::new(SenderSettings::default(), ssrc.0, u16::from_le_bytes([low, high]))
}

/// What comes is handed on at once, with the time at which it counts: whoever it goes to schedules it.
fn new_receiver() -> Receiver {
    Receiver::new(ReceiverSettings { ahead: HANDED_AHEAD, ..ReceiverSettings::default() })
}
