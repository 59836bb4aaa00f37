//! The network of a jam: a process between the players and the relay that impairs what they send, and what the simulator
//! says such a network should come to.
//!
//! ```text
//!  player --UDP--> lockstep-impairment --UDP--> relay        the same accidents, from the same seed:
//!                                                            lockstep-sim --jam, for what is expected
//! ```

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::players::{ask_to_end, block_and_ppm};
use crate::shell::{capture, command, now, target, wait};

/// Which network the players have, each a way of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Network {
    /// Ethernet and fibre
    Wired,
    /// A shared cable network
    Cable,
    /// A home's wireless network
    Wifi,
    /// A telephone's network
    Lte,
    /// A wireless network that too many share
    Hotel,
}

/// A network and its accidents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) network: Network,
    pub(super) seed: u64,
}

/// The proxy at work; it ends with this value.
pub(super) struct NetworkProcess {
    child: Child,
    choice: Choice,
    address: String,
    report: PathBuf,
}

/// What the network did, for the report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NetworkFigures {
    pub(super) network: Network,
    pub(super) seed: u64,
    #[serde(flatten)]
    pub(super) proxy: ProxyFigures,
    pub(super) expected: Vec<Expected>,
}

/// The proxy's own report, as far as it is used here.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ProxyFigures {
    pub(super) clients: usize,
    pub(super) up: DirectionFigures,
    pub(super) down: DirectionFigures,
    /// How much later than due datagrams left: the proxy's own error.
    pub(super) late_us_p50: f64,
    pub(super) late_us_p99: f64,
    pub(super) late_us_max: f64,
    pub(super) priority: String,
}

/// One direction, all players together.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct DirectionFigures {
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) queue_dropped: u64,
    pub(super) duplicated: u64,
    pub(super) overtook: u64,
    pub(super) delivered: u64,
    pub(super) unsent: u64,
    pub(super) delay_ms_mean: f64,
    pub(super) delay_ms_p50: f64,
    pub(super) delay_ms_p99: f64,
}

/// What one player hears of another in the simulator, over some seeds. Delays count as the plugin counts them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Expected {
    pub(super) listener: usize,
    pub(super) sender: usize,
    pub(super) delay_ms: f64,
    pub(super) delay_ms_least: f64,
    pub(super) delay_ms_most: f64,
    pub(super) concealed_ppm: f64,
}

/// The end of the simulated jam, in seconds, where the real one is shorter.
const SIMULATED_SECONDS_MIN: f64 = 20.0;

