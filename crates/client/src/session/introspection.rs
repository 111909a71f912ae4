//! Asking a server what types are made of: one query for any number of them and all their parts.

use std::collections::HashMap;
use std::fmt::Write;

use oxpg_codec::types::TypeCode;

use super::reader::Reader;
use super::server_kind::ServerKind;
use super::violation::ProtocolViolation;

/// Multirange types, and `pg_range.rngmultitypid` with them, came with PostgreSQL 14.
const FIRST_WITH_MULTIRANGES: u32 = 14;

/// Compiling the look-up would take far longer than running it. The setting ends with the transaction, which is the
/// look-up's own, or with the savepoint. Servers without the setting (and their relatives) give no row and go on.
pub(super) const WITHOUT_JIT: &str = "SELECT pg_catalog.set_config(name, 'off', true) FROM pg_catalog.pg_settings \
                                      WHERE name OPERATOR(pg_catalog.=) 'jit'::pg_catalog.text \
                                      AND setting OPERATOR(pg_catalog.=) 'on'::pg_catalog.text";

/// Operators by their schema: anybody who may create in a schema of the search path could put others there, which would
/// run with the rights of whoever looks a type up (CVE-2018-1058). Functions, types and tables are named by schema too,
/// and nothing is used that finds its operator by itself by the search path (NULLIF, IN, CASE with an operand, USING).
const EQ: &str = "OPERATOR(pg_catalog.=)";
const NE: &str = "OPERATOR(pg_catalog.<>)";
const GT: &str = "OPERATOR(pg_catalog.>)";
/// `InvalidOid`
const NONE: &str = "'0'::pg_catalog.oid";
const CHAR: &str = "pg_catalog.\"char\"";

/// Columns of the look-up's result.
const COLUMN_COUNT: u16 = 12;

/// A row of `pg_type` with what other catalogs say of it.
#[derive(Clone, Debug)]
pub(super) struct CatalogType {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) class: TypeClass,
    /// `typdelim`
    pub(super) delimiter: u8,
    /// It has a binary format, both ways.
    is_binary: bool,
    /// The extension that it belongs to.
    extension: Option<String>,
    /// Of a composite type: names and types of what is not dropped, in order.
    pub(super) attributes: Vec<(String, u32)>,
}

/// `typtype`, arrays being base types for PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeClass {
    Base,
    Enum,
    Array { element: u32 },
    Domain { base: u32 },
    Range { subtype: u32 },
    Multirange { range: u32 },
    Composite,
}

impl CatalogType {
    #[cfg(test)]
    pub(super) fn new(schema: &str, name: &str, class: TypeClass, attributes: Vec<(String, u32)>) -> Self {
        let (schema, name) = (schema.to_owned(), name.to_owned());
        Self { schema, name, class, delimiter: b',', is_binary: true, extension: None, attributes }
    }

    /// The family of a base type: that of the extension's types that are known. Others cross as text.
    pub(super) fn family(&self) -> TypeCode {
        let Some(extension) = self.extension.as_deref().filter(|_| self.is_binary) else { return TypeCode::UNKNOWN };
        match (extension, self.name.as_str()) {
            ("citext", "citext") => TypeCode::TEXT,
            ("hstore", "hstore") => TypeCode::HSTORE,
            ("ltree", "ltree" | "lquery" | "ltxtquery") => TypeCode::VERSIONED,
            ("vector", "vector") => TypeCode::VECTOR,
            ("vector", "halfvec") => TypeCode::HALFVEC,
            ("postgis", "geometry" | "geography") => TypeCode::EWKB,
            _ => TypeCode::UNKNOWN,
        }
    }
}

