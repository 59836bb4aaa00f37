//! Every frame that is heard is the frame that was sent.

use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::wire::Format;

use super::{Figure, Holds, Length};
use crate::clock::Crystal;
use crate::daw::{Blocks, Daw};
use crate::net::PathPlan;
use crate::oracle::{NoiseListener, Source};
use crate::world::{Audience, Heard, MemberPlan, World};

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

/// Rooms of 2, 4 and 8 players with blocks from 16 to 4,096 frames, clocks alike and nothing lost.
#[must_use]
pub fn oracle_figures(length: Length) -> Vec<Figure> {
    let span = match length {
        Length::Quick => Span::from_millis(60_000),
        Length::Full => Span::from_millis(600_000),
    };
    let rooms: [&[usize]; 3] =
        [&[64, 256], &[16, 333, 1_024, 4_096], &[16, 64, 128, 441, 480, 1_024, 2_048, 4_096]];
    rooms.into_iter().flat_map(|blocks| one_room(blocks, span)).collect()
}

fn one_room(blocks: &[usize], span: Span) -> [Figure; 2] {
    let players = blocks.len();
    let source = |player: usize| Source::Noise { player: player as u64 };
    let mut world = World::new(1, Crystal::PERFECT, players);
    for (player, block) in blocks.iter().enumerate() {
        world.add(MemberPlan {
            daw: Daw { blocks: Blocks::Fixed(*block), ..Daw::perfect(source(player), 64) },
            crystal: Crystal::PERFECT,
            up: PathPlan::clean(),
            down: PathPlan::clean(),
            format: Format::Pcm16,
            starts: LocalTime::ZERO,
        });
    }
    // Strips are numbered in the order in which their members' first packets came: by member here, for the paths are
    // alike.
    let others = |here: usize| (0..players).filter(move |there| *there != here);
    let listeners = (0..players)
        .map(|here| others(here).map(|there| NoiseListener::new(source(there))).collect())
        .collect();
    let mut room = Room { listeners };
    world.run(SETTLE, &mut room);
    room.listeners.iter_mut().flatten().for_each(NoiseListener::forget);
    world.run(span, &mut room);
    let due = (span - Span::from_millis(500)).secs_f64() * 48_000.0;
    let (mut wrong, mut least) = (0.0, f64::INFINITY);
    for listener in room.listeners.iter().flatten() {
        let checked = lockstep_shared::time::convert::f64_from_u64(listener.frames_checked);
        wrong += lockstep_shared::time::convert::f64_from_u64(listener.wrong_count);
        least = least.min(checked / due);
    }
    let note = format!("blocks {blocks:?}, {:.0} min", span.secs_f64() / 60.0);
    let row = |what: &str, goal, measured, holds, unit| Figure {
        name: format!("oracle.{players}_players.{what}"),
        note: note.clone(),
        goal,
        measured,
        holds,
        unit,
    };
    [
        row("wrong_frames", 0.0, wrong, Holds::AtMost, "frames"),
        // Below one where a strip was recognised late or lost its offset.
        row("checked_share", 1.0, least, Holds::AtLeast, ""),
    ]
}
