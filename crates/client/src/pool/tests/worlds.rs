//! Random sequences of everything that may happen; `world.rs` says what must always hold.

use proptest::prelude::*;

use super::step::{Step, step};
use super::world::World;
use super::*;

fn limits() -> impl Strategy<Value = PoolOptions> {
    let sizes = (1_usize..8).prop_flat_map(|max_size| (0..=max_size, Just(max_size)));
    let lifetime = || prop::option::of((10_u64..3_000).prop_map(ms));
    let queries = prop_oneof![Just(0_u64), 1_u64..20];
    let sharing = prop::bool::weighted(0.85);
    (sizes, queries, lifetime(), lifetime(), prop::option::of((1_u64..2_000).prop_map(ms)), sharing).prop_map(
        |((min_size, max_size), max_queries, max_inactive_lifetime, max_lifetime, acquire_timeout, sharing)| {
            PoolOptions {
                min_size,
                max_size,
                max_queries,
                max_inactive_lifetime,
                max_lifetime,
                lifetime_jitter: 0.025,
                acquire_timeout,
                share_connections: sharing,
            }
        },
    )
}

/// Worlds of 75 steps on average: 14 000, a million steps, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(14_000);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_the_pool_keeps_its_promises(
        options in limits(),
        seed: u64,
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut world = World::new(options, seed);
        for step in &steps {
            world.step(step);
        }
        world.calm_down();
        world.end();
    }

    #[test]
    fn a_pool_that_ends_in_the_midst_of_things_ends_once(
        options in limits(),
        seed: u64,
        steps in prop::collection::vec(step(), 0..60),
        is_terminated: bool,
        rest in prop::collection::vec(step(), 0..40),
    ) {
        let mut world = World::new(options, seed);
        for step in &steps {
            world.step(step);
        }
        world.step(if is_terminated { &Step::Terminate } else { &Step::Close });
        for step in &rest {
            world.step(step);
        }
        world.end();
    }
}
