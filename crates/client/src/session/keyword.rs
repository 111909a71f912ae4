//! What a statement's first keywords say about it. Each text is classified once.

use super::changes::Changes;
use super::misplaced::Misplaced;
use super::scanner::{Scanner, Token};
use super::traces;

/// What the engine and the pool need to know of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// See [`is_shareable`].
    pub(super) is_shareable: bool,
    /// It is shareable, and nothing of it is left in its session, as far as can be seen.
    pub(super) is_traceless: bool,
    /// It ends a transaction for good, or may.
    pub(super) is_commit: bool,
    /// See [`ends_transaction`].
    pub(super) ends_transaction: bool,
    /// A single BEGIN or START TRANSACTION.
    pub(super) is_begin: bool,
    /// COPY: nothing may be written behind it (rule 6).
    pub(super) is_copy: bool,
    /// DISCARD or DEALLOCATE: prepared statements may be gone afterwards (rule 4).
    pub(super) forgets_statements: bool,
    /// It names `client_encoding`, or is a SET NAMES: nothing may be written behind it, since text in UTF-8 could be read
    /// as something else.
    pub(super) may_change_encoding: bool,
    /// A NUL byte, which no protocol message can carry.
    pub(super) has_nul: bool,
    pub(super) changes: Changes,
}

/// Whether a text may share a pool's connection with other callers (rule 8): a single statement whose first keyword,
/// after comments, empty statements and parentheses, is SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE, WITH, SHOW or EXPLAIN.
///
/// In doubt it is not: an unclosed quote, or a backslash whose meaning depends on a setting. Nor is SELECT INTO, whose table
/// may be a temporary one.
#[must_use]
pub fn is_shareable(text: &str) -> bool {
    classify(text).is_shareable
}

/// What a text is where statements share a transaction of the driver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// A single statement that may share a Sync with others: it is [shareable](is_shareable), and changes nothing that those
    /// behind it are understood by.
    pub is_plain: bool,
    /// It has a statement that begins, ends or divides a transaction.
    pub has_control: bool,
    /// It is a COPY.
    pub is_copy: bool,
}

impl Sharing {
    /// Classifies a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let traits = classify(text);
        let is_misplaced = matches!(Misplaced::of(text), Some(Misplaced::Begin | Misplaced::Transaction));
        Self {
            is_plain: traits.is_shareable && !traits.changes.is_any() && !traits.may_change_encoding,
            has_control: traits.is_begin
                || is_misplaced
                || ((traits.ends_transaction || may_commit(text) || may_end_escaped(text))
                    && !is_routine_of_atoms(text)),
            is_copy: traits.is_copy,
        }
    }
}

const SHAREABLE: [&str; 10] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE", "WITH", "SHOW", "EXPLAIN"];

pub(super) fn classify(text: &str) -> Traits {
    let mut scanner = Scanner::new(text);
    let mut words = FirstWords::default();
    let mut token = first_token(&mut scanner);
    while let Some(next) = token {
        words.push(next);
        token = if words.wants_more() { scanner.next() } else { None };
    }
    let is_any_of = |keywords: &[&str]| keywords.iter().any(|keyword| words.is_first(keyword));
    let has_ended = words.is_over || scanner.by_ref().any(|token| token == Token::Semicolon);
    let is_single = !has_ended || scanner.next().is_none();
    let changes = Changes::of(text);
    let is_shareable = is_single && is_any_of(&SHAREABLE) && !scanner.is_doubtful && !changes.makes_table;
    Traits {
        is_shareable,
        is_traceless: is_shareable && traces::leaves_none(text),
        is_commit: words.is_commit(),
        ends_transaction: ends_transaction(text),
        is_begin: is_single && is_any_of(&["BEGIN", "START"]) && !scanner.is_doubtful,
        is_copy: is_any_of(&["COPY"]),
        forgets_statements: is_any_of(&["DISCARD", "DEALLOCATE"]),
        may_change_encoding: names_client_encoding(text) || words.is_set_names(),
        has_nul: text.contains('\0'),
        changes,
    }
}

