//! Connections that do not answer any more are given up, and no others.

use proptest::prelude::*;

use super::super::{Guards, Look, Owed};
use super::ms;

#[test]
fn a_head_that_stands_still_for_its_limit_is_given_up() {
    let mut guards = Guards::default();
    assert_eq!(guards.look(ms(100), 1, 7, Some(Owed::Reset)), Look::Waits);
    assert_eq!(guards.next_due(), Some(ms(2_100)));
    assert_eq!(guards.pop_due(ms(2_099)), None);
    assert_eq!(guards.pop_due(ms(2_100)), Some(1));
    assert_eq!(guards.look(ms(2_100), 1, 7, Some(Owed::Reset)), Look::GivesUp);
    assert_eq!((guards.next_due(), guards.pop_due(ms(9_999))), (None, None));
}

#[test]
fn looking_again_before_the_time_is_up_gives_no_more_time() {
    let mut guards = Guards::default();
    for milliseconds in [0, 1_000, 1_500] {
        assert_eq!(guards.look(ms(milliseconds), 1, 7, Some(Owed::Reset)), Look::Waits);
    }
    assert_eq!(guards.next_due(), Some(ms(2_000)));
}

#[test]
fn a_second_abandoned_call_is_guarded_when_the_first_was_answered_in_time() {
    let mut guards = Guards::default();
    assert_eq!(guards.look(ms(0), 1, 7, Some(Owed::Abandoned)), Look::Waits);
    // The first was interrupted; then the network died.
    assert_eq!(guards.look(ms(1_900), 1, 8, Some(Owed::Abandoned)), Look::Waits);
    assert_eq!(guards.look(ms(3_800), 1, 8, Some(Owed::Abandoned)), Look::Presses);
    assert_eq!(guards.pop_due(ms(3_899)), None);
    assert_eq!(guards.pop_due(ms(3_900)), Some(1));
    assert_eq!(guards.look(ms(3_900), 1, 8, Some(Owed::Abandoned)), Look::GivesUp);
}

#[test]
fn an_abandoned_head_is_pressed_now_and_then_and_given_up_at_its_limit() {
    for (owed, limit_ms) in [(Owed::Abandoned, 2_000), (Owed::AbandonedAlone, 5_000)] {
        let mut guards = Guards::default();
        let mut now_ms = 0;
        let mut presses = Vec::new();
        loop {
            match guards.look(ms(now_ms), 1, 7, Some(owed)) {
                Look::Waits => {}
                Look::Presses => presses.push(now_ms),
                Look::GivesUp => break,
            }
            // Others leave meanwhile: it is not pressed more often for it.
            assert_eq!(guards.look(ms(now_ms + 1), 1, 7, Some(owed)), Look::Waits);
            now_ms = u64::try_from(guards.next_due().unwrap().as_millis()).unwrap();
            assert_eq!(guards.pop_due(ms(now_ms)), Some(1));
        }
        assert_eq!(now_ms, limit_ms);
        assert_eq!(presses[..3], [50, 550, 1_050]);
        assert!(presses.windows(2).all(|pair| pair[1] - pair[0] == 500));
    }
}

#[test]
fn calls_that_a_lease_left_have_a_minute_and_the_reset_behind_them_two_seconds() {
    let mut guards = Guards::default();
    for seconds in (0..60).step_by(2) {
        assert_eq!(guards.look(ms(seconds * 1_000), 1, 7, Some(Owed::Leftover)), Look::Waits);
        assert_eq!(guards.pop_due(ms((seconds + 2) * 1_000)), Some(1));
    }
    assert_eq!(guards.look(ms(60_000), 1, 8, Some(Owed::Reset)), Look::Waits);
    assert_eq!(guards.pop_due(ms(62_000)), Some(1));
    assert_eq!(guards.look(ms(62_000), 1, 8, Some(Owed::Reset)), Look::GivesUp);
    assert_eq!(guards.look(ms(0), 2, 7, Some(Owed::Leftover)), Look::Waits);
    assert_eq!(guards.look(ms(60_000), 2, 7, Some(Owed::Leftover)), Look::GivesUp);
}

#[test]
fn a_caller_in_front_may_take_his_time() {
    let mut guards = Guards::default();
    assert_eq!(guards.look(ms(0), 1, 7, Some(Owed::Ahead)), Look::Waits);
    for seconds in 1..100 {
        let now = ms(2_000 * seconds);
        assert_eq!(guards.pop_due(now), Some(1));
        assert_eq!(guards.look(now, 1, 7, Some(Owed::Ahead)), Look::Waits);
    }
}

#[test]
fn what_owes_nothing_any_more_is_forgotten() {
    let mut guards = Guards::default();
    assert_eq!(guards.look(ms(0), 1, 7, Some(Owed::Abandoned)), Look::Waits);
    assert_eq!(guards.look(ms(0), 2, 7, Some(Owed::Abandoned)), Look::Waits);
    assert_eq!(guards.look(ms(10), 1, 8, None), Look::Waits);
    guards.forget(2);
    assert_eq!(guards.next_due(), None);
}

