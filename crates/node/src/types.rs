//! What JavaScript says of a connection's or pool's types and codecs.

use std::rc::Rc;

use oxpg_client::session::{Catalog, CodecChoice};
use oxpg_codec::boundary::{POOL_BIT, codec_choice as choice};
use oxpg_codec::types::{TypeCode, oid_of_name};

use crate::environment::Environment;

/// The family of a built-in scalar type by its name in `pg_type`, or of a type of an extension whose binary format is
/// known; [`TypeCode::UNKNOWN`] for all others.
pub(crate) fn family_of(name: &str) -> TypeCode {
    match name {
        "hstore" | "pg_contrib.hstore" => TypeCode::HSTORE,
        "vector" => TypeCode::VECTOR,
        "halfvec" => TypeCode::HALFVEC,
        "geometry" | "geography" => TypeCode::EWKB,
        _ => {
            let code = oid_of_name(name).map_or(TypeCode::UNKNOWN, TypeCode::of);
            let has_parts = code.is_array() || code.is_compound() || code == TypeCode::RECORD;
            if has_parts || code == TypeCode::VOID { TypeCode::UNKNOWN } else { code }
        }
    }
}

impl Environment {
    /// What is known of the types of a connection's database, or of a pool's.
    fn catalog(&self, target: u32) -> Option<Rc<Catalog>> {
        if target & POOL_BIT == 0 {
            self.connections.get(target).map(|connection| Rc::clone(connection.session.catalog()))
        } else {
            self.pools.get(target & !POOL_BIT).map(|driver| Rc::clone(&driver.catalog))
        }
    }

    /// How values of a type come and go on a connection or pool: `argument` is a codec's id, or a family.
    pub(crate) fn choose_codec(&mut self, target: u32, (schema, name): (&str, &str), choice: u32, argument: u32) {
        let choice = match choice {
            choice::TEXT => Some(CodecChoice::Text(argument)),
            choice::BINARY => Some(CodecChoice::Binary(argument)),
            choice::TUPLE => Some(CodecChoice::Tuple(argument)),
            choice::FAMILY => u8::try_from(argument).ok().map(|code| CodecChoice::Family(TypeCode(code))),
            _ => None,
        };
        if let Some(catalog) = self.catalog(target) {
            catalog.choose(schema, name, choice);
        }
    }

    /// Forgets what was looked up; also what the pool of a connection knows, which may be other than what it goes by.
    pub(crate) fn reload_types(&mut self, target: u32) {
        if let Some(catalog) = self.catalog(target) {
            catalog.invalidate();
        }
        let pool = self.connections.get(target).map_or(0, |connection| connection.pool);
        if let Some(driver) = self.pools.get(pool) {
            driver.catalog.invalidate();
        }
    }

    /// A pool's connection is to have codecs of its own, beside those that it has.
    pub(crate) fn fork_types(&mut self, connection: u32) {
        if let Some(held) = self.connections.get_mut(connection) {
            let catalog = Rc::clone(held.session.catalog());
            held.session.set_catalog(catalog.fork());
            held.catalogs_below.push(catalog);
        }
    }

    /// A pool's connection has the codecs again that it had before the last fork.
    pub(crate) fn join_types(&mut self, connection: u32) {
        let Some(held) = self.connections.get_mut(connection) else { return };
        if let Some(catalog) = held.catalogs_below.pop() {
            held.session.set_catalog(catalog);
        }
    }
}
