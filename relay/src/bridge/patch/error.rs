//! What can be wrong with rules, in sentences for the person who wrote them.

use thiserror::Error;

use super::{PATTERN_BYTES_MAX, RULES_MAX};

/// A mistake and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {what}")]
pub struct RuleError {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: Wrong,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Wrong {
    /// The parser of regular expressions says why.
    #[error("not a regular expression: {0}")]
    Pattern(String),
    /// It would need more memory than a pattern may.
    #[error("this pattern is too large when its repetitions are written out; make it simpler")]
    TooLarge,
    /// Longer than a pattern may be.
    #[error("this line has {0} bytes; a pattern has at most {PATTERN_BYTES_MAX}")]
    TooLong(usize),
    /// More than a text may have.
    #[error("more than {RULES_MAX} rules")]
    TooMany,
    /// The first pattern has no such group.
    #[error("{{{0}}} names no group of the pattern above; a group is written (?P<{0}>...)")]
    NoGroup(String),
    /// An output without its inputs.
    #[error("this output pattern has no input pattern below it")]
    NoInput,
    /// `@` and something else.
    #[error("{0:?} is not known; write @exact, @patterns or @suffixes")]
    Directive(String),
}
