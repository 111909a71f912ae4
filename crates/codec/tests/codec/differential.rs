//! A second opinion: rust-postgres decodes the same bytes, well-formed ones, broken ones and random ones, alone and in
//! arrays. It has to see the same value, and to refuse what we refuse. It has no reader for numeric.

use crate::hostile::bytes_of;
use crate::support::{Value, data_row, decode, text};
use fallible_iterator::FallibleIterator;
use oxpg_codec::batch::RowError;
use oxpg_codec::types::TypeCode;
use postgres_protocol::types as protocol;
use postgres_types::{FromSql, Json, Type};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What rust-postgres lets pass and we refuse, by the end of our message.
const STRICTER: &[&str] = &[
    // It takes any negative length for NULL; `array_recv` takes -1 and refuses the others.
    "a negative length",
    // Its arrays have any number of dimensions; PostgreSQL's have 6, MAXDIM.
    "more than 6 array dimensions",
    // It goes around at midnight; `time_recv` refuses such a time.
    "a time outside the day",
];

type Failure = Box<dyn Error + Sync + Send>;

/// What rust-postgres makes of some bytes.
enum Opinion<T> {
    Value(T),
    Refusal,
    /// It cannot tell: its own type holds less than PostgreSQL's.
    Nothing,
}

impl<T> From<Result<T, Failure>> for Opinion<T> {
    fn from(result: Result<T, Failure>) -> Self {
        result.map_or(Self::Refusal, Self::Value)
    }
}

/// By its `FromSql`.
fn read<T: for<'a> FromSql<'a>>(of: Type, bytes: &[u8]) -> Result<T, Failure> {
    assert!(T::accepts(&of), "{of}");
    T::from_sql(&of, bytes)
}

/// Text, which it refuses when it is not UTF-8; we put U+FFFD, for databases in SQL_ASCII.
fn read_text(of: Type, bytes: &[u8]) -> Opinion<String> {
    match read::<String>(of, bytes) {
        Err(failure) if failure.is::<std::str::Utf8Error>() => Opinion::Nothing,
        result => result.into(),
    }
}

/// It parses JSON, we hand over its text.
fn read_json(of: Type, bytes: &[u8]) -> Opinion<serde_json::Value> {
    match read::<Json<serde_json::Value>>(of, bytes) {
        Err(failure) if failure.is::<serde_json::Error>() => Opinion::Nothing,
        result => Opinion::from(result.map(|Json(value)| value)),
    }
}

/// Its dates end with the year 9999.
fn read_date(bytes: &[u8]) -> Opinion<time::Date> {
    match read::<time::Date>(Type::DATE, bytes) {
        Err(_) if bytes.len() == 4 => Opinion::Nothing,
        result => result.into(),
    }
}

/// An array of any number of dimensions (its own `Vec` has one): each one's length and lower bound, and the elements.
type Array<T> = (Vec<(u32, i32)>, Vec<Option<Opinion<T>>>);

fn read_array<T>(bytes: &[u8], read: impl Fn(&[u8]) -> Opinion<T>) -> Result<Array<T>, Failure> {
    let array = protocol::array_from_sql(bytes)?;
    let dimensions = array.dimensions().map(|dimension| Ok((dimension.len.cast_unsigned(), dimension.lower_bound)));
    Ok((all(dimensions)?, all(array.values().map(|element| Ok(element.map(&read))))?))
}

/// Not `collect`, which allocates for as many as the bytes say that there are.
fn all<T>(mut iterator: impl FallibleIterator<Item = T, Error = Failure>) -> Result<Vec<T>, Failure> {
    let mut items = Vec::new();
    while let Some(item) = iterator.next()? {
        items.push(item);
    }
    Ok(items)
}

