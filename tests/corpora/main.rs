//! What fuzzing kept, replayed: every file of every corpus, and some thousands of seeded changes to them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use lockstep_tests::fuzz::TARGETS;
use lockstep_tests::rng::Rng;

/// Changes of a corpus that are tried, all files together.
const CHANGES: usize = 3_000;

fn replay(name: &str, changes: usize) {
    let (_, body) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no corpus");
    let inputs: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    inputs.iter().for_each(|input| body(input));
    let mut rng = Rng::new(1);
    for number in 0..changes {
        let mut input = inputs[number % inputs.len()].clone();
        for _ in 0..1 + number % 4 {
            change(&mut input, &mut rng);
        }
        body(&input);
    }
}

fn change(input: &mut Vec<u8>, rng: &mut Rng) {
    let [kind, value, a, b, ..] = rng.next_u64().to_le_bytes();
    let place = usize::from(u16::from_le_bytes([a, b])) % (input.len() + 1);
    match kind % 4 {
        0 if place < input.len() => input[place] ^= 1 << (value % 8),
        1 if place < input.len() => input[place] = value,
        2 => input.insert(place, value),
        _ => input.truncate(place),
    }
}

#[test]
fn elements() {
    replay("elements", CHANGES);
}

#[test]
fn handshake() {
    replay("handshake", CHANGES);
}

#[test]
fn documents() {
    replay("documents", CHANGES);
}

#[test]
fn invite() {
    replay("invite", CHANGES);
}

#[test]
fn config() {
    replay("config", CHANGES);
}

#[test]
fn window() {
    replay("window", CHANGES);
}

#[test]
fn sessions() {
    replay("sessions", 30);
}

#[test]
fn member() {
    replay("member", 200);
}
