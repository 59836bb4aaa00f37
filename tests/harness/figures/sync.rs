//! Musical time through the whole chain: what beat is heard, and when ticks leave.
//!
//! Each member plays a tone that is fixed to its device's frames, and so is its song. Where the tone is heard tells which
//! frame of the sender's device sounds, and with both songs, which beats meet: the truth, apart from what the plugin
//! says of itself.

use lockstep_plugin::engine::{Controls, GridUnit, HostTransport, Role, RoomMode, SyncMode};
use lockstep_shared::midi::Realtime;
use lockstep_shared::time::convert::{f64_from_i64, f64_from_usize, usize_trunc};
use lockstep_shared::time::{Beats, DeviceFrame, GridPosition, LocalTime, SampleRate, Span};
use lockstep_shared::wire::Format;

use super::clock::{clock_figures, percentile};
use super::{Figure, Holds, Length};
use crate::alignment::{AlignmentEars, Look};
use crate::clock::{AudioClock, Crystal};
use crate::daw::{Blocks, Daw, Punctuality, open_controls};
use crate::followers::Kind;
use crate::net::{Interval, Loss, Path, PathPlan};
use crate::oracle::Source;
use crate::rng::Rng;
use crate::song::{Act, OwnSong, Song};
use crate::world::{MemberPlan, Nobody, World};

const CYCLES: f64 = 997.0 / 48_000.0;
const RATE: SampleRate = SampleRate::GRID;
const BLOCK: usize = 256;
/// Quarter notes a frame at 120.
const PER_FRAME: f64 = 2.0 / 48_000.0;
/// The first of these is everything's, unless the row says another.
const SEEDS: [u64; 2] = [1, 2];

/// All rows.
#[must_use]
pub fn sync_figures(length: Length) -> Vec<Figure> {
    let mut rows = Vec::new();
    for family in Family::ALL {
        rows.extend(alignment(family, length));
    }
    rows.extend(acquire());
    rows.push(acquire_by_following());
    rows.extend(emitted_clock(length));
    for kind in Kind::ALL {
        rows.push(closed_loop(kind));
    }
    rows.push(turns_of_the_leader());
    rows.push(same_frame());
    // The grid without its relay, and against other estimators, on the clock's own traces.
    let of_the_clock = clock_figures(length).into_iter();
    rows.extend(
        of_the_clock.filter(|row| row.name.contains("ratio") || row.name.contains("60_s_of_silence")),
    );
    rows
}

/// A network with what happens in it.
#[derive(Clone, Copy, Debug)]
enum Family {
    Wired,
    Cable,
    Wifi,
}

impl Family {
    const ALL: [Self; 3] = [Self::Wired, Self::Cable, Self::Wifi];

    const fn name(self) -> &'static str {
        match self {
            Self::Wired => "wired",
            Self::Cable => "cable",
            Self::Wifi => "wifi",
        }
    }

    /// The way there, with a route that changes by 3 ms for a tenth of `span`, and an upload of two minutes.
    fn path(self, span: Span) -> PathPlan {
        let tenth = |n: i64| LocalTime::ZERO + Span::from_nanos(span.nanos() / 10 * n);
        let changes = Interval::new(tenth(3), Span::from_nanos(span.nanos() / 10));
        let family = match self {
            Self::Wired => PathPlan::wired(),
            Self::Cable => PathPlan::cable(),
            Self::Wifi => PathPlan::wifi(),
        };
        let upload = Span::from_nanos((span.nanos() / 10).min(120_000_000_000));
        family.route_change(changes, Span::from_millis(3)).bloat(Interval::new(tenth(6), upload))
    }
}

