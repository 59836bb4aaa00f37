//! Files and folders: their names, their length, and a page of introduction for every folder.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "utilities", "helper", "helpers", "manager", "common", "misc", "stuff"];

/// A guide: above it a file usually holds two ideas.
const LINES_MAX: usize = 500;

/// Files that hold one idea at more length, each with its length (which may only shrink) and the reason.
const LONGER: &[(&str, usize, &str)] = &[];

/// Folders whose files stand alone, each a program of its own to cargo.
const PROGRAM_FOLDERS: &[&str] = &["/src/bin", "/bin", "/benches", "/examples", "/fuzz_targets"];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    check_names(tree, findings);
    check_lengths(tree, findings);
    check_introductions(tree, findings);
}

fn check_names(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.rust_under("") {
        for part in file.path.trim_end_matches(".rs").split('/').filter(|part| EMPTY_NAMES.contains(part)) {
            findings.push(Finding::new(&file.path, 1, format!("`{part}` is no name: say what is inside")));
        }
        for (number, line) in super::tree::numbered(&source.code) {
            let name = line.split("mod ").nth(1).map(|rest| rest.trim_end_matches([';', '{', ' ']));
            if let Some(name) = name.filter(|name| EMPTY_NAMES.contains(name)) {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("`{name}` is no name: say what is inside"),
                ));
            }
        }
    }
}

fn check_lengths(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, _) in tree.rust_under("") {
        let lines = file.text.lines().count();
        let sentence = match LONGER.iter().find(|(path, ..)| *path == file.path) {
            None if lines > LINES_MAX => format!("{lines} lines, above the guide of {LINES_MAX}: two ideas?"),
            Some((_, longest, reason)) if lines > *longest => {
                format!("{lines} lines, and {longest} was agreed on ({reason}): it may only shrink")
            }
            Some(_) if lines <= LINES_MAX => {
                "short again: take it off the table in tidy/layout.rs".to_owned()
            }
            None | Some(_) => continue,
        };
        findings.push(Finding::new(&file.path, lines, sentence));
    }
}

fn check_introductions(tree: &Tree, findings: &mut Vec<Finding>) {
    let folders: BTreeSet<&str> = tree
        .rust_under("")
        .filter_map(|(file, _)| file.path.rsplit_once('/').map(|(folder, _)| folder))
        .collect();
    for folder in folders {
        let is_programs = PROGRAM_FOLDERS.iter().any(|suffix| folder.ends_with(suffix));
        // The integration tests of a package: `plugin/tests`, `relay/tests`.
        let is_tests_of_package = folder.ends_with("/tests");
        if is_programs || is_tests_of_package {
            continue;
        }
        // A module `name` with parts is `name/mod.rs`, or `name.rs` beside the folder `name`.
        let beside = tree.file(&format!("{folder}.rs"));
        let front = ["mod.rs", "lib.rs", "main.rs"]
            .iter()
            .find_map(|name| tree.file(&format!("{folder}/{name}")))
            .or(beside);
        match front {
            None => findings.push(Finding::new(folder, 1, "no mod.rs says what this folder is for")),
            Some(front) if !front.text.starts_with("//!") => {
                findings.push(Finding::new(
                    &front.path,
                    1,
                    "does not begin with what this folder is for (//!)",
                ));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        let mut findings = Vec::new();
        check(&tree, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_folder_introduces_itself() {
        assert_eq!(findings(&[("a/src/b/mod.rs", "//! B.\n"), ("a/src/b/c.rs", "")]), [""; 0]);
        assert_eq!(findings(&[("a/src/b/c.rs", "//! C.\n")]).len(), 1);
        assert_eq!(findings(&[("a/src/b/mod.rs", "mod c;\n")]).len(), 1);
    }

    #[test]
    fn names_say_what_is_inside() {
        assert_eq!(findings(&[("a/src/lib.rs", "//! A.\nmod util;\n"), ("a/src/util.rs", "")]).len(), 2);
    }

    #[test]
    fn long_files_are_noticed() {
        let long = format!("//! A.\n{}", "x\n".repeat(LINES_MAX));
        assert_eq!(findings(&[("a/src/lib.rs", &long)]).len(), 1);
    }
}
