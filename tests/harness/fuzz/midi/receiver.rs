//! Packets, honest ones and others, at a receiver.

use std::collections::VecDeque;

use lockstep_shared::midi::message::{Channel, Held, Message, System, U7, Voice};
use lockstep_shared::rtpmidi::journal::state::State;
use lockstep_shared::rtpmidi::packet::{
    Beginning, End, HEADER_BYTES, Header, Journal, List, Segment, encode_header,
};
use lockstep_shared::rtpmidi::stream::{Delay, Receiver, ReceiverSettings, Sender, SenderSettings};
use lockstep_shared::rtpmidi::time::{ClockMap, Ticks, Timestamp};
use lockstep_shared::time::{LocalTime, Span};

use super::state::hangs;
use super::{exclusive, message};
use crate::fuzz::input::Input;

/// Things that happen in one run; an input that goes on is cut here.
const HAPPENINGS_MAX: usize = 200;
/// Packets of the sender that may still arrive, any of them and any number of times.
const ON_WAY_MAX: usize = 16;
const SSRC: u32 = 0xE448_A90A;
/// Longer than anything waits or is played ahead.
const LONG: Span = Span::from_millis(10_000);
/// Bytes of a list that fills a datagram.
const FLOOD_BYTES: usize = 1_400;
/// What floods of one run may cost: 60 packets of an exclusive message, or 12 of messages, which are seven hundred each.
const FLOOD_COST_MAX: u16 = 60;
const FLOOD_OF_MESSAGES_COST: u16 = 5;

/// An honest sender plays over a link that loses, doubles, delays and swaps, while somebody else sends packets of any
/// content in its name. What is played is in order on each channel, nothing waits beyond the documented bounds, timers
/// that are due have something to do, and a release ends whatever is held. As long as nobody lies, no key hangs.
pub fn midi_receiver(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut stage = Stage::new(input.u8());
    for _ in 0..HAPPENINGS_MAX {
        if input.is_over() {
            break;
        }
        stage.happen(&mut input);
        stage.check();
    }
    if !stage.lied && stage.sender.counters().chapters_left_out == 0 {
        stage.probe();
    }
    stage.release();
}

struct Stage {
    now: LocalTime,
    sender: Sender,
    said: State,
    receiver: Receiver,
    on_way: VecDeque<Vec<u8>>,
    clock: Option<ClockMap>,
    /// The number of the latest packet that somebody else sent.
    number: u16,
    lied: bool,
    flood_left: u16,
    handed: u64,
    played: u64,
    held: Held,
    /// When something was played last on each channel, and of the clock and the rest.
    last: [LocalTime; 18],
}

impl Stage {
    fn new(way: u8) -> Self {
        let ahead = Span::from_millis([0, 100][usize::from(way & 1)]);
        let delay = match way & 6 {
            0 => Delay::Fixed(Span::from_millis(5)),
            _ => Delay::Adaptive { least: Span::ZERO, most: Span::from_millis(50) },
        };
        Self {
            now: LocalTime::ZERO + Span::from_millis(1_000),
            sender: Sender::new(SenderSettings::default(), SSRC, 65_530),
            said: State::default(),
            receiver: Receiver::new(ReceiverSettings { delay, ahead, ..ReceiverSettings::default() }),
            on_way: VecDeque::new(),
            clock: None,
            number: 65_530,
            lied: false,
            flood_left: FLOOD_COST_MAX,
            handed: 0,
            played: 0,
            held: Held::default(),
            last: [LocalTime::ZERO; 18],
        }
    }

