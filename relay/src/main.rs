//! `lockstep-relay`: does what the command line says and returns the exit code.

use std::io::Write as _;
use std::process::ExitCode;

<<<<<<< HEAD
=======
use clap::Parser as _;
use lockstep_relay::cli::{Cli, Command, LogFormat, PlaceArgs, RunArgs};
use lockstep_relay::config::{Config, ConfigFile, DEFAULT_ROOM};
use lockstep_relay::shell::{file, logs, run};
use lockstep_shared::session::Invite;

>>>>>>> main
fn main() -> ExitCode {
    match lockstep_relay::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not be running: standard error is where an admin looks.
            let _ = writeln!(std::io::stderr(), "lockstep-relay: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
<<<<<<< HEAD
=======

fn read(place: &PlaceArgs) -> Result<ConfigFile, String> {
    place
        .config
        .as_deref()
        .map_or_else(|| Ok(ConfigFile::default()), |path| file::read(path).map_err(|error| error.to_string()))
}

fn start(args: &RunArgs) -> Result<(), String> {
    logs::start(&args.log, args.log_format)?;
    let config = Config::new(read(&args.place)?, args.overrides()).map_err(|error| error.to_string())?;
    run::run(&config, args.stats_json.as_deref()).map_err(|error| error.to_string())
}

fn print_invite(room: &str, place: PlaceArgs) -> Result<(), String> {
    if !Invite::is_room_name(room) {
        return Err(format!("room name {room:?} must be 1 to 32 of a-z, 0-9, - and _"));
    }
    let config = read(&place)?;
    let named = config.rooms.iter().map(|room| room.name.as_str());
    let known: Vec<&str> = if config.rooms.is_empty() { vec![DEFAULT_ROOM] } else { named.collect() };
    if place.config.is_some() && !known.contains(&room) {
        return Err(format!("the configuration has no room {room:?}; it has {}", known.join(", ")));
    }
    let args =
        RunArgs { place, room: vec![room.to_owned()], log_format: LogFormat::Text, ..RunArgs::default() };
    let config = Config::new(config, args.overrides()).map_err(|error| error.to_string())?;
    run::print_invite(&config, room).map_err(|error| error.to_string())
}

fn check(path: &Path) -> Result<(), String> {
    let config = file::read(path).map_err(|error| error.to_string())?;
    let config = Config::new(config, RunArgs::default().overrides()).map_err(|error| error.to_string())?;
    run::print_check(&config).map_err(|error| error.to_string())
}
>>>>>>> main
