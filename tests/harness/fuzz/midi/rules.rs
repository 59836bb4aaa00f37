//! Texts of rules, and ports with any names.

use std::collections::BTreeSet;

use lockstep_relay::bridge::patch::{
    Address, Command, Connection, Directions, Patch, Port, RULES_MAX, Rules,
};

const PORTS_MAX: usize = 10;

/// The text up to a zero byte is rules, printed so that they parse to the same; or a mistake in a line that there is.
/// What they want of ports whose names are the lines after it goes from outputs to inputs and never back to itself;
/// once it is done there is nothing more to do, and it can be printed as rules that want the same.
pub fn midi_rules(bytes: &[u8]) {
    let Ok(whole) = core::str::from_utf8(bytes) else { return };
    let (text, names) = whole.split_once('\0').unwrap_or((whole, "a:out\na:in"));
    let rules = match Rules::parse(text) {
        Ok(rules) => rules,
        Err(mistake) => {
            let line = text.lines().nth(mistake.line.wrapping_sub(1)).expect("a line that there is");
            assert!((1..=line.chars().count() + 1).contains(&mistake.column), "{mistake}");
            assert!(!mistake.to_string().contains('\n'), "{mistake}");
            return;
        }
    };
    assert!(rules.count() <= RULES_MAX);
    assert_eq!(Rules::parse(&rules.to_string()).as_ref(), Ok(&rules));
    let mut patch = Patch::new(rules.clone());
    for (name, place) in names.lines().take(PORTS_MAX).zip(0..) {
        let directions = [Directions::Both, Directions::Output, Directions::Input][usize::from(place % 3)];
        let room = name.split_once(':').map(|(room, _)| room.to_owned());
        patch.appeared(Address { client: place, port: 0 }, Port { name: name.to_owned(), directions, room });
        obey(&mut patch);
    }
    let wanted = rules.wanted(patch.ports(), &BTreeSet::new());
    let live: BTreeSet<_> = patch.connections().collect();
    assert_eq!(live, wanted);
    dumped(&patch, &live);
    patch.set_rules(Rules::default());
    obey(&mut patch);
    assert_eq!(patch.connections().count(), 0);
}

/// Does what is commanded, at once.
fn obey(patch: &mut Patch) {
    while let Some(command) = patch.poll_command() {
        match command {
            Command::Connect(these) => {
                let port = |address| patch.ports().get(&address).expect("a port that is there");
                assert!(port(these.from).is_output() && port(these.to).is_input());
                assert_ne!(these.from, these.to);
                patch.subscribed(these);
                patch.made(these);
            }
            Command::Disconnect(these) => patch.unsubscribed(these),
        }
    }
}

/// With different names, what is printed wants what is there.
fn dumped(patch: &Patch, live: &BTreeSet<Connection>) {
    let dump = patch.dump();
    let parsed = Rules::parse(&dump.to_string());
    assert_eq!(parsed.as_ref(), Ok(&dump));
    let names: BTreeSet<_> = patch.ports().values().map(|port| &port.name).collect();
    if names.len() == patch.ports().len() {
        assert_eq!(parsed.map(|parsed| parsed.wanted(patch.ports(), &BTreeSet::new())).as_ref(), Ok(live));
    }
}
