//! CLAP: instances come, go and share a process.

use lockstep_hosts::clap::{Activation, ClapHost, PortDirection};

use crate::support::{
    Noise, OUTPUTS, activation, assert_passes, clap_plugin, clap_value, connected, plugin_file,
};
use crate::support::{constant_through, point};

#[test]
fn the_library_holds_one_audio_effect() {
    let descriptions = ClapHost::load(&plugin_file()).unwrap().descriptions();
    assert_eq!(descriptions.len(), 1, "{descriptions:?}");
    let description = &descriptions[0];
    assert_eq!((description.name.as_str(), description.vendor.as_str()), ("Lockstep", "Lockstep"));
    assert_eq!(description.version, env!("CARGO_PKG_VERSION"));
    assert!(description.features.contains(&"audio-effect".to_owned()), "{description:?}");
}

#[test]
fn midi_has_a_port_each_way_and_the_clock_an_output() {
    let mut plugin = clap_plugin();
    assert_eq!(plugin.midi_ports(PortDirection::Input).unwrap(), ["Lockstep MIDI"]);
    assert_eq!(plugin.midi_ports(PortDirection::Output).unwrap(), ["Lockstep MIDI", "Lockstep Clock"]);
}

#[test]
fn an_unknown_id_is_refused() {
    assert!(ClapHost::load(&plugin_file()).unwrap().instantiate("org.example.nothing").is_err());
}

#[test]
fn it_survives_being_activated_50_times() {
    let mut plugin = clap_plugin();
    let mut noise = Noise::new(1);
    for round in 0..50_u32 {
        let sample_rate = [44_100.0, 48_000.0, 96_000.0][usize::try_from(round % 3).unwrap()];
        let frames = 16 << (round % 5);
        let mut processor =
            plugin.activate(Activation { sample_rate, frames_min: 1, frames_max: frames }).unwrap();
        let frames = usize::try_from(frames).unwrap();
        assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, frames), frames);
        plugin.deactivate(processor);
        let _ = plugin.serve_requests();
    }
}

#[test]
fn activation_without_a_single_block_does_no_harm() {
    let mut plugin = clap_plugin();
    for _ in 0..3 {
        let processor = plugin.activate(activation(64)).unwrap();
        plugin.deactivate(processor);
    }
}

#[test]
fn a_reset_in_the_middle_changes_nothing_in_the_track() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(64)).unwrap();
    let mut noise = Noise::new(2);
    for _ in 0..5 {
        assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, 64), 64);
        processor.reset();
    }
    plugin.deactivate(processor);
}

#[test]
fn a_processor_may_be_used_on_another_thread() {
    let mut plugin = clap_plugin();
    let processor = plugin.activate(activation(64)).unwrap();
    let processor = std::thread::spawn(move || {
        let mut processor = processor;
        let mut noise = Noise::new(3);
        for _ in 0..100 {
            assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, 64), 64);
        }
        processor
    })
    .join()
    .unwrap();
    plugin.deactivate(processor);
}

#[test]
fn instances_in_one_process_keep_to_themselves() {
    let host = ClapHost::load(&plugin_file()).unwrap();
    let mut plugins: Vec<_> = (0..4).map(|_| host.instantiate_first().unwrap()).collect();
    let mut processors: Vec<_> =
        plugins.iter_mut().map(|plugin| plugin.activate(activation(128)).unwrap()).collect();
    let (monitor, silent) = clap_value(&mut plugins[1], "Monitor", "-inf dB");
    constant_through(&mut processors[1], &[point(0, monitor, silent)], 100, 128);

    let mut noise = Noise::new(4);
    for index in [0, 2, 3] {
        assert_passes(&mut processors[index], &mut noise, &mut connected(OUTPUTS, 128), 128);
    }
    assert!(constant_through(&mut processors[1], &[], 1, 128).iter().all(|sample| sample.abs() < 1e-6));

    // One leaves; the others play on.
    let processor = processors.remove(2);
    let mut plugin = plugins.remove(2);
    plugin.deactivate(processor);
    drop(plugin);
    for index in [0, 2] {
        assert_passes(&mut processors[index], &mut noise, &mut connected(OUTPUTS, 128), 128);
    }
    for (plugin, processor) in plugins.iter_mut().zip(processors) {
        plugin.deactivate(processor);
    }
}

#[test]
fn the_latency_is_reported_as_none() {
    let mut plugin = clap_plugin();
    assert_eq!(plugin.latency_frames().unwrap(), 0, "DAWs would compensate a reported latency away");
}
