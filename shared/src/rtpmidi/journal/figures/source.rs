//! A player of everything that MIDI has: keys, dense controllers, parameters on several channels at once, programs,
//! wheels, pressures, a clock that starts, stops and is moved, time code, exclusive messages, resets.

use std::collections::VecDeque;

use super::super::draw::Draw;
use crate::midi::Realtime;
use crate::midi::message::{Channel, Exclusive, Message, System, U7, U14, Voice};

pub(super) struct Source {
    draw: Draw,
    /// Strikes that await their release.
    held: VecDeque<(Channel, U7)>,
    /// What is being said message by message on several channels.
    sequences: Vec<VecDeque<Message>>,
    running: bool,
    quarter: u8,
    exclusives: u64,
}

const HELD_MAX: usize = 24;
const SEQUENCES_MAX: usize = 4;
/// The manufacturer of our exclusive messages: none.
const NOBODY: u8 = 0x7D;

impl Source {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            draw: Draw::new(seed),
            held: VecDeque::new(),
            sequences: Vec::new(),
            running: false,
            quarter: 0,
            exclusives: 0,
        }
    }

    /// How many exclusive messages were said that a journal can tell.
    pub(super) const fn exclusives(&self) -> u64 {
        self.exclusives
    }

    pub(super) fn next(&mut self) -> Message {
        match self.draw.below(1_000) {
            0..300 => self.key(),
            300..500 => self.controller(),
            500..680 => self.sequence(),
            680..800 => self.realtime(),
            800..880 => self.voice_of_channel(),
            880..940 => self.quarter_frame(),
            940..960 => self.mode(),
            960..975 => self.exclusive(),
            _ => self.system(),
        }
    }

    /// Releases what is held.
    pub(super) fn end(&mut self) -> Vec<Message> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|(channel, note)| release(channel, note, U7::MIDDLE)).collect()
    }

    fn channel(&mut self) -> Channel {
        // Some are busier than others.
        let index = if self.draw.happens(800) { self.draw.below(3) } else { self.draw.below(16) };
        Channel::of_status(index.to_le_bytes()[0])
    }

    fn septet(&mut self) -> U7 {
        U7::low_bits(self.draw.byte())
    }

    fn key(&mut self) -> Message {
        if self.held.len() >= HELD_MAX || (!self.held.is_empty() && self.draw.happens(480)) {
            let place =
                usize::try_from(self.draw.below(u32::try_from(self.held.len()).unwrap_or(1))).unwrap_or(0);
            if let Some((channel, note)) = self.held.remove(place) {
                let velocity = self.septet();
                return match self.draw.below(3) {
                    0 => Message::Voice(channel, Voice::NoteOn { note, velocity: U7::ZERO }),
                    1 => release(channel, note, velocity),
                    _ => release(channel, note, U7::MIDDLE),
                };
            }
        }
        let channel = self.channel();
        // Few keys, so that they overlap.
        let note = U7::low_bits(60 + self.draw.below(12).to_le_bytes()[0]);
        let velocity = U7::low_bits(self.draw.byte() | 1);
        self.held.push_back((channel, note));
        Message::Voice(channel, Voice::NoteOn { note, velocity })
    }

    fn controller(&mut self) -> Message {
        let channel = self.channel();
        let number = self
            .draw
            .of(&[0, 1, 1, 1, 7, 10, 11, 11, 32, 33, 38, 6, 43, 64, 64, 64, 66, 69, 71, 74, 91, 119]);
        control(channel, number, self.septet())
    }

    /// The next message of one of several that are under way.
    fn sequence(&mut self) -> Message {
        if self.sequences.len() < SEQUENCES_MAX {
            let sequence = self.any_sequence();
            self.sequences.push(sequence);
        }
        let place =
            usize::try_from(self.draw.below(u32::try_from(self.sequences.len()).unwrap_or(1))).unwrap_or(0);
        let next = self.sequences[place].pop_front();
        if self.sequences[place].is_empty() {
            self.sequences.remove(place);
        }
        next.unwrap_or(Message::System(System::ActiveSensing))
    }

    fn any_sequence(&mut self) -> VecDeque<Message> {
        let channel = self.channel();
        let value = self.septet();
        let (high, low) = self.draw.of(&[(101, 100), (99, 98)]);
        let (msb, lsb) = (self.draw.of(&[0, 0, 0, 3, 127]), self.draw.of(&[0, 1, 2, 5, 127]));
        let choose = [(high, U7::low_bits(msb)), (low, U7::low_bits(lsb))];
        let none = [(high, U7::MAX), (low, U7::MAX)];
        let steps = self.draw.below(4);
        let step = self.draw.of(&[96, 96, 97]);
        let bank = [(0, value), (32, U7::low_bits(lsb))];
        let mut said: Vec<(u8, U7)> = Vec::new();
        match self.draw.below(8) {
            0 => said.extend(choose.into_iter().chain([(6, value)]).chain(none)),
            1 => said.extend(choose.into_iter().chain([(6, value), (38, value)])),
            2 => said.extend(choose.into_iter().rev().chain([(38, value)])),
            3 => said.extend(choose.into_iter().chain((0..steps).map(|_| (step, U7::ZERO)))),
            4 => said.extend([(6, value), (step, U7::ZERO), (38, value)]),
            5 => said.extend([choose[usize::from(msb > 0)]]),
            _ => {
                said.extend(bank.into_iter().take(usize::from(lsb.min(2))));
                let said = said.into_iter().map(|(number, value)| control(channel, number, value));
                return said.chain([Message::Voice(channel, Voice::Program(value))]).collect();
            }
        }
        said.into_iter().map(|(number, value)| control(channel, number, value)).collect()
    }

    fn realtime(&mut self) -> Message {
        let event = match self.draw.below(400) {
            0 if !self.running => Realtime::Start,
            1 if !self.running => Realtime::Continue,
            2 | 3 if self.running => Realtime::Stop,
            4 if !self.running => {
                let bits = u16::from_le_bytes([self.draw.byte(), self.draw.byte()]);
                let far = U14::new(bits & 0x3FFF).unwrap_or_default();
                let near = U14::new(bits & 7).unwrap_or_default();
                Realtime::SongPosition(self.draw.of(&[far, near]).into())
            }
            5 => Realtime::Start,
            _ => Realtime::Clock,
        };
        match event {
            Realtime::Start | Realtime::Continue => self.running = true,
            Realtime::Stop => self.running = false,
            Realtime::Clock | Realtime::SongPosition(_) => {}
        }
        Message::Realtime(event)
    }

    fn voice_of_channel(&mut self) -> Message {
        let channel = self.channel();
        let voice = match self.draw.below(3) {
            0 => Voice::Bend(U14::from_halves(self.septet(), self.septet())),
            1 => Voice::Pressure(self.septet()),
            _ => Voice::PolyPressure {
                note: U7::low_bits(60 + (self.draw.byte() & 7)),
                pressure: self.septet(),
            },
        };
        Message::Voice(channel, voice)
    }

    fn quarter_frame(&mut self) -> Message {
        let turned = self.draw.happens(20);
        // Now and then the tape is moved.
        self.quarter = if turned { self.draw.byte() & 7 } else { (self.quarter + 1) & 7 };
        Message::System(System::QuarterFrame(U7::low_bits(self.quarter << 4 | self.draw.byte() & 15)))
    }

    fn mode(&mut self) -> Message {
        let channel = self.channel();
        let number = self.draw.of(&[120, 121, 121, 121, 122, 123, 123, 123, 124, 125, 126, 127]);
        let value = if number == 126 || number == 122 { self.septet() } else { U7::ZERO };
        if number == 120 || number >= 123 {
            self.held.retain(|(held, _)| *held != channel);
        }
        control(channel, number, value)
    }

    fn exclusive(&mut self) -> Message {
        if self.draw.happens(100) {
            let frame = [0x7F, 0x7F, 1, 1, self.draw.byte() & 0x1F, self.draw.byte() & 0x3F, 30, 12];
            return Message::Exclusive(Exclusive::new(&frame).expect("data bytes"));
        }
        let mut content = vec![NOBODY];
        content.extend((0..4).map(|place| u8::try_from(self.exclusives >> (7 * place) & 0x7F).unwrap_or(0)));
        let padding = usize::try_from(self.draw.below(40)).unwrap_or(0);
        content.extend(std::iter::repeat_n(0x55, padding));
        self.exclusives += 1;
        Message::Exclusive(Exclusive::new(&content).expect("data bytes"))
    }

    fn system(&mut self) -> Message {
        let system = match self.draw.below(500) {
            0 => {
                self.held.clear();
                self.running = false;
                System::Reset
            }
            1..100 => System::TuneRequest,
            100..250 => System::SongSelect(self.septet()),
            _ => System::ActiveSensing,
        };
        Message::System(system)
    }
}

/// Which of the source's exclusive messages this is.
pub(super) fn mark(exclusive: &Exclusive) -> Option<u64> {
    match exclusive.content() {
        [NOBODY, a, b, c, d, ..] => {
            Some([*a, *b, *c, *d].iter().rev().fold(0, |mark, septet| mark << 7 | u64::from(*septet)))
        }
        _ => None,
    }
}

fn release(channel: Channel, note: U7, velocity: U7) -> Message {
    Message::Voice(channel, Voice::NoteOff { note, velocity })
}

fn control(channel: Channel, number: u8, value: U7) -> Message {
    Message::Voice(channel, Voice::Control { number: U7::low_bits(number), value })
}
