//! What is forgotten: by age and by size, and never what is still wanted.

use super::*;
use crate::gateway::InboxLimits;

const DAY: i64 = 86_400;

fn two_routes() -> Vec<Value> {
    let mut brief = route();
    brief["name"] = json!("brief");
    brief["path"] = json!("/callbacks/brief");
    brief["inbox_keep_days"] = json!(1);
    vec![route(), brief]
}

impl World {
    async fn left(&self) -> Vec<(String, String)> {
        let (_, said) = self.get("/rejoin/deliveries?order=oldest").await;
        let all = said["deliveries"].as_array().expect("a list").iter();
        all.map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            (text("route"), text("reference"))
        })
        .collect()
    }

    async fn call_brief(&self, reference: &str) {
        let body = json!({"ref": reference}).to_string();
        self.send(Method::POST, "/callbacks/brief", body).await;
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = expected.iter();
    owned
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[tokio::test]
async fn each_route_keeps_its_callbacks_as_long_as_it_says() {
    let world = World::with(two_routes()).expect("routes");
    world.gateway.limit_inbox(InboxLimits {
        keep_days: 3,
        ..InboxLimits::default()
    });
    world.call_back(json!({"ref": "a"})).await;
    world.call_brief("b").await;
    world.pass(2 * DAY).await;
    world.call_brief("c").await;
    world.gateway.sweep().await.expect("the store works");
    assert_eq!(
        world.left().await,
        pairs(&[("valuation", "a"), ("brief", "c")])
    );
    world.pass(2 * DAY).await;
    world.gateway.sweep().await.expect("the store works");
    assert_eq!(world.left().await, []);
    world.keys_are_right().await;
}

#[tokio::test]
async fn the_oldest_go_when_there_are_too_many_but_not_what_is_still_wanted() {
    let mut small = route();
    small["inbox_bytes_max"] = json!(6000);
    let world = World::with(vec![small]).expect("a route");
    // Kept for its reference, and on its way: these stay, whatever comes.
    world.wait_announced(1, 1);
    world.call_back(json!({"ref": "early"})).await;
    let token = world.engine.open(2, 1);
    world.register("open", &token).await;
    world.engine.0.lock().down = true;
    world.call_back(json!({"ref": "open"})).await;
    for number in 0..30 {
        world.pass(1).await;
        world.call_back_raw(format!("no JSON {number}")).await;
    }
    world.gateway.sweep().await.expect("the store works");
    let left = world.left().await;
    assert_eq!(
        left[..2],
        pairs(&[("valuation", "early"), ("valuation", "open")])
    );
    assert!((3..20).contains(&left.len()), "{}", left.len());
    let newest = world.listed("?limit=1").await.remove(0);
    assert_eq!(
        world.get(&format!("/rejoin/deliveries/{newest}")).await.1["body"],
        "no JSON 29"
    );
    let mut bytes = 0;
    for (_, document) in world
        .store
        .scan(Table::Delivery, "", None, 100, false)
        .await
        .expect("readable")
    {
        bytes += document.content.len();
    }
    assert!(bytes < 6000 + 3000, "{bytes}");
    world.keys_are_right().await;
    // What was kept is delivered all the same.
    let token = world.engine.open(1, 1);
    world.engine.0.lock().down = false;
    world.register("early", &token).await;
    assert_eq!(world.engine.0.lock().completions, 1);
}

#[tokio::test]
async fn much_at_once_is_noticed_without_an_hour_passing_and_no_timer_is_left() {
    let world = World::new();
    world.gateway.limit_inbox(InboxLimits {
        keep_days: 90,
        bytes_max: 20_000,
    });
    world.gateway.wait_ended(ExecutionKey(1), WaitId(1));
    for number in 0..200 {
        world.call_back_raw(format!("no JSON {number}")).await;
        tokio::task::yield_now().await;
    }
    // Sweeps run beside the callbacks; time stands until they are done.
    world.pass(0).await;
    let left = world.store.count(Table::Delivery);
    assert!((1..60).contains(&left), "{left}");
    assert!(world.store.keys(Table::Delivery, "", None, 1, true).len() == 1);
}
