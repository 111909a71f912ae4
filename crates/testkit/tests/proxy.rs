//! The proxy's faults, as both ends see them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::future::Future;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use oxpg_testkit::proxy::{Cancels, Deaf, Effect, End, Event, EventKind, Fault, Flow, Pieces, Place, Plan, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A proxy, its events, and the listener behind it.
struct Between {
    proxy: Proxy,
    events: UnboundedReceiver<Event>,
    listener: TcpListener,
}

impl Between {
    async fn with(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (proxy, events) = Proxy::start(listener.local_addr().unwrap(), plan).await.unwrap();
        Self { proxy, events, listener }
    }

    async fn client(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.proxy.port())).await.unwrap()
    }

    async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.client().await;
        (client, self.listener.accept().await.unwrap().0)
    }

    /// The next event of this kind.
    async fn event(&mut self, is_it: impl Fn(&EventKind) -> bool) -> EventKind {
        loop {
            let event = self.events.recv().await.unwrap();
            if is_it(&event.kind) {
                return event.kind;
            }
        }
    }
}

fn after(count: u64, effect: Effect) -> Flow {
    Flow { fault: Some(Fault { at: Place::After(count), effect, touch: None }), ..Flow::default() }
}

fn to_client(flow: Flow) -> Plan {
    Plan { to_client: flow, ..Plan::default() }
}

fn to_server(flow: Flow) -> Plan {
    Plan { to_server: flow, ..Plan::default() }
}

/// All bytes up to the end of the stream, and whether that was a reset.
async fn all(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let result = stream.read_to_end(&mut bytes).await;
    let is_reset = result.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    (bytes, is_reset)
}

#[test]
fn a_cut_to_the_client_passes_so_many_bytes_and_ends_both() {
    run(async {
        for (effect, is_reset) in [(Effect::Fin, false), (Effect::Rst, true)] {
            for count in 0..=5_usize {
                let between = Between::with(to_client(after(count.try_into().unwrap(), effect))).await;
                let (mut client, mut server) = between.pair().await;
                let _ = server.write_all(b"hello").await;
                assert_eq!(all(&mut client).await, (b"hello"[..count].to_vec(), is_reset), "{effect:?} after {count}");
                assert_eq!(all(&mut server).await, (vec![], is_reset));
            }
        }
    });
}

#[test]
fn a_cut_to_the_server_passes_so_many_bytes_and_ends_both() {
    run(async {
        for (effect, is_reset) in [(Effect::Fin, false), (Effect::Rst, true)] {
            let mut between = Between::with(to_server(after(3, effect))).await;
            let (mut client, mut server) = between.pair().await;
            client.write_all(b"hello").await.unwrap();
            assert_eq!(all(&mut server).await, (b"hel".to_vec(), is_reset), "{effect:?}");
            assert_eq!(all(&mut client).await, (vec![], is_reset));
            let closed = between.event(|kind| matches!(kind, EventKind::Closed { .. })).await;
            assert_eq!(closed, EventKind::Closed { by: End::Proxy, to_server: 3, to_client: 0 });
        }
    });
}

#[test]
fn a_marker_says_how_much_of_its_bytes_goes_on() {
    run(async {
        let at = Place::Marker { text: "cut".to_owned(), passed: Some(2) };
        let fault = Some(Fault { at, effect: Effect::Fin, touch: None });
        let between = Between::with(to_server(Flow { fault, ..Flow::default() })).await;
        let (mut client, mut server) = between.pair().await;
        client.write_all(b"one ").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'o');
        client.write_all(b"ready to be cut").await.unwrap();
        assert_eq!(all(&mut server).await.0, b"ne re");
    });
}

