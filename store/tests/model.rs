//! A store against a model that is a few maps: random commits, some of them wrong on purpose, in
//! batches or alone, with closing, cleaning and forgetting in between; now and then all is compared.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::Timestamp;
use engine::{ExecutionKey, Status, WaitId};
use store::log::Sizes;
use store::log::disk::{Disk, Memory};
use store::{
    Commit, CommitError, Due, Expect, FoundWait, ListQuery, MachineKey, OpenedWait, Places, Store,
    Summary, Table, WaitChanges, WaitPlace, WaitQuery,
};
use support::event::{event, large_event, snapshot};
use support::{Random, change, key, run, summary, times};

#[derive(Default)]
struct Model {
    executions: BTreeMap<ExecutionKey, Execution>,
    documents: BTreeMap<(Table, String), (Vec<u8>, Option<Timestamp>)>,
    starts: u64,
}

struct Execution {
    version: u32,
    events: Vec<i64>,
    summary: Summary,
    /// How many events came with the last snapshot and before.
    snapshot: Option<usize>,
    start: u64,
    /// What is open.
    waits: BTreeMap<WaitId, OpenedWait>,
}

const TABLES: [Table; 3] = [Table::Reference, Table::Delivery, Table::Message];

/// Segments so small that every run goes through many of them.
fn sizes() -> Sizes {
    Sizes {
        first: 8 << 10,
        largest: 32 << 10,
        slack: 64 << 10,
    }
}

#[test]
fn a_store_does_as_the_model_through_batches_cleaning_and_restarts() {
    for seed in 0..12 {
        println!("seed {seed}");
        run(one_life(seed));
    }
}

async fn one_life(seed: u64) {
    let mut random = Random::new(seed);
    let disk: Arc<dyn Disk> = Arc::new(Memory::default());
    let open = || Store::open_on(Arc::clone(&disk), sizes()).expect("the store opens");
    let mut store = open().0;
    let mut model = Model::default();
    let mut clock = 1000;
    for step in 0..400 {
        // A group of commits, all queued before the first is answered.
        let mut answers = tokio::task::JoinSet::new();
        let local = tokio::task::LocalSet::new();
        let mut expected = BTreeMap::new();
        for number in 0..1 + random.below(8) {
            clock += 1;
            let (commit, wins) = some_commit(&mut random, &mut model, clock);
            expected.insert(number, wins);
            let store = store.clone();
            answers.spawn_local_on(async move { (number, store.commit(commit).await) }, &local);
        }
        for (number, answer) in local.run_until(answers.join_all()).await {
            match (answer, expected[&number]) {
                (Ok(version), Some(wanted)) => assert_eq!(version, wanted, "step {step}"),
                (Err(CommitError::Conflict), None) => {}
                (answer, wanted) => panic!("step {step}: {answer:?} where {wanted:?} was right"),
            }
        }
        if random.one_in(40) {
            let time = Timestamp(clock - 50);
            let limit = 1 + random.below(20) as usize;
            let forgotten = store
                .forget_ended_before(time, limit)
                .await
                .expect("writable");
            let mut ended: Vec<_> = model
                .executions
                .iter()
                .filter_map(|(key, execution)| Some((execution.summary.stopped_at?, *key)))
                .filter(|(at, _)| *at < time)
                .collect();
            ended.sort();
            assert_eq!(forgotten, ended.len().min(limit), "step {step}");
            for (_, key) in &ended[..forgotten] {
                model.executions.remove(key);
            }
        }
        if random.one_in(50) {
            store.wait_until_clean();
            assert_eq!(store.cleaning_problem(), None);
        }
        if random.one_in(50) {
            drop(store);
            let (again, opening) = open();
            assert_eq!(opening.notes, Vec::<String>::new(), "step {step}");
            assert_eq!(
                opening.executions,
                model.executions.len() as u64,
                "step {step}"
            );
            store = again;
            compare(
                &store,
                &model,
                &format!("seed {seed}, step {step}, reopened"),
            )
            .await;
            // After a restart everything is armed.
            let mut due: Vec<_> = store.take_due(Timestamp(i64::MAX - 1), usize::MAX);
            let mut wanted: Vec<_> = model.due();
            let order = |due: &Due| format!("{due:?}");
            due.sort_by_key(order);
            wanted.sort_by_key(order);
            assert_eq!(due, wanted, "step {step}");
        } else if random.one_in(20) {
            compare(&store, &model, &format!("seed {seed}, step {step}")).await;
        }
    }
    store.wait_until_clean();
    compare(&store, &model, &format!("seed {seed}, at the end")).await;
    let figures = store.figures();
    let (used, live) = (figures.used_bytes, figures.live_bytes);
    assert!(
        used <= 2 * live + sizes().slack,
        "{used} bytes are used and {live} live"
    );
}

