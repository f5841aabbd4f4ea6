//! A disk that is full: what can't be stored is not acknowledged, and what was acknowledged is there.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use store::log::Sizes;
use store::log::disk::{Disk, File, Memory};

use super::*;

/// A disk of so many bytes.
#[derive(Default)]
struct Small {
    files: Memory,
    room: AtomicU64,
}

impl Small {
    fn take(&self, bytes: u64) -> io::Result<()> {
        let taken = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(bytes)
            });
        taken
            .map(drop)
            .map_err(|_| io::ErrorKind::StorageFull.into())
    }
}

impl Disk for Small {
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        self.take(bytes)?;
        self.files.create(name, bytes)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.files.open(name)
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.take(content.len() as u64)?;
        self.files.replace(name, content)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn place(&self) -> String {
        "a small disk".into()
    }
}

fn world_on(disk: &Arc<Small>, clock: &Clock, engine: &Arc<Fake>) -> World {
    let sizes = Sizes {
        first: 8 << 10,
        largest: 8 << 10,
        slack: 1 << 30,
    };
    let (store, _) = Store::open_on(disk.clone(), sizes).expect("the store opens");
    World::on(vec![route()], clock.clone(), store, engine.clone()).expect("the route is right")
}

/// That it was counted is an acknowledgement too.
#[tokio::test]
async fn on_a_full_disk_nobody_hears_that_a_callback_was_counted_as_refused() {
    let disk = Arc::new(Small::default());
    disk.room.store(200_000, Ordering::Relaxed);
    let (clock, engine) = (Clock::standing_at(START), Arc::<Fake>::default());
    let mut route = route();
    route["rate"] = json!({ "per_second": 1, "burst": 2 });
    let open = || {
        let sizes = Sizes {
            first: 8 << 10,
            largest: 8 << 10,
            slack: 1 << 30,
        };
        let (store, _) = Store::open_on(disk.clone(), sizes).expect("the store opens");
        World::on(vec![route.clone()], clock.clone(), store, engine.clone())
            .expect("the route is right")
    };
    let world = open();
    let mut heard = Vec::new();
    for _ in 0..10 {
        heard.push(world.call_back(json!({"ref": "r1"})).await);
    }
    assert_eq!(
        heard.pop(),
        Some(took(429, "rate-limited")),
        "the third of the others"
    );
    disk.room.store(0, Ordering::Relaxed);
    let token = world.engine.open(1, 1);
    let mut number = 0;
    while world.register(&format!("fill-{number}"), &token).await.0 != 503 {
        number += 1;
    }
    // The fourth is to be stored; none after it is only counted.
    for _ in 0..20 {
        let heard = world.call_back(json!({"ref": "r1"})).await;
        assert_eq!(heard, took(503, "undeliverable"));
    }
    drop(world);
    disk.room.store(10_000_000, Ordering::Relaxed);
    let world = open();
    world.pass(61).await;
    let (_, said) = world
        .get("/rejoin/deliveries?disposition=rate-limited")
        .await;
    let newest = &said["deliveries"][0];
    let note = newest["note"].as_str().expect("a note");
    assert!(note.starts_with("At least 2 more"), "{newest}");
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_loses_nothing() {
    let disk = Arc::new(Small::default());
    disk.room.store(200_000, Ordering::Relaxed);
    let (clock, engine) = (Clock::standing_at(START), Arc::<Fake>::default());
    let world = world_on(&disk, &clock, &engine);
    let mut taken = Vec::new();
    // Until the disk is full, however much each needs: registered, early and malformed ones.
    let (refused, tried) = loop {
        let number = taken.len() as u32;
        let reference = format!("r{number}");
        let token = engine.open(1, number);
        let (status, said) = world.register(&reference, &token).await;
        if status == 503 {
            assert_eq!(said["error"], "Unavailable", "{said}");
            break (reference, number);
        }
        let body = json!({"ref": reference}).to_string();
        let reply = world.send(Method::POST, "/callbacks/valuation", body).await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        if reply.status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(reply.headers.contains(&("Retry-After", "5".to_owned())));
            assert_eq!(said["deliveryId"], Value::Null, "nothing is kept: {said}");
            break (reference, number);
        }
        assert_eq!(said["disposition"], "delivered", "{said}");
        taken.push(said["deliveryId"].clone());
    };
    assert!(taken.len() > 20, "only {} fitted", taken.len());
    // It stays so, for every kind.
    for body in [
        json!({"ref": "r0"}),
        json!({"ref": "new"}),
        json!("malformed"),
    ] {
        let (status, disposition) = world.call_back(body).await;
        assert_eq!((status, disposition.as_str()), (503, "undeliverable"));
    }
    let completions = engine.0.lock().completions;
    drop(world);

    // Somebody makes room and starts it again.
    disk.room.store(10_000_000, Ordering::Relaxed);
    let world = world_on(&disk, &clock, &engine);
    world.pass(5).await;
    for id in &taken {
        let path = format!("/rejoin/deliveries/{}", id.as_str().expect("text"));
        let (status, kept) = world.get(&path).await;
        assert_eq!(
            (status, &kept["disposition"]),
            (StatusCode::OK, &json!("delivered"))
        );
    }
    // The third party sends again what was not acknowledged.
    let token = token(1, tried);
    assert_eq!(world.register(&refused, &token).await.0, 200);
    let (status, disposition) = world.call_back(json!({"ref": refused})).await;
    assert_eq!(status, 200, "{disposition}");
    assert_eq!(
        engine.0.lock().completions,
        taken.len() + 1,
        "after {completions}"
    );
}
