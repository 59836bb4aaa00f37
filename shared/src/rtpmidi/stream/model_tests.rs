//! A sender and a receiver with a bad network between them, in virtual time: the receiver's state, and what was played,
//! equal the sender's state whenever the network lets a packet pass.

use std::collections::VecDeque;

use crate::midi::message::{Channel, Exclusive, Message, System, U7, U14, Voice};
use crate::midi::{Realtime, SongPosition};
use crate::rtpmidi::journal::Checkpoint;
use crate::rtpmidi::journal::state::{ChannelState, State};
use crate::rtpmidi::time::Timestamp;
use crate::time::{LocalTime, Span};

use super::*;

/// Numbers drawn from a seed (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.bits() % u64::from(end)).unwrap()
    }

    fn seven(&mut self) -> U7 {
        U7::low_bits(self.bits().to_le_bytes()[2])
    }

    fn happens(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < per_mille
    }
}

/// A player of everything, who ends what was begun.
struct Player {
    draw: Draw,
    sounding: VecDeque<(Channel, U7)>,
    quarter: u8,
}

impl Player {
    fn next(&mut self) -> Message {
        let channel = Channel::of_status(self.draw.bits().to_le_bytes()[1] & 0x03);
        let (first, second) = (self.draw.seven(), self.draw.seven());
        let voice = match self.draw.below(100) {
            0..30 if self.sounding.len() < 12 => {
                self.sounding.push_back((channel, first));
                Voice::NoteOn { note: first, velocity: U7::new(second.get().max(1)).unwrap() }
            }
            0..60 => return self.release().unwrap_or(Message::System(System::TuneRequest)),
            60..70 => Voice::Control { number: U7::low_bits(first.get() % 96), value: second },
            70..73 => Voice::Program(first),
            73..80 => Voice::Bend(U14::from_halves(first, second)),
            80..84 => Voice::Pressure(first),
            84..88 => Voice::PolyPressure { note: first, pressure: second },
            88..90 => Voice::Control { number: U7::low_bits(64), value: second },
            90 => Voice::Control { number: U7::low_bits(121), value: U7::ZERO },
            91 => return Message::System(System::SongSelect(first)),
            92 => return Message::System(System::Reset),
            93..96 => return Message::Realtime(self.transport(first)),
            96 => return Message::Exclusive(Exclusive::new(&[0x7D, first.get(), second.get()]).unwrap()),
            _ => {
                self.quarter = (self.quarter + 1) % 8;
                return Message::System(System::QuarterFrame(U7::low_bits(
                    self.quarter << 4 | first.get() & 0x01,
                )));
            }
        };
        Message::Voice(channel, voice)
    }

    fn transport(&mut self, at: U7) -> Realtime {
        match self.draw.below(4) {
            0 => Realtime::Start,
            1 => Realtime::Continue,
            2 => Realtime::SongPosition(SongPosition::new(u16::from(at.get()) * 9).unwrap()),
            _ => Realtime::Stop,
        }
    }

    fn release(&mut self) -> Option<Message> {
        let (channel, note) = self.sounding.pop_front()?;
        Some(Message::Voice(channel, Voice::NoteOff { note, velocity: self.draw.seven() }))
    }
}

/// Packets on their way.
struct Link {
    draw: Draw,
    on_way: Vec<(i64, Vec<u8>)>,
    burst: u32,
    lost: u64,
}

impl Link {
    /// One in ten is lost, one in a hundred begins a burst of five; each takes 10 to 18 ms; some come twice.
    fn send(&mut self, millis: i64, packet: &[u8]) {
        if self.burst == 0 && self.draw.happens(10) {
            self.burst = 5;
        }
        if self.burst > 0 || self.draw.happens(100) {
            self.burst = self.burst.saturating_sub(1);
            self.lost += 1;
            return;
        }
        for _ in 0..if self.draw.happens(20) { 2 } else { 1 } {
            self.on_way.push((millis + 10 + i64::from(self.draw.below(9)), packet.to_vec()));
        }
    }

