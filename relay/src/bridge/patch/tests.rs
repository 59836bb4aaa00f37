use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const fn address(client: u8) -> Address {
    Address { client, port: 0 }
}

const fn joined(from: u8, to: u8) -> Connection {
    Connection { from: address(from), to: address(to) }
}

fn port(directions: Directions, name: &str) -> Port {
    let client = name.split(':').next().map(str::to_owned);
    Port { name: name.to_owned(), directions, room: client }
}

/// Ports with the addresses 0, 1, 2 and so on.
fn ports(named: &[(Directions, &str)]) -> Ports {
    let ports = named.iter().zip(0..);
    ports.map(|((directions, name), client)| (address(client), port(*directions, name))).collect()
}

/// What `text` wants of them, as pairs of their places.
fn wanted(text: &str, named: &[(Directions, &str)]) -> Vec<(u8, u8)> {
    let rules = Rules::parse(text).expect("rules");
    let wanted = rules.wanted(&ports(named), &BTreeSet::new());
    wanted.into_iter().map(|there| (there.from.client, there.to.client)).collect()
}

fn mistake(text: &str) -> String {
    Rules::parse(text).expect_err("a mistake").to_string()
}

use Directions::{Both, Input, Output};

#[test]
fn an_output_goes_to_all_inputs_that_match() {
    let named = [
        (Output, "fluidsynth:l_01"),
        (Output, "other:l_02"),
        (Input, "system:playback_1"),
        (Input, "system:playback_12"),
    ];
    let text = "# left\n\nfluidsynth:l_\\d+\n   system:playback_[13]\n";
    assert_eq!(wanted(text, &named), [(0, 2), (0, 3)]);
    assert_eq!(wanted(&text.replace("[13]", "[13]$"), &named), [(0, 2)]);
    // From the beginning on, not anywhere.
    assert_eq!(wanted("l_\\d+\nsystem:", &named), []);
    assert_eq!(wanted(".*l_\\d+\nsystem:.*2$", &named), [(0, 3), (1, 3)]);
    assert_eq!(wanted("other|nobody\nsystem:.*2", &named), [(1, 3)]);
}

#[test]
fn what_a_group_matched_is_put_in_as_text() {
    let named =
        [(Output, "a:out_1"), (Output, "a:out_."), (Input, "b:in_1"), (Input, "b:in_2"), (Input, "b:in_.")];
    assert_eq!(wanted("a:out_(?P<n>.)\nb:in_{n}$", &named), [(0, 2), (1, 4)]);
    assert_eq!(wanted("@exact\n/a:out_(?P<n>.)/\nb:in_{n}", &named), [(0, 2), (1, 4)]);
    // Braces that are none of a group.
    assert_eq!(wanted("a:out_(?P<n>.)\nb:i{1}n{1,2}_[12]{1}\n", &named), [(0, 2), (0, 3), (1, 2), (1, 3)]);
    // A group that matched nothing.
    assert_eq!(wanted("a:out_1(?P<n>x)?\nb:in_{n}1", &named), [(0, 2)]);
}

#[test]
fn exact_names_are_names() {
    let named = [(Output, "a.b:{1}"), (Output, "aXb:{1}"), (Input, "c:in(1)"), (Input, "c:in(10)")];
    assert_eq!(wanted("@exact\na.b:{1}\nc:in(1)", &named), [(0, 2)]);
    assert_eq!(wanted("@exact\n/a.b/\nc:in(1)\n@patterns\naXb\nc:in\\(10", &named), [(0, 2), (1, 2), (1, 3)]);
}

#[test]
fn suffixes_join_inside_one_room() {
    let named = [
        (Both, "rtp 5004:Anna Out"),
        (Both, "rtp 5004:Ben Rec"),
        (Both, "rtp 5004:Cleo In"),
        (Both, "rtp 5004:Dan Sen"),
        (Both, "rtp 5006:Eve In"),
        (Input, "rtp 5004:Admin"),
    ];
    assert_eq!(wanted("@suffixes", &named), [(0, 1), (0, 2), (3, 1), (3, 2)]);
}

