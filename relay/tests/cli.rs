//! The real binary, as an admin runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use program::{Relay, failure, port_of, run, run_in, secret_of};
use tempfile::tempdir;

const USAGE: i32 = 2;
const STATE: i32 = 3;
const LISTEN: i32 = 4;

#[test]
fn a_first_start_makes_a_private_key_and_every_start_prints_the_same_invite() {
    let folder = tempdir().unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--public-host", "relay.example"];
    let relay = Relay::start(folder.path(), &flags);
    let invite = relay.invites()[0].clone();
    assert!(invite.starts_with("lockstep://relay.example:"), "{invite}");
    assert!(invite.contains("/studio#"), "{invite}");
    #[cfg(unix)]
    for file in ["relay.key", "rooms/studio.secret"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    drop(relay);
    // A flag may stand before the command, after it, or without one.
    let relay = Relay::start(folder.path(), &[&["run"], &flags[..]].concat());
    assert_eq!(secret_of(&relay.invites()[0]), secret_of(&invite));
    let printed = run_in(folder.path(), &["invite", "studio", "--public-host", "relay.example"]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.trim(), format!("lockstep://relay.example/studio#{}", secret_of(&invite)));
}

#[test]
fn one_invite_a_room_and_nothing_else_on_standard_output() {
    let folder = tempdir().unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--room", "trio", "--room", "duo", "--log", "trace"];
    let relay = Relay::start(folder.path(), &flags);
    let invites = relay.invites();
    assert!(invites[0].starts_with("lockstep://127.0.0.1:") && invites[0].contains("/trio#"), "{invites:?}");
    assert!(invites[1].contains("/duo#") && invites.len() == 2, "{invites:?}");
    assert_ne!(secret_of(&invites[0]), secret_of(&invites[1]));
}

#[test]
fn an_invite_can_be_printed_before_the_first_start() {
    let folder = tempdir().unwrap();
    let before = run_in(folder.path(), &["invite", "studio", "--listen", "127.0.0.1:5004"]);
    let before = String::from_utf8(before.stdout).unwrap();
    assert!(before.starts_with("lockstep://127.0.0.1:5004/studio#"), "{before}");
    let relay = Relay::start(folder.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(secret_of(&relay.invites()[0]), secret_of(&before));
    let sentence = failure(&run_in(folder.path(), &["invite", "jazz"]), USAGE);
    assert!(sentence.contains("no room \"jazz\"; the rooms are studio"), "{sentence}");
}

#[test]
fn it_listens_by_both_protocols_at_once() {
    let folder = tempdir().unwrap();
    let relay = Relay::start(folder.path(), &["--listen", "[::]:0", "--public-host", "relay.example"]);
    let port = port_of(&relay.invites()[0]);
    for (here, there) in [("127.0.0.1:0", format!("127.0.0.1:{port}")), ("[::1]:0", format!("[::1]:{port}"))]
    {
        assert!(refuses_foreign_version(here, &there), "{there}");
    }
}

#[test]
fn several_addresses_each_answer_from_where_they_were_asked() {
    let folder = tempdir().unwrap();
    let [first, second] = free_addresses();
    let relay = Relay::start(folder.path(), &["--listen", &first, "--listen", &second]);
    assert!(relay.invites()[0].starts_with(&format!("lockstep://{first}/")));
    assert!(
        refuses_foreign_version("127.0.0.1:0", &first) && refuses_foreign_version("127.0.0.1:0", &second)
    );
}

/// Two addresses that were free a moment ago.
fn free_addresses() -> [String; 2] {
    let held = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    held.map(|socket| socket.local_addr().unwrap().to_string())
}

/// Sends a hello without a cookie, of a version that does not exist; the relay says so to whoever asks.
fn refuses_foreign_version(here: &str, there: &str) -> bool {
    let mut hello = [0; 160];
    hello[..3].copy_from_slice(&[0x01, 0xff, 0xff]);
    let socket = UdpSocket::bind(here).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // Connected: an answer from elsewhere would not arrive.
    socket.connect(there).unwrap();
    socket.send(&hello).unwrap();
    let mut answer = [0; 256];
    let length = socket.recv(&mut answer).unwrap();
    (answer[0], answer[length - 1]) == (0x04, 0)
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_cleanly_and_the_last_figures_are_written() {
    for (signal, name) in [(rustix::process::Signal::TERM, "term"), (rustix::process::Signal::INT, "int")] {
        let folder = tempdir().unwrap();
        let stats = folder.path().join(format!("{name}.json"));
        let flags = ["--listen", "127.0.0.1:0", "--stats-json", stats.to_str().unwrap()];
        let mut relay = Relay::start(folder.path(), &flags);
        relay.signal(signal);
        assert_eq!(relay.end_within(Duration::from_secs(2)), Some(0), "{name}");
        let stats: serde_json::Value = serde_json::from_slice(&fs::read(stats).unwrap()).unwrap();
        assert_eq!(stats["datagrams_in"], 0);
        assert!(stats["resident_mib"].as_f64().is_none_or(|mib| mib > 0.5), "{stats}");
    }
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let folder = tempdir().unwrap();
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let output = run_in(folder.path(), &["--listen", &address]);
    let sentence = failure(&output, LISTEN);
    assert!(sentence.contains(&format!("{address} is in use")), "{sentence}");
    assert!(sentence.contains("choose another port with --listen"), "{sentence}");
    assert!(output.stdout.is_empty(), "an invite to a relay that does not run: {output:?}");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said_with_what_to_do() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let sentence = failure(&run_in(&file.join("state"), &["--listen", "127.0.0.1:0"]), STATE);
    assert!(sentence.contains("--state FOLDER"), "{sentence}");
    fs::write(folder.path().join("relay.key"), "not a key\n").unwrap();
    let sentence = failure(&run_in(folder.path(), &["--listen", "127.0.0.1:0"]), STATE);
    assert!(sentence.contains("relay.key is damaged"), "{sentence}");
}

#[cfg(unix)]
#[test]
fn a_state_folder_that_has_become_read_only_serves_as_before() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempdir().unwrap();
    let flags = ["--listen", "127.0.0.1:0"];
    let invite = Relay::start(folder.path(), &flags).invites()[0].clone();
    for path in [folder.path().join("rooms"), folder.path().to_owned()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o500)).unwrap();
    }
    assert_eq!(secret_of(&Relay::start(folder.path(), &flags).invites()[0]), secret_of(&invite));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(folder.path().join("rooms"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_configuration_is_checked_in_words() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("relay.toml");
    let check = |text: &str| {
        fs::write(&path, text).unwrap();
        run(&["check", path.to_str().unwrap()])
    };
    let good = check("public_host = 'relay.example'\n[[room]]\nname = 'jazz'\nmembers_max = 8\n");
    assert!(good.status.success(), "{good:?}");
    let said = String::from_utf8(good.stdout).unwrap();
    for words in ["relay.toml is good", "relay.example", "jazz (at most 8 members)", "UDP port 48064"] {
        assert!(said.contains(words), "{said}");
    }
    let sentence = failure(&check("[[room]]\nname = 'jazz'\nmembers = 8\n"), USAGE);
    assert!(sentence.contains("line 3") && sentence.contains("unknown field `members`"), "{sentence}");
    let sentence = failure(&run(&["check", "nowhere/relay.toml"]), USAGE);
    assert!(sentence.contains("nowhere/relay.toml: cannot read"), "{sentence}");
}

#[test]
fn flags_come_before_the_environment_and_the_environment_before_the_file() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("relay.toml");
    fs::write(&path, "public_host = 'file.example'\n").unwrap();
    let path = path.to_str().unwrap();
    let host = |environment: Option<&str>, flags: &[&str]| {
        let mut command = program::command(&[&["check", path], flags].concat());
        if let Some(host) = environment {
            command.env("LOCKSTEP_RELAY_PUBLIC_HOST", host);
        }
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let line = said.lines().find(|line| line.contains("invites name")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(host(None, &[]), "file.example");
    assert_eq!(host(Some("environment.example"), &[]), "environment.example");
    assert_eq!(host(Some("environment.example"), &["--public-host", "flag.example"]), "flag.example");
}

#[test]
fn help_tells_the_way_and_a_wrong_flag_is_exit_code_two() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for words in ["--stats-json", "Exit codes:", "--state", "LOCKSTEP_RELAY_"] {
        assert!(help.contains(words), "{help}");
    }
    assert_eq!(run(&["--nonsense"]).status.code(), Some(USAGE));
    let sentence = failure(&run(&["--room", "No Spaces"]), USAGE);
    assert!(sentence.contains("\"No Spaces\"") && sentence.contains("a-z"), "{sentence}");
    assert!(failure(&run(&["--log", "loud"]), USAGE).contains("error, warn, info, debug, trace"));
}

#[test]
#[cfg(unix)]
fn a_relay_that_runs_can_be_asked_and_one_that_does_not_is_said_so() {
    let folder = tempdir().unwrap();
    let said = |words: &[&str]| String::from_utf8(run_in(folder.path(), words).stdout).unwrap();
    let sentence = failure(&run_in(folder.path(), &["status"]), 1);
    assert!(sentence.contains("no relay runs with the state folder"), "{sentence}");
    let relay = Relay::start(folder.path(), &["--listen", "127.0.0.1:0"]);
    assert!(said(&["status"]).starts_with("studio: 0 with the plugin"), "{}", said(&["status"]));
    let json: serde_json::Value = serde_json::from_str(&said(&["status", "--json"])).unwrap();
    assert_eq!(json["status"][0]["room"], "studio");
    assert_eq!(said(&["panic", "studio"]), "");
    let sentence = failure(&run_in(folder.path(), &["panic", "attic"]), 1);
    assert!(sentence.contains("there is no room \"attic\"; this relay has studio"), "{sentence}");
    drop(relay);
}
