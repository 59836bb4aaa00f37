//! Where the operating system is: sockets, clock, threads, signals, files and logs around the core.
//!
//! The *media thread* ([`media`]) owns the core and the sockets. The *desk thread*, the one that called
//! [`run`], writes logs and figures. They meet in one bounded channel of [`media::Report`]s, which is made here. Admins ask
//! through the [`control`] socket, whose threads hand commands to the media thread.

pub mod announce;
pub mod clock;
pub mod configuration;
pub mod contain;
pub mod control;
pub mod host;
pub mod logs;
pub mod media;
pub mod midi;
pub mod pace;
pub mod ports;
pub mod priority;
pub mod rules;
pub mod sequencer;
pub mod signals;
pub mod state;
pub mod stats;
pub mod udp;
pub mod wake;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use lockstep_shared::session::Invite;
use thiserror::Error;
use tracing::{info, warn};

use crate::bridge::patch::Rules;
use crate::config::{Config, Listen};
use crate::relay::{RelaySettings, RoomSettings};
use announce::Announcements;
use host::Reach;
use media::{Media, Report};
use midi::MidiSockets;
use ports::Ports;
use priority::Scheduling;
use signals::StopRequest;
use state::{State, StateError};
use stats::Meter;
use udp::{Interrupts, ListenError};

/// Reports that may wait for the desk thread: all members of forty rooms coming back at once.
const REPORTS_MAX: usize = 2_048;

/// Why the relay does not run, or no longer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShellError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The sockets.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No such room.
    #[error(
        "there is no room {room:?}; the rooms are {rooms}; open another one with --room NAME or in the configuration"
    )]
    NoRoom {
        /// What was asked for.
        room: String,
        /// What there is.
        rooms: String,
    },
    /// The port is not known before the relay runs.
    #[error(
        "port 0 lets the system choose a port at each start, so only the running relay can print invites"
    )]
    NoPort,
    /// The system refuses what every process may have.
    #[error("the system refuses {what}: {reason}")]
    System {
        /// What.
        what: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// The rules of the ports.
    #[error(transparent)]
    Rules(#[from] rules::RulesError),
    /// A defect that could not be contained.
    #[error("the media thread has ended by itself; the log says why")]
    MediaThread,
}

/// Runs the relay until a signal ends it: prints one invite a room to `invites`, and all else to the log.
///
/// # Errors
/// It cannot start, or the media thread has died.
pub fn run(config: &Config, invites: &mut dyn io::Write) -> Result<(), ShellError> {
    logs::start(config.log);
    contain::log_panics();
    let state = State::locate(config.state.as_deref())?;
    let stop =
        StopRequest::listen().map_err(|reason| ShellError::System { what: "signal handlers", reason })?;
    let udp = udp::open(&config.listen)?;
    let port = udp.addresses().next().map_or(0, |address| address.port());
    for address in udp.addresses() {
        info!(%address, "listening on UDP");
    }
    let midi = MidiSockets::open(&config.listen, &config.rooms);
    let (waker, wake) =
        wake::pair().map_err(|reason| ShellError::System { what: "a socket pair", reason })?;
    let ports = open_ports(config, waker.clone())?;
    let settings = settings(config, &state, &midi, ports.is_some())?;
    let (asker, commands) = control::commands(waker);
    // Whoever reads an invite may ask at once; the media thread answers when it runs.
    serve_control(&state, asker.clone(), config.rules.clone());
    info!(folder = %state.folder().display(), rooms = config.rooms.len(), "the relay is open");
    print_invites(config, &state, port, invites)?;
    let sessions = config.rooms.iter().enumerate().filter(|(number, _)| midi.has_session(*number));
    let sessions = sessions.filter_map(|(_, room)| Some((room.midi.name.as_str(), room.midi.port?)));
    let _announcements = Announcements::start(&host::short_name(), sessions);

    let interrupts = Interrupts { stop, wake };
    midi::call(&config.rooms, asker.clone());
    let (sender, reports) = sync_channel(REPORTS_MAX);
    let thread = std::thread::Builder::new()
        .name("media".to_owned())
        .spawn(move || Media::new(settings, udp, midi, ports, interrupts, commands, sender).run())
        .map_err(|reason| ShellError::System { what: "a thread", reason })?;
    keep_desk(&reports, config, &asker);
    thread.join().map_err(|_| ShellError::MediaThread)?;
    info!("stopped");
    Ok(())
}

/// Lets `lockstep-relay status` and the others reach this relay. Without that it relays as well.
fn serve_control(state: &State, asker: control::Asker, rules: Option<PathBuf>) {
    #[cfg(unix)]
    if let Err(reason) = control::serve(state.folder(), asker, rules) {
        warn!(%reason, "no control socket: status, monitor and panic will not reach this relay");
    }
    #[cfg(not(unix))]
    drop((asker, rules));
}

/// The invite of the room called `room`, whether or not the relay is running.
///
/// # Errors
/// No such room, an unusable state folder, or no fixed port.
pub fn invite(config: &Config, room: &str) -> Result<Invite, ShellError> {
    if !config.rooms.iter().any(|known| known.name == room) {
        let names: Vec<_> = config.rooms.iter().map(|room| room.name.as_str()).collect();
        return Err(ShellError::NoRoom { room: room.to_owned(), rooms: names.join(", ") });
    }
    let port = match &config.listen {
        Listen::Everywhere { port } => *port,
        Listen::Only(addresses) => addresses.first().map_or(0, core::net::SocketAddr::port),
    };
    if port == 0 {
        return Err(ShellError::NoPort);
    }
    let state = State::locate(config.state.as_deref())?;
    invite_of(&state, &host::invite_host(config).host, port, room)
}

fn invite_of(state: &State, host: &str, port: u16, room: &str) -> Result<Invite, ShellError> {
    Ok(Invite {
        host: host.to_owned(),
        port,
        room: room.to_owned(),
        relay_key: state.relay_key()?.public(),
        secret: state.room_secret(room)?,
    })
}

fn settings(
    config: &Config,
    state: &State,
    midi: &MidiSockets,
    has_ports: bool,
) -> Result<RelaySettings, ShellError> {
    let private_key = *state.relay_key()?.private();
    let rooms = config.rooms.iter().enumerate().map(|(number, room)| {
        let secret = state.room_secret(&room.name)?.0;
        let midi = midi::bridge_settings(
            &room.midi,
            midi.has_session(number),
            has_ports || midi.gateway(number).is_some(),
        );
        Ok(RoomSettings { name: room.name.clone(), secret, members_max: room.members_max, midi })
    });
    Ok(RelaySettings {
        private_key,
        rooms: rooms.collect::<Result<_, StateError>>()?,
        seed: state::entropy()?,
    })
}

fn print_invites(
    config: &Config,
    state: &State,
    port: u16,
    output: &mut dyn io::Write,
) -> Result<(), ShellError> {
    let host = host::invite_host(config);
    match host.reach {
        Reach::World if config.public_host.is_some() => {}
        Reach::World => info!(
            host = host.host,
            "invites carry this host; where players reach this machine by another, give --public-host HOST"
        ),
        Reach::Network => warn!(
            host = host.host,
            "invites work on this network only; for players elsewhere give --public-host HOST"
        ),
        Reach::Machine => warn!(host = host.host, "invites work on this machine only"),
    }
    let mut text = String::new();
    for room in &config.rooms {
        text.push_str(&invite_of(state, &host.host, port, &room.name)?.to_string());
        text.push('\n');
    }
    // Players who already have their invite do not need this one.
    if let Err(reason) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        warn!(%reason, "cannot print the invites");
    }
    Ok(())
}

