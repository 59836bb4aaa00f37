//! CLAP: parameters, their texts and their automation.

use lockstep_hosts::block::Sent;

use crate::support::{PARAMETERS, activation, clap_plugin, clap_value, constant_through, names, point};

/// How soon a parameter's new value holds: what the engine may take to glide there.
const SETTLED_FRAMES: usize = 48_000 / 4;

#[test]
fn the_parameters_are_named_as_a_musician_would() {
    let mut plugin = clap_plugin();
    let parameters = plugin.parameters().unwrap();
    let names = names(&parameters);
    for name in PARAMETERS {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    for start in ["Send", "Receive"] {
        assert!(names.iter().any(|name| name.starts_with(start)), "no {start} in {names:?}");
    }
    assert!(parameters.iter().all(|parameter| parameter.automatable), "{parameters:?}");
    assert_eq!(parameters.iter().filter(|parameter| parameter.bypass).count(), 1);
}

#[test]
fn every_value_is_within_its_range_and_starts_at_its_default() {
    let mut plugin = clap_plugin();
    for parameter in plugin.parameters().unwrap() {
        let value = plugin.value(parameter.id).unwrap();
        assert!(parameter.min <= parameter.default && parameter.default <= parameter.max, "{parameter:?}");
        assert!((value - parameter.default).abs() < 1e-9, "{parameter:?} is {value}");
    }
}

#[test]
fn texts_lead_back_to_their_values() {
    let mut plugin = clap_plugin();
    for parameter in plugin.parameters().unwrap() {
        for step in 0..=20 {
            let mut value = parameter.min + (parameter.max - parameter.min) * f64::from(step) / 20.0;
            if parameter.stepped {
                value = value.round();
            }
            let text = plugin.value_to_text(parameter.id, value).unwrap();
            let read = plugin.text_to_value(parameter.id, &text).unwrap_or_else(|error| {
                panic!("{} wrote {text} and does not read it: {error}", parameter.name);
            });
            let again = plugin.value_to_text(parameter.id, read).unwrap();
            assert_eq!(text, again, "{} at {value}", parameter.name);
        }
    }
}

#[test]
fn the_sync_delay_speaks_milliseconds_up_to_5000() {
    let mut plugin = clap_plugin();
    let delay = plugin.parameter("Sync Delay").unwrap();
    let longest = plugin.value_to_text(delay.id, delay.max).unwrap();
    assert!(longest.starts_with("5000") && longest.ends_with("ms"), "{longest}");
    let (_, value) = clap_value(&mut plugin, "Sync Delay", "120 ms");
    let text = plugin.value_to_text(delay.id, value).unwrap();
    assert!(text.starts_with("120"), "{text}");
}

#[test]
fn text_that_means_nothing_is_refused() {
    let mut plugin = clap_plugin();
    for parameter in plugin.parameters().unwrap() {
        for text in ["", "perhaps", "\u{1F3BA}"] {
            let read = plugin.text_to_value(parameter.id, text);
            assert!(read.is_err() || parameter.stepped, "{} reads {read:?} in {text:?}", parameter.name);
        }
    }
}

#[test]
fn a_change_between_blocks_takes_hold_while_inactive() {
    let mut plugin = clap_plugin();
    let (delay, value) = clap_value(&mut plugin, "Sync Delay", "250 ms");
    plugin.flush(&[point(0, delay, value)]).unwrap();
    assert!((plugin.value(delay).unwrap() - value).abs() < 1e-6);
}

#[test]
fn three_points_in_one_block_act_from_their_own_frames() {
    let mut plugin = clap_plugin();
    let (monitor, half) = clap_value(&mut plugin, "Monitor", "-6.02 dB");
    let (_, silent) = clap_value(&mut plugin, "Monitor", "-inf dB");
    let (_, quarter) = clap_value(&mut plugin, "Monitor", "-12.04 dB");
    let mut processor = plugin.activate(activation(4_096)).unwrap();
    let points = [point(1_000, monitor, half), point(2_000, monitor, silent), point(3_000, monitor, quarter)];
    let heard = constant_through(&mut processor, &points, 1 + SETTLED_FRAMES / 4_096, 4_096);
    plugin.deactivate(processor);

    let first_change = heard.iter().position(|sample| *sample != 1.0).unwrap();
    assert!((1_000..1_064).contains(&first_change), "the first point acts at frame {first_change}");
    let falling = &heard[1_000..2_000];
    assert!(falling.windows(2).all(|pair| pair[1] <= pair[0] + 1e-6), "to the first point it only falls");
    assert!(heard[1_999] > heard[2_999], "the second point acts");
    let last = heard.last().copied().unwrap();
    assert!((last - 0.25).abs() < 1e-3, "the last point holds: {last}");
    assert!((plugin.value(monitor).unwrap() - quarter).abs() < 1e-6);
}

#[test]
fn automation_on_every_frame_of_a_block_does_no_harm() {
    let mut plugin = clap_plugin();
    let (delay, longest) = clap_value(&mut plugin, "Sync Delay", "5000 ms");
    let mut processor = plugin.activate(activation(256)).unwrap();
    let points: Vec<_> =
        (0..256).map(|offset| point(offset, delay, longest * f64::from(offset) / 255.0)).collect();
    for _ in 0..20 {
        let heard = constant_through(&mut processor, &points, 1, 256);
        assert!(heard.iter().all(|sample| *sample == 1.0), "the delay moves the others, not the track");
        // Each point is news for the editor, which a host's main thread delivers.
        let _ = plugin.serve_requests();
    }
    plugin.deactivate(processor);
}

#[test]
fn points_at_the_block_s_end_and_unknown_parameters_are_tolerated() {
    let mut plugin = clap_plugin();
    let (delay, value) = clap_value(&mut plugin, "Sync Delay", "40 ms");
    let mut processor = plugin.activate(activation(64)).unwrap();
    let unknown = lockstep_hosts::block::ParameterId(0x7FFF_FFF0);
    let points = [point(0, unknown, 0.5), point(63, delay, value)];
    let heard = constant_through(&mut processor, &points, 2, 64);
    assert!(heard.iter().all(|sample| *sample == 1.0));
    assert!(processor.sent().is_sorted_by_key(Sent::offset));
    plugin.deactivate(processor);
    assert!((plugin.value(delay).unwrap() - value).abs() < 1e-6);
}

#[test]
fn bypass_passes_the_track_whatever_the_monitor_says() {
    let mut plugin = clap_plugin();
    let (monitor, silent) = clap_value(&mut plugin, "Monitor", "-inf dB");
    let bypass = plugin.parameters().unwrap().into_iter().find(|parameter| parameter.bypass).unwrap();
    let mut processor = plugin.activate(activation(512)).unwrap();
    let blocks = SETTLED_FRAMES / 512;
    let points = [point(0, monitor, silent), point(0, bypass.id, bypass.max)];
    let heard = constant_through(&mut processor, &points, blocks, 512);
    assert!((heard.last().unwrap() - 1.0).abs() < 1e-6, "bypassed");
    let heard = constant_through(&mut processor, &[point(0, bypass.id, bypass.min)], blocks, 512);
    assert!(heard.last().unwrap().abs() < 1e-6, "not bypassed");
    plugin.deactivate(processor);
}
