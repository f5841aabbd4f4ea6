//! Map, inline: one frame an item, some of them at once; the output is the list of theirs.

use asl::jsonata::QUERY_EVALUATION_ERROR;
use asl::{Amount, Data, Failure, Items, Map, State, StateKind};
use serde_json::Value;

use crate::decide::{Decider, Stop};
use crate::event::{EventKind, FrameId};
use crate::flow::{Flaw, Made, Seen};
use crate::frame::Phase;

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    map: &Map,
) -> Result<(), Stop> {
    if let Some(distributed) = &map.distributed {
        return super::distributed::run(decider, frame, state, map, distributed);
    }
    let input = decider.input(frame, state.input_path.as_ref())?;
    let concurrency = concurrency(decider, frame, &map.max_concurrency, &input)?;
    let items = items(decider, frame, map, &input)?;
    let length = items.value().as_array().map_or(0, Vec::len) as u32;
    let unchanged = items.same(&decider.frame(frame).data);
    let items = (!unchanged).then_some(items);
    decider.emit(
        frame,
        EventKind::MapStarted {
            items,
            length,
            concurrency,
        },
    )?;
    for index in 0..length.min(concurrency) {
        start(decider, frame, state, map, index)?;
    }
    if length == 0 {
        return finish(decider, frame, state, map);
    }
    Ok(())
}

/// An iteration came to its end: the next one starts, or the last one ends the state.
pub(crate) fn child_succeeded(decider: &mut Decider<'_>, frame: FrameId) -> Result<(), Stop> {
    let machine = decider.machine.clone();
    let state = machine.state(decider.place(frame).id);
    let (StateKind::Map(map), Phase::Children(children)) =
        (&state.kind, &decider.frame(frame).phase)
    else {
        unreachable!("iterations belong to a Map state that waits for them");
    };
    let length = children.outputs.len() as u32;
    if children.next < length {
        let next = children.next;
        return start(decider, frame, state, map, next);
    }
    if children.succeeded == length {
        finish(decider, frame, state, map)
    } else {
        Ok(())
    }
}

/// After a redrive: starts what there is room for beside the iterations that go on.
pub(crate) fn go_on(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    map: &Map,
) -> Result<(), Stop> {
    let frames = decider.execution.now.frames.values();
    let under_way = frames.filter(|f| f.parent == Some(frame)).count() as u32;
    let Phase::Children(children) = &decider.frame(frame).phase else {
        unreachable!("a Map state that goes on has had iterations");
    };
    let length = children.outputs.len() as u32;
    let room = children.concurrency.saturating_sub(under_way);
    let first = children.next;
    if children.succeeded == length {
        return finish(decider, frame, state, map);
    }
    for index in first..length.min(first.saturating_add(room)) {
        start(decider, frame, state, map, index)?;
    }
    Ok(())
}

fn start(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    map: &Map,
    index: u32,
) -> Result<(), Stop> {
    let input = match &map.item_selector {
        None => None,
        Some(template) => {
            let input = decider.input(frame, state.input_path.as_ref())?;
            let selected = decider.render(frame, template, &input, Some(index))?;
            decider.check_depth(frame, &selected)?;
            Some(selected)
        }
    };
    let iteration = FrameId(decider.execution.now.next_frame);
    decider.emit(
        iteration,
        EventKind::IterationStarted {
            parent: frame,
            index,
            input,
        },
    )?;
    Ok(decider.enter(iteration, map.start_at)?)
}

fn finish(decider: &mut Decider<'_>, frame: FrameId, state: &State, map: &Map) -> Result<(), Stop> {
    let Phase::Children(children) = &decider.frame(frame).phase else {
        unreachable!("a Map state that finishes has had iterations");
    };
    let outputs = Made::children(children.output());
    decider.emit(frame, EventKind::ChildrenSucceeded)?;
    decider.leave_with(frame, state, &map.result, outputs, map.next)
}

/// The items: an array, or where the Map is distributed an object, whose members they are.
pub(super) fn items(
    decider: &Decider<'_>,
    frame: FrameId,
    map: &Map,
    input: &Data,
) -> Result<Data, Flaw> {
    let are_items =
        |value: &Value| value.is_array() || (map.distributed.is_some() && value.is_object());
    let path =
        match &map.items {
            Items::Path(path) => path,
            Items::Input => {
                if are_items(input.value()) {
                    return Ok(input.clone());
                }
                let cause = format!("Map state input must be an array but was: {}", input.text());
                let failure = Failure::new(QUERY_EVALUATION_ERROR, cause);
                return Err(decider.at_state(frame, failure).into());
            }
            Items::Template(template) => {
                return decider.evaluate(frame, input.value(), Seen::default(), |scope| {
                    match template.as_jsonata() {
                        Some(expression) => expression.evaluate_as(scope, "array", |value| {
                            are_items(value).then(|| Data::from(value.clone()))
                        }),
                        None => template.render(scope).map(Data::from),
                    }
                });
            }
        };
    let must_be_array = || {
        // A path into the context object is told as one into that (recorded in
        // `test_state_map_context_object`).
        let text = path.text();
        let text = text
            .strip_prefix("$$")
            .map_or(text.into(), |rest| format!("${rest}"));
        Failure::runtime(format!("Reference path \"{text}\" must point to array."))
    };
    if path.is_root() {
        return match are_items(input.value()) {
            true => Ok(input.clone()),
            false => Err(decider.at_state(frame, must_be_array()).into()),
        };
    }
    decider.evaluate(frame, input.value(), Seen::default(), |scope| {
        let items = path.select(scope)?;
        match are_items(&items) {
            true => Ok(Data::from(items.into_owned())),
            false => Err(must_be_array()),
        }
    })
}

/// How many iterations run at once.
fn concurrency(
    decider: &Decider<'_>,
    frame: FrameId,
    concurrency: &Amount<u64>,
    input: &Data,
) -> Result<u32, Flaw> {
    let given = max_concurrency(decider, frame, concurrency, input)?;
    let most = decider.quotas().inline_map_concurrency;
    Ok(match u32::try_from(given).unwrap_or(most) {
        0 => most,
        given => given.min(most),
    })
}

/// `MaxConcurrency`, given or looked up; 0 is no limit of the user's own.
pub(super) fn max_concurrency(
    decider: &Decider<'_>,
    frame: FrameId,
    concurrency: &Amount<u64>,
    input: &Data,
) -> Result<u64, Flaw> {
    decider.evaluate(frame, input.value(), Seen::default(), |scope| {
        let given = concurrency.evaluate(scope)?;
        u64::try_from(given).map_err(|_| {
            Failure::runtime(format!(
                "Expected non-negative integer for MaxConcurrency, got '{given}' instead."
            ))
        })
    })
}
