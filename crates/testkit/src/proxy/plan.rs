//! What a proxy does to a connection.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What becomes of one connection. The default passes everything on as it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Taken, and nothing is ever passed on: the server hears of nothing.
    pub is_black_hole: bool,
    /// From the client to the server.
    pub to_server: Flow,
    /// From the server to the client.
    pub to_client: Flow,
    /// Cancel requests, which come on connections of their own.
    pub cancels: Cancels,
}

/// One direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Flow {
    /// What breaks, and where.
    pub fault: Option<Fault>,
    /// In what pieces bytes go on.
    pub pieces: Pieces,
    /// How long each byte is under way. Bytes wait beside each other: what is sent as fast as possible arrives so.
    pub delay_ms: u64,
}

/// One fault of a direction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The last byte that is passed on before it.
    pub at: Place,
    /// What happens there.
    pub effect: Effect,
    /// A file that is made once it has happened, for a thread whose loop stands still.
    pub touch: Option<PathBuf>,
}

/// A place in the bytes of a direction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Place {
    /// Behind so many bytes.
    After(u64),
    /// In the first bytes that come together and contain this text: behind so many of them, or behind all.
    #[serde(rename_all = "camelCase")]
    Marker {
        /// What they contain, in UTF-8.
        text: String,
        /// How many of those bytes go on before the fault; all where it is missing.
        passed: Option<usize>,
    },
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Both ends see the end of the stream.
    Fin,
    /// Both ends see a reset.
    Rst,
    /// Nothing is read or passed on any more, in either direction; both connections stay. A client that closes is heard
    /// only where the buffers between take all that it has sent: its end comes behind its bytes.
    Stall,
    /// Everything is read and nothing passed on any more, in either direction; both connections stay.
    BlackHole,
    /// Nothing is passed on any more in this direction.
    Mute,
    /// What comes behind it in this direction waits until it is released.
    Hold,
    /// Nothing: it is told of, and everything goes on.
    Tell,
}

/// In what pieces bytes are passed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Pieces {
    /// As they come.
    #[default]
    AsTheyCome,
    /// Each byte by itself.
    Dribble,
    /// What comes within a few milliseconds is glued together and cut anew at random.
    #[serde(rename_all = "camelCase")]
    Glue {
        /// Of the random numbers: the same seed cuts the same bytes in the same way.
        seed: u64,
        /// The longest piece, in bytes.
        longest: usize,
    },
}

/// What becomes of cancel requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cancels {
    /// They go on.
    #[default]
    Pass,
    /// They go on, and the server's end of the stream does not come back.
    KeepOpen,
    /// They do not go on either.
    Swallow,
}
