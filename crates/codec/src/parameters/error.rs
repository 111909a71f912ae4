//! Why a parameter could not be encoded.

use std::fmt::{self, Write as _};

use super::target::Target;
use crate::types::TypeCode;

/// A value in a message is shortened to so many characters.
const SHOWN: usize = 40;

/// A value that does not fit its parameter.
///
/// The message names the type and the value, not the parameter. For a value inside a value with parts it begins with
/// the place, outermost first: `attribute "home" element 2: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// The parameter, counted from 1 as in `$1`.
    pub parameter: usize,
    /// For a value inside a parameter that is an array: the element, counted from 1 in row-major order. The message
    /// does not name it.
    pub element: Option<usize>,
    message: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for EncodeError {}

/// An [`EncodeError`] in the making: its parameter, and where in the parameter, are not known yet.
#[derive(Debug)]
pub(super) struct Refusal(Box<Draft>);

#[derive(Debug, Default)]
struct Draft {
    /// The message up to the type's name.
    before: String,
    /// The type's name: the family's, until a type with a name of its own is known.
    type_name: String,
    /// The message behind the type's name.
    behind: String,
    /// Whether the type is the one that the value was for.
    is_named: bool,
    /// Innermost first.
    path: Vec<Step>,
}

/// The way to a part.
#[derive(Debug)]
enum Step {
    Attribute(String),
    /// Those below count from 1.
    Element(usize),
    Range(usize),
    Pair(usize),
    LowerBound,
    UpperBound,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => write!(formatter, "attribute \"{name}\""),
            Self::Element(element) => write!(formatter, "element {element}"),
            Self::Range(range) => write!(formatter, "range {range}"),
            Self::Pair(pair) => write!(formatter, "pair {pair}"),
            Self::LowerBound => formatter.write_str("lower bound"),
            Self::UpperBound => formatter.write_str("upper bound"),
        }
    }
}

impl Refusal {
    #[cold]
    pub(super) fn new(message: String) -> Self {
        Self(Box::new(Draft { before: message, ..Draft::default() }))
    }

    #[cold]
    fn about_type(before: String, type_name: &str, behind: String) -> Self {
        Self(Box::new(Draft { before, type_name: type_name.to_owned(), behind, ..Draft::default() }))
    }

    /// Text that the type's syntax does not allow.
    #[cold]
    pub(super) fn invalid(type_name: &str, text: &[u8], expected: &str) -> Self {
        let behind = format!(": {} (expected {expected})", shown(text));
        Self::about_type("invalid input for type ".to_owned(), type_name, behind)
    }

    #[cold]
    pub(super) fn out_of_range(type_name: &str, value: &dyn fmt::Display) -> Self {
        Self::about_type(format!("{value} is out of range for type "), type_name, String::new())
    }

    /// A value of a kind that the type does not take.
    #[cold]
    pub(super) fn mismatch(code: TypeCode, kind: &str) -> Self {
        Self::about_type(format!("{kind} does not fit type "), code.name(), String::new())
    }

    /// So many of something for a type that has another number of them.
    #[cold]
    pub(super) fn count(given: &dyn fmt::Display, type_name: &str, expected: &dyn fmt::Display) -> Self {
        Self::about_type(format!("{given} for type "), type_name, format!(", which has {expected}"))
    }

    /// Bytes of an application's codec inside a value that has to be text because of another part.
    #[cold]
    pub(super) fn only_binary(code: TypeCode) -> Self {
        let before = "the value also has parts that only have text, which the codec does not give for type ".to_owned();
        Self::about_type(before, code.name(), String::new())
    }

    #[cold]
    pub(super) fn too_long() -> Self {
        Self::new("the parameters are longer than PostgreSQL takes in one message, 1 GiB".to_owned())
    }

    /// Cells that break the layout: a mistake of the driver.
    #[cold]
    pub(super) fn malformed() -> Self {
        Self::new("malformed parameter cells".to_owned())
    }

    /// Says that the value was for `target`, whose name the message then has, unless a part of it is to blame.
    #[cold]
    pub(super) fn of_type(mut self, target: Target<'_>) -> Self {
        if let Some(tree) = target.tree
            && !self.0.is_named
            && !self.0.type_name.is_empty()
        {
            (*tree.name).clone_into(&mut self.0.type_name);
        }
        self.0.is_named = true;
        self
    }

    #[cold]
    pub(super) fn in_attribute(self, name: &str) -> Self {
        self.at(Step::Attribute(name.to_owned()))
    }

    /// `element` counts from 0.
    #[cold]
    pub(super) fn in_element(self, element: usize) -> Self {
        self.at(Step::Element(element + 1))
    }

    /// `range` counts from 0.
    #[cold]
    pub(super) fn in_range(self, range: usize) -> Self {
        self.at(Step::Range(range + 1))
    }

    /// `pair` counts from 0.
    #[cold]
    pub(super) fn in_pair(self, pair: usize) -> Self {
        self.at(Step::Pair(pair + 1))
    }

    #[cold]
    pub(super) fn in_lower_bound(self) -> Self {
        self.at(Step::LowerBound)
    }

    #[cold]
    pub(super) fn in_upper_bound(self) -> Self {
        self.at(Step::UpperBound)
    }

    fn at(mut self, step: Step) -> Self {
        self.0.path.push(step);
        self
    }

    #[cold]
    pub(super) fn of(self, parameter: usize) -> EncodeError {
        let Draft { before, type_name, behind, mut path, .. } = *self.0;
        let element = match path.last() {
            Some(Step::Element(element)) => Some(*element),
            _ => None,
        };
        if element.is_some() {
            path.pop();
        }
        let mut message = String::new();
        for (index, step) in path.iter().rev().enumerate() {
            // Writing to a String does not fail.
            let _ = write!(message, "{}{step}", if index > 0 { " " } else { "" });
        }
        if !path.is_empty() {
            message.push_str(": ");
        }
        message.extend([before, type_name, behind]);
        EncodeError { parameter, element, message }
    }
}

/// A text in quotes, shortened.
fn shown(text: &[u8]) -> String {
    // Bytes enough for that many characters and one more.
    let head = String::from_utf8_lossy(text.get(..(SHOWN + 1) * 4).unwrap_or(text));
    let mut characters = head.chars();
    let mut short: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    format!("\"{short}\"")
}
