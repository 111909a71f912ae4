//! Connection strings and what they say. `scripts/libpq-differential.mjs` asks libpq the same.

use super::dsn::parse;

/// What a connection string comes to: keywords in the order of their names, the last value of each.
fn said(dsn: &str) -> Result<String, String> {
    let mut pairs = parse(dsn).map_err(|error| error.to_string())?;
    pairs.reverse();
    let mut seen = Vec::new();
    pairs.retain(|(keyword, _)| {
        !seen.contains(keyword) && {
            seen.push(keyword.clone());
            true
        }
    });
    pairs.sort();
    Ok(pairs.iter().map(|(keyword, value)| format!("{keyword}={value}")).collect::<Vec<_>>().join(" "))
}

/// What libpq says too.
#[test]
fn uris_as_in_libpq() {
    for (dsn, expected) in [
        ("postgresql://ann:secret@db:12345/shop", "dbname=shop host=db password=secret port=12345 user=ann"),
        ("postgresql://ann@db:12345/shop", "dbname=shop host=db port=12345 user=ann"),
        ("postgresql://ann@db/shop", "dbname=shop host=db user=ann"),
        ("postgresql://db:12345/shop", "dbname=shop host=db port=12345"),
        ("postgresql://ann@db:12345/", "host=db port=12345 user=ann"),
        ("postgresql://ann@", "user=ann"),
        ("postgresql://ann:@db", "host=db user=ann"),
        ("postgresql://:secret@db", "host=db password=secret"),
        ("postgresql://db:12345", "host=db port=12345"),
        ("postgresql://db", "host=db"),
        ("postgresql://db?", "host=db"),
        ("postgresql://", ""),
        ("postgres://", ""),
        ("postgres:///", ""),
        ("postgres:///shop", "dbname=shop"),
        ("postgres://ann@/shop", "dbname=shop user=ann"),
        ("postgres://@db", "host=db"),
        ("postgres://db:/", "host=db"),
        ("postgres://:12345/", "port=12345"),
        ("postgres://:12345/shop", "dbname=shop port=12345"),
        ("postgresql://?hostaddr=127.0.0.1", "hostaddr=127.0.0.1"),
        ("postgresql://example.org?hostaddr=192.0.2.4", "host=example.org hostaddr=192.0.2.4"),
        ("postgresql://%64b/", "host=db"),
        ("postgresql://db/shop?user=ann", "dbname=shop host=db user=ann"),
        ("postgresql://db?user=ann&port=12345", "host=db port=12345 user=ann"),
        ("postgresql://db/shop?u%73er=bob&port=12345", "dbname=shop host=db port=12345 user=bob"),
        ("postgresql://[::1]:12345/shop", "dbname=shop host=::1 port=12345"),
        ("postgresql://[::1]/shop", "dbname=shop host=::1"),
        ("postgresql://[::1]", "host=::1"),
        ("postgresql://[::1]?user=ann", "host=::1 user=ann"),
        ("postgresql://[2001:db8::1234]/", "host=2001:db8::1234"),
        ("postgresql://[fe80::1%25eth0]:1/", "host=fe80::1%eth0 port=1"),
        ("postgresql://[200z:db8::1234]/", "host=200z:db8::1234"),
        ("postgres://?host=/path/to/sockets", "host=/path/to/sockets"),
        ("postgres://ann@?host=/path/to/sockets", "host=/path/to/sockets user=ann"),
        ("postgres://ann@/?host=/path/to/sockets", "host=/path/to/sockets user=ann"),
        ("postgres://ann@:12345?host=/path/to/sockets", "host=/path/to/sockets port=12345 user=ann"),
        ("postgres://ann@:12345/shop?host=/path", "dbname=shop host=/path port=12345 user=ann"),
        ("postgres://:12345?host=/path", "host=/path port=12345"),
        ("postgres://%2Fvar%2Flib%2Fpostgresql/shop", "dbname=shop host=/var/lib/postgresql"),
        ("postgres://%40abstract/shop", "dbname=shop host=@abstract"),
        // The query wins over the other places.
        (
            "postgres://ann:one@db:1/shop?user=bob&password=two&host=other&port=2&dbname=store",
            "dbname=store host=other password=two port=2 user=bob",
        ),
        (
            "postgres://localhost/shop?host=/cloudsql/project:region:name",
            "dbname=shop host=/cloudsql/project:region:name",
        ),
        ("postgres://db?port=1&port=2", "host=db port=2"),
        // Several hosts.
        ("postgres://a,b/shop", "dbname=shop host=a,b"),
        ("postgres://a:1,b:2/shop", "dbname=shop host=a,b port=1,2"),
        ("postgres://a,b:2,[::1]:3/", "host=a,b,::1 port=,2,3"),
        ("postgres:///?host=a,b&port=1,2", "host=a,b port=1,2"),
        ("postgres://a%2Cb", "host=a,b"),
        // What needs no encoding.
        ("postgres://ann:a:b:c@db", "host=db password=a:b:c user=ann"),
        ("postgres://ann:<p>#;&=+~!*'()$^`{}|@db", "host=db password=<p>#;&=+~!*'()$^`{}| user=ann"),
        ("postgres://ann@db/a:b@c", "dbname=a:b@c host=db user=ann"),
        ("postgres://ann@db/a/b", "dbname=a/b host=db user=ann"),
        ("postgres://ann@db/%2Fa", "dbname=/a host=db user=ann"),
        ("postgres://%C3%A4:%E2%82%AC@db/%F0%9F%90%98", "dbname=🐘 host=db password=€ user=ä"),
        ("postgres://ä:€@db/🐘", "dbname=🐘 host=db password=€ user=ä"),
        (
            "postgres://bi%25na%25%25ry%20:s%40f%23@localhost/%20u%2520rl",
            "dbname= u%20rl host=localhost password=s@f# user=bi%na%%ry ",
        ),
        ("postgres://db/shop?options=-c%20geqo%3Doff", "dbname=shop host=db options=-c geqo=off"),
    ] {
        assert_eq!(said(dsn).as_deref(), Ok(expected), "{dsn}");
    }
}

