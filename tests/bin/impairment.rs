//! `lockstep-impairment --to HOST:PORT --plan NETWORK`: a bad network between real programs on one machine.
//!
//! Exit codes: 0 done, 1 something failed, 2 the command line is wrong.

use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use lockstep_relay::shell::signals::StopRequest;
use lockstep_shared::time::{LocalTime, Span};
use lockstep_tests::net::{Bottleneck, Jitter, Loss, Order, PathPlan};
use lockstep_tests::plan::Network;
use lockstep_tests::shell::clock;
use lockstep_tests::shell::impairment::{Proxy, Settings};

/// Puts a bad network between programs that speak UDP: loss in bursts, delay, jitter, overtaking, copies, and a link of
/// finite rate, each direction alike, all from one seed.
///
/// Every address that sends to --listen gets a way of its own to --to and back, so that several players share nothing but
/// the server. A --plan is one of the networks on which Lockstep's figures stand; the other flags change what it says, or,
/// without a plan, say it alone: then nothing is impaired that no flag names.
///
/// It ends by Ctrl-C, by SIGTERM, or after --seconds, and then says what it did with every datagram, and how exact it was
/// itself. To be exact it wants real-time priority; without permission for that it says so.
#[derive(Debug, Parser)]
#[command(name = "lockstep-impairment", max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// Where programs send to instead of the server. Port 0 is any free one; the first line printed says which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The server
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// A whole network
    #[arg(long, value_enum, value_name = "NETWORK")]
    plan: Option<Network>,
    /// Delay of an empty way, each direction
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    delay_ms: Option<Span>,
    /// What each datagram meets beyond: the mean of an exponential span, or the deviation of a normal one
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    jitter_ms: Option<Span>,
    /// The jitter's distribution
    #[arg(long, value_enum, default_value = "exponential", requires = "jitter_ms")]
    jitter_shape: JitterShape,
    /// How many datagrams are lost: 0.005, or 0.5%
    #[arg(long, value_name = "SHARE", value_parser = share)]
    loss: Option<f64>,
    /// How many are lost in a row, in the mean (Gilbert-Elliott); 1 is independent loss
    #[arg(long, value_name = "DATAGRAMS", requires = "loss", default_value_t = 1.0)]
    burst: f64,
    /// Lets jitter reorder datagrams
    #[arg(long, conflicts_with = "keep_order")]
    reorder: bool,
    /// Delivers datagrams in the order in which they came [without a plan, this is so anyway]
    #[arg(long)]
    keep_order: bool,
    /// How many datagrams arrive twice: 0.01, or 1%
    #[arg(long, value_name = "SHARE", value_parser = share)]
    duplicate: Option<f64>,
    /// The rate of the narrowest link; headers of IP and UDP count
    #[arg(long, value_name = "MBIT/S")]
    bandwidth_mbps: Option<f64>,
    /// What may queue before that link; more is dropped
    #[arg(long, value_name = "MS", value_parser = milliseconds, requires = "bandwidth_mbps", default_value = "100")]
    queue_ms: Span,
    /// Which accidents
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ends by itself after so long
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Also writes what it says at the end as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  lockstep-impairment --to 127.0.0.1:7777 --plan wifi --seed 42
  lockstep-impairment --to relay.example:7777 --delay-ms 10 --jitter-ms 2 --jitter-shape normal \\
                      --loss 0.5% --burst 2 --reorder
  lockstep-impairment --to 127.0.0.1:7777 --plan cable --bandwidth-mbps 1.5 --seconds 60

In an invite, write the address that it listens on in place of the relay's.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum JitterShape {
    Exponential,
    Normal,
}

fn milliseconds(text: &str) -> Result<Span, String> {
    let millis: f64 = text.parse().map_err(|_| format!("{text:?} is no number of milliseconds"))?;
    if !(0.0..=60_000.0).contains(&millis) {
        return Err(format!("{text} ms: from 0 to 60,000 are possible"));
    }
    Ok(Span::from_secs_f64(millis / 1_000.0))
}

fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 0.01));
    let share =
        number.trim().parse::<f64>().map_err(|_| format!("{text:?} is no share: 0.005, or 0.5%"))? * unit;
    if !(0.0..1.0).contains(&share) {
        return Err(format!("{text} is not from 0 to below 1"));
    }
    Ok(share)
}

impl Cli {
    fn path(&self) -> Result<PathPlan> {
        let nothing = || PathPlan { base: Span::ZERO, ..PathPlan::clean() };
        let mut path = self.plan.map_or_else(nothing, Network::family);
        if let Some(delay) = self.delay_ms {
            path.base = delay;
        }
        if let Some(jitter) = self.jitter_ms {
            path.jitter = match self.jitter_shape {
                JitterShape::Exponential => Jitter::Exponential(jitter),
                JitterShape::Normal => Jitter::Normal(jitter),
            };
        }
        if let Some(loss) = self.loss {
            ensure!(self.burst >= 1.0, "a burst is one datagram or more");
            path.loss = Loss::in_bursts(loss, self.burst);
        }
        if self.reorder {
            path.order = Order::Free;
        }
        if self.keep_order {
            path.order = Order::Kept;
        }
        if let Some(duplication) = self.duplicate {
            path.duplication = duplication;
        }
        if let Some(megabits) = self.bandwidth_mbps {
            ensure!(megabits > 0.0 && megabits.is_finite(), "a link of {megabits} Mbit/s carries nothing");
            path.bottleneck =
                Some(Bottleneck { bytes_per_second: megabits * 125_000.0, queue: self.queue_ms });
        }
        Ok(path)
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lockstep-impairment: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let plan = cli.path()?;
    let stop = StopRequest::listen().context("cannot listen for signals")?;
    let mut addresses = cli.to.to_socket_addrs().with_context(|| format!("no address of {}", cli.to))?;
    let to = addresses.next().with_context(|| format!("{} has no address", cli.to))?;
    let settings = Settings { listen: cli.listen, to, plan, seed: cli.seed };
    let proxy = Proxy::open(settings).with_context(|| format!("cannot listen at {}", cli.listen))?;
    let mut out = io::stdout();
    writeln!(out, "{}", proxy.address())?;
    writeln!(io::stderr(), "between {} and {to}, seed {}; Ctrl-C ends it", proxy.address(), cli.seed)?;
    let until = match cli.seconds {
        Some(seconds) => {
            ensure!(seconds > 0.0, "it cannot last {seconds} s");
            clock::now() + Span::from_secs_f64(seconds)
        }
        None => LocalTime::NEVER,
    };
    let report = proxy.run(until, &|| stop.is_requested());
    writeln!(out, "{report}")?;
    if let Some(file) = &cli.json {
        std::fs::write(file, format!("{:#}\n", report.json()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
