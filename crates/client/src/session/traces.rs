//! Whether a statement can leave something behind in its session: settings, advisory locks, what has a name there.
//!
//! What an SQL function does cannot be seen in a text that calls it. So a statement counts as traceless only where everything
//! that it calls is known to be; the list is that of what applications call. Triggers, views and defaults are not seen, as
//! they are not where a pool's calls share connections (rule 8).

use super::scanner::{Scanner, Token};

/// What may stand in front of a parenthesis: keywords, types with a length, and functions of PostgreSQL that leave nothing
/// behind. In the order of their bytes.
#[rustfmt::skip]
const TRACELESS: &[&str] = &[
    "abs", "age", "all", "and", "any", "array", "array_agg", "array_append", "array_cat", "array_length",
    "array_position", "array_prepend", "array_remove", "array_replace", "array_to_json", "array_to_string", "as",
    "avg", "between", "bit", "bool_and", "bool_or", "btrim", "by", "cardinality", "case", "cast", "ceil", "ceiling",
    "char", "char_length", "character", "clock_timestamp", "coalesce", "concat", "concat_ws", "conflict", "corr",
    "count", "cube", "cume_dist", "current_setting", "current_time", "current_timestamp", "date_bin", "date_part",
    "date_trunc", "decimal", "decode", "delete", "dense_rank", "distinct", "div", "else", "encode", "every",
    "except", "exists", "exp", "explain", "extract", "filter", "first_value", "float", "floor", "format", "from",
    "gen_random_uuid", "generate_series", "generate_subscripts", "greatest", "group", "grouping", "having", "ilike",
    "in", "initcap", "insert", "intersect", "interval", "is", "json_agg", "json_array_elements",
    "json_array_elements_text", "json_build_array", "json_build_object", "json_each", "json_each_text",
    "json_object_agg", "json_object_keys", "json_strip_nulls", "json_to_record", "json_to_recordset", "json_typeof",
    "jsonb_agg", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array",
    "jsonb_build_object", "jsonb_each", "jsonb_each_text", "jsonb_insert", "jsonb_object_agg", "jsonb_object_keys",
    "jsonb_path_exists", "jsonb_path_query", "jsonb_path_query_array", "jsonb_path_query_first", "jsonb_pretty",
    "jsonb_set", "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset", "jsonb_typeof", "lag", "last_value",
    "lateral", "lead", "least", "left", "length", "like", "limit", "ln", "localtimestamp", "log", "lower", "lpad",
    "ltrim", "make_date", "make_interval", "make_timestamp", "make_timestamptz", "materialized", "max", "md5", "min",
    "mod", "not", "now", "nth_value", "ntile", "nullif", "numeric", "octet_length", "offset", "on", "only", "or",
    "order", "over", "overlay", "partition", "percent_rank", "percentile_cont", "percentile_disc",
    "pg_advisory_xact_lock", "pg_backend_pid", "pg_sleep", "pg_try_advisory_xact_lock", "plainto_tsquery", "position",
    "power", "random", "range", "rank", "regexp_matches", "regexp_replace", "regexp_split_to_array", "repeat",
    "replace", "returning", "reverse", "right", "rollup", "round", "row", "row_number", "row_to_json", "rpad",
    "rtrim", "select", "set", "sets", "sign", "similar", "some", "split_part", "sqrt", "starts_with",
    "statement_timestamp", "stddev", "string_agg", "string_to_array", "strpos", "substr", "substring", "sum", "then",
    "time", "timestamp", "timestamptz", "to_char", "to_date", "to_json", "to_jsonb", "to_number", "to_timestamp",
    "to_tsquery", "to_tsvector", "transaction_timestamp", "translate", "trim", "trunc", "ts_rank", "ts_rank_cd",
    "union", "unnest", "upper", "using", "values", "varchar", "variance", "varying", "websearch_to_tsquery", "when",
    "where", "within", "xmlagg",
];

fn is_traceless_word(word: &str) -> bool {
    TRACELESS.binary_search_by(|known| known.bytes().cmp(word.bytes().map(|byte| byte.to_ascii_lowercase()))).is_ok()
}

fn is_into(word: &str) -> bool {
    word.eq_ignore_ascii_case("into")
}

/// What the tokens so far have come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before<'a> {
    /// An operator, a value, a parenthesis: nothing is called by one behind it.
    Nothing,
    /// A word; whether a dot stands in front of it.
    Word(&'a str, bool),
    QuotedName,
    Dot,
}

