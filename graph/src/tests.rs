//! What must be true of every picture, for small definitions, for large ones made by lot, and for awkward ones.

mod making;

use asl::{StateId, StateMachine};

use crate::geometry::{Point, Rect};
use crate::overlay::{Finding, Mark, Overlay, Severity, Status, Step};
use crate::region::Kind;
use crate::scene::{Line, Scene, scene};
use crate::text::{DETAIL, NAME};
use crate::{Options, Theme, draw};
use making::{Making, machine};

/// The definitions that the rules are checked with.
fn machines() -> Vec<(String, StateMachine)> {
    let mut machines: Vec<(String, StateMachine)> = making::SMALL
        .iter()
        .map(|(name, text)| ((*name).to_owned(), machine(text)))
        .collect();
    for seed in 0..60 {
        let making = Making::new(seed);
        let states = 3 + seed as usize * 2;
        machines.push((format!("seed {seed}"), machine(&making.definition(states))));
    }
    machines
}

fn each(check: impl Fn(&StateMachine, &Scene)) {
    for (name, machine) in machines() {
        println!("{name}");
        check(&machine, &scene(&machine, &Overlay::default()));
    }
}

/// The containers that a state is in.
fn containers(machine: &StateMachine, id: StateId) -> Vec<StateId> {
    let all = (0..machine.states.len() as u32).map(StateId);
    all.filter(|outer| {
        let starts = crate::region::inside(machine, *outer);
        let mut inner: Vec<StateId> = Vec::new();
        let mut waiting: Vec<StateId> = starts.iter().map(|(start, _)| *start).collect();
        while let Some(start) = waiting.pop() {
            for state in crate::region::region(machine, start).states {
                inner.push(state);
                let within = crate::region::inside(machine, state);
                waiting.extend(within.iter().map(|(start, _)| *start));
            }
        }
        inner.contains(&id)
    })
    .collect()
}

/// The rectangle that a stretch of a line covers, a little thinner than it is drawn.
fn stretches(line: &Line) -> impl Iterator<Item = Rect> {
    line.points.windows(2).map(|pair| {
        let (a, b) = (pair[0], pair[1]);
        Rect {
            at: Point {
                x: a.x.min(b.x),
                y: a.y.min(b.y),
            },
            size: crate::geometry::Size {
                width: (a.x - b.x).abs().max(1),
                height: (a.y - b.y).abs().max(1),
            },
        }
    })
}

#[test]
fn every_state_has_one_box_and_no_two_overlap_but_a_container_with_what_is_in_it() {
    each(|machine, scene| {
        assert_eq!(scene.boxes.len(), machine.states.len());
        for (at, one) in scene.boxes.iter().enumerate() {
            let around = containers(machine, one.id);
            for other in &scene.boxes[..at] {
                if around.contains(&other.id) {
                    assert!(other.rect.contains(&one.rect), "{one:?} in {other:?}");
                } else {
                    assert!(!one.rect.overlaps(&other.rect), "{one:?} and {other:?}");
                }
            }
            let whole = Rect {
                at: Point { x: 0, y: 0 },
                size: scene.size,
            };
            assert!(whole.contains(&one.rect));
        }
    });
}

#[test]
fn what_is_in_a_container_keeps_to_its_frame_and_off_its_text() {
    each(|_, scene| {
        for frame in &scene.frames {
            let container = scene.boxes.iter().find(|b| b.id == frame.of);
            let container = container.expect("a frame is that of a state");
            assert!(container.rect.contains(&frame.rect));
            let text_end = container.rect.at.y + container.card.size.height;
            assert!(frame.rect.at.y >= text_end);
            for other in scene.frames.iter().filter(|f| f.of == frame.of) {
                assert!(std::ptr::eq(frame, other) || !frame.rect.overlaps(&other.rect));
            }
        }
    });
}

#[test]
fn lines_pass_through_no_box_but_those_around_them() {
    each(|machine, scene| {
        let around: Vec<Vec<StateId>> = (0..machine.states.len() as u32)
            .map(|id| containers(machine, StateId(id)))
            .collect();
        for line in &scene.lines {
            let own = line.from.or(line.to).expect("an end of a line is a state");
            for stretch in stretches(line) {
                for other in &scene.boxes {
                    let contains = around[own.0 as usize].contains(&other.id);
                    assert!(
                        contains || !stretch.overlaps(&other.rect),
                        "{} through {}: {stretch:?} {:?}",
                        line.title,
                        machine.state(other.id).name,
                        other.rect
                    );
                }
            }
        }
    });
}

