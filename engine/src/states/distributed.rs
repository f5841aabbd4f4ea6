//! Map, distributed: the items become executions of their own, and the state waits for their Map Run.
//!
//! | event | history | when |
//! | --- | --- | --- |
//! | DistributedMapStarted | MapStateStarted | the state runs, each attempt anew |
//! | MapRunStarted | MapRunStarted | all that the Map Run needs was evaluated |
//! | MapRunRedriven | MapRunRedriven | the execution was redriven, and the Map Run had not ended well |
//! | MapRunSucceeded, MapRunFailed | the same | exactly one of them, each time |
//!
//! Nothing of the state is evaluated later but `ItemSelector`, which is asked of each item
//! ([`Execution::item_input`](crate::Execution::item_input)).

use std::sync::Arc;

use asl::{Amount, Data, Distributed, Failure, Map, QueryLanguage, State, StateKind, Tolerance};
use serde_json::Value;

use crate::decide::{Decider, Over, Stop};
use crate::event::{EventKind, FrameId};
use crate::flow::{Flaw, Made, Seen, data_limit_exceeded};
use crate::frame::Phase;
use crate::identity::WaitId;
use crate::map_run::{self, Batches, MapRun, Reading};

use super::map::{items, max_concurrency};

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    map: &Map,
    distributed: &Distributed,
) -> Result<(), Stop> {
    let input = decider.input(frame, state.input_path.as_ref())?;
    let max_concurrency = max_concurrency(decider, frame, &map.max_concurrency, &input)?;
    let items = match &distributed.reader {
        Some(_) => None,
        None => Some(items(decider, frame, map, &input)?),
    };
    let length = match items.as_ref().map(Data::value) {
        Some(Value::Array(elements)) => elements.len(),
        Some(Value::Object(members)) => members.len(),
        _ => 0,
    } as u32;
    decider.emit(frame, EventKind::DistributedMapStarted { length })?;

    let (tolerated_failure_count, tolerated_failure_percentage) =
        tolerated(decider, frame, state, &map.tolerance, &input)?;
    let run = MapRun {
        arn: arn(decider, state, distributed),
        items: items.filter(|items| !items.same(&decider.frame(frame).data)),
        max_concurrency: u32::try_from(max_concurrency).unwrap_or(u32::MAX),
        tolerated_failure_count,
        tolerated_failure_percentage,
        reading: reading(decider, frame, distributed, &input)?,
        batches: batches(decider, frame, distributed, &input)?,
        destination: destination(decider, frame, distributed, &input)?,
    };
    let wait = WaitId(decider.execution.now.next_wait);
    let run = Arc::new(run);
    Ok(decider.emit(frame, EventKind::MapRunStarted { wait, run })?)
}

/// After a redrive: the same Map Run goes on.
pub(crate) fn go_on(decider: &mut Decider<'_>, frame: FrameId) -> Result<(), Over> {
    let wait = WaitId(decider.execution.now.next_wait);
    let Phase::MapRun(open) = &decider.frame(frame).phase else {
        unreachable!("a Map Run that goes on has been asked for");
    };
    let (arn, count) = (open.run.arn.clone(), open.redrives + 1);
    decider.emit(frame, EventKind::MapRunRedriven { wait, arn, count })
}

/// The Map Run ended well.
pub(crate) fn succeed(
    decider: &mut Decider<'_>,
    frame: FrameId,
    wait: WaitId,
    result: Data,
) -> Result<(), Stop> {
    let machine = decider.machine.clone();
    let state = machine.state(decider.place(frame).id);
    let StateKind::Map(map) = &state.kind else {
        unreachable!("only a Map state has a Map Run");
    };
    if result.text().len() > decider.quotas().payload_bytes {
        let failure = data_limit_exceeded(&state.name);
        return Ok(fail(decider, frame, wait, failure)?);
    }
    decider.check_depth(frame, &result)?;
    let output = result.clone();
    decider.emit(frame, EventKind::MapRunSucceeded { wait, output })?;
    decider.emit(frame, EventKind::ChildrenSucceeded)?;
    decider.leave_with(frame, state, &map.result, Made::result(result), map.next)
}

