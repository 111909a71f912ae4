//! The table of built-in types.

use oxpg_codec::types::{TypeCode, array_element_oid, type_name};

#[test]
fn types_with_a_codec_have_its_code() {
    for (type_oid, name, code) in [
        (16, "bool", TypeCode::BOOL),
        (17, "bytea", TypeCode::BYTEA),
        (18, "char", TypeCode::CHAR),
        (19, "name", TypeCode::TEXT),
        (20, "int8", TypeCode::INT8),
        (21, "int2", TypeCode::INT2),
        (23, "int4", TypeCode::INT4),
        (25, "text", TypeCode::TEXT),
        (26, "oid", TypeCode::OID),
        (28, "xid", TypeCode::OID),
        (114, "json", TypeCode::JSON),
        (700, "float4", TypeCode::FLOAT4),
        (701, "float8", TypeCode::FLOAT8),
        (705, "unknown", TypeCode::TEXT),
        (1042, "bpchar", TypeCode::TEXT),
        (1043, "varchar", TypeCode::TEXT),
        (1082, "date", TypeCode::DATE),
        (1083, "time", TypeCode::TIME),
        (1114, "timestamp", TypeCode::TIMESTAMP),
        (1184, "timestamptz", TypeCode::TIMESTAMPTZ),
        (1700, "numeric", TypeCode::NUMERIC),
        (2278, "void", TypeCode::VOID),
        (2950, "uuid", TypeCode::UUID),
        (3802, "jsonb", TypeCode::JSONB),
        (5069, "xid8", TypeCode::XID8),
        (1186, "interval", TypeCode::INTERVAL),
        (869, "inet", TypeCode::INET),
        (650, "cidr", TypeCode::INET),
        (604, "polygon", TypeCode::POLYGON),
    ] {
        assert_eq!(TypeCode::of(type_oid), code, "{name}");
        assert_eq!(type_name(type_oid), Some(name));
        assert_eq!(array_element_oid(type_oid), None, "{name}");
        assert!(code.is_binary() && !code.is_array());
    }
}

#[test]
fn arrays_of_them_have_the_array_bit() {
    for (type_oid, name, element_oid) in [(1007, "int4[]", 23), (1009, "text[]", 25), (2951, "uuid[]", 2950)] {
        let code = TypeCode::of(type_oid);
        assert!(code.is_array() && code.is_binary(), "{name}");
        assert_eq!(code.element(), TypeCode::of(element_oid));
        assert_eq!(type_name(type_oid), Some(name));
        assert_eq!(array_element_oid(type_oid), Some(element_oid));
    }
}

#[test]
fn other_types_cross_as_text() {
    for (type_oid, name) in [(790, "money"), (791, "money[]"), (2205, "regclass"), (3904, "int4range")] {
        assert_eq!(TypeCode::of(type_oid), TypeCode::UNKNOWN);
        assert_eq!(type_name(type_oid), Some(name));
    }
    for type_oid in [0, 16_385, u32::MAX] {
        assert_eq!(TypeCode::of(type_oid), TypeCode::UNKNOWN);
        assert_eq!(type_name(type_oid), None);
        assert_eq!(array_element_oid(type_oid), None);
    }
    assert!(!TypeCode::UNKNOWN.is_binary());
}
