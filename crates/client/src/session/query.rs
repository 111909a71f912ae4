//! Query texts and what a server said about them.

use std::cell::{Cell, OnceCell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use oxpg_codec::batch::RowTypes;
use oxpg_codec::ids::Ids;
use oxpg_codec::types::{ParameterType, Type, TypeCode};

use super::catalog::Catalog;
use super::column::Column;
use super::failure::Failure;
use super::keyword::{self, Traits};
use super::misplaced::Misplaced;
use super::output::{self, Format};
use super::result_options::ResultFormats;

static IDS: Ids = Ids::new();

/// A query text, defined once per environment and shared by all its connections.
#[derive(Debug)]
pub struct Query {
    /// The environment's number of the text; the key of the connections' statement caches.
    pub id: u32,
    /// The text with `$1` placeholders.
    pub text: Box<str>,
    /// Of the text; what a pool knows of its service time is kept by it, since numbers are used again. Two texts with
    /// the same one would be scheduled as one, which harms nobody.
    pub fingerprint: u64,
    /// It may share a pool's connection with other callers (rule 8; see [`keyword::is_shareable`]).
    pub is_shareable: bool,
    /// Nothing would come of it through a pool, where it is refused.
    pub misplaced: Option<Misplaced>,
    /// It may become a named statement. Otherwise the unnamed statement is used each time, unless it is held.
    is_cacheable: bool,
    /// The application holds a prepared statement of it: no connection evicts its own.
    is_held: Cell<bool>,
    pub(super) traits: Traits,
    description: RefCell<Option<Rc<Description>>>,
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Query {
    /// Takes a text into use and classifies it.
    #[must_use]
    pub fn new(id: u32, text: &str, is_cacheable: bool) -> Rc<Self> {
        let traits = keyword::classify(text);
        Rc::new(Self {
            id,
            text: text.into(),
            fingerprint: fingerprint(text),
            is_shareable: traits.is_shareable,
            misplaced: Misplaced::of(text),
            is_cacheable,
            is_held: Cell::new(false),
            traits,
            description: RefCell::new(None),
        })
    }

    /// Whether it gets a name, and keeps it.
    pub(super) fn may_be_named(&self) -> bool {
        self.is_cacheable || self.is_held()
    }

    /// The application holds a prepared statement of it, or no longer does.
    pub fn hold(&self, is_held: bool) {
        self.is_held.set(is_held);
    }

    pub(super) fn is_held(&self) -> bool {
        self.is_held.get()
    }

    /// What the last server that was asked said about the text, if it is not known to be stale. On any other session it
    /// is a guess.
    #[must_use]
    pub fn description(&self) -> Option<Rc<Description>> {
        self.description.borrow().as_ref().filter(|known| known.is_current()).map(Rc::clone)
    }

    /// Notes what a server said, with types that `catalog` knows. An answer equal to the known one is the known one.
    pub(super) fn learn(
        &self,
        parameters: Vec<ParameterType>,
        columns: Vec<Column>,
        catalog: &Rc<Catalog>,
    ) -> Rc<Description> {
        let mut known = self.description.borrow_mut();
        // The types at hand are of this generation, even if they are not trusted from now on.
        if let Some(known) = known.as_ref()
            && known.generation == known.catalog.generation_until_now()
            && known.is_of(catalog)
            && known.parameters == parameters
            && known.columns == columns
        {
            return Rc::clone(known);
        }
        let description = Description::new(parameters, columns, Rc::clone(catalog));
        *known = Some(Rc::clone(&description));
        description
    }

    /// Why its text cannot be sent, if it cannot.
    pub(super) fn refusal(&self) -> Option<Failure> {
        output::refusal(&self.text, self.traits.has_nul)
    }

    /// What is known is stale: the next use asks the server again.
    pub(super) fn forget_description(&self) {
        *self.description.borrow_mut() = None;
    }
}

/// Parameters and columns of a prepared statement.
#[derive(Debug)]
pub struct Description {
    /// JavaScript keeps descriptions by it (see [`Ids`]).
    pub id: u32,
    /// Types of `$1`, `$2`, …
    pub parameters: Vec<ParameterType>,
    /// The result's columns; none for a statement without a result.
    pub columns: Vec<Column>,
    /// The columns' codes, for the row decoder.
    pub codes: Vec<TypeCode>,
    /// The formats of the columns' types, for Bind.
    formats: Vec<Format>,
    /// The codes of as many columns that come as text.
    text_codes: OnceCell<Vec<TypeCode>>,
    /// The columns' types, up to the last that is not a built-in one without parts.
    pub trees: Vec<Option<Rc<Type>>>,
    /// What was known of the types.
    pub catalog: Rc<Catalog>,
    generation: u64,
}

impl Description {
    /// Of what is not worth noting with its query.
    pub(super) fn new(parameters: Vec<ParameterType>, columns: Vec<Column>, catalog: Rc<Catalog>) -> Rc<Self> {
        let codes = columns.iter().map(|column| column.code).collect();
        let count = columns.iter().rposition(|column| column.tree.is_some()).map_or(0, |last| last + 1);
        let trees = columns.iter().take(count).map(|column| column.tree.clone()).collect();
        let formats = columns.iter().map(|column| Format::of(column.code)).collect();
        let generation = catalog.generation_until_now();
        let text_codes = OnceCell::new();
        Rc::new(Self { id: IDS.fresh(), parameters, columns, codes, formats, text_codes, trees, catalog, generation })
    }

    /// The types, for the row decoder.
    #[must_use]
    pub fn row_types(&self, formats: ResultFormats) -> RowTypes<'_> {
        match formats {
            ResultFormats::ByType | ResultFormats::Printed => RowTypes {
                codes: &self.codes,
                trees: &self.trees,
                source: &*self.catalog,
                are_printed: formats == ResultFormats::Printed,
            },
            ResultFormats::Text => {
                let codes = self.text_codes.get_or_init(|| vec![TypeCode::UNKNOWN; self.columns.len()]);
                RowTypes { codes, trees: &[], source: &*self.catalog, are_printed: false }
            }
        }
    }

    /// The columns' formats, as Bind lists them: none means text for all.
    pub(super) fn formats(&self, formats: ResultFormats) -> &[Format] {
        match formats {
            ResultFormats::ByType => &self.formats,
            ResultFormats::Text | ResultFormats::Printed => &[],
        }
    }

    /// Nothing has shown since that its types are not as they were.
    pub(super) fn is_current(&self) -> bool {
        self.generation == self.catalog.generation()
    }

    /// It goes by the types of this catalog.
    pub(super) fn is_of(&self, catalog: &Rc<Catalog>) -> bool {
        Rc::ptr_eq(&self.catalog, catalog)
    }

    /// Whether a server describes a statement just as this does; its types may be other ones under the same OIDs.
    pub(super) fn is_answered_by(&self, parameters: &[ParameterType], columns: &[Column]) -> bool {
        let facts =
            |column: &Column| (column.type_oid, column.table_oid, column.attribute_number, column.type_modifier);
        self.parameters.len() == parameters.len()
            && self.columns.len() == columns.len()
            && self.parameters.iter().zip(parameters).all(|(known, told)| known.type_oid == told.type_oid)
            && self
                .columns
                .iter()
                .zip(columns)
                .all(|(known, told)| known.name == told.name && facts(known) == facts(told))
    }

    /// The types that were looked up, or have parts or codecs.
    pub(super) fn tree_oids(&self) -> impl Iterator<Item = u32> {
        let parameters = self.parameters.iter().filter(|parameter| parameter.tree.is_some());
        let columns = self.columns.iter().filter(|column| column.tree.is_some());
        parameters.map(|parameter| parameter.type_oid).chain(columns.map(|column| column.type_oid))
    }

    /// Whether a parameter is of a type whose parts were looked up, and may have changed.
    pub(super) fn has_tree_parameters(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.tree.is_some())
    }

    /// Whether parameters encoded for `other` fit this one.
    pub(super) fn takes_parameters_of(&self, other: &Self) -> bool {
        self.id == other.id || self.parameters == other.parameters
    }
}

/// Parameter values in PostgreSQL's formats.
#[derive(Debug)]
pub struct Bind {
    /// The description by whose parameter types they were encoded.
    pub description: Rc<Description>,
    /// The part of a Bind message from the number of parameter format codes through the last value, as
    /// `oxpg_codec::parameters::encode_parameters` writes it.
    pub parameters: Vec<u8>,
}
