//! CLAP: what comes out, for every way of calling. Without a room the plugin passes its track through.

use lockstep_hosts::block::{Block, Input, LoopRange, Motion, Output, Placement, Sent, Stereo, Transport};
use lockstep_hosts::clap::{Activation, PortDirection, ProcessStatus, Render};

use crate::support::{Noise, OUTPUTS, activation, assert_passes, assert_passes_as, clap_plugin, connected};

#[test]
fn the_ports_are_one_stereo_input_and_nine_stereo_outputs() {
    let mut plugin = clap_plugin();
    let inputs = plugin.ports(PortDirection::Input).unwrap();
    let outputs = plugin.ports(PortDirection::Output).unwrap();
    assert_eq!((inputs.len(), outputs.len()), (1, OUTPUTS));
    assert!(inputs.iter().chain(&outputs).all(|port| port.channels == 2));
    assert!(inputs[0].main && outputs[0].main);
    assert!(outputs[1..].iter().all(|port| !port.main));
    let names: Vec<_> = outputs[1..].iter().map(|port| port.name.as_str()).collect();
    let expected: Vec<_> = (1..=8).map(|number| format!("Player {number}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn any_block_size_passes_the_track_through_exactly() {
    for frames in [1, 16, 64, 333, 4_096] {
        let mut plugin = clap_plugin();
        let mut processor = plugin.activate(activation(u32::try_from(frames).unwrap())).unwrap();
        let mut noise = Noise::new(1);
        let mut outputs = connected(OUTPUTS, frames);
        for _ in 0..20 {
            assert_passes(&mut processor, &mut noise, &mut outputs, frames);
        }
        plugin.deactivate(processor);
    }
}

#[test]
fn block_sizes_may_change_with_every_block() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(4_096)).unwrap();
    let mut noise = Noise::new(2);
    for frames in [4_096, 1, 63, 64, 65, 1, 1, 2_048, 333, 17, 4_095, 512, 1, 480] {
        assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, 4_096), frames);
    }
    plugin.deactivate(processor);
}

#[test]
fn any_sample_rate_passes_the_track_through_exactly() {
    for sample_rate in [44_100.0, 48_000.0, 88_200.0, 96_000.0, 176_400.0, 192_000.0, 8_000.0, 384_000.0] {
        let mut plugin = clap_plugin();
        let mut processor =
            plugin.activate(Activation { sample_rate, frames_min: 1, frames_max: 512 }).unwrap();
        let mut noise = Noise::new(3);
        for _ in 0..10 {
            assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, 512), 512);
        }
        plugin.deactivate(processor);
    }
}

#[test]
fn blocks_beyond_the_longest_usual_one_pass_through_exactly() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(10_000)).unwrap();
    let mut noise = Noise::new(4);
    for frames in [10_000, 8_192, 4_097] {
        assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, 10_000), frames);
    }
    plugin.deactivate(processor);
}

#[test]
fn a_host_that_passes_too_few_ports_gets_the_main_output() {
    for ports in [1, 2, 5, OUTPUTS] {
        let mut plugin = clap_plugin();
        let mut processor = plugin.activate(activation(512)).unwrap();
        let mut noise = Noise::new(5);
        for _ in 0..20 {
            assert_passes(&mut processor, &mut noise, &mut connected(ports, 512), 512);
        }
        plugin.deactivate(processor);
    }
}

#[test]
fn ports_without_memory_are_left_alone() {
    for missing in [Output::NoList, Output::NoMemory, Output::NoChannels] {
        let mut plugin = clap_plugin();
        let mut processor = plugin.activate(activation(256)).unwrap();
        let mut noise = Noise::new(6);
        let mut outputs = connected(OUTPUTS, 256);
        outputs[2..7].fill(missing.clone());
        for _ in 0..20 {
            assert_passes(&mut processor, &mut noise, &mut outputs, 256);
        }
        outputs[1..].fill(missing);
        assert_passes(&mut processor, &mut noise, &mut outputs, 256);
        plugin.deactivate(processor);
    }
}

#[test]
fn a_host_without_any_output_memory_does_no_harm() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(256)).unwrap();
    let input = Noise::new(7).stereo(256);
    for missing in [Output::NoList, Output::NoMemory, Output::NoChannels] {
        let mut outputs = vec![missing; OUTPUTS];
        processor.process(&mut Block::new([&input.left, &input.right], &mut outputs)).unwrap();
    }
    processor.process(&mut Block::new([&input.left, &input.right], &mut [])).unwrap();
    assert_passes(&mut processor, &mut Noise::new(8), &mut connected(OUTPUTS, 256), 256);
    plugin.deactivate(processor);
}