impl Model {
    fn due(&self) -> Vec<Due> {
        let executions = self
            .executions
            .iter()
            .filter(|(_, execution)| execution.summary.next_timer.is_some());
        let documents = self.documents.iter().filter(|(_, (_, due))| due.is_some());
        executions
            .map(|(key, _)| Due::Execution(*key))
            .chain(documents.map(|((table, key), _)| Due::Document(*table, key.clone())))
            .collect()
    }
}

/// A commit, and the version it must give, or `None` if it must be refused. The model has it already.
fn some_commit(random: &mut Random, model: &mut Model, clock: i64) -> (Commit, Option<u32>) {
    let mut commit = Commit::default();
    let mut wins = true;
    let mut version = 0;
    if !random.one_in(4) {
        let key = key(random.below(60).into());
        let known = model.executions.get(&key);
        version = known.map_or(0, |execution| execution.version) + 1;
        if known.is_some_and(|execution| execution.summary.stopped_at.is_some()) {
            // Ended ones stay as they are until they are forgotten.
            wins = false;
            version = 1;
        } else if random.one_in(10) {
            version += 1;
            wins = false;
        }
        let mut next = known.map_or_else(
            || summary(&format!("name {clock}")),
            |execution| execution.summary.clone(),
        );
        if known.is_none() {
            next.started_at = Timestamp(clock);
            next.state_machine = MachineKey(u128::from(random.below(3)));
        }
        next.next_timer = (!random.one_in(3)).then(|| Timestamp(clock + random.below(100) as i64));
        next.undelivered = random.one_in(3);
        if random.one_in(6) {
            next.status = Status::Succeeded;
            next.stopped_at = Some(Timestamp(clock));
            next.next_timer = None;
        }
        let events = (0..random.below(4))
            .map(|_| match random.below(30) {
                // The largest do not fit into a usual segment.
                0 => large_event(clock, if random.one_in(4) { 80_000 } else { 12_000 }),
                n => {
                    if n < 10 {
                        large_event(clock, 300)
                    } else {
                        event(clock)
                    }
                }
            })
            .collect::<Vec<_>>();
        commit.execution = Some(store::ExecutionCommit {
            key,
            expected_version: version - 1,
            events: events.into(),
            snapshot: random.one_in(5).then(snapshot),
            summary: next,
            waits: some_waits(random, clock),
        });
    }
    let count = if commit.execution.is_some() {
        random.below(3)
    } else {
        1
    };
    for _ in 0..count {
        let table = TABLES[random.below(3) as usize];
        let name = format!("key {:02}", random.below(30));
        if commit
            .documents
            .iter()
            .any(|document: &store::DocumentChange| document.key == name)
        {
            continue;
        }
        let absent = !model.documents.contains_key(&(table, name.clone()));
        let expect = if random.one_in(3) {
            Expect::Absent
        } else {
            Expect::Any
        };
        wins &= expect == Expect::Any || absent;
        let content = (!random.one_in(4)).then(|| vec![clock as u8; random.below(500) as usize]);
        let due = random.one_in(3).then_some(clock + 10);
        commit
            .documents
            .push(change(table, &name, expect, content.as_deref(), due));
    }
    if wins {
        for document in &commit.documents {
            let place = (document.table, document.key.clone());
            match &document.content {
                Some(content) => model
                    .documents
                    .insert(place, (content.clone(), document.due)),
                None => model.documents.remove(&place),
            };
        }
        if let Some(execution) = &commit.execution {
            let starts = &mut model.starts;
            let known = model.executions.entry(execution.key).or_insert_with(|| {
                *starts += 1;
                let (events, snapshot) = (Vec::new(), None);
                Execution {
                    waits: BTreeMap::new(),
                    version: 0,
                    events,
                    summary: execution.summary.clone(),
                    snapshot,
                    start: *starts,
                }
            });
            known.version += 1;
            known.events.extend(times(&execution.events));
            known.summary = execution.summary.clone();
            for wait in &execution.waits.closed {
                known.waits.remove(wait);
            }
            for wait in &execution.waits.opened {
                known.waits.insert(wait.wait, wait.clone());
            }
            if known.summary.status != Status::Running {
                known.waits.clear();
            }
            if execution.snapshot.is_some() {
                known.snapshot = Some(known.events.len());
            }
        }
    }
    let version = if commit.execution.is_some() {
        version
    } else {
        0
    };
    (commit, wins.then_some(version))
}

