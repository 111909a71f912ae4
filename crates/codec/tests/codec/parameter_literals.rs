//! Values with parts as text, which is quoted as PostgreSQL's `record_in`, `range_in`, `multirange_in` and `array_in`
//! read it.

use crate::parameter_types::{
    array, composite, delimited_array, encode, int4, literal, money, multirange_of, range_of, refused, scalar, text,
};
use crate::support::{Cell, list, range_cell, string};
use oxpg_codec::types::{Type, TypeCode};
use std::rc::Rc;

/// A composite type that has to be text.
fn priced() -> Rc<Type> {
    composite(90_101, "priced", &[("name", &text()), ("price", &money())])
}

fn moneyrange() -> Rc<Type> {
    range_of(90_102, "moneyrange", &money())
}

#[test]
fn composites() {
    let priced = priced();
    assert_eq!(priced.code, TypeCode::COMPOUND_TEXT);
    let literal = |name: Cell, expected: &str| literal(&priced, Cell::Composite(vec![name, string("1.5")]), expected);
    literal(string("plain"), "(plain,1.5)");
    literal(Cell::Null, "(,1.5)");
    literal(string(""), r#"("",1.5)"#);
    literal(string("a b"), r#"("a b",1.5)"#);
    literal(string("a,b"), r#"("a,b",1.5)"#);
    literal(string("("), r#"("(",1.5)"#);
    literal(string(")"), r#"(")",1.5)"#);
    literal(string("\"\\"), r#"("""\\",1.5)"#);
    literal(string("\u{b}"), "(\"\u{b}\",1.5)");
    literal(string("NULL"), "(NULL,1.5)");
    literal(string("grün[]{}"), "(grün[]{},1.5)");
    literal(Cell::Bytes(b"raw".to_vec()), "(raw,1.5)");
}

#[test]
fn nulls_of_composites() {
    literal(&priced(), Cell::Composite(vec![Cell::Null, Cell::Null]), "(,)");
    literal(&composite(90_103, "single", &[("price", &money())]), Cell::Composite(vec![Cell::Null]), "()");
}

#[test]
fn quotes_in_quotes() {
    let outer = composite(90_104, "outer", &[("inner", &priced()), ("all", &array(90_105, &priced()))]);
    let inner = || Cell::Composite(vec![string("a \"b\""), string("$1")]);
    literal(
        &outer,
        Cell::Composite(vec![inner(), list(vec![inner(), Cell::Null])]),
        r#"("(""a """"b"""""",$1)","{""(\\""a \\""\\""b\\""\\""\\"",$1)"",NULL}")"#,
    );
}

#[test]
fn ranges() {
    let moneyrange = moneyrange();
    let literal = |cell, expected: &str| literal(&moneyrange, cell, expected);
    literal(range_cell(2, string("1"), string("2")), "[1,2)");
    literal(range_cell(4, string("1"), string("2")), "(1,2]");
    literal(range_cell(2 | 8, Cell::Null, string("2")), "(,2)");
    literal(range_cell(4 | 16, string("1"), Cell::Null), "(1,)");
    literal(range_cell(6, Cell::Null, Cell::Null), "(,)");
    literal(range_cell(1 | 6, string("1"), string("2")), "empty");
    literal(range_cell(6, string(""), string("a b")), r#"["","a b"]"#);
    literal(range_cell(0, string("[1"), string("\"\\")), r#"("[1","""\\")"#);
}

#[test]
fn multiranges() {
    let tree = multirange_of(90_106, "moneymultirange", &moneyrange());
    literal(&tree, Cell::Multirange(vec![]), "{}");
    let cell = Cell::Multirange(vec![
        range_cell(2, string("1"), string("2,5")),
        range_cell(1, Cell::Null, Cell::Null),
        range_cell(0, string("3"), Cell::Null),
    ]);
    literal(&tree, cell, r#"{[1,"2,5"),empty,(3,)}"#);
    // What a codec of the range type made, with fewer cells than ranges have.
    let texts = vec![string("[1,2)"), string("empty")];
    literal(&tree, Cell::Multirange(texts), "{[1,2),empty}");
}

#[test]
fn arrays() {
    let tree = array(90_107, &priced());
    let priced = |name: &str| Cell::Composite(vec![string(name), Cell::Null]);
    literal(&tree, Cell::Array(vec![], vec![]), "{}");
    literal(&tree, list(vec![priced("a"), Cell::Null, priced("b c")]), r#"{"(a,)",NULL,"(\"b c\",)"}"#);
    literal(
        &tree,
        Cell::Array(vec![(1, 0), (2, 3)], vec![priced("a"), priced("b")]),
        r#"[0:0][3:4]={{"(a,)","(b,)"}}"#,
    );
    let ranges = array(90_108, &moneyrange());
    literal(&ranges, list(vec![range_cell(2, string("1"), string("2"))]), r#"{"[1,2)"}"#);
}

#[test]
fn elements_stand_between_the_types_delimiter() {
    let own = scalar(90_109, "own", TypeCode::UNKNOWN);
    literal(&delimited_array(90_110, &own, b'/'), list(vec![string("a"), string("b")]), r#"{"a"/"b"}"#);
    let boxes = delimited_array(1020, &scalar(603, "box", TypeCode::BOX), b';');
    let corner = || Cell::Doubles(false, vec![1.0, 2.0, 3.0, 4.5]);
    literal(&boxes, list(vec![corner(), string("1,1,0,0")]), r#"{"(1,2),(3,4.5)";"1,1,0,0"}"#);
}

#[test]
fn all_families_have_text() {
    let with_money = |code: TypeCode| composite(90_111, "c", &[("a", &scalar(90_112, "a", code)), ("b", &money())]);
    let literal = |code: TypeCode, cell: Cell, expected: &str| {
        literal(&with_money(code), Cell::Composite(vec![cell, Cell::Null]), &format!("({expected},)"));
    };
    literal(TypeCode::BOOL, Cell::Bool(true), "true");
    literal(TypeCode::INT8, Cell::I64(i64::MIN), "-9223372036854775808");
    literal(TypeCode::XID8, Cell::I64(-1), "18446744073709551615");
    literal(TypeCode::XID8, Cell::I32(7), "7");
    literal(TypeCode::FLOAT8, Cell::F64(1e-300), "1e-300");
    literal(TypeCode::FLOAT4, Cell::F64(2.6), "2.6");
    literal(TypeCode::FLOAT4, Cell::F64(f64::NEG_INFINITY), "-Infinity");
    literal(TypeCode::FLOAT8, Cell::F64(-0.0), "-0");
    literal(TypeCode::BYTEA, Cell::Bytes(vec![0, 0xfe]), r#""\\x00fe""#);
    literal(TypeCode::EWKB, Cell::Bytes(vec![1, 0xfe]), "01fe");
    literal(TypeCode::UUID, Cell::Bytes((0..16).collect()), "000102030405060708090a0b0c0d0e0f");
    literal(TypeCode::VECTOR, Cell::Bytes([1.0_f32, -2.5, 1e30].map(f32::to_le_bytes).concat()), r#""[1,-2.5,1e30]""#);
    literal(TypeCode::HALFVEC, Cell::Bytes(vec![]), "[]");
    literal(TypeCode::BIT, string("0101"), "0101");
    literal(TypeCode::VERSIONED, string("$.a"), "$.a");
    literal(TypeCode::JSONB, string("{}"), "{}");
    literal(TypeCode::INTERVAL, Cell::Interval { months: 1, days: 0, micros: 0 }, r#""+1 mons +0 days +00:00:00""#);
    literal(TypeCode::HSTORE, Cell::Hstore(vec![]), r#""""#);
    literal(TypeCode::HSTORE, Cell::Hstore(vec![(string("a\""), Cell::Null)]), r#""""a\\""""=>NULL""#);
    literal(TypeCode::POINT, Cell::Doubles(false, vec![1.0, 2.0]), r#""(1,2)""#);
}

#[test]
fn geometry_as_text() {
    let literal = |code, is_closed, doubles: &[f64], expected: &str| {
        let array = array(90_113, &scalar(90_114, "g", code));
        let cells = list(vec![Cell::Doubles(is_closed, doubles.to_vec()), string("x")]);
        literal(&array, cells, &format!(r#"{{"{expected}","x"}}"#));
    };
    literal(TypeCode::POINT, false, &[-0.5, f64::INFINITY], "(-0.5,Infinity)");
    literal(TypeCode::LINE, false, &[1.0, -1.0, 1e300], "{1,-1,1e300}");
    literal(TypeCode::LSEG, false, &[1.0, 2.0, 3.0, 4.0], "[(1,2),(3,4)]");
    literal(TypeCode::BOX, false, &[1.0, 2.0, 3.0, 4.0], "(1,2),(3,4)");
    literal(TypeCode::PATH, false, &[1.0, 2.0, 3.0, 4.0], "[(1,2),(3,4)]");
    literal(TypeCode::PATH, true, &[1.0, 2.0, 3.0, 4.0], "((1,2),(3,4))");
    literal(TypeCode::POLYGON, true, &[1.0, 2.0, 3.0, 4.0], "((1,2),(3,4))");
    literal(TypeCode::CIRCLE, false, &[1.0, 2.0, f64::NAN], "<(1,2),NaN>");
}

#[test]
fn intervals_as_text_have_all_signs() {
    let tree = array(1187, &scalar(1186, "interval", TypeCode::INTERVAL));
    let literal = |months, days, micros, expected: &str| {
        let cells = list(vec![Cell::Interval { months, days, micros }, string("x")]);
        literal(&tree, cells, &format!(r#"{{"{expected}","x"}}"#));
    };
    literal(0, 0, 0, "+0 mons +0 days +00:00:00");
    literal(-1, 2, -3_500_000, "-1 mons +2 days -00:00:03.5");
    literal(14, -400, 3_661_000_001, "+14 mons -400 days +01:01:01.000001");
    literal(0, 0, i64::MIN, "+0 mons +0 days -9223372036854775808 us");
    literal(0, 0, i64::MIN + 1, "+0 mons +0 days -2562047788:00:54.775807");
    literal(i32::MIN, i32::MIN, i64::MAX, "-2147483648 mons -2147483648 days +2562047788:00:54.775807");
    literal(i32::MAX, i32::MAX, i64::MAX, "infinity");
    literal(i32::MIN, i32::MIN, i64::MIN, "-infinity");
}

#[test]
fn bytes_that_only_a_codec_of_the_application_reads_are_refused_in_text() {
    let raw = Type::new(90_115, "public", "own", oxpg_codec::types::Kind::Scalar, TypeCode::RAW, 1);
    let tree = composite(90_116, "c", &[("a", &raw), ("b", &money())]);
    refused(
        &tree,
        Cell::Composite(vec![Cell::Bytes(vec![1]), string("1")]),
        "attribute \"a\": the value also has parts that only have text, which the codec does not give for type own",
    );
    let tree = composite(90_117, "d", &[("a", &raw), ("b", &int4())]);
    assert_eq!(encode(&tree, &Cell::Composite(vec![Cell::Bytes(vec![1]), Cell::Null])).unwrap().0, 1);
}
