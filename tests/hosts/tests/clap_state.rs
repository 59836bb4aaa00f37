//! CLAP: what a project saves and what a damaged project brings.

use std::io::{self, Read};

use lockstep_hosts::clap::Plugin;

use crate::support::{Noise, OUTPUTS, activation, assert_passes, clap_plugin, clap_value, connected, point};

/// A plugin whose parameters are all away from their defaults, and a state saved from it.
fn changed() -> (Plugin, Vec<u8>) {
    let mut plugin = clap_plugin();
    let (delay, delay_value) = clap_value(&mut plugin, "Sync Delay", "123.25 ms");
    let (monitor, monitor_value) = clap_value(&mut plugin, "Monitor", "-9 dB");
    let (mode, mode_value) = clap_value(&mut plugin, "Room Mode", "Mix");
    plugin
        .flush(&[point(0, delay, delay_value), point(0, monitor, monitor_value), point(0, mode, mode_value)])
        .unwrap();
    let state = plugin.save_state().unwrap();
    (plugin, state)
}

fn values(plugin: &mut Plugin) -> Vec<f64> {
    let parameters = plugin.parameters().unwrap();
    parameters.iter().map(|parameter| plugin.value(parameter.id).unwrap()).collect()
}

/// Whatever it was given, the plugin is in order.
fn assert_sound(plugin: &mut Plugin, after: &str) {
    for parameter in plugin.parameters().unwrap() {
        let value = plugin.value(parameter.id).unwrap();
        assert!(
            (parameter.min..=parameter.max).contains(&value),
            "{} is {value} after {after}",
            parameter.name
        );
    }
    let mut processor = plugin.activate(activation(64)).unwrap();
    let mut noise = Noise::new(1);
    let input = noise.stereo(64);
    let mut outputs = connected(OUTPUTS, 64);
    processor
        .process(&mut lockstep_hosts::block::Block::new([&input.left, &input.right], &mut outputs))
        .unwrap();
    assert!(outputs[0].stereo().unwrap().peak() <= 4.0, "too loud after {after}");
    plugin.deactivate(processor);
    assert!(plugin.save_state().is_ok(), "cannot save after {after}");
}

#[test]
fn a_saved_state_restores_every_parameter() {
    let (mut source, state) = changed();
    let mut target = clap_plugin();
    target.load_state(&mut state.as_slice()).unwrap();
    assert_eq!(values(&mut target), values(&mut source));
    assert_eq!(target.save_state().unwrap(), state, "a state restored and saved is the same bytes");
}

#[test]
fn a_state_may_be_restored_while_playing() {
    let (mut source, state) = changed();
    let mut target = clap_plugin();
    let mut processor = target.activate(activation(64)).unwrap();
    assert_passes(&mut processor, &mut Noise::new(2), &mut connected(OUTPUTS, 64), 64);
    target.load_state(&mut state.as_slice()).unwrap();
    let input = Noise::new(3).stereo(64);
    for _ in 0..10 {
        let mut outputs = connected(OUTPUTS, 64);
        processor
            .process(&mut lockstep_hosts::block::Block::new([&input.left, &input.right], &mut outputs))
            .unwrap();
    }
    assert_eq!(values(&mut target), values(&mut source));
    target.deactivate(processor);
}

#[test]
fn a_state_that_comes_in_small_pieces_is_whole() {
    let (mut source, state) = changed();
    let mut target = clap_plugin();
    target.load_state(&mut Dripping(&state)).unwrap();
    assert_eq!(values(&mut target), values(&mut source));
}

#[test]
fn an_empty_or_cut_state_is_refused() {
    let (_, state) = changed();
    for length in [0, 1, 7, 8, 9, state.len() / 2, state.len() - 1] {
        let mut plugin = clap_plugin();
        let loaded = plugin.load_state(&mut &state[..length]);
        assert!(loaded.is_err(), "{length} of {} bytes were taken", state.len());
        assert_sound(&mut plugin, &format!("a state of {length} bytes"));
    }
}

#[test]
fn a_state_that_claims_to_be_huge_is_refused_at_once() {
    for length in [u64::MAX, 1 << 40, 1 << 29] {
        let mut plugin = clap_plugin();
        let header = length.to_le_bytes();
        assert!(plugin.load_state(&mut header.as_slice()).is_err());
        let mut garbage = header.chain(io::repeat(b'[').take(1 << 20));
        assert!(plugin.load_state(&mut garbage).is_err());
        assert_sound(&mut plugin, "a huge state");
    }
}

#[test]
fn no_damage_to_a_state_harms_the_plugin() {
    let (_, state) = changed();
    for index in 0..state.len() {
        for damage in [0xFF, 0x01, 0x20] {
            let mut damaged = state.clone();
            damaged[index] ^= damage;
            let mut plugin = clap_plugin();
            // Some damage makes another valid state; what counts is that the plugin stays in order.
            let _ = plugin.load_state(&mut damaged.as_slice());
            if index % 16 == 0 {
                assert_sound(&mut plugin, &format!("damage {damage:#x} at byte {index}"));
            }
        }
    }
}

#[test]
fn values_beyond_their_range_are_brought_back() {
    let (_, state) = changed();
    let text = String::from_utf8(state[8..].to_vec()).unwrap();
    for wild in ["1e30", "-1e30", "5"] {
        // The saved delay is 123.25 ms.
        let text = text.replace("123.25", wild);
        let length = u64::try_from(text.len()).unwrap().to_le_bytes();
        let damaged: Vec<u8> = length.into_iter().chain(text.bytes()).collect();
        let mut plugin = clap_plugin();
        let _ = plugin.load_state(&mut damaged.as_slice());
        assert_sound(&mut plugin, &format!("a delay of {wild}"));
    }
}

#[test]
fn no_secret_is_saved() {
    let (_, state) = changed();
    let text = String::from_utf8_lossy(&state);
    assert!(!text.contains('#') && !text.contains("lockstep://"), "{text}");
}

/// Gives one byte at a time, as a host's stream may.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (Some((first, rest)), Some(place)) = (self.0.split_first(), buffer.first_mut()) else {
            return Ok(0);
        };
        *place = *first;
        self.0 = rest;
        Ok(1)
    }
}
