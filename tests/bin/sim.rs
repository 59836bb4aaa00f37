//! `lockstep-sim`: a seeded room on virtual time, to look at and to listen to; `cargo xtask sim` builds and runs it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use core::sync::atomic::Ordering;
use lockstep_shared::time::convert::f64_from_u64;
use lockstep_shared::time::{LocalTime, SampleRate, Span};
use lockstep_shared::wire::Format;
use lockstep_tests::clock::Crystal;
use lockstep_tests::daw::{Blocks, Daw, Punctuality};
use lockstep_tests::net::PathPlan;
use lockstep_tests::oracle::Source;
use lockstep_tests::rng::Rng;
use lockstep_tests::world::{Audience, Heard, MemberPlan, World};

/// Runs three members for a while, each playing a tone, with rates, blocks and crystals drawn from the seed; prints what
/// each hears of the others. The same seed gives the same run. Exits 0 if everybody heard everybody.
#[derive(Debug, Parser)]
#[command(name = "lockstep-sim")]
struct Cli {
    /// The network between the members and the relay.
    #[arg(long, value_enum, default_value = "cable")]
    plan: Plan,
    /// Where every accident comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Write what the first member hears, as 32-bit float WAV.
    #[arg(long, value_name = "FILE.wav")]
    wav: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Plan {
    Clean,
    Wired,
    Cable,
    Wifi,
}

const MEMBERS: usize = 3;
const RATES_HZ: [u32; 3] = [44_100, 48_000, 96_000];
const BLOCKS: [usize; 5] = [32, 64, 128, 256, 512];
const NOTES_HZ: [f64; MEMBERS] = [220.0, 277.2, 329.6];

/// Keeps what the first member hears.
#[derive(Default)]
struct FirstMember(Vec<[f32; 2]>);

impl Audience for FirstMember {
    fn hear(&mut self, heard: &Heard<'_>) {
        if heard.member == 0 {
            let frames = heard.main[0].iter().zip(heard.main[1]);
            self.0.extend(frames.map(|(left, right)| [*left, *right]));
        }
    }
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let mut rng = Rng::new(cli.seed);
    let mut world = World::new(cli.seed, Crystal::thermal(rng.between(-20.0, 20.0)), 8);
    let path = match cli.plan {
        Plan::Clean => PathPlan::clean(),
        Plan::Wired => PathPlan::wired(),
        Plan::Cable => PathPlan::cable(),
        Plan::Wifi => PathPlan::wifi(),
    };
    let mut pick = |count: usize| {
        lockstep_shared::time::convert::usize_trunc(rng.unit() * f64::from(u32::try_from(count).unwrap_or(1)))
    };
    let drawn: Vec<(u32, usize)> = (0..MEMBERS).map(|_| (RATES_HZ[pick(3)], BLOCKS[pick(5)])).collect();
    for ((hz, block), note) in drawn.iter().zip(NOTES_HZ) {
        let rate = SampleRate::new(*hz).unwrap_or(SampleRate::GRID);
        let daw = Daw {
            rate,
            blocks: Blocks::Fixed(*block),
            crystal: Crystal::thermal(rng.between(-100.0, 100.0)),
            punctuality: Punctuality::Usual,
            ..Daw::perfect(Source::Tone { cycles: note / rate.hz_f64() }, *block)
        };
        let crystal = Crystal::thermal(rng.between(-40.0, 40.0));
        let (up, down) = (path.clone(), path.clone());
        world.add(MemberPlan { daw, crystal, up, down, format: Format::Pcm16, starts: LocalTime::ZERO });
    }
    let mut first = FirstMember::default();
    world.run(Span::from_millis(i64::from(cli.seconds) * 1_000), &mut first);
    let mut is_heard = true;
    for (number, (member, (hz, block))) in world.members.iter().zip(&drawn).enumerate() {
        for (strip, lane) in member.gauges.lanes[..MEMBERS - 1].iter().enumerate() {
            let present = f64_from_u64(lane.present.load(Ordering::Relaxed));
            let concealed = f64_from_u64(lane.concealed.load(Ordering::Relaxed));
            let delay = lane.delay_ms.load(Ordering::Relaxed);
            is_heard &= present > 0.0;
            print(&format!(
                "member {number} ({hz} Hz, blocks of {block})  strip {}  delay {delay:>7.2} ms  concealed {:>6.0} ppm",
                strip + 1,
                concealed * 1e6 / (present + concealed).max(1.0),
            ));
        }
    }
    if let Some(file) = &cli.wav {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: drawn[0].0,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(file, spec)?;
        for sample in first.0.iter().flatten() {
            writer.write_sample(*sample)?;
        }
        writer.finalize()?;
    }
    print(
        &format!(
            "again: cargo xtask sim --plan {:?} --seed {} --seconds {}",
            cli.plan, cli.seed, cli.seconds
        )
        .to_lowercase(),
    );
    Ok(if is_heard { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "this program is for looking at")]
fn print(line: &str) {
    println!("{line}");
}
