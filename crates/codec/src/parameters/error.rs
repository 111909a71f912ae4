//! Why a parameter could not be encoded.

use std::fmt;

use crate::types::TypeCode;

/// A value in a message is shortened to so many characters.
const SHOWN: usize = 40;

/// A value that does not fit its parameter.
///
/// The message names the type and the value, not the position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// The parameter, counted from 1 as in `$1`.
    pub parameter: usize,
    /// For a value inside an array: its place, counted from 1 in row-major order.
    pub element: Option<usize>,
    message: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for EncodeError {}

/// An [`EncodeError`] whose parameter is not known yet.
#[derive(Debug)]
pub(super) struct Refusal(Box<EncodeError>);

impl Refusal {
    #[cold]
    pub(super) fn new(message: String) -> Self {
        Self(Box::new(EncodeError { parameter: 0, element: None, message }))
    }

    /// Text that the type's syntax does not allow.
    #[cold]
    pub(super) fn invalid(type_name: &str, text: &[u8], expected: &str) -> Self {
        Self::new(format!("invalid input for type {type_name}: {} (expected {expected})", shown(text)))
    }

    #[cold]
    pub(super) fn out_of_range(type_name: &str, value: &dyn fmt::Display) -> Self {
        Self::new(format!("{value} is out of range for type {type_name}"))
    }

    /// A value of a kind that the type does not take.
    #[cold]
    pub(super) fn mismatch(code: TypeCode, kind: &str) -> Self {
        Self::new(format!("{kind} does not fit type {}", code.name()))
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

    /// `element` counts from 0.
    pub(super) fn in_element(mut self, element: usize) -> Self {
        self.0.element = Some(element + 1);
        self
    }

    pub(super) fn of(mut self, parameter: usize) -> EncodeError {
        self.0.parameter = parameter;
        *self.0
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