/// The rooms' ports at the sequencer. Where there is none the relay works without, and says once what is missing.
fn open_ports(config: &Config, waker: wake::Waker) -> Result<Option<Ports>, ShellError> {
    if !config.sequencer {
        return Ok(None);
    }
    let rules = match &config.rules {
        Some(path) => rules::read(Some(path))?,
        None => Rules::default(),
    };
    let names: Vec<String> = config.rooms.iter().map(|room| room.midi.name.clone()).collect();
    match Ports::open(&names, rules, waker) {
        Ok(ports) => {
            info!("the rooms have ports at the ALSA sequencer, client Lockstep");
            Ok(Some(ports))
        }
        Err(unavailable) => {
            info!("no ports at an ALSA sequencer: {unavailable}");
            Ok(None)
        }
    }
}

/// Reads the rules anew and hands them to the media thread; a mistake in them changes nothing.
fn reload_rules(path: Option<&Path>, asker: &control::Asker) {
    match rules::read(path) {
        Ok(rules) => {
            let (answer, _unread) = sync_channel(1);
            let request = control::Request::Ports(control::PortsCommand::Reload);
            asker.ask(control::Asked { request, rules: Some(rules), answer });
            info!("the rules of the ports were read anew");
        }
        Err(reason) => warn!(%reason, "the rules of the ports were not read"),
    }
}

/// Writes logs and figures until the media thread has ended.
fn keep_desk(reports: &Receiver<Report>, config: &Config, asker: &control::Asker) {
    let mut meter = Meter::new(clock::now(), Scheduling::Ordinary);
    let mut unwritable: Option<PathBuf> = None;
    for report in reports {
        match report {
            Report::Started(scheduling) => {
                meter.set_scheduling(scheduling);
                match scheduling {
                    Scheduling::Fifo => info!("the media thread runs in real time (SCHED_FIFO)"),
                    Scheduling::Ordinary => info!(
                        "the media thread runs as an ordinary one; where permitted (LimitRTPRIO=50, CAP_SYS_NICE) it \
                         runs in real time"
                    ),
                }
            }
            Report::Reload => reload_rules(config.rules.as_deref(), asker),
            Report::Event(event) => logs::event(&event),
            Report::Tally(tally) => {
                logs::troubles(meter.previous(), &tally);
                let figures = meter.read(clock::now(), &tally);
                let Some(path) = config.stats_json.as_deref() else { continue };
                match stats::write(path, &figures) {
                    Ok(()) => unwritable = None,
                    // Said once, until it works again.
                    Err(_) if unwritable.is_some() => {}
                    Err(reason) => {
                        warn!(file = %path.display(), %reason, "cannot write the figures");
                        unwritable = Some(path.to_owned());
                    }
                }
            }
        }
    }
}