/// The query for these types and everything that they are made of, in the text format, ordered by type.
pub(super) fn look_up_query(type_oids: &[u32], kind: ServerKind, server_version: Option<&str>) -> String {
    let mut oids = String::new();
    for type_oid in type_oids {
        let separator = if oids.is_empty() { "" } else { "," };
        // Writing to a String does not fail.
        let _ = write!(oids, "{separator}{type_oid}");
    }
    // The versions of others are not PostgreSQL's.
    let is_young = major_version(server_version).is_none_or(|major| major >= FIRST_WITH_MULTIRANGES);
    let has_multiranges = kind == ServerKind::PostgreSql && is_young;
    let (range_of, multirange_parts, multirange_join) = if has_multiranges {
        (
            "multirange.rngtypid",
            format!("UNION ALL SELECT rngtypid FROM pg_catalog.pg_range WHERE rngmultitypid {EQ} needed.oid"),
            format!("LEFT JOIN pg_catalog.pg_range multirange ON multirange.rngmultitypid {EQ} type.oid"),
        )
    } else {
        (NONE, String::new(), String::new())
    };
    let is_array = format!("typcategory {EQ} 'A'::{CHAR}");
    let attribute = format!("attribute.attnum {GT} '0'::pg_catalog.int2 AND NOT attribute.attisdropped");
    format!(
        "WITH RECURSIVE needed (oid) AS ( \
         SELECT pg_catalog.unnest('{{{oids}}}'::pg_catalog.oid[]) \
         UNION SELECT part.oid FROM needed CROSS JOIN LATERAL ( \
         SELECT typelem FROM pg_catalog.pg_type WHERE oid {EQ} needed.oid AND {is_array} \
         UNION ALL SELECT typbasetype FROM pg_catalog.pg_type WHERE oid {EQ} needed.oid \
         UNION ALL SELECT rngsubtype FROM pg_catalog.pg_range WHERE rngtypid {EQ} needed.oid {multirange_parts} \
         UNION ALL SELECT attribute.atttypid FROM pg_catalog.pg_type type \
         JOIN pg_catalog.pg_attribute attribute ON attribute.attrelid {EQ} type.typrelid \
         WHERE type.oid {EQ} needed.oid AND {attribute} \
         ) part (oid) WHERE part.oid {NE} {NONE}) \
         SELECT type.oid, schema.nspname, type.typname, type.typtype, \
         CASE WHEN type.{is_array} THEN type.typelem ELSE {NONE} END, type.typbasetype, \
         coalesce(range.rngsubtype, {range_of}, {NONE}), type.typdelim, \
         type.typsend::pg_catalog.oid {NE} {NONE} AND type.typreceive::pg_catalog.oid {NE} {NONE}, extension.extname, \
         attribute.attname, attribute.atttypid \
         FROM needed JOIN pg_catalog.pg_type type ON type.oid {EQ} needed.oid \
         JOIN pg_catalog.pg_namespace schema ON schema.oid {EQ} type.typnamespace \
         LEFT JOIN pg_catalog.pg_range range ON range.rngtypid {EQ} type.oid {multirange_join} \
         LEFT JOIN (pg_catalog.pg_depend depend \
         JOIN pg_catalog.pg_extension extension ON extension.oid {EQ} depend.refobjid) \
         ON depend.classid {EQ} 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid \
         AND depend.objid {EQ} type.oid \
         AND depend.objsubid {EQ} '0'::pg_catalog.int4 AND depend.deptype {EQ} 'e'::{CHAR} \
         LEFT JOIN pg_catalog.pg_attribute attribute ON type.typtype {EQ} 'c'::{CHAR} \
         AND attribute.attrelid {EQ} type.typrelid AND {attribute} \
         ORDER BY type.oid, attribute.attnum"
    )
}

/// `server_version` starts with the major version: `18.1 (Debian …)`, `14beta1`.
fn major_version(server_version: Option<&str>) -> Option<u32> {
    let text = server_version?;
    text.get(..text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))?.parse().ok()
}

/// Adds a row of the look-up's result, a DataRow message's body.
pub(super) fn read_row(body: &[u8], found: &mut HashMap<u32, CatalogType>) -> Result<(), ProtocolViolation> {
    let mut reader = Reader::new(body);
    if reader.u16()? != COLUMN_COUNT {
        return Err(ProtocolViolation::new("a catalog look-up gave another number of columns than it asked for"));
    }
    let type_oid = number(&mut reader)?;
    let (schema, name, typtype) = (field(&mut reader)?, field(&mut reader)?, field(&mut reader)?);
    let (element, base, part) = (number(&mut reader)?, number(&mut reader)?, number(&mut reader)?);
    let (delimiter, is_binary, extension) = (field(&mut reader)?, field(&mut reader)?, field(&mut reader)?);
    let (attribute, attribute_type) = (field(&mut reader)?, number(&mut reader)?);
    reader.end()?;
    let class = match typtype.as_deref() {
        Some("e") => TypeClass::Enum,
        Some("d") => TypeClass::Domain { base },
        Some("r") => TypeClass::Range { subtype: part },
        Some("m") => TypeClass::Multirange { range: part },
        Some("c") => TypeClass::Composite,
        _ if element != 0 => TypeClass::Array { element },
        _ => TypeClass::Base,
    };
    let entry = found.entry(type_oid).or_insert_with(|| CatalogType {
        schema: schema.unwrap_or_default(),
        name: name.unwrap_or_default(),
        class,
        delimiter: delimiter.and_then(|delimiter| delimiter.bytes().next()).unwrap_or(b','),
        is_binary: is_binary.as_deref() == Some("t"),
        extension,
        attributes: Vec::new(),
    });
    if let Some(attribute) = attribute {
        entry.attributes.push((attribute, attribute_type));
    }
    Ok(())
}

/// A value in the text format; `None` for NULL.
fn field(reader: &mut Reader<'_>) -> Result<Option<String>, ProtocolViolation> {
    let length = reader.i32()?;
    match usize::try_from(length) {
        Ok(length) => reader.bytes(length).map(|bytes| Some(String::from_utf8_lossy(bytes).into_owned())),
        Err(_) => Ok(None),
    }
}

