//! Random types with random values: both formats say the same, and bytes that mean harm get an error at most.

use crate::support::{
    Mailbox, Value, array_of, as_text, composite, data_row, decode_printed, decode_tree, decode_with, domain_over,
    multirange_of, prefixed, range, range_of, record_bytes, scalar, text,
};
use oxpg_codec::batch::{OwnedRow, Pushed, RowError, RowTypes, own_memory_row};
use oxpg_codec::types::{Kind, Type, TypeCode, TypeRef, TypeSource};
use proptest::collection::vec;
use proptest::prelude::*;
use std::rc::Rc;

/// What a type is made of; its OID is its place among all the types.
#[derive(Clone, Debug)]
enum Shape {
    Text,
    Uuid,
    Jsonb,
    /// A scalar or an array of any family.
    Code(u8),
    Domain(Box<Shape>),
    Array(Box<Shape>),
    Composite(Vec<Shape>),
    Range(Box<Shape>),
    Multirange(Box<Shape>),
}

fn shape(leaf: impl Strategy<Value = Shape> + 'static) -> impl Strategy<Value = Shape> {
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|base| Shape::Domain(Box::new(base))),
            3 => inner.clone().prop_map(|element| Shape::Array(Box::new(element))),
            3 => vec(inner.clone(), 0..4).prop_map(Shape::Composite),
            2 => inner.clone().prop_map(|subtype| Shape::Range(Box::new(subtype))),
            1 => inner.prop_map(|subtype| Shape::Multirange(Box::new(subtype))),
        ]
    })
}

fn build(shape: &Shape, last_oid: &mut u32) -> Rc<Type> {
    let parts: Vec<_> = match shape {
        Shape::Domain(part) | Shape::Array(part) | Shape::Range(part) | Shape::Multirange(part) => {
            vec![build(part, last_oid)]
        }
        Shape::Composite(parts) => parts.iter().map(|part| build(part, last_oid)).collect(),
        Shape::Text | Shape::Uuid | Shape::Jsonb | Shape::Code(_) => vec![],
    };
    *last_oid += 1;
    match shape {
        Shape::Text => scalar(*last_oid, TypeCode::TEXT),
        Shape::Uuid => scalar(*last_oid, TypeCode::UUID),
        Shape::Jsonb => scalar(*last_oid, TypeCode::JSONB),
        Shape::Code(code) => scalar(*last_oid, TypeCode(*code)),
        Shape::Domain(_) => domain_over(*last_oid, &parts[0]),
        Shape::Array(_) => {
            // There are no arrays of arrays, only of domains over them.
            let element = if matches!(parts[0].kind, Kind::Array { .. }) {
                *last_oid += 1;
                domain_over(*last_oid, &parts[0])
            } else {
                Rc::clone(&parts[0])
            };
            array_of(*last_oid + 1_000, &element)
        }
        Shape::Composite(_) => composite(*last_oid, "composite", &parts.iter().collect::<Vec<_>>()),
        Shape::Range(_) => range_of(*last_oid, &parts[0]),
        Shape::Multirange(_) => multirange_of(*last_oid, &range_of(*last_oid + 1_000, &parts[0])),
    }
}

/// Types whose values have a sample.
fn tree() -> impl Strategy<Value = Rc<Type>> {
    let leaf = prop_oneof![3 => Just(Shape::Text), 1 => Just(Shape::Uuid), 1 => Just(Shape::Jsonb)];
    shape(leaf).prop_map(|shape| build(&shape, &mut 20_000))
}

/// Types of all families.
fn any_tree() -> impl Strategy<Value = Rc<Type>> {
    let leaf = (0_u8..45, prop_oneof![4 => Just(0), 1 => Just(TypeCode::ARRAY)]);
    let leaf = leaf.prop_filter("no scalars", |(family, _)| !TypeCode(*family).is_compound());
    shape(leaf.prop_map(|(family, array)| Shape::Code(family | array))).prop_map(|shape| build(&shape, &mut 20_000))
}