/// Some waits that open, are open already, or end; few numbers, so that they meet.
fn some_waits(random: &mut Random, clock: i64) -> WaitChanges {
    let mut waits = WaitChanges::default();
    for _ in 0..random.below(3) {
        waits.opened.push(OpenedWait {
            wait: WaitId(random.below(4) as u32),
            since: Timestamp(clock - random.below(30) as i64),
            place: format!("machine/state {}", random.below(3)).into(),
            endless: random.one_in(2),
            quiet_at: random
                .one_in(3)
                .then(|| Timestamp(clock + random.below(50) as i64)),
        });
    }
    for _ in 0..random.below(2) {
        waits.closed.push(WaitId(random.below(4) as u32));
    }
    waits
}

/// Every question about open waits, answered from a plain list.
fn compare_waits(store: &Store, model: &Model, when: &str) {
    let mut all: Vec<(ExecutionKey, &OpenedWait)> = Vec::new();
    for (key, execution) in &model.executions {
        let of: Vec<_> = store.waits_of(*key).into_iter().map(|w| w.opened).collect();
        let wanted: Vec<_> = execution.waits.values().cloned().collect();
        assert_eq!(of, wanted, "{when}");
        all.extend(execution.waits.values().map(|wait| (*key, wait)));
    }
    let told = |key: ExecutionKey, wait: &OpenedWait| (wait.since, key, wait.wait, wait.clone());
    let sorted = |mut waits: Vec<(Timestamp, ExecutionKey, WaitId, OpenedWait)>| {
        waits.sort_by_key(|(at, key, wait, _)| (*at, *key, *wait));
        waits
    };
    let until = model
        .executions
        .values()
        .map(|e| e.summary.started_at)
        .max();
    for (place, newest_first, until) in [
        (None, false, None),
        (None, true, None),
        (Some("machine/state 1"), false, until),
        (Some("machine/state 1"), true, until),
    ] {
        // Page by page, in order.
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let fits = |at: &WaitPlace| place.is_none_or(|place| &*at.place == place && at.endless);
            let page = store.waits(&WaitQuery {
                places: Places::Those(&fits),
                newest_first,
                after,
                until,
                limit: 7,
            });
            after = page.last().map(|wait| wait.mark).or(after);
            found.extend(page.iter().map(|w| told(w.execution, &w.opened)));
            if page.len() < 7 {
                break;
            }
        }
        let fits = |wait: &OpenedWait| {
            place.is_none_or(|at| &*wait.place == at && wait.endless)
                && until.is_none_or(|until| wait.since <= until)
        };
        let wanted = all.iter().filter(|(_, wait)| fits(wait));
        let wanted = wanted.map(|(key, wait)| told(*key, wait)).collect();
        match newest_first {
            true => assert!(found.is_sorted_by_key(|(since, ..)| -since.0), "{when}"),
            false => assert!(found.is_sorted_by_key(|(since, ..)| since.0), "{when}"),
        }
        assert_eq!(sorted(found), sorted(wanted), "{when}");
    }
    for place in store.wait_places() {
        let one = store.waits(&WaitQuery {
            places: Places::One(&place.place, place.endless),
            newest_first: false,
            after: None,
            until: None,
            limit: usize::MAX,
        });
        let here =
            |w: &FoundWait| w.opened.place == place.place && w.opened.endless == place.endless;
        assert!(one.iter().all(here), "{when}");
        assert_eq!(
            (one.len(), one[0].opened.since),
            (place.open, place.oldest),
            "{when}"
        );
    }
    let mut places: Vec<_> = store.wait_places();
    places.sort_by_key(|place| (place.place.clone(), place.endless));
    let mut wanted: BTreeMap<_, (usize, Timestamp)> = BTreeMap::new();
    for (_, wait) in &all {
        let at = wanted
            .entry((wait.place.clone(), wait.endless))
            .or_insert((0, wait.since));
        *at = (at.0 + 1, at.1.min(wait.since));
    }
    let wanted: Vec<_> = wanted
        .into_iter()
        .map(|((place, endless), (open, oldest))| WaitPlace {
            place,
            endless,
            open,
            oldest,
        })
        .collect();
    assert_eq!(places, wanted, "{when}");
    let (from, until) = (Timestamp(1500), Timestamp(2500));
    let quiet = store.quiet_waits(from, until, usize::MAX);
    let quiet = quiet.iter().map(|w| told(w.execution, &w.opened)).collect();
    let wanted = all
        .iter()
        .filter(|(_, wait)| wait.quiet_at.is_some_and(|at| from < at && at <= until))
        .map(|(key, wait)| told(*key, wait))
        .collect();
    assert_eq!(sorted(quiet), sorted(wanted), "{when}");
    for status in [Status::Running, Status::Succeeded] {
        let those = model.executions.values();
        let count = those.filter(|execution| execution.summary.status == status);
        assert_eq!(store.count_status(status), count.count() as u64, "{when}");
    }
    for table in TABLES {
        let due = model.documents.iter();
        let due = due.filter(|((of, _), (_, due))| *of == table && due.is_some());
        assert_eq!(store.count_due(table), due.count(), "{when}");
    }
}

