use super::super::draw::Draw;
use super::super::wire::{
    ChannelJournal, ControllerLog, Controllers, Freshness, NoteLog, Notes, Rendering, Sequencing,
    SystemJournal, Tool,
};
use super::super::{Checkpoint, History};
use super::*;
use crate::midi::message::{Channel, U7};

const NEW: Span = Span::from_nanos(0);

fn short(bytes: &[u8]) -> Message {
    Message::from_short(bytes).expect("a whole message")
}

/// The bytes of the repairs.
fn repaired(recovery: &mut Recovery, loss: Loss, age: Span, journal: &[u8]) -> Vec<Vec<u8>> {
    let mut repairs = Vec::new();
    recovery.repair(loss, age, journal, &mut repairs).expect("a readable journal");
    repairs.iter().map(|repair| repair.message.short().expect("not exclusive").as_slice().to_vec()).collect()
}

/// What a receiver that heard `heard` plays when `lost` did not come.
fn missing(heard: &[&[u8]], lost: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut history = History::new(Checkpoint::ClosedLoop);
    let mut recovery = Recovery::default();
    for bytes in heard {
        history.record(1, &short(bytes));
        recovery.note(&short(bytes));
    }
    for bytes in lost {
        history.record(2, &short(bytes));
    }
    let mut journal = Vec::new();
    history.write(3, 1_000, &mut journal);
    let repairs = repaired(&mut recovery, Loss::One, NEW, &journal);
    assert_eq!(recovery.state(), history.state());
    assert_eq!(recovery.repaired().total(), u64::try_from(repairs.len()).expect("few"));
    // A journal may be applied again.
    assert_eq!(repaired(&mut recovery, Loss::Many(9), NEW, &journal), [[0_u8; 0]; 0]);
    repairs
}

#[test]
fn a_lost_release_is_played() {
    assert_eq!(missing(&[&[0x92, 60, 100]], &[&[0x82, 60, 20]]), [[0x82, 60, 20]]);
    assert_eq!(missing(&[&[0x92, 60, 100]], &[&[0x92, 60, 0]]), [[0x82, 60, 64]]);
}

#[test]
fn keys_are_repaired_as_often_as_they_are_down() {
    let on = [0x90, 60, 9];
    assert_eq!(missing(&[], &[&on, &on]), [on, on]);
    assert_eq!(missing(&[&on, &on], &[&[0x80, 60, 64]]), [[0x80, 60, 64]]);
    assert_eq!(missing(&[&on], &[&[0x80, 60, 64], &[0x90, 60, 8]]), [[0x80, 60, 64], [0x90, 60, 8]]);
    assert_eq!(missing(&[&on], &[&on, &[0x80, 60, 64]]), [[0x90, 60, 1], [0x80, 60, 64]]);
}

#[test]
fn a_pedal_that_let_go_lets_go() {
    let [up, down] = [[0xB0, 64, 0], [0xB0, 64, 127]];
    assert_eq!(missing(&[&down], &[&up, &down]), [up, down]);
    assert_eq!(missing(&[&down], &[&up]), [up]);
    assert_eq!(missing(&[&up], &[&down, &up]), [[0_u8; 0]; 0]);
}

#[test]
fn a_reset_is_played_before_what_came_after_it() {
    let repairs = missing(
        &[&[0xB0, 1, 5], &[0xE0, 0, 0], &[0x90, 60, 1]],
        &[&[0xB0, 7, 9], &[0xB0, 121, 0], &[0xB0, 1, 6], &[0xE0, 3, 4]],
    );
    assert_eq!(repairs, [[0xB0, 7, 9], [0xB0, 121, 0], [0xB0, 1, 6], [0xE0, 3, 4]]);
}