/// A value in both formats, and as JavaScript should see it.
#[derive(Clone, Debug)]
struct Sample {
    binary: Vec<u8>,
    text: String,
    value: Value,
}

fn binary_of(sample: &Option<Sample>) -> Option<&[u8]> {
    sample.as_ref().map(|sample| &sample.binary[..])
}

fn value_of(sample: &Option<Sample>) -> Value {
    sample.as_ref().map_or(Value::Null, |sample| sample.value.clone())
}

/// As `array_out` quotes.
fn array_element(sample: &Option<Sample>) -> String {
    let Some(Sample { text, .. }) = sample else { return "NULL".to_owned() };
    let needs_quotes = text.is_empty()
        || text.eq_ignore_ascii_case("NULL")
        || text.contains(|character: char| r#""\{},"#.contains(character) || character.is_ascii_whitespace());
    if needs_quotes { format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")) } else { text.clone() }
}

/// As `record_out` and `range_out` quote.
fn attribute(sample: &Option<Sample>) -> String {
    let Some(Sample { text, .. }) = sample else { return String::new() };
    let needs_quotes = text.is_empty()
        || text.contains(|character: char| r#""\()[],"#.contains(character) || character.is_ascii_whitespace());
    if needs_quotes { format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\"\"")) } else { text.clone() }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9]{0,6}",
        3 => r#"[a-b"\\(){}\[\],; \n]{0,4}"#,
        2 => "[^\0]{0,4}",
        1 => Just("null".to_owned()),
    ]
}

fn sample(tree: &Type) -> BoxedStrategy<Sample> {
    match (&tree.kind, tree.code) {
        (Kind::Scalar, TypeCode::UUID) => any::<[u8; 16]>()
            .prop_map(|bytes| {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
                let hyphenated = parts.join("-");
                Sample { binary: bytes.to_vec(), value: text(&hyphenated), text: hyphenated }
            })
            .boxed(),
        (Kind::Scalar, code) => any_text()
            .prop_map(move |value| {
                let version: &[u8] = if code == TypeCode::JSONB { &[1] } else { &[] };
                Sample { binary: [version, value.as_bytes()].concat(), value: text(&value), text: value }
            })
            .boxed(),
        (Kind::Array { element, .. }, _) => array_sample(element),
        (Kind::Composite { fields }, _) => fields
            .iter()
            .map(|field| proptest::option::of(sample(&field.tree)))
            .collect::<Vec<_>>()
            .prop_map({
                let type_oids: Vec<_> = fields.iter().map(|field| field.tree.oid).collect();
                move |values| {
                    let attributes: Vec<_> = type_oids.iter().copied().zip(values.iter().map(binary_of)).collect();
                    Sample {
                        binary: record_bytes(&attributes),
                        text: format!("({})", values.iter().map(attribute).collect::<Vec<_>>().join(",")),
                        value: Value::Composite(values.iter().map(value_of).collect()),
                    }
                }
            })
            .boxed(),
        (Kind::Range { subtype }, _) => range_sample(subtype),
        (Kind::Multirange { range }, _) => vec(sample(range), 0..3)
            .prop_map(|ranges| {
                let ranges: Vec<_> = ranges.into_iter().filter(|range| range.text != "empty").collect();
                let bytes: Vec<_> = ranges.iter().map(|range| Some(&range.binary[..])).collect();
                Sample {
                    binary: [&(ranges.len() as u32).to_be_bytes()[..], &prefixed(&bytes)].concat(),
                    text: format!("{{{}}}", ranges.iter().map(|range| &range.text[..]).collect::<Vec<_>>().join(",")),
                    value: Value::Multirange(ranges.iter().map(|range| range.value.clone()).collect()),
                }
            })
            .boxed(),
    }
}

