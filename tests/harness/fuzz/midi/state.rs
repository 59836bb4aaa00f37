//! How the two ends' states are compared.

use core::fmt::Debug;

use lockstep_shared::midi::message::U7;
use lockstep_shared::rtpmidi::journal::state::State;

/// What Reset All Controllers puts at rest, and where: the journal tells the reset alone, so that a controller at rest
/// and one that was never moved are not told apart.
const AT_REST: [(usize, u8); 6] = [(1, 0), (11, 127), (64, 0), (65, 0), (66, 0), (67, 0)];

/// The state without what a journal need not tell: how often pedals were at rest, how many exclusive messages have become
/// too old, and whether bank 0 was chosen or is where everybody begins.
pub(super) fn settled(state: &State) -> State {
    let mut state = state.clone();
    state.system.exclusives = 0;
    for channel in state.channels.iter_mut() {
        channel.pedal_toggles = [0; 6];
        channel.bank = channel.bank.filter(|bank| *bank != <(U7, U7)>::default());
        for (number, rest) in AT_REST {
            let controller = &mut channel.controllers[number];
            *controller = controller.filter(|value| value.get() != rest);
        }
    }
    state
}

/// The state without the counts that a journal sets, and a player cannot hear.
pub(super) fn audible(state: &State) -> State {
    let mut state = state.clone();
    let system = &mut state.system;
    (system.resets, system.tunes, system.sensings, system.exclusives) = (0, 0, 0, 0);
    for channel in state.channels.iter_mut() {
        (channel.mode_counts, channel.pedal_toggles) = ([0; 8], [0; 6]);
    }
    state
}

/// Panics with what differs.
pub(super) fn assert_same(heard: &State, said: &State) {
    if heard == said {
        return;
    }
    let mut differing = Vec::new();
    for (channel, (heard, said)) in heard.channels.iter().zip(said.channels.iter()).enumerate() {
        let mut compare = |what: &str, heard: &dyn Debug, said: &dyn Debug| {
            let (heard, said) = (format!("{heard:?}"), format!("{said:?}"));
            if heard != said {
                differing.push(format!("channel {channel}, {what}: {heard}, not {said}"));
            }
        };
        for key in 0..128 {
            compare(&format!("key {key}"), &heard.notes[key], &said.notes[key]);
            compare(&format!("controller {key}"), &heard.controllers[key], &said.controllers[key]);
            compare(&format!("pressure {key}"), &heard.poly_pressures[key], &said.poly_pressures[key]);
        }
        compare("parameters", &heard.parameters, &said.parameters);
        compare("selection", &heard.selection, &said.selection);
        compare("program", &(heard.program, heard.bank), &(said.program, said.bank));
        compare("wheel", &(heard.bend, heard.pressure), &(said.bend, said.pressure));
        compare("modes", &(heard.mode_counts, heard.pedal_toggles), &(said.mode_counts, said.pedal_toggles));
    }
    if heard.system != said.system {
        differing.push(format!("{:?}, not {:?}", heard.system, said.system));
    }
    panic!("{differing:#?}");
}

/// Whether a key is down in `heard` that is not in `said`.
pub(super) fn hangs(heard: &State, said: &State) -> bool {
    let both = heard.channels.iter().zip(said.channels.iter());
    both.flat_map(|(heard, said)| heard.notes.iter().zip(&said.notes))
        .any(|(heard, said)| heard.count > 0 && said.count == 0)
}
