//! Reads a text from its front.

/// What is left of a text.
#[derive(Clone)]
pub(super) struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes past what is expected, if it comes next.
    pub(super) fn passes(&mut self, expected: &[u8]) -> bool {
        match self.0.strip_prefix(expected) {
            Some(behind) => {
                self.0 = behind;
                true
            }
            None => false,
        }
    }

    /// Takes the bytes in front of the first that is none of them.
    pub(super) fn take_while(&mut self, is_of_them: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.0.iter().position(|byte| !is_of_them(*byte)).unwrap_or(self.0.len());
        let (taken, behind) = self.0.split_at(length);
        self.0 = behind;
        taken
    }

    /// Takes what stands in front of a quotation mark, past those behind a backslash.
    pub(super) fn take_escaped(&mut self) -> &'a [u8] {
        let mut length = 0;
        loop {
            match self.0.get(length) {
                None | Some(b'"') => break,
                Some(b'\\') => length += 2,
                Some(_) => length += 1,
            }
        }
        let (taken, behind) = self.0.split_at(length.min(self.0.len()));
        self.0 = behind;
        taken
    }

    /// Takes a decimal number: its digits, and its value unless it is far too large for anything.
    pub(super) fn number(&mut self) -> Option<(&'a [u8], i64)> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > 18 {
            return None;
        }
        Some((digits, digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))))
    }

    /// Takes a number of two digits.
    pub(super) fn pair(&mut self) -> Option<i64> {
        let (pair, behind) = self.0.split_first_chunk::<2>()?;
        self.0 = behind;
        pair.iter().all(u8::is_ascii_digit).then(|| i64::from(pair[0] - b'0') * 10 + i64::from(pair[1] - b'0'))
    }

    /// Takes a point and the digits behind it, as millionths: 0 where there is no point.
    pub(super) fn millionths(&mut self) -> Option<i64> {
        if !self.passes(b".") {
            return Some(0);
        }
        let (digits, value) = self.number()?;
        let missing = 6_usize.checked_sub(digits.len())?;
        Some((0..missing).fold(value, |value, _| value * 10))
    }
}
