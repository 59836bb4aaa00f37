//! A DAW's scanner: loads, asks, unloads, in a process of its own so that what it opened can be counted.

use std::process::Command;

use serde_json::Value;

use crate::support::{OUTPUTS, plugin_file};

fn scanned() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep-host"))
        .arg("scan")
        .arg("--plugin")
        .arg(plugin_file())
        .env_remove("LOCKSTEP_INVITE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn scanning_opens_no_thread_socket_or_file_and_unloads_cleanly() {
    let scan = scanned();
    let held = &scan["held"];
    for moment in ["loaded", "created", "destroyed", "unloaded"] {
        for kind in ["threads", "sockets", "files"] {
            assert_eq!(held[moment][kind], held["at_start"][kind], "{kind} when {moment}: {held}");
        }
    }
}

#[test]
fn a_scan_finds_the_plugin_and_its_ports() {
    let scan = scanned();
    assert_eq!(scan["plugins"][0]["name"], "Lockstep");
    assert_eq!(scan["outputs"].as_array().unwrap().len(), OUTPUTS);
    assert!(scan["state_bytes"].as_u64().unwrap() > 8);
    assert!(scan["allocations_in_create"].as_u64().unwrap() > 50, "the plugin's own allocations are counted");
}
