//! What every keeper promises, promise by promise. `open` is the only place that knows which keeper it is.

mod support;

use std::sync::Arc;

use asl::Timestamp;
use engine::Status;
use store::log::Sizes;
use store::log::disk::{Disk, Memory};
use store::{Commit, CommitError, Due, Expect, ListQuery, MachineKey, Store, Table};
use support::{change, commit, document, event::snapshot, key, run, summary, times};

/// A store that can be closed and opened again.
struct Keeper {
    disk: Arc<dyn Disk>,
}

impl Keeper {
    fn new() -> Keeper {
        Keeper {
            disk: Arc::new(Memory::default()),
        }
    }

    fn open(&self) -> Store {
        Store::open_on(Arc::clone(&self.disk), Sizes::default())
            .expect("the store opens")
            .0
    }
}

/// Runs `check` on a store as it is, and on the same store opened again.
async fn now_and_after_reopening(keeper: Keeper, store: Store, check: impl AsyncFn(&Store)) {
    check(&store).await;
    drop(store);
    check(&keeper.open()).await;
}

#[test]
fn a_commit_is_read_back_as_it_was_written() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        let mut later = summary("one");
        later.next_timer = Some(Timestamp(5000));
        later.undelivered = true;
        assert_eq!(
            store
                .commit(commit(key(1), 0, &[1, 2], summary("one")))
                .await
                .expect("a start"),
            1
        );
        assert_eq!(
            store
                .commit(commit(key(1), 1, &[3], later.clone()))
                .await
                .expect("more"),
            2
        );
        now_and_after_reopening(keeper, store, async |store| {
            let loaded = store.load(key(1)).await.expect("readable").expect("there");
            assert_eq!((loaded.version, times(&loaded.events)), (2, vec![1, 2, 3]));
            assert!(loaded.snapshot.is_none());
            assert_eq!(
                times(&store.events(key(1)).await.expect("readable")),
                [1, 2, 3]
            );
            assert_eq!(
                store.summary(key(1)).await.expect("readable"),
                Some(later.clone())
            );
            assert!(store.load(key(2)).await.expect("readable").is_none());
            assert_eq!(store.summary(key(2)).await.expect("readable"), None);
            assert!(store.events(key(2)).await.expect("readable").is_empty());
        })
        .await;
    });
}

#[test]
fn a_version_that_moved_on_is_a_conflict_and_nothing_is_written() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        store
            .commit(commit(key(1), 0, &[1], summary("one")))
            .await
            .expect("a start");
        for wrong in [0, 2, 7] {
            let mut late = commit(key(1), wrong, &[9], summary("one"));
            late.documents
                .push(change(Table::Reference, "r", Expect::Any, Some(b"x"), None));
            assert!(
                matches!(store.commit(late).await, Err(CommitError::Conflict)),
                "version {wrong}"
            );
        }
        assert!(matches!(
            store.commit(commit(key(2), 1, &[9], summary("two"))).await,
            Err(CommitError::Conflict)
        ));
        now_and_after_reopening(keeper, store, async |store| {
            assert_eq!(times(&store.events(key(1)).await.expect("readable")), [1]);
            assert_eq!(
                store.get(Table::Reference, "r").await.expect("readable"),
                None
            );
            assert_eq!(store.summary(key(2)).await.expect("readable"), None);
        })
        .await;
    });
}

#[test]
fn of_many_commits_at_one_version_exactly_one_wins() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        store
            .commit(commit(key(1), 0, &[0], summary("one")))
            .await
            .expect("a start");
        // All are queued before the first is awaited, so that some share a batch.
        let contenders: Vec<_> = (1..=50)
            .map(|at| {
                let store = store.clone();
                async move { store.commit(commit(key(1), 1, &[at], summary("one"))).await }
            })
            .collect();
        let mut tasks = tokio::task::JoinSet::new();
        let local = tokio::task::LocalSet::new();
        for contender in contenders {
            tasks.spawn_local_on(contender, &local);
        }
        let verdicts = local.run_until(tasks.join_all()).await;
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), 1);
        assert_eq!(store.events(key(1)).await.expect("readable").len(), 2);
    });
}

