//! The environments of this thread, by number.
//!
//! JavaScript keeps the functions that `attach` gave it for as long as it likes, and an environment is freed when
//! nothing uses it any more (`Environment::is_dispensable`). So there is a number behind each function, not a pointer: with
//! the number of an environment that is gone it finds none.

use std::cell::RefCell;
use std::ffi::c_void;

use crate::environment::Environment;

/// Names an environment for as long as its thread lives; never 0, and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attachment(usize);

struct Attached {
    latest: usize,
    /// Hardly ever more than one: an environment for each copy of the module.
    environments: Vec<(Attachment, *mut Environment)>,
}

thread_local! {
    static ATTACHED: RefCell<Attached> = const { RefCell::new(Attached { latest: 0, environments: Vec::new() }) };
}

/// Gives an environment its number.
pub(crate) fn add(environment: *mut Environment) -> Attachment {
    ATTACHED.with_borrow_mut(|attached| {
        attached.latest += 1;
        let attachment = Attachment(attached.latest);
        attached.environments.push((attachment, environment));
        attachment
    })
}

/// From now on the environment is not found.
pub(crate) fn remove(attachment: Attachment) {
    ATTACHED.with_borrow_mut(|attached| attached.environments.retain(|(known, _)| *known != attachment));
}

impl Attachment {
    /// As the data behind a function of Node-API's.
    pub(crate) fn into_data(self) -> *mut c_void {
        std::ptr::without_provenance_mut(self.0)
    }

    /// The environment behind a function's data.
    pub(crate) fn find(data: *mut c_void) -> Option<*mut Environment> {
        let wanted = Self(data.addr());
        ATTACHED.with_borrow(|attached| {
            attached.environments.iter().find(|(known, _)| *known == wanted).map(|(_, environment)| *environment)
        })
    }
}
