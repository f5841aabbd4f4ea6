//! What is particular to a trial of a Map state: what its fields made of the items, and failed
//! iterations that nobody has run but only told of.

use asl::{Data, Failure, Map, QueryLanguage, Scope, State};
use serde_json::Value;

use super::{FailedItems, Seen};
use crate::decide::{Decider, Stop};
use crate::event::FrameId;
use crate::flow;
use crate::frame::Phase;
use crate::map_run::{self, Item, STATE_DATA};
use crate::states::{self, distributed};

impl Decider<'_> {
    /// Works out what a Map state's fields make of its input; `read` are items that its reader is made
    /// to believe to have read.
    pub(super) fn see_map(
        &mut self,
        state: &State,
        map: &Map,
        input: &Data,
        read: Option<&Data>,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        let frame = FrameId::ROOT;
        states::run(self, frame)?;
        let (items, concurrency, source) = match &self.frame(frame).phase {
            Phase::Children(children) => (
                children.items.clone(),
                children.concurrency,
                STATE_DATA.to_owned(),
            ),
            Phase::MapRun(open) => {
                let given = || self.frame(frame).data.clone();
                let items = match open.run.reading {
                    Some(_) => {
                        seen.after_items_pointer = read.and_then(|read| pointed(map, read));
                        let pointed = seen.after_items_pointer.as_ref();
                        pointed.or(read).cloned()
                    }
                    None => Some(open.run.items.clone().unwrap_or_else(given)),
                };
                let source = open.run.source(map);
                (items, open.run.max_concurrency, source)
            }
            _ => return Ok(()),
        };
        let batches = match &self.frame(frame).phase {
            Phase::MapRun(open) => open.run.batches.clone(),
            _ => None,
        };
        let given = map.max_concurrency.given().copied();
        seen.max_concurrency = Some(given.unwrap_or(concurrency.into()));
        let tolerance = &map.tolerance;
        let (count, percentage) = distributed::tolerated(self, frame, state, tolerance, input)?;
        seen.tolerated_failure_count = tolerance.count.is_some().then_some(count);
        seen.tolerated_failure_percentage = tolerance.percentage.is_some().then_some(percentage);
        let given = items.as_ref().map(|items| map_run::items(items.value()));
        let given = given.into_iter().flatten().zip(0..);
        let given = given.map(|((key, value), index)| Item {
            index,
            key,
            value,
            source: &source,
        });
        let inputs = match &map.item_selector {
            None => given.map(|item| item.input()).collect(),
            Some(selector) => {
                let mut inputs = Vec::new();
                for item in given {
                    let seen = flow::Seen {
                        given_item: Some(&item),
                        ..flow::Seen::default()
                    };
                    let render = |scope: Scope<'_>| selector.render(scope);
                    inputs.push(self.evaluate(frame, input.value(), seen, render)?);
                }
                seen.after_item_selector = Some(Data::from(Value::Array(inputs.clone())));
                inputs
            }
        };
        let batches = batches.filter(|_| items.is_some());
        seen.batches = batches.map(|batches| (batches, inputs));
        // The only one of these that the model says is left out then.
        seen.after_items_path = items.filter(|_| state.query_language == QueryLanguage::JsonPath);
        Ok(())
    }

    /// Fails the Map state if more iterations are said to have failed than it tolerates. One that says
    /// nothing of tolerance is not checked (recorded: `test_map_state_failure_count`).
    pub(super) fn tolerate(
        &self,
        state: &State,
        map: &Map,
        failed: FailedItems,
    ) -> Result<(), Stop> {
        let frame = FrameId::ROOT;
        let input = self.input(frame, state.input_path.as_ref())?;
        let (count, percentage) =
            distributed::tolerated(self, frame, state, &map.tolerance, &input)?;
        let too_many = map.tolerance.count.is_some() && failed.failed > count;
        let too_large = map.tolerance.percentage.is_some()
            && failed.failed as f64 * 100.0 > percentage * failed.of as f64;
        if too_many || too_large {
            let cause = "The specified tolerated failure threshold was exceeded";
            let error = "States.ExceedToleratedFailureThreshold";
            return Err(Failure::new(error, cause).into());
        }
        Ok(())
    }
}

/// What the `ItemsPointer` of a reader leads to in what it is said to have read. One that leads to nothing is
/// the reader's to complain of, which has not run here.
fn pointed(map: &Map, read: &Data) -> Option<Data> {
    let reader = map.distributed.as_ref()?.reader.as_ref()?;
    let pointer = reader.config.items_pointer.as_deref()?;
    Some(Data::from(read.value().pointer(pointer)?.clone()))
}
