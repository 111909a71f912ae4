//! Queueing, simulated: callers that ask again as soon as they are answered, servers that take their time, and the way
//! between. What the policy makes of it is compared with what it would be if each query had a connection alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::*;
use crate::pool::random::Random;

/// What callers ask for.
#[derive(Clone, Copy)]
struct Load {
    statement: Statement,
    service: Duration,
    /// Its time counts in the figures.
    is_quick: bool,
}

struct Scene {
    connections: usize,
    callers: usize,
    /// There and back.
    distance: Duration,
    /// Whether connecting takes as long: not with a proxy between.
    is_distance_known: bool,
    is_shared: bool,
    lasts: Duration,
}

impl Scene {
    const fn new(callers: usize, distance: Duration) -> Self {
        let lasts = Duration::from_secs(20);
        Self { connections: 10, callers, distance, is_distance_known: true, is_shared: true, lasts }
    }
}

struct Figures {
    /// Of quick queries, sorted.
    latencies: Vec<Duration>,
}

impl Figures {
    fn percentile(&self, percent: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let index = (self.latencies.len() as f64 * percent / 100.0) as usize;
        self.latencies[index.min(self.latencies.len() - 1)]
    }

    fn worst(&self) -> Duration {
        self.latencies[self.latencies.len() - 1]
    }

    fn count(&self) -> usize {
        self.latencies.len()
    }
}

/// A caller's query that is answered at a time.
type Coming = Reverse<(Duration, u32, ConnectionId)>;

struct World<'a> {
    scene: &'a Scene,
    pool: Pool,
    now: Duration,
    arrivals: BinaryHeap<Coming>,
    /// When each server has done all that it was asked.
    busy_until: BTreeMap<ConnectionId, Duration>,
    asked: BTreeMap<u32, (Duration, Load, Option<Ticket>)>,
    latencies: Vec<Duration>,
}

impl<'a> World<'a> {
    fn new(scene: &'a Scene) -> Self {
        let options = PoolOptions {
            share_connections: scene.is_shared,
            acquire_timeout: None,
            max_queries: 0,
            ..options(scene.connections, scene.connections)
        };
        let mut pool = Pool::new(options, 42, ms(0));
        for attempt in attempts(&actions(&mut pool)) {
            let connecting = if scene.is_distance_known { scene.distance } else { us(30) };
            pool.opened(ms(0), attempt, attempt, connecting);
        }
        let (busy_until, asked) = (BTreeMap::new(), BTreeMap::new());
        let arrivals = BinaryHeap::new();
        Self { scene, pool, now: ms(0), arrivals, busy_until, asked, latencies: Vec::new() }
    }

    fn ask(&mut self, caller: u32, load: Load) {
        self.asked.insert(caller, (self.now, load, None));
        self.pool.looked(self.now);
        match self.pool.choose_shared(self.now, load.statement) {
            Some(connection) => self.send(caller, connection, false),
            None => self.pool.request(self.now, caller, Want::Share(load.statement), None),
        }
        self.settle();
    }

    /// Carries out what the pool decides.
    fn settle(&mut self) {
        while let Some(action) = self.pool.next_action() {
            match action {
                Action::Grant { waiter, connection, is_lease } => self.send(waiter, connection, is_lease),
                other => panic!("nothing else happens here: {other:?}"),
            }
        }
    }

    fn send(&mut self, caller: u32, connection: ConnectionId, is_lease: bool) {
        let (_, load, ticket) = self.asked.get_mut(&caller).unwrap();
        if !is_lease {
            *ticket = self.pool.query_started(connection, self.now, load.statement);
            self.pool.written(connection, self.now);
        }
        let busy_until = self.busy_until.entry(connection).or_default();
        *busy_until = (*busy_until).max(self.now + self.scene.distance / 2) + load.service;
        self.arrivals.push(Reverse((*busy_until + self.scene.distance / 2, caller, connection)));
    }

    /// The next answer; its caller is free again.
    fn answer(&mut self) -> Option<u32> {
        loop {
            // The pool's own deadlines come in between.
            let due =
                self.pool.next_deadline().filter(|due| self.arrivals.peek().is_none_or(|Reverse((at, ..))| due < at));
            let Some(due) = due.filter(|_| !self.asked.is_empty()) else { break };
            self.now = self.now.max(due);
            self.pool.tick(self.now);
            self.settle();
        }
        let Reverse((at, caller, connection)) = self.arrivals.pop()?;
        self.now = at;
        let (since, load, ticket) = self.asked.remove(&caller).unwrap();
        if load.is_quick {
            self.latencies.push(at - since);
        }
        self.pool.looked(at);
        match ticket {
            Some(ticket) => self.pool.query_finished(
                connection,
                at,
                ticket,
                Arrival { at, is_exact: true, is_prepared_first: false },
            ),
            None => self.pool.release(at, connection, false).unwrap(),
        }
        self.settle();
        Some(caller)
    }
}