/// Whether there stands anywhere in a text, quoted or not, what makes a setting when it is updated, or is the session's own; or a
/// name by the numbers of its characters, which may be any of them.
fn names_what_keeps(text: &str) -> bool {
    const NAMES: [&str; 3] = ["pg_settings", "pg_temp", "u&\""];
    let bytes = text.as_bytes();
    NAMES.iter().any(|name| bytes.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name.as_bytes())))
}

/// Whether a single statement, of which no quote is doubtful, leaves nothing behind in its session.
pub(super) fn leaves_none(text: &str) -> bool {
    if names_what_keeps(text) {
        return false;
    }
    let mut scanner = Scanner::new(text);
    let mut before = Before::Nothing;
    // The name of a table behind INTO, which its columns follow in parentheses.
    let mut is_table = false;
    while let Some(token) = scanner.next() {
        before = match token {
            Token::Word(word) => {
                let goes_on = match before {
                    Before::Dot => true,
                    Before::Word(before, _) => is_into(before),
                    Before::Nothing | Before::QuotedName => false,
                };
                is_table = is_into(word) || (is_table && goes_on);
                Before::Word(word, before == Before::Dot)
            }
            Token::Parenthesis => {
                let is_call = match before {
                    Before::Word(word, is_qualified) => is_qualified || !is_traceless_word(word),
                    Before::QuotedName => true,
                    Before::Nothing | Before::Dot => false,
                };
                if is_call && !is_table {
                    return false;
                }
                is_table = false;
                Before::Nothing
            }
            Token::Other if scanner.last_byte() == Some(b'"') => Before::QuotedName,
            Token::Other if scanner.last_byte() == Some(b'.') => Before::Dot,
            Token::Semicolon | Token::ClosingParenthesis | Token::Other => {
                is_table = false;
                Before::Nothing
            }
        };
    }
    !scanner.is_doubtful
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(TRACELESS.is_sorted());
        assert!(TRACELESS.iter().all(|word| is_traceless_word(word) && is_traceless_word(&word.to_uppercase())));
        assert!(!is_traceless_word("set_config"));
    }

    #[test]
    fn what_applications_ask_for_leaves_nothing() {
        for text in [
            "select 1",
            "SELECT count(*), Max(n) FROM things WHERE id IN ($1, $2) AND (a OR b) GROUP BY (c)",
            "insert into things (id, name) values ($1, lower($2)) on conflict (id) do update set name = excluded.name returning *",
            "insert into app.things (id) values (1)",
            r#"insert into "app"."things" ("id") values ($1) returning "id""#,
            r#"select "t"."id" from "things" as "t" where ("t"."id" = $1)"#,
            "update things set (a, b) = ($1, $2) where id = any($3::int[])",
            "with x as (select 1) select * from x join lateral (select 2) y on (true)",
            "with x as not materialized (select 1) delete from things using x where exists (select 1 from x)",
            "select 'set_config(''a'', ''b'', false)', sum(n) over (partition by a order by (b)) from things",
            "select n::numeric(10, 2), cast(a as varchar(10)) from things -- f(1)",
            "select pg_advisory_xact_lock(1)",
            "values (1), (2)",
            "show search_path",
        ] {
            assert!(leaves_none(text), "{text}");
        }
    }

    #[test]
    fn what_calls_something_else_may_leave_something() {
        for text in [
            "select set_config('app.tenant', $1, false)",
            "select pg_catalog.SET_CONFIG ('app.tenant', $1, false)",
            "select set_config /* ( */ ('a', 'b', false)",
            "select pg_advisory_lock(1)",
            "select set_tenant($1)",
            "select app.lower($1)",
            r#"select "set_config"('a', 'b', false)"#,
            r#"select pg_catalog."set_config"('a', 'b', false)"#,
            "select * from dblink_connect('x', 'y')",
            "insert into things select set_tenant(1)",
            "insert into things (id) values (set_tenant(1))",
            "insert into things values (nextval('s'))",
            "select * into pg_temp.x from things",
            "update pg_settings set setting = '1s' where name = 'statement_timeout'",
            r#"update pg_catalog."pg_settings" set setting = '1s' where name = 'statement_timeout'"#,
            r#"update U&"pg\005fsettings" set setting = '1s' where name = 'statement_timeout'"#,
            r#"insert into "pg_temp"."x" values (1)"#,
            "with x (a) as (select 1) select a from x",
            "select 'a",
        ] {
            assert!(!leaves_none(text), "{text}");
        }
    }
}
