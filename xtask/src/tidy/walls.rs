//! Who may name what.

use super::Finding;
use super::source::Source;
use super::tree::{TextFile, Tree};

/// What only a shell may name: the ways to a clock, a socket, a thread, a file, a process and entropy.
const OPERATING_SYSTEM: &[&str] = &[
    "Instant",
    "SystemTime",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixListener",
    "socket2",
    "std::thread",
    "thread::spawn",
    "thread::sleep",
    "thread::Builder",
    "std::fs",
    "File",
    "OpenOptions",
    "std::process",
    "tokio",
    "rand",
    "getrandom",
    "SystemRandom",
    "OsRng",
    "alsa",
    "libc",
    "nix",
];

/// What the pure crate may not name beyond that.
const PURE_ONLY: &[&str] =
    &["std::time", "std::net", "std::env", "std::io", "std::os", "println", "eprintln", "tracing"];

/// What the audio thread's code may not name: locks, channels, shared ownership that could be the last one,
/// growing collections, text and logs.
const AUDIO_THREAD: &[&str] = &[
    "Mutex",
    "RwLock",
    "Condvar",
    "OnceLock",
    "LazyLock",
    "mpsc",
    "Arc::new",
    "Rc",
    "HashMap",
    "HashSet",
    "BTreeMap",
    "VecDeque",
    "Vec::push",
    "Vec::new",
    "push_str",
    "to_vec",
    "to_owned",
    "to_string",
    "String::new",
    "String::from",
    "format!",
    "println",
    "eprintln",
    "dbg!",
    "tracing",
    "unwrap",
    "expect",
    "panic!",
];

/// Roots of the imports that the audio thread's code may have.
const AUDIO_THREAD_IMPORTS: &[&str] = &[
    "super",
    "self",
    "core",
    "lockstep_shared",
    "rtrb",
    "atomic_float",
    "triple_buffer",
    "crossbeam_utils",
    "std::sync::Arc",
    "std::sync::atomic",
    "crate::engine",
    "crate::wiring",
    "crate::params",
];

/// The order among the folders of the pure crate: each with those it may import.
const SHARED_ORDER: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("clock", &["time"]),
    ("codec", &["time"]),
    ("timeline", &["time"]),
    ("wire", &["time", "timeline", "midi", "codec"]),
    ("dsp", &["time"]),
    ("midi", &["time", "timeline"]),
    ("jitter", &["time", "dsp"]),
    ("session", &["time", "clock", "wire"]),
    ("rtpmidi", &["time", "midi", "wire", "session"]),
];

/// A package may not name these packages.
const STRANGERS: &[(&str, &[&str])] = &[
    ("shared/", &["lockstep_plugin", "lockstep_relay", "lockstep_tests", "lockstep_hosts"]),
    ("plugin/", &["lockstep_relay", "lockstep_tests", "lockstep_hosts"]),
    ("relay/", &["lockstep_plugin", "lockstep_tests", "lockstep_hosts"]),
    ("xtask/", &["lockstep_plugin", "lockstep_relay", "lockstep_tests", "lockstep_hosts"]),
];

/// The only files with `unsafe` in them.
const UNSAFE: &[&str] = &[
    "plugin/src/host/clap.rs",
    "plugin/src/host/clap/",
    "plugin/src/host/vst3.rs",
    "plugin/src/host/vst3/",
    "tests/hosts/",
];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    check_pure(tree, findings);
    check_shells(tree, findings);
    check_audio_thread(tree, findings);
    check_strangers(tree, findings);
    check_unsafe(tree, findings);
}

fn check_pure(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust_under("shared/src/") {
        for (number, line) in super::tree::numbered(&source.code) {
            for word in OPERATING_SYSTEM.iter().chain(PURE_ONLY).filter(|word| names(line, word)) {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("`{word}` in the pure crate: time, seeds and bytes are arguments"),
                ));
            }
        }
        check_shared_order(file, source, findings);
    }
}

fn check_shared_order(file: &TextFile, source: &Source, findings: &mut Vec<Finding>) {
    let folder_of = |path: &str| {
        path.strip_prefix("shared/src/").and_then(|rest| rest.split(['/', '.']).next().map(str::to_owned))
    };
    let Some(folder) = folder_of(&file.path) else { return };
    let Some((_, allowed)) = SHARED_ORDER.iter().find(|(name, _)| *name == folder) else { return };
    for (number, line) in source.production_lines() {
        for (other, _) in SHARED_ORDER {
            if *other != folder && !allowed.contains(other) && names(line, &format!("crate::{other}")) {
                let sentence = format!("`{folder}` imports `{other}`; it may import {}", listed(allowed));
                findings.push(Finding::new(&file.path, number, sentence));
            }
        }
    }
}

fn check_shells(tree: &Tree, findings: &mut Vec<Finding>) {
    let is_shell = |path: &str| {
        path.contains("/shell/")
            || path.ends_with("/main.rs")
            || path.contains("/src/bin/")
            || path.starts_with("plugin/src/host/")
            || path.starts_with("plugin/src/editor/")
    };
    for package in ["plugin/src/", "relay/src/"] {
        for (file, source) in tree.rust_under(package).filter(|(file, _)| !is_shell(&file.path)) {
            for (number, line) in source.production_lines() {
                for word in OPERATING_SYSTEM.iter().filter(|word| names(line, word)) {
                    findings.push(Finding::new(
                        &file.path,
                        number,
                        format!("`{word}` outside of shell/: the operating system lives there alone"),
                    ));
                }
            }
        }
    }
}

