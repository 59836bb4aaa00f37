//! The relay's mix: everybody else, and never oneself.

use lockstep_plugin::engine::RoomMode;
use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::wire::Format;
use lockstep_tests::clock::Crystal;
use lockstep_tests::daw::{Daw, open_controls};
use lockstep_tests::net::PathPlan;
use lockstep_tests::oracle::{NoiseListener, Source};
use lockstep_tests::world::{Audience, Heard, MemberPlan, World};

struct Mains(Vec<NoiseListener>);

impl Audience for Mains {
    fn hear(&mut self, heard: &Heard<'_>) {
        self.0[heard.member].hear(heard.first, heard.main[0], heard.main[1]);
    }
}

/// Each of `modes` is a member; what it hears in its main output is, frame for frame, the sum of the others.
fn hears_the_sum_of_the_others(modes: &[(RoomMode, usize)]) {
    let mut world = World::new(5, Crystal::PERFECT, modes.len());
    let source = |player: usize| Source::Noise { player: u64::try_from(player).unwrap() };
    for (player, (mode, block)) in modes.iter().enumerate() {
        world.add(MemberPlan {
            daw: Daw { controls: open_controls(*mode), ..Daw::perfect(source(player), *block) },
            crystal: Crystal::PERFECT,
            up: PathPlan::clean(),
            down: PathPlan::clean(),
            format: Format::Pcm16,
            starts: LocalTime::ZERO,
        });
    }
    let others = |here: usize| (0..modes.len()).filter(move |there| *there != here).map(source).collect();
    let mut mains = Mains((0..modes.len()).map(|here| NoiseListener::to_sum(others(here))).collect());
    world.run(Span::from_millis(60_000), &mut mains);
    mains.0.iter_mut().for_each(NoiseListener::forget);
    world.run(Span::from_millis(20_000), &mut mains);
    for (here, listener) in mains.0.iter().enumerate() {
        assert!(listener.offset().is_some(), "member {here} never recognised the sum");
        assert_eq!(listener.wrong_count, 0, "member {here}: {:?}", listener.wrong);
        assert!(listener.frames_checked > 900_000);
    }
}

#[test]
fn three_members_each_hear_the_other_two() {
    hears_the_sum_of_the_others(&[(RoomMode::Mix, 64), (RoomMode::Mix, 128), (RoomMode::Mix, 512)]);
}

#[test]
fn one_hears_a_mix_while_another_hears_stems() {
    hears_the_sum_of_the_others(&[(RoomMode::Mix, 64), (RoomMode::Stems, 64)]);
}
