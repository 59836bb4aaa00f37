//! `lockstep-host scan`: what a DAW's scanner does, and what it cost the process.
//!
//! A scanner loads a library, asks what is in it, and unloads it. Lockstep promises that this opens no socket, thread
//! or port; a process that does nothing else can be counted.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use lockstep_hosts::clap::{self as clap_host, ClapHost, PortDirection};
use lockstep_hosts::vst3::{self as vst3_host, BusDirection, Vst3Host};
use serde::Serialize;

use crate::shell::allocations;

/// Lists what a library holds, and counts the threads and files that asking opened.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The library to load
    #[arg(long, value_name = "FILE")]
    plugin: PathBuf,
    /// As which kind of plugin
    #[arg(long, value_enum, default_value = "clap")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Clap,
    Vst3,
}

/// The result, printed as JSON.
#[derive(Debug, Serialize)]
struct Scan {
    plugins: Vec<Found>,
    allocations_in_create: u64,
    held: Moments,
}

/// One plugin of the library.
#[derive(Debug, Serialize)]
struct Found {
    name: String,
    version: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    parameters: Vec<String>,
    state_bytes: usize,
}

/// What the process held open, from moment to moment.
#[derive(Debug, Serialize)]
struct Moments {
    at_start: Held,
    loaded: Held,
    /// While an instance of every plugin lives.
    created: Held,
    destroyed: Held,
    unloaded: Held,
}

/// What the process holds open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Held {
    /// The threads' names.
    threads: Vec<String>,
    files: usize,
    sockets: usize,
}

/// Scans and prints the result.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let scan = match arguments.format {
        Format::Clap => scan_clap(arguments),
        Format::Vst3 => scan_vst3(arguments),
    }?;
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&scan)?)?;
    Ok(())
}

fn scan_clap(arguments: &Arguments) -> Result<Scan> {
    let at_start = held()?;
    let host = ClapHost::load(&arguments.plugin)?;
    let loaded = held()?;
    let (instances, memory) = allocations::counted(|| {
        host.descriptions()
            .iter()
            .map(|description| host.instantiate(&description.id))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut instances = instances?;
    let plugins = instances.iter_mut().map(found_clap).collect::<Result<_>>()?;
    let created = held()?;
    drop(instances);
    let destroyed = held()?;
    drop(host);
    let unloaded = held()?;
    Ok(Scan {
        plugins,
        allocations_in_create: memory.allocations,
        held: Moments { at_start, loaded, created, destroyed, unloaded },
    })
}

fn found_clap(plugin: &mut clap_host::Plugin) -> Result<Found> {
    let names = |ports: Vec<clap_host::Port>| ports.into_iter().map(|port| port.name).collect();
    Ok(Found {
        name: plugin.description().name.clone(),
        version: plugin.description().version.clone(),
        inputs: names(plugin.ports(PortDirection::Input)?),
        outputs: names(plugin.ports(PortDirection::Output)?),
        parameters: plugin.parameters()?.into_iter().map(|parameter| parameter.name).collect(),
        state_bytes: plugin.save_state()?.len(),
    })
}

fn scan_vst3(arguments: &Arguments) -> Result<Scan> {
    let at_start = held()?;
    let host = Vst3Host::load(&arguments.plugin)?;
    let loaded = held()?;
    let classes = host.classes()?;
    let (instances, memory) = allocations::counted(|| {
        classes.iter().map(|class| host.create(&class.name)).collect::<Result<Vec<_>, _>>()
    });
    let instances = instances?;
    let plugins = classes
        .iter()
        .zip(&instances)
        .map(|(class, plugin)| found_vst3(class, plugin))
        .collect::<Result<_>>()?;
    let created = held()?;
    drop(instances);
    let destroyed = held()?;
    drop(host);
    let unloaded = held()?;
    Ok(Scan {
        plugins,
        allocations_in_create: memory.allocations,
        held: Moments { at_start, loaded, created, destroyed, unloaded },
    })
}

fn found_vst3(class: &vst3_host::Class, plugin: &vst3_host::Plugin) -> Result<Found> {
    let names = |buses: Vec<vst3_host::Bus>| buses.into_iter().map(|bus| bus.name).collect();
    Ok(Found {
        name: class.name.clone(),
        version: class.version.clone(),
        inputs: names(plugin.buses(BusDirection::Input)?),
        outputs: names(plugin.buses(BusDirection::Output)?),
        parameters: plugin.parameters()?.into_iter().map(|parameter| parameter.name).collect(),
        state_bytes: plugin.save_state()?.len(),
    })
}

/// Counts threads, open files and sockets, as the kernel lists them.
fn held() -> Result<Held> {
    let threads = fs::read_dir("/proc/self/task")
        .context("this system does not list its threads")?
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect();
    // The listing itself holds one file open: its link is gone by the time it is read, or points to this folder.
    let targets: Vec<PathBuf> = fs::read_dir("/proc/self/fd")
        .context("this system does not list its files")?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| !target.starts_with("/proc"))
        .collect();
    let sockets = targets.iter().filter(|target| target.to_string_lossy().starts_with("socket:")).count();
    Ok(Held { threads, files: targets.len(), sockets })
}