fn member(song: Song, controls: Controls, ppm: f64, path: &PathPlan) -> MemberPlan {
    MemberPlan {
        daw: Daw {
            controls,
            blocks: Blocks::Fixed(BLOCK),
            crystal: Crystal { ppm, ..Crystal::PERFECT },
            punctuality: Punctuality::Usual,
            song,
            ..Daw::perfect(Source::Tone { cycles: CYCLES }, BLOCK)
        },
        crystal: Crystal::thermal(-ppm / 4.0),
        up: path.clone(),
        down: path.clone(),
        format: Format::Float32,
        starts: LocalTime::ZERO,
    }
}

fn controls(mode: SyncMode, role: Role) -> Controls {
    Controls { sync_mode: mode, role, ..open_controls(RoomMode::Stems) }
}

const SIXTEENTHS: SyncMode = SyncMode::Grid(GridUnit::Sixteenth);

fn ears(ppm: [f64; 2], look_every: u32) -> AlignmentEars {
    let clock =
        |ppm| AudioClock::new(RATE, Crystal { ppm, ..Crystal::PERFECT }, LocalTime::ZERO, Rng::new(0));
    AlignmentEars::new(ppm.map(clock).into(), vec![CYCLES; 2], look_every)
}

/// How far the beats of a look are from a whole number of sixteenths, in frames; late is above zero.
fn beat_error(look: &Look, songs: &[OwnSong; 2]) -> Option<f64> {
    let here = songs[look.listener].quarters(f64_from_i64(look.here.0), RATE)?;
    let there = songs[1 - look.listener].quarters(look.there, RATE)?;
    let lag = here - there;
    Some((lag - (lag / 0.25).round() * 0.25) / PER_FRAME)
}

/// Two DAWs that play by their own crystals, 200 ppm apart, each on the other's grid of sixteenths.
fn alignment(family: Family, length: Length) -> Vec<Figure> {
    let span = match length {
        Length::Quick => Span::from_millis(300_000),
        Length::Full => Span::from_millis(8 * 3_600_000),
    };
    let (ppm, path) = ([100.0, -100.0], family.path(span));
    let songs = [OwnSong::from(DeviceFrame(0)), OwnSong::from(DeviceFrame(12_345))];
    let mut world = World::new(SEEDS[0], Crystal::thermal(15.0), 8);
    for (ppm, song) in ppm.iter().zip(&songs) {
        world.add(member(Song::Own(song.clone()), controls(SIXTEENTHS, Role::Off), *ppm, &path));
    }
    let mut ears = ears(ppm, 101);
    world.run(Span::from_millis(20_000), &mut ears);
    ears.errors.clear();
    world.run(span - Span::from_millis(20_000), &mut ears);
    let mut beats: Vec<f64> =
        ears.errors.iter().filter_map(|look| beat_error(look, &songs)).map(f64::abs).collect();
    let mut shown: Vec<f64> = ears.errors.iter().map(|look| look.frames.abs()).collect();
    let note = format!("seed {}, +-100 ppm, route, bloat, {:.0} min", SEEDS[0], span.secs_f64() / 60.0);
    let row = |name: &str, goal, measured, unit| {
        at_most(&format!("sync.{}.{name}", family.name()), &note, goal, measured, unit)
    };
    vec![
        row("beats_median", 1.0, percentile(&mut beats, 0.5), "frames"),
        row("beats_p99_9", 0.5, percentile(&mut beats, 0.999) / 48.0, "ms"),
        row("shown_delay_p99", 1.0, percentile(&mut shown, 0.99) / 48.0, "ms"),
    ]
}

