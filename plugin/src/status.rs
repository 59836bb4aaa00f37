//! What the editor shows.

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

/// Everything the editor shows, as one value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// How the link stands.
    pub link: LinkState,
    /// Who is in the room.
    pub members: Vec<MemberStatus>,
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
