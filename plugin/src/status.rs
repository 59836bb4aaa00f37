//! What the editor shows.

use std::fmt;

use lockstep_shared::jitter::Reason;

/// How the link to the relay stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// No room is set.
    #[default]
    NoRoom,
    /// A room is set and the instance is not active.
    Inactive,
    /// Trying; the sentence says since when and what was tried.
    Connecting(String),
    /// In the room.
    Joined,
    /// The relay said no, with its reason.
    Refused(String),
    /// Joined before, silent now; trying again.
    Lost(String),
}

/// One remote strip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StripStatus {
    /// The strip's own name.
    pub name: String,
    /// The output that carries it, 1 to 8, if any.
    pub output: Option<usize>,
    /// Peak level since the last status, linear.
    pub peak: f32,
    /// From the sender's input to this instance's output.
    pub latency_ms: f64,
    /// Chunks that had to be concealed, in a million.
    pub concealed_ppm: f64,
    /// What its way through the network asks for; none while it is not played here.
    pub network: Option<NetworkStatus>,
}

/// What a strip's way through the network asks for, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetworkStatus {
    /// The delay that is cheapest by the preset.
    pub delay_ms: f64,
    /// Chunks of the last minute that came later than that, in a million: what it costs not to wait longer.
    pub late_ppm: f64,
    /// Why the delay was moved last.
    pub reason: Reason,
}

impl fmt::Display for NetworkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delay_ms, late_ppm, reason } = self;
        let why = match reason {
            Reason::Starting => "the network is still being watched",
            Reason::Worse => "it rose as sound came later than before",
            Reason::Better => "it fell as sound came more evenly",
            Reason::Preset => "you chose so",
        };
        write!(f, "Its network asks for {delay_ms:.1} ms, {:.2} % comes later still; {why}.", late_ppm / 1e4)
    }
}

/// One member of the room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemberStatus {
    /// The member's name.
    pub name: String,
    /// Whether this is the member that the plugin belongs to.
    pub is_self: bool,
    /// The member's strips.
    pub strips: Vec<StripStatus>,
}

/// What this process is to the room's musical time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Nothing: its DAW keeps its own time.
    #[default]
    Off,
    /// Its DAW follows.
    Follows,
    /// It has asked to lead and waits for the answer.
    Asks,
    /// Its DAW leads.
    Leads,
    /// It wants to lead, and somebody else does.
    Refused,
}

/// Who leads the room's musical time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Leader {
    /// Nobody: the line runs on as it was left.
    #[default]
    Nobody,
    /// This process.
    You,
    /// Another member, by name.
    Member(String),
}

/// Where the room's song is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SongPlace {
    /// What the leader's DAW displays.
    pub tempo_bpm: f64,
    /// As players count, from 1.
    pub bar: i64,
    /// In the bar's own notes, from 1.
    pub beat: i64,
    /// Whether it plays.
    pub playing: bool,
}

/// Whether this DAW does what the clock says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Following {
    /// It need not.
    #[default]
    Idle,
    /// Its transport does not run, or says nothing.
    Unseen,
    /// It runs so many milliseconds ahead of the room's song.
    AheadMs(f64),
    /// It is moved through its host.
    Moved(Moved),
}

/// How a DAW stands that is moved through its host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moved {
    /// It has been asked, and is on its way.
    OnItsWay,
    /// It runs so many milliseconds ahead of the room's song.
    AheadMs(f64),
    /// Somebody stopped it by hand.
    StoppedByHand,
    /// Its tempo has to be set to this many quarter notes a minute, by hand.
    WantsTempo(f64),
    /// It did not do what it was asked, and is left alone.
    Refused,
}

/// The room's musical time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MusicalStatus {
    /// What this process is to it.
    pub part: Part,
    /// Who leads.
    pub leader: Leader,
    /// Where it is; none while nobody has ever led.
    pub place: Option<SongPlace>,
    /// Whether this DAW is there too.
    pub following: Following,
}

/// What became of the room's MIDI in this instance since it was activated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MidiStatus {
    /// Messages of this instance's host that went to the room.
    pub sent: u64,
    /// Messages of the others that its host was given.
    pub played: u64,
    /// Of those, how many came after their time and were given at once.
    pub late: u64,
    /// Messages that found no room, in either direction.
    pub dropped: u64,
}

/// Everything the editor shows, as one value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// How the link stands.
    pub link: LinkState,
    /// Who is in the room.
    pub members: Vec<MemberStatus>,
    /// The room's musical time.
    pub musical: MusicalStatus,
    /// The room's MIDI.
    pub midi: MidiStatus,
    /// The audio interface's rate against the room's grid.
    pub drift_ppm: Option<f64>,
    /// The room clock's own estimate of its error.
    pub clock_error_us: Option<f64>,
    /// Round trip to the relay.
    pub round_trip_ms: Option<f64>,
    /// The automatic part of the playout delay.
    pub automatic_delay_ms: Option<f64>,
    /// The user's part of the playout delay.
    pub sync_delay_ms: f64,
    /// Peak of what is sent since the last status, linear, left and right.
    pub send_peak: [f32; 2],
    /// Peak of what is received since the last status, linear, left and right.
    pub receive_peak: [f32; 2],
    /// Sentences for the user: what is off and how to mend it.
    pub notices: Vec<String>,
}