    fn arrivals(&mut self, millis: i64) -> Vec<Vec<u8>> {
        let (come, wait) = core::mem::take(&mut self.on_way).into_iter().partition(|(at, _)| *at <= millis);
        self.on_way = wait;
        let come: Vec<(i64, Vec<u8>)> = come;
        come.into_iter().map(|(_, packet)| packet).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reports {
    Right,
    LowHalf,
    Absent,
    Zero,
}

struct World {
    millis: i64,
    sender: Sender,
    receiver: Receiver,
    link: Link,
    reports: Reports,
    said: State,
    heard: State,
    packets: u64,
}

impl World {
    fn new(seed: u64, reports: Reports, journal: Checkpoint) -> Self {
        let settings = SenderSettings { journal: Some(journal), ..SenderSettings::default() };
        Self {
            millis: 1_000,
            sender: Sender::new(settings, 7, 65_500),
            receiver: Receiver::new(ReceiverSettings::default()),
            link: Link { draw: Draw(seed), on_way: Vec::new(), burst: 0, lost: 0 },
            reports,
            said: State::default(),
            heard: State::default(),
            packets: 0,
        }
    }

    fn now(&self) -> LocalTime {
        LocalTime::ZERO + Span::from_millis(self.millis)
    }

    fn say(&mut self, message: &Message) {
        let ahead = if matches!(message, Message::Realtime(_)) { 200 } else { 0 };
        let now = self.now();
        self.sender.push(now, Timestamp::at(now).plus(ahead), message).unwrap();
        self.said.apply(message);
    }

    fn step(&mut self, passes: bool) {
        self.millis += 1;
        let now = self.now();
        let mut packet = Vec::new();
        while self.sender.poll_transmit(now, &mut packet) {
            assert!(packet.len() <= 1_200, "{}", packet.len());
            self.packets += 1;
            if passes {
                self.link.on_way.push((self.millis + 10, packet.clone()));
            } else {
                self.link.send(self.millis, &packet);
            }
        }
        for packet in self.link.arrivals(self.millis) {
            self.receiver.handle_packet(now, &packet, None).unwrap();
        }
        while let Some(played) = self.receiver.poll_event(now) {
            self.heard.apply(&played.message);
        }
        assert!(self.receiver.poll_timeout().is_none_or(|at| at >= now - Span::from_millis(1)));
        if let Some(number) = self.receiver.feedback(now) {
            match self.reports {
                Reports::Right => self.sender.handle_feedback(&[number, 0]),
                Reports::LowHalf => self.sender.handle_feedback(&[0, number]),
                Reports::Absent => return,
                Reports::Zero => self.sender.handle_feedback(&[0, 0]),
            };
        }
    }

    /// One packet passes, and everybody has the same.
    fn compare(&mut self) {
        let probe = Voice::Control { number: U7::low_bits(1), value: U7::ZERO };
        self.say(&Message::Voice(Channel::default(), probe));
        (0..120).for_each(|_| self.step(true));
        let when = format!("{:?} at {} ms", self.reports, self.millis);
        same(&settled(self.receiver.state()), &settled(&self.said), &when);
        same(&audible(&self.heard), &audible(&self.said), &format!("played: {when}"));
    }
}

/// With a controller at rest and one that was never moved told apart no more: when Reset All Controllers put it at rest,
/// the journal tells the reset alone.
fn settled(state: &State) -> State {
    let mut state = state.clone();
    state.system.exclusives = 0;
    for channel in state.channels.iter_mut() {
        channel.pedal_toggles = [0; 6];
        for (number, rest) in [(1, 0), (11, 127), (64, 0), (65, 0), (66, 0), (67, 0)] {
            let controller = &mut channel.controllers[number];
            *controller = controller.filter(|value| value.get() != rest);
        }
    }
    state
}

/// Without the counts of what a journal tells once however often it was lost.
fn audible(state: &State) -> State {
    let mut state = settled(state);
    for channel in state.channels.iter_mut() {
        channel.mode_counts = [0; 8];
    }
    let system = &mut state.system;
    (system.resets, system.tunes, system.sensings) = (0, 0, 0);
    state
}

/// Panics with what differs.
fn same(heard: &State, said: &State, when: &str) {
    if heard == said {
        return;
    }
    let mut differing = Vec::new();
    for (channel, (heard, said)) in Channel::all().zip(heard.channels.iter().zip(said.channels.iter())) {
        for place in 0..128 {
            let heard = (place, heard.notes[place], heard.controllers[place], heard.poly_pressures[place]);
            let said = (place, said.notes[place], said.controllers[place], said.poly_pressures[place]);
            if heard != said {
                differing.push(format!("channel {}: {heard:?}, not {said:?}", channel.index()));
            }
        }
        if (heard.program, heard.bend, heard.pressure, heard.mode_counts, heard.pedal_toggles)
            != (said.program, said.bend, said.pressure, said.mode_counts, said.pedal_toggles)
        {
            let beside = |state: &ChannelState| {
                format!(
                    "{:?} {:?} {:?} {:?} {:?}",
                    state.program, state.bend, state.pressure, state.mode_counts, state.pedal_toggles
                )
            };
            differing.push(format!("channel {}: {}, not {}", channel.index(), beside(heard), beside(said)));
        }
    }
    if heard.system != said.system {
        differing.push(format!("{:?}, not {:?}", heard.system, said.system));
    }
    panic!("{when}: {differing:#?}");
}

fn play(seed: u64, reports: Reports, journal: Checkpoint) {
    let mut world = World::new(seed, reports, journal);
    let mut player = Player { draw: Draw(seed ^ 1), sounding: VecDeque::new(), quarter: 0 };
    world.say(&Message::Realtime(Realtime::Start));
    let mut compared = 0;
    for step in 0..60_000 {
        if step % 20 == 0 {
            world.say(&Message::Realtime(Realtime::Clock));
        }
        if player.draw.happens(80) {
            for _ in 0..=player.draw.below(4) {
                let message = player.next();
                world.say(&message);
            }
        }
        world.step(false);
        if step % 1_000 == 999 {
            world.compare();
            compared += 1;
        }
    }
    while let Some(release) = player.release() {
        world.say(&release);
    }
    world.compare();
    let now = world.now();
    world.receiver.release(now);
    let counters = *world.receiver.counters();
    assert_eq!(counters.silenced, 0, "nothing hangs");
    assert!(world.link.lost > world.packets / 10 && counters.repaired() > 1_000, "{counters:?}");
    assert!(counters.duplicate > 50 && counters.late > 50 && counters.reordered > 10, "{counters:?}");
    assert_eq!((compared, counters.restarts, counters.broken_journals, counters.broken_lists), (60, 0, 0, 0));
    assert_eq!((counters.clamped, counters.unrepaired, counters.overflowed), (0, 0, 0));
    let acknowledged = world.sender.counters().acknowledged;
    assert_eq!(acknowledged > 30, matches!(reports, Reports::Right | Reports::LowHalf), "{acknowledged}");
}

#[test]
fn state_and_song_position_survive_loss_with_right_feedback() {
    play(1, Reports::Right, Checkpoint::ClosedLoop);
}

#[test]
fn state_and_song_position_survive_loss_with_feedback_in_the_wrong_half() {
    play(2, Reports::LowHalf, Checkpoint::ClosedLoop);
}

#[test]
fn state_and_song_position_survive_loss_without_feedback() {
    play(3, Reports::Absent, Checkpoint::ClosedLoop);
}

#[test]
fn state_and_song_position_survive_loss_with_feedback_of_zero() {
    play(4, Reports::Zero, Checkpoint::ClosedLoop);
}

#[test]
fn a_dump_of_sixty_kilobytes_passes_while_notes_are_played() {
    let mut world = World::new(5, Reports::Right, Checkpoint::ClosedLoop);
    let content: Vec<u8> = (0..60_000_u32).map(|n| (n % 127).to_le_bytes()[0]).collect();
    let dump = Message::Exclusive(Exclusive::new(&content).unwrap());
    world.say(&dump);
    let (mut dumps, mut slowest) = (0, 0);
    for step in 0..300_u32 {
        let note = U7::low_bits((step % 100).to_le_bytes()[0]);
        let now = world.now();
        world.say(&Message::Voice(Channel::default(), Voice::NoteOn { note, velocity: U7::MAX }));
        world.millis += 1;
        let mut packet = Vec::new();
        while world.sender.poll_transmit(world.now(), &mut packet) {
            world.receiver.handle_packet(world.now(), &packet, None).unwrap();
        }
        while let Some(played) = world.receiver.poll_event(world.now()) {
            dumps += u32::from(played.message == dump);
            if played.message == Message::Voice(Channel::default(), Voice::NoteOn { note, velocity: U7::MAX })
            {
                slowest = slowest.max((world.now() - now).nanos());
            }
        }
    }
    assert_eq!((dumps, world.receiver.counters().truncated), (1, 0));
    assert!(slowest <= 3_000_000, "{slowest}");
}
