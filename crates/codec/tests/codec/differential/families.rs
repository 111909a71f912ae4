//! The same for the families with text of their own and for values in blocks.

use super::*;
use oxpg_codec::types::{Kind, Type as Described};
use postgres_types::PgLsn;
use std::net::IpAddr;
use std::rc::Rc;

agreements! {
    inet: INET, inet_bytes(), |bytes| read_inet(bytes).into(), is_inet;
    macaddr: MACADDR, fixed(6), read_macaddr, is_text;
    bits: BIT, bit_bytes(), |bytes| read_bits(bytes).into(), is_text;
    lsn: LSN, fixed(8), |bytes| read::<PgLsn>(Type::PG_LSN, bytes).into(), is_text;
    ltree: VERSIONED, versioned(), |bytes| read_text(extension_type("ltree"), bytes), is_text;
    lquery: VERSIONED, versioned(), |bytes| read_text(extension_type("lquery"), bytes), is_text;
    ltxtquery: VERSIONED, versioned(), |bytes| read_text(extension_type("ltxtquery"), bytes), is_text;
    citext: TEXT, of(TypeCode::TEXT), |bytes| read_text(extension_type("citext"), bytes), is_text;
    points: POINT, fixed(16), |bytes| read_point(bytes).into(), is_block_of_doubles;
    boxes: BOX, fixed(32), |bytes| read_box(bytes).into(), is_block_of_doubles;
    paths: PATH, path_bytes(), read_path, is_block_of_doubles;
    hstore: HSTORE, hstore_bytes(), read_hstore, is_hstore;
}

#[test]
fn ranges() {
    let int4 = Described::new(23, "pg_catalog", "int4", Kind::Scalar, TypeCode::INT4, 0);
    let range = Described::new(3904, "pg_catalog", "int4range", Kind::Range { subtype: int4 }, TypeCode::COMPOUND, 0);
    proptest!(|(bytes in spoilt(range_bytes()))| {
        compare(&bytes, decode_tree(&range, &bytes), read_range(&bytes), is_range)?;
    });
}

// How tests see values in blocks.

fn decode_tree(tree: &Rc<Described>, bytes: &[u8]) -> Result<Value, RowError> {
    crate::support::decode_tree(tree, bytes)
}

/// Whether it is closed, and the bits of its numbers.
fn doubles_of(value: &Value) -> Option<(bool, &[u64])> {
    let Value::Doubles(is_closed, numbers) = value else { return None };
    Some((*is_closed, numbers))
}

/// Keys and values.
fn pairs_of(value: &Value) -> Option<&[(Value, Value)]> {
    let Value::Pairs(pairs) = value else { return None };
    Some(pairs)
}

/// Flags, lower and upper bound.
fn bounds_of(value: &Value) -> Option<(u32, &Value, &Value)> {
    let Value::Range(flags, bounds) = value else { return None };
    Some((*flags, &bounds[0], &bounds[1]))
}

// Well-formed bytes.

fn fixed(length: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), length).boxed()
}

fn versioned() -> BoxedStrategy<Vec<u8>> {
    "[a-z.*|&]{0,20}".prop_map(|text| [&[1], text.as_bytes()].concat()).boxed()
}

/// Family, bits of the network's mask, whether it is a cidr, number of bytes, the bytes: `network_send` in network.c.
fn inet_bytes() -> BoxedStrategy<Vec<u8>> {
    let v4 = (0_u8..=32, any::<bool>(), any::<[u8; 4]>())
        .prop_map(|(mask, is_cidr, bytes)| [&[2, mask, u8::from(is_cidr), 4], &bytes[..]].concat());
    // Runs of zeros, and IPv4 addresses inside.
    let words = prop_oneof![Just([0; 2]), Just([0xff; 2]), any::<[u8; 2]>()];
    let v6 = (0_u8..=128, any::<bool>(), vec(words, 8))
        .prop_map(|(mask, is_cidr, words)| [&[3, mask, u8::from(is_cidr), 16], words.as_flattened()].concat());
    prop_oneof![v4, v6].boxed()
}