fn range_sample(subtype: &Type) -> BoxedStrategy<Sample> {
    let bound = || proptest::option::of(sample(subtype));
    (bound(), bound(), 0_u8..8)
        .prop_map(|(lower, upper, flags)| {
            if flags & 1 != 0 {
                let value = range(1, Value::Null, Value::Null);
                return Sample { binary: vec![1], text: "empty".to_owned(), value };
            }
            let lower_flag = if lower.is_none() { 8 } else { flags & 2 };
            let upper_flag = if upper.is_none() { 16 } else { flags & 4 };
            let bounds: Vec<_> = [&lower, &upper].into_iter().filter(|bound| bound.is_some()).map(binary_of).collect();
            let flags = lower_flag | upper_flag;
            Sample {
                binary: [vec![flags], prefixed(&bounds)].concat(),
                text: format!(
                    "{}{},{}{}",
                    if flags & 2 != 0 { '[' } else { '(' },
                    attribute(&lower),
                    attribute(&upper),
                    if flags & 4 != 0 { ']' } else { ')' }
                ),
                value: range(u32::from(flags), value_of(&lower), value_of(&upper)),
            }
        })
        .boxed()
}

fn array_sample(element: &Rc<Type>) -> BoxedStrategy<Sample> {
    let element = Rc::clone(element);
    vec((1_u32..3, prop_oneof![3 => Just(1), 1 => -3..3_i32]), 0..4)
        .prop_flat_map(move |dimensions| {
            let count = dimensions.iter().map(|(length, _)| *length as usize).product();
            let count = if dimensions.is_empty() { 0 } else { count };
            (Just(dimensions), vec(proptest::option::of(sample(&element)), count))
        })
        .prop_map(|(dimensions, elements)| {
            let has_other_bounds = dimensions.iter().any(|(_, lower_bound)| *lower_bound != 1);
            let mut binary = [dimensions.len() as u32, 0, 0].map(u32::to_be_bytes).concat();
            for (length, lower_bound) in &dimensions {
                binary.extend(length.to_be_bytes());
                binary.extend(lower_bound.to_be_bytes());
            }
            binary.extend(prefixed(&elements.iter().map(binary_of).collect::<Vec<_>>()));
            let bounds = dimensions.iter().map(|(length, lower)| format!("[{lower}:{}]", lower + *length as i32 - 1));
            let bounds = if has_other_bounds { bounds.collect::<String>() + "=" } else { String::new() };
            let texts: Vec<_> = elements.iter().map(array_element).collect();
            let values = elements.iter().map(value_of).collect();
            Sample {
                binary,
                text: bounds + &braces(&dimensions, &texts),
                value: Value::Array(dimensions, has_other_bounds, values),
            }
        })
        .boxed()
}

fn braces(dimensions: &[(u32, i32)], elements: &[String]) -> String {
    let parts = match dimensions {
        [] | [_] => elements.join(","),
        [(length, _), inner @ ..] => {
            let parts = elements.chunks(elements.len() / *length as usize);
            parts.map(|part| braces(inner, part)).collect::<Vec<_>>().join(",")
        }
    };
    format!("{{{parts}}}")
}

fn typed_sample() -> impl Strategy<Value = (Rc<Type>, Sample)> {
    tree().prop_flat_map(|tree| {
        let sample = sample(&tree);
        (Just(tree), sample)
    })
}

/// Has the described type under OID 1, and a built-in type under each of the others up to 2000.
struct Types(Rc<Type>);

impl TypeSource for Types {
    fn type_of(&self, type_oid: u32) -> Option<TypeRef> {
        match type_oid {
            1 => Some(TypeRef { code: self.0.code, tree: Some(Rc::clone(&self.0)) }),
            2..2_000 => Some(TypeRef { code: TypeCode(type_oid as u8), tree: None }),
            _ => None,
        }
    }
}

