//! Stores that were written by earlier versions of the format stay readable.
//!
//! `fixtures/format-1` was written by [`write_the_fixture`], which is run by hand
//! (`cargo test -p store --test formats -- --ignored`) when a format is new, and never for an old one.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asl::{Data, Failure, Timestamp};
use engine::{Event, EventKind, FrameId, Status, WaitId};
use store::log::Sizes;
use store::log::disk::Directory;
use store::{Due, Expect, MachineKey, Options, Store, Summary, Table};
use support::event::{event, large_event, snapshot};
use support::{change, commit, key, run, times};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

fn parked() -> Summary {
    Summary {
        name: Arc::from("parked"),
        state_machine: MachineKey(7),
        status: Status::Running,
        started_at: Timestamp(1_700_000_000_000),
        stopped_at: None,
        next_timer: Some(Timestamp(1_700_000_030_000)),
        undelivered: true,
    }
}

fn failed() -> Summary {
    Summary {
        name: Arc::from("failed"),
        status: Status::TimedOut,
        stopped_at: Some(Timestamp(1_700_000_040_000)),
        next_timer: None,
        undelivered: false,
        ..parked()
    }
}

/// One event of each shape that a payload has.
fn shapes() -> Vec<Event> {
    let kinds = [
        EventKind::TaskScheduled {
            wait: WaitId(3),
            resource: Arc::from("arn:aws:states:::lambda:invoke.waitForTaskToken"),
            parameters: Some(
                Data::parse(r#"{"Payload": {"taskToken": "t", "n": 1.50}}"#).expect("JSON"),
            ),
            timeout_seconds: Some(30),
            heartbeat_seconds: None,
            role_arn: None,
        },
        EventKind::TaskPickedUp {
            wait: WaitId(3),
            worker: Some("worker".into()),
        },
        EventKind::TaskFailed {
            wait: WaitId(3),
            failure: Failure {
                error: Some("E".into()),
                cause: None,
            },
        },
        EventKind::BranchSucceeded,
        EventKind::ExecutionTimedOut,
    ];
    let event = |(number, kind)| Event {
        at: Timestamp(2000 + number as i64),
        frame: FrameId(number),
        kind,
    };
    (0..).zip(kinds).map(event).collect()
}

#[test]
fn a_store_of_format_1_is_read_in_full() {
    let directory = std::env::temp_dir().join(format!("store-format-1-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    for entry in fs::read_dir(fixture()).expect("the fixture is there") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), directory.join(entry.file_name())).expect("a copy");
    }
    run(async {
        let (store, opening) = Store::open(Options {
            directory: Some(directory.clone()),
        })
        .expect("the store opens");
        assert_eq!((opening.executions, opening.notes), (3, vec![]));

        let loaded = store.load(key(1)).await.expect("readable").expect("there");
        assert!(loaded.snapshot.is_some());
        assert_eq!((loaded.version, times(&loaded.events)), (3, vec![30]));
        assert_eq!(
            times(&store.events(key(1)).await.expect("readable")),
            [10, 11, 20, 30]
        );
        assert_eq!(
            store.summary(key(1)).await.expect("readable"),
            Some(parked())
        );
        assert_eq!(store.events(key(2)).await.expect("readable"), shapes());
        assert_eq!(
            store.summary(key(2)).await.expect("readable"),
            Some(failed())
        );
        assert_eq!(
            store.events(key(3)).await.expect("readable"),
            [large_event(1, 5000)]
        );

        let due = store.take_due(Timestamp(i64::MAX), 9);
        assert_eq!(
            due,
            [
                Due::Document(Table::Delivery, "later".into()),
                Due::Execution(key(1))
            ]
        );
        let document = store
            .get(Table::Delivery, "later")
            .await
            .expect("readable")
            .expect("there");
        assert_eq!(
            (document.content.as_slice(), document.due),
            (b"body".as_slice(), Some(Timestamp(5)))
        );
        assert_eq!(
            store.get(Table::Reference, "gone").await.expect("readable"),
            None
        );
        assert_eq!(
            store.summary(key(4)).await.expect("readable"),
            None,
            "it was forgotten"
        );

        store
            .commit(commit(key(1), 3, &[40], parked()))
            .await
            .expect("it goes on");
    });
    fs::remove_dir_all(&directory).expect("it was made here");
}

#[test]
#[ignore = "writes the fixture; run by hand when a format is new"]
fn write_the_fixture() {
    fs::create_dir_all(fixture()).expect("a directory");
    for entry in fs::read_dir(fixture()).expect("a directory") {
        fs::remove_file(entry.expect("a file").path()).expect("an old file");
    }
    run(async {
        let disk = Arc::new(Directory::open(&fixture()).expect("a directory"));
        let sizes = Sizes {
            first: 2 << 10,
            largest: 2 << 10,
            slack: 1 << 20,
        };
        let (store, _) = Store::open_on(disk, sizes).expect("the store opens");
        let write = async |commit| store.commit(commit).await.expect("a commit");
        write(commit(key(1), 0, &[10, 11], parked())).await;
        let mut with_snapshot = commit(key(1), 1, &[20], parked());
        with_snapshot
            .execution
            .as_mut()
            .expect("it has one")
            .snapshot = Some(snapshot());
        write(with_snapshot).await;
        let mut with_documents = commit(key(1), 2, &[30], parked());
        with_documents.documents.push(change(
            Table::Delivery,
            "later",
            Expect::Absent,
            Some(b"body"),
            Some(5),
        ));
        with_documents.documents.push(change(
            Table::Reference,
            "gone",
            Expect::Absent,
            Some(b"ref"),
            None,
        ));
        write(with_documents).await;
        let mut all = commit(key(2), 0, &[], failed());
        all.execution.as_mut().expect("it has one").events = shapes().into();
        write(all).await;
        let mut large = commit(key(3), 0, &[], failed());
        large.execution.as_mut().expect("it has one").events = Arc::from([large_event(1, 5000)]);
        write(large).await;
        let mut early = failed();
        early.stopped_at = Some(Timestamp(1));
        let mut forgotten = commit(key(4), 0, &[], early);
        forgotten.execution.as_mut().expect("it has one").events = Arc::from([event(1)]);
        forgotten
            .documents
            .push(change(Table::Reference, "gone", Expect::Any, None, None));
        write(forgotten).await;
        assert_eq!(
            store
                .forget_ended_before(Timestamp(2), 9)
                .await
                .expect("writable"),
            1
        );
    });
    fs::remove_file(fixture().join("LOCK")).expect("it was locked");
}
