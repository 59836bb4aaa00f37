//! Good and bad configurations.

use super::*;

fn resolve(text: &str, over: Overrides) -> Result<Config, ConfigError> {
    Config::resolve(Some(FileConfig::parse("relay.toml", text)?), over)
}

fn sentence(text: &str) -> String {
    resolve(text, Overrides::default()).expect_err(text).to_string()
}

fn rooms(config: &Config) -> Vec<(&str, usize)> {
    config.rooms.iter().map(|room| (room.name.as_str(), room.members_max)).collect()
}

#[test]
fn nothing_at_all_opens_the_studio_everywhere() {
    let config = Config::resolve(None, Overrides::default()).unwrap();
    assert_eq!(rooms(&config), [(ROOM_DEFAULT, MEMBERS_MAX_DEFAULT)]);
    assert_eq!(config.listen, Listen::Everywhere { port: 48_064 });
    assert_eq!(config.log, LogConfig { format: LogFormat::Text, level: LogLevel::Info });
    assert_eq!((config.state, config.public_host, config.stats_json), (None, None, None));
    assert_eq!(resolve("", Overrides::default()).unwrap().rooms, config.rooms);
}

#[test]
fn every_key_of_the_file_is_read() {
    let text = r#"
        state = "/var/lib/lockstep"
        listen = ["127.0.0.1:5000", "[::1]:5001"]
        public_host = "[2001:db8::1]"
        members_max = 12
        stats_json = "stats.json"
        [log]
        level = "debug"
        format = "json"
        [[room]]
        name = "duo"
        members_max = 2
        [[room]]
        name = "big-band_2"
    "#;
    let config = resolve(text, Overrides::default()).unwrap();
    assert_eq!(rooms(&config), [("duo", 2), ("big-band_2", 12)]);
    let addresses = ["127.0.0.1:5000", "[::1]:5001"].map(|address| address.parse().unwrap());
    assert_eq!(config.listen, Listen::Only(addresses.to_vec()));
    assert_eq!(config.public_host.as_deref(), Some("2001:db8::1"));
    assert_eq!(config.log, LogConfig { format: LogFormat::Json, level: LogLevel::Debug });
    assert_eq!(config.state, Some("/var/lib/lockstep".into()));
    assert_eq!(config.stats_json, Some("stats.json".into()));
}

#[test]
fn the_command_line_overrides_the_file_value_by_value() {
    let text = "public_host = \"a.example\"\nmembers_max = 5\n[[room]]\nname = \"duo\"\nmembers_max = 2\n\
                [[room]]\nname = \"trio\"\n[log]\nlevel = \"warn\"\nformat = \"json\"\n";
    let over = Overrides {
        rooms: vec!["solo".into(), "duo".into()],
        log_level: Some(LogLevel::Trace),
        listen: vec!["127.0.0.1:0".into()],
        ..Overrides::default()
    };
    let config = resolve(text, over).unwrap();
    assert_eq!(rooms(&config), [("solo", 5), ("duo", 2)]);
    assert_eq!(config.public_host.as_deref(), Some("a.example"));
    assert_eq!(config.log, LogConfig { format: LogFormat::Json, level: LogLevel::Trace });
    assert_eq!(config.listen, Listen::Only(vec!["127.0.0.1:0".parse().unwrap()]));
    let over = Overrides { members_max: Some(9), ..Overrides::default() };
    assert_eq!(rooms(&resolve(text, over).unwrap()), [("duo", 9), ("trio", 9)]);
}

#[test]
fn each_mistake_in_the_file_names_the_file_the_key_and_the_remedy() {
    for (text, words) in [
        ("lisen = []", &["relay.toml: line 1", "unknown field `lisen`", "`listen`"][..]),
        ("\n\n[log]\nlevel = \"loud\"", &["line 4", "level = \"loud\"", "unknown variant `loud`", "`info`"]),
        ("[[room]]\nname = \"a\"\nsecret = \"b\"", &["line 3", "unknown field `secret`", "`members_max`"]),
        ("[[room]]\nmembers_max = 3", &["line 1", "missing field `name`"]),
        ("members_max = \"ten\"", &["line 1", "members_max = \"ten\"", "invalid type"]),
        ("members_max = ", &["line 1", "members_max ="]),
        ("members_max = 0", &["members_max is 0", "1 to 100"]),
        ("[[room]]\nname = \"a\"\nmembers_max = 101", &["members_max is 101", "1 to 100"]),
        ("[[room]]\nname = \"Studio!\"", &["relay.toml", "\"Studio!\"", "a-z, 0-9, - and _"]),
        ("[[room]]\nname = \"\"", &["\"\"", "1 to 32"]),
        ("[[room]]\nname = \"a\"\n[[room]]\nname = \"a\"", &["\"a\" is named twice"]),
        ("listen = [\"localhost:1\"]", &["listen address \"localhost:1\"", "0.0.0.0:48064"]),
        ("listen = []", &["listen is empty"]),
        ("public_host = \"lockstep://x\"", &["public_host \"lockstep://x\"", "play.example.org"]),
        ("public_host = \"x.example:48064\"", &["public_host", "the port comes from `listen`"]),
        ("public_host = \"\"", &["public_host \"\""]),
        ("public_host = \"[x]\"", &["public_host \"[x]\""]),
    ] {
        let sentence = sentence(text);
        assert!(!sentence.contains('\n'), "{sentence}");
        for word in words {
            assert!(sentence.contains(word), "{text:?} gives {sentence:?}, without {word:?}");
        }
    }
}

