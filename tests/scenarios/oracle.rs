//! Every frame is the frame that was sent.

use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::wire::Format;
use lockstep_tests::clock::Crystal;
use lockstep_tests::daw::{Blocks, Daw};
use lockstep_tests::net::PathPlan;
use lockstep_tests::oracle::{NoiseListener, Source};
use lockstep_tests::world::{Audience, Heard, MemberPlan, World};

/// Blocks of 333 frames meet chunks and blocks of 4,096 in every phase within 28 s.
const SETTLE: Span = Span::from_millis(60_000);

/// Listens at every strip output of every member.
struct Room {
    listeners: Vec<Vec<NoiseListener>>,
}

impl Audience for Room {
    fn hear(&mut self, heard: &Heard<'_>) {
        for (listener, [left, right]) in self.listeners[heard.member].iter_mut().zip(heard.strips) {
            listener.hear(heard.first, left, right);
        }
    }
}

fn member(player: usize, blocks: Blocks) -> MemberPlan {
    let player = u64::try_from(player).unwrap();
    MemberPlan {
        daw: Daw { blocks, ..Daw::perfect(Source::Noise { player }, 64) },
        crystal: Crystal::PERFECT,
        up: PathPlan::clean(),
        down: PathPlan::clean(),
        format: Format::Pcm16,
        starts: LocalTime::ZERO,
    }
}

fn every_frame_is_exact(players: usize, blocks: &[Blocks], span: Span) {
    let mut world = World::new(1, Crystal::PERFECT, players);
    for player in 0..players {
        world.add(member(player, blocks[player % blocks.len()].clone()));
    }
    // Strips are numbered in the order in which their members' first packets came: by member here, for the paths
    // are alike.
    let listeners = (0..players)
        .map(|here| {
            let others = (0..players).filter(|there| *there != here);
            others.map(|there| NoiseListener::new(Source::Noise { player: there as u64 })).collect()
        })
        .collect();
    let mut room = Room { listeners };
    // The delays settle on what the blocks need in the first seconds; from then on they are constant.
    world.run(SETTLE, &mut room);
    room.listeners.iter_mut().flatten().for_each(NoiseListener::forget);
    world.run(span, &mut room);
    let least = u64::try_from((span - Span::from_millis(500)).nanos() * 48 / 1_000_000).unwrap();
    for (here, listeners) in room.listeners.iter().enumerate() {
        for (strip, listener) in listeners.iter().enumerate() {
            assert!(listener.offset().is_some(), "member {here} never recognised strip {strip}");
            assert_eq!(listener.wrong_count, 0, "member {here}, strip {strip}: {:?}", listener.wrong);
            assert!(listener.frames_checked >= least, "only {} frames", listener.frames_checked);
        }
    }
}

#[test]
fn two_players_for_ten_minutes() {
    every_frame_is_exact(2, &[Blocks::Fixed(64), Blocks::Fixed(256)], Span::from_millis(600_000));
}

#[test]
fn four_players_with_blocks_from_the_shortest_to_the_longest() {
    let blocks = [16, 333, 1_024, 4_096].map(Blocks::Fixed);
    every_frame_is_exact(4, &blocks, Span::from_millis(60_000));
}

#[test]
fn eight_players_with_blocks_of_every_kind() {
    let blocks = [16, 64, 128, 441, 480, 1_024, 2_048, 4_096].map(Blocks::Fixed);
    every_frame_is_exact(8, &blocks, Span::from_millis(60_000));
}