#[test]
fn a_first_pattern_that_is_an_input_means_what_goes_to_it() {
    let named = [
        (Output, "a:out"),
        (Input, "speaker:1"),
        (Input, "recorder:1"),
        (Input, "meter:1"),
        (Output, "x:out"),
    ];
    let text = "a:out\nspeaker:1\nspeaker:(?P<n>.)\nrecorder:{n}\nrecorder:1\nmeter:1";
    assert_eq!(wanted(text, &named), [(0, 1), (0, 2), (0, 3)]);
    let rules = Rules::parse(text).expect("rules");
    let others = BTreeSet::from([joined(4, 1)]);
    let all: Vec<_> = rules.wanted(&ports(&named), &others).into_iter().collect();
    assert_eq!(all, [joined(0, 1), joined(0, 2), joined(0, 3), joined(4, 2), joined(4, 3)]);
    // A port that has both is the output that it is; and none goes to itself.
    assert_eq!(wanted(".*\n.*", &[(Both, "a:1"), (Both, "a:2")]), [(0, 1), (1, 0)]);
}

#[test]
fn mistakes_name_their_place() {
    assert_eq!(mistake("a\nb\n\n  c(\n d"), "line 4, column 4: not a regular expression: unclosed group");
    assert_eq!(mistake("é(\nd"), "line 1, column 2: not a regular expression: unclosed group");
    assert_eq!(
        mistake("(?P<n>.)\n in_{n}(?<=x)"),
        "line 2, column 8: not a regular expression: look-around, including look-ahead and look-behind, is not supported"
    );
    assert_eq!(
        mistake("a\n b{number}"),
        "line 2, column 3: {number} names no group of the pattern above; a group is written (?P<number>...)"
    );
    assert_eq!(mistake("a\nb\nc"), "line 3, column 1: this output pattern has no input pattern below it");
    assert_eq!(mistake("a\n@exact"), "line 1, column 1: this output pattern has no input pattern below it");
    assert_eq!(
        mistake("@exactly"),
        "line 1, column 1: \"@exactly\" is not known; write @exact, @patterns or @suffixes"
    );
    assert_eq!(
        mistake("((a{100}){100}){100}\nb"),
        "line 1, column 1: this pattern is too large when its repetitions are written out; make it simpler"
    );
    assert!(mistake(&"x".repeat(2_000)).contains("has 2000 bytes"));
    assert!(mistake(&"a\nb\n".repeat(1_001)).starts_with("line 2001, column 1: more than 1000 rules"));
}

fn commands(patch: &mut Patch) -> Vec<Command> {
    std::iter::from_fn(|| patch.poll_command()).collect()
}

/// Does what is commanded, at once.
fn obey(patch: &mut Patch) -> Vec<Command> {
    let mut all = Vec::new();
    while let Some(command) = patch.poll_command() {
        all.push(command);
        match command {
            Command::Connect(these) => {
                patch.subscribed(these);
                patch.made(these);
            }
            Command::Disconnect(these) => patch.unsubscribed(these),
        }
    }
    all
}

fn key_to_synth() -> Patch {
    let mut patch = Patch::new(Rules::parse("key.*\nsynth.*").expect("rules"));
    patch.appeared(address(1), port(Output, "key:out"));
    patch.appeared(address(2), port(Input, "synth:in"));
    patch
}

#[test]
fn ports_are_connected_as_they_appear_in_any_order() {
    let mut patch = key_to_synth();
    assert_eq!(obey(&mut patch), [Command::Connect(joined(1, 2))]);
    patch.appeared(address(3), port(Output, "keys 2:out"));
    assert_eq!(obey(&mut patch), [Command::Connect(joined(3, 2))]);
    patch.vanished(address(2));
    assert_eq!(obey(&mut patch), []);
    patch.appeared(address(2), port(Input, "synth:in"));
    assert_eq!(obey(&mut patch), [Command::Connect(joined(1, 2)), Command::Connect(joined(3, 2))]);
}

#[test]
fn what_no_rule_asks_for_any_more_is_disconnected() {
    let mut patch = key_to_synth();
    obey(&mut patch);
    patch.appeared(address(2), port(Input, "drums:in"));
    assert_eq!(obey(&mut patch), [Command::Disconnect(joined(1, 2))]);
    patch.appeared(address(2), port(Input, "synth:in"));
    assert_eq!(obey(&mut patch), [Command::Connect(joined(1, 2))]);
    patch.set_rules(Rules::default());
    assert_eq!(obey(&mut patch), [Command::Disconnect(joined(1, 2))]);
    assert_eq!(patch.connections().count(), 0);
}