#[test]
fn lines_are_upright_and_begin_and_end_where_they_say() {
    each(|_, scene| {
        for line in &scene.lines {
            assert!(line.points.len() >= 2, "{}", line.title);
            for pair in line.points.windows(2) {
                assert!(pair[0].x == pair[1].x || pair[0].y == pair[1].y);
            }
            let at = |id: StateId, point: Point| {
                let found = scene.boxes.iter().find(|b| b.id == id);
                let rect = found.expect("each state has a box").rect;
                let sides = [rect.at.y, rect.bottom()].contains(&point.y)
                    || [rect.at.x, rect.right()].contains(&point.x);
                sides && (rect.at.x..=rect.right()).contains(&point.x)
            };
            let (first, last) = (line.points[0], line.points[line.points.len() - 1]);
            assert!(
                line.from.is_none_or(|from| at(from, first)),
                "{}",
                line.title
            );
            if line.arrives {
                assert!(line.to.is_none_or(|to| at(to, last)), "{}", line.title);
            } else {
                // It ends on a line that leads to where it would.
                let joins = scene.lines.iter().any(|other| {
                    let same = other.to == line.to && other.kind == line.kind;
                    let touches = other.points.windows(2).any(|pair| {
                        let between = |a: i32, b: i32, c: i32| a.min(b) <= c && c <= a.max(b);
                        between(pair[0].x, pair[1].x, last.x)
                            && between(pair[0].y, pair[1].y, last.y)
                    });
                    !std::ptr::eq(line, other) && same && touches
                });
                assert!(joins, "{} ends nowhere", line.title);
            }
        }
    });
}

#[test]
fn labels_overlap_no_box_no_other_label_and_no_foreign_line() {
    each(|machine, scene| {
        for (at, label) in scene.labels.iter().enumerate() {
            for other in &scene.labels[..at] {
                assert!(!label.rect.overlaps(&other.rect), "{label:?} {other:?}");
            }
            for other in scene.boxes.iter().filter(|other| !other.container) {
                assert!(
                    !label.rect.overlaps(&other.rect),
                    "{label:?} on {}",
                    machine.state(other.id).name
                );
            }
            for line in scene
                .lines
                .iter()
                .filter(|l| !l.title.ends_with(&label.title))
            {
                let clear = stretches(line).all(|stretch| !stretch.overlaps(&label.rect));
                assert!(clear, "{} through {label:?}", line.title);
            }
        }
    });
}

#[test]
fn text_stays_in_its_box() {
    each(|_, scene| {
        for state in &scene.boxes {
            let (x, y) = state.card.text_at();
            let names = state.card.name.iter().map(|line| NAME.width(line));
            let details = state
                .card
                .details
                .iter()
                .map(|line| DETAIL.width(&line.text));
            for width in names.chain(details) {
                assert!(x + width < state.rect.size.width, "{:?}", state.card);
            }
            assert!(y > 0 && state.card.size.height <= state.rect.size.height);
        }
        for label in &scene.labels {
            assert!(DETAIL.width(&label.text) <= label.text_span().1);
        }
    });
}

/// Reads XML as far as a picture has it: elements that close, quoted attributes, no stray signs.
fn assert_well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim_end();
    let mut roots = 0;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            panic!("text outside of the root: {rest}");
        };
        let (before, tag) = rest.split_at(at);
        assert!(!open.is_empty() || before.trim().is_empty());
        for piece in before.split('&').skip(1) {
            let (name, _) = piece.split_once(';').expect("a reference has an end");
            assert!(["amp", "lt", "gt", "quot", "#10"].contains(&name), "{name}");
        }
        let end = tag.find('>').expect("a tag has an end");
        let inner = &tag[1..end];
        assert!(!inner.contains('<'), "{inner}");
        assert_eq!(inner.matches('"').count() % 2, 0, "{inner}");
        rest = &tag[end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !inner.ends_with('/') {
            roots += usize::from(open.is_empty());
            open.push(inner.split(' ').next().unwrap_or_default());
        }
    }
    assert!(open.is_empty() && roots == 1);
}

