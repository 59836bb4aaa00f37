//! The real-time host process, as `cargo xtask jam` runs it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lockstep_hosts::block::Stereo;
use serde_json::Value;

use crate::support::{Noise, plugin_file};
use crate::wav::{read_wav, write_wav};

/// A folder of one test's files.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("play-{test}"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn play(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lockstep-host"))
        .arg("play")
        .arg("--plugin")
        .arg(plugin_file())
        .arg("--output")
        .arg(folder.join("out.wav"))
        .arg("--report")
        .arg(folder.join("report.json"))
        .args(arguments)
        .env_remove("LOCKSTEP_INVITE")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

#[test]
fn it_plays_a_file_through_the_plugin_in_real_time() {
    let folder = folder("file");
    let piece = Noise::new(1).stereo(30_000);
    write_wav(&folder.join("in.wav"), &piece);
    let input = folder.join("in.wav").display().to_string();
    let strips = folder.join("strips").display().to_string();
    let child = play(
        &folder,
        &["--input", &input, "--strip-outputs", &strips, "--seconds", "1", "--block", "64", "--ppm", "80"],
    );
    assert!(child.wait_with_output().unwrap().status.success());

    let report = report(&folder);
    assert_eq!((&report["ended"], &report["frames"]), (&"finished".into(), &48_000.into()), "{report}");
    assert_eq!(report["process_errors"], 0, "{report}");
    assert_eq!(report["allocations_in_process"], 0, "{report}");
    assert_eq!(report["frees_in_process"], 0, "{report}");
    assert!(report["device_rate_hz"].as_f64().unwrap() > 48_003.8);
    assert!(report["anchor_monotonic_ns"].as_i64().unwrap() > 0);
    let heard = read_wav(&folder.join("out.wav"));
    assert_eq!(heard.left[..30_000], piece.left[..]);
    assert_eq!(heard.right[30_000..], piece.right[..18_000], "the piece starts over at its end");
    assert_eq!(read_wav(&folder.join("strips/strip-8.wav")), Stereo::silent(48_000));
}

#[test]
fn a_signal_ends_it_cleanly() {
    let folder = folder("signal");
    let mut child = play(&folder, &["--seconds", "600", "--progress", "--set", "Sync Delay=120 ms"]);
    // The first line of progress says that audio runs.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let progress: Value = serde_json::from_str(&line).unwrap();
    assert!(progress["seconds"].as_f64().unwrap() > 0.0, "{progress}");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());

    let report = report(&folder);
    assert_eq!(report["ended"], "interrupted");
    let frames = usize::try_from(report["frames"].as_u64().unwrap()).unwrap();
    assert_eq!(read_wav(&folder.join("out.wav")).frames(), frames, "the file holds every frame");
}

#[test]
fn a_setting_that_the_plugin_does_not_know_is_named() {
    let folder = folder("setting");
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep-host"))
        .args(["play", "--set", "Loudness=11", "--plugin"])
        .arg(plugin_file())
        .arg("--output")
        .arg(folder.join("out.wav"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("Loudness") && message.contains("Sync Delay"), "{message}");
}