#[test]
fn what_others_do_stays() {
    let mut patch = key_to_synth();
    patch.subscribed(joined(2, 1));
    obey(&mut patch);
    // Made by hand: not ours to end.
    patch.set_rules(Rules::default());
    assert_eq!(obey(&mut patch), [Command::Disconnect(joined(1, 2))]);
    assert_eq!(patch.connections().collect::<Vec<_>>(), [joined(2, 1)]);
    // Taken away by hand: not made again until a port comes anew.
    patch.set_rules(Rules::parse("key.*\nsynth.*").expect("rules"));
    obey(&mut patch);
    patch.unsubscribed(joined(1, 2));
    patch.appeared(address(9), port(Output, "else:out"));
    assert_eq!(obey(&mut patch), []);
    patch.vanished(address(1));
    patch.appeared(address(1), port(Output, "key:out"));
    assert_eq!(obey(&mut patch), [Command::Connect(joined(1, 2))]);
}

#[test]
fn somebody_faster_made_it_and_keeps_it() {
    let mut patch = key_to_synth();
    assert_eq!(commands(&mut patch), [Command::Connect(joined(1, 2))]);
    patch.subscribed(joined(1, 2));
    patch.refused(joined(1, 2));
    assert_eq!(patch.refusals(), 1);
    patch.set_rules(Rules::default());
    assert_eq!(commands(&mut patch), []);
}

#[test]
fn a_late_announcement_confuses_nothing() {
    let mut patch = key_to_synth();
    obey(&mut patch);
    patch.set_rules(Rules::default());
    assert_eq!(commands(&mut patch), [Command::Disconnect(joined(1, 2))]);
    // Wanted again before the sequencer has said that it is gone.
    patch.set_rules(Rules::parse("key.*\nsynth.*").expect("rules"));
    assert_eq!(commands(&mut patch), []);
    patch.unsubscribed(joined(1, 2));
    assert_eq!(obey(&mut patch), [Command::Connect(joined(1, 2))]);
    patch.set_rules(Rules::default());
    assert_eq!(obey(&mut patch), [Command::Disconnect(joined(1, 2))]);
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}:[ -~]{0,20}",
        "[#@/ {}()\\[\\]\\\\.*+?^$|\t\r\n\u{85}\u{2003}äß🎹]{0,12}",
        "/[a-z.]{0,5}/",
        Just(String::new()),
    ]
}

proptest! {
    #[test]
    fn printed_connections_are_rules_that_make_them(names in proptest::collection::btree_set(any_name(), 2..12), picks in proptest::collection::vec((0_u8..12, 0_u8..12), 0..20)) {
        let named: Vec<(Directions, &str)> = names.iter().map(|name| (Both, name.as_str())).collect();
        let ports = ports(&named);
        let count = u8::try_from(named.len()).expect("few");
        let there: BTreeSet<Connection> =
            picks.iter().map(|(from, to)| joined(from % count, to % count)).filter(|there| there.from != there.to).collect();
        let mut patch = Patch::default();
        for (address, port) in &ports {
            patch.appeared(*address, port.clone());
        }
        for connection in &there {
            patch.subscribed(*connection);
        }
        let dump = patch.dump();
        let parsed = Rules::parse(&dump.to_string()).expect("what was printed");
        prop_assert_eq!(&parsed, &dump);
        prop_assert_eq!(parsed.wanted(&ports, &BTreeSet::new()), there.clone());
        prop_assert_eq!(dump.wanted(&ports, &BTreeSet::new()), there);
    }

    #[test]
    fn rules_that_parse_are_printed_so_that_they_parse_to_the_same(text in "(@exact|@patterns|@suffixes|[a-z(.*)\\\\/{}# ]{0,8}|\n){0,12}") {
        if let Ok(rules) = Rules::parse(&text) {
            prop_assert_eq!(Rules::parse(&rules.to_string()), Ok(rules));
        }
    }

    #[test]
    fn any_text_is_rules_or_a_mistake(text in any::<String>()) {
        let _ = Rules::parse(&text);
    }
}
