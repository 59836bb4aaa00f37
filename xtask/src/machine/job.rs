//! The second image: the command, what it needs, and the program that starts it.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};

use super::Job;
use super::archive::Archive;
use super::image::add_libraries;
use crate::shell::wall_clock;

/// The first program of the machine.
const INIT: &str = include_str!("init.sh");

/// The image of one run.
pub(super) fn image(job: &Job) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    let mut words = job.command.iter();
    let program = words.next().context("no command")?;
    let mut line = String::from("exec");
    if program.contains('/') && Path::new(program).is_file() {
        push_word(&mut line, &add(&mut archive, Path::new(program))?);
    } else {
        push_word(&mut line, program);
    }
    for word in words {
        push_word(&mut line, word);
    }
    for file in &job.files {
        add(&mut archive, file)?;
    }
    let seconds = wall_clock().duration_since(UNIX_EPOCH).context("this clock is before 1970")?.as_secs();
    archive.text("/init", 0o755, INIT);
    archive.text("/job/command", 0o644, &format!("{line}\n"));
    archive.text("/job/now", 0o644, &format!("{seconds}\n"));
    archive.text("/job/modules", 0o644, &format!("{}\n", job.modules.join("\n")));
    Ok(archive.finish())
}

/// Adds a file of the host and its libraries; returns where it is inside.
fn add(archive: &mut Archive, file: &Path) -> Result<String> {
    let name =
        file.file_name().map(PathBuf::from).with_context(|| format!("{} is no file", file.display()))?;
    let inside = format!("/job/{}", name.display());
    archive.file(&inside, file)?;
    add_libraries(archive, file, None)?;
    Ok(inside)
}

/// Appends a word so that a shell reads it as it is.
fn push_word(line: &mut String, word: &str) {
    line.push_str(" '");
    line.push_str(&word.replace('\'', r"'\''"));
    line.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes() {
        let mut line = String::from("exec");
        push_word(&mut line, "it's");
        push_word(&mut line, "$HOME");
        assert_eq!(line, r"exec 'it'\''s' '$HOME'");
    }
}
