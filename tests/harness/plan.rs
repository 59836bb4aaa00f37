//! A run drawn from one seed: who plays, on what, over which network, and what goes wrong when.
//!
//! Each run leaves some kinds of fault out altogether (as in swarm testing): a kind that always happens would hide
//! what only shows in its absence.

use lockstep_plugin::engine::{Controls, RoomMode};
use lockstep_shared::time::convert::{f64_from_usize, usize_trunc};
use lockstep_shared::time::{LocalTime, SampleRate, Span};
use lockstep_shared::wire::Format;

use crate::clock::Crystal;
use crate::daw::{Blocks, Daw, Punctuality, open_controls};
use crate::net::{Interval, PathPlan};
use crate::oracle::Source;
use crate::rng::Rng;
use crate::world::MemberPlan;

/// What kind of network everybody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Network {
    /// A constant delay.
    Clean,
    /// Ethernet and fibre.
    Wired,
    /// A shared cable network.
    Cable,
    /// A home's wireless network.
    Wifi,
    /// A telephone's network.
    Lte,
    /// A wireless network that too many share.
    Hotel,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The relay is gone for so long, and then remembers nothing.
    RelayRestarts(Span),
    /// A member's address changes.
    Rebinds(usize),
    /// A member's host does not call for so long, and then catches up.
    Stalls(usize, Span),
    /// Datagrams that nobody sent, so many.
    Garbage(usize),
    /// Nothing passes between a member and the relay for so long.
    Outage(usize, Span),
    /// A member's way to the relay becomes longer, or shorter, for so long.
    Detour(usize, Span, Span),
}

/// A fault and when.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// When it begins.
    pub at: LocalTime,
    /// What happens.
    pub fault: Fault,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything comes from it.
    pub seed: u64,
    /// What kind of network everybody has.
    pub network: Network,
    /// How long it lasts.
    pub span: Span,
    /// Who plays: the tones all differ.
    pub members: Vec<MemberPlan>,
    /// What goes wrong, in order of time.
    pub faults: Vec<Planned>,
}

/// Tones that a window of 85 ms tells apart, none a multiple of another.
const TONES_HZ: [f64; 6] = [331.0, 547.0, 769.0, 977.0, 1_187.0, 1_399.0];
/// What six play stays below full scale in a mix of 16 bits.
pub const SEND_GAIN: f32 = 0.3;
/// Until then sessions join, clocks lock and delays settle.
pub const SETTLED: LocalTime = LocalTime::from_nanos(9_000_000_000);
/// The end of every run is calm for so long.
pub const CALM_END: Span = Span::from_millis(3_000);

