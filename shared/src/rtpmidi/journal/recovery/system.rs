//! The system's chapters.

use crate::midi::message::{Exclusive, Message, System, U7};

use super::super::Chapter;
use super::super::state::{TimeCodeState, full_frame};
use super::super::wire::{
    Direction, ExclusiveLog, ExclusiveStatus, Exclusives, Frame, Simple, SystemJournal, TimeCode,
};
use super::player::Player;

impl Player<'_> {
    pub(super) fn repair_system(&mut self, journal: &SystemJournal) {
        if let Some(simple) = &journal.simple {
            self.repair_simple(simple);
        }
        if let Some(sensing) = journal.active_sensing
            && self.state.system.sensings != sensing.count.get()
        {
            self.play(Chapter::ActiveSensing, Message::System(System::ActiveSensing));
            self.state.system.sensings = sensing.count.get();
        }
        if let Some(sequencing) = &journal.sequencing {
            self.repair_sequencer(sequencing);
        }
        if let Some(time_code) = &journal.time_code {
            self.repair_time_code(time_code);
        }
        if let Some(exclusives) = &journal.exclusives {
            self.repair_exclusives(exclusives);
        }
    }

    fn repair_simple(&mut self, simple: &Simple) {
        if let Some((_, count)) = simple.reset
            && self.state.system.resets != count.get()
        {
            self.play(Chapter::Simple, Message::System(System::Reset));
            self.state.system.resets = count.get();
        }
        if let Some((_, count)) = simple.tune
            && self.state.system.tunes != count.get()
        {
            self.play(Chapter::Simple, Message::System(System::TuneRequest));
            self.state.system.tunes = count.get();
        }
        if let Some((_, song)) = simple.song
            && self.state.system.song != Some(song)
        {
            self.play(Chapter::Simple, Message::System(System::SongSelect(song)));
        }
    }

    fn repair_time_code(&mut self, time_code: &TimeCode) {
        let now = self.state.system.time_code;
        if let Some(frame) = time_code.complete
            && now.complete != Some(frame)
        {
            match frame {
                Frame::Full([a, b, c, d]) => {
                    if let Some(exclusive) = Exclusive::new(&[0x7F, 0x7F, 0x01, 0x01, a, b, c, d]) {
                        self.play(Chapter::TimeCode, Message::Exclusive(exclusive));
                    }
                }
                Frame::Quarters(quarters) => {
                    self.break_frame();
                    self.pieces(time_code.direction, 0, 8, quarters);
                }
            }
        }
        let now = self.state.system.time_code;
        let Some(partial) = time_code.partial else {
            self.break_frame();
            return;
        };
        let target = TimeCodeState {
            complete: now.complete,
            direction: time_code.direction,
            pieces: match time_code.direction {
                Direction::Forward => partial.point + 1,
                Direction::Reverse => 8 - partial.point,
            },
            quarters: partial.quarters,
        };
        if now == target {
            return;
        }
        let mut heard = places(target.direction).take(now.pieces.into());
        let goes_on = now.direction == target.direction
            && now.pieces <= target.pieces
            && heard.all(|place| now.quarters[place] == target.quarters[place]);
        if !goes_on {
            self.break_frame();
        }
        let from = if goes_on { now.pieces } else { 0 };
        self.pieces(target.direction, from.into(), target.pieces.into(), target.quarters);
    }

    /// A piece out of order, after which no frame is under way.
    fn break_frame(&mut self) {
        let now = self.state.system.time_code;
        if let Some(point) = now.point() {
            let place = if (2..=4).contains(&point) { 6 } else { 3 };
            self.quarter(place, now.quarters[usize::from(place)]);
        }
    }

    fn pieces(&mut self, direction: Direction, from: usize, to: usize, quarters: [u8; 8]) {
        for (place, piece) in places(direction).zip(pieces_of(direction)).take(to).skip(from) {
            self.quarter(piece, quarters[place]);
        }
    }

    fn quarter(&mut self, piece: u8, bits: u8) {
        let data = U7::low_bits(piece << 4 | bits & 0x0F);
        self.play(Chapter::TimeCode, Message::System(System::QuarterFrame(data)));
    }

    /// Each message that was not counted here yet, if the journal has all of it.
    fn repair_exclusives(&mut self, exclusives: &Exclusives) {
        for (place, log) in exclusives.logs.iter().enumerate() {
            let missed = match log.count {
                Some(count) => (1..=128).contains(&count.wrapping_sub(self.state.system.exclusives)),
                None => self.certainly_lost(exclusives.freshness_of(place)),
            };
            if !missed {
                continue;
            }
            if let Some(exclusive) = whole(log) {
                self.play(Chapter::Exclusive, Message::Exclusive(exclusive));
            }
            if let Some(count) = log.count {
                self.state.system.exclusives = count;
            }
        }
    }
}

/// The message of `log` if it is all there. Time code is chapter F's.
fn whole(log: &ExclusiveLog) -> Option<Exclusive> {
    match log.status {
        ExclusiveStatus::Unfinished | ExclusiveStatus::Cancelled => return None,
        ExclusiveStatus::WithoutEnd | ExclusiveStatus::Finished => {}
    }
    let data = log.data.as_ref().filter(|_| log.first.unwrap_or(0) == 0)?;
    Exclusive::new(data).filter(|exclusive| full_frame(exclusive).is_none())
}

/// The places of the pieces in the order in which they come.
fn places(direction: Direction) -> impl Iterator<Item = usize> {
    pieces_of(direction).map(usize::from)
}

fn pieces_of(direction: Direction) -> impl Iterator<Item = u8> {
    (0..8).map(move |piece| match direction {
        Direction::Forward => piece,
        Direction::Reverse => 7 - piece,
    })
}
