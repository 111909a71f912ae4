//! Values of the families beyond the everyday ones: what PostgreSQL sends for them.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::support::{Value, data_row, decode, doubles, hex, own_values, text, vector};
use oxpg_codec::batch::{RowTypes, own_memory_row};
use oxpg_codec::types::TypeCode;
use proptest::prelude::*;

fn check(code: TypeCode, table: &[(&str, Value)]) {
    for (bytes, expected) in table {
        assert_eq!(decode(code, &hex(bytes)).as_ref(), Ok(expected), "{code:?} {bytes}");
    }
}

/// Everything but a prefix of another length is refused, and so are bytes behind the value.
fn check_lengths(code: TypeCode, bytes: &str) {
    let bytes = hex(bytes);
    assert!(decode(code, &bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(decode(code, &bytes[..length]).is_err(), "{code:?}: {length} bytes of {}", bytes.len());
    }
    assert!(decode(code, &[&bytes[..], &[0]].concat()).is_err(), "{code:?}: a byte behind");
}

fn check_refused(code: TypeCode, table: &[(&str, &str)]) {
    for (bytes, expected) in table {
        let error = decode(code, &hex(bytes)).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{code:?} {bytes}: {error}");
    }
}

fn closed(values: &[f64]) -> Value {
    Value::Doubles(true, values.iter().map(|value| value.to_bits()).collect())
}

#[test]
fn intervals() {
    check(
        TypeCode::INTERVAL,
        &[
            ("0000000000000000 00000000 00000000", Value::Interval(0, 0, 0)),
            ("000000036c97ca88 00000003 0000000e", Value::Interval(14, 3, 14_706_789_000)),
            ("fffffffc93683578 fffffffd fffffff2", Value::Interval(-14, -3, -14_706_789_000)),
            ("0000000000000001 80000000 7fffffff", Value::Interval(i32::MAX, i32::MIN, 1)),
            ("7fffffffffffffff 7fffffff 7fffffff", Value::Interval(i32::MAX, i32::MAX, i64::MAX)),
            ("8000000000000000 80000000 80000000", Value::Interval(i32::MIN, i32::MIN, i64::MIN)),
        ],
    );
    check_lengths(TypeCode::INTERVAL, "000000036c97ca88 00000003 0000000e");
}

#[test]
fn times_with_a_zone() {
    check(
        TypeCode::TIMETZ,
        &[
            ("0000000a8be62608 ffffb2a8", text("12:34:56.789+05:30")),
            ("0000000a8be62608 ffffb299", text("12:34:56.789+05:30:15")),
            ("0000000000000000 00007080", text("00:00:00-08")),
            ("000000141dd76000 00000000", text("24:00:00+00")),
            ("000000141dd75fff 0000e0ff", text("23:59:59.999999-15:59:59")),
            ("0000000000000000 0000000f", text("00:00:00-00:00:15")),
        ],
    );
    check_lengths(TypeCode::TIMETZ, "0000000a8be62608 ffffb2a8");
    check_refused(
        TypeCode::TIMETZ,
        &[
            ("000000141dd76001 00000000", "a time outside the day"),
            ("ffffffffffffffff 00000000", "a time outside the day"),
            ("0000000000000000 0000e100", "a time zone out of range"),
            ("0000000000000000 80000000", "a time zone out of range"),
        ],
    );
}

#[test]
fn addresses() {
    check(
        TypeCode::INET,
        &[
            ("02200004 c0a80001", text("192.168.0.1")),
            ("02180004 c0a80001", text("192.168.0.1/24")),
            ("02000004 00000000", text("0.0.0.0/0")),
            ("02180104 c0a80000", text("192.168.0.0/24")),
            ("02200104 0a000001", text("10.0.0.1/32")),
            ("03800010 00000000000000000000000000000001", text("::1")),
            ("03800110 00000000000000000000000000000001", text("::1/128")),
            ("03800010 00000000000000000000000000000000", text("::")),
            ("03000110 00000000000000000000000000000000", text("::/0")),
            ("03800010 00000000000000000000000001020304", text("::1.2.3.4")),
            ("03600010 00000000000000000000ffff01020304", text("::ffff:1.2.3.4/96")),
            ("03800010 00000000000000000000ffff00000000", text("::ffff:0.0.0.0")),
            ("03400010 20010db8000000000000000000000001", text("2001:db8::1/64")),
            ("03800010 00010000000000020000000000000003", text("1:0:0:2::3")),
            ("03800010 00000000000000050000000000060007", text("::5:0:0:6:7")),
            ("03800010 00000000000100020003000400050006", text("::1:2:3:4:5:6")),
            ("03800010 00010002000300040005000600000000", text("1:2:3:4:5:6::")),
            ("03800010 00010000000200030004000500060007", text("1:0:2:3:4:5:6:7")),
            ("030a0010 fe800000000000000000000000000000", text("fe80::/10")),
            ("03800010 ffffffffffffffffffffffffffffffff", text("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
            ("03800110 fff0fff0fff0fff0fff0fff0fff0fff0", text("fff0:fff0:fff0:fff0:fff0:fff0:fff0:fff0/128")),
        ],
    );
    check_lengths(TypeCode::INET, "02200004 c0a80001");
    check_lengths(TypeCode::INET, "03800010 00000000000000000000000000000001");
    check_refused(
        TypeCode::INET,
        &[
            ("0a800010 00000000000000000000000000000001", "an unknown address family"),
            ("02210004 c0a80001", "a netmask longer than the address"),
            ("03810010 00000000000000000000000000000001", "a netmask longer than the address"),
            ("03200004 c0a80001", "an address whose length is not that of its family"),
        ],
    );
}

proptest! {
    #[test]
    fn addresses_read_back(v4: [u8; 4], v6: [u8; 16], zeros: u16) {
        let Value::Text(printed) = decode(TypeCode::INET, &[&[2, 32, 0, 4][..], &v4].concat()).unwrap() else { panic!() };
        prop_assert_eq!(printed.parse::<Ipv4Addr>().unwrap().octets(), v4);
        // Runs of zeros are rare by themselves.
        let mut v6 = v6;
        for (place, byte) in v6.iter_mut().enumerate() {
            if zeros >> (place / 2) & 1 == 1 || zeros >> 8 & 3 == 0 {
                *byte = 0;
            }
        }
        let Value::Text(printed) = decode(TypeCode::INET, &[&[3, 128, 0, 16][..], &v6].concat()).unwrap() else { panic!() };
        prop_assert_eq!(printed.parse::<Ipv6Addr>().unwrap().octets(), v6);
    }
}

#[test]
fn hardware_addresses() {
    check(
        TypeCode::MACADDR,
        &[
            ("08002b010203", text("08:00:2b:01:02:03")),
            ("08002b01020304ff", text("08:00:2b:01:02:03:04:ff")),
            ("000000000000", text("00:00:00:00:00:00")),
        ],
    );
    for length in [0, 5, 7, 9] {
        assert!(decode(TypeCode::MACADDR, &vec![1; length]).is_err());
    }
}

#[test]
fn bit_strings() {
    check(
        TypeCode::BIT,
        &[
            ("00000000", text("")),
            ("00000003 a0", text("101")),
            ("00000008 ff", text("11111111")),
            ("00000009 0080", text("000000001")),
            ("0000000d aaa8", text("1010101010101")),
        ],
    );
    check_lengths(TypeCode::BIT, "0000000d aaa8");
    check_refused(
        TypeCode::BIT,
        &[
            ("ffffffff", "a negative number of bits"),
            ("7fffffff ff", "5 bytes where 268435460 were expected"),
            ("00000000 00", "5 bytes where 4 were expected"),
        ],
    );
    let long = [&20_000_u32.to_be_bytes()[..], &[0x55; 2_500]].concat();
    assert_eq!(decode(TypeCode::BIT, &long), Ok(Value::Text("01".repeat(10_000))));
}

#[test]
fn points_and_what_is_made_of_them() {
    const ONE_TO_FOUR: &str = "3ff0000000000000 4000000000000000 4008000000000000 4010000000000000";
    let first = |count: usize| ONE_TO_FOUR[..17 * count - 1].to_owned();
    for (code, count) in
        [(TypeCode::POINT, 2), (TypeCode::LINE, 3), (TypeCode::LSEG, 4), (TypeCode::BOX, 4), (TypeCode::CIRCLE, 3)]
    {
        check(code, &[(&first(count), doubles(&[1.0, 2.0, 3.0, 4.0][..count]))]);
        check_lengths(code, &first(count));
    }
    check(
        TypeCode::POINT,
        &[
            ("8000000000000000 7ff8000000000000", doubles(&[-0.0, f64::NAN])),
            ("7ff0000000000000 fe37e43c8800759c", doubles(&[f64::INFINITY, -1e300])),
        ],
    );
    check(
        TypeCode::PATH,
        &[
            (&format!("00 00000002 {ONE_TO_FOUR}"), doubles(&[1.0, 2.0, 3.0, 4.0])),
            (&format!("01 00000002 {ONE_TO_FOUR}"), closed(&[1.0, 2.0, 3.0, 4.0])),
        ],
    );
    check(TypeCode::POLYGON, &[(&format!("00000002 {ONE_TO_FOUR}"), closed(&[1.0, 2.0, 3.0, 4.0]))]);
    check_lengths(TypeCode::PATH, &format!("01 00000002 {ONE_TO_FOUR}"));
    check_lengths(TypeCode::POLYGON, &format!("00000002 {ONE_TO_FOUR}"));
    for (code, head) in [(TypeCode::PATH, "00"), (TypeCode::POLYGON, "")] {
        check_refused(
            code,
            &[
                (&format!("{head} ffffffff"), "a negative number of points"),
                (&format!("{head} 7fffffff {ONE_TO_FOUR}"), "32 bytes where 34359738352 were expected"),
            ],
        );
    }
}

#[test]
fn places_in_the_log_and_in_tables() {
    check(
        TypeCode::LSN,
        &[
            ("00000016 b374d848", text("16/B374D848")),
            ("00000000 00000000", text("0/0")),
            ("ffffffff ffffffff", text("FFFFFFFF/FFFFFFFF")),
            ("00000001 0000000a", text("1/A")),
        ],
    );
    check(
        TypeCode::TID,
        &[
            ("0000002a 0007", text("(42,7)")),
            ("ffffffff ffff", text("(4294967295,65535)")),
            ("00000000 0000", text("(0,0)")),
        ],
    );
    check(
        TypeCode::XID8,
        &[("0000000000000000", Value::Int(0)), ("ffffffffffffffff", Value::Int(u64::MAX.cast_signed()))],
    );
    check_lengths(TypeCode::LSN, "00000016 b374d848");
    check_lengths(TypeCode::TID, "0000002a 0007");
    check_lengths(TypeCode::XID8, "00000016 b374d848");
}

#[test]
fn snapshots() {
    let in_progress = "00000003 000000000000000a 0000000000000014 000000000000000a 000000000000000e 000000000000000f";
    check(
        TypeCode::SNAPSHOT,
        &[
            (in_progress, text("10:20:10,14,15")),
            ("00000001 000000000000000a 0000000000000014 000000000000000a", text("10:20:10")),
            ("00000000 000000000000000a 0000000000000014", text("10:20:")),
            ("00000000 0000000000000001 7fffffffffffffff", text("1:9223372036854775807:")),
        ],
    );
    check_lengths(TypeCode::SNAPSHOT, in_progress);
    check_refused(
        TypeCode::SNAPSHOT,
        &[
            ("ffffffff 000000000000000a 0000000000000014", "a negative number of transactions"),
            ("7fffffff 000000000000000a 0000000000000014", "20 bytes where 17179869196 were expected"),
        ],
    );
}

#[test]
fn texts_behind_a_version() {
    check(TypeCode::VERSIONED, &[("01 24 2e 22 61 22", text("$.\"a\"")), ("01", text(""))]);
    check_refused(TypeCode::VERSIONED, &[("", "a version other than 1"), ("02 24", "a version other than 1")]);
}

#[test]
fn hstores() {
    let bytes = "00000004 00000000 00000000 00000001 61 00000001 31 00000001 62 ffffffff
         00000007 71 22 75 6f 5c 74 65 00000006 c3a4 2c 20 3d 3e"
        .replace('\n', " ");
    check(
        TypeCode::HSTORE,
        &[
            ("00000000", Value::Pairs(vec![])),
            (
                &bytes,
                Value::Pairs(vec![
                    (text(""), text("")),
                    (text("a"), text("1")),
                    (text("b"), Value::Null),
                    (text("q\"uo\\te"), text("ä, =>")),
                ]),
            ),
        ],
    );
    check_lengths(TypeCode::HSTORE, &bytes);
    check_refused(
        TypeCode::HSTORE,
        &[
            ("ffffffff", "a negative number of pairs"),
            ("7fffffff 00000000 00000000", "the message ends inside the value"),
            ("00000001 ffffffff 00000000", "an hstore key that is NULL"),
            ("00000001 00000000 fffffffe", "a negative length"),
            ("00000001 00000000 00000000 00", "bytes behind the last pair"),
        ],
    );
}

#[test]
fn vectors() {
    check(
        TypeCode::VECTOR,
        &[
            ("0003 0000 3f800000 c0200000 00000001", vector(&[1.0, -2.5, 1e-45])),
            ("0001 0000 7f7fffff", vector(&[f32::MAX])),
        ],
    );
    check(
        TypeCode::HALFVEC,
        &[
            ("0004 0000 3c00 c100 7bff 0001", vector(&[1.0, -2.5, 65_504.0, 5.960_464_5e-8])),
            ("0001 0000 2e66", vector(&[0.099_975_586])),
        ],
    );
    check_lengths(TypeCode::VECTOR, "0002 0000 3f800000 c0200000");
    check_lengths(TypeCode::HALFVEC, "0002 0000 3c00 c100");
    check_refused(TypeCode::VECTOR, &[("ffff 0000 3f800000", "8 bytes where 262144 were expected")]);
    // The longest vector is an extra.
    let long = [&16_000_u16.to_be_bytes()[..], &[0, 0], &1.5_f32.to_be_bytes().repeat(16_000)].concat();
    assert_eq!(decode(TypeCode::VECTOR, &long), Ok(vector(&[1.5; 16_000])));
}

#[test]
fn bytes_as_they_come() {
    for code in [TypeCode::EWKB, TypeCode::RAW] {
        check(code, &[("", Value::Bytes(vec![])), ("0101ff00", Value::Bytes(vec![1, 1, 255, 0]))]);
    }
}

#[test]
fn arrays_of_values_with_blocks() {
    // '{1 mon,NULL}'::interval[]
    let bytes = hex("00000001 00000001 000004a2 00000002 00000001
         00000010 00000000000000000000000000000001 ffffffff"
        .replace('\n', " ")
        .as_str());
    assert_eq!(
        decode(TypeCode(TypeCode::INTERVAL.0 | TypeCode::ARRAY), &bytes),
        Ok(Value::Array(vec![(2, 1)], false, vec![Value::Interval(1, 0, 0), Value::Null]))
    );
}

#[test]
fn blocks_that_no_mailbox_holds_have_memory_of_their_own() {
    let count = 100_000_u32;
    let points: Vec<u8> = (0..count * 2).flat_map(|double| f64::from(double).to_be_bytes()).collect();
    let polygon = [&count.to_be_bytes()[..], &points].concat();
    let pairs = data_row(&[Some(&b"k"[..]), None].repeat(30_000));
    let hstore = [&30_000_u32.to_be_bytes()[..], &pairs[2..]].concat();
    let codes = [TypeCode::POLYGON, TypeCode::HSTORE];
    let row = data_row(&[Some(&polygon), Some(&hstore)]);
    let owned = own_memory_row(RowTypes::plain(&codes), &row).unwrap();
    // Only the cells were too few.
    assert!(owned.bytes.len() <= row.len());
    let values = own_values(&owned, &codes);
    let Value::Doubles(true, doubles) = &values[0] else { panic!() };
    assert_eq!(doubles.last(), Some(&199_999_f64.to_bits()));
    let Value::Pairs(pairs) = &values[1] else { panic!() };
    assert_eq!(pairs.len(), 30_000);
    assert_eq!(pairs[29_999], (text("k"), Value::Null));
}