impl Network {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Clean, Self::Wired, Self::Cable, Self::Wifi, Self::Lte, Self::Hotel];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Wired => "wired",
            Self::Cable => "cable",
            Self::Wifi => "wifi",
            Self::Lte => "lte",
            Self::Hotel => "hotel",
        }
    }

    /// How far a strip may lie from where it was commanded in a calm time: the room clock's error, in
    /// microseconds, and as much again for the other end's.
    #[must_use]
    pub const fn alignment_us(self) -> f64 {
        match self {
            Self::Clean => 60.0,
            Self::Wired | Self::Cable => 100.0,
            Self::Wifi => 200.0,
            Self::Lte => 500.0,
            Self::Hotel => 1_000.0,
        }
    }

    /// The part of all looks in a calm time that must be within bounds: what losses and bursts leave. Of a wireless
    /// network's chunks 2 to 3 % are concealed, several in a row; of a hotel's 10 %.
    #[must_use]
    pub const fn looks_good(self) -> f64 {
        match self {
            Self::Clean | Self::Wired | Self::Cable => 0.9,
            Self::Wifi | Self::Lte => 0.75,
            Self::Hotel => 0.5,
        }
    }

    /// How far the shown drift may lie from the true one: callbacks are up to 3 ms late, and the last of a drawn run's
    /// faults may have been 12 s before its end, since when a rough network showed the clock only so much.
    #[must_use]
    pub const fn drift_ppm_off(self) -> f64 {
        match self {
            Self::Clean | Self::Wired | Self::Cable | Self::Wifi => 5.0,
            Self::Lte | Self::Hotel => 20.0,
        }
    }

    /// How much of its own tone a member may find in a calm time, of what it sent: what gaps in the others' spread.
    #[must_use]
    pub const fn spread(self) -> f64 {
        match self {
            Self::Clean | Self::Wired => 0.02,
            Self::Cable => 0.05,
            Self::Wifi => 0.1,
            Self::Lte | Self::Hotel => 0.2,
        }
    }

    /// The way to the relay. The way back is alike: a difference that never changes cannot be measured by any clock
    /// that goes both ways, and shows as a shift of half of it.
    fn path(self, rng: &mut Rng) -> PathPlan {
        let family = self.family();
        // As far away as anybody, and what the family itself takes.
        let beyond = family.base - PathPlan::clean().base;
        PathPlan { base: Span::from_secs_f64(rng.between(0.001, 0.030)) + beyond, ..family }
    }

    /// One direction of such a network.
    #[must_use]
    pub fn family(self) -> PathPlan {
        match self {
            Self::Clean => PathPlan::clean(),
            Self::Wired => PathPlan::wired(),
            Self::Cable => PathPlan::cable(),
            Self::Wifi => PathPlan::wifi(),
            Self::Lte => PathPlan::lte(),
            Self::Hotel => PathPlan::hotel(),
        }
    }

    /// What of the formats that somebody drew is sent over such a network: where the way is narrow, the smallest.
    const fn format(self, drawn: Format) -> Format {
        match self {
            Self::Clean | Self::Wired | Self::Cable | Self::Wifi => drawn,
            Self::Lte | Self::Hotel => Format::Pcm16,
        }
    }
}

impl Fault {
    /// How long after its begin everything must be as before.
    #[must_use]
    pub const fn recovers_within(self) -> Span {
        match self {
            Self::RelayRestarts(_) => Span::from_millis(9_000),
            Self::Rebinds(_) | Self::Garbage(_) => Span::from_millis(2_000),
            Self::Stalls(..) => Span::from_millis(9_000),
            Self::Outage(..) => Span::from_millis(5_000),
            Self::Detour(_, _, length) => Span::from_nanos(length.nanos() + 6_000_000_000),
        }
    }
}

impl Plan {
    /// Draws a run.
    #[must_use]
    pub fn draw(seed: u64, network: Network, span: Span) -> Self {
        let mut rng = Rng::new(seed);
        // Small rooms are the usual ones.
        let count = 2 + pick(&mut rng, 5).min(pick(&mut rng, 5));
        let rates = pick_some(&mut rng, &[48_000, 44_100, 96_000, 88_200, 192_000]);
        let mut members: Vec<MemberPlan> =
            (0..count).map(|number| member(&mut rng, number, network, &rates)).collect();
        let faults = faults(&mut rng, count, span);
        for planned in &faults {
            let during = |length| Interval::new(planned.at, length);
            match planned.fault {
                Fault::Outage(member, length) => {
                    for path in both(&mut members[member]) {
                        path.outages.push(during(length));
                    }
                }
                Fault::Detour(member, by, length) => {
                    let [up, _] = both(&mut members[member]);
                    *up = up.clone().route_change(during(length), by);
                }
                Fault::RelayRestarts(_) | Fault::Rebinds(_) | Fault::Stalls(..) | Fault::Garbage(_) => {}
            }
        }
        Self { seed, network, span, members, faults }
    }

    /// Whether everything must be as it should at `at`.
    #[must_use]
    pub fn is_calm(&self, at: LocalTime) -> bool {
        let disturbs =
            |planned: &&Planned| planned.at <= at && at < planned.at + planned.fault.recovers_within();
        at >= SETTLED && !self.faults.iter().any(|planned| disturbs(&planned))
    }

    /// The command that repeats this run.
    #[must_use]
    pub fn command(&self) -> String {
        let (network, seed) = (self.network.name(), self.seed);
        format!("cargo xtask sim --plan {network} --seed {seed} --seconds {:.0}", self.span.secs_f64())
    }
}

const fn both(member: &mut MemberPlan) -> [&mut PathPlan; 2] {
    [&mut member.up, &mut member.down]
}

