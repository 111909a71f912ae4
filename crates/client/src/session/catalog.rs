//! What is known of the types of one database, shared by all connections of a pool.
//!
//! Built-in types are known without asking. Others are looked up once, by OID, together with all that they are made
//! of (`introspection.rs` has the query), and forgotten when a server shows that they have changed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use oxpg_codec::types::{
    BuiltInType, Field, Kind, ParameterType, Type, TypeCode, TypeRef, TypeSource, built_in, built_in_range,
};

use super::codec_choice::{Choices, CodecChoice};
use super::column::Column;
use super::introspection::{CatalogType, TypeClass};
use super::schema::{Moment, Schema};

const BUILT_IN_SCHEMA: &str = "pg_catalog";
/// `anyarray`, as in `pg_stats`: an array whose element type only its text hides.
const ANY_ARRAY: u32 = 2277;
/// No type of PostgreSQL's can contain itself; this bounds what a server that says otherwise can do.
const MOST_LEVELS: usize = 64;

/// The types of a database as they were when they were looked up, and the application's codecs for them.
#[derive(Debug, Default)]
pub struct Catalog {
    types: RefCell<HashMap<u32, Rc<Type>>>,
    choices: RefCell<Choices>,
    generation: Cell<u64>,
    schema: Rc<Schema>,
    /// When the first composite type was looked up. Its attributes can become others without a sign of it.
    composites_found: Cell<Option<Moment>>,
}

impl TypeSource for Catalog {
    fn type_of(&self, type_oid: u32) -> Option<TypeRef> {
        let code = TypeCode::of(type_oid);
        if code != TypeCode::UNKNOWN && self.choices.borrow().is_empty() {
            return Some(TypeRef { code, tree: None });
        }
        if let Some(tree) = self.types.borrow().get(&type_oid) {
            return Some(reference(type_oid, tree));
        }
        let known = match type_oid {
            0 => return Some(TypeRef { code: TypeCode::UNKNOWN, tree: None }),
            ANY_ARRAY => self.keep(any_array()),
            _ => self.built_in_type(type_oid, built_in(type_oid)?),
        };
        Some(reference(type_oid, &known))
    }
}

impl Catalog {
    /// A catalog that knows the built-in types.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// One of an environment, whose sessions tell each other of changes by `schema`.
    #[must_use]
    pub fn of(schema: &Rc<Schema>) -> Rc<Self> {
        Rc::new(Self { schema: Rc::clone(schema), ..Self::default() })
    }

    /// One with the same codecs that can have others from here on.
    #[must_use]
    pub fn fork(&self) -> Rc<Self> {
        Rc::new(Self { choices: self.choices.clone(), schema: Rc::clone(&self.schema), ..Self::default() })
    }

    /// What it was made with.
    #[must_use]
    pub fn schema(&self) -> &Rc<Schema> {
        &self.schema
    }

    /// Changes with everything that makes descriptions stale. Composite types are trusted for as long as statements are.
    pub(super) fn generation(&self) -> u64 {
        if self.composites_found.get().is_some_and(|found| !self.now().trusts(found)) {
            self.invalidate();
        }
        self.generation.get()
    }

    /// Types are known by their OIDs, whatever names mean.
    fn now(&self) -> Moment {
        self.schema.moment((0, 0))
    }

    /// The same for what was resolved just now: if a type it goes by is not to be trusted any more, its next use will see.
    pub(super) fn generation_until_now(&self) -> u64 {
        self.generation.get()
    }

    /// Forgets what was looked up: it is not as it was, or may not be. Statements are described anew.
    pub fn invalidate(&self) {
        self.types.borrow_mut().clear();
        self.composites_found.set(None);
        self.generation.set(self.generation.get() + 1);
    }

    /// How values of a type come and go from here on; `None` as they do by default.
    pub fn choose(&self, schema: &str, name: &str, choice: Option<CodecChoice>) {
        let key = (schema.into(), name.into());
        match choice {
            Some(choice) => self.choices.borrow_mut().insert(key, choice),
            None => self.choices.borrow_mut().remove(&key),
        };
        self.invalidate();
    }