/// From the moment at which both transports run until the beats meet and stay.
fn acquire() -> Vec<Figure> {
    let begins = DeviceFrame(960_000);
    let mut worst = 0.0_f64;
    for seed in SEEDS {
        let songs = [OwnSong::from(DeviceFrame(0)), OwnSong::from(begins)];
        let mut world = World::new(seed, Crystal::thermal(15.0), 8);
        for (ppm, song) in [40.0, -40.0].into_iter().zip(&songs) {
            let controls = controls(SIXTEENTHS, Role::Off);
            world.add(member(Song::Own(song.clone()), controls, ppm, &PathPlan::wired()));
        }
        let mut ears = ears([40.0, -40.0], 3);
        world.run(Span::from_millis(30_000), &mut ears);
        let starts = LocalTime::ZERO + Span::from_millis(20_000);
        let out = ears
            .errors
            .iter()
            .filter(|look| look.at > starts)
            .filter(|look| beat_error(look, &songs).is_some_and(|error| error.abs() > 24.0));
        worst = worst.max(out.map(|look| (look.at - starts).secs_f64()).fold(0.0, f64::max));
    }
    vec![at_most("sync.acquire", "seeds 1 and 2, from both transports running to 0.5 ms", 2.0, worst, "s")]
}

/// The clock that a follower's link emits, against the leader's beats, with every twentieth datagram lost.
fn emitted_clock(length: Length) -> Vec<Figure> {
    let seconds = match length {
        Length::Quick => 60,
        Length::Full => 1_200,
    };
    let (mut late, mut lost, mut doubled, mut ticks) = (Vec::new(), 0, 0, 0);
    for seed in SEEDS {
        let path = lossy_cable();
        let song = OwnSong::from(DeviceFrame(480_000));
        let mut run = Leading::new(seed, song, no_transport(), &path);
        run.world.run(Span::from_millis(seconds * 1_000), &mut Nobody);
        let counted = run.ticks();
        late.extend(counted.errors_ms.iter().map(|error| error.abs()));
        (lost, doubled, ticks) = (lost + counted.lost, doubled + counted.doubled, ticks + counted.count);
    }
    let note = format!("seeds 1 and 2, cable and 5 % loss, {ticks} ticks");
    let jitter = percentile(&mut late, 0.99);
    let forwarded = Forwarded::measure(seconds);
    let (theirs, gone, sent) = (forwarded.jitter_p99_ms, forwarded.lost, forwarded.sent);
    let rival = format!("ticks sent over the same network: p99 {theirs:.2} ms, {gone} of {sent} lost");
    vec![
        at_most("sync.clock.jitter_p99", &note, 0.1, jitter, "ms"),
        at_least("sync.clock.forwarding_ratio", &rival, 10.0, theirs / jitter, "x"),
        at_most("sync.clock.lost", &note, 0.0, f64_from_usize(lost), "ticks"),
        at_most("sync.clock.doubled", &note, 0.0, f64_from_usize(doubled), "ticks"),
    ]
}

/// Ticks as others send them: each a datagram to the relay and on, played when it comes.
struct Forwarded {
    sent: usize,
    lost: usize,
    jitter_p99_ms: f64,
}

impl Forwarded {
    fn measure(seconds: i64) -> Self {
        let (mut forwarded, mut late) = (Self { sent: 0, lost: 0, jitter_p99_ms: 0.0 }, Vec::new());
        for seed in SEEDS {
            let mut rng = Rng::new(seed);
            let [mut up, mut down] = [0, 1].map(|_| Path::new(lossy_cable(), rng.fork()));
            for tick in 0..seconds * 48 {
                let leaves = LocalTime::ZERO + Span::from_nanos(tick * 1_000_000_000 / 48);
                forwarded.sent += 1;
                let arrives = up.send(leaves, 40).first.and_then(|at| down.send(at, 40).first);
                match arrives {
                    Some(at) => late.push((at - leaves).millis_f64()),
                    None => forwarded.lost += 1,
                }
            }
        }
        // Their usual delay is nobody's fault.
        let usual = percentile(&mut late, 0.5);
        late.iter_mut().for_each(|late| *late = (*late - usual).abs());
        forwarded.jitter_p99_ms = percentile(&mut late, 0.99);
        forwarded
    }
}

fn lossy_cable() -> PathPlan {
    PathPlan { loss: Loss { independent: 0.05, burst_begins: 0.0, burst_ends: 1.0 }, ..PathPlan::cable() }
}

