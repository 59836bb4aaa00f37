//! How the two ends' states are compared.

use lockstep_shared::rtpmidi::journal::state::State;

/// What Reset All Controllers puts at rest, and where: the journal tells the reset alone, so that a controller at rest
/// and one that was never moved are not told apart.
const AT_REST: [(usize, u8); 6] = [(1, 0), (11, 127), (64, 0), (65, 0), (66, 0), (67, 0)];

/// The state without what a journal need not tell: how often pedals were at rest, and how many exclusive messages have
/// become too old.
pub(super) fn settled(state: &State) -> State {
    let mut state = state.clone();
    state.system.exclusives = 0;
    for channel in state.channels.iter_mut() {
        channel.pedal_toggles = [0; 6];
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

/// Whether a key is down in `heard` that is not in `said`.
pub(super) fn hangs(heard: &State, said: &State) -> bool {
    let both = heard.channels.iter().zip(said.channels.iter());
    both.flat_map(|(heard, said)| heard.notes.iter().zip(&said.notes))
        .any(|(heard, said)| heard.count > 0 && said.count == 0)
}
