//! Carries out a [`Plan`] in the [`World`], with the [`Checks`] listening.

use core::sync::atomic::Ordering;

use lockstep_plugin::link::Standing;
use lockstep_shared::time::convert::f64_from_u64;
use lockstep_shared::time::{LocalTime, Span};

use crate::checks::{Checks, Violation};
use crate::clock::Crystal;
use crate::daw::Daw;
use crate::plan::{Fault, Plan};
use crate::rng::Rng;
use crate::world::{Audience, Member, World};

/// Between two looks at what the members show.
const TELL_EVERY: Span = Span::from_millis(1_000);

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was wrong; nothing, in a good run.
    pub violations: Vec<Violation>,
}

/// Runs a plan; `tell` hears a line for every fault and, once a second, for every member.
pub fn run(plan: &Plan, tell: &mut dyn FnMut(LocalTime, String)) -> Outcome {
    let mut world = World::new(plan.seed, Crystal::PERFECT, plan.members.len());
    for member in &plan.members {
        let number = world.add(member.clone());
        let Daw { rate, blocks, controls, .. } = &member.daw;
        let (hz, mode) = (rate.hz_f64(), controls.room_mode);
        let delay_ms = member.up.base.millis_f64();
        tell(
            world.now(),
            format!(
                "member {number}: {hz} Hz, {blocks:?}, {mode:?}, {:?}, {delay_ms:.1} ms away",
                member.format
            ),
        );
    }
    let mut checks = Checks::new(plan);
    carry_out(plan, &mut world, &mut checks, tell);
    checks.finish(world.now());
    check_end(plan, &world, &mut checks);
    Outcome { violations: checks.violations }
}

/// Lets a world with the plan's members in it live through the plan.
pub fn carry_out(
    plan: &Plan,
    world: &mut World,
    audience: &mut impl Audience,
    tell: &mut dyn FnMut(LocalTime, String),
) {
    let mut rng = Rng::new(plan.seed ^ 0x6761_7262_6167_6500);
    for planned in &plan.faults {
        advance(world, audience, planned.at, tell);
        tell(planned.at, format!("{:?}", planned.fault));
        begin(world, audience, planned.fault, &mut rng, tell);
    }
    advance(world, audience, LocalTime::ZERO + plan.span, tell);
}

fn advance(
    world: &mut World,
    audience: &mut impl Audience,
    until: LocalTime,
    tell: &mut dyn FnMut(LocalTime, String),
) {
    while world.now() < until {
        world.run((until - world.now()).min(TELL_EVERY), audience);
        for (number, member) in world.members.iter().enumerate() {
            tell(world.now(), format!("member {number}: {}", shown(member)));
        }
        if let Some(relay) = &world.relay {
            tell(world.now(), format!("relay: {:?}", relay.stats().rooms));
        }
    }
}

/// What a member shows, in a line.
fn shown(member: &Member) -> String {
    let now = member.link_time;
    let clock = member.link.clock();
    let drift = member.gauges.drift_ppm.load(Ordering::Relaxed);
    let strips = member.link.played().map(|played| {
        let (present, concealed) = (f64_from_u64(played.present), f64_from_u64(played.concealed));
        let name = if played.strip.is_empty() { "the mix" } else { &played.strip };
        format!("{name} {:.2} ms {:.0} ppm", played.delay_ms, 1e6 * concealed / (present + concealed))
    });
    format!(
        "{:?}, drift {drift:.2} ppm, clock {:.1} us, round trip {:.2} ms, hears [{}]",
        member.link.standing().0,
        clock.error_us_at(now),
        clock.round_trip().millis_f64(),
        strips.collect::<Vec<_>>().join(", ")
    )
}

/// What a plan cannot arrange beforehand.
fn begin(
    world: &mut World,
    audience: &mut impl Audience,
    fault: Fault,
    rng: &mut Rng,
    tell: &mut dyn FnMut(LocalTime, String),
) {
    match fault {
        Fault::RelayRestarts(down) => {
            world.kill_relay();
            let up = world.now() + down;
            advance(world, audience, up, tell);
            world.start_relay();
        }
        Fault::Rebinds(member) => world.rebind(member),
        Fault::Stalls(member, length) => {
            let now = world.now();
            let member = &mut world.members[member];
            let from = member.audio.frame(now);
            member.plan.daw.stall = Some((from, length));
        }
        Fault::Garbage(count) => {
            for round in 0..count {
                let mut bytes: Vec<u8> = (0..20).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
                bytes[0] = [0x01, 0x10, 0x10, 0x7f][round % 4];
                bytes.truncate(1 + round % 160);
                world.inject(([192, 0, 2, 1], 9).into(), bytes);
            }
        }
        // In the paths' own plans.
        Fault::Outage(..) | Fault::Detour(..) => {}
    }
}

/// What must hold once all is over.
fn check_end(plan: &Plan, world: &World, checks: &mut Checks) {
    let now = world.now();
    for (number, member) in world.members.iter().enumerate() {
        let (standing, _) = member.link.standing();
        if standing != Standing::Joined {
            checks.violated(now, format!("member {number} is {standing:?} at the end"));
        }
        let drift = member.gauges.drift_ppm.load(Ordering::Relaxed);
        let true_ppm = member.plan.daw.crystal.ppm;
        if (drift - true_ppm).abs() > plan.network.drift_ppm_off() {
            checks.violated(now, format!("member {number} says {drift:.1} ppm and has {true_ppm:.1}"));
        }
    }
    if world.datagram_bytes_longest > lockstep_shared::wire::DATAGRAM_BYTES_MAX {
        checks.violated(now, format!("a datagram of {} bytes", world.datagram_bytes_longest));
    }
    let Some(relay) = &world.relay else { return };
    let stats = relay.stats();
    if stats.members_now != plan.members.len() as u64 {
        checks.violated(now, format!("the relay counts {} members", stats.members_now));
    }
    let never = [
        ("room failures", stats.room_failures),
        ("malformed documents", stats.documents_malformed),
        ("flooding datagrams", stats.sessions.flooded),
    ];
    for (what, count) in never.into_iter().filter(|(_, count)| *count > 0) {
        checks.violated(now, format!("the relay counts {count} {what}"));
    }
}
