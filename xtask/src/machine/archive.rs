//! The archive that a kernel unpacks as its first file system: `cpio`, its "newc" form (the kernel's documentation,
//! "initramfs buffer format"). Several stand one behind the other in one image.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

/// An archive being written. Paths are absolute, and the folders in them are made.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    paths: BTreeSet<String>,
}

impl Archive {
    /// A folder, and those around it.
    pub(super) fn folder(&mut self, path: &str) {
        if let Some((around, _)) = path.rsplit_once('/').filter(|(around, _)| !around.is_empty()) {
            self.folder(around);
        }
        if self.paths.insert(path.to_owned()) {
            self.entry(path, FOLDER, &[]);
        }
    }

    /// A file with this content.
    pub(super) fn text(&mut self, path: &str, permissions: u32, text: &str) {
        self.content(path, permissions, text.as_bytes());
    }

    /// A copy of the host's file `from`.
    pub(super) fn file(&mut self, path: &str, from: &Path) -> Result<()> {
        if !self.paths.contains(path) {
            let content = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
            let permissions = std::fs::metadata(from)?.permissions().mode() & 0o777;
            self.content(path, permissions, &content);
        }
        Ok(())
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &str, to: &str) {
        self.parent(path);
        if self.paths.insert(path.to_owned()) {
            self.entry(path, LINK, to.as_bytes());
        }
    }

    /// All files and links of the host's folder `from`, below `path`.
    pub(super) fn tree(&mut self, path: &str, from: &Path) -> Result<()> {
        self.folder(path);
        let mut entries = std::fs::read_dir(from)
            .with_context(|| format!("cannot list {}", from.display()))?
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let inside = format!("{path}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                self.link(&inside, &std::fs::read_link(entry.path())?.to_string_lossy());
            } else if kind.is_dir() {
                self.tree(&inside, &entry.path())?;
            } else {
                self.file(&inside, &entry.path())?;
            }
        }
        Ok(())
    }

    /// The archive's bytes, whole.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("/TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn content(&mut self, path: &str, permissions: u32, content: &[u8]) {
        self.parent(path);
        self.paths.insert(path.to_owned());
        self.entry(path, FILE | permissions, content);
    }

    fn parent(&mut self, path: &str) {
        if let Some((around, _)) = path.rsplit_once('/').filter(|(around, _)| !around.is_empty()) {
            self.folder(around);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        let name = path.trim_start_matches('/');
        self.entries += 1;
        // Number, mode, owner, group, links, time, length, two devices of two numbers, name's length, sum.
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name_length = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let fields = [self.entries, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_folders_come_first() {
        let mut archive = Archive::default();
        archive.text("/a/b", 0o644, "hello");
        archive.link("/a/c", "b");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let names: Vec<_> = text.match_indices("070701").map(|(start, _)| start).collect();
        assert_eq!(names.len(), 4);
        assert!(names.iter().all(|start| start % 4 == 0));
        assert_eq!(&text[..14], "07070100000001");
        assert_eq!(&text[14..22], "000041ed");
        assert!(text.contains("a/b\0"));
        assert!(text.contains("hello\0\0\0"));
        assert!(text.ends_with("TRAILER!!!\0\0\0\0") || text.trim_end_matches('\0').ends_with("TRAILER!!!"));
    }
}