/// The number of bits, and the bits: `varbit_send` in varbit.c. What fills the last byte is zero.
fn bit_bytes() -> BoxedStrategy<Vec<u8>> {
    (vec(any::<u8>(), 0..9), 0_u32..8)
        .prop_map(|(mut bytes, spare)| {
            let spare = if bytes.is_empty() { 0 } else { spare };
            if let Some(last) = bytes.last_mut() {
                *last &= 0xff << spare;
            }
            let length = bytes.len() as u32 * 8 - spare;
            [length.to_be_bytes().as_slice(), &bytes].concat()
        })
        .boxed()
}

/// Whether it is closed, the number of points, the points: `path_send` in geo_ops.c.
fn path_bytes() -> BoxedStrategy<Vec<u8>> {
    (any::<bool>(), vec(any::<[u8; 16]>(), 1..5))
        .prop_map(|(is_closed, points)| {
            let count = points.len() as u32;
            [&[u8::from(is_closed)], count.to_be_bytes().as_slice(), points.as_flattened()].concat()
        })
        .boxed()
}

/// The number of pairs; then key and value of each, with their lengths: `hstore_send` in hstore_io.c.
fn hstore_bytes() -> BoxedStrategy<Vec<u8>> {
    vec((".{0,6}", proptest::option::of(".{0,6}")), 0..5)
        .prop_map(|pairs| {
            let count = pairs.len() as u32;
            let fields =
                pairs.iter().flat_map(|(key, value)| [Some(key.as_bytes()), value.as_ref().map(String::as_bytes)]);
            [count.to_be_bytes().as_slice(), &data_row(&fields.collect::<Vec<_>>())[2..]].concat()
        })
        .boxed()
}

/// Flags; then the bounds that there are, with their lengths: `range_send` in rangetypes.c.
fn range_bytes() -> BoxedStrategy<Vec<u8>> {
    let bound = || proptest::option::of((any::<bool>(), any::<[u8; 4]>()));
    prop_oneof![
        1 => Just(vec![1]),
        9 => (bound(), bound()).prop_map(|(lower, upper)| {
            let flag = |bound: &Option<(bool, [u8; 4])>, inclusive, infinite| match bound {
                Some((is_inclusive, _)) => if *is_inclusive { inclusive } else { 0 },
                None => infinite,
            };
            let mut bytes = vec![flag(&lower, 2, 8) | flag(&upper, 4, 16)];
            for (_, bound) in [lower, upper].into_iter().flatten() {
                bytes.extend_from_slice(&data_row(&[Some(&bound)])[2..]);
            }
            bytes
        }),
    ]
    .boxed()
}

// What rust-postgres reads.

/// A type that it knows by its name.
fn extension_type(name: &str) -> Type {
    Type::new(name.to_owned(), 16_400, postgres_types::Kind::Simple, "public".to_owned())
}

fn read_inet(bytes: &[u8]) -> Result<(IpAddr, u8), Failure> {
    let inet = protocol::inet_from_sql(bytes)?;
    Ok((inet.addr(), inet.netmask()))
}

/// Its macaddr has six bytes; macaddr8, of eight, is of the same family with us.
fn read_macaddr(bytes: &[u8]) -> Opinion<String> {
    if bytes.len() == 8 {
        return Opinion::Nothing;
    }
    let print = |bytes: [u8; 6]| bytes.map(|byte| format!("{byte:02x}")).join(":");
    protocol::macaddr_from_sql(bytes).map(print).into()
}

fn read_bits(bytes: &[u8]) -> Result<String, Failure> {
    let bits = protocol::varbit_from_sql(bytes)?;
    let digits: String = bits.bytes().iter().map(|byte| format!("{byte:08b}")).collect();
    Ok(digits[..bits.len()].to_owned())
}

/// Whether it is closed, and the numbers.
type Doubles = (bool, Vec<f64>);

fn read_point(bytes: &[u8]) -> Result<Doubles, Failure> {
    let point = protocol::point_from_sql(bytes)?;
    Ok((false, vec![point.x(), point.y()]))
}