    /// Fills in how the values of parameters and columns cross.
    ///
    /// # Errors
    /// The OIDs of types that have to be looked up before.
    pub(super) fn resolve(&self, parameters: &mut [ParameterType], columns: &mut [Column]) -> Result<(), Vec<u32>> {
        let mut missing = Vec::new();
        let mut resolve = |type_oid: u32, code: &mut TypeCode, tree: &mut Option<Rc<Type>>| {
            if let Some(known) = self.type_of(type_oid) {
                *code = known.code;
                *tree = known.tree;
            } else if !missing.contains(&type_oid) {
                missing.push(type_oid);
            }
        };
        for parameter in parameters {
            resolve(parameter.type_oid, &mut parameter.code, &mut parameter.tree);
        }
        for column in columns {
            resolve(column.type_oid, &mut column.code, &mut column.tree);
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    /// Those of the OIDs that have to be looked up.
    pub(super) fn missing(&self, type_oids: &[u32]) -> Vec<u32> {
        type_oids.iter().copied().filter(|type_oid| self.type_of(*type_oid).is_none()).collect()
    }

    /// Whether those types are still what a server says now.
    pub(super) fn is_as_found(&self, asked: &[u32], found: &HashMap<u32, CatalogType>) -> bool {
        let types = self.types.borrow();
        asked.iter().all(|type_oid| types.get(type_oid).is_some_and(|known| has_parts_as_found(known, found)))
    }

    /// Takes what a server said about `asked` and all that those types are made of. What it does not know any more
    /// becomes a type without a codec, so that nobody asks again.
    pub(super) fn learn(&self, asked: &[u32], found: &HashMap<u32, CatalogType>) {
        for type_oid in asked {
            let has_attributes = self.node(*type_oid, found, 0).has_attributes();
            if has_attributes && self.composites_found.get().is_none() {
                self.composites_found.set(Some(self.now()));
            }
        }
    }

    /// The type with that OID, built of what is known and found.
    fn node(&self, type_oid: u32, found: &HashMap<u32, CatalogType>, level: usize) -> Rc<Type> {
        if let Some(known) = self.types.borrow().get(&type_oid) {
            return Rc::clone(known);
        }
        if let Some(known) = built_in(type_oid) {
            return self.built_in_type(type_oid, known);
        }
        let Some(facts) = found.get(&type_oid).filter(|_| level < MOST_LEVELS) else {
            return self.keep(Type::new(type_oid, "", &format!("oid {type_oid}"), Kind::Scalar, TypeCode::UNKNOWN, 0));
        };
        let part = |type_oid: u32| self.node(type_oid, found, level + 1);
        let choice = self.choice(&facts.schema, &facts.name);
        let mut own_code = TypeCode::UNKNOWN;
        let mut scalar = |own: TypeCode| {
            own_code = own;
            (Kind::Scalar, choice.map_or(own, |choice| choice.code(own)))
        };
        let mut codec = choice.map_or(0, CodecChoice::id);
        let mut name: Box<str> = facts.name.as_str().into();
        let (kind, code) = match facts.class {
            TypeClass::Base => scalar(facts.family()),
            TypeClass::Enum => scalar(TypeCode::TEXT),
            TypeClass::Array { element } => {
                let element = part(element);
                name = format!("{}[]", element.name).into();
                (Kind::Array { element, delimiter: facts.delimiter }, TypeCode::UNKNOWN)
            }
            TypeClass::Domain { base } => {
                let base = part(base);
                (codec, own_code) = (base.codec, base.own_code);
                (base.kind.clone(), base.code)
            }
            // Other codecs than those of their parts make them scalars.
            TypeClass::Range { .. } if choice.is_some() => scalar(TypeCode::UNKNOWN),
            TypeClass::Range { subtype } => (Kind::Range { subtype: part(subtype) }, TypeCode::UNKNOWN),
            TypeClass::Multirange { range } => (Kind::Multirange { range: part(range) }, TypeCode::UNKNOWN),
            TypeClass::Composite => {
                let field =
                    |(name, type_oid): &(String, u32)| Field { name: name.as_str().into(), tree: part(*type_oid) };
                (Kind::Composite { fields: facts.attributes.iter().map(field).collect() }, TypeCode::UNKNOWN)
            }
        };
        self.keep(type_of(type_oid, (&facts.schema, &name), kind, code, (codec, own_code)))
    }

    /// A built-in type, with the application's codec for it if there is one.
    fn built_in_type(&self, type_oid: u32, facts: BuiltInType) -> Rc<Type> {
        let choice = self.choice(BUILT_IN_SCHEMA, facts.name);
        let node = |type_oid: u32| self.node(type_oid, &HashMap::new(), 0);
        let (kind, code) = if facts.element_oid != 0 {
            (Kind::Array { element: node(facts.element_oid), delimiter: facts.delimiter }, TypeCode::UNKNOWN)
        } else if let Some(choice) = choice {
            (Kind::Scalar, choice.code(facts.code))
        } else {
            match built_in_range(type_oid) {
                Some((subtype, false)) => (Kind::Range { subtype: node(subtype) }, TypeCode::UNKNOWN),
                Some((range, true)) => (Kind::Multirange { range: node(range) }, TypeCode::UNKNOWN),
                None => (Kind::Scalar, facts.code),
            }
        };
        let codec = choice.filter(|_| facts.element_oid == 0).map_or(0, CodecChoice::id);
        self.keep(type_of(type_oid, (BUILT_IN_SCHEMA, facts.name), kind, code, (codec, facts.code)))
    }

    fn choice(&self, schema: &str, name: &str) -> Option<CodecChoice> {
        let choices = self.choices.borrow();
        if choices.is_empty() {
            return None;
        }
        choices.get(&(Box::from(schema), Box::from(name))).copied()
    }

    fn keep(&self, tree: Rc<Type>) -> Rc<Type> {
        self.types.borrow_mut().insert(tree.oid, Rc::clone(&tree));
        tree
    }
}

/// Whether a type's attributes, and those of all that it is made of, are what a server says now. The rest of a type does
/// not change.
fn has_parts_as_found(known: &Type, found: &HashMap<u32, CatalogType>) -> bool {
    match &known.kind {
        Kind::Scalar => true,
        Kind::Array { element: part, .. } | Kind::Range { subtype: part } | Kind::Multirange { range: part } => {
            has_parts_as_found(part, found)
        }
        Kind::Composite { fields } => {
            let mut facts = found.get(&known.oid);
            while let Some(CatalogType { class: TypeClass::Domain { base }, .. }) = facts {
                facts = found.get(base);
            }
            let attributes = facts.map_or(&[][..], |facts| &facts.attributes);
            fields.len() == attributes.len()
                && fields.iter().zip(attributes).all(|(field, (name, type_oid))| {
                    *field.name == **name && field.tree.oid == *type_oid && has_parts_as_found(&field.tree, found)
                })
        }
    }
}

/// A type, which may have a codec of the application's beside its own code.
fn type_of(
    type_oid: u32,
    (schema, name): (&str, &str),
    kind: Kind,
    code: TypeCode,
    (codec, own_code): (u32, TypeCode),
) -> Rc<Type> {
    match kind {
        Kind::Scalar => Type::with_codec(type_oid, schema, name, code, (codec, own_code)),
        kind => Type::new(type_oid, schema, name, kind, code, codec),
    }
}

/// Built-in types whose code says enough cross without their tree.
fn reference(type_oid: u32, tree: &Rc<Type>) -> TypeRef {
    let code = tree.code;
    let has_codec = tree.codec != 0 || matches!(&tree.kind, Kind::Array { element, .. } if element.codec != 0);
    let is_plain = !code.is_compound() && !has_codec && code == TypeCode::of(type_oid);
    // Of a user's type the code may be unknown, too, but the name is wanted.
    let is_plain = is_plain && built_in(type_oid).is_some();
    TypeRef { code, tree: (!is_plain).then(|| Rc::clone(tree)) }
}

fn any_array() -> Rc<Type> {
    let element = Type::new(2283, BUILT_IN_SCHEMA, "anyelement", Kind::Scalar, TypeCode::UNKNOWN, 0);
    let kind = Kind::Array { element, delimiter: b',' };
    Type::new(ANY_ARRAY, BUILT_IN_SCHEMA, "anyarray", kind, TypeCode::UNKNOWN, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxpg_codec::types::DELIMITER_OF_VECTORS;

    fn facts(name: &str, class: TypeClass, attributes: &[(&str, u32)]) -> CatalogType {
        let attributes = attributes.iter().map(|(name, type_oid)| ((*name).to_owned(), *type_oid)).collect();
        CatalogType::new("app", name, class, attributes)
    }

    fn learned(types: Vec<(u32, CatalogType)>) -> Rc<Catalog> {
        let catalog = Catalog::new();
        let asked: Vec<u32> = types.iter().map(|(type_oid, _)| *type_oid).collect();
        catalog.learn(&asked, &types.into_iter().collect());
        catalog
    }

    fn code(catalog: &Catalog, type_oid: u32) -> TypeCode {
        catalog.type_of(type_oid).unwrap().code
    }

    const MOOD: u32 = 70_001;
    const DOMAIN: u32 = 70_003;
    const PERSON: u32 = 70_005;

    fn some_types() -> Rc<Catalog> {
        learned(vec![
            (MOOD, facts("mood", TypeClass::Enum, &[])),
            (70_002, facts("_mood", TypeClass::Array { element: MOOD }, &[])),
            (DOMAIN, facts("positive", TypeClass::Domain { base: 23 }, &[])),
            (70_004, facts("_positive", TypeClass::Array { element: DOMAIN }, &[])),
            (PERSON, facts("person", TypeClass::Composite, &[("id", DOMAIN), ("moods", 70_002)])),
            (70_006, facts("_person", TypeClass::Array { element: PERSON }, &[])),
            (70_007, facts("people", TypeClass::Range { subtype: PERSON }, &[])),
            (70_008, facts("granted", TypeClass::Composite, &[("acl", 1033)])),
            (70_009, facts("every", TypeClass::Domain { base: 70_006 }, &[])),
            (70_010, facts("higher", TypeClass::Domain { base: DOMAIN }, &[])),
        ])
    }

    #[test]
    fn codes_follow_from_the_parts() {
        let catalog = some_types();
        assert_eq!(code(&catalog, MOOD), TypeCode::TEXT);
        assert_eq!(code(&catalog, 70_002), TypeCode(TypeCode::TEXT.0 | TypeCode::ARRAY));
        assert_eq!(code(&catalog, 70_004), TypeCode(TypeCode::INT4.0 | TypeCode::ARRAY));
        assert_eq!(code(&catalog, PERSON), TypeCode::COMPOUND);
        assert_eq!(code(&catalog, 70_006), TypeCode::COMPOUND);
        assert_eq!(code(&catalog, 70_008), TypeCode::COMPOUND_TEXT, "aclitem has no binary format");
        assert_eq!(code(&catalog, 70_009), TypeCode::COMPOUND);
        assert_eq!(code(&catalog, 70_010), TypeCode::INT4);
    }

    #[test]
    fn a_domain_keeps_its_name_and_oid() {
        let tree = some_types().type_of(70_010).unwrap().tree.unwrap();
        assert_eq!((tree.oid, &*tree.name, &*tree.schema), (70_010, "higher", "app"));
    }

    #[test]
    fn a_domain_over_a_vector_is_known_by_the_delimiter() {
        let vector = learned(vec![(70_000, facts("keys", TypeClass::Domain { base: 22 }, &[]))]);
        let tree = vector.type_of(70_000).unwrap().tree.unwrap();
        assert_eq!(tree.code, TypeCode(TypeCode::INT2.0 | TypeCode::ARRAY));
        assert!(matches!(tree.kind, Kind::Array { delimiter: DELIMITER_OF_VECTORS, .. }));
    }

    #[test]
    fn built_in_types_without_parts_have_no_tree() {
        let catalog = Catalog::new();
        for type_oid in [16, 23, 1007, 1186, 3802, 22, 2249, 2205] {
            assert!(catalog.type_of(type_oid).unwrap().tree.is_none(), "{type_oid}");
        }
        assert!(catalog.type_of(70_000).is_none());
    }

    #[test]
    fn built_in_types_with_parts_are_built_of_what_is_known() {
        let catalog = Catalog::new();
        let is_range = |type_oid: u32, name: &str| {
            let tree = catalog.type_of(type_oid).unwrap().tree.unwrap();
            matches!(&tree.kind, Kind::Range { subtype } if &*subtype.name == name)
        };
        assert!(is_range(3904, "int4") && is_range(3910, "timestamptz"));
        let multirange = catalog.type_of(4451).unwrap().tree.unwrap();
        assert!(matches!(&multirange.kind, Kind::Multirange { range } if &*range.name == "int4range"));
        assert_eq!(code(&catalog, 2210), TypeCode::COMPOUND_TEXT, "regclass[]");
        assert_eq!(code(&catalog, ANY_ARRAY), TypeCode::COMPOUND_TEXT);
        let boxes = catalog.type_of(1020).unwrap();
        assert_eq!(boxes.code, TypeCode(TypeCode::BOX.0 | TypeCode::ARRAY));
    }

    #[test]
    fn a_codec_reaches_everything_that_is_made_of_its_type() {
        let catalog = some_types();
        catalog.choose("app", "mood", Some(CodecChoice::Binary(5)));
        catalog.choose("pg_catalog", "int4", Some(CodecChoice::Text(6)));
        assert!(catalog.type_of(MOOD).is_none(), "looked up again");
        catalog.learn(
            &[PERSON],
            &HashMap::from([
                (MOOD, facts("mood", TypeClass::Enum, &[])),
                (DOMAIN, facts("positive", TypeClass::Domain { base: 23 }, &[])),
                (PERSON, facts("person", TypeClass::Composite, &[("id", DOMAIN), ("mood", MOOD)])),
            ]),
        );
        assert_eq!(code(&catalog, MOOD), TypeCode::RAW);
        assert_eq!(catalog.type_of(DOMAIN).unwrap().tree.unwrap().codec, 6);
        assert_eq!(code(&catalog, PERSON), TypeCode::COMPOUND_TEXT);
        assert_eq!(code(&catalog, 1007), TypeCode::COMPOUND_TEXT, "int4[]");
        let range = catalog.type_of(3904).unwrap();
        assert_eq!(range.code, TypeCode::COMPOUND_TEXT, "int4range");
        catalog.choose("pg_catalog", "int4", None);
        assert_eq!(code(&catalog, 1007), TypeCode::of(1007));
    }

    #[test]
    fn a_tuple_codec_of_elements_is_seen_in_their_arrays() {
        let catalog = Catalog::new();
        catalog.choose("pg_catalog", "date", Some(CodecChoice::Tuple(9)));
        assert_eq!(catalog.type_of(1082).unwrap().tree.unwrap().codec, 9);
        let dates = catalog.type_of(1182).unwrap();
        assert_eq!(dates.code, TypeCode::of(1182));
        assert!(matches!(&dates.tree.unwrap().kind, Kind::Array { element, .. } if element.codec == 9));
        assert!(catalog.type_of(23).unwrap().tree.is_none(), "others are as they were");
    }

    #[test]
    fn composite_types_are_trusted_until_something_changes_and_for_a_minute() {
        let facts_of_person = || (PERSON, facts("person", TypeClass::Composite, &[("id", 23)]));
        for (is_composite, changes) in [(true, true), (true, false), (false, true)] {
            let schema = Schema::new();
            schema.set_time(1_000);
            let catalog = Catalog::of(&schema);
            let found = HashMap::from([facts_of_person(), (MOOD, facts("mood", TypeClass::Enum, &[]))]);
            catalog.learn(if is_composite { &[PERSON, MOOD] } else { &[MOOD] }, &found);
            let before = catalog.generation();
            schema.set_time(60_999);
            assert_eq!(catalog.generation(), before);
            if changes {
                schema.note_change()
            } else {
                schema.set_time(61_000)
            }
            assert_eq!(catalog.generation_until_now(), before, "whoever has resolved a type goes on with it");
            assert_eq!(catalog.generation() != before, is_composite);
            assert!(!is_composite || catalog.type_of(PERSON).is_none());
            catalog.learn(&[PERSON], &found);
            let after = catalog.generation();
            assert_eq!(catalog.generation(), after);
        }
    }

    #[test]
    fn a_fork_begins_with_the_same_codecs_and_goes_its_own_way() {
        let catalog = Catalog::new();
        catalog.choose("pg_catalog", "date", Some(CodecChoice::Tuple(9)));
        let fork = catalog.fork();
        fork.choose("pg_catalog", "time", Some(CodecChoice::Text(10)));
        assert!(fork.type_of(1082).unwrap().tree.is_some());
        assert!(catalog.type_of(1083).unwrap().tree.is_none());
    }

    #[test]
    fn types_that_contain_themselves_end() {
        let catalog = learned(vec![(PERSON, facts("person", TypeClass::Composite, &[("self", PERSON)]))]);
        assert!(catalog.type_of(PERSON).is_some());
    }
}
