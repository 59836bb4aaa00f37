//! What nobody writes.

use super::Finding;
use super::source::Source;
use super::tree::{TextFile, Tree};

/// Written in two halves, so that this file holds none of them.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

/// Roots of paths that exist on one machine only.
const ABSOLUTE: &[&str] = &[concat!("/wo", "rk"), concat!("/ho", "me"), concat!("/ro", "ot")];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.files() {
        check_text(file, findings);
        if let Some(source) = &file.source {
            check_attributes(file, source, findings);
        }
    }
}

fn check_text(file: &TextFile, findings: &mut Vec<Finding>) {
    for (number, line) in file.lines() {
        for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
            findings.push(Finding::new(&file.path, number, format!("`{word}`: finish it, or file an issue")));
        }
        for path in ABSOLUTE.iter().filter(|path| has_path(line, path)) {
            let sentence =
                format!("`{path}` exists on one machine only: say it from the root of the repository");
            findings.push(Finding::new(&file.path, number, sentence));
        }
    }
}

fn check_attributes(file: &TextFile, source: &Source, findings: &mut Vec<Finding>) {
    for (line, attribute) in source.attributes() {
        let inner = attribute.trim_start_matches(['#', '!', '[']).trim_start();
        let is_or_holds = |name: &str| {
            inner.starts_with(name)
                || (inner.starts_with("cfg_attr(") && inner.contains(&format!(", {name}")))
        };
        if is_or_holds("allow(") {
            findings.push(Finding::new(&file.path, line, "`allow`: use expect(lint, reason = \"...\")"));
        }
        if is_or_holds("expect(") && !inner.contains("reason =") {
            findings.push(Finding::new(&file.path, line, "an `expect` without its reason"));
        }
        if is_or_holds("ignore") {
            findings.push(Finding::new(&file.path, line, "an ignored test tests nothing"));
        }
    }
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
        !before.is_some_and(is_letter) && (word.ends_with('(') || !after.is_some_and(is_letter))
    })
}

/// Whether `path` stands in `line` as the beginning of an absolute path.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + path.len()..].chars().next();
        !before.is_some_and(|letter| {
            letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/' | '}' | '*')
        }) && after == Some('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::new([(path.to_owned(), text.to_owned())].into_iter());
        let mut findings = Vec::new();
        check(&tree, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_in_prose() {
        assert_eq!(findings("a.rs", concat!("// TO", "DO: later\n")).len(), 1);
        assert_eq!(findings("a.md", concat!("x FIX", "ME\n")).len(), 1);
        assert_eq!(findings("a.md", concat!("MASTO", "DON\n")), [""; 0]);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        assert_eq!(findings("a.md", concat!("see /ho", "me/me/x\n")).len(), 1);
        assert_eq!(findings("a.md", "https://example.org/home/x and ./work/x\n"), [""; 0]);
    }

    #[test]
    fn attributes_give_their_reasons() {
        assert_eq!(findings("a.rs", "#[allow(dead_code)]\nfn f() {}\n").len(), 1);
        assert_eq!(findings("a.rs", "#[expect(dead_code)]\nfn f() {}\n").len(), 1);
        assert_eq!(findings("a.rs", "#[expect(\n dead_code,\n reason = \"x\"\n)]\nfn f() {}\n"), [""; 0]);
        assert_eq!(findings("a.rs", "#[test]\n#[ignore]\nfn f() {}\n").len(), 1);
        assert_eq!(findings("a.rs", "let x = \"#[allow(y)]\";\n"), [""; 0]);
    }
}
