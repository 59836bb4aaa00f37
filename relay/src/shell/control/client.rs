//! The asking side.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{ControlError, socket_path};
use crate::relay::command::{Answer, Command};

/// Asks the relay whose state is in `folder` and calls `answered` with each answer: one, or after
/// [`Command::Monitor`] one for each message, until the relay ends.
///
/// # Errors
/// No relay, or one that refuses.
pub fn ask(
    folder: &Path,
    command: &Command,
    mut answered: impl FnMut(Answer) -> std::io::Result<()>,
) -> Result<(), ControlError> {
    let not_running = |reason| ControlError::NotRunning { folder: folder.to_owned(), reason };
    let mut stream = UnixStream::connect(socket_path(folder)).map_err(not_running)?;
    let mut line = serde_json::to_string(command).map_err(|_| ControlError::Unreadable)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(ControlError::HungUp)?;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(ControlError::HungUp)?;
        match serde_json::from_str(&line).map_err(|_| ControlError::Unreadable)? {
            Answer::Refused(why) => return Err(ControlError::Refused(why)),
            answer @ (Answer::Done | Answer::Status(_) | Answer::Text(_)) => {
                answered(answer).map_err(ControlError::HungUp)?;
            }
        }
    }
    Ok(())
}
