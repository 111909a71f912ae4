//! Composite values, ranges, multiranges and arrays of them, to the bytes that `record_recv`, `range_recv`,
//! `multirange_recv` and `array_recv` read.

use crate::parameter_types::{
    array, binary, composite, delimited_array, encode, int4, literal, money, multirange_of, range_of, refused, scalar,
    text, timestamptz,
};
use crate::support::{Cell, Outbox, list, range_cell, string};
use oxpg_codec::types::{DELIMITER_OF_VECTORS, ParameterType, Type, TypeCode};
use std::rc::Rc;

fn address() -> Rc<Type> {
    composite(90_001, "address", &[("street", &text()), ("number", &int4())])
}

fn int4range() -> Rc<Type> {
    range_of(3904, "int4range", &int4())
}

fn int4multirange() -> Rc<Type> {
    multirange_of(4451, "int4multirange", &int4range())
}

#[test]
fn a_composite_has_each_attributes_declared_type() {
    binary(
        &address(),
        Cell::Composite(vec![string("Hof"), Cell::I32(7)]),
        "00000002 00000019 00000003 486f66 00000017 00000004 00000007",
    );
    binary(&address(), Cell::Composite(vec![Cell::Null, Cell::Null]), "00000002 00000019 ffffffff 00000017 ffffffff");
    // A domain has its own OID, and its base type's bytes.
    let positive = scalar(90_002, "positive", TypeCode::INT4);
    let counted = composite(90_003, "counted", &[("count", &positive)]);
    binary(&counted, Cell::Composite(vec![Cell::I32(1)]), "00000001 00015f92 00000004 00000001");
    binary(&composite(90_004, "nothing", &[]), Cell::Composite(vec![]), "00000000");
}

#[test]
fn composites_nest() {
    let person = composite(90_005, "person", &[("home", &address()), ("homes", &array(90_006, &address()))]);
    let hof = || Cell::Composite(vec![string("H"), Cell::Null]);
    let expected = "00000002 00000019 00000001 48 00000017 ffffffff";
    binary(
        &person,
        Cell::Composite(vec![hof(), list(vec![Cell::Null, hof()])]),
        &format!(
            "00000002 00015f91 00000015 {expected} 00015f96 00000031 \
             00000001 00000000 00015f91 00000002 00000001 ffffffff 00000015 {expected}"
        ),
    );
}

#[test]
fn an_array_has_its_elements_declared_type() {
    let positive = scalar(90_002, "positive", TypeCode::INT4);
    let expected = "00000001 00000000 00015f92 00000001 00000005 00000004 00000001";
    binary(&array(90_007, &positive), Cell::Array(vec![(1, 5)], vec![Cell::I32(1)]), expected);
    // So has a domain over an array.
    let kind = array(90_007, &int4()).kind.clone();
    let domain = Type::new(90_008, "public", "numbers", kind, TypeCode::UNKNOWN, 0);
    binary(&domain, list(vec![Cell::Null]), "00000001 00000000 00000017 00000001 00000001 ffffffff");
    binary(&array(90_009, &address()), Cell::Array(vec![], vec![]), "00000000 00000000 00015f91");
}

#[test]
fn a_range_has_the_bounds_that_its_flags_say() {
    let bounds = "00000004 00000001 00000004 00000005";
    binary(&int4range(), range_cell(2, Cell::I32(1), Cell::I32(5)), &format!("02 {bounds}"));
    binary(&int4range(), range_cell(6, Cell::I32(1), Cell::I32(5)), &format!("06 {bounds}"));
    binary(&int4range(), range_cell(0, Cell::I32(1), Cell::I32(5)), &format!("00 {bounds}"));
    binary(&int4range(), range_cell(8 | 4, Cell::Null, Cell::I32(5)), "0c 00000004 00000005");
    binary(&int4range(), range_cell(16 | 2, Cell::I32(1), Cell::Null), "12 00000004 00000001");
    binary(&int4range(), range_cell(24, Cell::Null, Cell::Null), "18");
    binary(&int4range(), range_cell(1, Cell::Null, Cell::Null), "01");
}

#[test]
fn flags_that_contradict_each_other_or_the_bounds_are_put_right() {
    // What is not there is not included.
    binary(&int4range(), range_cell(6, Cell::Null, Cell::Null), "18");
    binary(&int4range(), range_cell(2 | 8, Cell::I32(1), Cell::I32(5)), "08 00000004 00000005");
    // An empty range has nothing else; what is passed over may have parts.
    binary(&int4range(), range_cell(31, Cell::I32(1), list(vec![Cell::I32(5), Cell::Null])), "01");
    // Bits that PostgreSQL keeps for itself.
    binary(&int4range(), range_cell(0x7f00 | 0xe0 | 24, Cell::Null, Cell::Null), "18");
}