/// Callers who ask again and again, each time for what `next` says.
fn closed_loop(scene: &Scene, mut next: impl FnMut() -> Load) -> Figures {
    let mut world = World::new(scene);
    for caller in 0..u32::try_from(scene.callers).unwrap() {
        world.ask(caller, next());
    }
    while world.now < scene.lasts {
        let caller = world.answer().expect("somebody is always asking");
        world.ask(caller, next());
    }
    world.latencies.sort_unstable();
    Figures { latencies: world.latencies }
}

/// Mostly quick queries, and some that take 200 ms.
fn mix(slow_statement: Statement, slow_share: f64) -> impl FnMut() -> Load {
    let mut random = Random::new(7);
    move || {
        if random.fraction() < slow_share {
            Load { statement: slow_statement, service: ms(200), is_quick: false }
        } else {
            Load { statement: QUICK, service: us(20).mul_f64(0.5 + random.fraction()), is_quick: true }
        }
    }
}

fn with_and_without_sharing(scene: Scene, load: impl Fn() -> Box<dyn FnMut() -> Load>) -> (Figures, Figures) {
    let shared = closed_loop(&scene, load());
    let alone = closed_loop(&Scene { is_shared: false, ..scene }, load());
    (shared, alone)
}

#[test]
fn quick_queries_do_not_suffer_from_slow_ones_of_another_text() {
    for distance in [us(100), ms(1), ms(50)] {
        let (shared, alone) = with_and_without_sharing(Scene::new(50, distance), || Box::new(mix(SLOW, 0.02)));
        assert!(shared.percentile(99.0) <= alone.percentile(99.0), "at {distance:?}");
        assert!(shared.percentile(50.0) <= alone.percentile(50.0), "at {distance:?}");
        assert!(shared.count() >= alone.count(), "at {distance:?}");
    }
}

#[test]
fn an_erratic_text_is_run_as_if_each_query_had_a_connection_alone() {
    for distance in [us(100), ms(1)] {
        let (shared, alone) = with_and_without_sharing(Scene::new(50, distance), || Box::new(mix(QUICK, 0.02)));
        assert!(shared.percentile(99.0).as_secs_f64() <= alone.percentile(99.0).as_secs_f64() * 1.1, "{distance:?}");
        assert!(shared.count() * 100 >= alone.count() * 95, "at {distance:?}");
    }
}

/// Quick queries, of which some are held up: by the machine, and not by what they do.
fn on_a_busy_machine() -> impl FnMut() -> Load {
    let mut random = Random::new(7);
    move || {
        let is_held_up = random.fraction() < 0.04;
        let service = us(60) + if is_held_up { ms(15).mul_f64(random.fraction()) } else { us(0) };
        Load { statement: QUICK, service, is_quick: true }
    }
}

#[test]
fn a_machine_that_holds_up_all_statements_at_times_does_not_end_the_sharing() {
    let (shared, alone) = with_and_without_sharing(Scene::new(100, ms(1)), || Box::new(on_a_busy_machine()));
    assert!(shared.count() * 10 >= alone.count() * 24, "{} and {}", shared.count(), alone.count());
    assert!(shared.percentile(50.0) <= alone.percentile(50.0) / 2);
}

#[test]
fn quick_queries_fill_the_way_to_the_server() {
    for (distance, is_distance_known) in
        [(us(100), true), (us(100), false), (ms(1), true), (ms(1), false), (ms(50), true)]
    {
        for callers in [100, 1_000] {
            let scene = Scene { is_distance_known, lasts: ms(500) + distance * 50, ..Scene::new(callers, distance) };
            let figures = closed_loop(&scene, mix(SLOW, 0.0));
            // What ten servers can do, or the callers together.
            let round = distance.as_secs_f64() + 20e-6 * f64::from(u32::try_from(callers).unwrap()) / 10.0;
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let share = figures.count() as f64 / (callers as f64 * scene.lasts.as_secs_f64() / round);
            assert!(
                share > 0.9,
                "{callers} callers at {distance:?} ({is_distance_known}): {share:.2} of what there is"
            );
        }
    }
}

#[test]
fn five_slow_queries_hold_up_none_of_two_hundred_quick_ones() {
    for distance in [us(100), ms(1), ms(50)] {
        let worst = |is_shared| {
            let scene = Scene { is_shared, ..Scene::new(0, distance) };
            let mut world = World::new(&scene);
            for caller in 0..5 {
                world.ask(caller, Load { statement: SLOW, service: ms(500), is_quick: false });
            }
            for caller in 5..205 {
                world.ask(caller, Load { statement: QUICK, service: us(20), is_quick: true });
            }
            while world.answer().is_some() {}
            world.latencies.sort_unstable();
            Figures { latencies: world.latencies }.worst()
        };
        assert!(worst(true) <= worst(false), "at {distance:?}: {:?}, alone {:?}", worst(true), worst(false));
    }
}