#[test]
fn loading_begins_at_the_last_snapshot_and_events_at_the_start() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        for version in 0..5 {
            let mut next = commit(
                key(1),
                version,
                &[i64::from(version) * 10, i64::from(version) * 10 + 1],
                summary("one"),
            );
            if version == 1 || version == 3 {
                next.execution.as_mut().expect("it has one").snapshot = Some(snapshot());
            }
            store.commit(next).await.expect("a commit");
        }
        now_and_after_reopening(keeper, store, async |store| {
            let loaded = store.load(key(1)).await.expect("readable").expect("there");
            assert!(loaded.snapshot.is_some());
            assert_eq!((loaded.version, times(&loaded.events)), (5, vec![40, 41]));
            let all = times(&store.events(key(1)).await.expect("readable"));
            assert_eq!(all, [0, 1, 10, 11, 20, 21, 30, 31, 40, 41]);
            let mut some = Vec::new();
            let three = |event| {
                some.push(event);
                some.len() == 3
            };
            store.each_event(key(1), three).await.expect("readable");
            assert_eq!(times(&some), all[..3]);
        })
        .await;
    });
}

#[test]
fn documents_are_guarded_by_what_was_expected_of_them() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        let write = async |expect, content: Option<&[u8]>| {
            store
                .commit(document(Table::Activity, "a", expect, content, None))
                .await
                .map(|version| assert_eq!(version, 0))
        };
        let version = async || {
            store
                .get(Table::Activity, "a")
                .await
                .expect("readable")
                .map(|document| document.version)
        };
        assert!(matches!(
            write(Expect::Version(1), Some(b"0")).await,
            Err(CommitError::Conflict)
        ));
        write(Expect::Absent, Some(b"1"))
            .await
            .expect("it was absent");
        let first = version().await.expect("there");
        assert!(matches!(
            write(Expect::Absent, Some(b"2")).await,
            Err(CommitError::Conflict)
        ));
        write(Expect::Version(first), Some(b"3"))
            .await
            .expect("the version is right");
        let second = version().await.expect("there");
        assert_ne!(first, second);
        assert!(matches!(
            write(Expect::Version(first), Some(b"4")).await,
            Err(CommitError::Conflict)
        ));
        write(Expect::Any, None).await.expect("anything goes");
        assert_eq!(version().await, None);
        write(Expect::Any, None)
            .await
            .expect("removing what is not there is no conflict");
        write(Expect::Absent, Some(b"5"))
            .await
            .expect("it was removed");
        let third = version().await.expect("there");
        assert!(
            third != first && third != second,
            "a version is never used again"
        );
        now_and_after_reopening(keeper, store.clone(), async |store| {
            let read = store
                .get(Table::Activity, "a")
                .await
                .expect("readable")
                .expect("there");
            assert_eq!(
                (read.version, read.content.as_slice()),
                (third, b"5".as_slice())
            );
            assert_eq!(
                store.get(Table::Topic, "a").await.expect("readable"),
                None,
                "another table"
            );
        })
        .await;
    });
}

#[test]
fn an_execution_and_documents_change_together_or_not_at_all() {
    run(async {
        let store = Keeper::new().open();
        let both = |version, expect| {
            let mut both = commit(key(1), version, &[1], summary("one"));
            both.documents.push(change(
                Table::Reference,
                "r1",
                Expect::Any,
                Some(b"one"),
                None,
            ));
            both.documents
                .push(change(Table::Reference, "r2", expect, Some(b"two"), None));
            both
        };
        assert!(matches!(
            store.commit(both(0, Expect::Version(9))).await,
            Err(CommitError::Conflict)
        ));
        assert_eq!(store.summary(key(1)).await.expect("readable"), None);
        assert_eq!(
            store.get(Table::Reference, "r1").await.expect("readable"),
            None
        );
        assert_eq!(
            store
                .commit(both(0, Expect::Absent))
                .await
                .expect("all is well"),
            1
        );
        assert_eq!(
            store
                .get(Table::Reference, "r1")
                .await
                .expect("readable")
                .expect("there")
                .content,
            b"one"
        );
        assert_eq!(
            store
                .get(Table::Reference, "r2")
                .await
                .expect("readable")
                .expect("there")
                .content,
            b"two"
        );
        assert_eq!(
            store
                .commit(Commit::default())
                .await
                .expect("an empty commit"),
            0
        );
    });
}

