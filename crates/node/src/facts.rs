//! What JavaScript is told about sessions, statements and results, as objects and records.

use napi_sys as sys;
use oxpg_client::pool::Stats;
use oxpg_client::session::{CommandTag, Description};
use oxpg_codec::boundary::{RECORD_WORDS, command, record_word as word};
use oxpg_codec::types::{Kind as TypeKind, Type, type_name};

use crate::mailbox::{Extra, Kind, Mailbox, SessionFacts};
use crate::napi_value as value;

/// `{ id, parameters: [{ typeOid, typeName, code, type }], columns: [{ name, typeOid, typeName, tableOid,
/// attributeNumber, typeModifier, code, type }] }`
pub(crate) fn description(env: sys::napi_env, description: &Description) -> sys::napi_value {
    let object = value::object(env);
    value::set(env, object, "id", value::number(env, f64::from(description.id)));
    let parameters = description.parameters.iter().map(|parameter| {
        let entry = value::object(env);
        set_type(env, entry, parameter.type_oid, parameter.code.0, parameter.tree.as_deref());
        entry
    });
    value::set(env, object, "parameters", value::array(env, parameters));
    let columns = description.columns.iter().map(|column| {
        let entry = value::object(env);
        value::set(env, entry, "name", value::text(env, column.name.as_bytes()));
        set_type(env, entry, column.type_oid, column.code.0, column.tree.as_deref());
        value::set(env, entry, "tableOid", value::number(env, f64::from(column.table_oid)));
        value::set(env, entry, "attributeNumber", value::number(env, f64::from(column.attribute_number)));
        value::set(env, entry, "typeModifier", value::number(env, f64::from(column.type_modifier)));
        entry
    });
    value::set(env, object, "columns", value::array(env, columns));
    object
}

fn set_type(env: sys::napi_env, entry: sys::napi_value, type_oid: u32, code: u8, tree: Option<&Type>) {
    value::set(env, entry, "typeOid", value::number(env, f64::from(type_oid)));
    let name = match (tree, type_name(type_oid)) {
        (Some(tree), _) => tree.name.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => format!("oid {type_oid}"),
    };
    value::set(env, entry, "typeName", value::text(env, name.as_bytes()));
    value::set(env, entry, "code", value::number(env, f64::from(code)));
    if let Some(tree) = tree {
        value::set(env, entry, "type", type_tree(env, tree));
    }
}

/// `{ id, oid, schema, name, code, codec, kind, … }`; `src/types/type-node.ts` has what each kind adds.
pub(crate) fn type_tree(env: sys::napi_env, tree: &Type) -> sys::napi_value {
    let object = value::object(env);
    let kind = match &tree.kind {
        TypeKind::Scalar => "scalar",
        TypeKind::Array { .. } => "array",
        TypeKind::Composite { .. } => "composite",
        TypeKind::Range { .. } => "range",
        TypeKind::Multirange { .. } => "multirange",
    };
    value::set(env, object, "id", value::number(env, f64::from(tree.id)));
    value::set(env, object, "oid", value::number(env, f64::from(tree.oid)));
    value::set(env, object, "schema", value::text(env, tree.schema.as_bytes()));
    value::set(env, object, "name", value::text(env, tree.name.as_bytes()));
    value::set(env, object, "code", value::number(env, f64::from(tree.code.0)));
    value::set(env, object, "codec", value::number(env, f64::from(tree.codec)));
    value::set(env, object, "kind", value::text(env, kind.as_bytes()));
    match &tree.kind {
        TypeKind::Scalar => {}
        TypeKind::Array { element, delimiter } => {
            value::set(env, object, "element", type_tree(env, element));
            value::set(env, object, "delimiter", value::text(env, &[*delimiter]));
        }
        TypeKind::Composite { fields } => {
            let fields = fields.iter().map(|field| {
                let entry = value::object(env);
                value::set(env, entry, "name", value::text(env, field.name.as_bytes()));
                value::set(env, entry, "type", type_tree(env, &field.tree));
                entry
            });
            value::set(env, object, "fields", value::array(env, fields));
        }
        TypeKind::Range { subtype } => value::set(env, object, "subtype", type_tree(env, subtype)),
        TypeKind::Multirange { range } => value::set(env, object, "range", type_tree(env, range)),
    }
    object
}

