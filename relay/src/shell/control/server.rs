//! The answering side: a thread that accepts, and one for each asker.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use super::{Asked, Asker, socket_path};
use crate::relay::command::Answer;

/// The longest request.
const REQUEST_BYTES_MAX: u64 = 4_096;
/// Askers at a time.
const ASKERS_MAX: usize = 32;
/// Answers that wait for an asker; a monitor that does not read misses some.
const ANSWERS_MAX: usize = 1_024;

/// Answers askers from now on, in threads of their own.
///
/// # Errors
/// The socket cannot be made.
pub fn serve(folder: &Path, asker: Asker) -> io::Result<()> {
    let path = socket_path(folder);
    // A relay that was killed leaves its socket behind. One that runs has its ports, and this one did not get here.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let askers = Arc::new(AtomicUsize::new(0));
    std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            if askers.fetch_add(1, Ordering::Relaxed) >= ASKERS_MAX {
                askers.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let (asker, count) = (asker.clone(), Arc::clone(&askers));
            let spawned = std::thread::Builder::new().name("asker".to_owned()).spawn(move || {
                // Whoever hangs up has what it wanted.
                let _ = answer(stream, &asker);
                count.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_err() {
                askers.fetch_sub(1, Ordering::Relaxed);
            }
        }
    })?;
    Ok(())
}

fn answer(stream: UnixStream, asker: &Asker) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).take(REQUEST_BYTES_MAX).read_line(&mut line)?;
    let mut stream = stream;
    let command = match serde_json::from_str(&line) {
        Ok(command) => command,
        Err(error) => return say(&mut stream, &Answer::Refused(format!("not a command: {error}"))),
    };
    let (sender, answers) = sync_channel(ANSWERS_MAX);
    asker.ask(Asked { command, answer: sender });
    for answer in answers {
        say(&mut stream, &answer)?;
    }
    Ok(())
}

fn say(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}