#[test]
fn lists_go_from_the_newest_start_back_by_machine_and_status_in_pages() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        for number in 0..30 {
            let mut one = summary(&format!("e{number}"));
            one.state_machine = MachineKey(number % 3);
            one.started_at = Timestamp(1000 + number as i64);
            store
                .commit(commit(key(number), 0, &[1], one.clone()))
                .await
                .expect("a start");
            if number % 2 == 0 {
                one.status = Status::Succeeded;
                one.stopped_at = Some(Timestamp(2000));
                store
                    .commit(commit(key(number), 1, &[2], one))
                    .await
                    .expect("an end");
            }
        }
        now_and_after_reopening(keeper, store, async |store| {
            let all = |machine: Option<u128>, status| {
                let wanted = (0..30u128).rev().filter(move |number| {
                    machine.is_none_or(|machine| machine == number % 3)
                        && match status {
                            None => true,
                            Some(Status::Succeeded) => number % 2 == 0,
                            Some(Status::Running) => number % 2 == 1,
                            Some(_) => false,
                        }
                });
                wanted
                    .map(|number| format!("e{number}"))
                    .collect::<Vec<_>>()
            };
            for machine in [None, Some(0), Some(2), Some(7)] {
                for status in [
                    None,
                    Some(Status::Running),
                    Some(Status::Succeeded),
                    Some(Status::Failed),
                ] {
                    for limit in [1, 4, 100] {
                        let mut names = Vec::new();
                        let mut after = None;
                        loop {
                            let state_machine = machine.map(MachineKey);
                            let query = ListQuery {
                                state_machine,
                                status,
                                after,
                                limit,
                            };
                            let page = store.list(query).await.expect("readable");
                            assert!(page.executions.len() <= limit);
                            names.extend(
                                page.executions
                                    .iter()
                                    .map(|(_, summary)| summary.name.to_string()),
                            );
                            after = page.next;
                            if after.is_none() {
                                break;
                            }
                        }
                        assert_eq!(
                            names,
                            all(machine, status),
                            "{machine:?} {status:?} {limit}"
                        );
                    }
                }
            }
        })
        .await;
    });
}

#[test]
fn what_is_undelivered_is_found_in_pages() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        for number in 0..20 {
            let mut one = summary("n");
            one.undelivered = number % 2 == 0;
            if number == 4 {
                one.status = Status::Aborted;
            }
            store
                .commit(commit(key(number), 0, &[1], one))
                .await
                .expect("a start");
        }
        let mut delivered = summary("n");
        delivered.undelivered = false;
        store
            .commit(commit(key(6), 1, &[2], delivered))
            .await
            .expect("a commit");
        now_and_after_reopening(keeper, store, async |store| {
            let mut found = Vec::new();
            loop {
                let page = store.undelivered(found.last().copied(), 3).await;
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            found.sort();
            let mut wanted: Vec<_> = [0, 2, 8, 10, 12, 14, 16, 18].map(key).into();
            wanted.sort();
            assert_eq!(found, wanted);
        })
        .await;
    });
}

