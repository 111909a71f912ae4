//! How results come.

/// How a query's result comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultOptions {
    /// At most so many rows; 0, the default, means all.
    pub max_rows: u32,
    /// What becomes of the rows.
    pub form: ResultForm,
    /// In which formats the server sends the columns.
    pub formats: ResultFormats,
    /// What its statement is bound to.
    pub portal: PortalUse,
}

/// What a statement is bound to (PostgreSQL manual, "Extended Query").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortalUse {
    /// The unnamed portal, which is executed at once, up to `max_rows`.
    #[default]
    Unnamed,
    /// The same of a portal of its own, which stays until the end of its transaction for
    /// [`Work::Portal`](super::Work::Portal), unless all its rows came.
    Executed {
        /// The caller's name of it; no other open portal of the session has it.
        number: u32,
    },
    /// A portal of its own of which nothing is executed yet.
    Opened {
        /// As above.
        number: u32,
    },
}

impl PortalUse {
    /// The number of a portal of its own.
    pub(super) const fn number(self) -> Option<u32> {
        match self {
            Self::Unnamed => None,
            Self::Executed { number } | Self::Opened { number } => Some(number),
        }
    }
}

/// What becomes of a result's rows. It chooses the sink, whatever the decoder could do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultForm {
    /// [`Sink::row`](super::Sink::row) gets each of them.
    #[default]
    Rows,
    /// Only how many there were is wanted, which the command tag tells: they are dropped where they arrive.
    Count,
}

/// In which format each column of a result comes (PostgreSQL manual, "Formats and Format Codes").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultFormats {
    /// In binary where the column's type has a binary codec, else as text.
    #[default]
    ByType,
    /// All columns as PostgreSQL prints them.
    Text,
    /// All columns as PostgreSQL prints them, as on the simple protocol, and read by their types.
    Printed,
}
