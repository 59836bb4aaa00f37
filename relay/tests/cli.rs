//! The real binary, as an admin runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lockstep-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running relay, ended with the test.
struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-relay"));
    command.env_remove("STATE_DIRECTORY").env_remove("LOCKSTEP_RELAY_CONFIG").stderr(Stdio::piped());
    command
}

fn start(arguments: &[&str], state: &Path) -> (Relay, String) {
    let mut command = command();
    command.args(arguments).arg("--state").arg(state).stdout(Stdio::piped());
    let mut relay = Relay(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(relay.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (relay, line.trim().to_owned())
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn sentence(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_first_start_makes_a_private_key_and_every_start_prints_the_same_invite() {
    let folder = Folder::new("first");
    let (relay, invite) = start(&["--listen", "127.0.0.1:0", "--public-host", "relay.example"], &folder.0);
    assert!(invite.starts_with("lockstep://relay.example:"), "{invite}");
    assert!(invite.contains("/studio#"), "{invite}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for file in ["relay.key", "rooms/studio.secret"] {
            assert_eq!(fs::metadata(folder.0.join(file)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    drop(relay);
    let (_relay, again) =
        start(&["run", "--listen", "127.0.0.1:0", "--public-host", "relay.example"], &folder.0);
    let secret = |invite: &str| invite.split_once('#').unwrap().1.to_owned();
    assert_eq!(secret(&again), secret(&invite));
    let printed = run(&["invite", "studio", "--state", folder.0.to_str().unwrap()]);
    assert_eq!(secret(String::from_utf8(printed.stdout).unwrap().trim()), secret(&invite));
}

#[test]
fn without_an_address_it_listens_by_both_protocols_where_the_machine_has_both() {
    let folder = Folder::new("both");
    // Another relay may hold the usual port of this machine: then that is what it says.
    let (mut relay, invite) = start(&[], &folder.0);
    if invite.is_empty() {
        relay.0.wait().unwrap();
        return;
    }
    assert!(UdpSocket::bind("127.0.0.1:48064").is_err() || UdpSocket::bind("[::1]:48064").is_err());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_cleanly() {
    let folder = Folder::new("signal");
    let stats = folder.0.join("stats.json");
    let (mut relay, _) =
        start(&["--listen", "127.0.0.1:0", "--stats-json", stats.to_str().unwrap()], &folder.0);
    let kill = Command::new("kill").args(["-TERM", &relay.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert!(relay.0.wait().unwrap().success());
    let stats: serde_json::Value = serde_json::from_str(&fs::read_to_string(stats).unwrap()).unwrap();
    assert_eq!(stats["datagrams_in"], 0);
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let folder = Folder::new("port");
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address, "--state", folder.0.to_str().unwrap()]);
    assert!(sentence(&output).contains("choose a port with --listen"));
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said_with_what_to_do() {
    let folder = Folder::new("state");
    let file = folder.0.join("file");
    fs::write(&file, "in the way").unwrap();
    let output = run(&["--listen", "127.0.0.1:0", "--state", file.join("state").to_str().unwrap()]);
    let said = sentence(&output);
    assert!(said.contains("--state FOLDER") || said.contains("cannot read"), "{said}");
    fs::write(folder.0.join("relay.key"), "not a key\n").unwrap();
    let output = run(&["--listen", "127.0.0.1:0", "--state", folder.0.to_str().unwrap()]);
    assert!(sentence(&output).contains("is damaged"));
}

#[test]
fn a_configuration_is_checked_in_words() {
    let folder = Folder::new("check");
    let path = folder.0.join("relay.toml");
    let check = |text: &str| {
        fs::write(&path, text).unwrap();
        run(&["check", path.to_str().unwrap()])
    };
    let good = check("public_host = 'relay.example'\n[[room]]\nname = 'jazz'\nmembers_max = 8\n");
    assert!(good.status.success());
    assert!(String::from_utf8(good.stdout).unwrap().contains("room jazz: 8 members at a time"));
    assert!(sentence(&check("[[room]]\nname = 'jazz'\nmembers = 8\n")).contains("members"));
    assert!(sentence(&run(&["check", "/nowhere/relay.toml"])).contains("cannot read"));
}

#[test]
fn help_tells_the_way_and_a_wrong_flag_is_exit_code_two() {
    let help = run(&["--help"]);
    assert!(String::from_utf8(help.stdout).unwrap().contains("--stats-json"));
    assert_eq!(run(&["--nonsense"]).status.code(), Some(2));
}
