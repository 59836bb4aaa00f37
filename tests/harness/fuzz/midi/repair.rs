//! The recovery journal of anybody, at a receiver that has heard anything.

use lockstep_shared::rtpmidi::journal::state::PARAMETERS_MAX;
use lockstep_shared::rtpmidi::journal::{Loss, Recovery};
use lockstep_shared::time::Span;

use super::message;
use super::state::{assert_same, audible};
use crate::fuzz::input::Input;

/// The most messages that one journal may ask for.
const REPAIRS_MAX: usize = 16_384;

/// The receiver's state after a journal is what the repairs, played, make of its state before; they are bounded, and
/// counted by chapter.
pub fn midi_repair(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut recovery = Recovery::default();
    for _ in 0..input.below(32) {
        recovery.note(&message(&mut input));
    }
    let way = input.u8();
    let loss = if way & 1 == 0 { Loss::One } else { Loss::Many(u32::from(way)) };
    let age = Span::from_millis(if way & 2 == 0 { 0 } else { 2_000 });
    let journal = input.rest();
    let mut played = recovery.state().clone();
    let mut repairs = Vec::new();
    // What is wrong with it is not asked: what can be read is repaired.
    let _ = recovery.repair(loss, age, journal, &mut repairs);
    assert!(repairs.len() <= REPAIRS_MAX);
    assert_eq!(recovery.repaired().total(), u64::try_from(repairs.len()).expect("few"));
    for repair in &repairs {
        played.apply(&repair.message);
    }
    if played != *recovery.state() {
        assert_same(&audible(&played), &audible(recovery.state()));
    }
    for channel in recovery.state().channels.iter() {
        assert!(channel.parameters.len() <= PARAMETERS_MAX);
    }
}