/// The first token of the first statement that is not empty: of the others a server hears nothing but that they are there.
fn first_token<'a>(scanner: &mut Scanner<'a>) -> Option<Token<'a>> {
    scanner.find(|token| *token != Token::Semicolon)
}

/// Whether the setting's name stands anywhere in a text: in a SET, or as an argument of `set_config`.
fn names_client_encoding(text: &str) -> bool {
    const NAME: &[u8] = b"client_encoding";
    text.as_bytes().windows(NAME.len()).any(|window| window.eq_ignore_ascii_case(NAME))
}

/// Whether a text has a statement that ends a transaction where `standard_conforming_strings` is off.
fn may_end_escaped(text: &str) -> bool {
    let scanner = || Scanner::knowing(text, false);
    text.contains('\\') && (any_ends(scanner()) || any_commits(scanner()))
}

/// Whether a text is the definition of one routine by BEGIN ATOMIC, whose END ends no transaction. Only one that ends with that
/// and has no other END that begins a statement is certain to be.
fn is_routine_of_atoms(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    let mut words: Vec<&str> = Vec::with_capacity(4);
    let (mut is_first_word, mut was_begin, mut is_atomic) = (true, false, false);
    // Of the statement that is looked at: nothing, its END alone, or more.
    let (mut is_end, mut has_more) = (false, false);
    for token in scanner.by_ref() {
        let word = match token {
            Token::Semicolon => {
                is_first_word = true;
                continue;
            }
            Token::Word(word) => word,
            Token::Parenthesis | Token::ClosingParenthesis | Token::Other => "",
        };
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        // Something is behind the END.
        has_more |= is_end;
        is_end = is_first_word && is("END");
        if is_first_word && ["COMMIT", "ROLLBACK", "ABORT", "PREPARE"].into_iter().any(is) {
            return false;
        }
        is_first_word = false;
        is_atomic |= was_begin && is("ATOMIC") && makes_routine(&words);
        was_begin = is("BEGIN");
        if words.len() < words.capacity() {
            words.push(word);
        }
    }
    is_atomic && is_end && !has_more && !scanner.is_doubtful
}

/// Whether a script has a statement that ends a transaction for good.
pub(super) fn may_commit(script: &str) -> bool {
    any_commits(Scanner::new(script))
}

fn any_commits(scanner: Scanner<'_>) -> bool {
    let mut words = FirstWords::default();
    for token in scanner {
        if token == Token::Semicolon {
            words = FirstWords::default();
            continue;
        }
        if words.wants_more() {
            words.push(token);
            if words.is_commit() {
                return true;
            }
        }
    }
    false
}

/// Whether a server with this setting takes a text for more than one statement. As psql has it, a `;` between parentheses
/// (CREATE RULE) or between BEGIN ATOMIC and END (CREATE FUNCTION) is a part of one.
pub(super) fn is_several(text: &str, standard_conforming_strings: bool) -> bool {
    let (mut statements, mut is_inside) = (0_usize, false);
    let (mut parentheses, mut blocks) = (0_usize, 0_usize);
    let mut words: Vec<&str> = Vec::with_capacity(4);
    let mut was_begin = false;
    for token in Scanner::knowing(text, standard_conforming_strings) {
        let is_behind_begin = std::mem::take(&mut was_begin);
        match token {
            Token::Semicolon if parentheses == 0 && blocks == 0 => {
                is_inside = false;
                words.clear();
                continue;
            }
            Token::Parenthesis => parentheses += 1,
            Token::ClosingParenthesis => parentheses = parentheses.saturating_sub(1),
            Token::Word(word) => {
                if words.len() < words.capacity() {
                    words.push(word);
                }
                if parentheses == 0 && makes_routine(&words) {
                    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
                    was_begin = is("BEGIN");
                    if (is_behind_begin && is("ATOMIC")) || (is("CASE") && blocks > 0) {
                        blocks += 1;
                    } else if is("END") {
                        blocks = blocks.saturating_sub(1);
                    }
                }
            }
            Token::Semicolon | Token::Other => {}
        }
        statements += usize::from(!is_inside);
        is_inside = true;
    }
    statements > 1
}

