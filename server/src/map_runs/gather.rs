//! The result of a Map Run: what its children gave, as a list, or where a `ResultWriter` has put it.
//!
//! Children's results are read from the store one after the other, in the order of their items, when all
//! have ended. So a Map Run of any size needs no memory for them, and none is lost with the server.

use asl::{Data, Failure, Transformation};
use engine::map_run::OpenRun;
use engine::{Execution, ExecutionKey, Status, WaitId};
use serde_json::Value;

use crate::app::App;
use crate::items::results::{Child, Writer};

use super::inputs::Inputs;
use super::work::Work;

/// A result, or the failure to have one.
pub(super) enum Gathered {
    /// The list of the children's results, which can be put together again.
    List(Data),
    /// What a writer says that it has written.
    Written(Data),
    /// The results could not be written.
    Failed(Failure),
}

/// Puts the result together; `rest` are the inputs of children that were never started.
///
/// # Errors
/// The store's, as text for the log.
pub(super) async fn gather(
    app: &App,
    parent: &Execution,
    wait: WaitId,
    work: &Work,
    rest: Option<&mut Inputs>,
) -> Result<Gathered, String> {
    let Some(OpenRun { map, run, .. }) = parent.map_run(wait) else {
        // Nobody waits for it.
        return Ok(Gathered::List(Data::from(Value::Null)));
    };
    let writer = map.distributed.as_ref().and_then(|d| d.writer.as_ref());
    match writer.zip(run.destination.as_ref()) {
        Some((writer, destination)) => {
            let writer = Writer::new(&app.services, writer, destination, &work.arn);
            match writer {
                Ok(writer) => write(app, work, writer, rest).await,
                Err(failure) => Ok(Gathered::Failed(failure)),
            }
        }
        None => list(app, work, writer.map(|writer| writer.transformation)).await,
    }
}

/// The outputs of the children that succeeded; all children, in the form that a `WriterConfig` gives them.
async fn list(app: &App, work: &Work, form: Option<Transformation>) -> Result<Gathered, String> {
    let mut results = Vec::new();
    let mut bytes = 0;
    for place in 0..work.children() {
        let Some(execution) = child(app, work, place).await? else {
            continue;
        };
        if form.is_none() && execution.status() != Status::Succeeded {
            continue;
        }
        let child = shown(&execution);
        let form = form.unwrap_or(Transformation::Compact);
        for result in child.results(form) {
            bytes += Data::from(result.clone()).text().len() + 1;
            results.push(result);
        }
        // It is too large, and the rest does not make it any better.
        if bytes > app.quotas.payload_bytes + results.len() {
            break;
        }
    }
    Ok(Gathered::List(Data::from(Value::Array(results))))
}

async fn write(
    app: &App,
    work: &Work,
    mut writer: Writer,
    rest: Option<&mut Inputs>,
) -> Result<Gathered, String> {
    for place in 0..work.children() {
        if let Some(execution) = child(app, work, place).await?
            && let Err(failure) = writer.push(&shown(&execution)).await
        {
            return Ok(Gathered::Failed(failure));
        }
    }
    if let Some(inputs) = rest {
        let mut place = work.children();
        // That the items can't be read has been told before.
        while let Ok(Some(batch)) = inputs.next().await {
            let name = work.names.child(place);
            place += 1;
            let pending = Child {
                arn: &work.names.execution(&name),
                name: &name,
                state_machine_arn: &work.names.machine_arn,
                input: &batch.input,
                status: None,
                output: None,
                failure: None,
                started_at: None,
                stopped_at: None,
                redrives: 0,
            };
            if let Err(failure) = writer.push(&pending).await {
                return Ok(Gathered::Failed(failure));
            }
        }
    }
    Ok(match writer.finish().await {
        Ok(written) => Gathered::Written(written),
        Err(failure) => Gathered::Failed(failure),
    })
}

async fn child(app: &App, work: &Work, place: u32) -> Result<Option<Execution>, String> {
    let arn = work.names.execution(&work.names.child(place));
    app.runner.execution(ExecutionKey::of(&arn)).await
}

fn shown(execution: &Execution) -> Child<'_> {
    let identity = execution.identity();
    let closing = execution.closing();
    Child {
        arn: &identity.arn,
        name: &identity.name,
        state_machine_arn: &identity.state_machine_arn,
        input: &identity.input,
        status: Some(execution.status()),
        output: closing.and_then(|closing| closing.output.as_ref()),
        failure: closing.and_then(|closing| closing.failure.as_ref()),
        started_at: Some(identity.started_at),
        stopped_at: closing.map(|closing| closing.at),
        redrives: execution.redrives().0,
    }
}