    fn happen(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0..=3 => {
                let message = message(input);
                self.say(&message, 0);
            }
            4 => {
                let (length, ahead) = (input.u16(), input.u8());
                let message = exclusive(&vec![ahead & 0x7F; usize::from(length) / 4]);
                self.say(&message, u32::from(ahead));
            }
            5 | 6 => self.leave(),
            7 | 8 => {
                let place = input.below(ON_WAY_MAX);
                if let Some(packet) = self.on_way.get(place).cloned() {
                    self.arrive(&packet);
                }
            }
            9 => {
                let place = input.below(ON_WAY_MAX);
                let (where_, how) = (input.u16(), input.u8());
                if let Some(mut packet) = self.on_way.get(place).cloned() {
                    let length = packet.len();
                    packet[usize::from(where_) % length] ^= how;
                    self.lied = true;
                    self.arrive(&packet);
                }
            }
            10 => self.lie(input),
            11 => self.flood(input),
            12 => self.pass(Span::from_micros(i64::from(input.u16()))),
            13 => self.pass(Span::from_millis(i64::from(input.u8()) * 8)),
            14 => self.clock = self.any_clock(input),
            _ => match input.below(4) {
                0 => self.release(),
                1 => self.lie_about_restart(input),
                _ => self.on_way.clear(),
            },
        }
    }

    fn say(&mut self, message: &Message, ahead_ticks: u32) {
        let stamp = Timestamp::at(self.now).plus(ahead_ticks);
        if self.sender.push(self.now, stamp, message).is_ok() {
            self.said.apply(message);
        }
    }

    /// What the sender has to send is on its way.
    fn leave(&mut self) {
        let mut packet = Vec::new();
        while self.sender.poll_transmit(self.now, &mut packet) {
            self.on_way.push_front(packet.clone());
        }
        self.on_way.truncate(ON_WAY_MAX);
    }

    fn arrive(&mut self, packet: &[u8]) {
        // What cannot be read has been counted.
        let _ = self.receiver.handle_packet(self.now, packet, self.clock);
        self.handed += 1;
        self.play();
    }

    /// A packet of anybody's, as the sender's next or one near it.
    fn lie(&mut self, input: &mut Input<'_>) {
        let header = self.any_header(input);
        let (flags, list) = (input.u8(), input.bytes());
        let mut packet = Vec::new();
        encode_header(header, &mut packet);
        let [high, low] = u16::try_from(list.len()).expect("a byte's worth").to_be_bytes();
        packet.extend([0x80 | flags & 0x60 | high, low]);
        packet.extend_from_slice(list);
        if flags & 0x40 != 0 {
            packet.extend_from_slice(input.bytes());
        }
        self.lied = true;
        self.arrive(&packet);
    }

    /// As many messages as fit into packets, or parts of an exclusive message without end.
    fn flood(&mut self, input: &mut Input<'_>) {
        let (header, kind) = (self.any_header(input), input.u8());
        let content = [kind & 0x7F; FLOOD_BYTES];
        let mut list = List::default();
        if kind & 0x80 == 0 {
            let clock = Message::from_short(&[0xF8]).expect("the clock");
            while list.push(0, &clock, FLOOD_BYTES).is_ok() {}
        } else {
            let beginning = if kind & 1 == 0 { Beginning::First } else { Beginning::Continued };
            let end = if kind & 2 == 0 { End::Continues } else { End::Last };
            let segment = Segment { beginning, content: &content, end };
            list.push_segment(0, segment, 2 * FLOOD_BYTES).expect("room");
        }
        self.lied = true;
        let cost = if kind & 0x80 == 0 { FLOOD_OF_MESSAGES_COST } else { 1 };
        let count = u16::from(input.u8()).min(self.flood_left / cost);
        self.flood_left -= count * cost;
        for number in 0..count {
            let mut packet = Vec::new();
            let sequence = header.sequence.wrapping_add(number);
            encode_header(Header { sequence, ..header }, &mut packet);
            list.encode(Journal::Absent, &mut packet);
            let _ = self.receiver.handle_packet(self.now, &packet, self.clock);
            self.handed += 1;
            self.check_bounds();
            self.number = sequence;
        }
        if kind & 4 == 0 {
            self.play();
        }
    }

    fn any_header(&mut self, input: &mut Input<'_>) -> Header {
        let ahead = input.u8();
        self.number = match ahead {
            0..=127 => self.number.wrapping_add(1),
            128..=191 => self.number.wrapping_add(u16::from(ahead - 128)),
            192..=250 => self.number.wrapping_sub(u16::from(ahead - 192)),
            _ => input.u16(),
        };
        let near = Timestamp::at(self.now);
        let timestamp = match input.u8() {
            255 => Timestamp::from_bits(input.u32()),
            ticks @ 128..=254 => near.plus(u32::from(ticks - 128).wrapping_neg()),
            ticks @ 0..=127 => near.plus(u32::from(ticks) * 32),
        };
        Header { sequence: self.number, timestamp, ssrc: SSRC }
    }

    fn any_clock(&self, input: &mut Input<'_>) -> Option<ClockMap> {
        let truth = Ticks::at(self.now).count();
        let (kind, skew) = (input.below(4), f64::from(input.u8()) * 1e-6);
        let ticks = match kind {
            0 => return None,
            1 => truth,
            2 => truth + u64::from(input.u16()),
            _ => input.i64().cast_unsigned(),
        };
        Some(ClockMap::new(Ticks::from_count(ticks), self.now, skew))
    }

    /// One packet that calls itself another sender's.
    fn lie_about_restart(&mut self, input: &mut Input<'_>) {
        let mut header = self.any_header(input);
        header.ssrc = u32::from(input.u8());
        let mut packet = Vec::new();
        encode_header(header, &mut packet);
        packet.extend_from_slice(input.bytes());
        assert!(packet.len() >= HEADER_BYTES);
        self.lied = true;
        self.arrive(&packet);
    }

    /// Lets time pass, timer by timer, and tells the sender what it may know.
    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while let Some(due) = self.receiver.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.play();
            self.feed_back();
            assert!(self.receiver.poll_timeout().is_none_or(|next| next > self.now), "a timer does nothing");
        }
        self.now = until;
        self.play();
        self.feed_back();
    }

    fn feed_back(&mut self) {
        if let Some(number) = self.receiver.feedback(self.now) {
            self.sender.handle_feedback(&[number, 0]);
        }
    }

    fn play(&mut self) {
        while let Some(played) = self.receiver.poll_event(self.now) {
            self.played += 1;
            self.held.note(&played.message);
            let lanes = match &played.message {
                Message::Voice(channel, _) => usize::from(channel.index())..usize::from(channel.index()) + 1,
                Message::Realtime(_) => 16..17,
                Message::System(System::Reset) => 0..18,
                Message::System(_) | Message::Exclusive(_) | _ => 17..18,
            };
            for last in &mut self.last[lanes] {
                assert!(*last <= played.at, "{played:?} is before {last:?}");
                *last = played.at;
            }
        }
    }

    fn check(&self) {
        self.check_bounds();
        let counters = self.receiver.counters();
        assert_eq!(counters.received + counters.malformed, self.handed);
        assert_eq!(counters.played, self.played);
        assert!(self.receiver.delay() <= LONG && self.receiver.jitter().p50 <= self.receiver.jitter().p99);
    }

    fn check_bounds(&self) {
        let backlog = self.receiver.backlog();
        assert!(backlog.packets <= 64 && backlog.packet_bytes <= 65_536, "{backlog:?}");
        assert!(backlog.open_bytes <= 65_536, "{backlog:?}");
        assert!(backlog.messages <= 32_768 && backlog.exclusive_bytes <= 524_288, "{backlog:?}");
    }

    /// The sender drops: nothing is held any more, and it stays so without another packet.
    fn release(&mut self) {
        self.receiver.release(self.now);
        self.pass(LONG);
        assert!(self.held.is_empty(), "something is still held");
        let backlog = self.receiver.backlog();
        assert_eq!((backlog.packets, backlog.open_bytes, backlog.messages), (0, 0, 0));
    }

    /// One more packet comes, by a link that loses nothing more: what the receiver believes to be down is.
    fn probe(&mut self) {
        self.pass(Span::from_millis(100));
        self.leave();
        self.on_way.clear();
        let number = U7::low_bits(7);
        self.say(&Message::Voice(Channel::default(), Voice::Control { number, value: U7::ZERO }), 0);
        self.pass(Span::from_millis(100));
        self.leave();
        while let Some(packet) = self.on_way.pop_back() {
            self.arrive(&packet);
        }
        self.pass(Span::from_millis(100));
        assert!(!hangs(self.receiver.state(), &self.said), "a key hangs");
    }
}