#[test]
fn a_multirange_has_ranges() {
    let cell =
        Cell::Multirange(vec![range_cell(2, Cell::I32(1), Cell::I32(5)), range_cell(16, Cell::I32(8), Cell::Null)]);
    binary(
        &int4multirange(),
        cell,
        "00000002 00000011 02 00000004 00000001 00000004 00000005 00000009 10 00000004 00000008",
    );
    binary(&int4multirange(), Cell::Multirange(vec![]), "00000000");
}

#[test]
fn a_multirange_may_have_ranges_in_text_only() {
    literal(&int4multirange(), Cell::Multirange(vec![string("[1,5)"), string("[8,)")]), "{[1,5),[8,)}");
    let mixed = vec![range_cell(2, Cell::I32(1), Cell::I32(5)), string("[8,)")];
    literal(&int4multirange(), Cell::Multirange(mixed), "{[1,5),[8,)}");
}

/// `int2vectorrecv` in int.c takes subscripts from 0 only, and knows nothing of domains.
#[test]
fn a_domain_over_a_vector_is_a_vector() {
    let int2 = scalar(21, "int2", TypeCode::INT2);
    let keys = delimited_array(90_020, &int2, DELIMITER_OF_VECTORS);
    let cell = || list(vec![Cell::I32(1), Cell::I32(-2)]);
    binary(&keys, cell(), "00000001 00000000 00000015 00000002 00000000 00000002 0001 00000002 fffe");
    let textual = composite(90_021, "textual", &[("keys", &keys), ("price", &money())]);
    literal(&textual, Cell::Composite(vec![cell(), Cell::Null]), r#"("1 -2",)"#);
}

#[test]
fn ranges_of_composites_in_arrays_in_composites() {
    let pairs = range_of(90_010, "addresses", &address());
    let outer = composite(90_011, "outer", &[("ranges", &array(90_012, &pairs))]);
    assert_eq!(outer.code, TypeCode::COMPOUND);
    let lower = Cell::Composite(vec![Cell::Null, Cell::I32(1)]);
    binary(
        &outer,
        Cell::Composite(vec![list(vec![range_cell(18, lower, Cell::Null)])]),
        "00000001 00015f9c 00000035 00000001 00000000 00015f9a 00000001 00000001 \
         0000001d 12 00000018 00000002 00000019 ffffffff 00000017 00000004 00000001",
    );
}

#[test]
fn text_for_a_type_with_parts_is_its_literal() {
    for tree in [address(), int4range(), int4multirange(), array(90_009, &address()), array(1007, &int4())] {
        literal(&tree, string("{whatever"), "{whatever");
        literal(&tree, Cell::TextExtra("(1,2)".to_owned()), "(1,2)");
    }
    let priced = composite(90_013, "priced", &[("price", &money())]);
    literal(&priced, string("(1.00)"), "(1.00)");
}

#[test]
fn nulls_of_types_with_parts() {
    for tree in [address(), int4range(), int4multirange(), array(90_009, &address())] {
        assert_eq!(encode(&tree, &Cell::Null).unwrap().1, None);
    }
}

#[test]
fn values_of_another_kind_are_refused() {
    refused(&address(), Cell::I32(1), "an integer does not fit type address");
    refused(&address(), list(vec![]), "an array does not fit type address");
    refused(&address(), range_cell(1, Cell::Null, Cell::Null), "a range does not fit type address");
    refused(&address(), Cell::Bytes(vec![1]), "a byte string does not fit type address");
    refused(&int4range(), Cell::Composite(vec![]), "a composite value does not fit type int4range");
    refused(&int4range(), Cell::Multirange(vec![]), "a multirange does not fit type int4range");
    refused(&int4multirange(), range_cell(1, Cell::Null, Cell::Null), "a range does not fit type int4multirange");
    refused(&int4multirange(), Cell::Doubles(false, vec![]), "a geometric value does not fit type int4multirange");
    refused(&address(), Cell::Hstore(vec![]), "a value of keys and values does not fit type address");
    refused(&array(1007, &int4()), Cell::Composite(vec![]), "a composite value does not fit type int4[]");
    let record = ParameterType::built_in(2249);
    let error = crate::support::encode_as(record, &Cell::Composite(vec![])).unwrap_err();
    assert_eq!(error.to_string(), "a composite value does not fit type record");
}

#[test]
fn a_composite_with_another_number_of_values_is_refused() {
    let expected = "1 value for type address, which has 2 attributes";
    refused(&address(), Cell::Composite(vec![Cell::I32(1)]), expected);
    let single = composite(90_014, "single", &[("a", &int4())]);
    refused(&single, Cell::Composite(vec![]), "0 values for type single, which has 1 attribute");
    // In text as well.
    let priced = composite(90_013, "priced", &[("price", &money())]);
    refused(&priced, Cell::Composite(vec![]), "0 values for type priced, which has 1 attribute");
}

#[test]
fn errors_name_the_place_from_the_outside_in() {
    let zip = scalar(90_015, "zip", TypeCode::UUID);
    let home = composite(90_016, "home", &[("zip", &zip)]);
    let homes = composite(90_017, "homes", &[("ho\"me", &home), ("others", &array(90_018, &home))]);
    let bad = || Cell::Composite(vec![string("x")]);
    let reason = "invalid input for type zip: \"x\" (expected 32 hexadecimal digits, with or without hyphens)";
    refused(
        &homes,
        Cell::Composite(vec![bad(), Cell::Null]),
        &format!("attribute \"ho\"me\" attribute \"zip\": {reason}"),
    );
    refused(
        &homes,
        Cell::Composite(vec![Cell::Null, list(vec![Cell::Null, bad()])]),
        &format!("attribute \"others\" element 2 attribute \"zip\": {reason}"),
    );
    // The element of a parameter that is an array is apart.
    let error = encode(&array(90_018, &home), &list(vec![bad()])).unwrap_err();
    assert_eq!((error.to_string(), error.element), (format!("attribute \"zip\": {reason}"), Some(1)));
    let error = encode(&array(90_019, &zip), &list(vec![string("x")])).unwrap_err();
    assert_eq!((error.to_string(), error.element), (reason.to_owned(), Some(1)));
    refused(
        &int4range(),
        range_cell(0, Cell::I64(1 << 40), Cell::Null),
        "lower bound: 1099511627776 is out of range for type int4",
    );
    refused(&int4range(), range_cell(0, Cell::Null, Cell::Bool(true)), "upper bound: a boolean does not fit type int4");
    let ranges = |last| Cell::Multirange(vec![range_cell(1, Cell::Null, Cell::Null), last]);
    refused(
        &int4multirange(),
        ranges(range_cell(0, Cell::Null, Cell::Bool(true))),
        "range 2 upper bound: a boolean does not fit type int4",
    );
    let pair = Cell::Composite(vec![Cell::Null, Cell::Null]);
    refused(&int4multirange(), ranges(pair), "range 2: a composite value does not fit type int4range");
}

#[test]
fn a_domains_name_is_in_its_errors() {
    let positive = scalar(90_002, "positive", TypeCode::INT2);
    refused(&positive, Cell::I32(40_000), "40000 is out of range for type positive");
    refused(&positive, Cell::Bool(true), "a boolean does not fit type positive");
    binary(&positive, Cell::I32(1), "0001");
}

#[test]
fn the_last_part_in_text_makes_a_literal_of_the_whole() {
    let stay = composite(90_020, "stay", &[("home", &address()), ("since", &timestamptz())]);
    assert_eq!(stay.code, TypeCode::COMPOUND);
    let home = || Cell::Composite(vec![string("Am Hof"), Cell::I32(7)]);
    literal(&stay, Cell::Composite(vec![home(), string("yesterday")]), r#"("(""Am Hof"",7)",yesterday)"#);
    literal(&stay, Cell::Composite(vec![string("(,)"), Cell::Millis(0.0)]), r#"("(,)","1970-01-01 00:00:00+00")"#);
    // The next parameter's cells are those behind it.
    let mut outbox = Outbox::default();
    outbox.write(&Cell::Composite(vec![home(), string("now")]));
    outbox.write(&Cell::I32(9));
    let mut out = Vec::new();
    let types = [crate::parameter_types::of_type(&stay), crate::support::parameter(23)];
    assert_eq!(outbox.encode(&types, &mut out), Ok(outbox.cells.len()));
    assert_eq!(&out[..8], [0, 2, 0, 0, 0, 1, 0, 2]);
    assert_eq!(&out[out.len() - 8..], [0, 0, 0, 4, 0, 0, 0, 9]);
}

#[test]
fn nesting_has_an_end() {
    let nested = |levels: u32| {
        (1..levels)
            .fold((composite(91_000, "c0", &[("a", &int4())]), Cell::Composite(vec![Cell::I32(1)])), |inner, level| {
                (composite(91_000 + level, "c", &[("a", &inner.0)]), Cell::Composite(vec![inner.1]))
            })
    };
    let (tree, cell) = nested(64);
    assert_eq!(encode(&tree, &cell).unwrap().0, 1);
    let (tree, cell) = nested(65);
    let error = encode(&tree, &cell).unwrap_err().to_string();
    assert!(error.ends_with(": a value with parts nested in more than 64 levels"), "{error}");
}