/// Both ways of decoding agree, and memory is in proportion to the row.
fn check_hostile(tree: &Rc<Type>, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (codes, trees) = ([tree.code], [Some(Rc::clone(tree))]);
    let source = Types(Rc::clone(tree));
    let types = RowTypes { codes: &codes, trees: &trees, source: &source, are_printed: false };
    let row = data_row(&[Some(bytes)]);
    let owned = own_memory_row(types, &row);
    let mut mailbox = Mailbox::of_size(100, 300);
    match mailbox.push_types(types, &row) {
        Ok(Pushed::Full) => {}
        pushed => prop_assert_eq!(pushed.err(), owned.clone().err()),
    }
    if owned.is_ok() {
        prop_assert!(decode_with(tree, &source, bytes).is_ok());
    }
    check_proportion(&owned, &row)
}

/// The cells that a row's bytes account for are enough, and not exceeded.
fn check_proportion(owned: &Result<OwnedRow, RowError>, row: &[u8]) -> Result<(), TestCaseError> {
    match owned {
        Ok(owned) => prop_assert!(owned.cells.len() <= 1 + 2 * row.len()),
        Err(error) => prop_assert!(!error.to_string().contains("GiB"), "{error}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn both_formats_say_the_same((tree, sample) in typed_sample()) {
        prop_assert_eq!(decode_tree(&tree, &sample.binary), Ok(sample.value.clone()));
        prop_assert_eq!(decode_printed(&tree, &sample.text), Ok(sample.value.clone()));
        let tree = as_text(&composite(1, "of one", &[&tree]));
        let whole = format!("({})", attribute(&Some(sample.clone())));
        prop_assert_eq!(decode_tree(&tree, whole.as_bytes()), Ok(Value::Composite(vec![sample.value])));
    }

    #[test]
    fn random_binary_never_panics(tree in any_tree(), bytes in vec(prop_oneof![0_u8..3, any::<u8>()], 0..80)) {
        check_hostile(&tree, &bytes)?;
    }

    #[test]
    fn broken_binary_never_panics(
        (tree, sample) in typed_sample(),
        place: prop::sample::Index,
        byte: u8,
        length: prop::sample::Index,
    ) {
        let mut bytes = sample.binary;
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(length.index(bytes.len() * 2));
        }
        check_hostile(&tree, &bytes)?;
    }

    #[test]
    fn random_text_never_panics(tree in any_tree(), value in r#"[\[\](){},"\\a1:= ]{0,40}"#) {
        check_hostile(&as_text(&composite(1, "of one", &[&tree])), format!("({value})").as_bytes())?;
        let _ = decode_printed(&tree, &value);
        if tree.code.is_compound() {
            check_hostile(&as_text(&tree), value.as_bytes())?;
        }
    }

    #[test]
    fn broken_text_never_panics(
        (tree, sample) in typed_sample(),
        place: prop::sample::Index,
        byte in prop::sample::select(&br#"[](){},"\a1:= "#[..]),
        length: prop::sample::Index,
    ) {
        let mut bytes = sample.text.into_bytes();
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(length.index(bytes.len() * 2));
        }
        if tree.code.is_compound() {
            check_hostile(&as_text(&tree), &bytes)?;
        }
    }

    #[test]
    fn random_records_never_panic(
        tree in any_tree(),
        values in vec((prop_oneof![Just(1_u32), 0..300_u32], prop::option::of(vec(0_u8..3, 0..20))), 0..6),
        bytes in vec(prop_oneof![0_u8..3, any::<u8>()], 0..60),
    ) {
        let record = scalar(2_249, TypeCode::RECORD);
        let values: Vec<_> = values.iter().map(|(type_oid, value)| (*type_oid, value.as_deref())).collect();
        let (codes, trees) = ([record.code], [Some(record)]);
        let types = RowTypes { codes: &codes, trees: &trees, source: &Types(tree), are_printed: false };
        for bytes in [record_bytes(&values), bytes] {
            let row = data_row(&[Some(&bytes)]);
            let owned = own_memory_row(types, &row);
            let pushed = Mailbox::of_size(2_000, 100_000).push_types(types, &row);
            prop_assert_eq!(pushed.err(), owned.clone().err());
            check_proportion(&owned, &row)?;
        }
    }
}
