//! What the execution of a text may change of what is known of statements. Each text is looked through once; what a function
//! that it calls does is not seen.

use super::scanner::{Scanner, Token};

/// What may be other than before once a text has been executed, so that what is known of statements may not be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Tables, types or functions, or what others may see of them, for everybody.
    pub(super) schema: bool,
    /// The session's `search_path`.
    pub(super) path: bool,
    /// What else decides on the meaning of names in the session: its role, new (perhaps temporary) tables.
    pub(super) names: bool,
    /// It is a SELECT INTO, or an EXPLAIN, which may execute it, of one or of a CREATE TABLE AS.
    pub(super) makes_table: bool,
}

/// Statements by which nothing is what it was.
const ALTERING: [&str; 7] = ["ALTER", "DROP", "DO", "IMPORT", "GRANT", "REVOKE", "REASSIGN"];

/// What CREATE makes that no name in a query means: the word behind it.
const NAMELESS: [&str; 12] = [
    "INDEX",
    "UNIQUE",
    "DATABASE",
    "ROLE",
    "USER",
    "GROUP",
    "TABLESPACE",
    "STATISTICS",
    "SUBSCRIPTION",
    "PUBLICATION",
    "TRIGGER",
    "EVENT",
];

/// What stands in front of the name of a table that is the session's own. GLOBAL means nothing else to PostgreSQL.
const TEMPORARY: [&str; 4] = ["TEMP", "TEMPORARY", "LOCAL", "GLOBAL"];

fn is_any_of(word: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

impl Changes {
    pub(super) const NONE: Self = Self { schema: false, path: false, names: false, makes_table: false };

    pub(super) fn is_any(self) -> bool {
        self != Self::NONE
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            schema: self.schema || other.schema,
            path: self.path || other.path,
            names: self.names || other.names,
            makes_table: self.makes_table || other.makes_table,
        }
    }

    /// What a text may change.
    pub(super) fn of(text: &str) -> Self {
        let mut changes = of_settings(text);
        let mut statement = Statement::default();
        for token in Scanner::new(text) {
            match token {
                Token::Semicolon => statement = Statement::default(),
                Token::Word(word) => statement.push(word, &mut changes),
                Token::Parenthesis | Token::ClosingParenthesis | Token::Other => {}
            }
        }
        changes
    }

    /// A new table, view, type or function; `kind` is the word in front of it.
    fn create(&mut self, kind: &str) {
        if !is_any_of(kind, &NAMELESS) {
            self.names = true;
            self.schema |= !is_any_of(kind, &TEMPORARY);
        }
    }
}

/// How far a statement has been read.
#[derive(Default)]
struct Statement<'a> {
    first: Option<&'a str>,
    /// The word before.
    last: &'a str,
    is_created: bool,
}

impl<'a> Statement<'a> {
    fn push(&mut self, word: &'a str, changes: &mut Changes) {
        let last = std::mem::replace(&mut self.last, word);
        let Some(first) = self.first else {
            changes.schema |= is_any_of(word, &ALTERING);
            self.first = Some(word);
            return;
        };
        let is_first = |keywords: &[&str]| is_any_of(first, keywords);
        if is_first(&["SET"]) {
            changes.path |= is_any_of(word, &["SCHEMA"]);
            changes.names |= is_any_of(word, &["ROLE", "AUTHORIZATION"]);
        } else if is_first(&["CREATE"]) {
            // CREATE OR REPLACE
            if !self.is_created && !is_any_of(word, &["OR", "REPLACE"]) {
                self.is_created = true;
                changes.create(word);
            }
        } else if (is_first(&["SELECT", "WITH", "EXPLAIN"]) && is_any_of(last, &["INTO"]))
            || (is_first(&["EXPLAIN"]) && is_any_of(last, &["CREATE"]))
        {
            // That of an INSERT or MERGE within a WITH was passed by.
            changes.create(word);
            changes.makes_table = true;
        }
        if is_any_of(word, &["INTO"]) && is_any_of(last, &["INSERT", "MERGE"]) {
            self.last = "";
        }
    }
}

