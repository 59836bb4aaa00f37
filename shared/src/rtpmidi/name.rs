//! The names of sessions and participants, as peers tell them: anything at all, until it is here.

use core::fmt;

/// Bytes of a name at most, so that every packet that carries one is short.
pub const NAME_BYTES_MAX: usize = 63;

/// A name of at most [`NAME_BYTES_MAX`] bytes that is fit to be shown: what would move a cursor, end a line or turn
/// the direction of writing stands there escaped, as `\u{7}`. May be empty: a peer need not tell its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// `text` escaped, and cut where it would be too long; never within an escape.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut name = String::new();
        for character in text.chars() {
            let start = name.len();
            if is_unfit(character) {
                name.extend(character.escape_unicode());
            } else {
                name.push(character);
            }
            if name.len() > NAME_BYTES_MAX {
                name.truncate(start);
                break;
            }
        }
        Self(name)
    }

    /// The name at the front of `bytes`: up to a zero byte or their end. What is not UTF-8 is replaced by U+FFFD.
    #[must_use]
    pub fn from_wire(bytes: &[u8]) -> Self {
        // A name is never longer than its bytes on the wire allow, so no more of them need be looked at.
        let bytes = bytes.get(..=NAME_BYTES_MAX).unwrap_or(bytes);
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        let bytes = &bytes[..end];
        // A character that the cut went through is not a wrong one.
        let whole = match core::str::from_utf8(bytes) {
            Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
            Ok(_) | Err(_) => bytes,
        };
        Self::new(&String::from_utf8_lossy(whole))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name cut at a character within `bytes_max`.
    #[must_use]
    pub fn cut(&self, bytes_max: usize) -> Self {
        let mut end = self.0.len().min(bytes_max);
        while !self.0.is_char_boundary(end) {
            end -= 1;
        }
        Self(self.0[..end].to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, line and paragraph separators, and what turns the direction of writing.
fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(Name::from_wire(b"a\x1B[2Jb\0rest").as_str(), "a\\u{1b}[2Jb");
        assert_eq!(Name::new("evil\u{202E}txt").as_str(), "evil\\u{202e}txt");
    }

    #[test]
    fn a_name_is_cut_between_characters_and_between_escapes() {
        assert_eq!(Name::from_wire("ä".repeat(60).as_bytes()).as_str(), "ä".repeat(31));
        let bells = Name::from_wire(&[7; 1_000]);
        assert_eq!(bells.as_str(), "\\u{7}".repeat(12));
        assert_eq!(Name::new("aä").cut(2).as_str(), "a");
    }

    #[test]
    fn no_name_is_a_name() {
        assert!(Name::from_wire(b"").is_empty());
        assert!(Name::from_wire(b"\0").is_empty());
        assert_eq!(Name::from_wire(b"\xFFx").as_str(), "\u{FFFD}x");
    }
}
