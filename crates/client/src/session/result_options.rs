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