/// An OID in the text format; 0 for NULL.
fn number(reader: &mut Reader<'_>) -> Result<u32, ProtocolViolation> {
    let text = field(reader)?.unwrap_or_else(|| "0".to_owned());
    text.parse().map_err(|_| ProtocolViolation::new("a catalog look-up gave something else than an OID"))
}
#[cfg(test)]
mod tests {
    use super::*;

    /// A DataRow message's body in the text format.
    pub(in crate::session) fn row(fields: [Option<&str>; 12]) -> Vec<u8> {
        let mut body = COLUMN_COUNT.to_be_bytes().to_vec();
        for field in fields {
            let length = field.map_or(-1, |field| i32::try_from(field.len()).unwrap());
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(field.unwrap_or_default().as_bytes());
        }
        body
    }

    fn base(name: &'static str, is_binary: &'static str, extension: Option<&'static str>) -> CatalogType {
        let fields = [Some("1"), Some("s"), Some(name), Some("b"), Some("0"), Some("0"), Some("0"), Some(",")];
        let [a, b, c, d, e, f, g, h] = fields;
        let mut found = HashMap::new();
        let body = row([a, b, c, d, e, f, g, h, Some(is_binary), extension, None, None]);
        read_row(&body, &mut found).unwrap();
        found.remove(&1).unwrap()
    }

    #[test]
    fn types_of_extensions_are_known_by_extension_and_name() {
        assert_eq!(base("hstore", "t", Some("hstore")).family(), TypeCode::HSTORE);
        assert_eq!(base("geometry", "t", Some("postgis")).family(), TypeCode::EWKB);
        assert_eq!(base("hstore", "t", None).family(), TypeCode::UNKNOWN, "a type of the user's with that name");
        assert_eq!(base("ltree", "f", Some("ltree")).family(), TypeCode::UNKNOWN, "a version without a binary format");
        assert_eq!(base("sparsevec", "t", Some("vector")).family(), TypeCode::UNKNOWN);
    }

    #[test]
    fn attributes_come_one_a_row() {
        let mut found = HashMap::new();
        for (name, type_oid) in [("id", "23"), ("name", "25")] {
            let fields = [Some("7"), Some("s"), Some("t"), Some("c"), Some("0"), Some("0"), Some("0"), Some(",")];
            let [a, b, c, d, e, f, g, h] = fields;
            let body = row([a, b, c, d, e, f, g, h, Some("t"), None, Some(name), Some(type_oid)]);
            read_row(&body, &mut found).unwrap();
        }
        assert_eq!(found[&7].class, TypeClass::Composite);
        assert_eq!(found[&7].attributes, [("id".to_owned(), 23), ("name".to_owned(), 25)]);
    }

    #[test]
    fn rows_that_are_cut_short_or_hold_something_else_are_refused() {
        let body = row([Some("1"); 12]);
        for length in 0..body.len() {
            assert!(read_row(&body[..length], &mut HashMap::new()).is_err(), "{length}");
        }
        assert!(read_row(&row([Some("x"); 12]), &mut HashMap::new()).is_err());
        assert!(read_row(&[body, vec![0]].concat(), &mut HashMap::new()).is_err());
    }

    #[test]
    fn multiranges_are_asked_for_where_they_are_known() {
        for (version, is_there) in
            [(Some("13.22"), false), (Some("14beta1"), true), (Some("18.1 (Debian)"), true), (None, true)]
        {
            let query = look_up_query(&[1, 2], ServerKind::PostgreSql, version);
            assert_eq!(query.contains("rngmultitypid"), is_there, "{version:?}");
        }
        let of_another = look_up_query(&[70_001, 3], ServerKind::CockroachDb, Some("CockroachDB CCL v23.1.11"));
        assert!(of_another.contains("'{70001,3}'") && !of_another.contains("rngmultitypid"), "{of_another}");
    }

    #[test]
    fn nothing_is_found_by_the_search_path() {
        let query_of = |version| look_up_query(&[70_001], ServerKind::PostgreSql, version);
        for query in [query_of(None), query_of(Some("13")), WITHOUT_JIT.to_owned()] {
            let bare = query.replace("OPERATOR(pg_catalog.=)", "").replace("OPERATOR(pg_catalog.<>)", "");
            let bare = bare.replace("OPERATOR(pg_catalog.>)", "");
            assert!(!bare.contains(['=', '<', '>', '+', '-', '~', '|']), "{bare}");
            for (at, _) in
                query.match_indices("::").chain(query.match_indices("FROM pg")).chain(query.match_indices("JOIN pg"))
            {
                let rest = query[at..].trim_start_matches("::").trim_start_matches("FROM ").trim_start_matches("JOIN ");
                assert!(rest.starts_with("pg_catalog."), "{rest}");
            }
            // What has an operator of its own choosing.
            for word in ["NULLIF", " IN ", "USING", "BETWEEN", " LIKE ", "nullif"] {
                assert!(!query.contains(word), "{word}: {query}");
            }
        }
    }
}
