//! What names in a session's queries mean. It depends on `search_path`, the role, and the session's own temporary
//! tables; a prepared statement keeps the parameter types that it was given before such a change.

use std::collections::HashMap;

/// So many values of `search_path` are told apart before all of them are forgotten.
const MOST_PATHS: usize = 1_000;

/// The setting that decides.
const SEARCH_PATH: &str = "search_path";

/// The meaning of names, as numbers that are equal only where it is the same.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The value of `search_path`, where the server reports it (PostgreSQL 18): tenants that come and go find their
    /// statements again.
    path: u32,
    paths: HashMap<Box<str>, u32>,
    paths_seen: u32,
    /// Changes that no server reports.
    changes: u32,
}

impl Names {
    pub(super) fn new(parameters: &[(String, String)]) -> Self {
        let mut names = Self::default();
        for (name, value) in parameters {
            names.report(name, value);
        }
        names
    }

    /// A setting's value has been reported.
    pub(super) fn report(&mut self, name: &str, value: &str) {
        if name != SEARCH_PATH {
            return;
        }
        if let Some(path) = self.paths.get(value) {
            self.path = *path;
            return;
        }
        if self.paths.len() >= MOST_PATHS {
            self.paths.clear();
        }
        self.paths_seen += 1;
        self.path = self.paths_seen;
        self.paths.insert(value.into(), self.path);
    }

    /// The server says by itself when `search_path` changes.
    pub(super) fn is_path_reported(&self) -> bool {
        self.paths_seen > 0
    }

    /// Something else has changed.
    pub(super) fn change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    pub(super) fn current(&self) -> (u32, u32) {
        (self.path, self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_comes_back_is_the_same() {
        let mut names = Names::default();
        assert!(!names.is_path_reported());
        names.report("TimeZone", "UTC");
        let unknown = names.current();
        names.report("search_path", "a");
        let first = names.current();
        names.report("search_path", "b");
        let second = names.current();
        names.report("search_path", "a");
        assert!(names.is_path_reported() && first != second && first != unknown);
        assert_eq!(names.current(), first);
        names.change();
        assert_ne!(names.current(), first);
    }
}