/// What may happen to the one connection of the model.
#[derive(Clone, Debug)]
enum Step {
    Send,
    /// The caller of one of those in the pipeline leaves.
    Leave(prop::sample::Index),
    /// Its lease ends: a reset goes behind what is in flight.
    Release,
    /// The server answers the head.
    Answer,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Send),
        2 => any::<prop::sample::Index>().prop_map(Step::Leave),
        1 => Just(Step::Release),
        3 => Just(Step::Answer),
        3 => (1_u64..3_000).prop_map(Step::Wait),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Waiting,
    Left,
    Reset,
}

/// A pipeline, the guards of its connection, and a clock. Nothing but guards tells when it is given up.
#[derive(Default)]
struct Model {
    guards: Guards,
    now_ms: u64,
    pipeline: Vec<Call>,
    head: u64,
    /// Since when the head has stood where it is, owing what it owes.
    still_since_ms: u64,
    is_given_up: bool,
}

impl Model {
    fn owed(&self) -> Option<Owed> {
        let is_resetting = self.pipeline.contains(&Call::Reset);
        let has_limit = is_resetting || self.pipeline.contains(&Call::Left);
        self.pipeline.first().filter(|_| has_limit).map(|head| match head {
            Call::Left => Owed::Abandoned,
            Call::Reset => Owed::Reset,
            Call::Waiting if is_resetting => Owed::Leftover,
            Call::Waiting => Owed::Ahead,
        })
    }

    /// Changes the pipeline; the driver has the guards look only when something begins to have a limit.
    fn change(&mut self, looks: bool, change: impl FnOnce(&mut Self)) {
        let before = (self.head, self.owed());
        change(self);
        if (self.head, self.owed()) != before {
            self.still_since_ms = self.now_ms;
        }
        if looks {
            self.look();
        }
    }

    fn look(&mut self) {
        if self.guards.look(ms(self.now_ms), 1, self.head, self.owed()) == Look::GivesUp {
            self.is_given_up = true;
            let owed = self.owed().expect("only what owes something is given up");
            let limit = owed.limit().expect("nobody waits for the head");
            let limit_ms = u64::try_from(limit.as_millis()).unwrap();
            let still_ms = self.now_ms - self.still_since_ms;
            assert!(still_ms >= limit_ms, "given up after {still_ms} of {limit_ms} ms");
        }
    }

    /// Time passes, and the guards' timer fires when it is due.
    fn wait(&mut self, milliseconds: u64) {
        let until_ms = self.now_ms + milliseconds;
        while let Some(due) = self.guards.next_due().filter(|due| *due <= ms(until_ms) && !self.is_given_up) {
            self.now_ms = self.now_ms.max(u64::try_from(due.as_millis()).unwrap());
            assert_eq!(self.guards.pop_due(ms(self.now_ms)), Some(1));
            self.look();
        }
        self.now_ms = until_ms;
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send => self.change(false, |model| model.pipeline.push(Call::Waiting)),
            Step::Leave(index) if !self.pipeline.is_empty() => self.change(true, |model| {
                let call = index.index(model.pipeline.len());
                if model.pipeline[call] == Call::Waiting {
                    model.pipeline[call] = Call::Left;
                }
            }),
            Step::Release if !self.pipeline.contains(&Call::Reset) => {
                self.change(true, |model| model.pipeline.push(Call::Reset));
            }
            Step::Answer if !self.pipeline.is_empty() => self.change(false, |model| {
                model.pipeline.remove(0);
                model.head += 1;
            }),
            Step::Wait(milliseconds) => self.wait(milliseconds),
            Step::Leave(_) | Step::Release | Step::Answer => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// After anything that may happen, a server that falls silent costs its slot for a bounded time, if nobody waits
    /// for the head; and (see `Model::look`) no head is given up before it has stood still for its limit.
    #[test]
    fn a_connection_that_falls_silent_is_given_up_in_time(steps in prop::collection::vec(step(), 0..60)) {
        let mut model = Model::default();
        for step in steps {
            if !model.is_given_up {
                model.take(step);
            }
        }
        let limit = model.owed().and_then(Owed::limit);
        if let Some(limit) = limit.filter(|_| !model.is_given_up) {
            let longest_ms = u64::try_from(limit.as_millis()).unwrap() + 2_000;
            model.wait(longest_ms);
            prop_assert!(model.is_given_up, "{:?} is still there after {longest_ms} ms", model.pipeline);
        }
        if model.owed().is_none() {
            model.wait(60_000);
            prop_assert!(!model.is_given_up && model.guards.next_due().is_none());
        }
    }
}
