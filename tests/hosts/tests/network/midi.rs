//! MIDI from a host into the room, and out of the room into another one, which plays it back on the next channel.

use std::collections::VecDeque;

use lockstep_hosts::block::{Input, Sent, Stroke};
use lockstep_shared::time::convert::i64_from_usize;

use super::player::Given;
use super::studio::{BLOCK, FRAMES_MAX, clap_player, vst3_player};
use super::{Other, Pace, Piece, Player, Relay, Studio, alone};
use crate::support::{Processes, STEREO_CLASS, setup};

/// Frames between two messages: not a divisor of any block.
const APART: usize = 1_111;
const ECHO: &[&str] = &["--echo-midi"];

/// Messages by the frames of the player at which its host plays them, and what comes back of each.
struct Score {
    played: Vec<(usize, Input, Vec<u8>)>,
    next: usize,
}

impl Score {
    fn new(messages: impl Iterator<Item = (Input, Vec<u8>)>) -> Self {
        let played = (0..).zip(messages).map(|(number, (input, echo))| (number * APART, input, echo));
        Self { played: played.collect(), next: 0 }
    }

    /// Plays it all, from the player's next block on, and on until the echo is over.
    fn play<I: Processes>(&mut self, player: &mut Player<I>, pace: &mut Pace) -> Vec<Given> {
        let start = player.played();
        let mut coming: VecDeque<_> = self.played.iter().cloned().collect();
        player.given.clear();
        while player.given.len() < self.played.len() && player.played() < start + 48_000 * 20 {
            let block = player.played()..player.played() + BLOCK;
            while coming.front().is_some_and(|(at, ..)| start + at < block.end) {
                let Some((at, input, _)) = coming.pop_front() else { break };
                player.inputs.push(input.at(u32::try_from(start + at - block.start).unwrap()));
            }
            // One block.
            pace.play(0.001, &mut [player]);
        }
        self.next = start;
        player.given.clone()
    }

    /// Asserts that everything came back once, in order, and at one distance from its time.
    fn assert_echo(&self, given: &[Given]) {
        let echoes: Vec<&[u8]> = self.played.iter().map(|(.., echo)| echo.as_slice()).collect();
        let bytes: Vec<Vec<u8>> = given.iter().map(|given| given.bytes()).collect();
        assert_eq!(bytes, echoes);
        let travels: Vec<i64> = given
            .iter()
            .zip(&self.played)
            .map(|(given, (at, ..))| i64_from_usize(given.frame) - i64_from_usize(self.next + at))
            .collect();
        let (least, most) = (travels.iter().min().unwrap(), travels.iter().max().unwrap());
        let mut steps: Vec<i64> = travels.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        steps.sort_unstable();
        eprintln!(
            "figure: there and back in {least} to {most} frames; from one message to the next {} at the median, {} at \
             the 95th of 100",
            steps[steps.len() / 2],
            steps[steps.len() * 95 / 100]
        );
        // The clocks of two processes on a busy machine move by a frame now and then.
        assert!(steps[steps.len() / 2] <= 2, "{steps:?}");
    }
}

fn note(stroke: Stroke, key: u8) -> (Input, Vec<u8>) {
    let input = Input::Note { offset: 0, stroke, channel: 2, key, velocity: 100.0 / 127.0 };
    let status = match stroke {
        Stroke::Struck => 0x93,
        Stroke::Released => 0x83,
    };
    (input, vec![status, key, 100])
}

fn midi(bytes: [u8; 3], echo: &[u8]) -> (Input, Vec<u8>) {
    (Input::Midi { offset: 0, bytes }, echo.to_vec())
}

fn exclusive(length: usize) -> (Input, Vec<u8>) {
    let bytes = [&[0xF0][..], &vec![0x55; length], &[0xF7]].concat();
    (Input::SystemExclusive { offset: 0, bytes: bytes.clone().into() }, bytes)
}

fn notes() -> impl Iterator<Item = (Input, Vec<u8>)> {
    (0..40).flat_map(|key| [note(Stroke::Struck, key), note(Stroke::Released, key)])
}

