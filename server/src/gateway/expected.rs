//! Waits that are open and may still register a reference: they make the difference between a
//! callback that is early and one that nobody will ever know.

use engine::{ExecutionKey, WaitId};
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

/// The waits that routes expect references from. In memory: after a restart, tasks whose request was
/// not taken yet are dispatched again and announced again; one that was taken and whose worker has
/// not registered is not, so a callback for it counts as unknown until it is registered.
#[derive(Default)]
pub(super) struct Expected {
    /// `MACHINE.STATE` to the routes that expect it; never changes.
    routes: HashMap<String, Vec<usize>>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    waits: HashSet<(ExecutionKey, WaitId, usize)>,
    /// How many of them each route has.
    counts: HashMap<usize, usize>,
}

impl Expected {
    /// From the `expects` of each route, in the order of the routes.
    pub fn new<'a>(expects: impl Iterator<Item = &'a [String]>) -> Expected {
        let mut routes: HashMap<String, Vec<usize>> = HashMap::new();
        for (route, names) in expects.enumerate() {
            for name in names {
                routes.entry(name.clone()).or_default().push(route);
            }
        }
        Expected {
            routes,
            open: Mutex::default(),
        }
    }

    /// A task is about to be handed to its resource, with a token.
    pub fn opened(
        &self,
        execution: ExecutionKey,
        wait: WaitId,
        state_machine_arn: &str,
        state_name: &str,
    ) {
        if self.routes.is_empty() {
            return;
        }
        let machine = state_machine_arn.rsplit(':').next().unwrap_or_default();
        let Some(routes) = self.routes.get(format!("{machine}.{state_name}").as_str()) else {
            return;
        };
        let mut open = self.open.lock();
        for &route in routes {
            if open.waits.insert((execution, wait, route)) {
                *open.counts.entry(route).or_default() += 1;
            }
        }
    }

    /// The wait is over, or it is registered on this route: nothing more is to come.
    pub fn settled(&self, execution: ExecutionKey, wait: WaitId, route: Option<usize>) {
        if self.routes.is_empty() {
            return;
        }
        let mut open = self.open.lock();
        if open.waits.is_empty() {
            return;
        }
        let routes = match route {
            Some(route) => route..route + 1,
            None => {
                0..self
                    .routes
                    .values()
                    .flatten()
                    .max()
                    .map_or(0, |max| max + 1)
            }
        };
        for route in routes {
            if open.waits.remove(&(execution, wait, route))
                && let Some(count) = open.counts.get_mut(&route)
            {
                *count -= 1;
            }
        }
    }

    /// Whether a wait is open that may still register a reference on the route.
    pub fn any(&self, route: usize) -> bool {
        self.open
            .lock()
            .counts
            .get(&route)
            .is_some_and(|&count| count > 0)
    }
}