#[test]
fn scans_go_through_the_keys_with_a_prefix_in_both_directions() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        let keys = ["a", "b", "b/1", "b/2", "b/3", "b0", "b\u{10ffff}", "c"];
        for key in keys {
            store
                .commit(document(
                    Table::Message,
                    key,
                    Expect::Absent,
                    Some(key.as_bytes()),
                    None,
                ))
                .await
                .expect("new");
        }
        now_and_after_reopening(keeper, store, async |store| {
            let rows: &[(&str, Option<&str>, usize, &[&str])] = &[
                ("", None, 99, &keys),
                ("b/", None, 99, &["b/1", "b/2", "b/3"]),
                ("b/", None, 2, &["b/1", "b/2"]),
                ("b/", Some("b/1"), 99, &["b/2", "b/3"]),
                ("b/", Some("a"), 99, &["b/1", "b/2", "b/3"]),
                ("b/", Some("c"), 99, &[]),
                ("b\u{10ffff}", None, 99, &["b\u{10ffff}"]),
                ("x", None, 99, &[]),
            ];
            for (prefix, after, limit, wanted) in rows {
                let found = store
                    .scan(Table::Message, prefix, *after, *limit, false)
                    .await
                    .expect("readable");
                let found: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
                assert_eq!(&found, wanted, "{prefix} after {after:?}");
                let keys = store.keys(Table::Message, prefix, *after, *limit, false);
                assert_eq!(&keys, wanted, "the keys of {prefix} after {after:?}");
            }
            let rows: &[(&str, Option<&str>, usize, &[&str])] = &[
                ("b/", None, 99, &["b/3", "b/2", "b/1"]),
                ("b/", None, 2, &["b/3", "b/2"]),
                ("b/", Some("b/3"), 99, &["b/2", "b/1"]),
                ("b/", Some("c"), 99, &["b/3", "b/2", "b/1"]),
                ("b/", Some("a"), 99, &[]),
                ("b\u{10ffff}", None, 99, &["b\u{10ffff}"]),
                ("", Some("b"), 99, &["a"]),
            ];
            for (prefix, after, limit, wanted) in rows {
                let found = store
                    .scan(Table::Message, prefix, *after, *limit, true)
                    .await
                    .expect("readable");
                let found: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
                assert_eq!(&found, wanted, "backwards, {prefix} after {after:?}");
                let keys = store.keys(Table::Message, prefix, *after, *limit, true);
                assert_eq!(
                    &keys, wanted,
                    "the keys backwards, {prefix} after {after:?}"
                );
            }
        })
        .await;
    });
}

#[test]
fn what_is_due_is_handed_out_once_until_something_arms_it_again() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        let timed = |at| {
            let mut timed = summary("t");
            timed.next_timer = Some(Timestamp(at));
            timed
        };
        store
            .commit(commit(key(1), 0, &[1], timed(300)))
            .await
            .expect("a start");
        store
            .commit(commit(key(2), 0, &[1], timed(100)))
            .await
            .expect("a start");
        store
            .commit(document(
                Table::Delivery,
                "d",
                Expect::Any,
                Some(b""),
                Some(200),
            ))
            .await
            .expect("new");
        let document_due = || Due::Document(Table::Delivery, "d".into());
        assert_eq!(store.next_due(), Some(Timestamp(100)));
        assert_eq!(store.take_due(Timestamp(99), 9), []);
        assert_eq!(
            store.take_due(Timestamp(500), 2),
            [Due::Execution(key(2)), document_due()]
        );
        assert_eq!(store.take_due(Timestamp(500), 2), [Due::Execution(key(1))]);
        assert_eq!(
            (store.take_due(Timestamp(500), 2), store.next_due()),
            (vec![], None)
        );
        // Given back, it is due at once.
        store.give_back(document_due());
        store.give_back(Due::Execution(key(2)));
        assert_eq!(
            store.take_due(Timestamp(500), 9),
            [Due::Execution(key(2)), document_due()]
        );
        // A commit arms it again, even at the same time.
        store
            .commit(commit(key(1), 1, &[2], timed(300)))
            .await
            .expect("a commit");
        assert_eq!(store.take_due(Timestamp(500), 9), [Due::Execution(key(1))]);
        // One that is not taken moves with its commit, and goes if the commit has no timer.
        store
            .commit(commit(key(1), 2, &[3], timed(400)))
            .await
            .expect("a commit");
        store
            .commit(commit(key(1), 3, &[4], timed(600)))
            .await
            .expect("a commit");
        assert_eq!(store.next_due(), Some(Timestamp(600)));
        store
            .commit(commit(key(1), 4, &[5], summary("t")))
            .await
            .expect("a commit");
        store.give_back(Due::Execution(key(1)));
        assert_eq!(store.next_due(), None);
        // A restart arms all there is.
        drop(store);
        let store = keeper.open();
        assert_eq!(
            store.take_due(Timestamp(500), 9),
            [Due::Execution(key(2)), document_due()]
        );
        store
            .commit(document(Table::Delivery, "d", Expect::Any, None, None))
            .await
            .expect("removed");
        store.give_back(document_due());
        assert_eq!(store.next_due(), None);
    });
}

