//! COPY in a call that has no data for it, or no use for its data (rule 6).

use super::course::Turn;
use super::failure::Failure;

const COPY_FAIL: &str = "this call cannot feed COPY FROM STDIN";
const COPY_IN: &str =
    "COPY … FROM STDIN cannot run through execute() or fetch(): use copyToTable() or copyRecordsToTable()";
const COPY_OUT: &str =
    "COPY … TO STDOUT cannot run through execute() or fetch(): use copyFromTable() or copyFromQuery()";

/// Answers a CopyInResponse. `is_single`: nothing but the COPY was to be executed, so nothing was.
pub(super) fn refuse_in<S>(turn: &mut Turn<'_, S>, is_single: bool) {
    turn.shared.output.copy_fail(COPY_FAIL);
    turn.course.end = turn.shared.output.end();
    turn.course.fail(failure(COPY_IN, is_single));
}

/// Notes that the data behind a CopyOutResponse is not wanted.
pub(super) fn refuse_out<S>(turn: &mut Turn<'_, S>, is_single: bool) {
    turn.course.fail(failure(COPY_OUT, is_single));
}

fn failure(message: &str, is_single: bool) -> Failure {
    Failure { is_safe_to_retry: is_single, ..Failure::interface(message) }
}
