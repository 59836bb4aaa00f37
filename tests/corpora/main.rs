//! What fuzzing kept, replayed on the stable toolchain: every file of every corpus, and seeded changes of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use lockstep_tests::fuzz::TARGETS;
use lockstep_tests::rng::Rng;

/// Changed inputs of a decoder, and of a machine that has to be built for each.
const CHANGES: usize = 5_000;
const CHANGES_OF_MACHINES: usize = 2_000;

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
fn server() {
    replay("server", CHANGES_OF_MACHINES);
}

#[test]
fn client() {
    replay("client", CHANGES_OF_MACHINES);
}

#[test]
fn window() {
    replay("window", CHANGES);
}

#[test]
fn config() {
    replay("config", CHANGES);
}

#[test]
fn relay() {
    replay("relay", CHANGES_OF_MACHINES);
}

#[test]
fn midi_control() {
    replay("midi_control", CHANGES);
}

#[test]
fn midi_session() {
    replay("midi_session", CHANGES_OF_MACHINES);
}

#[test]
fn midi_packet() {
    replay("midi_packet", CHANGES);
}

#[test]
fn midi_receiver() {
    replay("midi_receiver", CHANGES_OF_MACHINES);
}

#[test]
fn midi_journal() {
    replay("midi_journal", CHANGES);
}

#[test]
fn midi_repair() {
    replay("midi_repair", CHANGES);
}

#[test]
fn midi_history() {
    replay("midi_history", CHANGES);
}

#[test]
fn midi_stream() {
    replay("midi_stream", CHANGES);
}

#[test]
fn midi_rules() {
    replay("midi_rules", CHANGES_OF_MACHINES);
}

#[test]
fn lossless() {
    replay("lossless", CHANGES);
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let mut names: Vec<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    names.sort();
    let mut folders: Vec<_> =
        files(&corpora()).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    folders.retain(|name| corpora().join(name).is_dir());
    assert_eq!(folders, names);
}

fn replay(name: &str, changes: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs: Vec<_> = files(&corpora().join(name))
        .iter()
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    assert!(!inputs.is_empty(), "{name} has no corpus");
    for (file, input) in &inputs {
        run(target.body, input, file);
    }
    let mut rng = Rng::new(0x5eed);
    for number in 0..changes {
        let (file, input) = &inputs[number % inputs.len()];
        let mut input = input.clone();
        let (_, other) = &inputs[below(&mut rng, inputs.len())];
        for _ in 0..=number % 4 {
            change(&mut input, other, &mut rng);
        }
        run(target.body, &input, &format!("{file}, change {number}"));
    }
}

/// Runs the body; if it fails, says on what.
fn run(body: fn(&[u8]), input: &[u8], origin: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| body(input)));
    assert!(outcome.is_ok(), "as above, on {origin}: {input:?}");
}

fn change(input: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let place = below(rng, input.len() + 1);
    let value = rng.next_u64().to_le_bytes()[0];
    match below(rng, 6) {
        0 if place < input.len() => input[place] ^= 1 << (value % 8),
        1 if place < input.len() => input[place] = value,
        2 => input.insert(place, value),
        3 => input.truncate(place),
        4 => {
            input.truncate(place);
            input.extend(&other[below(rng, other.len() + 1)..]);
        }
        _ => {
            let end = place + below(rng, input.len() - place + 1);
            input.drain(place..end);
        }
    }
}

/// A number below `end`.
fn below(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.next_u64() % u64::try_from(end).unwrap()).unwrap()
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// What lies in a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