/// CREATE [OR REPLACE] FUNCTION or PROCEDURE.
fn makes_routine(words: &[&str]) -> bool {
    let is = |place: usize, keyword: &str| words.get(place).is_some_and(|word| word.eq_ignore_ascii_case(keyword));
    let what = if is(1, "OR") && is(2, "REPLACE") { 3 } else { 1 };
    is(0, "CREATE") && (is(what, "FUNCTION") || is(what, "PROCEDURE"))
}

/// Whether a text has a statement that ends a transaction, by COMMIT or ROLLBACK: if one is open afterwards, by AND CHAIN
/// or a BEGIN behind it, it is another one. ROLLBACK TO a savepoint ends none.
pub(super) fn ends_transaction(text: &str) -> bool {
    any_ends(Scanner::new(text))
}

fn any_ends(scanner: Scanner<'_>) -> bool {
    let mut words = [""; 3];
    let mut count = 0;
    for token in scanner {
        match token {
            Token::Semicolon => {
                if is_end(&words) {
                    return true;
                }
                (words, count) = ([""; 3], 0);
            }
            Token::Word(word) if count < words.len() => {
                words[count] = word;
                count += 1;
            }
            // What follows it is no keyword of those that count.
            _ => count = words.len(),
        }
    }
    is_end(&words)
}

fn is_end(words: &[&str; 3]) -> bool {
    let is = |place: usize, keyword: &str| words[place].eq_ignore_ascii_case(keyword);
    // Both may have a word that means nothing.
    let next = if is(1, "WORK") || is(1, "TRANSACTION") { 2 } else { 1 };
    let is_commit = is(0, "COMMIT") || is(0, "END") || is(0, "ABORT");
    (is_commit || is(0, "ROLLBACK")) && !is(next, "TO") && !is(next, "PREPARED")
}

/// The first two words of a statement, after parentheses.
#[derive(Default)]
struct FirstWords<'a> {
    first: Option<&'a str>,
    second: Option<&'a str>,
    /// The statement ended, or went on with something that is no keyword.
    is_done: bool,
    /// It ended with a `;`.
    is_over: bool,
}

impl<'a> FirstWords<'a> {
    fn wants_more(&self) -> bool {
        !self.is_done
    }

    fn push(&mut self, token: Token<'a>) {
        match token {
            Token::Word(word) if self.first.is_none() => self.first = Some(word),
            Token::Word(word) => {
                self.second = Some(word);
                self.is_done = true;
            }
            Token::Parenthesis if self.first.is_none() => {}
            Token::Semicolon => (self.is_done, self.is_over) = (true, true),
            Token::Parenthesis | Token::ClosingParenthesis | Token::Other => self.is_done = true,
        }
    }

