//! From a configuration to a running relay, and its clean end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use lockstep_shared::session::{DEFAULT_PORT, Invite};
use lockstep_shared::time::{LocalTime, Span};
use thiserror::Error;

use super::media::{Ports, Report, Shared};
use super::state::{State, StateError};
use super::{clock, logs, media, signals, stats, udp};
use crate::config::Config;
use crate::relay::{Relay, RelaySettings, RelayStats, RoomSettings};

/// How often the counters' file is written.
const STATS_EVERY: Span = Span::from_millis(1_000);

/// Why the relay could not run, in words for the admin.
#[derive(Debug, Error)]
pub enum RunError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// An address that cannot be listened on.
    #[error("cannot listen on UDP {address}: {error}{}", hint(.error))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// A thread or a signal handler.
    #[error("the system refused {what}: {error}")]
    System {
        /// What.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// The invites could not be printed.
    #[error("cannot print the invites: {0}")]
    Print(std::io::Error),
}

fn hint(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;

    const HINTS: [(ErrorKind, &str); 3] = [
        (ErrorKind::AddrInUse, "; another relay may be running: stop it, or choose a port with --listen"),
        (ErrorKind::PermissionDenied, "; ports below 1024 need privileges: choose another with --listen"),
        (ErrorKind::AddrNotAvailable, "; this machine has no such address"),
    ];
    HINTS.iter().find(|(kind, _)| *kind == error.kind()).map_or("", |(_, hint)| hint)
}

/// The invite of one room.
pub fn invite(
    config: &Config,
    state: &State,
    room: &str,
    listening: &[SocketAddr],
) -> Result<Invite, StateError> {
    Ok(Invite {
        host: public_host(config, listening),
        port: listening.first().map_or(DEFAULT_PORT, SocketAddr::port),
        room: room.to_owned(),
        relay_key: state.key()?.public(),
        secret: state.secret(room)?,
    })
}

/// What invites call this machine: what the admin said, else the address listened on, else the machine's name.
fn public_host(config: &Config, listening: &[SocketAddr]) -> String {
    if let Some(host) = &config.public_host {
        return host.clone();
    }
    if let Some(address) = listening.iter().find(|address| !address.ip().is_unspecified()) {
        return address.ip().to_string();
    }
    machine_name().unwrap_or_else(|| IpAddr::V4(Ipv4Addr::LOCALHOST).to_string())
}

#[cfg(target_os = "linux")]
fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned();
    (!name.is_empty() && name != "(none)").then_some(name)
}

#[cfg(not(target_os = "linux"))]
fn machine_name() -> Option<String> {
    std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).ok().filter(|name| !name.is_empty())
}

/// Opens the sockets. Without an address given, IPv6 with IPv4, or IPv4 alone where there is no IPv6.
fn listen(config: &Config) -> Result<Vec<UdpSocket>, RunError> {
    let mut sockets = Vec::new();
    for address in config.listen_or_default() {
        let bound = match udp::bind(address) {
            Err(error) if config.listen.is_empty() && error.kind() != std::io::ErrorKind::AddrInUse => {
                let plain = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
                udp::bind(plain).map_err(|error| RunError::Listen { address: plain, error })
            }
            bound => bound.map_err(|error| RunError::Listen { address, error }),
        };
        sockets.push(bound?);
    }
    Ok(sockets)
}

/// Runs the relay until a signal ends it.
pub fn run(config: &Config, stats_json: Option<&Path>) -> Result<(), RunError> {
    let state = State::open(config.state.clone())?;
    let sockets = listen(config)?;
    let listening: Vec<SocketAddr> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    let mut rooms = Vec::new();
    for room in &config.rooms {
        let invite = invite(config, &state, &room.name, &listening)?;
        print_line(&invite.to_string())?;
        rooms.push(RoomSettings {
            name: room.name.clone(),
            secret: invite.secret.0,
            members_max: room.members_max,
        });
        tracing::info!(room = %room.name, members_max = room.members_max, "a room is open");
    }
    for address in &listening {
        tracing::info!(%address, "listening");
    }
    let settings = RelaySettings { private_key: *state.key()?.private(), rooms, seed: State::seed()? };
    let shared = Arc::new(Shared::default());
    signals::listen(&shared).map_err(|error| RunError::System { what: "a signal handler", error })?;
    let relay = Relay::new(settings, clock::now());
    let (reports, inbox) = channel();
    let media = {
        let shared = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("media".into())
            .spawn(move || media::run(relay, Ports::new(sockets), &shared, &reports))
            .map_err(|error| RunError::System { what: "a thread for media", error })?
    };
    let mut latest = RelayStats::default();
    let mut written = LocalTime::ZERO;
    let mut told_of_scheduling = false;
    loop {
        match inbox.recv_timeout(Duration::from_millis(250)) {
            Ok(Report::Event(event)) => logs::write(&event),
            Ok(Report::Stats(stats)) => {
                latest = stats;
                if !told_of_scheduling {
                    told_of_scheduling = true;
                    tell_of_scheduling(&shared);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = clock::now();
        if let Some(path) = stats_json
            && now - written >= STATS_EVERY
        {
            written = now;
            write_stats(path, &latest, &shared);
        }
    }
    if let Some(path) = stats_json {
        write_stats(path, &latest, &shared);
    }
    if media.join().is_err() {
        tracing::error!("the media thread failed; please report this");
        return Err(RunError::System {
            what: "to carry on",
            error: std::io::Error::other("the media thread failed"),
        });
    }
    tracing::info!("stopped; the members were told");
    Ok(())
}

fn tell_of_scheduling(shared: &Shared) {
    if shared.is_realtime.load(Ordering::Relaxed) {
        tracing::info!("the media thread runs in real time");
    } else {
        tracing::info!(
            "the system grants no real-time scheduling (RLIMIT_RTPRIO): the relay works, and is later when the \
             machine is busy"
        );
    }
}

fn write_stats(path: &Path, latest: &RelayStats, shared: &Shared) {
    let seconds = (clock::now() - LocalTime::ZERO).secs_f64();
    if let Err(error) = stats::write(path, latest, shared, seconds) {
        tracing::warn!(path = %path.display(), %error, "cannot write the counters");
    }
}

fn print_line(line: &str) -> Result<(), RunError> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(RunError::Print)
}

/// Prints one room's invite.
pub fn print_invite(config: &Config, room: &str) -> Result<(), RunError> {
    let state = State::open(config.state.clone())?;
    let invite = invite(config, &state, room, &config.listen_or_default())?;
    print_line(&invite.to_string())
}

/// Prints what a configuration would run.
pub fn print_check(config: &Config) -> Result<(), RunError> {
    for address in config.listen_or_default() {
        print_line(&format!("listens on UDP {address}"))?;
    }
    print_line(&format!("invites say {}", config.public_host.as_deref().unwrap_or("this machine's name")))?;
    for room in &config.rooms {
        print_line(&format!("room {}: {} members at a time", room.name, room.members_max))?;
    }
    Ok(())
}
