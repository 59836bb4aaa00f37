//! Either format, at every rate, in and out of real time.

use lockstep_hosts::block::Stereo;
use lockstep_hosts::clap::Render;
use lockstep_hosts::clock;
use lockstep_hosts::vst3::{Mode, Setup};
use lockstep_shared::time::convert::f64_from_usize;

use super::player::Plays;
use super::studio::{BLOCK, FRAMES_MAX, clap_player, vst3_player};
use super::{Other, Pace, Piece, Player, Relay, Studio, alone};
use crate::support::{MULTI_OUT_CLASS, Processes, STEREO_CLASS, setup};

/// Blocks of a bounce: 16 seconds of sound.
const BOUNCED: usize = 3_000;

#[test]
fn both_vst3_classes_play_with_a_clap_member() {
    alone("network::formats::both_vst3_classes_play_with_a_clap_member", |folder| {
        let relay = Relay::start(folder, 8);
        let _studio = Studio::with_invite(folder, &relay.invite);
        let (ours, theirs) = (Piece::noise(1), Piece::noise(2));
        let other = Other::join(folder, &relay.invite, "other", &theirs);
        let mut pace = Pace::new(48_000.0, BLOCK);

        let plugin = Studio::vst3(STEREO_CLASS, &relay.invite.place(), "stereo");
        let mut stereo = vst3_player(plugin, setup(FRAMES_MAX), &ours);
        pace.play_until_heard(5.0, &mut [&mut stereo]);
        pace.play(0.5, &mut [&mut stereo]);
        let stereo_heard = stereo.heard(0).clone();
        drop(stereo);

        let plugin = Studio::vst3(MULTI_OUT_CLASS, &relay.invite.place(), "multi-out");
        let mut multi_out = vst3_player(plugin, setup(FRAMES_MAX), &ours);
        pace.play_until_heard(5.0, &mut [&mut multi_out]);
        pace.play(1.0, &mut [&mut multi_out]);
        let heard: Vec<Stereo> = (0..9).map(|output| multi_out.heard(output).clone()).collect();
        assert_eq!(other.strips_played(), ["multi-out", "stereo"]);
        let their_outputs = other.leave(|| pace.play(0.2, &mut [&mut multi_out]));
        assert!(theirs.find(&stereo_heard).is_some(), "the stereo class hears the other");
        assert!(theirs.find(&heard[0]).is_some(), "the multi-out class hears the other");
        assert!(theirs.find(&heard[1]).is_some(), "and has it in an output of its own");
        assert!(heard[2..].iter().all(|output| output.peak() == 0.0));
        assert!(ours.find(&their_outputs[1]).is_some(), "the other hears the multi-out class");
    });
}

#[test]
fn a_bounce_in_clap_has_the_track_alone_and_real_time_brings_the_room_back() {
    alone(
        "network::formats::a_bounce_in_clap_has_the_track_alone_and_real_time_brings_the_room_back",
        |folder| {
            let relay = Relay::start(folder, 8);
            let studio = Studio::with_invite(folder, &relay.invite);
            let theirs = Piece::noise(2);
            let _other = Other::join(folder, &relay.invite, "other", &theirs);
            let mut plugin = studio.clap(&relay.invite.place(), "ours");
            for render in [Render::Realtime, Render::Offline, Render::Realtime] {
                plugin.set_render(render).unwrap();
                let mut player = clap_player(&mut plugin, 48_000.0, &Piece::noise(1));
                match render {
                    Render::Realtime => assert_hears(&mut player, &theirs, 48_000.0),
                    Render::Offline => {
                        bounce(&mut player);
                        player.assert_undisturbed();
                    }
                }
                plugin.deactivate(player.instance);
            }
        },
    );
}

#[test]
fn a_bounce_in_vst3_has_the_track_alone_and_real_time_brings_the_room_back() {
    alone(
        "network::formats::a_bounce_in_vst3_has_the_track_alone_and_real_time_brings_the_room_back",
        |folder| {
            let relay = Relay::start(folder, 8);
            let _studio = Studio::with_invite(folder, &relay.invite);
            let theirs = Piece::noise(2);
            let _other = Other::join(folder, &relay.invite, "other", &theirs);
            let plugin = Studio::vst3(MULTI_OUT_CLASS, &relay.invite.place(), "ours");
            let mut player = vst3_player(plugin, setup(FRAMES_MAX), &Piece::noise(1));
            assert_hears(&mut player, &theirs, 48_000.0);
            for mode in [Mode::Offline, Mode::Realtime] {
                player.instance.stop().unwrap();
                player.instance.set_up(Setup { mode, ..setup(FRAMES_MAX) }).unwrap();
                player.instance.start().unwrap();
                player.forget();
                match mode {
                    Mode::Realtime | Mode::Prefetch => assert_hears(&mut player, &theirs, 48_000.0),
                    Mode::Offline => {
                        bounce(&mut player);
                        player.assert_undisturbed();
                    }
                }
            }
        },
    );
}

#[test]
fn another_sample_rate_in_the_middle_brings_the_room_back() {
    alone("network::formats::another_sample_rate_in_the_middle_brings_the_room_back", |folder| {
        let relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let (ours, theirs) = (Piece::rumble(1), Piece::rumble(2));
        let other = Other::join(folder, &relay.invite, "other", &theirs);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        for sample_rate in [48_000.0, 44_100.0, 96_000.0] {
            let mut player = clap_player(&mut plugin, sample_rate, &ours.at_rate(sample_rate));
            assert_hears(&mut player, &theirs.at_rate(sample_rate), sample_rate);
            plugin.deactivate(player.instance);
        }
        let mut player = clap_player(&mut plugin, 44_100.0, &ours.at_rate(44_100.0));
        let mut pace = Pace::new(44_100.0, BLOCK);
        pace.play_until_heard(5.0, &mut [&mut player]);
        pace.play(1.0, &mut [&mut player]);
        let their_outputs = other.leave(|| pace.play(0.2, &mut [&mut player]));
        assert!(ours.find(&their_outputs[1]).is_some(), "the other hears us at its own rate");
        plugin.deactivate(player.instance);
    });
}

/// Plays until `piece` is heard, and a little longer to be sure.
fn assert_hears<I: Processes>(player: &mut Player<I>, piece: &Piece, sample_rate: f64) {
    let mut pace = Pace::new(sample_rate, BLOCK);
    let seconds = pace.play_until_heard(5.0, &mut [player]);
    eprintln!("figure: at {sample_rate} Hz heard after {seconds:.2} s");
    pace.play(0.5, &mut [player]);
    assert!(piece.find(player.heard(0)).is_some(), "the other is heard");
    assert!(piece.find(player.heard(1)).is_some(), "and in an output of its own");
}

/// Renders as fast as it goes.
fn bounce<I: Processes>(player: &mut Player<I>) {
    let start = clock::now();
    for _ in 0..BOUNCED {
        player.play_block();
    }
    let seconds = (clock::now() - start).secs_f64();
    let sound = f64_from_usize(BOUNCED * BLOCK) / 48_000.0;
    eprintln!("figure: {sound:.1} s of sound in {seconds:.2} s");
    assert!(seconds < sound / 2.0, "{sound:.1} s of sound took {seconds:.1} s: something waits");
}
