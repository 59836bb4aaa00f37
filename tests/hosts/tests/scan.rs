//! A DAW's scanner: loads, asks, unloads, in a process of its own so that what it opened can be counted.

use std::process::Command;

use serde_json::Value;

use crate::support::{OUTPUTS, plugin_file};

fn scanned(format: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep-host"))
        .args(["scan", "--format", format, "--plugin"])
        .arg(plugin_file())
        .env_remove("LOCKSTEP_INVITE")
        // A log is a file, and would be counted.
        .env_remove("NICE_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// nice-plug keeps one idle worker thread for each plugin type, shared by its instances, while there is an instance; Lockstep gives it
/// nothing to do. Lockstep itself opens nothing before activation.
const WORKERS_OF_NICE_PLUG: usize = 1;

#[test]
fn scanning_opens_no_thread_socket_or_file_of_ours_and_unloads_cleanly() {
    for (format, workers) in [("clap", WORKERS_OF_NICE_PLUG), ("vst3", 2 * WORKERS_OF_NICE_PLUG)] {
        let scan = scanned(format);
        let held = &scan["held"];
        let threads = |moment: &str| held[moment]["threads"].as_array().unwrap().len();
        for moment in ["loaded", "created", "destroyed", "unloaded"] {
            for kind in ["sockets", "files"] {
                assert_eq!(held[moment][kind], held["at_start"][kind], "{kind} when {moment}: {scan}");
            }
        }
        assert_eq!(threads("loaded"), threads("at_start"), "{scan}");
        assert!(threads("created") <= threads("at_start") + workers, "{scan}");
        assert_eq!(threads("destroyed"), threads("at_start"), "{scan}");
        assert_eq!(threads("unloaded"), threads("at_start"), "{scan}");
    }
}

#[test]
fn a_scan_finds_the_plugin_and_its_ports() {
    let scan = scanned("clap");
    let plugin = &scan["plugins"][0];
    assert_eq!(plugin["name"], "Lockstep");
    assert_eq!(plugin["outputs"].as_array().unwrap().len(), OUTPUTS);
    assert!(plugin["state_bytes"].as_u64().unwrap() > 8);
    assert!(scan["allocations_in_create"].as_u64().unwrap() > 50, "the plugin's own allocations are counted");
}
