//! Deliveries that are on their way to the engine right now, in this process.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::watch;

/// The deliveries in flight, by id. Cloning is a reference count.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<String, watch::Receiver<()>>>>);

/// One delivery's flight; it lands when this is dropped.
pub(super) struct Flight {
    flights: Flights,
    id: String,
    _landing: watch::Sender<()>,
}

impl Flights {
    /// Takes off, if the delivery is not in the air already.
    pub fn begin(&self, id: &str) -> Option<Flight> {
        let mut flights = self.0.lock();
        if flights.contains_key(id) {
            return None;
        }
        let (landing, landed) = watch::channel(());
        flights.insert(id.to_owned(), landed);
        Some(Flight {
            flights: self.clone(),
            id: id.to_owned(),
            _landing: landing,
        })
    }

    /// Returns when the delivery has landed; at once if it is not in the air.
    pub async fn landed(&self, id: &str) {
        let landed = self.0.lock().get(id).cloned();
        if let Some(mut landed) = landed {
            // An error is the landing: the sender is dropped then, and never sends.
            let _ = landed.changed().await;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.0.lock().remove(&self.id);
    }
}