async fn compare(store: &Store, model: &Model, when: &str) {
    compare_waits(store, model, when);
    for number in 0..60 {
        let key = key(number);
        let loaded = store.load(key).await.expect("readable");
        let Some(known) = model.executions.get(&key) else {
            assert!(loaded.is_none(), "{when}");
            continue;
        };
        let loaded = loaded.unwrap_or_else(|| panic!("{when}: execution {number} is missing"));
        assert_eq!(loaded.version, known.version, "{when}");
        assert_eq!(
            loaded.snapshot.is_some(),
            known.snapshot.is_some(),
            "{when}"
        );
        assert_eq!(
            times(&loaded.events),
            known.events[known.snapshot.unwrap_or(0)..],
            "{when}"
        );
        assert_eq!(
            times(&store.events(key).await.expect("readable")),
            known.events,
            "{when}"
        );
        assert_eq!(
            store.summary(key).await.expect("readable").as_ref(),
            Some(&known.summary),
            "{when}"
        );
    }
    for table in TABLES {
        let found = store
            .scan(table, "", None, usize::MAX, false)
            .await
            .expect("readable");
        let found: Vec<_> = found
            .into_iter()
            .map(|(key, document)| (key, (document.content, document.due)))
            .collect();
        let wanted: Vec<_> = model
            .documents
            .iter()
            .filter(|((of, _), _)| *of == table)
            .map(|((_, key), document)| (key.clone(), document.clone()))
            .collect();
        assert_eq!(found, wanted, "{when}");
    }
    for machine in [None, Some(MachineKey(1))] {
        let query = ListQuery {
            state_machine: machine,
            status: None,
            after: None,
            limit: 1000,
        };
        let page = store.list(query).await.expect("readable");
        let found: Vec<_> = page.executions.into_iter().map(|(key, _)| key).collect();
        let mut wanted: Vec<_> = model
            .executions
            .iter()
            .filter(|(_, execution)| {
                machine.is_none_or(|machine| execution.summary.state_machine == machine)
            })
            .map(|(key, execution)| (execution.start, *key))
            .collect();
        wanted.sort();
        let wanted: Vec<_> = wanted.into_iter().rev().map(|(_, key)| key).collect();
        assert_eq!(found, wanted, "{when}");
    }
}
