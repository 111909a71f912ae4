//! Commands that do nothing where no session is kept: through a pool, whose connection is reset behind each of them.

use super::scanner::{Scanner, Token};

/// What a text is, if nothing comes of it on a session that is its alone and is reset afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// BEGIN, START TRANSACTION: the transaction would be rolled back at once.
    Begin,
    /// COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION, SAVEPOINT or RELEASE: there is no transaction.
    Transaction,
    /// LISTEN: the subscription would end with the call.
    Listen,
}

/// First keywords, and what a statement is that begins with them.
const KEYWORDS: [(&str, Misplaced); 10] = [
    ("BEGIN", Misplaced::Begin),
    ("START", Misplaced::Begin),
    ("COMMIT", Misplaced::Transaction),
    ("END", Misplaced::Transaction),
    ("ROLLBACK", Misplaced::Transaction),
    ("ABORT", Misplaced::Transaction),
    ("PREPARE", Misplaced::Transaction),
    ("SAVEPOINT", Misplaced::Transaction),
    ("RELEASE", Misplaced::Transaction),
    ("LISTEN", Misplaced::Listen),
];

impl Misplaced {
    /// Classifies a text by its first keywords. Only a single statement is misplaced: `begin; …; commit` is a whole, and
    /// so are COMMIT PREPARED and ROLLBACK PREPARED, which need no session. In doubt it is not, and the server decides.
    ///
    /// A text that begins with any other word is not looked at any further. Empty statements in front of it count for
    /// nothing, as the server has it.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let Some(Token::Word(first)) = scanner.find(|token| *token != Token::Semicolon) else { return None };
        let (keyword, misplaced) = KEYWORDS.iter().find(|(keyword, _)| first.eq_ignore_ascii_case(keyword))?;
        let second = scanner.next();
        let is_second = |word: &str| matches!(second, Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        let is_it = match *keyword {
            "COMMIT" | "ROLLBACK" => !is_second("PREPARED"),
            "PREPARE" | "START" => is_second("TRANSACTION"),
            _ => true,
        };
        let mut is_over = false;
        let is_single = second.into_iter().chain(scanner.by_ref()).all(|token| {
            is_over |= token == Token::Semicolon;
            !is_over || token == Token::Semicolon
        });
        (is_it && is_single && !scanner.is_doubtful).then_some(*misplaced)
    }
}

#[cfg(test)]
mod tests {
    use super::Misplaced::{self, Begin, Listen, Transaction};

    #[test]
    fn lone_commands_of_a_session_are_found() {
        for (text, expected) in [
            ("begin", Begin),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE;", Begin),
            ("/* a /* b */ */ -- c\n Start Transaction read only;;", Begin),
            ("commit", Transaction),
            ("COMMIT AND CHAIN ; -- done", Transaction),
            ("end", Transaction),
            ("rollback", Transaction),
            ("rollback to savepoint a", Transaction),
            ("abort work", Transaction),
            ("savepoint \"a;b\"", Transaction),
            ("release a", Transaction),
            ("prepare transaction 'a;b'", Transaction),
            ("listen jobs", Listen),
            ("LISTEN \"Jobs\"", Listen),
            (";begin", Begin),
            (" ; /* a */ ;\n-- b\n; START TRANSACTION;;", Begin),
            ("; rollback", Transaction),
            (";;listen jobs", Listen),
        ] {
            assert_eq!(Misplaced::of(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_a_whole_or_needs_no_session_is_not() {
        for text in [
            "",
            ";",
            ";;",
            "; select 'begin'",
            "; begin; insert into t values (1); commit",
            "(begin)",
            "select 'begin'",
            "begin; insert into t values (1); commit",
            "begin;;select 1",
            "commit; select 1",
            "commit prepared 'a'",
            "ROLLBACK PREPARED 'a'",
            "prepare a as select 1",
            "start_replication slot a",
            "unlisten *",
            "notify jobs",
            "set role a",
            "\"begin\"",
            "begins",
            "begin 'open",
            "listen a; select '\\'; begin; --'",
        ] {
            assert_eq!(Misplaced::of(text), None, "{text}");
        }
    }
}
