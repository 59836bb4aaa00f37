//! VST3: classes, instances and state.

use lockstep_hosts::vst3::{Mode, Plugin, Setup, Vst3Host};

use crate::support::{
    MULTI_OUT_CLASS, Noise, STEREO_CLASS, assert_passes, connected, plugin_file, point, setup, vst3_plugin,
};

/// Both classes, as names.
const CLASSES: [&str; 2] = [STEREO_CLASS, MULTI_OUT_CLASS];

fn values(plugin: &Plugin) -> Vec<f64> {
    plugin.parameters().unwrap().iter().map(|parameter| plugin.value(parameter.id)).collect()
}

/// A plugin whose parameters are away from their defaults.
fn changed(class: &str) -> Plugin {
    let mut plugin = vst3_plugin(class);
    plugin.set_up(setup(64)).unwrap();
    plugin.start().unwrap();
    let delay = plugin.parameter("Sync Delay").unwrap().id;
    let monitor = plugin.parameter("Monitor").unwrap().id;
    let delay_value = plugin.text_to_value(delay, "123.25 ms").unwrap();
    let monitor_value = plugin.text_to_value(monitor, "-9 dB").unwrap();
    plugin.flush(&[point(0, delay, delay_value), point(0, monitor, monitor_value)]).unwrap();
    plugin.stop().unwrap();
    plugin
}

#[test]
fn the_stereo_class_comes_first_and_the_multi_out_class_second() {
    let classes = Vst3Host::load(&plugin_file()).unwrap().classes().unwrap();
    let names: Vec<_> = classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, CLASSES);
    assert!(classes.iter().all(|class| class.category == "Audio Module Class" && class.vendor == "Lockstep"));
    assert_ne!(classes[0].id, classes[1].id);
}

#[test]
fn an_unknown_class_is_refused() {
    assert!(Vst3Host::load(&plugin_file()).unwrap().create("Nothing").is_err());
}

#[test]
fn a_saved_state_restores_every_parameter() {
    for class in CLASSES {
        let source = changed(class);
        let state = source.save_state().unwrap();
        let mut target = vst3_plugin(class);
        target.load_state(&state).unwrap();
        assert_eq!(values(&target), values(&source), "{class}");
        assert_eq!(target.save_state().unwrap(), state, "{class}");
    }
}

#[test]
fn a_project_may_change_between_the_two_classes() {
    let source = changed(STEREO_CLASS);
    let mut target = vst3_plugin(MULTI_OUT_CLASS);
    target.load_state(&source.save_state().unwrap()).unwrap();
    assert_eq!(values(&target), values(&source));
}

#[test]
fn an_empty_cut_or_huge_state_is_refused() {
    let state = changed(STEREO_CLASS).save_state().unwrap();
    let mut cases: Vec<Vec<u8>> = [0, 1, 7, 8, state.len() / 2].map(|length| state[..length].to_vec()).into();
    cases.extend([u64::MAX, 1 << 40, 1 << 29].map(|length: u64| length.to_le_bytes().to_vec()));
    cases.push(vec![b'['; 1 << 20]);
    for case in cases {
        let mut plugin = vst3_plugin(STEREO_CLASS);
        assert!(plugin.load_state(&case).is_err(), "{} bytes were taken", case.len());
        plugin.set_up(setup(64)).unwrap();
        plugin.start().unwrap();
        assert_passes(&mut plugin, &mut Noise::new(1), &mut connected(1, 64), 64);
    }
}

#[test]
fn it_survives_being_started_50_times() {
    let mut plugin = vst3_plugin(STEREO_CLASS);
    let mut noise = Noise::new(2);
    for round in 0..50_u32 {
        let sample_rate = [44_100.0, 48_000.0, 96_000.0][usize::try_from(round % 3).unwrap()];
        let frames = 16 << (round % 5);
        plugin.set_up(Setup { sample_rate, frames_max: frames, mode: Mode::Realtime }).unwrap();
        plugin.start().unwrap();
        let frames = usize::try_from(frames).unwrap();
        assert_passes(&mut plugin, &mut noise, &mut connected(1, frames), frames);
        plugin.stop().unwrap();
    }
    assert_eq!(plugin.latency_frames(), 0);
}

#[test]
fn instances_in_one_process_keep_to_themselves() {
    let mut plugins: Vec<_> = [STEREO_CLASS, MULTI_OUT_CLASS, STEREO_CLASS].map(vst3_plugin).into();
    for plugin in &mut plugins {
        plugin.set_up(setup(64)).unwrap();
        plugin.start().unwrap();
    }
    let mut noise = Noise::new(3);
    for _ in 0..10 {
        for plugin in &mut plugins {
            assert_passes(plugin, &mut noise, &mut connected(1, 64), 64);
        }
    }
    drop(plugins.remove(1));
    for plugin in &mut plugins {
        assert_passes(plugin, &mut noise, &mut connected(1, 64), 64);
    }
}
