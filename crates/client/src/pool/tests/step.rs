//! What may happen to a pool, at random.

use proptest::prelude::*;

use crate::pool::OpenFailure;

/// What may happen to a pool. Numbers choose among what is there.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Request {
        is_lease: bool,
        timeout_ms: Option<u64>,
    },
    Shared,
    /// Several shared queries at once.
    Burst(u8),
    FinishQuery(usize),
    /// A query did not run where it was: it comes back.
    ReturnQuery(usize),
    /// The caller of a query leaves.
    AbandonQuery(usize),
    Look,
    Written(usize),
    Release {
        which: usize,
        is_dirty: bool,
    },
    ReleaseWrongly(u32),
    ResetDone {
        which: usize,
        is_ok: bool,
    },
    OpenSucceeds(usize),
    OpenFails {
        which: usize,
        failure: OpenFailure,
    },
    Lost(usize),
    GiveUp(usize),
    Wait(u64),
    WaitForDeadline,
    ExpireAll,
    /// The driver does not ask for actions before the next step.
    Defer,
    /// The next shared query that is granted is not started: its caller is gone.
    DropNextShare,
    Close,
    Terminate,
}

fn open_failure() -> impl Strategy<Value = OpenFailure> {
    prop_oneof![
        2 => Just(OpenFailure::Transient),
        1 => Just(OpenFailure::Unreachable),
        1 => Just(OpenFailure::Final),
        1 => Just(OpenFailure::Refused),
    ]
}

/// Something that happens, likely things more often than others.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..1_000;
    let timeout = prop::option::of(0_u64..400);
    prop_oneof![
        6 => (any::<bool>(), timeout).prop_map(|(is_lease, timeout_ms)| Step::Request { is_lease, timeout_ms }),
        8 => Just(Step::Shared),
        1 => (1_u8..40).prop_map(Step::Burst),
        12 => which.clone().prop_map(Step::FinishQuery),
        1 => which.clone().prop_map(Step::ReturnQuery),
        2 => which.clone().prop_map(Step::AbandonQuery),
        3 => Just(Step::Look),
        3 => which.clone().prop_map(Step::Written),
        8 => (which.clone(), any::<bool>()).prop_map(|(which, is_dirty)| Step::Release { which, is_dirty }),
        1 => (0_u32..200).prop_map(Step::ReleaseWrongly),
        5 => (which.clone(), prop::bool::weighted(0.8)).prop_map(|(which, is_ok)| Step::ResetDone { which, is_ok }),
        8 => which.clone().prop_map(Step::OpenSucceeds),
        3 => (which.clone(), open_failure()).prop_map(|(which, failure)| Step::OpenFails { which, failure }),
        2 => which.clone().prop_map(Step::Lost),
        2 => which.prop_map(Step::GiveUp),
        5 => (0_u64..30).prop_map(Step::Wait),
        1 => (0_u64..2_000).prop_map(Step::Wait),
        3 => Just(Step::WaitForDeadline),
        1 => Just(Step::ExpireAll),
        8 => Just(Step::Defer),
        1 => Just(Step::DropNextShare),
    ]
}