#[test]
fn a_parameter_is_chosen_entered_and_left() {
    let choose = [[0xB0, 101, 0], [0xB0, 100, 0]];
    let repairs =
        missing(&[], &[&choose[0], &choose[1], &[0xB0, 6, 12], &[0xB0, 101, 127], &[0xB0, 100, 127]]);
    assert_eq!(repairs, [choose[0], choose[1], [0xB0, 6, 12], [0xB0, 101, 127], [0xB0, 100, 127]]);
    let repairs =
        missing(&[&choose[0], &choose[1], &[0xB0, 6, 12]], &[&[0xB0, 38, 1], &[0xB0, 96, 0], &[0xB0, 99, 1]]);
    // The step is undone by nothing: only the half of another number is left.
    assert_eq!(repairs, [[0xB0, 38, 1], [0xB0, 96, 0], [0xB0, 101, 127], [0xB0, 100, 127], [0xB0, 99, 1]]);
}

#[test]
fn the_bank_that_a_program_came_from_is_not_the_bank_of_now() {
    let repairs = missing(&[&[0xB0, 0, 1]], &[&[0xB0, 0, 2], &[0xC0, 5], &[0xB0, 0, 3]]);
    assert_eq!(repairs, [&[0xB0, 0, 2][..], &[0xC0, 5], &[0xB0, 0, 3]]);
}

#[test]
fn the_sequencer_is_put_where_it_is() {
    let clock: &[u8] = &[0xF8];
    assert_eq!(missing(&[&[0xFA], clock], &[clock, clock]), [[0xF8], [0xF8]]);
    assert_eq!(missing(&[&[0xFA], clock], &[clock, &[0xFC]]), [[0xF8], [0xFC]]);
    assert_eq!(missing(&[], &[&[0xFA], clock]), [[0xFA], [0xF8]]);
    // To sixteenth 100, and 8 clocks on: sixteenth 101 and 2 clocks.
    let moved: Vec<&[u8]> = [&[0xFC][..], &[0xF2, 100, 0], &[0xFB]].into_iter().chain([clock; 8]).collect();
    let repairs = missing(&[&[0xFA], clock], &moved);
    assert_eq!(repairs, [&[0xFC][..], &[0xF2, 101, 0], &[0xFB], clock, clock]);
    assert_eq!(missing(&[&[0xF2, 9, 0]], &[&[0xF2, 3, 1]]), [[0xF2, 3, 1]]);
}

#[test]
fn positions_beyond_the_reach_of_song_position_are_counted_up_to() {
    let mut recovery = Recovery::default();
    let sequencing =
        Sequencing { freshness: Freshness::News, running: true, played: true, position: 400_000, time: None };
    let mut repair = |position| {
        let system = SystemJournal {
            sequencing: Some(Sequencing { position, ..sequencing }),
            ..SystemJournal::default()
        };
        let mut bytes = Vec::new();
        Journal { system: Some(system), ..Journal::default() }.encode(&mut bytes);
        repaired(&mut recovery, Loss::Many(3), NEW, &bytes).len()
    };
    // It runs, though nobody can say where.
    assert_eq!(repair(400_000), 1);
    // The next is 1,001: stop, sixteenth 166, continue, five clocks.
    assert_eq!(repair(1_000), 8);
}

#[test]
fn late_strikes_are_not_played_and_late_releases_are() {
    let log =
        |rendering| NoteLog { freshness: Freshness::News, note: U7::MIDDLE, rendering, velocity: U7::MAX };
    let journal = |rendering| {
        let notes = Notes { freshness: Freshness::News, logs: vec![log(rendering)], released: 1 << 60 };
        let mut bytes = Vec::new();
        let channels = vec![ChannelJournal { notes: Some(notes), ..ChannelJournal::default() }];
        Journal { channels, ..Journal::default() }.encode(&mut bytes);
        bytes
    };
    let played = |rendering, age| {
        let mut recovery = Recovery::default();
        recovery.note(&short(&[0x90, 60, 1]));
        repaired(&mut recovery, Loss::One, age, &journal(rendering)).len()
    };
    assert_eq!(played(Rendering::Play, NEW), 2);
    assert_eq!(played(Rendering::Play, Span::from_nanos(2_000_000_000)), 1);
    assert_eq!(played(Rendering::Skip, NEW), 1);
}