fn read_box(bytes: &[u8]) -> Result<Doubles, Failure> {
    let corners = protocol::box_from_sql(bytes)?;
    let (upper_right, lower_left) = (corners.upper_right(), corners.lower_left());
    Ok((false, vec![upper_right.x(), upper_right.y(), lower_left.x(), lower_left.y()]))
}

/// It counts down from a negative number of points, all the way around.
fn read_path(bytes: &[u8]) -> Opinion<Doubles> {
    if matches!(bytes, [_, 0x80..=0xff, ..]) {
        return Opinion::Nothing;
    }
    let read = || {
        let path = protocol::path_from_sql(bytes)?;
        let points = all(path.points())?;
        Ok((path.closed(), points.iter().flat_map(|point| [point.x(), point.y()]).collect()))
    };
    Opinion::from(read())
}

/// Pairs in the order in which they came; its `HashMap` has none.
fn read_hstore(bytes: &[u8]) -> Opinion<Vec<(String, Option<String>)>> {
    let pairs = protocol::hstore_from_sql(bytes)
        .and_then(|pairs| all(pairs.map(|(key, value)| Ok((key.to_owned(), value.map(str::to_owned))))));
    match pairs {
        Err(failure) if failure.is::<std::str::Utf8Error>() => Opinion::Nothing,
        result => result.into(),
    }
}

/// Flags and bounds. It has no opinion on flags that no server sends.
fn read_range(bytes: &[u8]) -> Opinion<(u8, [Option<i32>; 2])> {
    use protocol::{Range, RangeBound};
    let Some(&flags) = bytes.first() else { return Opinion::Refusal };
    let is_sent = flags == 1 || (flags & !0x1e == 0 && flags & 0x0a != 0x0a && flags & 0x14 != 0x14);
    if !is_sent {
        return Opinion::Nothing;
    }
    let bound = |bound| match bound {
        RangeBound::Unbounded => Ok(None),
        RangeBound::Inclusive(Some(bytes)) | RangeBound::Exclusive(Some(bytes)) => {
            protocol::int4_from_sql(bytes).map(Some)
        }
        // It takes a bound that is NULL; `range_recv` refuses it.
        RangeBound::Inclusive(None) | RangeBound::Exclusive(None) => Err("a bound is NULL".into()),
    };
    let bounds = protocol::range_from_sql(bytes).and_then(|range| match range {
        Range::Empty => Ok((flags, [None, None])),
        Range::Nonempty(lower, upper) => Ok((flags, [bound(lower)?, bound(upper)?])),
    });
    bounds.into()
}

// When is it the same?

/// Ours is what `inet_out` and `cidr_out` print: inet leaves out a mask that takes all bits.
fn is_inet(ours: &Value, (address, mask): &(IpAddr, u8)) -> bool {
    let Value::Text(ours) = ours else { return false };
    let all_bits = if address.is_ipv4() { 32 } else { 128 };
    let (our_address, our_mask) = match ours.split_once('/') {
        Some((address, mask)) => (address, mask.parse().ok()),
        None => (ours.as_str(), Some(all_bits)),
    };
    our_address.parse() == Ok(*address) && our_mask == Some(*mask)
}

fn is_block_of_doubles(ours: &Value, (is_closed, numbers): &Doubles) -> bool {
    let bits: Vec<u64> = numbers.iter().map(|number| number.to_bits()).collect();
    doubles_of(ours) == Some((*is_closed, &bits))
}

fn is_hstore(ours: &Value, theirs: &impl AsRef<[(String, Option<String>)]>) -> bool {
    let pairs = theirs
        .as_ref()
        .iter()
        .map(|(key, value)| (Value::Text(key.clone()), value.clone().map_or(Value::Null, Value::Text)));
    pairs_of(ours) == Some(&pairs.collect::<Vec<_>>())
}

fn is_range(ours: &Value, (flags, bounds): &(u8, [Option<i32>; 2])) -> bool {
    let [lower, upper] = bounds.map(|bound| bound.map_or(Value::Null, |bound| Value::Int(bound.into())));
    bounds_of(ours) == Some((u32::from(*flags), &lower, &upper))
}
