//! The machine's first file system, and only one: busybox, ALSA's programs, the kernel's modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::archive::Archive;
use super::packages::{LIBRARIES, Programs};
use crate::shell::capture;

/// Of alsa-utils, what has to do with the sequencer.
const ALSA_PROGRAMS: [&str; 6] = ["aconnect", "aseqdump", "aplaymidi", "arecordmidi", "aseqnet", "amidi"];

/// The image without a job.
pub(super) fn base(programs: &Programs, modules: &Path, version: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["/dev", "/proc", "/sys", "/tmp", "/run", "/etc", "/sbin"] {
        archive.folder(folder);
    }
    let busybox = programs.busybox()?;
    archive.file("/bin/busybox", &busybox)?;
    for applet in capture(Command::new(&busybox).arg("--list"))?.lines().filter(|name| *name != "busybox") {
        archive.link(&format!("/bin/{applet}"), "busybox");
    }
    // Where the kernel looks for it, to load a module by itself.
    archive.link("/sbin/modprobe", "../bin/busybox");
    for name in ALSA_PROGRAMS {
        let program = programs.inside.join("usr/bin").join(name);
        archive.file(&format!("/usr/bin/{name}"), &program)?;
        add_libraries(&mut archive, &program, Some(&programs.inside))?;
    }
    archive.tree("/usr/share/alsa", &programs.inside.join("usr/share/alsa"))?;
    archive.tree(&format!("/lib/modules/{version}"), modules)?;
    archive.text("/etc/passwd", 0o644, "root:x:0:0:root:/tmp:/bin/sh\n");
    archive.text("/etc/group", 0o644, "root:x:0:\naudio:x:29:\n");
    archive.text("/etc/hosts", 0o644, "127.0.0.1 localhost\n");
    Ok(archive.finish())
}

/// Adds the shared libraries that the host's `program` is linked with; those in the tree `own` come before the host's.
pub(super) fn add_libraries(archive: &mut Archive, program: &Path, own: Option<&Path>) -> Result<()> {
    let mut list = Command::new("ldd");
    list.arg(program);
    if let Some(own) = own {
        list.env("LD_LIBRARY_PATH", own.join(LIBRARIES));
    }
    // It fails for what has none: a static program, a script.
    let Ok(listed) = capture(&mut list) else { return Ok(()) };
    for library in listed.lines().filter_map(library) {
        let inside = own
            .and_then(|own| library.strip_prefix(own).ok())
            .map_or_else(|| library.to_string_lossy().into_owned(), |path| format!("/{}", path.display()));
        archive.file(&inside, &library).with_context(|| format!("a library of {}", program.display()))?;
    }
    Ok(())
}

/// The path in a line of `ldd`: "libc.so.6 => /lib/libc.so.6 (0x...)" or "/lib64/ld.so (0x...)".
fn library(line: &str) -> Option<PathBuf> {
    let path = line.split_once("=> ").map_or(line, |(_, path)| path).trim();
    let path = path.split_once(" (").map_or(path, |(path, _)| path);
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_libraries() {
        let path = |line| library(line).map(|path| path.to_string_lossy().into_owned());
        assert_eq!(path("\tlibc.so.6 => /lib/libc.so.6 (0x1)"), Some("/lib/libc.so.6".to_owned()));
        assert_eq!(path("\t/lib64/ld.so (0x1)"), Some("/lib64/ld.so".to_owned()));
        assert_eq!(path("\tlinux-vdso.so.1 (0x1)"), None);
    }
}
