//! A jam in the simulator: what the players of `cargo xtask jam` should come to on a network, with nothing of this machine
//! in it.

use lockstep_plugin::engine::{Controls, Role, RoomMode, SyncMode};
use lockstep_shared::time::convert::f64_from_u64;
use lockstep_shared::time::{DeviceFrame, LocalTime, SampleRate, Span};
use lockstep_shared::wire::Format;

use crate::clock::Crystal;
use crate::daw::{Blocks, Daw, Punctuality, open_controls};
use crate::followers::Kind;
use crate::net::PathPlan;
use crate::oracle::Source;
use crate::song::{OwnSong, Song};
use crate::world::{MemberPlan, Nobody, World};

/// Until then members join, clocks lock and delays settle, as in the jam's own figures.
const SETTLED: Span = Span::from_millis(4_000);
/// Between two looks at the delays.
const LOOK_EVERY: Span = Span::from_millis(100);
/// As the DAWs of a jam follow.
const FOLLOWERS: [Kind; 2] = [Kind::SmoothLoop, Kind::Averages24];

/// One player.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Player {
    /// Frames of its host's blocks.
    pub block_frames: usize,
    /// The error of its audio clock.
    pub ppm: f64,
}

/// What one player heard of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Who heard.
    pub listener: usize,
    /// Whom.
    pub sender: usize,
    /// From input to output, in the median.
    pub delay_ms: f64,
    /// Of all chunks.
    pub concealed_ppm: f64,
}

/// Plays for `span` and says what everybody heard of everybody once all had settled. The first player leads, the others
/// follow, all hear the same beat at the same moment; everybody's way to the relay and back is `path`.
#[must_use]
pub fn play(players: &[Player], path: &PathPlan, seed: u64, span: Span) -> Vec<Heard> {
    let mut world = World::new(seed, Crystal::thermal(15.0), players.len());
    for (number, player) in players.iter().enumerate() {
        world.add(member(number, *player, path));
    }
    world.run(SETTLED, &mut Nobody);
    let begun: Vec<Vec<Count>> = (0..players.len()).map(|listener| counts(&world, listener)).collect();
    let mut delays = vec![vec![Vec::new(); players.len()]; players.len()];
    let end = LocalTime::ZERO + span.max(SETTLED + LOOK_EVERY);
    while world.now() < end {
        world.run(LOOK_EVERY, &mut Nobody);
        for (listener, delays) in delays.iter_mut().enumerate() {
            for count in counts(&world, listener) {
                delays[count.sender].push(count.delay_ms);
            }
        }
    }
    let mut heard = Vec::new();
    for (listener, begun) in begun.iter().enumerate() {
        for count in counts(&world, listener) {
            let before = begun.iter().find(|before| before.sender == count.sender);
            let [present, concealed] = before.map_or([0; 2], |before| [before.present, before.concealed]);
            let (present, concealed) = (count.present - present, count.concealed - concealed);
            let mut delays = std::mem::take(&mut delays[listener][count.sender]);
            delays.sort_by(f64::total_cmp);
            heard.push(Heard {
                listener,
                sender: count.sender,
                delay_ms: delays[delays.len() / 2],
                concealed_ppm: 1e6 * f64_from_u64(concealed) / f64_from_u64((present + concealed).max(1)),
            });
        }
    }
    heard
}

/// What a listener has played of a sender so far.
#[derive(Clone, Copy, Debug)]
struct Count {
    sender: usize,
    delay_ms: f64,
    present: u64,
    concealed: u64,
}

fn counts(world: &World, listener: usize) -> Vec<Count> {
    let of = |played: lockstep_plugin::link::Played| {
        // The world names strips after their members.
        let sender = played.strip.rsplit(' ').next()?.parse().ok()?;
        let is_known = sender < world.members.len() && played.delay_ms.is_finite();
        is_known.then_some(Count {
            sender,
            delay_ms: played.delay_ms,
            present: played.present,
            concealed: played.concealed,
        })
    };
    world.members[listener].link.played().filter_map(of).collect()
}

fn member(number: usize, player: Player, path: &PathPlan) -> MemberPlan {
    let (role, song) = match number {
        0 => (Role::Lead, Song::Own(OwnSong::from(DeviceFrame(48_000)))),
        other => (Role::Follow, Song::Follows(FOLLOWERS[(other - 1) % FOLLOWERS.len()])),
    };
    let cycles = 331.0 / SampleRate::GRID.hz_f64();
    MemberPlan {
        daw: Daw {
            blocks: Blocks::Fixed(player.block_frames),
            crystal: Crystal { ppm: player.ppm, ..Crystal::PERFECT },
            punctuality: Punctuality::Usual,
            controls: Controls { role, sync_mode: SyncMode::Room, ..open_controls(RoomMode::Stems) },
            song,
            ..Daw::perfect(Source::Tone { cycles }, player.block_frames)
        },
        // One machine has one clock.
        crystal: Crystal::thermal(15.0),
        up: path.clone(),
        down: path.clone(),
        format: Format::Pcm16,
        starts: LocalTime::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYERS: [Player; 3] = [
        Player { block_frames: 64, ppm: 100.0 },
        Player { block_frames: 128, ppm: -100.0 },
        Player { block_frames: 256, ppm: 60.0 },
    ];

    #[test]
    fn everybody_hears_everybody_at_the_delay_of_the_room() {
        let heard = play(&PLAYERS, &PathPlan::cable(), 3, Span::from_millis(12_000));
        let pairs: Vec<(usize, usize)> = heard.iter().map(|heard| (heard.listener, heard.sender)).collect();
        assert_eq!(pairs.len(), 6, "{pairs:?}");
        for pair in &heard {
            // Two ways of 15 ms, and what blocks and jitter need.
            assert!((33.0..60.0).contains(&pair.delay_ms), "{pair:?}");
            assert!((heard[0].delay_ms - pair.delay_ms).abs() < 1.0, "{heard:?}");
            assert!(pair.concealed_ppm > 1_000.0 && pair.concealed_ppm < 30_000.0, "{pair:?}");
        }
        assert_eq!(heard, play(&PLAYERS, &PathPlan::cable(), 3, Span::from_millis(12_000)));
    }
}