/// The Map Run ended badly.
pub(crate) fn fail(
    decider: &mut Decider<'_>,
    frame: FrameId,
    wait: WaitId,
    failure: Failure,
) -> Result<(), Over> {
    let told = failure.clone();
    decider.emit(
        frame,
        EventKind::MapRunFailed {
            wait,
            failure: told,
        },
    )?;
    decider.recover(frame, failure.into())
}

fn arn(decider: &Decider<'_>, state: &State, distributed: &Distributed) -> Arc<str> {
    let identity = decider.execution.identity();
    let wait = WaitId(decider.execution.now.next_wait);
    match &distributed.label {
        Some(label) => map_run::arn(identity, label, wait),
        None => map_run::arn(identity, &map_run::label(identity, &state.name), wait),
    }
}

/// `ToleratedFailureCount` and `ToleratedFailurePercentage`; 0 where they are absent.
pub(crate) fn tolerated(
    decider: &Decider<'_>,
    frame: FrameId,
    state: &State,
    tolerance: &Tolerance,
    input: &Data,
) -> Result<(u64, f64), Flaw> {
    let refused = |cause: &str| {
        let failure = match state.query_language {
            QueryLanguage::JsonPath => Failure::runtime(cause.to_owned()),
            QueryLanguage::Jsonata => {
                Failure::new(asl::jsonata::QUERY_EVALUATION_ERROR, cause.to_owned())
            }
        };
        Flaw::from(decider.at_state(frame, failure))
    };
    let count = match &tolerance.count {
        None => 0,
        Some(amount) => whole(decider, frame, amount, input)?
            .try_into()
            .map_err(|_| refused("ToleratedFailureCount cannot be negative."))?,
    };
    let percentage = match &tolerance.percentage {
        None => 0.0,
        Some(amount) => decider.evaluate(frame, input.value(), Seen::default(), |scope| {
            amount.evaluate(scope)
        })?,
    };
    if !(0.0..=100.0).contains(&percentage) {
        let cause = "ToleratedFailurePercentage must be between 0 and 100.";
        return Err(refused(cause));
    }
    Ok((count, percentage))
}

fn reading(
    decider: &Decider<'_>,
    frame: FrameId,
    distributed: &Distributed,
    input: &Data,
) -> Result<Option<Reading>, Flaw> {
    let Some(reader) = &distributed.reader else {
        return Ok(None);
    };
    let arguments = decider.parameters(frame, reader.arguments.as_ref(), input)?;
    decider.check_depth(frame, &arguments)?;
    let max_items = reader.config.max_items.as_ref();
    let max_items = max_items.map(|amount| whole(decider, frame, amount, input));
    Ok(Some(Reading {
        arguments,
        max_items: max_items.transpose()?,
    }))
}

fn batches(
    decider: &Decider<'_>,
    frame: FrameId,
    distributed: &Distributed,
    input: &Data,
) -> Result<Option<Batches>, Flaw> {
    let Some(batcher) = &distributed.batcher else {
        return Ok(None);
    };
    let number = |amount: &Option<Amount<u64>>| {
        let amount = amount.as_ref();
        amount
            .map(|amount| whole(decider, frame, amount, input))
            .transpose()
    };
    let (max_items, max_bytes) = (number(&batcher.max_items)?, number(&batcher.max_bytes)?);
    let template = batcher.input.as_ref();
    let batch_input = template.map(|template| decider.render(frame, template, input, None));
    Ok(Some(Batches {
        max_items,
        max_bytes,
        input: batch_input.transpose()?,
    }))
}

fn destination(
    decider: &Decider<'_>,
    frame: FrameId,
    distributed: &Distributed,
    input: &Data,
) -> Result<Option<Data>, Flaw> {
    let writer = distributed.writer.as_ref();
    let template = writer.and_then(|writer| writer.destination.as_ref());
    template
        .map(|template| decider.render(frame, template, input, None))
        .transpose()
}

fn whole(
    decider: &Decider<'_>,
    frame: FrameId,
    amount: &Amount<u64>,
    input: &Data,
) -> Result<i64, Flaw> {
    decider.evaluate(frame, input.value(), Seen::default(), |scope| {
        amount.evaluate(scope)
    })
}