/// A follower that shows no transport, hardware for instance: its clock is the line's, uncorrected.
fn no_transport() -> Song {
    Song::Constant(HostTransport::default())
}

/// A leader, and a DAW that its link's clock drives.
struct Leading {
    world: World,
    song: OwnSong,
    leader: AudioClock,
}

/// What became of the ticks between the first Start or Continue and the end.
struct Ticks {
    count: usize,
    lost: usize,
    doubled: usize,
    /// How late each was, in milliseconds.
    errors_ms: Vec<f64>,
}

impl Leading {
    fn new(seed: u64, song: OwnSong, follower: Song, path: &PathPlan) -> Self {
        let mut world = World::new(seed, Crystal::thermal(15.0), 8);
        let ppm = 60.0;
        world.add(member(Song::Own(song.clone()), controls(SyncMode::Tight, Role::Lead), ppm, path));
        world.add(member(follower, controls(SyncMode::Tight, Role::Follow), -70.0, path));
        let leader = AudioClock::new(RATE, Crystal { ppm, ..Crystal::PERFECT }, LocalTime::ZERO, Rng::new(0));
        Self { world, song, leader }
    }

    /// The leader's beat at a true time.
    fn beat(&mut self, at: LocalTime) -> Option<f64> {
        let whole = self.leader.frame(at);
        let ahead = (at - self.leader.truth(whole)).secs_f64() * RATE.hz_f64();
        self.song.quarters(f64_from_i64(whole.0) + ahead, RATE)
    }

    /// Every tick against the leader's beats: the first after Start or Continue is where that says, each next one a
    /// twenty-fourth of a quarter later.
    fn ticks(&mut self) -> Ticks {
        let events = std::mem::take(&mut self.world.members[1].clock_events);
        let mut ticks = Ticks { count: 0, lost: 0, doubled: 0, errors_ms: Vec::new() };
        let (mut place, mut next) = (0.0, None);
        for (at, event) in events {
            match event {
                Realtime::SongPosition(position) => place = f64::from(position.sixteenths()) / 4.0,
                Realtime::Start => next = Some(0.0),
                Realtime::Continue => next = Some(place),
                Realtime::Stop => next = None,
                Realtime::Clock => {
                    let (Some(due), Some(beat)) = (next, self.beat(at)) else { continue };
                    let away = (beat - due) * 24.0;
                    let skipped = usize_trunc(away.round().abs());
                    if away > 0.5 {
                        ticks.lost += skipped;
                    } else if away < -0.5 {
                        ticks.doubled += skipped;
                    }
                    ticks.count += 1;
                    ticks.errors_ms.push((away - away.round()) / 24.0 / PER_FRAME / 48.0);
                    next = Some(due + (1.0 + away.round()) / 24.0);
                }
            }
        }
        ticks
    }
}

/// A DAW that follows, by what the leader's and its own song say at the same true time.
fn closed_loop(kind: Kind) -> Figure {
    let mut errors = Vec::new();
    for seed in SEEDS {
        let song = OwnSong::from(DeviceFrame(480_000));
        let mut run = Leading::new(seed, song, Song::Follows(kind), &PathPlan::cable());
        run.world.run(Span::from_millis(20_000), &mut Nobody);
        for _ in 0..400 {
            run.world.run(Span::from_millis(100), &mut Nobody);
            if let Some(error) = run.follower_error_ms() {
                errors.push(error.abs());
            }
        }
    }
    let name = format!("sync.follower.{kind:?}").to_lowercase();
    at_most(&name, "seeds 1 and 2, cable, host phase p99", 1.0, percentile(&mut errors, 0.99), "ms")
}

