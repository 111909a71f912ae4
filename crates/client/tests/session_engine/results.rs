//! How results come: their form and their formats are the request's to choose.

use oxpg_client::session::{Request, ResultForm, ResultFormats, ResultOptions, Work};
use oxpg_codec::types::TypeCode;

use crate::client::{Client, Settled, encoded, limited};

fn submit(client: &mut Client, id: u32, text: &str, result: ResultOptions) {
    let query = client.text(text);
    let bind = query.description().map(|description| encoded(&description, 0));
    client.values.insert(id, 0);
    let work = Work::Query { query, bind, result, is_fresh: false };
    client.session.submit(Request { id, work }, &mut client.sink);
}

/// The result formats of the last Bind in the output: what follows the parameters, up to the Execute.
fn formats_asked_for(output: &[u8]) -> Vec<u16> {
    let bind = output.iter().rposition(|byte| *byte == b'B').unwrap();
    let length = u32::from_be_bytes(output[bind + 1..bind + 5].try_into().unwrap()) as usize;
    let body = &output[bind + 5..bind + 1 + length];
    let after_names = body.iter().enumerate().filter(|(_, byte)| **byte == 0).nth(1).unwrap().0 + 1;
    let words: Vec<u16> = body[after_names..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    assert_eq!(words[..2], [0, 0], "no parameters");
    let (count, formats) = (usize::from(words[2]), &words[3..]);
    assert_eq!(count, formats.len());
    formats.to_vec()
}

#[test]
fn rows_that_only_count_are_dropped_where_they_arrive() {
    let mut client = Client::new();
    let count = ResultOptions { form: ResultForm::Count, ..ResultOptions::default() };
    submit(&mut client, 1, "select 1 3", count);
    submit(&mut client, 2, "select 2 2", ResultOptions::default());
    // A sink without room would stop the first row.
    client.sink.full_at = vec![0];
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Completed { rows: 3, .. }), "{:#?}", client.sink.lines);
    assert!(!client.sink.rows.contains_key(&1));
    assert_eq!(client.sink.rows[&2].len(), 2);
}

#[test]
fn rows_that_only_count_need_no_types() {
    let mut client = Client::new();
    client.sink.unknown_types = 70_000..70_001;
    let count = ResultOptions { form: ResultForm::Count, ..ResultOptions::default() };
    submit(&mut client, 1, "select 1 3", count);
    client.settle_all();
    assert_eq!(client.completed(1), 3);
    assert!(!client.server.log.contains("PBEPBES"), "nothing was looked up: {}", client.server.log);
}

#[test]
fn a_limit_holds_for_what_is_counted_as_well() {
    let mut client = Client::new();
    submit(&mut client, 1, "select 1 10", ResultOptions { form: ResultForm::Count, ..limited(3) });
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Completed { is_suspended: true, .. }));
}

#[test]
fn formats_are_those_of_the_types_unless_the_request_wants_text() {
    let mut client = Client::new();
    client.warm("select 1 2");
    submit(&mut client, 1, "select 1 2", ResultOptions::default());
    assert_eq!(formats_asked_for(client.session.output()), [1, 1]);
    client.settle_all();
    let text = ResultOptions { formats: ResultFormats::Text, ..ResultOptions::default() };
    submit(&mut client, 2, "select 1 2", text);
    assert!(formats_asked_for(client.session.output()).is_empty(), "none means text for all");
    client.settle_all();
    assert_eq!(client.sink.formats[&1], ResultFormats::ByType);
    assert_eq!(client.sink.formats[&2], ResultFormats::Text);
    let description = client.text("select 1 2").description().unwrap();
    assert_eq!(description.row_types(ResultFormats::ByType).codes, [TypeCode::INT4, TypeCode::INT4]);
    assert_eq!(description.row_types(ResultFormats::Text).codes, [TypeCode::UNKNOWN, TypeCode::UNKNOWN]);
}

#[test]
fn text_is_text_whatever_the_columns_turn_out_to_be() {
    let mut client = Client::new();
    client.warm("select 1 2");
    let mut other = Client::new();
    other.share_knowledge_of(&client);
    // On this server the columns have no binary format.
    other.server.column_oid = 790;
    let text = ResultOptions { formats: ResultFormats::Text, ..ResultOptions::default() };
    submit(&mut other, 1, "select 1 2", text);
    submit(&mut other, 2, "select 1 2", ResultOptions::default());
    other.settle_all();
    assert_eq!(other.completed(1), 2, "{:#?}", other.sink.lines);
    assert_eq!(other.completed(2), 2, "{:#?}", other.sink.lines);
}
