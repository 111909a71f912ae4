//! Distinguished Encoding Rules (X.690), as far as certificates need them.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One element: its tag, its contents, and all of its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) bytes: &'a [u8],
}

/// Reads elements one after the other. What is not DER reads as `None`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let all = self.rest;
        let (&tag, rest) = all.split_first()?;
        // Tags of several bytes occur nowhere in X.509.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (digits, rest) = rest.split_at_checked(count)?;
            let length =
                digits.iter().try_fold(0usize, |sum, &digit| sum.checked_mul(256)?.checked_add(digit.into()))?;
            (length, rest)
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Element { tag, contents, bytes: &all[..all.len() - rest.len()] })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.expect(tag)?;
        *self = ahead;
        Some(element)
    }
}

/// The bits of a BIT STRING of whole bytes.
pub(super) fn whole_bits(contents: &[u8]) -> Option<&[u8]> {
    contents.split_first().filter(|(unused, _)| **unused == 0).map(|(_, bits)| bits)
}

/// An INTEGER that is not negative, of 32 bits at most.
pub(super) fn unsigned(contents: &[u8]) -> Option<u32> {
    let is_negative = contents.first().is_none_or(|first| *first >= 0x80);
    if is_negative || contents.len() > 4 {
        return None;
    }
    Some(contents.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// Seconds since 1970 of a UTCTime or GeneralizedTime in the forms that RFC 5280 allows (4.1.2.5).
pub(super) fn seconds(time: Element<'_>) -> Option<i64> {
    let digits = time.contents.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        digits.get(from..to)?.iter().try_fold(0i64, |sum, digit| Some(sum * 10 + i64::from(digit - b'0')))
    };
    let (year, rest) = match (time.tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(0, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let field = |index: usize| number(rest + 2 * index, rest + 2 * index + 2);
    let (month, day, hour, minute, second) = (field(0)?, field(1)?, field(2)?, field(3)?, field(4)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970-01-01, by years that begin in March, whose leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_cut_exactly() {
        let mut reader = Reader::new(&[0x30, 3, 2, 1, 5, 4, 0x81, 2, 7, 8]);
        let sequence = reader.expect(SEQUENCE).unwrap();
        assert_eq!((sequence.contents, sequence.bytes), (&[2, 1, 5][..], &[0x30, 3, 2, 1, 5][..]));
        assert_eq!(reader.optional(INTEGER).map(|found| found.bytes), None);
        assert_eq!(reader.expect(OCTET_STRING).unwrap().contents, [7, 8]);
        assert!(reader.is_empty());
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 2, 1],
            &[0x30, 0x80],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x84, 255, 255, 255, 255],
            &[0x1f, 1, 0],
        ] {
            assert!(Reader::new(bytes).next().is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn times_are_seconds() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (GENERALIZED_TIME, "20000229120000Z", Some(951_825_600)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (GENERALIZED_TIME, "20001331120000Z", None),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000+0100", None),
        ] {
            let time = Element { tag, contents: text.as_bytes(), bytes: &[] };
            assert_eq!(seconds(time), expected, "{text}");
        }
    }
}
