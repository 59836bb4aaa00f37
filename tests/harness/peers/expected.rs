//! What a dissector should show of a datagram of ours, field by field.
//!
//! Our own decoder says what is in it: that it reads what was written is its tests' affair. tshark's dissector (4.0) has
//! defects, which are told here and nowhere else:
//!
//! - It takes S of chapter Q for T. So it is given packets in which S says what T does ([`spared`]).
//! - It stops in chapter N where there are more strikes than octets left in the packet behind them, if there are
//!   releases; in chapter M after a pending number; in chapter X at FIRST. It is compared up to there
//!   ([`Expected::stops`]).
//! - It takes the value of a quarter frame from the octet after it. That field is left out.
//! - It shows the first key of chapters E and A as their length, and of chapter X nothing after the first message's
//!   last octet but one.

mod channel;
mod list;
mod system;

use core::fmt::Display;

use anyhow::{Context as _, Result, ensure};
use lockstep_shared::rtpmidi::control::{ClockStep, Control, Greeting, Ssrc};
use lockstep_shared::rtpmidi::journal::wire::{Encoding, Freshness, Journal, Side};
use lockstep_shared::rtpmidi::packet::Packet;

use super::dissection::Field;

/// The fields of a datagram.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// In the dissector's order.
    pub fields: Vec<Field>,
    /// Why the dissector shows no more than these, if it does not.
    pub stops: Option<&'static str>,
    /// Octets of the packet that are left.
    left: usize,
}

/// The datagram without what the dissector takes for something else.
///
/// # Errors
/// Our decoder does not read it, or our encoder does not write it again.
pub fn spared(datagram: &[u8]) -> Result<Vec<u8>> {
    if Control::is_control(datagram) {
        return Ok(datagram.to_vec());
    }
    let Some(journal) = Packet::decode(datagram)?.journal else { return Ok(datagram.to_vec()) };
    let mut told = decode(journal)?;
    let (head, _) = datagram.split_at(datagram.len() - journal.len());
    let mut again = head.to_vec();
    told.encode(&mut again);
    ensure!(again == datagram, "a journal that reads back as another: {journal:02x?}");
    if let Some(sequencing) = told.system.as_mut().and_then(|system| system.sequencing.as_mut()) {
        sequencing.freshness = if sequencing.time.is_some() { Freshness::Known } else { Freshness::News };
    }
    let mut spared = head.to_vec();
    told.encode(&mut spared);
    Ok(spared)
}

/// What a dissector should show of `datagram`.
///
/// # Errors
/// Our decoder does not read it.
pub fn expected(datagram: &[u8]) -> Result<Expected> {
    let mut expected = Expected { left: datagram.len(), ..Expected::default() };
    if Control::is_control(datagram) {
        expected.control(&Control::decode(datagram)?);
        return Ok(expected);
    }
    let packet = Packet::decode(datagram)?;
    let header = packet.header;
    let fixed = [("version", 2), ("padding", 0), ("ext", 0), ("cc", 0), ("marker", 0), ("p_type", 97)];
    fixed.iter().for_each(|(name, value)| expected.say(&format!("rtp.{name}"), value));
    expected.say("rtp.seq", header.sequence);
    expected.say("rtp.timestamp", header.timestamp.bits());
    expected.say("rtp.ssrc", header.ssrc);
    let journal = packet.journal.map(decode).transpose()?;
    let journal_bytes = packet.journal.map_or(0, <[u8]>::len);
    expected.list(&packet, &datagram[12..datagram.len() - journal_bytes])?;
    if let Some(journal) = journal {
        expected.left = journal_bytes;
        expected.journal(&journal);
    }
    Ok(expected)
}

fn decode(journal: &[u8]) -> Result<Journal> {
    let decoded = Journal::decode(journal)?;
    ensure!(decoded.fault.is_none(), "{:?} in {journal:02x?}", decoded.fault);
    Ok(decoded.journal)
}

impl Expected {
    /// A field, unless the dissector has stopped.
    fn say(&mut self, name: &str, value: impl Display) {
        if self.stops.is_none() {
            self.fields.push(Field::new(name, &value.to_string()));
        }
    }