    fn is_first(&self, keyword: &str) -> bool {
        self.first.is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    /// `SET NAMES`, another name of `SET client_encoding TO`.
    fn is_set_names(&self) -> bool {
        self.is_first("SET") && self.second.is_some_and(|word| word.eq_ignore_ascii_case("NAMES"))
    }

    /// COMMIT, its other name END, and the first half of a two-phase commit.
    fn is_commit(&self) -> bool {
        let is_second = |keyword: &str| self.second.is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        self.is_first("COMMIT") || self.is_first("END") || (self.is_first("PREPARE") && is_second("TRANSACTION"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_statements_in_front_hide_nothing() {
        for front in ["", ";", " ;; ", "-- a\n;/* b */"] {
            let of = |text: &str| classify(&format!("{front}{text}"));
            assert!(of("copy t from stdin").is_copy, "{front}");
            assert!(of("commit").is_commit && of("prepare transaction 'a'").is_commit, "{front}");
            assert!(of("begin").is_begin && !of("begin; select 1").is_begin, "{front}");
            assert!(of("deallocate all").forgets_statements, "{front}");
            assert!(of("set names latin1").may_change_encoding, "{front}");
        }
    }

    #[test]
    fn texts_of_several_statements() {
        for text in ["select 1; select 2", "select 1;;select 2", "begin; select ';'; commit;"] {
            assert!(is_several(text, true) && is_several(text, false), "{text}");
        }
        for text in [
            "",
            ";",
            "; select 1",
            "select 1",
            "select 1;",
            "select 1; ; -- select 2",
            "select ';' /* ; */; ",
            r"select '\'; x'",
            "select 'a; b",
        ] {
            assert!(!is_several(text, false), "{text}");
        }
    }

    #[test]
    fn texts_that_a_server_takes_for_several() {
        for text in [
            "select 1; select 2",
            "; select 1; select 2",
            r"select '\' ; drop table victim",
            r"select '\\' ; drop table victim --'",
            "create function f() returns int begin atomic select 1; end; drop table t",
            "create function f() returns int language sql as 'select 1'; begin; select 1; end",
            "create function begin.f() returns int language sql as 'select 1'; drop table t",
            "select 1 as begin; select 2",
            "create rule r as on insert to t do also (select 1; select 2); select 3",
            "do $$ begin null; end $$; select 1",
        ] {
            assert!(is_several(text, true), "{text}");
        }
        for text in [
            "",
            ";",
            ";select 1",
            "select 1;;",
            "select ';'",
            r"select E'\' ; drop table victim'",
            "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
            "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; SELECT 2; END;",
            "create rule r as on insert to t do also (select 1; select 2)",
            "do $$ begin null; end $$",
        ] {
            assert!(!is_several(text, true), "{text}");
        }
        assert!(!is_several(r"select '\' ; drop table victim'", false));
        assert!(!is_several("select 'a'\n'b;\\' ; c'", false), "continued on the next line");
        assert!(is_several(r"select '\\' ; drop table victim --'", false));
    }

    #[test]
    fn what_ends_a_transaction_is_seen_however_the_server_reads_strings() {
        for text in [
            r"select '\''; commit; select 'x'",
            r"select '\'; commit; select '\'",
            r"select '\''; end; select 'x'",
            r"select '\''; prepare transaction 'a'; select 'x'",
            "select 1; rollback; select 2",
        ] {
            assert!(Sharing::of(text).has_control, "{text}");
        }
        for text in [r"select 'C:\', ';'", r"select E'\'; commit'", r"select 'a\\b; commit'", "select 'it''s; commit'"]
        {
            assert!(!Sharing::of(text).has_control, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_routine_ends_no_transaction() {
        for text in [
            "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
            "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END;",
            "create function f() returns int begin atomic select 1 as case; end",
        ] {
            assert!(!Sharing::of(text).has_control, "{text}");
        }
        for text in [
            "create function f() returns int begin atomic select 1; end; end",
            "create function f() returns int begin atomic select 1; end; commit",
            "create function f() returns int begin atomic select 1; end; insert into t values (1)",
            "create function f() returns int begin atomic select 1 as case; end; rollback; end",
            "create function begin.atomic() returns int language sql as 'select 1'; end",
            "create function f() returns int begin atomic select 1 end; commit; create function g() begin atomic select 1; end",
            "select 1; end",
        ] {
            assert!(Sharing::of(text).has_control, "{text}");
        }
    }

    #[test]
    fn texts_that_end_a_transaction() {
        for text in [
            "commit",
            "END",
            "abort and chain",
            "rollback work",
            "ROLLBACK TRANSACTION AND CHAIN",
            "/* x */ rollback; begin",
            "insert into t values (1); commit; begin",
            "select ';'; Commit",
        ] {
            assert!(ends_transaction(text), "{text}");
        }
        for text in [
            "rollback to savepoint a",
            "rollback work to a",
            "ROLLBACK TRANSACTION TO a",
            "commit prepared 'a'",
            "select 'rollback; commit'",
            "do $$ begin perform 1; end $$",
            "create function f() returns void begin atomic select 1",
            "savepoint rollback",
            "select case when true then 1 end",
            "",
        ] {
            assert!(!ends_transaction(text), "{text}");
        }
    }
}
