//! The lines of a text of rules, each with its place.

use super::pattern::{Mistake, Reading};
use super::{PATTERN_BYTES_MAX, RuleError, Wrong};

/// A line that says something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    number: usize,
    /// Characters in front of `text`.
    indent: usize,
    /// Without the space around it.
    pub(super) text: &'a str,
}

/// The lines of `text` that are neither blank nor comments.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let lines = text.lines().zip(1..).map(|(whole, number)| {
        let indent = whole.chars().take_while(|letter| letter.is_whitespace()).count();
        Line { number, indent, text: whole.trim() }
    });
    lines.filter(|line| !line.text.is_empty() && !line.text.starts_with('#'))
}

impl<'a> Line<'a> {
    /// The name or the pattern that stands here where lines are read as `reading`, and at which byte of the line.
    pub(super) fn read(self, reading: Reading) -> Result<(&'a str, Reading, usize), RuleError> {
        let slashed = self.text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let (text, reading, start) = match (reading, slashed) {
            (Reading::Exact, Some(inside)) => (inside, Reading::Pattern, 1),
            (Reading::Exact | Reading::Pattern, _) => (self.text, reading, 0),
        };
        if text.len() > PATTERN_BYTES_MAX {
            return Err(self.error((PATTERN_BYTES_MAX, Wrong::TooLong(text.len()))));
        }
        Ok((text, reading, start))
    }

    /// This mistake, here.
    pub(super) fn error(self, (byte, what): Mistake) -> RuleError {
        let before = self.text.char_indices().take_while(|(place, _)| *place < byte).count();
        RuleError { line: self.number, column: self.indent + before + 1, what }
    }
}