#[test]
fn mistakes_on_the_command_line_name_it() {
    for over in [
        Overrides { rooms: vec!["a b".into()], ..Overrides::default() },
        Overrides { rooms: vec!["a".into(), "a".into()], ..Overrides::default() },
        Overrides { members_max: Some(0), ..Overrides::default() },
        Overrides { listen: vec!["48064".into()], ..Overrides::default() },
        Overrides { public_host: Some("a/b".into()), ..Overrides::default() },
    ] {
        assert_eq!(Config::resolve(None, over).unwrap_err().place, Place::CommandLine);
    }
}

#[test]
fn room_names_end_at_32_bytes() {
    let long = "x".repeat(33);
    for (name, good) in [(&long[..32], true), (&long[..], false), ("a-z_09", true), ("ä", false)] {
        let over = Overrides { rooms: vec![name.to_owned()], ..Overrides::default() };
        assert_eq!(Config::resolve(None, over).is_ok(), good, "{name}");
    }
}

#[test]
fn rooms_take_their_turns_at_the_midi_ports() {
    let ports = |text: &str, over: Overrides| -> Vec<Option<u16>> {
        let config = resolve(text, over).expect(text);
        config.rooms.iter().map(|room| room.midi.port).collect()
    };
    let rooms =
        "[[room]]\nname = \"a\"\n[[room]]\nname = \"b\"\n[room.midi]\nport = 6000\n[[room]]\nname = \"c\"\n";
    assert_eq!(ports(rooms, Overrides::default()), [Some(5_004), Some(6_000), Some(5_008)]);
    let over = |port| Overrides { midi_port: Some(port), ..Overrides::default() };
    assert_eq!(ports(rooms, over(7_000)), [Some(7_000), Some(6_000), Some(7_004)]);
    assert_eq!(ports(rooms, over(0)), [None; 3]);
    assert!(
        sentence("[[room]]\nname = \"a\"\n[[room]]\nname = \"b\"\n[room.midi]\nport = 5005\n")
            .contains("same RTP-MIDI")
    );
}

#[test]
fn a_rooms_midi_is_read_and_mistakes_in_it_are_named() {
    let room = |midi: &str| format!("[[room]]\nname = \"duo\"\n[room.midi]\n{midi}");
    let text = room(
        "who = \"list\"\nlist = [\"192.168.1.20\", \"10.1.0.0/16\", \"Keys\"]\ninvite = [\"[::1]:5004\", \"mac.local:5006\"]\n\
         clock_offset_ms = -2.5\nclock_offsets_ms = { Drums = 4.0 }\nclock_from = \"Drums\"\nmulticast = { interface = \"192.168.1.2\" }\n",
    );
    let config = resolve(&text, Overrides::default()).expect("good");
    let midi = &config.rooms[0].midi;
    assert_eq!((midi.who, midi.list.len()), (midi::Who::List, 3));
    assert!((midi.clock_offsets["Drums"].millis() - 4.0).abs() < 0.01);
    assert_eq!(midi.list[1], midi::Listed::Network([10, 1, 0, 0].into(), 16));
    assert_eq!(midi.invite[0], midi::Invited { host: "::1".into(), port: 5_004 });
    assert_eq!(midi.multicast.map(|gateway| (gateway.port, gateway.ttl)), Some((21_928, 1)));
    for (bad, part) in [
        ("list = [\"10.0.0.0/33\"]", "list entry"),
        ("invite = [\"mac.local\"]", "HOST:PORT"),
        ("clock_offset_ms = 300.0", "-250 to 250"),
        ("clock_offsets_ms = { Drums = -251.0 }", "-250 to 250"),
        ("multicast = { group = \"10.0.0.1\" }", "multicast group"),
        ("name = \"\"", "session name"),
        ("port = 65535", "65534"),
        ("who = \"friends\"", "anyone"),
    ] {
        let said = sentence(&room(bad));
        assert!(said.contains(part), "{bad}: {said}");
    }
}