#[test]
fn midi_of_a_clap_host_comes_out_of_another_at_its_time() {
    alone("network::midi::midi_of_a_clap_host_comes_out_of_another_at_its_time", |folder| {
        let relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let other = Other::keep_time(folder, &relay.invite, "other", ECHO);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &Piece::noise(1));
        let mut pace = Pace::new(48_000.0, BLOCK);
        relay.wait_for_members(2);
        pace.play(3.0, &mut [&mut player]);
        let others = [
            midi([0x92, 60, 1], &[0x93, 60, 1]),
            midi([0x92, 60, 0], &[0x93, 60, 0]),
            midi([0xA2, 60, 5], &[0xA3, 60, 5]),
            midi([0xB2, 74, 127], &[0xB3, 74, 127]),
            midi([0xC2, 9, 0], &[0xC3, 9]),
            midi([0xD2, 33, 0], &[0xD3, 33]),
            midi([0xE2, 1, 99], &[0xE3, 1, 99]),
            midi([0xF3, 4, 0], &[0xF3, 4]),
        ];
        let mut score = Score::new(notes().chain(others));
        let given = score.play(&mut player, &mut pace);
        score.assert_echo(&given);
        // The other says that its audio thread has allocated nothing.
        let _ = other.leave(|| pace.play(0.2, &mut [&mut player]));
        plugin.deactivate(player.instance);
    });
}

#[test]
fn notes_and_exclusive_messages_of_a_vst3_host_come_out_of_another_too() {
    alone("network::midi::notes_and_exclusive_messages_of_a_vst3_host_come_out_of_another_too", |folder| {
        let relay = Relay::start(folder, 8);
        let _studio = Studio::with_invite(folder, &relay.invite);
        let _other = Other::keep_time(folder, &relay.invite, "other", ECHO);
        let plugin = Studio::vst3(STEREO_CLASS, &relay.invite.place(), "ours");
        let mut player = vst3_player(plugin, setup(FRAMES_MAX), &Piece::noise(1));
        let mut pace = Pace::new(48_000.0, BLOCK);
        relay.wait_for_members(2);
        pace.play(3.0, &mut [&mut player]);
        let mut score = Score::new(notes().chain([exclusive(5), note(Stroke::Struck, 9), exclusive(900)]));
        let given = score.play(&mut player, &mut pace);
        score.assert_echo(&given);
    });
}

#[test]
fn nothing_hangs_when_the_player_leaves() {
    alone("network::midi::nothing_hangs_when_the_player_leaves", |folder| {
        let relay = Relay::start(folder, 8);
        let studio = Studio::with_invite(folder, &relay.invite);
        let other = Other::keep_time(folder, &relay.invite, "other", ECHO);
        let mut plugin = studio.clap(&relay.invite.place(), "ours");
        let mut player = clap_player(&mut plugin, 48_000.0, &Piece::noise(1));
        let mut pace = Pace::new(48_000.0, BLOCK);
        relay.wait_for_members(2);
        pace.play(3.0, &mut [&mut player]);
        let held = [midi([0x92, 60, 1], &[0x93, 60, 1]), midi([0xB2, 64, 127], &[0xB3, 64, 127])];
        let mut score = Score::new(held.into_iter());
        let given = score.play(&mut player, &mut pace);
        score.assert_echo(&given);
        player.given.clear();
        let _ = other.leave(|| pace.play(0.2, &mut [&mut player]));
        pace.play(1.0, &mut [&mut player]);
        let ended: Vec<Sent> = player.given.iter().map(|given| given.sent.clone()).collect();
        let [Sent::Midi { bytes: first, .. }, Sent::Midi { bytes: second, .. }] = &ended[..] else {
            panic!("a release and a pedal up, not {ended:?}")
        };
        assert_eq!((first, second), (&[0x83, 60, 64], &[0xB3, 64, 0]));
        plugin.deactivate(player.instance);
    });
}
