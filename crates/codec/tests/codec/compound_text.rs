//! Types with parts in the text format.

use crate::support::{
    Value, array_of, as_text, composite, decode_tree, domain_over, multirange_of, range, range_of, scalar, text,
};
use oxpg_codec::batch::RowFault;
use oxpg_codec::types::{DELIMITER_OF_VECTORS, Kind, Type, TypeCode};
use std::rc::Rc;

/// A type without a binary codec.
fn money() -> Rc<Type> {
    scalar(790, TypeCode::UNKNOWN)
}

fn moneys() -> Rc<Type> {
    array_of(791, &money())
}

fn array(dimensions: &[(u32, i32)], elements: &[&str]) -> Value {
    let has_other_bounds = dimensions.iter().any(|(_, lower_bound)| *lower_bound != 1);
    let element = |element: &&str| if *element == "NULL" { Value::Null } else { text(element) };
    Value::Array(dimensions.to_vec(), has_other_bounds, elements.iter().map(element).collect())
}

fn refusal(tree: &Rc<Type>, value: &str) -> String {
    let message = decode_tree(tree, value.as_bytes()).unwrap_err().to_string();
    message.split_once("): ").unwrap().1.to_owned()
}

#[test]
fn arrays_of_any_dimension() {
    assert_eq!(moneys().code, TypeCode::COMPOUND_TEXT);
    for (value, expected) in [
        ("{}", array(&[], &[])),
        ("{1}", array(&[(1, 1)], &["1"])),
        ("{1,NULL,null,nUlL}", array(&[(4, 1)], &["1", "NULL", "NULL", "NULL"])),
        (r#"{"NULL","","a b","a,b","{}","a\"b","a\\b"}"#, {
            let elements = ["NULL", "", "a b", "a,b", "{}", "a\"b", r"a\b"].map(text).to_vec();
            Value::Array(vec![(7, 1)], false, elements)
        }),
        ("{{a,b},{c,d},{e,f}}", array(&[(3, 1), (2, 1)], &["a", "b", "c", "d", "e", "f"])),
        ("{{{{{{ä}}}}}}", array(&[(1, 1); 6], &["ä"])),
        ("[0:1]={a,b}", array(&[(2, 0)], &["a", "b"])),
        ("[-2147483648:-2147483648]={a}", array(&[(1, i32::MIN)], &["a"])),
        ("[1:1][-2:-1]={{a,b}}", array(&[(1, 1), (2, -2)], &["a", "b"])),
    ] {
        assert_eq!(decode_tree(&moneys(), value.as_bytes()), Ok(expected), "{value}");
    }
}

#[test]
fn arrays_that_are_no_arrays_are_refused() {
    for (value, expected) in [
        ("", "nested arrays of different lengths"),
        ("1", "nested arrays of different lengths"),
        ("{", "the message ends inside the value"),
        ("{1", "the message ends inside the value"),
        ("{1,", "the message ends inside the value"),
        ("{\"1", "the message ends inside the value"),
        ("{\"1\\", "the message ends inside the value"),
        ("{1,}", "a value that should be in quotes"),
        ("{,1}", "a value that should be in quotes"),
        ("{{},{}}", "a value that should be in quotes"),
        ("{a\"b}", "a value that should be in quotes"),
        ("{a\\,b}", "a value that should be in quotes"),
        ("{a{b}", "a value that should be in quotes"),
        ("{1}2", "text behind an array"),
        ("{\"1\"2}", "array elements without a delimiter between them"),
        ("{{1}{2}}", "array elements without a delimiter between them"),
        ("{{1,2},{3}}", "nested arrays of different lengths"),
        ("{{1},{3,4}}", "nested arrays of different lengths"),
        ("{{1},2}", "nested arrays of different lengths"),
        ("{1,{2}}", "nested arrays of different lengths"),
        ("{{{1},{2}},{{1}}}", "nested arrays of different lengths"),
        ("{{{{{{{1}}}}}}}", "more than 6 array dimensions"),
        ("[1:2]={1}", "array bounds that are not those of the elements"),
        ("[1:2][1:1]={1,2}", "array bounds that are not those of the elements"),
        ("[1:0]={}", "array bounds that are not those of the elements"),
        ("[1:1]{1}", "malformed array bounds"),
        ("[a:1]={1}", "malformed array bounds"),
        ("[1]={1}", "malformed array bounds"),
        ("[0:99999999999]={1}", "malformed array bounds"),
        ("[1:1][1:1][1:1][1:1][1:1][1:1][1:1]={1}", "more than 6 array dimensions"),
    ] {
        assert_eq!(refusal(&moneys(), value), expected, "{value}");
    }
}