/// Which settings a text may set: by name, or by a call of `set_config` whose first argument is no literal, or, before
/// PostgreSQL 18, by an update of `pg_settings`.
fn of_settings(text: &str) -> Changes {
    const PATH: &[u8] = b"search_path";
    const FUNCTION: &[u8] = b"set_config";
    const VIEW: &[u8] = b"pg_settings";
    const UPDATE: &[u8] = b"update";
    let bytes = text.as_bytes();
    let is_at =
        |at: usize, word: &[u8]| bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word));
    let mut changes = Changes::NONE;
    let mut has_update = false;
    for at in 0..bytes.len() {
        match bytes[at] {
            b's' | b'S' => {
                changes.path |= is_at(at, PATH);
                if is_at(at, FUNCTION) {
                    changes = changes.and(of_set_config(&text[at + FUNCTION.len()..]));
                }
            }
            b'u' | b'U' => has_update |= is_at(at, UPDATE),
            b'p' | b'P' if has_update && is_at(at, VIEW) => (changes.path, changes.names) = (true, true),
            _ => {}
        }
    }
    changes
}

/// What a call of `set_config` changes, by what follows the function's name.
fn of_set_config(rest: &str) -> Changes {
    let Some(arguments) = rest.trim_start().strip_prefix('(') else { return Changes::NONE };
    let names = Changes { names: true, ..Changes::NONE };
    let Some(literal) = arguments.trim_start().strip_prefix('\'') else { return Changes { path: true, ..names } };
    let name = literal.split('\'').next().unwrap_or_default();
    if is_any_of(name, &["role", "session_authorization"]) { names } else { Changes::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Changes = Changes::NONE;
    const SCHEMA: Changes = Changes { schema: true, ..NONE };
    const PATH: Changes = Changes { path: true, ..NONE };
    const NAMES: Changes = Changes { names: true, ..NONE };
    const MADE: Changes = Changes { schema: true, ..NAMES };

    #[test]
    fn what_a_text_may_change() {
        for (text, expected) in [
            ("alter table t alter v type int", SCHEMA),
            ("/* */ Drop TABLE t", SCHEMA),
            ("do $$ begin end $$", SCHEMA),
            ("grant usage on schema a to b", SCHEMA),
            ("revoke all on t from public", SCHEMA),
            ("create temp table t ()", NAMES),
            ("create local temporary view v as select 1", NAMES),
            ("create table t ()", MADE),
            ("create schema a create table t ()", MADE),
            ("Create or replace function f() returns int return 1", MADE),
            ("create unlogged table t ()", MADE),
            ("create unique index concurrently on t (a)", NONE),
            ("create index i on t (a); create role r", NONE),
            ("select 1; drop table t; create temp table t ()", Changes { schema: true, ..NAMES }),
            ("set Search_Path = a", PATH),
            ("set local schema 'a'", PATH),
            ("reset search_path", PATH),
            ("select set_config('search_path', $1, true)", PATH),
            ("select set_config( $1, $2, true)", Changes { path: true, ..NAMES }),
            ("select set_config('Role', $1, true)", NAMES),
            ("select pg_catalog.set_config ('session_authorization', 'a', false)", NAMES),
            ("select set_config('app.tenant', $1, true)", NONE),
            ("select 'ü', set_config", NONE),
            ("update pg_settings set setting = $1 where name = $2", Changes { path: true, ..NAMES }),
            ("select * from pg_settings", NONE),
            ("set local role a", NAMES),
            ("set session authorization a", NAMES),
            ("set local statement_timeout = 1", NONE),
            ("select 1 as a into temp t", Changes { makes_table: true, ..NAMES }),
            ("with a as (select 1) select * into t from a", Changes { makes_table: true, ..MADE }),
            ("with a as (insert into t values (1) returning *) select * from a", NONE),
            ("with a as (select 1) merge into t using a on true when matched then delete", NONE),
            ("explain analyze create temp table t as select 1", Changes { makes_table: true, ..NAMES }),
            ("explain (analyze) select 1 into t", Changes { makes_table: true, ..MADE }),
            ("explain analyze insert into t select 1", NONE),
            ("insert into t select 1", NONE),
            ("insert into t (role, schema) values ($1, 'drop')", NONE),
            ("select 1 as \"alter\"", NONE),
            ("begin; commit", NONE),
            ("", NONE),
        ] {
            assert_eq!(Changes::of(text), expected, "{text}");
        }
    }
}