impl Network {
    /// Its name, as the two programs know it.
    const fn name(self) -> &'static str {
        match self {
            Self::Wired => "wired",
            Self::Cable => "cable",
            Self::Wifi => "wifi",
            Self::Lte => "lte",
            Self::Hotel => "hotel",
        }
    }

    /// What a player may have to conceal, in a million chunks, where the project promises a figure.
    pub(super) const fn concealed_ppm_max(self) -> Option<f64> {
        match self {
            Self::Wired | Self::Cable => Some(5_000.0),
            Self::Wifi | Self::Lte | Self::Hotel => None,
        }
    }

    /// How far the delay may be from the simulator's, in milliseconds, where the project promises a figure.
    pub(super) const fn delay_ms_off_max(self) -> Option<f64> {
        match self {
            Self::Wired | Self::Cable => Some(3.0),
            Self::Wifi | Self::Lte | Self::Hotel => None,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl NetworkProcess {
    /// Starts the release build before the relay of `invite`.
    pub(super) fn start(choice: Choice, invite: &str, folder: &Path) -> Result<Self> {
        let relay = place(invite).context("an invite without a place")?;
        let report = folder.join("network.json");
        // One that an earlier jam left would be taken for this one's.
        let _ = std::fs::remove_file(&report);
        let log = std::fs::File::create(folder.join("network.log"))?;
        let program = program("lockstep-impairment");
        let mut child = command(&program)
            .args(["--listen", "127.0.0.1:0", "--to", relay, "--plan", choice.network.name()])
            .args(["--seed", &choice.seed.to_string(), "--json"])
            .arg(std::path::absolute(&report)?)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut address = String::new();
        let stdout = child.stdout.take().context("the network has no output")?;
        let mut lines = BufReader::new(stdout);
        lines.read_line(&mut address)?;
        let address = address.trim().to_owned();
        if address.is_empty() {
            let said = std::fs::read_to_string(folder.join("network.log")).unwrap_or_default();
            bail!("the network did not start; it said: {}", said.trim());
        }
        // What it says at the end is in its report; its pipe must not fill up or break.
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
        Ok(Self { child, choice, address, report })
    }

    /// The invite by which players come through here.
    pub(super) fn invite(&self, invite: &str) -> String {
        place(invite).map_or_else(|| invite.to_owned(), |relay| invite.replacen(relay, &self.address, 1))
    }

    /// Ends it, and returns what it did.
    pub(super) fn stop(mut self, expected: Vec<Expected>) -> Result<NetworkFigures> {
        const PATIENCE: Duration = Duration::from_secs(5);

        ask_to_end(&self.child);
        let asked = now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > PATIENCE {
                bail!("the network did not end when asked to");
            }
            wait(Duration::from_millis(20));
        }
        let text = std::fs::read_to_string(&self.report).context("the network left no report")?;
        let proxy = serde_json::from_str(&text).context("the network's report")?;
        let Choice { network, seed } = self.choice;
        Ok(NetworkFigures { network, seed, proxy, expected })
    }
}

impl Drop for NetworkProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl NetworkFigures {
    /// What the network did, in words.
    pub(super) fn summary(&self) -> String {
        let Self { network, seed, proxy, .. } = self;
        let way = |name: &str, way: &DirectionFigures| {
            format!(
                "    {name:<15} {} datagrams, {:.2} % missing ({} lost, {} dropped by the queue), {} twice, {} overtook, \
                 delay {:.2} ms (p99 {:.2})\n",
                way.received,
                way.missing_percent(),
                way.lost,
                way.queue_dropped,
                way.duplicated,
                way.overtook,
                way.delay_ms_mean,
                way.delay_ms_p99,
            )
        };
        format!(
            "    network: {network}, seed {seed}, {} ways; left {:.0} us late (p50), {:.0} us (p99), {:.0} us at most, \
             scheduled as {}\n{}{}",
            proxy.clients,
            proxy.late_us_p50,
            proxy.late_us_p99,
            proxy.late_us_max,
            proxy.priority,
            way("to the relay:", &proxy.up),
            way("to the players:", &proxy.down),
        )
    }
}

impl DirectionFigures {
    /// What did not arrive, of what was sent.
    fn missing_percent(&self) -> f64 {
        let count = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        100.0 * count(self.lost + self.queue_dropped) / count(self.received.max(1))
    }
}

/// What the simulator says that so many players come to.
pub(super) fn expected(choice: Choice, players: usize, seconds: f64) -> Result<Vec<Expected>> {
    let jam: Vec<String> = (0..players)
        .map(|number| {
            let (block, ppm) = block_and_ppm(number);
            format!("{block}:{ppm}")
        })
        .collect();
    let seconds = seconds.max(SIMULATED_SECONDS_MIN).ceil();
    let said = capture(
        command(program("lockstep-sim"))
            .args(["--plan", choice.network.name(), "--seed", &choice.seed.to_string()])
            .args(["--seconds", &format!("{seconds:.0}"), "--jam", &jam.join(",")]),
    )?;
    serde_json::from_str(&said).context("what the simulator says of the jam")
}

fn program(name: &str) -> PathBuf {
    target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The address and port in an invite.
fn place(invite: &str) -> Option<&str> {
    invite.split_once("://")?.1.split(['/', '#', '?']).next().filter(|place| !place.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_leads_through_the_network() {
        let invite = "lockstep://127.0.0.1:4711/studio#abc";
        assert_eq!(place(invite), Some("127.0.0.1:4711"));
        let choice = Choice { network: Network::Cable, seed: 1 };
        let address = "127.0.0.1:9".to_owned();
        // A process that has ended is as good for this.
        let child = std::process::Command::new("true").spawn().unwrap();
        let network = NetworkProcess { child, choice, address, report: PathBuf::new() };
        assert_eq!(network.invite(invite), "lockstep://127.0.0.1:9/studio#abc");
    }
}