/// DAWs that were never seen before: from the moment at which one runs until it is where the leader is, and stays.
fn acquire_by_following() -> Figure {
    let mut worst = 0.0_f64;
    for kind in Kind::ALL {
        for seed in SEEDS {
            let song = OwnSong::from(DeviceFrame(480_000));
            let mut run = Leading::new(seed, song, Song::Follows(kind), &PathPlan::cable());
            run.world.run(Span::from_millis(10_000), &mut Nobody);
            let mut errors = Vec::new();
            // It may wait for a bar line before it runs.
            for _ in 0..1_000 {
                run.world.run(Span::from_millis(10), &mut Nobody);
                errors.extend(run.follower_error_ms());
            }
            let acquired = errors.iter().rposition(|error| error.abs() > 0.5).map_or(0, |last| last + 1);
            let is_met = acquired < errors.len();
            worst = worst.max(if is_met { f64_from_usize(acquired) / 100.0 } else { f64::INFINITY });
        }
    }
    let note = "seeds 1 and 2, worst of five kinds, to 0.5 ms of phase";
    at_most("sync.follower.acquire", note, 2.0, worst, "s")
}

impl Leading {
    fn follower_error_ms(&mut self) -> Option<f64> {
        let (at, quarters) = self.world.members[1].last_position?;
        // One that only knows Start counts from another bar.
        let ahead = quarters - self.beat(at)?;
        let ahead = ahead - (ahead / 4.0).round() * 4.0;
        Some(ahead / PER_FRAME / 48.0)
    }
}

/// A tempo step, a stop and a start of the leader: every tick that leaves lies on the leader's beats all the same.
fn turns_of_the_leader() -> Figure {
    let second = |seconds: i64| DeviceFrame(seconds * 48_000);
    let mut errors = Vec::new();
    for seed in SEEDS {
        let song = OwnSong::from(second(10))
            .then(second(30), Act::Tempo { bpm: 132.0 })
            .then(second(50), Act::Stop)
            .then(second(54), Act::Play { quarters: 16.0 })
            .then(second(70), Act::Tempo { bpm: 96.0 });
        let mut run = Leading::new(seed, song, no_transport(), &PathPlan::cable());
        run.world.run(Span::from_millis(90_000), &mut Nobody);
        errors.extend(run.ticks().errors_ms.iter().map(|error| error.abs()));
    }
    at_most(
        "sync.clock.turns_p95",
        "seeds 1 and 2, steps, stop, start",
        0.1,
        percentile(&mut errors, 0.95),
        "ms",
    )
}

/// With every fifth datagram lost: how far apart three plugins would render the beat two seconds after the start.
fn same_frame() -> Figure {
    let mut apart = 0.0_f64;
    for seed in SEEDS {
        let loss = Loss { independent: 0.2, burst_begins: 0.0, burst_ends: 1.0 };
        let path = PathPlan { loss, ..PathPlan::wired() };
        let song = OwnSong::from(DeviceFrame(960_000));
        let mut run = Leading::new(seed, song, no_transport(), &path);
        run.world.add(member(no_transport(), controls(SyncMode::Tight, Role::Follow), 20.0, &path));
        run.world.run(Span::from_millis(21_500), &mut Nobody);
        let passes = (0..3).map(|number| {
            let line = run.world.members[number].link.musical().line()?;
            let at = line.when(Beats::from_quarters(4.0), GridPosition::default())?;
            run.world.passes(number, at)
        });
        let times: Option<Vec<LocalTime>> = passes.collect();
        let spread = times.and_then(|times| Some((*times.iter().max()? - *times.iter().min()?).secs_f64()));
        apart = apart.max(spread.map_or(f64::INFINITY, |spread| spread * RATE.hz_f64()));
    }
    at_most("sync.start.apart", "seeds 1 and 2, three members, 20 % loss", 1.0, apart, "frames")
}

fn at_least(name: &str, note: &str, goal: f64, measured: f64, unit: &'static str) -> Figure {
    Figure { holds: Holds::AtLeast, ..at_most(name, note, goal, measured, unit) }
}

fn at_most(name: &str, note: &str, goal: f64, measured: f64, unit: &'static str) -> Figure {
    Figure { name: name.into(), note: note.into(), goal, measured, holds: Holds::AtMost, unit }
}
