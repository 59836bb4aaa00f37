//! What there is to say of a DAW that is moved.

/// How a DAW that is moved stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MoverState {
    /// Nothing is to be done: the line stands, or is not heard.
    #[default]
    Idle,
    /// It has been asked to start, stop or jump and has not done so yet.
    Moving,
    /// It runs, and is being pulled to its place.
    Track,
    /// It runs in its place, to within a millisecond.
    Hold,
    /// Somebody stopped it by hand; it is left alone until they start it again, or the line has stood.
    Released,
    /// Its tempo is another one, and it cannot be told.
    WrongTempo,
    /// It did not do what it was asked, and is asked no more.
    Lost,
}
