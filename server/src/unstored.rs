//! Which machines have executions that are open and not stored: those of EXPRESS machines.
//!
//! The store knows of an open execution only if it keeps it. A machine that is deleted has to know of the
//! others too, since it is *deleting* as long as there are any. Not known here: what an execution is.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

/// The open ones of a server, by the ARN of their machine. Cloning is a reference count.
#[derive(Clone, Default)]
pub struct Unstored(Arc<Mutex<HashMap<Arc<str>, usize>>>);

impl Unstored {
    /// Whether any of this machine's are open.
    pub fn any(&self, machine: &str) -> bool {
        self.0.lock().contains_key(machine)
    }

    /// Counts one, until what is returned is dropped.
    pub fn open(&self, machine: &Arc<str>) -> Open {
        *self.0.lock().entry(machine.clone()).or_default() += 1;
        Open {
            all: self.clone(),
            machine: machine.clone(),
        }
    }
}

/// An execution that is open.
pub struct Open {
    all: Unstored,
    machine: Arc<str>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        if let Some(open) = all.get_mut(&self.machine) {
            *open -= 1;
            if *open == 0 {
                all.remove(&self.machine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_open_executions_until_the_last_has_ended() {
        let (all, machine) = (Unstored::default(), Arc::from("m"));
        let (first, second) = (all.open(&machine), all.open(&machine));
        drop(first);
        assert!(all.any("m") && !all.any("n"));
        drop(second);
        assert!(!all.any("m"));
        assert!(all.0.lock().is_empty(), "nothing is kept of what is over");
    }
}
