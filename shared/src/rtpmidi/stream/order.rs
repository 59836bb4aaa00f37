//! Packets back in the order of their numbers.
//!
//! A packet that comes before its turn waits for the ones before it, for a time that the receiver sets; then those count
//! as lost. Numbers have 16 bits and are extended by counting on.

use std::collections::BTreeMap;

use crate::rtpmidi::packet::Header;
use crate::rtpmidi::time::Timestamp;
use crate::time::LocalTime;

/// The order of one sender's packets.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// The number whose turn it is; none before the first packet.
    next: Option<u64>,
    waiting: BTreeMap<u64, Waiting>,
    waiting_bytes: usize,
    /// Of the last 128 numbers before `next`, a bit for each that came; the lowest bit is the latest.
    came: u128,
    newest: Timestamp,
    suspect: Option<Suspect>,
}

/// A packet that waits for those before it.
#[derive(Clone, Debug)]
struct Waiting {
    bytes: Vec<u8>,
    until: LocalTime,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is its turn: this is its number.
    Turn(u64),
    /// It comes too early, and waits if it is kept under this number.
    Early(u64),
    /// It came before.
    Duplicate,
    /// Its turn is over; others counted it as lost.
    Late(u64),
    /// It fits nowhere, and is the first to do so.
    Stray,
    /// The sender began to count anew.
    Restarted,
}

/// Packets that fit nowhere but follow each other.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    next: u16,
    count: u32,
}

/// A gap of more is no loss but another numbering: a minute at 50 packets a second (RFC 3550, A.1).
const AHEAD_MAX: i16 = 3_000;
/// What is further back is no straggler.
const BEHIND_MAX: i16 = 128;
/// Packets in a row that prove a restart, when their numbers are far off.
const SUSPECTS_FAR: u32 = 2;
/// And when they look like stragglers, but have newer stamps than all before them.
const SUSPECTS_NEAR: u32 = 4;
const WAITING_MAX: usize = 64;
const WAITING_BYTES_MAX: usize = 65_536;

impl Order {
    /// Judges a packet.
    pub(super) fn admit(&mut self, header: Header) -> Admission {
        let Some(next) = self.next else {
            let first = 1 << 16 | u64::from(header.sequence);
            self.next = Some(first);
            self.newest = header.timestamp;
            return Admission::Turn(first);
        };
        let [low, high, ..] = next.to_le_bytes();
        let ahead = header.sequence.wrapping_sub(u16::from_le_bytes([low, high])).cast_signed();
        let newer = header.timestamp.since(self.newest) > 0;
        if !(-BEHIND_MAX..=AHEAD_MAX).contains(&ahead) {
            // Far off and newer than everything: a restart, not a straggler.
            let needed = if newer { 1 } else { SUSPECTS_FAR };
            return self.suspect(header.sequence, needed, Admission::Stray);
        }
        let sequence = next.saturating_add_signed(ahead.into());
        if ahead < 0 {
            let back = u32::from(ahead.unsigned_abs()) - 1;
            let straggler =
                if self.came >> back & 1 == 1 { Admission::Duplicate } else { Admission::Late(sequence) };
            if newer {
                return self.suspect(header.sequence, SUSPECTS_NEAR, straggler);
            }
            return straggler;
        }
        self.suspect = None;
        if newer {
            self.newest = header.timestamp;
        }
        match ahead {
            0 => Admission::Turn(sequence),
            _ if self.waiting.contains_key(&sequence) => Admission::Duplicate,
            _ => Admission::Early(sequence),
        }
    }

    /// Keeps a packet that came too early, until those before it came or `until`.
    pub(super) fn wait(&mut self, sequence: u64, until: LocalTime, bytes: &[u8]) {
        self.waiting_bytes += bytes.len();
        self.waiting.insert(sequence, Waiting { bytes: bytes.to_vec(), until });
    }

    /// The packet `sequence` was played. Gives how many before it did not come.
    pub(super) fn advance(&mut self, sequence: u64) -> u32 {
        let lost = self.next.map_or(0, |next| sequence.saturating_sub(next));
        let lost = u32::try_from(lost).unwrap_or(u32::MAX);
        self.came = self.came.checked_shl(lost.saturating_add(1)).unwrap_or(0) | 1;
        self.next = Some(sequence + 1);
        lost
    }

    /// The next packet of those that waited, if it is its turn or if it must not wait longer at `now`.
    pub(super) fn due(&mut self, now: LocalTime) -> Option<(u64, Vec<u8>)> {
        let (first, _) = self.waiting.first_key_value()?;
        let crowded = self.waiting.len() > WAITING_MAX || self.waiting_bytes > WAITING_BYTES_MAX;
        let turn = Some(*first) == self.next;
        if !turn && !crowded && self.timeout().is_none_or(|until| until > now) {
            return None;
        }
        let (sequence, waiting) = self.waiting.pop_first()?;
        self.waiting_bytes -= waiting.bytes.len();
        Some((sequence, waiting.bytes))
    }

    /// When the first of those that wait must not wait longer.
    pub(super) fn timeout(&self) -> Option<LocalTime> {
        self.waiting.values().map(|waiting| waiting.until).min()
    }

    /// Forgets the packets that wait: should more come, these will be missing.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// How many packets wait, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_bytes)
    }

    fn suspect(&mut self, sequence: u16, needed: u32, otherwise: Admission) -> Admission {
        let count = match self.suspect {
            Some(suspect) if suspect.next == sequence => suspect.count + 1,
            Some(_) | None => 1,
        };
        if count >= needed {
            return Admission::Restarted;
        }
        self.suspect = Some(Suspect { next: sequence.wrapping_add(1), count });
        otherwise
    }
}
