//! Getting the journal under its limit.

use crate::midi::message::Channel;

use super::super::Chapter;
use super::super::wire::{
    ChannelJournal, HEADER_BYTES, Journal, LENGTH_MAX, SYSTEM_HEADER_BYTES, SystemJournal,
};
use super::coverage::{Stamp, Told};
use super::view::{UNITS, unit};
use super::{History, Written, seal};

/// Packets after which something has been told often enough when there is no room for all.
const FLOORS: [u64; 4] = [1_024, 256, 64, 24];

/// A chapter that wants into the journal.
struct Piece {
    channel: Channel,
    chapter: Chapter,
    bytes: usize,
    /// Whether the packet before told it.
    before: Told,
    latest: Stamp,
}

impl History {
    /// Appends the journal and notes what it tells.
    pub(super) fn fit(&mut self, sequence: u64, limit_bytes: usize, bytes: &mut Vec<u8>) -> Written {
        let start = bytes.len();
        // Half of what there is, and of what LENGTH can say.
        let exclusive_bytes = (limit_bytes / 2).min(LENGTH_MAX / 2 + 64);
        let (mut journal, mut partly) = self.draft(sequence, exclusive_bytes);
        let mut fits = append(&mut journal, limit_bytes, bytes);
        for floor in FLOORS {
            if fits {
                break;
            }
            self.raise(sequence.saturating_sub(floor));
            (journal, partly) = self.draft(sequence, exclusive_bytes);
            fits = append(&mut journal, limit_bytes, bytes);
        }
        if !fits {
            let left_out = self.choose(&mut journal, limit_bytes);
            partly.extend(left_out);
            fits = append(&mut journal, limit_bytes, bytes);
            debug_assert!(fits, "what was chosen fits");
        }
        self.note_told(sequence, &mut partly);
        Written {
            bytes: bytes.len() - start,
            left_out: u32::try_from(partly.len()).unwrap_or(u32::MAX),
            most_important: partly.iter().map(|(_, chapter)| *chapter).min(),
        }
    }

    /// Takes out of `journal` what has no room, and says what it was.
    fn choose(&self, journal: &mut Journal, limit_bytes: usize) -> Vec<(Channel, Chapter)> {
        let mut pieces = self.pieces(journal);
        pieces.sort_by_key(|piece| {
            let turn = u8::from(piece.before == Told::Whole);
            (piece.chapter.rank(), turn, core::cmp::Reverse(piece.latest))
        });
        let mut total = HEADER_BYTES;
        let mut lengths = [0; Channel::COUNT + 1];
        let mut left_out = Vec::new();
        for piece in pieces {
            let (place, header) = if piece.chapter.rank() < Chapter::OF_CHANNELS {
                (usize::from(piece.channel.index()), HEADER_BYTES)
            } else {
                (Channel::COUNT, SYSTEM_HEADER_BYTES)
            };
            let begun = if lengths[place] == 0 { header } else { 0 };
            let added = begun + piece.bytes;
            if total + added <= limit_bytes && lengths[place] + added <= LENGTH_MAX {
                total += added;
                lengths[place] += added;
            } else {
                take_out(journal, piece.channel, piece.chapter);
                left_out.push((piece.channel, piece.chapter));
            }
        }
        journal.channels.retain(|channel| lengths[usize::from(channel.channel.index())] > 0);
        journal.system = journal.system.take().filter(|_| lengths[Channel::COUNT] > 0);
        left_out
    }

    fn pieces(&self, journal: &Journal) -> Vec<Piece> {
        let before =
            |unit: usize| self.written.is_some_and(|written| self.coverage[unit].holds(written, written));
        let piece = |channel, chapter, bytes, latest| {
            let before = if before(unit(channel, chapter)) { Told::Whole } else { Told::Partly };
            (bytes > 0).then_some(Piece { channel, chapter, bytes, before, latest })
        };
        let mut pieces = Vec::new();
        for channel in &journal.channels {
            let history = &self.channels[usize::from(channel.channel.index())];
            for (chapter, bytes) in channel_pieces(channel) {
                pieces.extend(piece(channel.channel, chapter, bytes, history.latest[chapter.rank()]));
            }
        }
        for (chapter, bytes) in journal.system.iter().flat_map(system_pieces) {
            pieces.extend(piece(Channel::default(), chapter, bytes, self.system.latest(chapter)));
        }
        pieces
    }