fn member(rng: &mut Rng, number: usize, network: Network, rates: &[u32]) -> MemberPlan {
    let rate = SampleRate::new(rates[pick(rng, rates.len())]).unwrap_or(SampleRate::GRID);
    let blocks = match pick(rng, 4) {
        0 => Blocks::Changing(vec![32, 64, 100, 480, 512]),
        1 => Blocks::Fixed([100, 333, 441, 480][pick(rng, 4)]),
        _ => Blocks::Fixed([32, 64, 128, 256, 512][pick(rng, 5)]),
    };
    let mode = if rng.chance(0.3) { RoomMode::Mix } else { RoomMode::Stems };
    let path = network.path(rng);
    let cycles = TONES_HZ[number % TONES_HZ.len()] / rate.hz_f64();
    MemberPlan {
        daw: Daw {
            rate,
            blocks,
            crystal: Crystal { ppm: rng.between(-100.0, 100.0), ..Crystal::PERFECT },
            punctuality: Punctuality::Usual,
            controls: Controls { send_gain: SEND_GAIN, ..open_controls(mode) },
            ..Daw::perfect(Source::Tone { cycles }, 64)
        },
        crystal: Crystal::thermal(rng.between(-40.0, 40.0)),
        up: path.clone(),
        down: path,
        format: network.format([Format::Pcm16, Format::Pcm24, Format::Float32][pick(rng, 3)]),
        starts: LocalTime::from_nanos(1_000_000) + Span::from_secs_f64(rng.between(0.0, 1.0)),
    }
}

fn faults(rng: &mut Rng, members: usize, span: Span) -> Vec<Planned> {
    let millis = |rng: &mut Rng, low, high| Span::from_secs_f64(rng.between(low, high) / 1_000.0);
    let kinds = pick_some(rng, &[0, 1, 2, 3, 4, 5]);
    let end = LocalTime::ZERO + span;
    let (mut at, mut faults) = (SETTLED + Span::from_millis(500), Vec::new());
    loop {
        let member = pick(rng, members);
        let fault = match kinds[pick(rng, kinds.len())] {
            0 => Fault::RelayRestarts(millis(rng, 50.0, 1_400.0)),
            1 => Fault::Rebinds(member),
            2 => Fault::Stalls(member, millis(rng, 5.0, 150.0)),
            3 => Fault::Garbage(200 + pick(rng, 800)),
            4 => Fault::Outage(member, millis(rng, 20.0, 400.0)),
            _ => Fault::Detour(member, millis(rng, 1.0, 8.0), millis(rng, 1_000.0, 5_000.0)),
        };
        if at + fault.recovers_within() + CALM_END > end {
            return faults;
        }
        faults.push(Planned { at, fault });
        // Calm enough in between to see that all is well again.
        at = at + fault.recovers_within() + Span::from_millis(1_500) + millis(rng, 0.0, 500.0);
    }
}

/// A number below `count`.
fn pick(rng: &mut Rng, count: usize) -> usize {
    usize_trunc(rng.unit() * f64_from_usize(count)).min(count.saturating_sub(1))
}

/// Each of `all` with even odds, and at least one.
fn pick_some<T: Copy>(rng: &mut Rng, all: &[T]) -> Vec<T> {
    let some: Vec<T> = all.iter().copied().filter(|_| rng.chance(0.5)).collect();
    if some.is_empty() { vec![all[pick(rng, all.len())]] } else { some }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_run_and_seeds_differ() {
        let text = |seed| format!("{:?}", Plan::draw(seed, Network::Wired, Span::from_millis(60_000)));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn every_fault_has_its_time_and_the_end_is_calm() {
        for seed in 0..200 {
            let span = Span::from_millis(90_000);
            let plan = Plan::draw(seed, Network::Clean, span);
            assert!((2..=6).contains(&plan.members.len()));
            assert!(!plan.is_calm(LocalTime::ZERO));
            let end = LocalTime::ZERO + span;
            assert!(plan.is_calm(end) && plan.is_calm(end - CALM_END), "{seed}");
            for pair in plan.faults.windows(2) {
                assert!(pair[0].at + pair[0].fault.recovers_within() < pair[1].at, "{seed}");
            }
        }
    }
}
