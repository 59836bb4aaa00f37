//! VST3: parameters, their texts and their automation.

use crate::support::{
    MULTI_OUT_CLASS, PARAMETERS, STEREO_CLASS, constant_through, point, setup, vst3_plugin,
};

#[test]
fn both_classes_have_the_same_few_parameters() {
    let stereo = vst3_plugin(STEREO_CLASS).parameters().unwrap();
    let multi_out = vst3_plugin(MULTI_OUT_CLASS).parameters().unwrap();
    assert_eq!(stereo, multi_out);
    assert!(stereo.len() < 32, "{} parameters: MIDI controllers must not be among them", stereo.len());
    for name in PARAMETERS {
        assert!(stereo.iter().any(|parameter| parameter.name == name), "no {name} in {stereo:?}");
    }
    assert_eq!(stereo.iter().filter(|parameter| parameter.bypass).count(), 1);
}

#[test]
fn texts_lead_back_to_their_values() {
    let plugin = vst3_plugin(STEREO_CLASS);
    for parameter in plugin.parameters().unwrap() {
        for step in 0..=20 {
            let mut value = f64::from(step) / 20.0;
            if parameter.steps > 0 {
                value = (value * f64::from(parameter.steps)).round() / f64::from(parameter.steps);
            }
            let text = plugin.value_to_text(parameter.id, value).unwrap();
            let text = format!("{text}{}", parameter.unit);
            let read = plugin.text_to_value(parameter.id, &text).unwrap();
            let again = format!("{}{}", plugin.value_to_text(parameter.id, read).unwrap(), parameter.unit);
            assert_eq!(text, again, "{} at {value}", parameter.name);
        }
    }
}

#[test]
fn a_flush_without_frames_sets_a_parameter() {
    let mut plugin = vst3_plugin(STEREO_CLASS);
    plugin.set_up(setup(64)).unwrap();
    plugin.start().unwrap();
    let delay = plugin.parameter("Sync Delay").unwrap().id;
    let value = plugin.normalized(delay, plugin.plain(delay, 0.25));
    plugin.flush(&[point(0, delay, value)]).unwrap();
    assert!((plugin.value(delay) - 0.25).abs() < 1e-6);
}

#[test]
fn three_points_in_one_block_act_from_their_own_frames() {
    let mut plugin = vst3_plugin(STEREO_CLASS);
    plugin.set_up(setup(4_096)).unwrap();
    plugin.start().unwrap();
    let monitor = plugin.parameter("Monitor").unwrap().id;
    let [half, silent, quarter] =
        ["-6.02", "-inf", "-12.04"].map(|text| plugin.text_to_value(monitor, text).unwrap());
    let points = [point(1_000, monitor, half), point(2_000, monitor, silent), point(3_000, monitor, quarter)];
    let heard = constant_through(&mut plugin, &points, 4, 4_096);

    let first_change = heard.iter().position(|sample| *sample != 1.0).unwrap();
    assert!((1_000..1_064).contains(&first_change), "the first point acts at frame {first_change}");
    assert!(heard[1_999] > heard[2_999], "the second point acts");
    let last = heard.last().copied().unwrap();
    assert!((last - 0.25).abs() < 1e-3, "the last point holds: {last}");
}

#[test]
fn automation_on_every_frame_of_a_block_does_no_harm() {
    let mut plugin = vst3_plugin(STEREO_CLASS);
    plugin.set_up(setup(256)).unwrap();
    plugin.start().unwrap();
    let delay = plugin.parameter("Sync Delay").unwrap().id;
    let points: Vec<_> = (0..256).map(|offset| point(offset, delay, f64::from(offset) / 255.0)).collect();
    for _ in 0..20 {
        let heard = constant_through(&mut plugin, &points, 1, 256);
        assert!(heard.iter().all(|sample| *sample == 1.0), "the delay moves the others, not the track");
    }
}

/// Ardour sends automation at the frame after the block's last.
#[test]
fn a_point_at_the_frame_after_the_last_is_taken() {
    let mut plugin = vst3_plugin(STEREO_CLASS);
    plugin.set_up(setup(64)).unwrap();
    plugin.start().unwrap();
    let delay = plugin.parameter("Sync Delay").unwrap().id;
    let heard = constant_through(&mut plugin, &[point(0, delay, 0.25), point(64, delay, 0.5)], 2, 64);
    assert!(heard.iter().all(|sample| *sample == 1.0));
    assert!((plugin.value(delay) - 0.5).abs() < 1e-6);
}
