//! One line of a rule: a name, or a regular expression; and a template, whose parts the line above it fills in.

use core::ops::Range;
use std::borrow::Cow;

use regex::{Captures, Regex, RegexBuilder};

use super::Wrong;

/// Bytes that one compiled pattern may have: names of ports need a hundredth of it.
const COMPILED_BYTES_MAX: usize = 1 << 18;

/// How a line is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As a regular expression.
    Pattern,
    /// As a name.
    Exact,
}

/// Something wrong with a line: at which byte of its text, and what.
pub(super) type Mistake = (usize, Wrong);

/// What an output's name has to be.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// This one.
    Name(String),
    /// One that matches from its beginning on.
    Regex(Regex),
}

/// What an input's name has to be, given what the output's groups matched.
#[derive(Clone, Debug)]
pub(super) enum Template {
    /// The same for every output.
    Fixed(Pattern),
    /// Made for every output.
    Filled {
        /// The text between the places, one more than there are places.
        texts: Vec<String>,
        /// The group that fills each place.
        groups: Vec<String>,
        /// How the filled text is read.
        reading: Reading,
    },
}

impl Pattern {
    pub(super) fn parse(text: &str, reading: Reading) -> Result<Self, Mistake> {
        match reading {
            Reading::Exact => Ok(Self::Name(text.to_owned())),
            Reading::Pattern => {
                check_syntax(text)?;
                compile(text).map(Self::Regex).ok_or((0, Wrong::TooLarge))
            }
        }
    }

    /// Whether `name` has it, with what the groups matched.
    pub(super) fn matches<'a>(&self, name: &'a str) -> Option<Option<Captures<'a>>> {
        match self {
            Self::Name(wanted) => (wanted == name).then_some(None),
            // The leftmost match is at the beginning if there is one at the beginning.
            Self::Regex(regex) => regex
                .captures(name)
                .filter(|all| all.get(0).is_some_and(|whole| whole.start() == 0))
                .map(Some),
        }
    }

    /// The names of its groups.
    fn groups(&self) -> Vec<String> {
        match self {
            Self::Name(_) => Vec::new(),
            Self::Regex(regex) => regex.capture_names().flatten().map(str::to_owned).collect(),
        }
    }
}

impl Template {
    /// Reads `text`, below the output pattern `above`.
    pub(super) fn parse(text: &str, reading: Reading, above: &Pattern) -> Result<Self, Mistake> {
        let known = above.groups();
        // A name is a name, braces and all, unless there is something to fill in.
        if reading == Reading::Exact && known.is_empty() {
            return Pattern::parse(text, reading).map(Self::Fixed);
        }
        let mut texts = Vec::new();
        let mut groups = Vec::new();
        let mut end = 0;
        for (place, group) in places(text) {
            if !known.iter().any(|known| known == group) {
                return Err((place.start, Wrong::NoGroup(group.to_owned())));
            }
            texts.push(text[end..place.start].to_owned());
            groups.push(group.to_owned());
            end = place.end;
        }
        if groups.is_empty() {
            return Pattern::parse(text, reading).map(Self::Fixed);
        }
        texts.push(text[end..].to_owned());
        if reading == Reading::Pattern {
            // Letters in every place, as many as it has, so that the columns are right.
            let mut tried = text.to_owned();
            for (place, _) in places(text) {
                tried.replace_range(place.clone(), &"x".repeat(place.len()));
            }
            check_syntax(&tried)?;
            compile(&tried).ok_or((0, Wrong::TooLarge))?;
        }
        Ok(Self::Filled { texts, groups, reading })
    }

    /// The pattern for an output whose groups matched this.
    pub(super) fn fill(&self, captures: Option<&Captures<'_>>) -> Option<Cow<'_, Pattern>> {
        match self {
            Self::Fixed(pattern) => Some(Cow::Borrowed(pattern)),
            Self::Filled { texts, groups, reading } => {
                let matched =
                    |group: &str| captures.and_then(|all| all.name(group)).map_or("", |one| one.as_str());
                let mut filled = texts.first().cloned().unwrap_or_default();
                for (group, text) in groups.iter().zip(texts.iter().skip(1)) {
                    match reading {
                        Reading::Exact => filled.push_str(matched(group)),
                        Reading::Pattern => filled.push_str(&regex::escape(matched(group))),
                    }
                    filled.push_str(text);
                }
                match reading {
                    Reading::Exact => Some(Cow::Owned(Pattern::Name(filled))),
                    // Too large only where a long name stands in a repetition.
                    Reading::Pattern => compile(&filled).map(|regex| Cow::Owned(Pattern::Regex(regex))),
                }
            }
        }
    }
}

fn compile(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build().ok()
}

fn check_syntax(text: &str) -> Result<(), Mistake> {
    let Err(error) = regex_syntax::Parser::new().parse(text) else { return Ok(()) };
    Err(match &error {
        regex_syntax::Error::Parse(error) => {
            (error.span().start.offset, Wrong::Pattern(error.kind().to_string()))
        }
        regex_syntax::Error::Translate(error) => {
            (error.span().start.offset, Wrong::Pattern(error.kind().to_string()))
        }
        other => (0, Wrong::Pattern(other.to_string())),
    })
}

/// The `{group}`s of `text`. What a backslash stands before, classes of characters by name (`\p{Greek}`) and
/// repetitions (`{2,3}`) are none.
fn places(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['\\', '{']).map(|offset| at + offset) {
        let rest = &text[found..];
        if let Some(escaped) = rest.strip_prefix('\\') {
            let letter = escaped.chars().next();
            at = found + 1 + letter.map_or(0, char::len_utf8);
            let has_braces =
                letter.is_some_and(|letter| "pPxuUb".contains(letter)) && text[at..].starts_with('{');
            if has_braces {
                at += text[at..].find('}').map_or(1, |length| length + 1);
            }
            continue;
        }
        let length = rest.find('}').unwrap_or(0);
        let inside = rest.get(1..length).unwrap_or_default();
        if is_group(inside) {
            places.push((found..found + length + 1, inside));
            at = found + length + 1;
        } else {
            at = found + 1;
        }
    }
    places
}

fn is_group(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.starts_with(|first: char| is_letter(first) && !first.is_numeric()) && text.chars().all(is_letter)
}