    fn note_told(&mut self, sequence: u64, partly: &mut [(Channel, Chapter)]) {
        let gap = self.written.map_or(1, |written| sequence.saturating_sub(written));
        let mut told = [Told::Whole; UNITS];
        for (channel, chapter) in partly.iter() {
            told[unit(*channel, *chapter)] = Told::Partly;
        }
        for (coverage, told) in self.coverage.iter_mut().zip(told) {
            coverage.told(sequence, gap, told);
        }
        if told[unit(Channel::default(), Chapter::Exclusive)] == Told::Partly {
            self.system.withdraw_exclusives();
        }
        self.system.told(sequence, gap);
    }
}

/// Appends `journal` if it is within the limit and its parts within what LENGTH can say. Nothing to say is within.
fn append(journal: &mut Journal, limit_bytes: usize, bytes: &mut Vec<u8>) -> bool {
    if journal.system.is_none() && journal.channels.is_empty() {
        return true;
    }
    seal(journal);
    let start = bytes.len();
    let longest = journal.append(bytes);
    let fits = longest <= LENGTH_MAX && bytes.len() - start <= limit_bytes;
    if !fits {
        bytes.truncate(start);
    }
    fits
}

/// The size of each chapter of a channel.
fn channel_pieces(journal: &ChannelJournal) -> [(Chapter, usize); Chapter::OF_CHANNELS] {
    let alone = |chapter: Chapter| {
        let mut one = ChannelJournal::default();
        match chapter {
            Chapter::Notes => one.notes.clone_from(&journal.notes),
            Chapter::Controllers => one.controllers.clone_from(&journal.controllers),
            Chapter::Wheel => one.wheel = journal.wheel,
            Chapter::Program => one.program = journal.program,
            Chapter::Pressure => one.pressing = journal.pressing,
            Chapter::PolyPressure => one.poly_pressures.clone_from(&journal.poly_pressures),
            Chapter::NoteExtras => one.extras.clone_from(&journal.extras),
            Chapter::Parameters => one.parameters.clone_from(&journal.parameters),
            Chapter::Sequencer
            | Chapter::TimeCode
            | Chapter::Simple
            | Chapter::ActiveSensing
            | Chapter::Exclusive => {}
        }
        let mut bytes = Vec::new();
        one.encode(&mut bytes);
        (chapter, bytes.len() - HEADER_BYTES)
    };
    [
        alone(Chapter::Notes),
        alone(Chapter::Controllers),
        alone(Chapter::Wheel),
        alone(Chapter::Program),
        alone(Chapter::Pressure),
        alone(Chapter::PolyPressure),
        alone(Chapter::NoteExtras),
        alone(Chapter::Parameters),
    ]
}

/// The size of each chapter of the system.
fn system_pieces(journal: &SystemJournal) -> [(Chapter, usize); Chapter::OF_SYSTEM] {
    let size = |one: SystemJournal| {
        let mut bytes = Vec::new();
        one.encode(&mut bytes);
        bytes.len() - SYSTEM_HEADER_BYTES
    };
    let none = SystemJournal::default;
    [
        (Chapter::Sequencer, size(SystemJournal { sequencing: journal.sequencing, ..none() })),
        (Chapter::TimeCode, size(SystemJournal { time_code: journal.time_code, ..none() })),
        (Chapter::Simple, size(SystemJournal { simple: journal.simple.clone(), ..none() })),
        (Chapter::ActiveSensing, size(SystemJournal { active_sensing: journal.active_sensing, ..none() })),
        (Chapter::Exclusive, size(SystemJournal { exclusives: journal.exclusives.clone(), ..none() })),
    ]
}

fn take_out(journal: &mut Journal, channel: Channel, chapter: Chapter) {
    let mut nowhere = (ChannelJournal::default(), SystemJournal::default());
    let here = journal.channels.iter_mut().find(|journal| journal.channel == channel);
    let here = here.unwrap_or(&mut nowhere.0);
    let system = journal.system.as_mut().unwrap_or(&mut nowhere.1);
    match chapter {
        Chapter::Notes => here.notes = None,
        Chapter::Controllers => here.controllers = None,
        Chapter::Wheel => here.wheel = None,
        Chapter::Program => here.program = None,
        Chapter::Pressure => here.pressing = None,
        Chapter::PolyPressure => here.poly_pressures = None,
        Chapter::NoteExtras => here.extras = None,
        Chapter::Parameters => here.parameters = None,
        Chapter::Sequencer => system.sequencing = None,
        Chapter::TimeCode => system.time_code = None,
        Chapter::Simple => system.simple = None,
        Chapter::ActiveSensing => system.active_sensing = None,
        Chapter::Exclusive => system.exclusives = None,
    }
}