/// Well-formed bytes, broken ones, random ones.
fn spoilt(well_formed: BoxedStrategy<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let with_another_byte = (well_formed.clone(), any::<Index>(), any::<u8>()).prop_map(|(mut bytes, place, byte)| {
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    });
    let of_another_length = (well_formed.clone(), any::<Index>(), any::<u8>()).prop_map(|(mut bytes, length, byte)| {
        bytes.resize(length.index(bytes.len() + 5), byte);
        bytes
    });
    prop_oneof![6 => well_formed, 3 => with_another_byte, 2 => of_another_length, 1 => vec(any::<u8>(), 0..24)]
}

/// Arrays of up to two dimensions.
fn array_of(element: BoxedStrategy<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    (vec(0_u8..4, 0..3), any::<i8>())
        .prop_flat_map(move |(lengths, lower_bound)| {
            let count = if lengths.is_empty() { 0 } else { lengths.iter().copied().map(usize::from).product() };
            vec(proptest::option::of(element.clone()), count).prop_map(move |elements| {
                let mut bytes = (lengths.len() as u32).to_be_bytes().to_vec();
                bytes.extend_from_slice(&[0; 8]);
                for length in &lengths {
                    bytes.extend_from_slice(&i32::from(*length).to_be_bytes());
                    bytes.extend_from_slice(&i32::from(lower_bound).to_be_bytes());
                }
                let elements: Vec<_> = elements.iter().map(Option::as_deref).collect();
                bytes.extend_from_slice(&data_row(&elements)[2..]);
                bytes
            })
        })
        .boxed()
}

/// We refuse what it refuses, and what `STRICTER` says; what both take is the same.
fn compare<T>(
    bytes: &[u8],
    ours: Result<Value, RowError>,
    theirs: Opinion<T>,
    same: impl Fn(&Value, &T) -> bool,
) -> Result<(), TestCaseError> {
    match (ours, theirs) {
        (_, Opinion::Nothing) | (Err(_), Opinion::Refusal) => Ok(()),
        (Ok(ours), Opinion::Value(theirs)) => {
            prop_assert!(same(&ours, &theirs), "{bytes:02x?}: not {ours:?}");
            Ok(())
        }
        (Ok(ours), Opinion::Refusal) => Err(TestCaseError::fail(format!("{bytes:02x?}: we take {ours:?}"))),
        (Err(error), Opinion::Value(_)) => {
            let message = error.to_string();
            prop_assert!(STRICTER.iter().any(|reason| message.ends_with(reason)), "{bytes:02x?}: {message}");
            Ok(())
        }
    }
}

/// Compares values alone.
fn agree_on_values<T>(
    code: TypeCode,
    well_formed: BoxedStrategy<Vec<u8>>,
    read: impl Fn(&[u8]) -> Opinion<T>,
    same: impl Fn(&Value, &T) -> bool,
) {
    proptest!(|(bytes in spoilt(well_formed))| compare(&bytes, decode(code, &bytes), read(&bytes), &same)?);
}

/// Compares arrays.
fn agree_on_arrays<T>(
    element: TypeCode,
    well_formed: BoxedStrategy<Vec<u8>>,
    read: impl Fn(&[u8]) -> Opinion<T>,
    same: impl Fn(&Value, &T) -> bool,
) {
    let is_same = |ours: &Value, (dimensions, elements): &Array<T>| {
        let Value::Array(our_dimensions, has_other_bounds, our_elements) = ours else { return false };
        our_dimensions == dimensions
            && *has_other_bounds == dimensions.iter().any(|(_, lower_bound)| *lower_bound != 1)
            && our_elements.len() == elements.len()
            && our_elements.iter().zip(elements).all(|pair| match pair {
                (ours, None) => *ours == Value::Null,
                (ours, Some(Opinion::Value(theirs))) => same(ours, theirs),
                (_, Some(_)) => true,
            })
    };
    let code = TypeCode(element.0 | TypeCode::ARRAY);
    proptest!(|(bytes in spoilt(array_of(well_formed)))| {
        let ours = decode(code, &bytes);
        let theirs = match read_array(&bytes, &read) {
            Ok((_, elements)) if elements.iter().flatten().any(|element| matches!(element, Opinion::Refusal)) => {
                Opinion::Refusal
            }
            // We refuse an element of which it has no opinion.
            Ok((_, elements))
                if ours.is_err() && elements.iter().flatten().any(|element| matches!(element, Opinion::Nothing)) =>
            {
                Opinion::Nothing
            }
            result => result.into(),
        };
        compare(&bytes, ours, theirs, is_same)?;
    });
}

