//! Members hear each other.

use lockstep_hosts::block::Stereo;
use lockstep_hosts::clap::Processor;
use lockstep_shared::time::convert::f64_from_usize;

use super::piece::WINDOW;
use super::studio::{BLOCK, clap_player};
use super::{Other, Pace, Piece, Player, Relay, Studio, alone};
use crate::support::{clap_value, point};

#[test]
fn two_hosts_hear_each_other() {
    alone("network::room::two_hosts_hear_each_other", |folder| {
        let relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let (ours, theirs) = (Piece::noise(1), Piece::noise(2));
        let other = Other::join(folder, &relay.invite, "other", &theirs);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &ours);
        let mut pace = Pace::new(48_000.0, BLOCK);
        let seconds = pace.play_until_heard(5.0, &mut [&mut player]);
        eprintln!("figure: heard after {seconds:.2} s");
        pace.play(1.0, &mut [&mut player]);

        let heard: Vec<Stereo> = (0..9).map(|output| player.heard(output).clone()).collect();
        assert_eq!(other.strips_played(), ["ours"], "the strip has its name");
        let their_outputs = other.leave(|| pace.play(0.2, &mut [&mut player]));

        let main = theirs.find(&heard[0]).expect("the other is heard in the main output");
        let strip = theirs.find(&heard[1]).expect("the other is heard in its strip's output");
        assert_eq!(main, strip, "the outputs agree");
        assert!(heard[2..].iter().all(|output| output.peak() == 0.0), "an output without a strip is silent");
        assert!(ours.is_absent_from(&heard[1]), "nobody hears themselves");
        assert!(ours.find(&their_outputs[0]).is_some(), "the other hears us in the main output");
        assert!(ours.find(&their_outputs[1]).is_some(), "and in our strip's");
        assert!(theirs.is_absent_from(&their_outputs[1]), "the other does not hear itself");
        plugin.deactivate(player.instance);
    });
}

#[test]
fn instances_of_one_process_are_strips_of_one_member() {
    alone("network::room::instances_of_one_process_are_strips_of_one_member", |folder| {
        let relay = Relay::start(folder, 2);
        let studio = Studio::with_invite(folder, &relay.invite);
        let (first_piece, second_piece, theirs) = (Piece::noise(1), Piece::noise(2), Piece::noise(3));
        let mut first_plugin = studio.clap(&relay.invite.place(), "first");
        let mut second_plugin = studio.clap(&relay.invite.place(), "second");
        let mut first = clap_player(&mut first_plugin, 48_000.0, &first_piece);
        let mut second = clap_player(&mut second_plugin, 48_000.0, &second_piece);
        let mut pace = Pace::new(48_000.0, BLOCK);
        pace.play(0.2, &mut [&mut first, &mut second]);
        // The room holds two members: the two instances are one of them.
        let other = Other::join(folder, &relay.invite, "other", &theirs);
        pace.play_until_heard(5.0, &mut [&mut first, &mut second]);
        pace.play(1.0, &mut [&mut first, &mut second]);
        let first_heard = first.heard(0).clone();
        second.assert_undisturbed();

        let (mute, on) = clap_value(&mut first_plugin, "Mute Receive", "On");
        first.inputs.push(point(0, mute, on));
        pace.play_until_heard(2.0, &mut [&mut second, &mut first]);
        first.forget();
        pace.play(1.0, &mut [&mut first, &mut second]);
        first.assert_undisturbed();
        let second_heard = [second.heard(0).clone(), second.heard(1).clone()];
        assert_eq!(other.strips_played(), ["first", "second"]);
        let their_outputs = other.leave(|| pace.play(0.2, &mut [&mut first, &mut second]));

        assert!(theirs.find(&first_heard).is_some(), "the first instance is the listener");
        assert!(theirs.find(&second_heard[0]).is_some(), "then the next instance is");
        assert!(theirs.find(&second_heard[1]).is_some(), "and has the strip's output");
        assert!(first_piece.find(&their_outputs[1]).is_some(), "the first instance is a strip");
        assert!(second_piece.find(&their_outputs[2]).is_some(), "the second instance is another");
        assert!(their_outputs[3..].iter().all(|output| output.peak() == 0.0), "there is no third");
        first_plugin.deactivate(first.instance);
        second_plugin.deactivate(second.instance);
    });
}

#[test]
fn the_sync_delay_is_heard() {
    alone("network::room::the_sync_delay_is_heard", |folder| {
        let relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let theirs = Piece::noise(2);
        let _other = Other::join(folder, &relay.invite, "other", &theirs);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &Piece::silence());
        let (delay, later) = clap_value(&mut plugin, "Sync Delay", "100 ms");
        let mut pace = Pace::new(48_000.0, BLOCK);
        pace.play_until_heard(5.0, &mut [&mut player]);
        pace.play(1.0, &mut [&mut player]);
        // Up and down several times, for the automatic part of the delay may move too on a busy machine.
        let mut moments = vec![player.played()];
        for value in [later, 0.0, later, 0.0, later] {
            player.inputs.push(point(100, delay, value));
            pace.play(0.3, &mut [&mut player]);
            moments.push(player.played());
        }
        let lags: Vec<usize> = moments.into_iter().map(|end| lag(&theirs, &player, end)).collect();
        let loop_frames = theirs.frames();
        let mut steps: Vec<usize> = lags
            .windows(2)
            .enumerate()
            .map(|(step, pair)| {
                let (from, to) = if step % 2 == 0 { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
                (to + loop_frames - from) % loop_frames
            })
            .collect();
        steps.sort_unstable();
        let milliseconds = f64_from_usize(steps[2]) / 48.0;
        eprintln!("figure: 100 ms are {milliseconds:.2} ms; in frames {steps:?}");
        assert!((milliseconds - 100.0).abs() < 3.0, "100 ms are {milliseconds:.2} ms; in frames {steps:?}");
        plugin.deactivate(player.instance);
    });
}

/// By how much the piece lay behind what this player played up to frame `end`, modulo the piece's length.
fn lag(piece: &Piece, player: &Player<Processor>, end: usize) -> usize {
    let Stereo { left, right } = player.heard(0);
    let heard = Stereo { left: left[..end].to_vec(), right: right[..end].to_vec() };
    let found = piece.find(&heard).expect("the piece is heard");
    (end - WINDOW + piece.frames() - found.frame) % piece.frames()
}