#[test]
fn overlapping_keys_of_a_sender_that_does_not_count_them_are_left() {
    // As macOS sends it: chapter N alone, though the key was struck twice.
    let journal = [0x20, 0, 1, 0x08, 0x07, 0x08, 0x01, 0xF1, 0x43, 0x64];
    let mut recovery = Recovery::default();
    recovery.note(&short(&[0x91, 67, 100]));
    recovery.note(&short(&[0x91, 67, 100]));
    assert_eq!(repaired(&mut recovery, Loss::One, NEW, &journal), [[0_u8; 0]; 0]);
}

#[test]
fn parameters_of_a_sender_without_chapter_m_are_plain_controllers() {
    let logs = [(101, 0), (100, 2), (6, 64)].map(|(number, value)| ControllerLog {
        freshness: Freshness::News,
        number: U7::low_bits(number),
        tool: Tool::Value(U7::low_bits(value)),
    });
    let controllers = Controllers { freshness: Freshness::News, logs: logs.to_vec() };
    let channels = vec![ChannelJournal { controllers: Some(controllers), ..ChannelJournal::default() }];
    let mut bytes = Vec::new();
    Journal { channels, ..Journal::default() }.encode(&mut bytes);
    let mut recovery = Recovery::default();
    assert_eq!(
        repaired(&mut recovery, Loss::One, NEW, &bytes),
        [[0xB0, 101, 0], [0xB0, 100, 2], [0xB0, 6, 64]]
    );
    assert_eq!(repaired(&mut recovery, Loss::Many(2), NEW, &bytes), [[0_u8; 0]; 0]);
}

#[test]
fn enhanced_encoding_replays_each_command_that_was_missed() {
    let log = |tool| ControllerLog { freshness: Freshness::News, number: U7::low_bits(16), tool };
    let steps = [65, 66, 1].map(|value| log(Tool::Value(U7::low_bits(value))));
    let logs = [log(Tool::Count(2)), steps[0], steps[1], steps[2]];
    let controllers = Controllers { freshness: Freshness::News, logs: logs.to_vec() };
    let channels = vec![ChannelJournal { controllers: Some(controllers), ..ChannelJournal::default() }];
    let mut bytes = Vec::new();
    Journal { channels, ..Journal::default() }.encode(&mut bytes);
    let mut recovery = Recovery::default();
    for value in [60, 65] {
        recovery.note(&short(&[0xB0, 16, value]));
    }
    assert_eq!(repaired(&mut recovery, Loss::Many(2), NEW, &bytes), [[0xB0, 16, 66], [0xB0, 16, 1]]);
}

#[test]
fn nothing_that_arrives_upsets_a_receiver() {
    let mut draw = Draw::new(4_696);
    let mut recovery = Recovery::default();
    let mut history = History::new(Checkpoint::ClosedLoop);
    let mut repairs = Vec::new();
    for round in 0..200_000_u64 {
        let kind = draw.of(&[0x80, 0x90, 0xA0, 0xB0, 0xE0]) | draw.byte() & 15;
        let mut bytes = Vec::new();
        if round.is_multiple_of(3) {
            bytes.extend((0..draw.below(60)).map(|_| draw.byte()));
        } else {
            history.write(round, 400, &mut bytes);
            history.record(round, &short(&[kind, draw.byte() & 127, draw.byte() & 127]));
            history
                .record(round, &short(draw.of(&[&[0xF8][..], &[0xFA], &[0xFC], &[0xF1, 5], &[0xF2, 9, 9]])));
            let [low, high, ..] = round.to_le_bytes();
            history.acknowledge(u16::from_le_bytes([low, high]));
        }
        for _ in 0..draw.below(5) {
            let place = draw.below(u32::try_from(bytes.len()).expect("short").max(1));
            if let Some(byte) = bytes.get_mut(usize::try_from(place).expect("short")) {
                *byte = draw.byte();
            }
        }
        repairs.clear();
        let loss = draw.of(&[Loss::One, Loss::Many(5)]);
        let _ = recovery.repair(loss, NEW, &bytes, &mut repairs);
        assert!(repairs.len() <= player::REPAIRS_MAX);
    }
    for channel in Channel::all() {
        let state = &recovery.state().channels[usize::from(channel.index())];
        assert!(state.parameters.len() <= super::super::state::PARAMETERS_MAX);
    }
}
