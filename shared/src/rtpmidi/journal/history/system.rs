//! When the system said what, and the chapters that follow from it.

use std::collections::VecDeque;

use crate::midi::message::{Channel, Exclusive, Message, U7};

use super::super::Chapter;
use super::super::state::{SystemState, TouchedSystem};
use super::super::wire::{
    ActiveSensing, ExclusiveLog, ExclusiveStatus, Exclusives, Freshness, Listing, Partial, Sequencing,
    Simple, SystemJournal, TimeCode,
};
use super::coverage::{Coverage, Stamp, Told};
use super::view::View;

/// When the system said what.
#[derive(Clone, Debug, Default)]
pub(super) struct SystemHistory {
    reset: Stamp,
    tune: Stamp,
    song: Stamp,
    sensing: Stamp,
    sequencer: Stamp,
    time_code: Stamp,
    exclusives: VecDeque<Said>,
}

/// An exclusive message.
#[derive(Clone, Debug)]
struct Said {
    stamp: Stamp,
    /// Nothing for one that is too long: its log tells only that it was.
    exclusive: Option<Exclusive>,
    /// How many there were with it, modulo 256.
    count: u8,
    coverage: Coverage,
    /// Whether the journal under way tells it.
    told: Told,
}

/// The longest exclusive message that the journal tells. A longer one is sent once.
const EXCLUSIVE_BYTES_MAX: usize = 512;
/// Exclusive messages that are kept for telling.
const EXCLUSIVES_MAX: usize = 16;
/// Packets after which an exclusive message has been told often enough when there is no room for all.
const EXCLUSIVE_PACKETS: u64 = 24;

impl Said {
    /// The size of its log.
    fn bytes(&self) -> usize {
        2 + self.exclusive.as_ref().map_or(0, |exclusive| exclusive.content().len())
    }
}

impl SystemHistory {
    pub(super) fn record(
        &mut self,
        message: &Message,
        touched: TouchedSystem,
        state: &SystemState,
        stamp: Stamp,
    ) {
        match touched {
            // What came before counts no more.
            TouchedSystem::Reset => *self = Self { reset: stamp, ..Self::default() },
            TouchedSystem::Tune => self.tune = stamp,
            TouchedSystem::Song => self.song = stamp,
            TouchedSystem::Sensing => self.sensing = stamp,
            TouchedSystem::Sequencer => self.sequencer = stamp,
            TouchedSystem::TimeCode => self.time_code = stamp,
            TouchedSystem::Exclusive => {
                let Message::Exclusive(exclusive) = message else { return };
                let told = exclusive.content().len() <= EXCLUSIVE_BYTES_MAX;
                if self.exclusives.len() == EXCLUSIVES_MAX {
                    self.exclusives.pop_front();
                }
                self.exclusives.push_back(Said {
                    stamp,
                    exclusive: told.then(|| exclusive.clone()),
                    count: state.exclusives,
                    coverage: Coverage::default(),
                    told: Told::Partly,
                });
            }
        }
    }

    /// The latest of what `chapter` tells.
    pub(super) fn latest(&self, chapter: Chapter) -> Stamp {
        match chapter {
            Chapter::Sequencer => self.sequencer,
            Chapter::TimeCode => self.time_code,
            Chapter::Simple => self.reset.max(self.tune).max(self.song),
            Chapter::ActiveSensing => self.sensing,
            Chapter::Exclusive => self.exclusives.back().map_or(Stamp::NEVER, |said| said.stamp),
            Chapter::Notes
            | Chapter::Controllers
            | Chapter::Wheel
            | Chapter::Program
            | Chapter::Pressure
            | Chapter::PolyPressure
            | Chapter::NoteExtras
            | Chapter::Parameters => Stamp::NEVER,
        }
    }

