//! The rules: from text, to text, and what they want of the ports that are there.

use core::fmt;
use std::collections::BTreeSet;

use super::lines::{Line, lines};
use super::pattern::{Pattern, Reading, Template};
use super::{Address, Connection, Port, Ports, RuleError, Wrong};

/// Rules of a text: more than any studio has connections that differ.
pub const RULES_MAX: usize = 1_000;
/// Bytes of a line: a name has at most 128 (client and port, 64 each), its pattern a few for each.
pub const PATTERN_BYTES_MAX: usize = 1_024;

/// What the names of outputs end in by the suffix rule, and what those of the inputs they go to.
const OUTPUT_SUFFIXES: [&str; 2] = ["Out", "Sen"];
const INPUT_SUFFIXES: [&str; 2] = ["In", "Rec"];

/// All rules of one text. Equal when their texts are, comments and space aside.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
enum Rule {
    Pair { output: Pattern, input: Template, written: [Written; 2] },
    Suffixes,
}

/// A line as it was written, to print it again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    text: String,
    reading: Reading,
}

impl Rules {
    /// Reads `text`; [the module](super) has the grammar.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let mut rules = Vec::new();
        let mut reading = Reading::Pattern;
        let mut waiting: Option<(Line<'_>, Pattern, Written)> = None;
        for line in lines(text) {
            if rules.len() == RULES_MAX {
                return Err(line.error((0, Wrong::TooMany)));
            }
            if let Some(name) = line.text.strip_prefix('@') {
                if let Some((output, ..)) = waiting {
                    return Err(output.error((0, Wrong::NoInput)));
                }
                match name {
                    "exact" => reading = Reading::Exact,
                    "patterns" => reading = Reading::Pattern,
                    "suffixes" => rules.push(Rule::Suffixes),
                    _ => return Err(line.error((0, Wrong::Directive(line.text.to_owned())))),
                }
                continue;
            }
            let (text, reading, skipped) = line.read(reading)?;
            let at_line = |(byte, what)| line.error((byte + skipped, what));
            let written = Written { text: text.to_owned(), reading };
            match waiting.take() {
                None => waiting = Some((line, Pattern::parse(text, reading).map_err(at_line)?, written)),
                Some((_, output, above)) => {
                    let input = Template::parse(text, reading, &output).map_err(at_line)?;
                    rules.push(Rule::Pair { output, input, written: [above, written] });
                }
            }
        }
        match waiting {
            None => Ok(Self { rules }),
            Some((output, ..)) => Err(output.error((0, Wrong::NoInput))),
        }
    }

    /// One rule for each pair of names: this output to this input and nothing else.
    pub fn exactly<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let rule = |(output, input): (&str, &str)| Rule::Pair {
            output: Pattern::Name(output.to_owned()),
            input: Template::Fixed(Pattern::Name(input.to_owned())),
            written: [output, input].map(Written::name),
        };
        Self { rules: pairs.into_iter().map(rule).collect() }
    }

    /// How many rules there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rules.len()
    }

    /// The connections that there should be between `ports`, while others keep up `others`. Never from a port to itself.
    #[must_use]
    pub fn wanted(&self, ports: &Ports, others: &BTreeSet<Connection>) -> BTreeSet<Connection> {
        let mut wanted = BTreeSet::new();
        let mut mirrors = Vec::new();
        for rule in &self.rules {
            match rule {
                Rule::Suffixes => connect_suffixes(ports, &mut wanted),
                Rule::Pair { output, input, .. } => {
                    for (address, port) in ports {
                        let Some(captures) = output.matches(&port.name) else { continue };
                        let Some(input) = input.fill(captures.as_ref()) else { continue };
                        let inputs = inputs(ports, &input);
                        if port.is_output() {
                            wanted.extend(inputs.map(|to| Connection { from: *address, to }));
                        } else {
                            mirrors.push((*address, inputs.collect::<Vec<_>>()));
                        }
                    }
                }
            }
        }
        wanted.retain(|connection| connection.from != connection.to);
        mirror(&mirrors, others, &mut wanted);
        wanted
    }
}

/// The inputs whose names have the pattern.
fn inputs<'a>(ports: &'a Ports, pattern: &'a Pattern) -> impl Iterator<Item = Address> + 'a {
    let fits = move |port: &Port| port.is_input() && pattern.matches(&port.name).is_some();
    ports.iter().filter(move |(_, port)| fits(port)).map(|(address, _)| *address)
}

fn connect_suffixes(ports: &Ports, wanted: &mut BTreeSet<Connection>) {
    let ends = |port: &Port, suffixes: &[&str]| suffixes.iter().any(|suffix| port.name.ends_with(suffix));
    for (from, output) in ports.iter().filter(|(_, port)| port.is_output() && ends(port, &OUTPUT_SUFFIXES)) {
        for (to, input) in ports.iter().filter(|(_, port)| port.is_input() && ends(port, &INPUT_SUFFIXES)) {
            if output.room.is_some() && output.room == input.room {
                wanted.insert(Connection { from: *from, to: *to });
            }
        }
    }
}

/// What goes to an input of `mirrors` goes to those beside it too, and so on.
///
/// Ends: every turn but the last adds a connection, and there are finitely many.
fn mirror(
    mirrors: &[(Address, Vec<Address>)],
    others: &BTreeSet<Connection>,
    wanted: &mut BTreeSet<Connection>,
) {
    loop {
        let mut added = BTreeSet::new();
        for (mirrored, inputs) in mirrors {
            for from in wanted.union(others).filter(|there| there.to == *mirrored).map(|there| there.from) {
                let copies = inputs.iter().map(|to| Connection { from, to: *to });
                added.extend(copies.filter(|copy| copy.from != copy.to && !wanted.contains(copy)));
            }
        }
        if added.is_empty() {
            return;
        }
        wanted.extend(added);
    }
}

impl Written {
    /// This name, as it is or, where a line would not keep it so, as the pattern that it alone has.
    fn name(name: &str) -> Self {
        let is_plain =
            name.trim() == name && !name.starts_with(['#', '@', '/']) && !name.contains(char::is_control);
        if is_plain && !name.is_empty() {
            return Self { text: name.to_owned(), reading: Reading::Exact };
        }
        let mut text = String::new();
        for letter in name.chars() {
            if letter.is_control() || letter.is_whitespace() {
                text.push_str(&format!("\\x{{{:X}}}", u32::from(letter)));
            } else {
                text.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
            }
        }
        Self { text: text + "$", reading: Reading::Pattern }
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|pair| match pair {
                (Rule::Suffixes, Rule::Suffixes) => true,
                (Rule::Pair { written, .. }, Rule::Pair { written: other, .. }) => written == other,
                (Rule::Suffixes, Rule::Pair { .. }) | (Rule::Pair { .. }, Rule::Suffixes) => false,
            })
    }
}

impl Eq for Rules {}

/// The text that parses to the same rules.
impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "@exact")?;
        for rule in &self.rules {
            match rule {
                Rule::Suffixes => writeln!(f, "\n@suffixes")?,
                Rule::Pair { written: [output, input], .. } => writeln!(f, "\n{output}\n    {input}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reading {
            Reading::Pattern => write!(f, "/{}/", self.text),
            Reading::Exact => f.write_str(&self.text),
        }
    }
}
