//! The protocol's page follows the protocol: `ARCHITECTURE.md` holds a line `wire-hash: ...` with the hash of
//! the code in `shared/src/wire`. Whoever changes that code reads the page again and blesses it.

use anyhow::{Context as _, Result, bail};

use super::Finding;
use super::tree::{Tree, numbered};
use crate::shell::root;

const PAGE: &str = "ARCHITECTURE.md";
const FOLDER: &str = "shared/src/wire/";
const KEY: &str = "wire-hash: ";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(hash) = hash(tree) else {
        findings.push(Finding::new(FOLDER, 1, "no code here, so there is no wire format to hash"));
        return;
    };
    let Some(page) = tree.file(PAGE) else {
        findings.push(Finding::new(
            PAGE,
            1,
            format!("missing: it describes the protocol and holds `{KEY}{hash}`"),
        ));
        return;
    };
    match recorded(&page.text) {
        None => {
            let sentence = format!("no line `{KEY}...`: write one, then run `cargo xtask tidy --bless`");
            findings.push(Finding::new(PAGE, 1, sentence));
        }
        Some((_, recorded)) if recorded == hash => {}
        Some((line, _)) => findings.push(Finding::new(
            PAGE,
            line,
            format!(
                "{FOLDER} has changed (its hash is {hash}): read the protocol's section again, golden vectors \
                 too, then run `cargo xtask tidy --bless`"
            ),
        )),
    }
}

/// Writes the current hash over the one in the page, and returns it.
pub(super) fn bless(tree: &Tree) -> Result<String> {
    let hash = hash(tree).with_context(|| format!("no code in {FOLDER}"))?;
    let page = tree.file(PAGE).with_context(|| format!("there is no {PAGE}"))?;
    let Some((_, recorded)) = recorded(&page.text) else {
        bail!("{PAGE} has no line `{KEY}...` to write over");
    };
    let blessed = page.text.replacen(&format!("{KEY}{recorded}"), &format!("{KEY}{hash}"), 1);
    std::fs::write(root().join(PAGE), blessed).with_context(|| format!("cannot write {PAGE}"))?;
    Ok(hash)
}

fn recorded(page: &str) -> Option<(usize, &str)> {
    numbered(page).find_map(|(number, line)| {
        let (_, rest) = line.split_once(KEY)?;
        Some((number, rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').next()?))
    })
}

/// FNV-1a over paths and code: comments, white space and tests do not change what is on the wire.
fn hash(tree: &Tree) -> Option<String> {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut absorb = |text: &str| {
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    let mut files = 0;
    for (file, source) in tree.rust_under(FOLDER) {
        files += 1;
        absorb(&file.path);
        let last = source.production_lines().count();
        for (_, line) in numbered(&source.code_and_strings).take(last) {
            for word in line.split_whitespace() {
                absorb(word);
            }
        }
    }
    (files > 0).then(|| format!("{hash:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(wire: &str, page: &str) -> Tree {
        let files = [("shared/src/wire/mod.rs", wire), ("ARCHITECTURE.md", page)];
        Tree::new(files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())))
    }

    fn findings(wire: &str, page: &str) -> usize {
        let mut findings = Vec::new();
        check(&tree(wire, page), &mut findings);
        findings.len()
    }

    #[test]
    fn the_page_follows_the_code_and_not_its_comments() {
        let hash = hash(&tree("const A: u8 = 1;\n", "")).unwrap();
        let page = format!("# Protocol\n`wire-hash: {hash}`\n");
        assert_eq!(findings("const A: u8 = 1;\n", &page), 0);
        assert_eq!(findings("// Said better.\nconst A: u8\n    = 1;\n", &page), 0);
        assert_eq!(findings("const A: u8 = 2;\n", &page), 1);
        assert_eq!(findings("const A: u8 = 1;\n", "# Protocol\n"), 1);
    }
}