    /// What `view` asks for of each chapter; exclusive messages in `exclusive_bytes`, oldest first.
    pub(super) fn journal(
        &mut self,
        state: &SystemState,
        view: &View<'_>,
        exclusive_bytes: usize,
    ) -> Option<SystemJournal> {
        let asked = |chapter, stamp: Stamp| stamp.since(view.first(Channel::default(), chapter));
        let simple = |stamp: Stamp, value: u8| {
            asked(Chapter::Simple, stamp).then(|| (view.freshness(stamp), U7::low_bits(value)))
        };
        let sequencer = state.sequencer;
        let journal = SystemJournal {
            freshness: Freshness::Known,
            simple: asked(Chapter::Simple, self.latest(Chapter::Simple)).then(|| Simple {
                freshness: view.freshness(self.latest(Chapter::Simple)),
                reset: simple(self.reset, state.resets),
                tune: simple(self.tune, state.tunes),
                song: simple(self.song, state.song.unwrap_or_default().get()),
                ..Simple::default()
            }),
            active_sensing: asked(Chapter::ActiveSensing, self.sensing).then(|| ActiveSensing {
                freshness: view.freshness(self.sensing),
                count: U7::low_bits(state.sensings),
            }),
            sequencing: asked(Chapter::Sequencer, self.sequencer).then(|| Sequencing {
                freshness: view.freshness(self.sequencer),
                running: sequencer.running,
                played: sequencer.played,
                position: sequencer.position,
                time: None,
            }),
            time_code: asked(Chapter::TimeCode, self.time_code).then(|| TimeCode {
                freshness: view.freshness(self.time_code),
                complete: state.time_code.complete,
                direction: state.time_code.direction,
                partial: state
                    .time_code
                    .point()
                    .map(|point| Partial { point, quarters: state.time_code.quarters }),
            }),
            exclusives: self.exclusives_chapter(view, exclusive_bytes),
        };
        (journal != SystemJournal { freshness: Freshness::Known, ..SystemJournal::default() })
            .then_some(journal)
    }

    /// The chapter of exclusive messages under way is not sent.
    pub(super) fn withdraw_exclusives(&mut self) {
        for said in &mut self.exclusives {
            said.told = Told::Partly;
        }
    }

    pub(super) fn told(&mut self, sequence: u64, gap: u64) {
        for said in &mut self.exclusives {
            said.coverage.told(sequence, gap, said.told);
        }
    }

    /// Forgets the exclusive messages that the receiver has.
    pub(super) fn acknowledge(&mut self, highest: u64, latest: u64) {
        self.exclusives.retain(|said| {
            let with_it = said.stamp.packet() == Some(highest);
            let had = !said.stamp.since(highest) && said.coverage.holds(highest, latest);
            !(with_it || had)
        });
    }

    /// Forgets the exclusive messages from before `packet`.
    pub(super) fn raise(&mut self, packet: u64) {
        self.exclusives.retain(|said| said.stamp.since(packet));
    }

    /// The oldest first. When there is no room for all, those go that were told in many packets.
    fn exclusives_chapter(&mut self, view: &View<'_>, room: usize) -> Option<Exclusives> {
        let enough = view.sequence.saturating_sub(EXCLUSIVE_PACKETS);
        while self.exclusives.iter().map(Said::bytes).sum::<usize>() > room
            && self.exclusives.front().is_some_and(|oldest| !oldest.stamp.since(enough))
        {
            self.exclusives.pop_front();
        }
        let mut logs = Vec::new();
        let mut bytes = 0;
        for said in &mut self.exclusives {
            let content = said.exclusive.as_ref().map_or(&[][..], Exclusive::content);
            let needed = said.bytes();
            said.told = if bytes + needed <= room { Told::Whole } else { Told::Partly };
            if said.told == Told::Partly {
                continue;
            }
            bytes += needed;
            logs.push(ExclusiveLog {
                freshness: view.freshness(said.stamp),
                type_count: None,
                count: Some(said.count),
                first: None,
                data: (!content.is_empty()).then(|| content.to_vec()),
                listing: Listing::All,
                status: ExclusiveStatus::Finished,
            });
        }
        // The first log's S bit is coded as the chapter's (B.5.1).
        let news = logs.iter().any(|log| log.freshness == Freshness::News);
        logs.first_mut()?.freshness = if news { Freshness::News } else { Freshness::Known };
        Some(Exclusives { logs })
    }
}
