//! `rejoin clock`, against a server of its own.

mod support;

use std::process::Command;

use support::{Folder, Server};

/// What a command says, and whether it goes well.
fn said(server: &Server, arguments: &[&str]) -> (bool, String) {
    let url = format!("http://{}", server.address);
    let output = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .arg("clock")
        .args(arguments)
        .args(["--url", &url])
        .output()
        .expect("the program runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8(text).expect("text"),
    )
}

#[test]
fn the_clock_of_a_server_is_shown_and_moved() {
    let folder = Folder::new("clock");
    let server = Server::start(&folder.0.join("virtual"), &["--clock", "virtual"]);
    let (_, before) = said(&server, &[]);
    let now = |text: &str| -> asl::Timestamp {
        let time = text.split(',').next().expect("it begins with the time");
        time.parse().expect("a time")
    };
    for (arguments, part) in [
        (&["advance", "365d"][..], "virtual, stands; nothing is due"),
        (&["next"], "nothing is due"),
        (&["until-idle"], "nothing is due"),
        (&["automatic", "on"], "goes by itself"),
        (&["freeze"], "stands"),
        (&["show"], "stands"),
    ] {
        let (well, text) = said(&server, arguments);
        assert!(well && text.contains(part), "{arguments:?}: {text}");
        assert_eq!(now(&text).0 - now(&before).0, 365 * 86_400_000);
    }
    for (arguments, part) in [
        (
            &["until-ended", "arn:nobody", "--within", "1h"][..],
            "there is no execution arn:nobody",
        ),
        (
            &["until-ended", "nobody"],
            "there is no execution \"nobody\"; give an execution's name or its ARN",
        ),
        (
            &["advance", "soon"],
            "write seconds, 30, or a number with a unit",
        ),
    ] {
        let (well, text) = said(&server, arguments);
        assert!(!well && text.contains(part), "{arguments:?}: {text}");
    }

    let server = Server::start(&folder.0.join("real"), &[]);
    let (well, text) = said(&server, &["show"]);
    assert!(well && text.contains("the real clock"), "{text}");
    let (well, text) = said(&server, &["next"]);
    assert!(
        !well && text.contains("rejoin serve --clock virtual"),
        "{text}"
    );
}