/// Two tests for each line: family, well-formed bytes, rust-postgres' reader, and when its value and ours are the same.
macro_rules! agreements {
    ($($name:ident: $code:ident, $well_formed:expr, $read:expr, $same:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn alone() {
                agree_on_values(TypeCode::$code, $well_formed, $read, $same);
            }

            #[test]
            fn in_arrays() {
                agree_on_arrays(TypeCode::$code, $well_formed, $read, $same);
            }
        })*
    };
}

fn of(code: TypeCode) -> BoxedStrategy<Vec<u8>> {
    bytes_of(code)
}

/// Days that rust-postgres' dates hold, and some that they do not.
fn date() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![9 => -4_400_000_i32..3_000_000, 1 => any::<i32>()].prop_map(|days| days.to_be_bytes().to_vec()).boxed()
}

/// Timestamps, with the infinities and the last years.
fn timestamp() -> BoxedStrategy<Vec<u8>> {
    let ends = prop_oneof![Just(i64::MIN), Just(i64::MAX), i64::MAX - 2_000_000_000_000_000..i64::MAX];
    let rare = ends.prop_map(|micros| micros.to_be_bytes().to_vec());
    prop_oneof![8 => bytes_of(TypeCode::TIMESTAMPTZ), 2 => rare].boxed()
}

fn json() -> BoxedStrategy<Vec<u8>> {
    vec((".{0,9}", any::<i32>()), 0..4).prop_map(|pairs| serde_json::to_vec(&pairs).unwrap()).boxed()
}

fn jsonb() -> BoxedStrategy<Vec<u8>> {
    json().prop_map(|text| [&[1], text.as_slice()].concat()).boxed()
}

mod families;

agreements! {
    booleans: BOOL, of(TypeCode::BOOL), |bytes| read::<bool>(Type::BOOL, bytes).into(), is_int;
    int2: INT2, of(TypeCode::INT2), |bytes| read::<i16>(Type::INT2, bytes).into(), is_int;
    int4: INT4, of(TypeCode::INT4), |bytes| read::<i32>(Type::INT4, bytes).into(), is_int;
    int8: INT8, of(TypeCode::INT8), |bytes| read::<i64>(Type::INT8, bytes).into(), is_int;
    oid: OID, of(TypeCode::OID), |bytes| read::<u32>(Type::OID, bytes).into(), is_int;
    float4: FLOAT4, of(TypeCode::FLOAT4), |bytes| read::<f32>(Type::FLOAT4, bytes).into(), is_float4;
    float8: FLOAT8, of(TypeCode::FLOAT8), |bytes| read::<f64>(Type::FLOAT8, bytes).into(), is_float8;
    one_byte_char: CHAR, of(TypeCode::CHAR), |bytes| read::<i8>(Type::CHAR, bytes).into(), is_char;
    texts: TEXT, of(TypeCode::TEXT), |bytes| read_text(Type::TEXT, bytes), is_text;
    names: TEXT, of(TypeCode::TEXT), |bytes| read_text(Type::NAME, bytes), is_text;
    bytea: BYTEA, of(TypeCode::BYTEA), |bytes| read::<Vec<u8>>(Type::BYTEA, bytes).into(), is_bytes;
    uuids: UUID, of(TypeCode::UUID), |bytes| read::<uuid::Uuid>(Type::UUID, bytes).into(), is_text;
    json_texts: JSON, json(), |bytes| read_json(Type::JSON, bytes), is_json;
    jsonb_texts: JSONB, jsonb(), |bytes| read_json(Type::JSONB, bytes), is_json;
    dates: DATE, date(), read_date, is_date;
    times: TIME, of(TypeCode::TIME), |bytes| read::<time::Time>(Type::TIME, bytes).into(), is_time;
    timestamps: TIMESTAMP, timestamp(), |bytes| read::<SystemTime>(Type::TIMESTAMP, bytes).into(), is_timestamp;
    timestamptz: TIMESTAMPTZ, timestamp(), |bytes| read::<SystemTime>(Type::TIMESTAMPTZ, bytes).into(), is_timestamp;
}