#[test]
fn the_delimiter_is_the_one_of_the_type() {
    let element = scalar(20_000, TypeCode::UNKNOWN);
    let kind = Kind::Array { element, delimiter: b'|' };
    let tree = Type::new(20_001, "public", "bars", kind, TypeCode::UNKNOWN, 0);
    let expected = array(&[(2, 1)], &["a,b", "c|d"]);
    assert_eq!(decode_tree(&tree, br#"{a,b|"c|d"}"#), Ok(expected));
}

#[test]
fn arrays_of_a_family_inside_text_are_arrays_of_that_family() {
    let texts = array_of(1009, &scalar(25, TypeCode::TEXT));
    assert!(texts.code.is_array());
    let tree = composite(20_000, "t", &[&money(), &texts, &scalar(1009, texts.code)]);
    let decoded = decode_tree(&tree, br#"(1,"{a,""b c""}","[0:0]={NULL}")"#);
    let expected = vec![text("1"), array(&[(2, 1)], &["a", "b c"]), array(&[(1, 0)], &["NULL"])];
    assert_eq!(decoded, Ok(Value::Composite(expected)));
    assert_eq!(refusal(&tree, "(1,a,)"), "an array without braces");
}

#[test]
fn vectors_have_no_braces_and_start_at_0() {
    let vector = scalar(22, TypeCode::of(22));
    let tree = composite(20_000, "t", &[&money(), &vector]);
    let Ok(Value::Composite(values)) = decode_tree(&tree, b"(,\"1 2 3\")") else { panic!() };
    assert!(
        matches!(&values[1], Value::Array(dimensions, true, elements) if *dimensions == [(3, 0)] && elements.len() == 3)
    );
    let Ok(Value::Composite(values)) = decode_tree(&tree, b"(,\"\")") else { panic!() };
    assert_eq!(values[1], Value::Array(vec![(0, 0)], true, vec![]));
}

/// A codec of the application's, in the text format, is set on `int2` or `oid`.
#[test]
fn vectors_of_numbers_that_have_a_codec_have_no_braces_either() {
    let number = scalar(21, TypeCode::UNKNOWN);
    let kind = Kind::Array { element: Rc::clone(&number), delimiter: DELIMITER_OF_VECTORS };
    let vector = Type::new(22, "pg_catalog", "int2vector", kind, TypeCode::UNKNOWN, 0);
    assert_eq!(vector.code, TypeCode::COMPOUND_TEXT);
    for (value, expected) in [
        ("1 2 3", Value::Array(vec![(3, 0)], true, ["1", "2", "3"].map(text).to_vec())),
        ("-7", Value::Array(vec![(1, 0)], true, vec![text("-7")])),
        ("", Value::Array(vec![(0, 0)], true, vec![])),
    ] {
        assert_eq!(decode_tree(&vector, value.as_bytes()), Ok(expected), "{value}");
    }
    // Arrays of them have braces.
    let vectors = array_of(1006, &vector);
    let expected = Value::Array(vec![(1, 0)], true, vec![text("1")]);
    let Ok(Value::Array(_, _, elements)) = decode_tree(&vectors, b"{1,\"1 2\"}") else { panic!() };
    assert_eq!(elements[0], expected);
}

#[test]
fn composites_with_nulls_quotes_and_escapes() {
    let tree = composite(20_000, "t", &[&money(), &money(), &money()]);
    for (value, expected) in [
        ("(1,2,3)", [text("1"), text("2"), text("3")]),
        ("(,,)", [Value::Null, Value::Null, Value::Null]),
        (r#"("",a,)"#, [text(""), text("a"), Value::Null]),
        (r#"("a ""b""","a\\b","a\"b")"#, [text("a \"b\""), text(r"a\b"), text("a\"b")]),
        (r#"("""","(,)",NULL)"#, [text("\""), text("(,)"), text("NULL")]),
        ("(ä,\"\u{1f600} \",x)", [text("ä"), text("\u{1f600} "), text("x")]),
    ] {
        assert_eq!(decode_tree(&tree, value.as_bytes()), Ok(Value::Composite(expected.to_vec())), "{value}");
    }
}

#[test]
fn composites_of_one_and_of_no_attribute_have_the_same_text() {
    let one = composite(20_000, "one", &[&money()]);
    assert_eq!(decode_tree(&one, b"()"), Ok(Value::Composite(vec![Value::Null])));
    let none = as_text(&composite(20_001, "none", &[]));
    assert_eq!(decode_tree(&none, b"()"), Ok(Value::Composite(vec![])));
    assert_eq!(decode_tree(&none, b"(1)").unwrap_err().fault(), RowFault::OutdatedType);
}

#[test]
fn composites_with_another_number_of_attributes_are_outdated() {
    let tree = composite(20_000, "price", &[&money(), &money()]);
    for (value, count) in [("()", 1), ("(1,2,3)", 3), ("(\"a,b\")", 1)] {
        let error = decode_tree(&tree, value.as_bytes()).unwrap_err();
        assert_eq!(error.fault(), RowFault::OutdatedType, "{value}");
        let expected = format!("column 1 (price): {count} attributes where the type had 2 when it was looked up");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn composites_that_are_no_composites_are_refused() {
    let tree = composite(20_000, "t", &[&money(), &money()]);
    for (value, expected) in [
        ("", "a composite value without parentheses"),
        ("1,2", "a composite value without parentheses"),
        ("(", "the message ends inside the value"),
        ("(1,2", "the message ends inside the value"),
        ("(1,", "the message ends inside the value"),
        ("(1,\"", "the message ends inside the value"),
        ("(1,\"2\"\"", "the message ends inside the value"),
        ("(1,\"2\"", "the message ends inside the value"),
        ("(1,2)3", "text behind an attribute"),
        ("(1,\"2\"3)", "text behind an attribute"),
        ("(1,2\"3\")", "a value that should be in quotes"),
        ("(1,(2)", "a value that should be in quotes"),
    ] {
        assert_eq!(refusal(&tree, value), expected, "{value}");
    }
}

#[test]
fn ranges_with_and_without_bounds() {
    let tree = range_of(20_000, &money());
    for (value, expected) in [
        ("empty", range(1, Value::Null, Value::Null)),
        ("[1,5)", range(2, text("1"), text("5"))),
        ("(1,5]", range(4, text("1"), text("5"))),
        ("[1,)", range(2 | 16, text("1"), Value::Null)),
        ("(,\"a b\"]", range(4 | 8, Value::Null, text("a b"))),
        ("(,)", range(8 | 16, Value::Null, Value::Null)),
        ("[,]", range(8 | 16, Value::Null, Value::Null)),
        (r#"["","a""\\"]"#, range(2 | 4, text(""), text(r#"a"\"#))),
    ] {
        assert_eq!(decode_tree(&tree, value.as_bytes()), Ok(expected), "{value}");
    }
    for (value, expected) in [
        ("", "a range without brackets"),
        ("1,5", "a range without brackets"),
        ("[", "the message ends inside the value"),
        ("[1,5", "the message ends inside the value"),
        ("[1)", "a range without a comma between its bounds"),
        ("[1,2,3)", "a range without brackets"),
        ("[1,5)x", "text behind a range"),
        ("[1,\"5\"x)", "a range without brackets"),
        ("[(1,5)", "a value that should be in quotes"),
    ] {
        assert_eq!(refusal(&tree, value), expected, "{value}");
    }
}

#[test]
fn multiranges_of_any_number_of_ranges() {
    let tree = multirange_of(20_001, &range_of(20_000, &money()));
    for (value, expected) in [
        ("{}", vec![]),
        ("{[1,2)}", vec![range(2, text("1"), text("2"))]),
        ("{(,\"a)}\"),[5,6]}", vec![range(8, Value::Null, text("a)}")), range(2 | 4, text("5"), text("6"))]),
    ] {
        assert_eq!(decode_tree(&tree, value.as_bytes()), Ok(Value::Multirange(expected)), "{value}");
    }
    for (value, expected) in [
        ("[1,2)", "a multirange without braces"),
        ("{", "a range without brackets"),
        ("{[1,2)", "the message ends inside the value"),
        ("{[1,2),}", "a range without brackets"),
        ("{[1,2)[3,4)}", "text behind a range"),
        ("{[1,2)}x", "text behind a range"),
    ] {
        assert_eq!(refusal(&tree, value), expected, "{value}");
    }
}

#[test]
fn arrays_of_composites_of_arrays_of_composites() {
    let price = domain_over(20_010, &money());
    let line = composite(20_000, "line", &[&price, &range_of(20_001, &price)]);
    let order = composite(20_002, "order", &[&array_of(20_003, &line), &money()]);
    let tree = array_of(20_004, &order);
    // array[row(array[row('1', span('a b', 'c')), NULL, row(NULL, 'empty')]::line[], 'x')::"order", NULL]
    let value = r#"{"(\"{\"\"(1,\\\\\"\"[\\\\\"\"\\\\\"\"a b\\\\\"\"\\\\\"\",c)\\\\\"\")\"\",NULL,\"\"(,empty)\"\"}\",x)",NULL}"#;
    let lines = vec![
        Value::Composite(vec![text("1"), range(2, text("a b"), text("c"))]),
        Value::Null,
        Value::Composite(vec![Value::Null, range(1, Value::Null, Value::Null)]),
    ];
    let order = Value::Composite(vec![Value::Array(vec![(3, 1)], false, lines), text("x")]);
    let expected = Value::Array(vec![(2, 1)], false, vec![order, Value::Null]);
    assert_eq!(decode_tree(&tree, value.as_bytes()), Ok(expected));
}

#[test]
fn binary_codecs_of_the_application_are_no_use_inside_text() {
    let tree = composite(20_000, "t", &[&money(), &scalar(20_001, TypeCode::RAW)]);
    assert_eq!(decode_tree(&tree, b"(1,x)").unwrap_err().fault(), RowFault::Unsupported);
}

#[test]
fn long_values_are_extras() {
    let long = "ü".repeat(20_000);
    let tree = composite(20_000, "t", &[&money(), &money()]);
    let value = format!("({long},\"{long}\"\"\")");
    let expected = vec![text(&long), text(&format!("{long}\""))];
    assert_eq!(decode_tree(&tree, value.as_bytes()), Ok(Value::Composite(expected)));
}

#[test]
fn dense_texts_fit_memory_of_their_own() {
    // Records inside text have the most cells for their bytes: three for two of them.
    let tree = as_text(&array_of(20_000, &scalar(2249, TypeCode::RECORD)));
    let value = format!("{{{}()}}", "(),".repeat(50_000));
    let Ok(Value::Array(dimensions, false, _)) = decode_tree(&tree, value.as_bytes()) else { panic!() };
    assert_eq!(dimensions, [(50_001, 1)]);
}
