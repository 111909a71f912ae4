//! Rule 8: what may share a pool's connection; and command tags.

use oxpg_client::session::keyword::is_shareable;
use oxpg_client::session::{Command, CommandTag};

#[test]
fn rule_8_single_statements_of_the_ten_kinds_may_share() {
    let texts = [
        "select 1",
        "SELECT 1;",
        "  ( (select 1) union select 2 )",
        "-- a comment\nselect 1",
        "/* one /* nested */ still */ sElEcT 1 ; -- the end\n /* really */ ",
        "insert into t values ($1)",
        "update t set a = 1",
        "delete from t",
        "merge into t using s on true when matched then delete",
        "values (1)",
        "table t",
        "with a as (select 1) select * from a",
        "show all",
        "explain analyze select 1",
        "select ';' , \";\" , $$ ; $$ , $a$ ; $$ ; $a$, e'\\';' , $1",
        "select 'it''s; fine'",
        "select e'a'\n'b\\';c'",
        "select a$b$c from t",
        "select 1e5, 'é;'",
        "select u&'d;'",
        "; select 1",
        ";; -- nothing\n; (select 1);",
    ];
    for text in texts {
        assert!(is_shareable(text), "{text}");
    }
}

#[test]
fn rule_8_everything_else_may_not() {
    let texts = [
        "",
        ";",
        ";;",
        "; begin",
        "; select 1; select 2",
        "begin",
        "set role a",
        "selects",
        "\"select\" 1",
        "'select'",
        "copy t from stdin",
        "create table t ()",
        "do $$ begin end $$",
        "call p()",
        "listen a",
        "explain analyze create temp table t as select 1",
        "explain (analyze) select 1 into temp t",
        "select 1; select 2",
        "select 1;;",
        "select ';'; begin",
        "select $a$ ; $a$; begin",
        "select 1 /* open",
        "select 'open",
        "select $$open",
        "select \"open",
        // With standard_conforming_strings off the string would go on.
        "select 'a\\'; begin; --'",
        "select e'\\\\'; begin",
        "-- select 1",
        "select$1; begin",
        "values(1);begin",
        "/**/",
    ];
    for text in texts {
        assert!(!is_shareable(text), "{text}");
    }
}

#[test]
fn command_tags_are_read() {
    let cases = [
        ("INSERT 0 5", Command::Insert, 5),
        ("INSERT 12345 1", Command::Insert, 1),
        ("SELECT 18446744073709551615", Command::Select, u64::MAX),
        ("UPDATE 0", Command::Update, 0),
        ("DELETE 7", Command::Delete, 7),
        ("MERGE 7", Command::Merge, 7),
        ("FETCH 7", Command::Fetch, 7),
        ("MOVE 7", Command::Move, 7),
        ("COPY 7", Command::Copy, 7),
        ("BEGIN", Command::Begin, 0),
        ("COMMIT", Command::Commit, 0),
        ("ROLLBACK", Command::Rollback, 0),
        ("SET", Command::Set, 0),
    ];
    for (text, command, rows) in cases {
        assert_eq!(CommandTag::parse(text), CommandTag { command, rows, text: None });
    }
    for text in
        ["CREATE TABLE", "SELECT x", "SELECT -1", "INSERT 5", "ROLLBACK PREPARED", "", "SELECT 18446744073709551616"]
    {
        let expected = CommandTag { command: Command::Other, rows: 0, text: Some(text.into()) };
        assert_eq!(CommandTag::parse(text), expected);
    }
}
