//! What goes wrong: the track passes through as if there were no room, and the room comes back when it can.

use std::net::UdpSocket;

use lockstep_hosts::clock;
use lockstep_shared::session::{Invite, RelayPublicKey, RoomSecret};
use lockstep_shared::time::Span;

use super::player::Plays;
use super::studio::{BLOCK, clap_player};
use super::{Other, Pace, Piece, Relay, Studio, alone};

/// Each of these is an instance with a link of its own, in one process and at one time.
#[test]
fn whoever_cannot_join_plays_on_undisturbed() {
    alone("network::trouble::whoever_cannot_join_plays_on_undisturbed", |folder| {
        let relay = Relay::start(folder, 8);
        let _other = Other::join(folder, &relay.invite, "other", &Piece::noise(2));
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let named = |room: &str| Invite { room: room.to_owned(), ..relay.invite.clone() };
        let invites = [
            Invite { secret: RoomSecret([7; 16]), ..named("wrong-secret") },
            Invite { relay_key: RelayPublicKey([7; 32]), ..named("wrong-key") },
            Invite { port: silent.local_addr().unwrap().port(), ..named("no-answer") },
            Invite { port: closed, ..named("port-closed") },
            Invite { host: "relay.invalid".to_owned(), ..named("unknown-host") },
        ];
        let mut lines: Vec<String> = invites.iter().map(Invite::to_string).collect();
        let damaged = named("damaged");
        lines.push(damaged.to_string().replace('#', "#%"));
        lines.push("this is no invite".to_owned());
        let studio = Studio::with_invites(folder, &lines);

        let mut places: Vec<String> = invites.iter().map(Invite::place).collect();
        places.extend([damaged.place(), named("never-heard-of").place(), "no place at all".to_owned()]);
        let mut plugins: Vec<_> = places.iter().map(|place| studio.clap(place, "ours")).collect();
        let piece = Piece::noise(1);
        let mut players: Vec<_> =
            plugins.iter_mut().map(|plugin| clap_player(plugin, 48_000.0, &piece)).collect();
        let mut all: Vec<&mut dyn Plays> =
            players.iter_mut().map(|player| player as &mut dyn Plays).collect();
        let mut pace = Pace::new(48_000.0, BLOCK);
        pace.play(2.5, &mut all);
        for player in &players {
            player.assert_undisturbed();
        }
        assert!(relay.figure("refused") >= 1, "the relay says no to a wrong secret");
        assert_eq!(relay.figure("members_now"), 1, "nobody came in");
        let mut knocks = [0; 2_048];
        silent.set_nonblocking(true).unwrap();
        assert!(silent.recv(&mut knocks).is_ok(), "somebody knocks where nobody answers");
        for (plugin, player) in plugins.iter_mut().zip(players) {
            plugin.deactivate(player.instance);
        }
    });
}

#[test]
fn an_invite_in_the_environment_that_is_none_does_no_harm() {
    alone("network::trouble::an_invite_in_the_environment_that_is_none_does_no_harm", |folder| {
        let piece = Piece::noise(1);
        for (index, invite) in ["", "lockstep://", "lockstep://127.0.0.1/studio#short"].iter().enumerate() {
            let other = Other::start(folder, invite, &format!("other-{index}"), &piece);
            let outputs = other.leave(|| clock::sleep(Span::from_millis(200)));
            let frames = outputs[0].frames();
            assert!(frames > BLOCK, "{frames} frames with {invite:?}");
            let track =
                |channel: &[f32]| -> Vec<f32> { channel.iter().cycle().take(frames).copied().collect() };
            assert!(outputs[0].left == track(&piece.stereo.left), "the track differs with {invite:?}");
            assert!(outputs[0].right == track(&piece.stereo.right), "the track differs with {invite:?}");
            assert!(outputs[1..].iter().all(|output| output.peak() == 0.0));
        }
    });
}

#[test]
fn whoever_finds_the_room_full_waits_for_a_place() {
    alone("network::trouble::whoever_finds_the_room_full_waits_for_a_place", |folder| {
        let relay = Relay::start(folder, 2);
        let studio = Studio::with_invite(folder, &relay.invite);
        let theirs = Piece::noise(2);
        let _stays = Other::join(folder, &relay.invite, "stays", &theirs);
        let leaves = Other::join(folder, &relay.invite, "leaves", &Piece::noise(3));
        relay.wait_for_members(2);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &Piece::noise(1));
        let mut pace = Pace::new(48_000.0, BLOCK);
        pace.play(1.5, &mut [&mut player]);
        player.assert_undisturbed();
        assert!(relay.figure("refused") >= 1, "the relay says that the room is full");

        drop(leaves.leave(|| pace.play(0.05, &mut [&mut player])));
        let seconds = pace.play_until_heard(10.0, &mut [&mut player]);
        eprintln!("figure: in {seconds:.2} s after a place became free");
        pace.play(0.5, &mut [&mut player]);
        assert!(theirs.find(player.heard(0)).is_some());
        plugin.deactivate(player.instance);
    });
}

#[test]
fn a_relay_that_comes_back_brings_the_room_back() {
    alone("network::trouble::a_relay_that_comes_back_brings_the_room_back", |folder| {
        let mut relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let (ours, theirs) = (Piece::noise(1), Piece::noise(2));
        let other = Other::join(folder, &relay.invite, "other", &theirs);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &ours);
        let mut pace = Pace::new(48_000.0, BLOCK);
        pace.play_until_heard(5.0, &mut [&mut player]);
        let mut heard = Vec::new();
        // Once shorter than it takes to be missed, once longer.
        for outage in [0.5, 2.5] {
            relay.kill();
            pace.play(outage, &mut [&mut player]);
            assert!(!player.hears(), "there is no relay");
            relay.revive();
            let seconds = pace.play_until_heard(5.0, &mut [&mut player]);
            eprintln!("figure: {outage:.1} s without a relay, heard again {seconds:.2} s after it came back");
            pace.play(1.0, &mut [&mut player]);
            heard.push(player.heard(0).clone());
        }
        let their_outputs = other.leave(|| pace.play(0.2, &mut [&mut player]));
        assert!(heard.iter().all(|heard| theirs.find(heard).is_some()), "the other is heard again");
        assert!(ours.find(&their_outputs[1]).is_some(), "and hears us again");
        plugin.deactivate(player.instance);
    });
}

#[test]
fn a_host_that_stalls_is_heard_again() {
    alone("network::trouble::a_host_that_stalls_is_heard_again", |folder| {
        let relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let ours = Piece::rumble(1);
        let other = Other::join(folder, &relay.invite, "other", &Piece::silence());
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &ours);
        let mut pace = Pace::new(48_000.0, BLOCK);
        pace.play(1.0, &mut [&mut player]);
        // As a DAW does that loads a project or an effect.
        clock::sleep(Span::from_millis(700));
        pace.play(1.0, &mut [&mut player]);
        let their_outputs = other.leave(|| pace.play(0.2, &mut [&mut player]));
        let found = ours.find(&their_outputs[1]).expect("the other hears us again");
        assert!(found.windows >= 4, "{} windows of a second after the stall have our piece", found.windows);
        plugin.deactivate(player.instance);
    });
}
