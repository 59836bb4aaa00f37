//! Just enough of Rust's grammar to tell code from comments and strings.

/// One Rust file, seen in two ways. Both have exactly the lines and columns of the file: what is left out is
/// blank.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Without comments and without the insides of strings and characters.
    pub(super) code: String,
    /// Without comments.
    pub(super) code_and_strings: String,
    /// The line of the first `#[cfg(test)]` that opens a module, or past the end: tests stand last in a file.
    first_test_line: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

impl Source {
    pub(super) fn new(text: &str) -> Self {
        let kinds = classify(&text.chars().collect::<Vec<_>>());
        let keep = |kept: fn(Kind) -> bool| -> String {
            let shown =
                |(letter, kind): (char, &Kind)| if letter == '\n' || kept(*kind) { letter } else { ' ' };
            text.chars().zip(&kinds).map(shown).collect()
        };
        let code = keep(|kind| kind == Kind::Code);
        let code_and_strings = keep(|kind| kind != Kind::Comment);
        let first_test_line = first_test_line(&code);
        Self { code, code_and_strings, first_test_line }
    }

    /// Lines of code with their numbers, from 1, without the tests at the end.
    pub(super) fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        super::tree::numbered(&self.code).take_while(|(number, _)| *number < self.first_test_line)
    }

    /// Every attribute `#[..]` or `#![..]` with its first line and all of its text, strings included.
    pub(super) fn attributes(&self) -> Vec<(usize, String)> {
        let code: Vec<char> = self.code.chars().collect();
        let full: Vec<char> = self.code_and_strings.chars().collect();
        let mut found = Vec::new();
        let mut line = 1;
        let mut at = 0;
        while at < code.len() {
            if code[at] == '\n' {
                line += 1;
            }
            let opening = match (code[at], code.get(at + 1), code.get(at + 2)) {
                ('#', Some('['), _) => Some(at + 1),
                ('#', Some('!'), Some('[')) => Some(at + 2),
                _ => None,
            };
            if let Some(opening) = opening {
                let end = closing(&code, opening);
                found.push((line, full[at..end].iter().collect()));
            }
            at += 1;
        }
        found
    }
}

/// The place after the bracket that closes the one at `opening`.
fn closing(code: &[char], opening: usize) -> usize {
    let mut depth = 0_usize;
    for (index, letter) in code.iter().enumerate().skip(opening) {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    code.len()
}

fn first_test_line(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let opens_tests = |index: &usize| {
        lines[*index] == "#[cfg(test)]"
            && lines[index + 1..]
                .iter()
                .find(|line| !line.is_empty() && !line.starts_with('#'))
                .is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    (0..lines.len()).find(opens_tests).map_or(usize::MAX, |index| index + 1)
}

/// What each character is. The quotes of a string are code, its inside is text.
fn classify(text: &[char]) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(text.len());
    while kinds.len() < text.len() {
        let at = kinds.len();
        let next = text.get(at + 1).copied();
        match text[at] {
            '/' if next == Some('/') => fill(&mut kinds, line_end(text, at), Kind::Comment),
            '/' if next == Some('*') => fill(&mut kinds, block_comment_end(text, at), Kind::Comment),
            '"' => string(&mut kinds, at + 1, string_end(text, at + 1)),
            'r' if !follows_word(text, at) || is_byte_prefix(text, at) => match raw_string(text, at) {
                Some((start, end)) => string(&mut kinds, start, end),
                None => kinds.push(Kind::Code),
            },
            '\'' => match character_end(text, at) {
                Some(end) => string(&mut kinds, at + 1, end),
                None => kinds.push(Kind::Code),
            },
            _ => kinds.push(Kind::Code),
        }
    }
    kinds.truncate(text.len());
    kinds
}

fn fill(kinds: &mut Vec<Kind>, end: usize, kind: Kind) {
    kinds.resize(end.max(kinds.len() + 1), kind);
}

/// Code up to `start`, text up to `end`, and the closing quote as code.
fn string(kinds: &mut Vec<Kind>, start: usize, end: usize) {
    kinds.resize(start, Kind::Code);
    kinds.resize(end.max(start), Kind::Text);
    kinds.push(Kind::Code);
}

fn line_end(text: &[char], from: usize) -> usize {
    text[from..].iter().position(|letter| *letter == '\n').map_or(text.len(), |length| from + length)
}

fn block_comment_end(text: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string_end(text: &[char], start: usize) -> usize {
    let mut at = start;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at.min(text.len())
}

fn follows_word(text: &[char], at: usize) -> bool {
    at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_')
}

fn is_byte_prefix(text: &[char], at: usize) -> bool {
    at > 0 && matches!(text[at - 1], 'b' | 'c') && !follows_word(text, at - 1)
}

/// Where the inside of the raw string that begins with the `r` at `at` starts and ends.
fn raw_string(text: &[char], at: usize) -> Option<(usize, usize)> {
    let hashes = text[at + 1..].iter().take_while(|letter| **letter == '#').count();
    let start = at + 1 + hashes;
    if text.get(start) != Some(&'"') {
        return None;
    }
    let ends = |place: &usize| {
        text[*place] == '"'
            && text[place + 1..].iter().take(hashes).filter(|letter| **letter == '#').count() == hashes
    };
    Some((start + 1, (start + 1..text.len()).find(ends).unwrap_or(text.len())))
}

/// The place of the closing quote of a character literal, or nothing for a lifetime.
fn character_end(text: &[char], at: usize) -> Option<usize> {
    if text.get(at + 1) == Some(&'\\') {
        let inside = at + 3;
        return text.get(inside..)?.iter().position(|letter| *letter == '\'').map(|length| inside + length);
    }
    (text.get(at + 2) == Some(&'\'')).then_some(at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new(text).code
    }

    #[test]
    fn comments_and_strings_are_blank_and_nothing_moves() {
        assert_eq!(code("a // File\nb"), "a        \nb");
        assert_eq!(code("a /* x /* y */ z */ b"), "a                   b");
        assert_eq!(code(r#"f("std::fs \" x", 'q', b)"#), r#"f("            ", ' ', b)"#);
        assert_eq!(code(r##"r#"File " x"# File"##), r##"r#"        "# File"##);
        assert_eq!(code("&'a str 'b' '\\n' '\\'' x"), "&'a str ' ' '  ' '  ' x");
    }

    #[test]
    fn production_ends_where_the_tests_begin() {
        let source = Source::new("one\n#[cfg(test)]\nuse x;\ntwo\n#[cfg(test)]\nmod tests {\nFile\n}\n");
        let lines: Vec<usize> = source.production_lines().map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
    }

    #[test]
    fn attributes_are_found_whole() {
        let source = Source::new("x\n#[expect(a,\n reason = \"b ] c\")]\nfn f() {}\n#![warn(d)]\n");
        let found = source.attributes();
        assert_eq!(found[0], (2, "#[expect(a,\n reason = \"b ] c\")]".to_owned()));
        assert_eq!(found[1], (5, "#![warn(d)]".to_owned()));
    }
}