/// `{ backendPid, parameters: [[name, value], …], transactionStatus, notices: [fields, …], host, port, user, database,
/// openingMs }`
pub(crate) fn session(env: sys::napi_env, facts: &SessionFacts) -> sys::napi_value {
    let object = value::object(env);
    value::set(env, object, "backendPid", value::number(env, f64::from(facts.backend_pid)));
    let parameters = facts.parameters.iter().map(|(name, setting)| {
        value::array(env, [name, setting].into_iter().map(|text| value::text(env, text.as_bytes())))
    });
    value::set(env, object, "parameters", value::array(env, parameters));
    value::set(env, object, "transactionStatus", value::text(env, &[facts.transaction_status]));
    let notices = facts.notices.iter().map(|fields| named_texts(env, fields));
    value::set(env, object, "notices", value::array(env, notices));
    let origin = &facts.origin;
    for (name, text) in [("host", &origin.host), ("user", &origin.user), ("database", &origin.database)] {
        value::set(env, object, name, value::text(env, text.as_bytes()));
    }
    value::set(env, object, "port", value::number(env, f64::from(origin.port)));
    value::set(env, object, "openingMs", value::integer(env, origin.opening_ms));
    object
}

/// An object of strings.
pub(crate) fn named_texts(env: sys::napi_env, fields: &[(&'static str, String)]) -> sys::napi_value {
    let object = value::object(env);
    for (name, text) in fields {
        value::set(env, object, name, value::text(env, text.as_bytes()));
    }
    object
}

/// `{ size, idle, inUse, waiting, opening, opened, closed, granted, timedOut, minSize, maxSize }`
pub(crate) fn pool_stats(env: sys::napi_env, stats: &Stats) -> sys::napi_value {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let object = value::object(env);
    for (name, number) in [
        ("size", count(stats.size)),
        ("idle", count(stats.idle)),
        ("inUse", count(stats.in_use)),
        ("waiting", count(stats.waiting)),
        ("opening", count(stats.opening)),
        ("opened", stats.opened),
        ("closed", stats.closed),
        ("granted", stats.granted),
        ("timedOut", stats.timed_out),
        ("minSize", count(stats.min_size)),
        ("maxSize", count(stats.max_size)),
    ] {
        value::set(env, object, name, value::integer(env, number));
    }
    object
}

/// A request has ended well.
pub(crate) fn push_done(mailbox: &mut Mailbox, slot: u32, tag: CommandTag, is_suspended: bool, status: u8) {
    let (low, high) = (tag.rows & 0xffff_ffff, tag.rows >> 32);
    let fill = |words: &mut [i32; RECORD_WORDS]| {
        words[word::DONE_COMMAND] = i32::from(tag.command as u8);
        words[word::DONE_COUNT_LOW] = u32::try_from(low).unwrap_or(0).cast_signed();
        words[word::DONE_COUNT_HIGH] = u32::try_from(high).unwrap_or(0).cast_signed();
        words[word::TRANSACTION_STATUS] = i32::from(status);
        words[word::DONE_SUSPENDED] = i32::from(is_suspended);
    };
    match tag.text {
        Some(text) => mailbox.push_extra(Kind::Done, slot, word::DONE_TAG, Extra::Text(text), fill),
        None => mailbox.push(Kind::Done, slot, fill),
    }
}

/// A graceful close has ended, with a tag that no server sent.
pub(crate) fn push_closed(mailbox: &mut Mailbox, slot: u32) {
    mailbox.push_extra(Kind::Done, slot, word::DONE_TAG, Extra::Text("CLOSE".to_owned()), |words| {
        words[word::DONE_COMMAND] = i32::from(command::OTHER);
        words[word::TRANSACTION_STATUS] = 0;
        words[word::DONE_SUSPENDED] = 0;
    });
}