fn check_audio_thread(tree: &Tree, findings: &mut Vec<Finding>) {
    // What tests do is not done on the audio thread.
    let engine = tree.rust_under("plugin/src/engine/").filter(|(file, _)| !file.path.ends_with("/tests.rs"));
    for (file, source) in engine {
        for (number, line) in source.production_lines() {
            // Attributes may well say `expect`.
            if line.trim_start().starts_with("#[") {
                continue;
            }
            for word in AUDIO_THREAD.iter().filter(|word| names(line, word)) {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!(
                        "`{word}` in engine/: the audio thread never locks, grows, frees, logs or panics"
                    ),
                ));
            }
            let import = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            if let Some(import) = import.strip_prefix("use ")
                && !AUDIO_THREAD_IMPORTS.iter().any(|root| starts_with_path(import, root))
            {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("engine/ imports {}", listed(AUDIO_THREAD_IMPORTS)),
                ));
            }
        }
    }
}

fn check_strangers(tree: &Tree, findings: &mut Vec<Finding>) {
    for (package, strangers) in STRANGERS {
        for (file, source) in tree.rust_under(package) {
            for (number, line) in super::tree::numbered(&source.code) {
                for stranger in strangers.iter().filter(|stranger| names(line, stranger)) {
                    findings.push(Finding::new(
                        &file.path,
                        number,
                        format!("`{package}` names `{stranger}`"),
                    ));
                }
            }
        }
        let Some(manifest) = tree.file(&format!("{package}Cargo.toml")) else { continue };
        for (number, line) in manifest.lines() {
            for stranger in strangers.iter().filter(|stranger| line.starts_with(&stranger.replace('_', "-")))
            {
                findings.push(Finding::new(
                    &manifest.path,
                    number,
                    format!("`{package}` depends on `{stranger}`"),
                ));
            }
        }
    }
}

fn check_unsafe(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust_under("") {
        if UNSAFE.iter().any(|allowed| file.path.starts_with(allowed)) {
            continue;
        }
        for (number, line) in super::tree::numbered(&source.code).filter(|(_, line)| names(line, "unsafe")) {
            let sentence = format!("`{}`: only {} may", line.trim(), listed(UNSAFE));
            findings.push(Finding::new(&file.path, number, sentence));
        }
    }
}

/// Whether `line` has `word` in it, not as a part of a longer word.
fn names(line: &str, word: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn starts_with_path(import: &str, root: &str) -> bool {
    import.strip_prefix(root).is_some_and(|rest| rest.starts_with("::") || rest.starts_with(';'))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::new([(path.to_owned(), text.to_owned())].into_iter());
        let mut findings = Vec::new();
        check(&tree, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_pure_crate_names_no_clock_and_no_socket() {
        assert_eq!(
            findings("shared/src/time/mod.rs", "//! An Instant.\nuse core::net::SocketAddr;\n"),
            [""; 0]
        );
        let found =
            findings("shared/src/clock/mod.rs", "\nuse std::net::UdpSocket;\nlet x = Instant::now();\n");
        assert_eq!(found.len(), 3);
        assert!(found[0].starts_with("shared/src/clock/mod.rs:2: "));
        assert!(found[2].starts_with("shared/src/clock/mod.rs:3: `Instant`"));
    }

    #[test]
    fn the_folders_of_the_pure_crate_have_an_order() {
        assert_eq!(findings("shared/src/session/client.rs", "use crate::wire::Packet;\n"), [""; 0]);
        assert_eq!(findings("shared/src/wire/mod.rs", "use crate::session::Client;\n").len(), 1);
    }

    #[test]
    fn the_operating_system_is_in_shells_alone() {
        assert_eq!(findings("relay/src/shell/driver.rs", "use std::fs::File;\n"), [""; 0]);
        assert_eq!(findings("plugin/src/host/mod.rs", "use std::thread;\n"), [""; 0]);
        assert_eq!(findings("relay/src/room/mod.rs", "use std::thread;\n").len(), 1);
        assert_eq!(
            findings("relay/src/room/mod.rs", "#[cfg(test)]\nmod tests {\nuse std::fs;\n}\n"),
            [""; 0]
        );
    }

    #[test]
    fn the_audio_thread_neither_locks_nor_grows() {
        assert_eq!(
            findings("plugin/src/engine/mod.rs", "use super::Block;\nself.ring.push(chunk);\n"),
            [""; 0]
        );
        assert_eq!(findings("plugin/src/engine/mod.rs", "use parking_lot::Mutex;\n").len(), 2);
    }

    #[test]
    fn packages_keep_their_distance() {
        assert_eq!(findings("relay/src/lib.rs", "use lockstep_plugin::Link;\n").len(), 1);
        assert_eq!(
            findings("plugin/Cargo.toml", "[dependencies]\nlockstep-relay.workspace = true\n").len(),
            1
        );
        assert_eq!(findings("tests/harness/lib.rs", "use lockstep_plugin::Link;\n"), [""; 0]);
    }

    #[test]
    fn only_the_export_shims_may_be_unsafe() {
        assert_eq!(findings("plugin/src/host/clap.rs", "unsafe { x() }\n"), [""; 0]);
        assert_eq!(findings("plugin/src/link.rs", "#![forbid(unsafe_code)]\nunsafe { x() }\n").len(), 1);
    }
}