#[test]
fn the_input_may_lie_in_the_main_outputs_buffers() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(512)).unwrap();
    let mut noise = Noise::new(9);
    for ports in [OUTPUTS, 1, OUTPUTS] {
        let mut outputs = connected(ports, 512);
        assert_passes_as(&mut processor, &mut noise, &mut outputs, 512, Placement::InPlace, None);
    }
    plugin.deactivate(processor);
}

#[test]
fn what_is_not_a_number_never_comes_out() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(64)).unwrap();
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let input = vec![poison; 64];
        let mut outputs = connected(OUTPUTS, 64);
        processor.process(&mut Block::new([&input, &input], &mut outputs)).unwrap();
        let main = outputs[0].stereo().unwrap();
        assert!(main.left.iter().chain(&main.right).all(|sample| sample.is_finite()), "{poison} came out");
    }
    assert_passes(&mut processor, &mut Noise::new(10), &mut connected(OUTPUTS, 64), 64);
    plugin.deactivate(processor);
}

#[test]
fn no_transport_disturbs_the_sound_and_the_plugin_never_sleeps() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(512)).unwrap();
    let mut noise = Noise::new(11);
    let mut looped = Transport::playing(123.0);
    looped.loop_range = Some(LoopRange { start_quarters: 0.0, end_quarters: 0.01 });
    let mut recording = Transport::playing(20.0);
    recording.motion = Motion::Recording;
    recording.position_quarters = -4.0;
    let mut far = Transport::playing(999.0);
    far.position_quarters = 1e6;
    for transport in [None, Some(Transport::stopped(120.0)), Some(looped), Some(recording), Some(far)] {
        let mut now = transport;
        for _ in 0..20 {
            let mut outputs = connected(OUTPUTS, 512);
            assert_passes_as(&mut processor, &mut noise, &mut outputs, 512, Placement::Separate, now);
            now = now.map(|now| now.after_seconds(512.0 / 48_000.0));
        }
    }
    let silence = Stereo::silent(512);
    let mut outputs = connected(OUTPUTS, 512);
    let status = processor.process(&mut Block::new([&silence.left, &silence.right], &mut outputs)).unwrap();
    assert_eq!(status, ProcessStatus::Continue, "a network input never ends");
    plugin.deactivate(processor);
}

#[test]
fn transport_changes_and_midi_inside_a_block_are_taken_and_events_leave_sorted() {
    let mut plugin = clap_plugin();
    let mut processor = plugin.activate(activation(512)).unwrap();
    let input = Noise::new(12).stereo(512);
    let inputs = [
        Input::Midi { offset: 3, bytes: [0xF8, 0, 0] },
        Input::Transport { offset: 100, transport: Transport::playing(90.0) },
        Input::Midi { offset: 101, bytes: [0x90, 60, 100] },
        Input::Transport { offset: 300, transport: Transport::stopped(90.0) },
        Input::Midi { offset: 511, bytes: [0xFC, 0, 0] },
    ];
    for _ in 0..50 {
        let mut outputs = connected(OUTPUTS, 512);
        let mut block = Block::new([&input.left, &input.right], &mut outputs);
        block.inputs = &inputs;
        block.transport = Some(Transport::stopped(120.0));
        processor.process(&mut block).unwrap();
        assert_eq!(outputs[0].stereo(), Some(&input));
        assert!(processor.sent().is_sorted_by_key(Sent::offset), "{:?}", processor.sent());
    }
    plugin.deactivate(processor);
}

#[test]
fn it_says_that_it_needs_real_time_and_a_bounce_passes_the_track_through() {
    let mut plugin = clap_plugin();
    assert!(plugin.needs_real_time().unwrap());
    // A host may bounce all the same; whether the plugin takes the mode or refuses it, the track is kept.
    let _ = plugin.set_render(Render::Offline);
    let mut processor = plugin.activate(activation(4_096)).unwrap();
    let mut noise = Noise::new(13);
    for _ in 0..100 {
        assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, 4_096), 4_096);
    }
    plugin.deactivate(processor);
    plugin.set_render(Render::Realtime).unwrap();
    let mut processor = plugin.activate(activation(64)).unwrap();
    assert_passes(&mut processor, &mut noise, &mut connected(OUTPUTS, 64), 64);
    plugin.deactivate(processor);
}