#[test]
fn a_stall_reads_nothing_and_keeps_both_until_the_client_closes() {
    run(async {
        let mut between = Between::with(to_client(after(2, Effect::Stall))).await;
        let (mut client, mut server) = between.pair().await;
        server.write_all(b"hello").await.unwrap();
        let mut bytes = [0; 2];
        client.read_exact(&mut bytes).await.unwrap();
        between.event(|kind| matches!(kind, EventKind::Fault { .. })).await;
        assert!(timeout(Duration::from_millis(50), client.read_u8()).await.is_err(), "bytes, or an end");
        drop(client);
        between.event(|kind| matches!(kind, EventKind::Closed { by: End::Client, .. })).await;

        let (mut client, mut server) = between.pair().await;
        server.write_all(b"hello").await.unwrap();
        between.event(|kind| matches!(kind, EventKind::Fault { .. })).await;
        // More than all buffers between take: it is not read.
        let flood = timeout(Duration::from_millis(200), client.write_all(&vec![0; 64 << 20])).await;
        assert!(flood.is_err(), "the client's bytes were read");
        between.proxy.change(Effect::Rst);
        assert!(all(&mut client).await.1);
    });
}

#[test]
fn a_black_hole_reads_all_and_hides_that_the_server_closes() {
    run(async {
        let mut between = Between::with(Plan::default()).await;
        let (mut client, mut server) = between.pair().await;
        client.write_all(b"a").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'a');
        between.proxy.change(Effect::BlackHole);
        client.write_all(&vec![0; 16 << 20]).await.unwrap();
        server.write_all(b"lost").await.unwrap();
        drop(server);
        assert!(timeout(Duration::from_millis(100), client.read_u8()).await.is_err(), "bytes, or an end");
        assert_eq!((between.proxy.counts().to_server, between.proxy.counts().open), (1, 1));
        drop(client);
        between.event(|kind| matches!(kind, EventKind::Closed { by: End::Client, .. })).await;
    });
}

#[test]
fn a_connection_can_be_a_black_hole_from_the_start() {
    run(async {
        let mut between = Between::with(Plan { is_black_hole: true, ..Plan::default() }).await;
        let mut client = between.client().await;
        client.write_all(b"hello").await.unwrap();
        assert!(timeout(Duration::from_millis(50), between.listener.accept()).await.is_err(), "the server hears of it");
        drop(client);
        between.event(|kind| matches!(kind, EventKind::Closed { by: End::Client, .. })).await;
    });
}

#[test]
fn what_is_muted_goes_one_way_only() {
    run(async {
        let between = Between::with(to_client(after(1, Effect::Mute))).await;
        let (mut client, mut server) = between.pair().await;
        server.write_all(b"ab").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'a');
        client.write_all(b"still there").await.unwrap();
        let mut bytes = [0; 11];
        server.read_exact(&mut bytes).await.unwrap();
        assert!(timeout(Duration::from_millis(50), client.read_u8()).await.is_err(), "more than one byte");
    });
}

#[test]
fn what_is_held_goes_on_when_it_is_released() {
    run(async {
        let mut between = Between::with(to_server(after(2, Effect::Hold))).await;
        let (mut client, mut server) = between.pair().await;
        client.write_all(b"hello").await.unwrap();
        between.event(|kind| matches!(kind, EventKind::Fault { .. })).await;
        let mut bytes = [0; 2];
        server.read_exact(&mut bytes).await.unwrap();
        assert!(timeout(Duration::from_millis(50), server.read_u8()).await.is_err(), "more than two bytes");
        between.proxy.release();
        let mut rest = [0; 3];
        server.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"llo");
    });
}

