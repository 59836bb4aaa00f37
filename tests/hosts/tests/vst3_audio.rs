//! VST3: what comes out, for every way of calling, of both classes.

use lockstep_hosts::block::{Block, LoopRange, Output, Placement, Transport};
use lockstep_hosts::vst3::{BusDirection, BusSwitch, Mode, Plugin, Setup};

use crate::support::{
    MULTI_OUT_CLASS, Noise, OUTPUTS, STEREO_CLASS, assert_passes, assert_passes_as, connected, setup,
    vst3_plugin,
};

const CLASSES: [(&str, usize); 2] = [(STEREO_CLASS, 1), (MULTI_OUT_CLASS, OUTPUTS)];

/// A started instance of which only the first `on` outputs are switched on.
fn started(class: &str, outputs: usize, on: usize, setup: Setup) -> Plugin {
    let mut plugin = vst3_plugin(class);
    plugin.set_bus(BusDirection::Input, 0, BusSwitch::On).unwrap();
    for index in 0..outputs {
        let switch = if index < on { BusSwitch::On } else { BusSwitch::Off };
        plugin.set_bus(BusDirection::Output, i32::try_from(index).unwrap(), switch).unwrap();
    }
    plugin.set_up(setup).unwrap();
    plugin.start().unwrap();
    plugin
}

#[test]
fn the_buses_are_stereo_and_named() {
    for (class, outputs) in CLASSES {
        let plugin = vst3_plugin(class);
        let inputs = plugin.buses(BusDirection::Input).unwrap();
        let buses = plugin.buses(BusDirection::Output).unwrap();
        assert_eq!((inputs.len(), buses.len()), (1, outputs), "{class}");
        assert!(inputs.iter().chain(&buses).all(|bus| bus.channels == 2), "{class}");
        assert!(inputs[0].main && buses[0].main && buses[1..].iter().all(|bus| !bus.main), "{class}");
        for (number, bus) in buses[1..].iter().enumerate() {
            assert_eq!(bus.name, format!("Player {}", number + 1));
        }
    }
}

#[test]
fn any_block_size_passes_the_track_through_exactly() {
    for (class, outputs) in CLASSES {
        for frames in [1, 16, 64, 333, 4_096] {
            let mut plugin = started(class, outputs, outputs, setup(u32::try_from(frames).unwrap()));
            let mut noise = Noise::new(1);
            for _ in 0..20 {
                assert_passes(&mut plugin, &mut noise, &mut connected(outputs, frames), frames);
            }
        }
    }
}

#[test]
fn block_sizes_may_change_with_every_block() {
    let mut plugin = started(MULTI_OUT_CLASS, OUTPUTS, OUTPUTS, setup(4_096));
    let mut noise = Noise::new(2);
    for frames in [4_096, 1, 63, 64, 65, 1, 1, 2_048, 333, 17, 4_095, 512, 1, 480] {
        assert_passes(&mut plugin, &mut noise, &mut connected(OUTPUTS, 4_096), frames);
    }
}

#[test]
fn any_sample_rate_passes_the_track_through_exactly() {
    for sample_rate in [44_100.0, 48_000.0, 88_200.0, 96_000.0, 176_400.0, 192_000.0] {
        let mut plugin =
            started(STEREO_CLASS, 1, 1, Setup { sample_rate, frames_max: 512, mode: Mode::Realtime });
        let mut noise = Noise::new(3);
        for _ in 0..10 {
            assert_passes(&mut plugin, &mut noise, &mut connected(1, 512), 512);
        }
    }
}

#[test]
fn a_host_that_passes_one_bus_or_a_few_gets_the_main_output() {
    for passed in [1, 2, 5] {
        for on in [1, OUTPUTS] {
            let mut plugin = started(MULTI_OUT_CLASS, OUTPUTS, on, setup(512));
            let mut noise = Noise::new(4);
            for _ in 0..20 {
                assert_passes(&mut plugin, &mut noise, &mut connected(passed, 512), 512);
            }
        }
    }
}

#[test]
fn buses_that_are_off_and_have_no_memory_are_left_alone() {
    for missing in [Output::NoList, Output::NoMemory, Output::NoChannels] {
        for on in [1, OUTPUTS] {
            let mut plugin = started(MULTI_OUT_CLASS, OUTPUTS, on, setup(256));
            let mut noise = Noise::new(5);
            let mut outputs = connected(OUTPUTS, 256);
            outputs[1..].fill(missing.clone());
            for _ in 0..20 {
                assert_passes(&mut plugin, &mut noise, &mut outputs, 256);
            }
        }
    }
}

#[test]
fn a_host_without_any_output_memory_does_no_harm() {
    let mut plugin = started(MULTI_OUT_CLASS, OUTPUTS, OUTPUTS, setup(256));
    let input = Noise::new(6).stereo(256);
    for missing in [Output::NoList, Output::NoMemory, Output::NoChannels] {
        let mut outputs = vec![missing; OUTPUTS];
        let _ = plugin.process(&mut Block::new([&input.left, &input.right], &mut outputs));
    }
    let _ = plugin.process(&mut Block::new([&input.left, &input.right], &mut []));
    assert_passes(&mut plugin, &mut Noise::new(7), &mut connected(OUTPUTS, 256), 256);
}

#[test]
fn the_input_may_lie_in_the_main_outputs_buffers() {
    for (class, outputs) in CLASSES {
        let mut plugin = started(class, outputs, outputs, setup(512));
        let mut noise = Noise::new(8);
        for _ in 0..10 {
            let mut outputs = connected(outputs, 512);
            assert_passes_as(&mut plugin, &mut noise, &mut outputs, 512, Placement::InPlace, None);
        }
    }
}

#[test]
fn no_transport_disturbs_the_sound() {
    let mut plugin = started(STEREO_CLASS, 1, 1, setup(512));
    let mut noise = Noise::new(9);
    let mut looped = Transport::playing(123.0);
    looped.loop_range = Some(LoopRange { start_quarters: 0.0, end_quarters: 0.01 });
    for transport in [None, Some(Transport::stopped(120.0)), Some(looped), Some(Transport::playing(999.0))] {
        let mut now = transport;
        for _ in 0..20 {
            let mut outputs = connected(1, 512);
            assert_passes_as(&mut plugin, &mut noise, &mut outputs, 512, Placement::Separate, now);
            now = now.map(|now| now.after_seconds(512.0 / 48_000.0));
        }
    }
}

/// As a DAW does that bounces and plays on.
#[test]
fn the_track_passes_through_every_sequence_of_modes() {
    let mut plugin = started(STEREO_CLASS, 1, 1, setup(512));
    let mut noise = Noise::new(10);
    for mode in
        [Mode::Realtime, Mode::Offline, Mode::Realtime, Mode::Prefetch, Mode::Realtime, Mode::Realtime]
    {
        plugin.stop().unwrap();
        plugin.set_up(Setup { sample_rate: 48_000.0, frames_max: 512, mode }).unwrap();
        plugin.start().unwrap();
        for _ in 0..20 {
            assert_passes(&mut plugin, &mut noise, &mut connected(1, 512), 512);
        }
    }
}

#[test]
fn a_block_of_no_frames_does_no_harm() {
    let mut plugin = started(MULTI_OUT_CLASS, OUTPUTS, OUTPUTS, setup(64));
    let mut noise = Noise::new(11);
    for _ in 0..5 {
        plugin.flush(&[]).unwrap();
        assert_passes(&mut plugin, &mut noise, &mut connected(OUTPUTS, 64), 64);
    }
}
