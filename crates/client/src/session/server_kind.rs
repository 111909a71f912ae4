//! What a server says it is, at its startup. Some speak PostgreSQL's protocol and are not PostgreSQL; those that announce
//! themselves are told apart as asyncpg does it (`_detect_server_capabilities` in its connection.py).

/// A server, by the settings that it reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// PostgreSQL, or what does not say that it is something else.
    PostgreSql,
    /// Amazon Redshift reports `padb_revision`.
    Redshift,
    /// CockroachDB reports `crdb_version`.
    CockroachDb,
    /// CrateDB reports `crate_version`.
    CrateDb,
    /// PgBouncer's own database `pgbouncer`, which takes no SQL, reports the pooler's version: `1.24.1/bouncer`.
    PgBouncerConsole,
}

impl ServerKind {
    /// By the names and values of settings.
    #[must_use]
    pub fn of(parameters: &[(String, String)]) -> Self {
        let reported =
            |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        if reported("padb_revision").is_some() {
            Self::Redshift
        } else if reported("crdb_version").is_some() {
            Self::CockroachDb
        } else if reported("crate_version").is_some() {
            Self::CrateDb
        } else if reported("server_version").is_some_and(|version| version.ends_with("/bouncer")) {
            Self::PgBouncerConsole
        } else {
            Self::PostgreSql
        }
    }

    /// It has transactions, so that one may be open.
    pub(crate) fn has_transactions(self) -> bool {
        matches!(self, Self::PostgreSql | Self::Redshift | Self::CockroachDb)
    }

    /// PostgreSQL's system catalogs say what its types are made of, and can be asked in PostgreSQL's SQL. Elsewhere what is
    /// not built in is text.
    pub(super) fn has_types(self) -> bool {
        matches!(self, Self::PostgreSql | Self::CockroachDb)
    }
}

#[cfg(test)]
mod tests {
    use super::ServerKind;

    #[test]
    fn servers_that_announce_themselves_are_known() {
        for (name, value, expected) in [
            ("padb_revision", "1.0.12103", ServerKind::Redshift),
            ("crdb_version", "CockroachDB CCL v23.1.11", ServerKind::CockroachDb),
            ("crate_version", "5.4.2", ServerKind::CrateDb),
            ("server_version", "1.18.0/bouncer", ServerKind::PgBouncerConsole),
            ("server_version", "18.1 (Debian 18.1-1)", ServerKind::PostgreSql),
            ("is_superuser", "on", ServerKind::PostgreSql),
        ] {
            let parameters =
                [("TimeZone", "UTC"), (name, value)].map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(ServerKind::of(&parameters), expected, "{name}");
        }
        assert_eq!(ServerKind::of(&[]), ServerKind::PostgreSql);
    }
}
