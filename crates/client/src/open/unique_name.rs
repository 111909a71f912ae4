//! Names that no other session has.

use std::hash::{BuildHasher, RandomState};

/// Letters and digits of which a name is made.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A beginning for the names of a session's prepared statements: `oxpg_` and 60 random bits, 12 letters and digits.
///
/// Behind a transaction pooler sessions share servers, and with them the names of prepared statements; a counter alone
/// had another process' statement run under a name of ours. `RandomState` has its keys from the system's source.
#[must_use]
pub fn statement_prefix() -> String {
    let mut bits = RandomState::new().hash_one(std::process::id());
    let mut name = String::from("oxpg_");
    for _ in 0..12 {
        // Five bits are an index below 32.
        name.extend(DIGITS.get((bits & 31) as usize).map(|digit| char::from(*digit)));
        bits >>= 5;
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_are_alike() {
        let names: HashSet<String> = (0..10_000).map(|_| statement_prefix()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.len() == 17 && name.starts_with("oxpg_")));
    }
}
