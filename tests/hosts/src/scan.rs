//! `lockstep-host scan`: what a DAW's scanner does, and what it cost the process.
//!
//! A scanner loads a library, asks what is in it, and unloads it. Lockstep promises that this opens no socket, thread
//! or port; a process that does nothing else can be counted.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use lockstep_hosts::clap::{ClapHost, PortDirection};
use serde::Serialize;
use serde_json::json;

use crate::shell::allocations;

/// Lists what a library holds, and counts the threads and files that asking opened.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The .clap to load
    #[arg(long, value_name = "FILE")]
    plugin: PathBuf,
}

/// What the process holds open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Held {
    /// The threads' names.
    threads: Vec<String>,
    files: usize,
    sockets: usize,
}

/// Scans and prints the result as JSON.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let at_start = held()?;
    let host = ClapHost::load(&arguments.plugin)?;
    let loaded = held()?;
    let (plugin, memory) = allocations::counted(|| host.instantiate_first());
    let mut plugin = plugin?;
    let names = |ports: Vec<lockstep_hosts::clap::Port>| -> Vec<String> {
        ports.into_iter().map(|port| port.name).collect()
    };
    let inputs = names(plugin.ports(PortDirection::Input)?);
    let outputs = names(plugin.ports(PortDirection::Output)?);
    let parameters: Vec<String> = plugin.parameters()?.into_iter().map(|parameter| parameter.name).collect();
    let state_bytes = plugin.save_state()?.len();
    let created = held()?;
    drop(plugin);
    let destroyed = held()?;
    let plugins: Vec<_> = host
        .descriptions()
        .into_iter()
        .map(|description| json!({"id": description.id, "name": description.name, "version": description.version}))
        .collect();
    drop(host);
    let unloaded = held()?;
    let result = json!({
        "plugins": plugins,
        "inputs": inputs,
        "outputs": outputs,
        "parameters": parameters,
        "state_bytes": state_bytes,
        "allocations_in_create": memory.allocations,
        "held": {
            "at_start": at_start,
            "loaded": loaded,
            "created": created,
            "destroyed": destroyed,
            "unloaded": unloaded,
        },
    });
    writeln!(io::stdout(), "{result:#}")?;
    Ok(())
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
