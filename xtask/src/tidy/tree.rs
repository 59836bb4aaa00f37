//! The repository's text files, read once.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::source::Source;
use crate::shell::{capture, command, root};

/// One text file. The path is from the root of the repository, with `/` between its parts.
#[derive(Clone, Debug)]
pub(super) struct TextFile {
    pub(super) path: String,
    pub(super) text: String,
    /// For Rust: the text with comments and strings told from code.
    pub(super) source: Option<Source>,
}

impl TextFile {
    /// Lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.text)
    }
}

/// Lines with their numbers, from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// All text files, by path.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    files: Vec<TextFile>,
}

impl Tree {
    /// What git tracks, or would track; without git, what lies here outside of build outputs.
    pub(super) fn read() -> Result<Self> {
        let root = root();
        let mut paths = Vec::new();
        let mut git = command("git");
        match capture(git.args(["ls-files", "--cached", "--others", "--exclude-standard"])) {
            Ok(listed) => paths.extend(listed.lines().map(str::to_owned)),
            Err(_) => walk(&root, "", &mut paths)?,
        }
        paths.sort();
        paths.dedup();
        let text_of = |path: String| {
            // Files that are not text (a corpus, a MIDI file, a picture) have no rules.
            let text = std::fs::read_to_string(root.join(&path)).ok()?;
            Some((path, text))
        };
        Ok(Self::new(
            paths.into_iter().filter(|path| !path.starts_with("tests/fuzz/corpus/")).filter_map(text_of),
        ))
    }

    /// A tree of the given paths and texts.
    pub(super) fn new(files: impl Iterator<Item = (String, String)>) -> Self {
        let files = files
            .map(|(path, text)| {
                let source = path.ends_with(".rs").then(|| Source::new(&text));
                TextFile { path, text, source }
            })
            .collect();
        Self { files }
    }

    pub(super) fn files(&self) -> &[TextFile] {
        &self.files
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files whose path starts with `prefix`.
    pub(super) fn rust_under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a TextFile, &'a Source)> + 'a {
        self.files
            .iter()
            .filter(move |file| file.path.starts_with(prefix))
            .filter_map(|file| file.source.as_ref().map(|source| (file, source)))
    }
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    let listed = std::fs::read_dir(root.join(folder)).with_context(|| format!("cannot list ./{folder}"))?;
    for entry in listed {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            if !matches!(path.as_str(), ".git" | "target" | "bundles/out") {
                walk(root, &path, paths)?;
            }
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