#[test]
fn pieces_have_the_same_bytes() {
    run(async {
        let sent: Vec<u8> = (0..20_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let glue = |seed| Pieces::Glue { seed, longest: 900 };
        for pieces in [Pieces::AsTheyCome, Pieces::Dribble, glue(1), glue(2)] {
            let flow = Flow { pieces, ..Flow::default() };
            let between = Between::with(Plan { to_server: flow.clone(), to_client: flow, ..Plan::default() }).await;
            let (mut client, mut server) = between.pair().await;
            let echo = tokio::spawn(async move {
                let (mut reader, mut writer) = server.split();
                tokio::io::copy(&mut reader, &mut writer).await.unwrap();
                server.shutdown().await.unwrap();
            });
            let (mut reader, mut writer) = client.split();
            let mut got = Vec::new();
            let writing = async {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let (_, read) = tokio::join!(writing, reader.read_to_end(&mut got));
            read.unwrap();
            echo.await.unwrap();
            assert!(got == sent, "{pieces:?}");
        }
    });
}

#[test]
fn a_delay_holds_each_byte_and_not_the_stream() {
    run(async {
        const DELAY_MS: u64 = 50;
        const MESSAGES: usize = 200;
        let between = Between::with(to_server(Flow { delay_ms: DELAY_MS, ..Flow::default() })).await;
        let (mut client, mut server) = between.pair().await;
        let started = Instant::now();
        let sending = async {
            for _ in 0..MESSAGES {
                client.write_all(b"x").await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let mut bytes = [0; MESSAGES];
        let (_, read) = tokio::join!(sending, server.read_exact(&mut bytes));
        read.unwrap();
        let elapsed = started.elapsed();
        assert!(elapsed >= Duration::from_millis(DELAY_MS), "{elapsed:?}");
        // One after the other would take ten seconds.
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    });
}

#[test]
fn a_plan_may_be_for_the_next_connections_only() {
    run(async {
        let between = Between::with(Plan::default()).await;
        between.proxy.set_plan(to_client(after(0, Effect::Fin)), Some(2));
        for connection in 1..=3 {
            let (mut client, mut server) = between.pair().await;
            let _ = server.write_all(b"x").await;
            drop(server);
            let (bytes, _) = all(&mut client).await;
            assert_eq!(bytes.len(), usize::from(connection == 3), "connection {connection}");
        }
        assert_eq!(between.proxy.counts().connections, 3);
    });
}

#[test]
fn it_refuses_and_takes_connections_again_at_its_port() {
    run(async {
        let mut between = Between::with(Plan::default()).await;
        let (mut client, mut server) = between.pair().await;
        between.proxy.refuse().await;
        let refused = TcpStream::connect(("127.0.0.1", between.proxy.port())).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        // Those that are there stay.
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'x');
        between.proxy.listen().await.unwrap();
        between.pair().await;
    });
}

#[test]
fn cancel_requests_may_be_kept_open_or_swallowed() {
    let request = [16_i32, 80_877_102, 1, 2].map(i32::to_be_bytes).concat();
    run(async {
        let between = Between::with(Plan { cancels: Cancels::KeepOpen, ..Plan::default() }).await;
        let mut client = between.client().await;
        client.write_all(&request).await.unwrap();
        let mut server = between.listener.accept().await.unwrap().0;
        let mut bytes = [0; 16];
        server.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes.to_vec(), request);
        drop(server);
        assert!(timeout(Duration::from_millis(50), client.read_u8()).await.is_err(), "the server's end");

        between.proxy.set_plan(Plan { cancels: Cancels::Swallow, ..Plan::default() }, None);
        let mut client = between.client().await;
        client.write_all(&request).await.unwrap();
        assert!(timeout(Duration::from_millis(50), between.listener.accept()).await.is_err(), "the server hears of it");
        // What is no cancel request goes on.
        let mut other = between.client().await;
        other.write_all(b"something else").await.unwrap();
        between.listener.accept().await.unwrap();
    });
}

#[test]
fn the_servers_last_words_come_before_its_end() {
    run(async {
        let between = Between::with(Plan::default()).await;
        for _ in 0..20 {
            let (mut client, mut server) = between.pair().await;
            client.write_all(b"unread").await.unwrap();
            server.write_all(b"goodbye").await.unwrap();
            drop(server);
            // The server has closed with something unread: its end is a reset, and what it said came before.
            let _ = client.write_all(b"more").await;
            assert_eq!(all(&mut client).await.0, b"goodbye");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_deaf_port_neither_takes_nor_refuses() {
    run(async {
        let deaf = Deaf::start().unwrap();
        for _ in 0..3 {
            let connecting = TcpStream::connect(("127.0.0.1", deaf.port()));
            assert!(timeout(Duration::from_millis(100), connecting).await.is_err(), "it answers");
        }
    });
}
