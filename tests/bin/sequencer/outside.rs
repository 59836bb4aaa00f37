//! RTP-MIDI participants on another machine than the sequencer, which do as they are told.
//!
//! Whoever connects to the address that is printed first tells a line and gets one:
//!
//! | told | done | answered |
//! |---|---|---|
//! | `join NAME` | a participant invites the room | `here` |
//! | `play NAME BYTES` | it plays a message, in hexadecimal | `played` |
//! | `heard NAME COUNT` | it waits for so many messages, the clock's aside | those not told yet, in hexadecimal |
//! | `lose NAME` | it is gone, without a word | `lost` |
//!
//! Whatever does not work is answered with `no: ` and why. It ends with the connection.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use anyhow::{Context as _, Result, bail};
use lockstep_shared::midi::message::{Message, Parser};
use lockstep_shared::time::Span;
use lockstep_tests::shell::clock;
use lockstep_tests::shell::midi_player::MidiPlayer;

use crate::{print, wait};

/// Nothing takes longer, even if the room's machine is emulated.
const WITHIN: Span = Span::from_millis(10_000);
/// How often the participants get their turns.
const TURN: Span = Span::from_millis(1);

struct Participants {
    room: SocketAddr,
    here: BTreeMap<String, Participant>,
    /// How many there have been: no two are alike.
    count: u8,
}

struct Participant {
    player: MidiPlayer,
    /// How much of what it heard was told.
    told: usize,
}

pub(crate) fn serve(room: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    print(&listener.local_addr()?.to_string());
    let (stream, _) = listener.accept()?;
    let told = lines(stream.try_clone()?);
    let mut participants = Participants { room, here: BTreeMap::new(), count: 0 };
    loop {
        match told.try_recv() {
            Ok(line) => {
                let answer = participants.obey(&line).unwrap_or_else(|error| format!("no: {error:#}"));
                writeln!(&stream, "{answer}")?;
            }
            Err(TryRecvError::Empty) => participants.turn(),
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

fn lines(stream: TcpStream) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

impl Participants {
    fn obey(&mut self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["join", name] => self.join(name),
            ["play", name, bytes] => self.play(name, bytes),
            ["heard", name, count] => self.heard(name, count.parse()?),
            ["lose", name] => {
                self.here.remove(name).context("no such participant")?;
                Ok("lost".to_owned())
            }
            _ => bail!("{line:?} is not understood"),
        }
    }

    fn join(&mut self, name: &str) -> Result<String> {
        self.count += 1;
        let player = MidiPlayer::new(name, self.room, self.count)?;
        self.here.insert(name.to_owned(), Participant { player, told: 0 });
        self.turn_until(|all| all.here[name].player.peer.is_here())?;
        Ok("here".to_owned())
    }

    fn play(&mut self, name: &str, bytes: &str) -> Result<String> {
        let message = message(bytes)?;
        let participant = self.here.get_mut(name).context("no such participant")?;
        if !participant.player.peer.play(clock::now(), &message) {
            bail!("{name} is not in the room");
        }
        participant.player.turn();
        Ok("played".to_owned())
    }

    fn heard(&mut self, name: &str, count: usize) -> Result<String> {
        self.here.get(name).context("no such participant")?;
        // Whoever asks sees what is missing.
        let _ = self.turn_until(|all| all.here[name].untold().count() >= count);
        let participant = self.here.get_mut(name).context("no such participant")?;
        let heard: Vec<String> = participant.untold().map(hexadecimal).collect();
        participant.told = participant.player.peer.heard.len();
        Ok(heard.join(" "))
    }

    fn turn_until(&mut self, is_done: impl Fn(&Self) -> bool) -> Result<()> {
        let until = clock::now() + WITHIN;
        while !is_done(self) {
            if clock::now() > until {
                bail!("it did not come about");
            }
            self.turn();
        }
        Ok(())
    }

    fn turn(&mut self) {
        self.here.values_mut().for_each(|participant| participant.player.turn());
        wait(TURN);
    }
}

impl Participant {
    fn untold(&self) -> impl Iterator<Item = &Message> {
        let heard = self.player.peer.heard.iter().skip(self.told).map(|heard| &heard.message);
        heard.filter(|message| !matches!(message, Message::Realtime(_)))
    }
}

/// The one message that these hexadecimal digits are.
pub(crate) fn message(digits: &str) -> Result<Message> {
    let mut parser = Parser::default();
    let mut message = None;
    for place in (0..digits.len()).step_by(2) {
        let byte = digits.get(place..place + 2).context("half a byte")?;
        message = parser.push(u8::from_str_radix(byte, 16)?).or(message);
    }
    message.context("no message")
}

/// The bytes of a message in hexadecimal digits.
pub(crate) fn hexadecimal(message: &Message) -> String {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    })
}

/// The other end of the connection.
pub(crate) struct Outside {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Outside {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .with_context(|| format!("nobody plays the participants at {address}"))?;
        Ok(Self { answers: BufReader::new(stream.try_clone()?), stream })
    }

    /// Tells a line and waits for the answer.
    pub(crate) fn tell(&mut self, line: &str) -> Result<String> {
        writeln!(self.stream, "{line}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let answer = answer.trim_end();
        if answer.is_empty() && !line.starts_with("heard") || answer.starts_with("no: ") {
            bail!("outside was told {line:?} and answered {answer:?}");
        }
        Ok(answer.to_owned())
    }

    /// What the participant has heard since it was last asked: so many messages, in hexadecimal.
    pub(crate) fn heard(&mut self, name: &str, count: usize) -> Result<Vec<String>> {
        let heard = self.tell(&format!("heard {name} {count}"))?;
        Ok(heard.split_whitespace().map(str::to_owned).collect())
    }
}