#[test]
fn what_libpq_refuses_is_refused() {
    for (dsn, problem) in [
        ("postgre://", "another URL scheme"),
        ("http://h/", "another URL scheme"),
        ("postgres://[::1", "expected ] at the end of an IPv6 address"),
        ("postgres://[]", "expected an IPv6 address between [ and ]"),
        ("postgres://[]:1", "expected an IPv6 address between [ and ]"),
        ("postgres://[::1]z", "expected : or the end of the host after ]"),
        ("postgresql://db?zzz", "got a parameter without ="),
        ("postgresql://db?a&b", "got a parameter without ="),
        ("postgres://db?dbname=%XXfoo", "expected two hexadecimal digits after a %"),
        ("postgresql://%zz", "expected two hexadecimal digits after a %"),
        ("postgresql://%1", "expected two hexadecimal digits after a %"),
        ("postgresql://%", "expected two hexadecimal digits after a %"),
        ("postgresql://u:%@h", "expected two hexadecimal digits after a %"),
        ("postgresql://[fe80::1%eth0]/", "expected two hexadecimal digits after a %"),
        ("shop", "found no ="),
        ("/run/postgresql shop", "found no ="),
        ("host=a b", "found no ="),
        ("a b=c", "found no ="),
        ("=a", "found no ="),
        ("password='a", "expected ' at the end of a quoted value"),
        (r"password='a\'", "expected ' at the end of a quoted value"),
        // What libpq takes for the bytes that they are.
        ("postgres://u%ff@h", "are not UTF-8"),
    ] {
        let error = said(dsn).expect_err(dsn);
        assert!(error.starts_with("dsn: ") && error.contains(problem), "{dsn}: {error}");
    }
}

#[test]
fn pairs_as_in_libpq() {
    for (dsn, expected) in [
        ("", ""),
        ("  ", ""),
        ("host=db port=1", "host=db port=1"),
        ("\thost\x0b=\x0cdb\r\nport = 1\n", "host=db port=1"),
        ("host='a b' user=''", "host=a b user="),
        (r"password='it\'s \\ here'", r"password=it's \ here"),
        (r"dbname=d\ b", "dbname=d b"),
        (r"dbname=a\\b\'c", r"dbname=a\b'c"),
        (r"dbname=a\", "dbname=a"),
        ("dbname=it's", "dbname=it's"),
        ("user='a'host=b", "host=b user=a"),
        ("user= host=b", "user=host=b"),
        ("options=-cgeqo=off", "options=-cgeqo=off"),
        ("user=a user=b", "user=b"),
        // Only ASCII's spaces end a value.
        ("password=a\u{a0}b\u{3000}c", "password=a\u{a0}b\u{3000}c"),
        ("host=fe80::1%eth0", "host=fe80::1%eth0"),
    ] {
        assert_eq!(said(dsn).as_deref(), Ok(expected), "{dsn:?}");
    }
}

/// Where libpq differs; the guide's page on connecting says so.
#[test]
fn uris_that_libpq_reads_otherwise() {
    for (dsn, expected) in [
        // The @ that counts is the last one before the first / or ?.
        ("postgres://ann:p@ss@db/shop", "dbname=shop host=db password=p@ss user=ann"),
        ("postgres://db?user=ann@corp", "host=db user=ann@corp"),
        // Form-encoding, as URLSearchParams writes it.
        ("postgres://db?application_name=a+b", "application_name=a b host=db"),
        ("postgres://db?options=-c geqo=off&", "host=db options=-c geqo=off"),
        // Spaces inside are part of the value; the line break of a file is not.
        ("postgres://ann:p w@db/post gres\n", "dbname=post gres host=db password=p w user=ann"),
    ] {
        assert_eq!(said(dsn).as_deref(), Ok(expected), "{dsn}");
    }
    let error = said("postgres://ann:p?w@db").unwrap_err();
    assert!(error.contains("without ="), "a ? begins the query: {error}");
}