    /// A field of `rtpmidi`.
    fn tell(&mut self, name: &str, value: impl Display) {
        self.say(&format!("rtpmidi.{name}"), value);
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        self.tell(name, u8::from(is_set));
    }

    fn flags(&mut self, prefix: &str, flags: &[(&str, bool)]) {
        for (name, is_set) in flags {
            self.flag(&format!("{prefix}{name}"), *is_set);
        }
    }

    /// The dissector shows nothing more.
    fn stop(&mut self, why: &'static str) {
        self.stops.get_or_insert(why);
    }

    /// So many octets have been read.
    fn pass(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(octets);
    }

    fn control(&mut self, control: &Control) {
        self.say("applemidi.signature", 0xFFFF);
        let command = |letters: &[u8; 2]| u16::from_be_bytes(*letters);
        match control {
            Control::Invite(greeting) => self.greeting(command(b"IN"), greeting),
            Control::Accept(greeting) => self.greeting(command(b"OK"), greeting),
            Control::Refuse(greeting) => self.greeting(command(b"NO"), greeting),
            Control::Goodbye { token, ssrc } => {
                self.greeting(command(b"BY"), &Greeting::nameless(*token, *ssrc));
            }
            Control::Clock { ssrc, step } => {
                let (count, instants) = match *step {
                    ClockStep::Ask(first) => (0, [first.count(), 0, 0]),
                    ClockStep::Answer(first, second) => (1, [first.count(), second.count(), 0]),
                    ClockStep::Finish(first, second, third) => {
                        (2, [first, second, third].map(|at| at.count()))
                    }
                };
                self.sender(command(b"CK"), *ssrc);
                self.say("applemidi.count", count);
                self.say("applemidi.padding", 0);
                for (number, instant) in (1..).zip(instants) {
                    self.say(&format!("applemidi.timestamp{number}"), instant);
                }
            }
            Control::Receipt { ssrc, receipt } => {
                self.sender(command(b"RS"), *ssrc);
                self.say(
                    "applemidi.sequence_number",
                    u32::from(receipt.upper) << 16 | u32::from(receipt.lower),
                );
                self.say("applemidi.rtp_sequence_number", receipt.upper);
            }
            Control::RateLimit { ssrc, bits_per_second } => {
                self.sender(command(b"RL"), *ssrc);
                self.say("applemidi.bitrate_limit", bits_per_second);
            }
        }
    }

    fn sender(&mut self, command: u16, ssrc: Ssrc) {
        self.say("applemidi.command", command);
        self.say("applemidi.sender_ssrc", ssrc.0);
    }

    fn greeting(&mut self, command: u16, greeting: &Greeting) {
        self.say("applemidi.command", command);
        self.say("applemidi.protocol_version", greeting.version);
        self.say("applemidi.initiator_token", greeting.token.0);
        self.say("applemidi.sender_ssrc", greeting.ssrc.0);
        if !greeting.name.is_empty() {
            self.say("applemidi.name", greeting.name.as_str());
        }
    }

    fn journal(&mut self, journal: &Journal) {
        self.flag("s_flag", known(journal.freshness));
        self.flag("y_flag", journal.system.is_some());
        self.flag("a_flag", !journal.channels.is_empty());
        self.flag("h_flag", journal.encoding == Encoding::Enhanced);
        self.tell("total_channels", journal.channels.len().saturating_sub(1));
        self.tell("check_Seq_num", journal.checkpoint);
        self.pass(3);
        if let Some(system) = &journal.system {
            self.system(system);
        }
        for channel in &journal.channels {
            self.channel(channel);
        }
    }
}

/// The S bit.
fn known(freshness: Freshness) -> bool {
    freshness == Freshness::Known
}

/// The X bit.
fn before(side: Side) -> bool {
    side == Side::Before
}

/// An octet of a flag and seven bits.
fn octet(flag: bool, value: u8) -> u8 {
    u8::from(flag) << 7 | value
}

/// How long a journal with nothing but this is, without its header.
fn length(journal: &Journal) -> usize {
    let mut bytes = Vec::new();
    journal.encode(&mut bytes);
    bytes.len() - 3
}

/// Octets as tshark shows them.
fn octets(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// One more than the last delta; the deltas must be whole.
fn since(now: u32, before: u32) -> Result<u32> {
    now.checked_sub(before).context("a list that goes back")
}