fn is_int<T: Copy + Into<i64>>(ours: &Value, theirs: &T) -> bool {
    *ours == Value::Int((*theirs).into())
}

fn is_text(ours: &Value, theirs: &impl ToString) -> bool {
    *ours == Value::Text(theirs.to_string())
}

fn is_bytes(ours: &Value, theirs: &impl AsRef<[u8]>) -> bool {
    *ours == Value::Bytes(theirs.as_ref().to_owned())
}

/// Ours is a double, the shortest decimal that float4 keeps.
fn is_float4(ours: &Value, theirs: &f32) -> bool {
    let Value::Float(bits) = ours else { return false };
    let ours = f64::from_bits(*bits);
    (ours as f32).to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan())
}

fn is_float8(ours: &Value, theirs: &f64) -> bool {
    *ours == Value::Float(theirs.to_bits())
}

/// Ours is what `charout` prints.
fn is_char(ours: &Value, theirs: &i8) -> bool {
    *ours
        == match theirs.cast_unsigned() {
            0 => text(""),
            byte if byte.is_ascii() => Value::Text(char::from(byte).to_string()),
            byte => Value::Text(format!("\\{byte:03o}")),
        }
}

fn is_json(ours: &Value, theirs: &serde_json::Value) -> bool {
    let Value::Text(ours) = ours else { return false };
    serde_json::from_str::<serde_json::Value>(ours).is_ok_and(|ours| ours == *theirs)
}

fn is_date(ours: &Value, theirs: &time::Date) -> bool {
    let (year, month, day) = (theirs.year(), u8::from(theirs.month()), theirs.day());
    let is_before_christ = year < 1;
    let (year, era) = if is_before_christ { (1 - year, " BC") } else { (year, "") };
    *ours == Value::Text(format!("{year:04}-{month:02}-{day:02}{era}"))
}

fn is_time(ours: &Value, theirs: &time::Time) -> bool {
    let (hour, minute, second, micros) = theirs.as_hms_micro();
    let whole = format!("{hour:02}:{minute:02}:{second:02}");
    let expected = if micros == 0 { whole } else { format!("{whole}.{micros:06}").trim_end_matches('0').to_owned() };
    // It goes around at midnight.
    *ours == Value::Text(expected) || (*ours == text("24:00:00") && *theirs == time::Time::MIDNIGHT)
}

/// It takes the infinities for a microsecond like any other.
fn is_timestamp(ours: &Value, theirs: &SystemTime) -> bool {
    let micros = match theirs.duration_since(UNIX_EPOCH) {
        Ok(after) => micros_of(after),
        Err(before) => -micros_of(before.duration()),
    };
    let since_2000 = micros - 946_684_800_000_000;
    let is_infinite = since_2000 == i128::from(i64::MIN) || since_2000 == i128::from(i64::MAX);
    let expected = match micros {
        _ if is_infinite => since_2000,
        // Beyond int64 they come in from its other end.
        _ if micros >= i128::from(i64::MAX) => micros - (1 << 64) + 2,
        _ => micros,
    };
    matches!(ours, Value::Int(ours) if i128::from(*ours) == expected)
}

fn micros_of(duration: Duration) -> i128 {
    i128::try_from(duration.as_micros()).unwrap()
}
