//! Command tags: what CommandComplete says a command did.

use oxpg_codec::boundary::command;

/// The command of a tag, with the numbers of the boundary between Rust and JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Any other; the tag's text is given.
    Other = command::OTHER,
    /// `SELECT n`
    Select = command::SELECT,
    /// `INSERT 0 n`
    Insert = command::INSERT,
    /// `UPDATE n`
    Update = command::UPDATE,
    /// `DELETE n`
    Delete = command::DELETE,
    /// `MERGE n`
    Merge = command::MERGE,
    /// `BEGIN`
    Begin = command::BEGIN,
    /// `COMMIT`
    Commit = command::COMMIT,
    /// `ROLLBACK`
    Rollback = command::ROLLBACK,
    /// The query was empty.
    Empty = command::EMPTY,
    /// `SET`
    Set = command::SET,
    /// `FETCH n`
    Fetch = command::FETCH,
    /// `MOVE n`
    Move = command::MOVE,
    /// `COPY n`
    Copy = command::COPY,
}

/// A command tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTag {
    /// The command.
    pub command: Command,
    /// Rows affected or returned, 0 for commands that do not count.
    pub rows: u64,
    /// The whole tag, for [`Command::Other`] only.
    pub text: Option<String>,
}

impl CommandTag {
    /// A tag of a known command.
    #[must_use]
    pub const fn of(command: Command, rows: u64) -> Self {
        Self { command, rows, text: None }
    }

    /// A tag in words that have no number of their own.
    pub(super) fn other(text: &str) -> Self {
        Self { command: Command::Other, rows: 0, text: Some(text.to_owned()) }
    }

    /// Reads a tag as CommandComplete carries it, such as `INSERT 0 3`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let plain = match text {
            "BEGIN" => Some(Command::Begin),
            "COMMIT" => Some(Command::Commit),
            "ROLLBACK" => Some(Command::Rollback),
            "SET" => Some(Command::Set),
            _ => None,
        };
        if let Some(command) = plain {
            return Self::of(command, 0);
        }
        let counted = text.split_once(' ').and_then(|(word, rest)| {
            let (command, count) = match word {
                "SELECT" => (Command::Select, rest),
                // The first number was the row's OID until PostgreSQL 12, and is 0 since.
                "INSERT" => (Command::Insert, rest.split_once(' ')?.1),
                "UPDATE" => (Command::Update, rest),
                "DELETE" => (Command::Delete, rest),
                "MERGE" => (Command::Merge, rest),
                "FETCH" => (Command::Fetch, rest),
                "MOVE" => (Command::Move, rest),
                "COPY" => (Command::Copy, rest),
                _ => return None,
            };
            Some(Self::of(command, count.parse().ok()?))
        });
        counted.unwrap_or_else(|| Self::other(text))
    }

    /// Whether settings, roles or temporary tables may be what they were at the session's beginning.
    pub(super) fn resets_session(&self) -> bool {
        self.text.as_deref().is_some_and(|text| text == "RESET" || text.starts_with("DISCARD"))
    }

    /// Whether the command has prepared a statement of the application's naming.
    pub(super) fn prepares(&self) -> bool {
        self.text.as_deref() == Some("PREPARE")
    }

    /// Whether the command may have deallocated prepared statements, and whether all of them (rule 4).
    pub(super) fn forgets_statements(&self) -> Option<Forgotten> {
        match self.text.as_deref()? {
            "DISCARD ALL" | "DEALLOCATE ALL" => Some(Forgotten::All),
            "DEALLOCATE" => Some(Forgotten::One),
            _ => None,
        }
    }
}

/// Which prepared statements a command deallocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgotten {
    All,
    /// One whose name we do not know; it may be one of ours.
    One,
}
