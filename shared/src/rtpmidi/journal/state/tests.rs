use super::*;
use crate::midi::message::{U7, U14};

fn state(messages: &[[u8; 3]]) -> State {
    let mut state = State::default();
    for bytes in messages {
        state.apply(&Message::from_short(bytes).expect("three bytes"));
    }
    state
}

#[test]
fn overlapping_strikes_are_counted() {
    let state = state(&[
        [0x90, 60, 100],
        [0x90, 60, 50],
        [0x90, 61, 1],
        [0x80, 60, 64],
        [0x90, 61, 0],
        [0x80, 62, 1],
    ]);
    assert_eq!(state.channels[0].notes[60], NoteState { count: 1, velocity: U7::ZERO });
    assert_eq!(state.sounding(), 1);
}

#[test]
fn a_reset_undoes_what_it_undoes() {
    let channel = state(&[
        [0xB0, 7, 100],
        [0xB0, 1, 50],
        [0xB0, 64, 127],
        [0xB0, 101, 0],
        [0xB0, 100, 0],
        [0xB0, 6, 12],
        [0xE0, 0, 0],
        [0x90, 60, 1],
        [0xB0, 121, 0],
        [0xB0, 6, 1],
    ])
    .channels[0]
        .clone();
    let [volume, modulation, sustain, data] =
        [7, 1, 64, 6].map(|number| channel.controllers[number].map(U7::get));
    assert_eq!((volume, modulation, sustain), (Some(100), Some(0), Some(0)));
    assert_eq!((channel.pedal_toggles[0], channel.mode_counts[1]), (2, 1));
    assert_eq!((channel.bend, channel.selection), (U14::CENTRE, None));
    assert_eq!(channel.notes[60].count, 1);
    // The entry went to the parameter while one was selected, and was a plain controller afterwards.
    assert_eq!(data, Some(1));
    let entered: Vec<_> = channel.parameters.values().map(|parameter| parameter.msb.map(U7::get)).collect();
    assert_eq!(entered, [Some(12)]);
}

#[test]
fn a_parameter_is_chosen_in_either_order_and_by_one_half() {
    let key = |messages: &[[u8; 3]]| state(messages).channels[0].selection.and_then(Selection::key);
    let registered = |lsb| {
        Some(ParameterKey {
            family: super::super::wire::Family::Registered,
            msb: U7::ZERO,
            lsb: U7::low_bits(lsb),
        })
    };
    assert_eq!(key(&[[0xB0, 101, 0], [0xB0, 100, 1]]), registered(1));
    assert_eq!(key(&[[0xB0, 100, 1], [0xB0, 101, 0]]), registered(1));
    assert_eq!(key(&[[0xB0, 101, 0], [0xB0, 100, 1], [0xB0, 100, 2]]), registered(2));
    assert_eq!(key(&[[0xB0, 101, 0]]), None);
    assert_eq!(key(&[[0xB0, 101, 0], [0xB0, 100, 1], [0xB0, 99, 2]]), None);
    assert_eq!(key(&[[0xB0, 101, 127], [0xB0, 100, 127]]), None);
}

#[test]
fn the_first_clock_plays_the_position() {
    let mut state = SequencerState::default();
    let mut next = |bytes: &[u8]| {
        let Some(Message::Realtime(event)) = Message::from_short(bytes) else { panic!("not real time") };
        state.apply(event);
        state.next()
    };
    let positions =
        [&[0xFA][..], &[0xF8], &[0xF8], &[0xFC], &[0xF8], &[0xFB], &[0xF8], &[0xF2, 2, 0], &[0xF8]]
            .map(&mut next);
    assert_eq!(positions, [0, 1, 2, 2, 2, 2, 3, 12, 13]);
}

#[test]
fn time_code_comes_in_eight_pieces_either_way() {
    use super::super::wire::{Direction, Frame};
    let mut time_code = TimeCodeState::default();
    for piece in [3, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1] {
        time_code.quarter(U7::low_bits(piece << 4 | piece));
    }
    assert_eq!(time_code.complete, Some(Frame::Quarters([0, 1, 2, 3, 4, 5, 6, 7])));
    assert_eq!((time_code.pieces, time_code.point()), (2, Some(1)));
    for piece in [7, 6] {
        time_code.quarter(U7::low_bits(piece << 4));
    }
    assert_eq!((time_code.direction, time_code.point()), (Direction::Reverse, Some(6)));
}