#[test]
fn whoever_waits_hears_that_something_is_due_earlier() {
    run(async {
        let store = Keeper::new().open();
        let due = |at| document(Table::Delivery, "d", Expect::Any, Some(b""), Some(at));
        // The waiting begins with the call, so a change before the first poll is heard as well.
        for at in [500, 400] {
            let moved = store.due_moved();
            store.commit(due(at)).await.expect("a commit");
            moved.await;
            assert_eq!(store.next_due(), Some(Timestamp(at)));
        }
        let taken = store.take_due(Timestamp(400), 1);
        let moved = store.due_moved();
        store.give_back(taken.into_iter().next().expect("one was due"));
        moved.await;
    });
}

#[test]
fn ended_executions_are_forgotten_and_their_names_are_free_again() {
    run(async {
        let keeper = Keeper::new();
        let store = keeper.open();
        for number in 0..10 {
            let mut ended = summary("e");
            ended.status = Status::Failed;
            ended.stopped_at = Some(Timestamp(number as i64 * 100));
            store
                .commit(commit(key(number), 0, &[1], ended))
                .await
                .expect("a start");
        }
        store
            .commit(commit(key(50), 0, &[1], summary("open")))
            .await
            .expect("a start");
        assert_eq!(
            store
                .forget_ended_before(Timestamp(500), 3)
                .await
                .expect("writable"),
            3
        );
        assert_eq!(
            store
                .forget_ended_before(Timestamp(500), 99)
                .await
                .expect("writable"),
            2
        );
        assert_eq!(
            store
                .forget_ended_before(Timestamp(500), 99)
                .await
                .expect("writable"),
            0
        );
        assert_eq!(
            store
                .commit(commit(key(2), 0, &[7], summary("again")))
                .await
                .expect("the key is free"),
            1
        );
        now_and_after_reopening(keeper, store, async |store| {
            for number in [0, 1, 3, 4] {
                assert_eq!(
                    store.summary(key(number)).await.expect("readable"),
                    None,
                    "{number}"
                );
            }
            for number in [5, 9, 50] {
                assert!(
                    store
                        .summary(key(number))
                        .await
                        .expect("readable")
                        .is_some(),
                    "{number}"
                );
            }
            assert_eq!(times(&store.events(key(2)).await.expect("readable")), [7]);
            let query = ListQuery {
                state_machine: None,
                status: None,
                after: None,
                limit: 99,
            };
            let page = store.list(query).await.expect("readable");
            assert_eq!(page.executions.len(), 7);
            assert_eq!(page.executions[0].0, key(2), "its new start is the newest");
        })
        .await;
    });
}

#[test]
fn a_key_that_is_too_long_is_refused_and_the_store_goes_on() {
    run(async {
        let store = Keeper::new().open();
        let long = "k".repeat(store::DOCUMENT_KEY_BYTES_MAX + 1);
        let refused = store
            .commit(document(Table::Meta, &long, Expect::Any, Some(b""), None))
            .await;
        assert!(matches!(refused, Err(CommitError::Storage(_))));
        let longest = &long[1..];
        store
            .commit(document(Table::Meta, longest, Expect::Any, Some(b""), None))
            .await
            .expect("it fits");
    });
}