#[test]
fn the_text_is_well_formed_and_the_same_each_time() {
    for (name, machine) in machines() {
        println!("{name}");
        for theme in [Theme::Auto, Theme::Light, Theme::Dark] {
            let options = Options {
                theme,
                title: Some("a < b & \"c\"\u{1}".to_owned()),
                overlay: Overlay::default(),
            };
            let svg = draw(&machine, &options);
            assert_well_formed(&svg);
            assert_eq!(svg, draw(&machine, &options));
            assert_eq!(svg.contains("prefers-color-scheme"), theme == Theme::Auto);
            assert_eq!(svg.contains("var(--"), theme == Theme::Auto);
        }
    }
}

#[test]
fn types_waits_rules_and_retries_are_in_text() {
    let svg = draw(&machine(making::ORDER), &Options::default());
    for words in [
        "Task · sqs:sendMessage",
        "callback · timeout 1 d · heartbeat 1 h",
        "worker · no timeout",
        "↻ Retry ×3",
        "$.amount &gt; 1000 and $.vip is not present",
        ">default<",
        ">Catch States.Timeout<",
        "Choice",
        "Wait · 1 h",
        "Fail · Refused",
    ] {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn an_overlay_says_in_words_and_classes_what_became_of_states() {
    let mark = |status, visits| Mark {
        status: Some(status),
        visits,
        finding: None,
    };
    let step = |from: Option<&str>, to: &str, caught| Step {
        from: from.map(str::to_owned),
        to: Some(to.to_owned()),
        caught,
    };
    let mut overlay = Overlay::default();
    overlay.states.insert("Ask".into(), mark(Status::Caught, 2));
    overlay
        .states
        .insert("Remind".into(), mark(Status::Current, 2));
    overlay
        .steps
        .extend([step(None, "Ask", false), step(Some("Ask"), "Remind", true)]);
    let machine = machine(making::ORDER);
    let scene = scene(&machine, &overlay);
    let taken: Vec<(&str, Kind)> = scene
        .lines
        .iter()
        .filter(|line| line.taken)
        .map(|line| (line.title.as_str(), line.kind))
        .collect();
    assert_eq!(
        taken,
        [
            ("Start → Ask", Kind::Next),
            ("Ask → Remind: Catch States.Timeout", Kind::Catch)
        ]
    );
    // What was gone is drawn whole; what was not joins it.
    assert!(
        scene
            .lines
            .iter()
            .filter(|line| line.taken)
            .all(|line| line.arrives)
    );
    let svg = draw(
        &machine,
        &Options {
            overlay,
            ..Options::default()
        },
    );
    for words in [
        "⚠ failed, caught · 2 visits",
        "▶ running · 2 visits",
        "not reached",
        "is-current",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    let mut found = Overlay::default();
    found.states.insert(
        "Ask".into(),
        Mark {
            finding: Some(Finding {
                severity: Severity::Error,
                text: "nobody is told".into(),
            }),
            ..Mark::default()
        },
    );
    let svg = draw(
        &machine,
        &Options {
            overlay: found,
            ..Options::default()
        },
    );
    assert!(svg.contains("Error: nobody is told") && svg.contains("callback is-bad"));
    assert!(!svg.contains("not reached"));
}

#[test]
fn a_thousand_states_in_a_row_or_at_random_are_quick_and_need_no_deep_stack() {
    let chain = making::chain(1_000);
    let random = Making::new(7).definition(1_000);
    let wide = making::wide(300);
    let work = move || {
        for (name, text) in [("chain", chain), ("random", random), ("wide", wide)] {
            let machine = machine(&text);
            let began = std::time::Instant::now();
            let svg = draw(&machine, &Options::default());
            let took = began.elapsed();
            println!("{name}: {took:?}, {} bytes", svg.len());
            // Ten times what an optimized build takes, since tests are not optimized.
            assert!(took.as_secs() < 10, "{name}: {took:?}");
            assert!(svg.len() < machine.states.len() * 6_000, "{name}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let done = thread.spawn(work).expect("a thread starts").join();
    done.expect("it was drawn");
}
