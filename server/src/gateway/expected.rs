//! Waits that are open and may still register a reference: they make the difference between a
//! callback that is early and one that nobody will ever know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{ExecutionKey, WaitId};
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};

use super::route::Route;

/// The waits that routes expect references from. In memory; what was open at a start of the server is
/// found out by `recall`.
#[derive(Default)]
pub(super) struct Expected {
    /// Whether waits may be open that nobody has told of yet.
    recalling: AtomicBool,
    /// `MACHINE.STATE` to the names of the routes that expect it.
    routes: RwLock<HashMap<String, Vec<Arc<str>>>>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// Each wait, with the routes that it may still register on.
    waits: HashMap<(ExecutionKey, WaitId), Vec<Arc<str>>>,
    /// How many of them each route has.
    counts: HashMap<Arc<str>, usize>,
}

impl Expected {
    /// A route is there from now on.
    pub fn add(&self, route: &Route) {
        let name: Arc<str> = route.name.as_str().into();
        let mut routes = self.routes.write();
        for task in &route.expects {
            let expecting = routes.entry(task.clone()).or_default();
            // It may say the same task twice.
            if !expecting.contains(&name) {
                expecting.push(name.clone());
            }
        }
    }

    /// A route is no longer there.
    pub fn remove(&self, name: &str) {
        self.routes.write().retain(|_, expecting| {
            expecting.retain(|route| &**route != name);
            !expecting.is_empty()
        });
        let mut open = self.open.lock();
        for routes in open.waits.values_mut() {
            routes.retain(|route| &**route != name);
        }
        open.waits.retain(|_, routes| !routes.is_empty());
        open.counts.remove(name);
    }

    /// The routes that expect references of this task.
    pub fn by(&self, state_machine_arn: &str, state_name: &str) -> Vec<Arc<str>> {
        let routes = self.routes.read();
        if routes.is_empty() {
            return Vec::new();
        }
        let machine = state_machine_arn.rsplit(':').next().unwrap_or_default();
        let task = format!("{machine}.{state_name}");
        routes.get(task.as_str()).cloned().unwrap_or_default()
    }

    /// What was open before has to be found out, if any route expects anything: until
    /// [`Expected::recalled`], any wait may be open.
    pub fn begin_recalling(&self) -> bool {
        let any = !self.routes.read().is_empty();
        self.recalling.store(any, Ordering::Release);
        any
    }

    /// All that was open has been told of.
    pub fn recalled(&self) {
        self.recalling.store(false, Ordering::Release);
    }

    /// A task is about to be handed to its resource, with a token, or has been. Says whether any route
    /// expects it.
    pub fn opened(
        &self,
        execution: ExecutionKey,
        wait: WaitId,
        state_machine_arn: &str,
        state_name: &str,
    ) -> bool {
        let expecting = self.by(state_machine_arn, state_name);
        if expecting.is_empty() {
            return false;
        }
        let mut open = self.open.lock();
        // It is announced again if it is dispatched again.
        if open
            .waits
            .insert((execution, wait), expecting.clone())
            .is_none()
        {
            for route in expecting {
                *open.counts.entry(route).or_default() += 1;
            }
        }
        true
    }

    /// The wait is over, or it is registered on this route: nothing more is to come.
    pub fn settled(&self, execution: ExecutionKey, wait: WaitId, route: Option<&str>) {
        let mut open = self.open.lock();
        let Some(mut routes) = open.waits.remove(&(execution, wait)) else {
            return;
        };
        routes.retain(|name| {
            let other = route.is_some_and(|route| route != &**name);
            if !other && let Some(count) = open.counts.get_mut(name) {
                *count -= 1;
            }
            other
        });
        if !routes.is_empty() {
            open.waits.insert((execution, wait), routes);
        }
    }

    /// Whether a wait is open that may still register a reference on the route.
    pub fn any(&self, route: &str) -> bool {
        self.recalling.load(Ordering::Acquire)
            || self
                .open
                .lock()
                .counts
                .get(route)
                .is_some_and(|&count| count > 0)
    }
}
