//! One session, as the relay keeps it.

use core::net::SocketAddr;

use super::limits::{CONFIRM_WITHIN, DOCUMENT_PARTS_BURST, PACKETS_BURST, PATH_ASK_EVERY};
use crate::session::channel::Channel;
use crate::session::flow::{Receiving, Sending};
use crate::session::limit::Bucket;
use crate::session::mailbox::{Incoming, Outgoing};
use crate::session::{Entropy, KEEP_PLACE, MemberKey, STALE_AFTER};
use crate::time::{GridPosition, LocalTime};
use crate::wire::{Element, LeaveReason, SEALED_HEADER_BYTES, Writer};

#[derive(Debug)]
pub(super) struct Session {
    pub(super) room: usize,
    pub(super) member_key: MemberKey,
    pub(super) index: u32,
    pub(super) address: SocketAddr,
    /// A new address that has yet to prove itself.
    pub(super) candidate: Option<Candidate>,
    pub(super) channel: Channel,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    pub(super) receiving: Receiving,
    pub(super) sending: Sending,
    pub(super) is_confirmed: bool,
    pub(super) is_stale: bool,
    pub(super) last_received: LocalTime,
    pub(super) clock_question: Option<ClockQuestion>,
    pub(super) bucket: Bucket,
    pub(super) documents: Bucket,
    pub(super) over_rate: u32,
    pub(super) goodbye: Option<(LeaveReason, u8)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) address: SocketAddr,
    pub(super) token: u64,
    pub(super) owes_ask: bool,
    pub(super) asked: LocalTime,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ClockQuestion {
    pub(super) sent: LocalTime,
    pub(super) relay_received: GridPosition,
    pub(super) reply_by: LocalTime,
}

/// A packet that a session is due.
pub(super) enum DuePacket {
    PathAsk(Candidate),
    Goodbye(LeaveReason, u8),
    Owed,
}

impl Session {
    /// A session that nobody has confirmed yet.
    pub(super) fn new(
        now: LocalTime,
        room: usize,
        member_key: MemberKey,
        index: u32,
        address: SocketAddr,
        channel: Channel,
    ) -> Self {
        Self {
            room,
            member_key,
            index,
            address,
            candidate: None,
            channel,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            receiving: Receiving::default(),
            sending: Sending::default(),
            is_confirmed: false,
            is_stale: false,
            last_received: now,
            clock_question: None,
            bucket: Bucket::full(now, PACKETS_BURST),
            documents: Bucket::full(now, DOCUMENT_PARTS_BURST),
            over_rate: 0,
            goodbye: None,
        }
    }

    /// Notes a new address. While it is unproven nothing but the short question goes there.
    pub(super) fn consider(&mut self, now: LocalTime, address: SocketAddr, entropy: &mut Entropy) {
        match &mut self.candidate {
            Some(candidate) if candidate.address == address => {
                candidate.owes_ask |= now - candidate.asked >= PATH_ASK_EVERY;
            }
            _ => {
                self.candidate = Some(Candidate { address, token: entropy.u64(), owes_ask: true, asked: now })
            }
        }
    }

    /// What it is due to be sent now.
    pub(super) fn due_packet(&self, now: LocalTime) -> Option<DuePacket> {
        if let Some((reason, left)) = self.goodbye {
            return Some(DuePacket::Goodbye(reason, left));
        }
        if let Some(candidate) = self.candidate.filter(|candidate| candidate.owes_ask) {
            return Some(DuePacket::PathAsk(candidate));
        }
        let owes = self.owes_acknowledgement()
            || self.outgoing.due() <= now
            || self.sending.due() <= now
            || self.clock_question.is_some_and(|question| question.reply_by <= now);
        (self.is_confirmed && !self.is_stale && owes).then_some(DuePacket::Owed)
    }

    /// When it may next have something to do.
    pub(super) fn due(&self) -> LocalTime {
        let owes_ask = self.candidate.is_some_and(|candidate| candidate.owes_ask);
        if self.goodbye.is_some() || owes_ask || self.owes_acknowledgement() {
            return LocalTime::ZERO;
        }
        let silence = if !self.is_confirmed {
            self.last_received + CONFIRM_WITHIN
        } else if self.is_stale {
            self.last_received + KEEP_PLACE
        } else {
            self.last_received + STALE_AFTER
        };
        let question = self.clock_question.map_or(LocalTime::NEVER, |question| question.reply_by);
        let outgoing =
            if self.is_stale { LocalTime::NEVER } else { self.outgoing.due().min(self.sending.due()) };
        silence.min(question).min(outgoing)
    }

    fn owes_acknowledgement(&self) -> bool {
        self.incoming.owes_acknowledgement() || self.receiving.owes_acknowledgement()
    }

    /// Seals one element, nothing else.
    pub(super) fn seal_bare(&mut self, out: &mut [u8], element: &Element<'_>) -> Option<usize> {
        let mut plain = Writer::new(out.get_mut(SEALED_HEADER_BYTES..)?);
        element.encode(&mut plain).ok()?;
        let length = plain.length();
        Some(self.channel.seal(out, length))
    }
}
