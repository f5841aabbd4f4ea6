//! How data flows through a state: `InputPath`, `Parameters`, then the state's work, then
//! `ResultSelector`, `ResultPath`, `OutputPath`.
//!
//! A document that passes unchanged is passed on, not copied; [`Made`] remembers where the output
//! came from, so that its event does not have to repeat it.

use std::cell::OnceCell;

use asl::data::{DEPTH_MAX, too_deep};
use asl::{Data, Failure, Path, ReferencePath, Scope, State, Template};
use serde_json::{Map, Value};

use crate::context::ContextObject;
use crate::decide::Decider;
use crate::event::{FrameId, Output};
use crate::limits::PAYLOAD_BYTES_MAX;

/// A state's output in the making.
pub(crate) struct Made {
    pub(crate) data: Data,
    /// Where it comes from; a placeholder document stands for itself.
    source: Source,
}

enum Source {
    Input,
    Result,
    Children,
    New,
}

impl Made {
    /// The state's input, unchanged.
    pub(crate) fn input(data: Data) -> Made {
        Made {
            data,
            source: Source::Input,
        }
    }

    /// The result of the state's task, which an event has stored.
    pub(crate) fn result(data: Data) -> Made {
        Made {
            data,
            source: Source::Result,
        }
    }

    /// The outputs of branches or iterations.
    pub(crate) fn children(data: Data) -> Made {
        Made {
            data,
            source: Source::Children,
        }
    }

    /// Something that is nowhere else.
    pub(crate) fn document(data: Data) -> Made {
        Made {
            data,
            source: Source::New,
        }
    }
}

impl Decider<'_> {
    /// What `$`, `$$` and the random functions mean to an expression of a frame's state.
    pub(crate) fn evaluate<T>(
        &self,
        frame: FrameId,
        input: &Value,
        item: Option<u32>,
        expression: impl FnOnce(Scope<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let context = ContextObject {
            execution: self.execution,
            frame,
            item,
            tokens: self.tokens,
            made: OnceCell::new(),
        };
        expression(Scope {
            input,
            context: &context,
            random: &self.random,
        })
        .map_err(|failure| self.at_state(frame, failure))
    }

    /// Says in a failure of an expression where it happened, as AWS does.
    pub(crate) fn at_state(&self, frame: FrameId, failure: Failure) -> Failure {
        let place = self.place(frame);
        let cause = place.told() + &failure.cause.unwrap_or_default();
        Failure {
            error: failure.error,
            cause: Some(cause),
        }
    }

    /// A state's input after `InputPath`.
    pub(crate) fn input(&self, frame: FrameId, path: Option<&Path>) -> Result<Data, Failure> {
        let raw = self.frame(frame).data.clone();
        self.select(frame, path, raw)
    }

    /// What `InputPath` or `OutputPath` makes of a document.
    fn select(&self, frame: FrameId, path: Option<&Path>, data: Data) -> Result<Data, Failure> {
        match path {
            None => Ok(Data::from(Value::Object(Map::new()))),
            Some(path) if path.is_root() => Ok(data),
            Some(path) => self.evaluate(frame, data.value(), None, |scope| {
                Ok(Data::from(path.select(scope)?.into_owned()))
            }),
        }
    }

    /// The output of a state that only passes its input on: `InputPath`, then `OutputPath`.
    pub(crate) fn passed_on(&self, frame: FrameId, state: &State) -> Result<Output, Failure> {
        let input = self.input(frame, state.input_path.as_ref())?;
        let made = match input.same(&self.frame(frame).data) {
            true => Made::input(input),
            false => Made::document(input),
        };
        self.output(
            frame,
            Some(&ReferencePath::root()),
            state.output_path.as_ref(),
            made,
        )
    }

    /// What `Parameters` makes of a state's input.
    pub(crate) fn parameters(
        &self,
        frame: FrameId,
        template: Option<&Template>,
        input: &Data,
    ) -> Result<Data, Failure> {
        match template {
            None => Ok(input.clone()),
            Some(template) => self.render(frame, template, input, None),
        }
    }

    /// What a template makes of a document.
    pub(crate) fn render(
        &self,
        frame: FrameId,
        template: &Template,
        input: &Data,
        item: Option<u32>,
    ) -> Result<Data, Failure> {
        self.evaluate(frame, input.value(), item, |scope| {
            template.render(scope).map(Data::from)
        })
    }

    /// What `ResultSelector` makes of a result.
    pub(crate) fn selected(
        &self,
        frame: FrameId,
        selector: Option<&Template>,
        result: Made,
    ) -> Result<Made, Failure> {
        match selector {
            None => Ok(result),
            Some(template) => self
                .render(frame, template, &result.data, None)
                .map(Made::document),
        }
    }

    /// What `ResultPath` and `OutputPath` make of a result: the state's output.
    pub(crate) fn output(
        &self,
        frame: FrameId,
        result_path: Option<&ReferencePath>,
        output_path: Option<&Path>,
        result: Made,
    ) -> Result<Output, Failure> {
        let raw = || self.frame(frame).data.clone();
        let placed = match result_path {
            None => Made::input(raw()),
            Some(path) if path.is_root() => result,
            Some(path) => {
                let put = path.put(raw().value(), result.data.value().clone());
                Made::document(Data::from(
                    put.map_err(|failure| self.at_state(frame, failure))?,
                ))
            }
        };
        let made = match output_path {
            Some(path) if path.is_root() => placed,
            path => Made::document(self.select(frame, path, placed.data)?),
        };
        let output = match made.source {
            Source::Input => return Ok(Output::Input),
            Source::Result => return Ok(Output::Result),
            Source::Children => Output::Children,
            Source::New => Output::Document(made.data.clone()),
        };
        self.check_depth(frame, &made.data)?;
        if made.data.text().len() > PAYLOAD_BYTES_MAX {
            return Err(data_limit_exceeded(&self.place(frame).name));
        }
        Ok(output)
    }

    /// Refuses a document that could be stored and not read back. A limit of ours: no recording
    /// shows how deep AWS goes.
    pub(crate) fn check_depth(&self, frame: FrameId, data: &Data) -> Result<(), Failure> {
        if !too_deep(data.value()) {
            return Ok(());
        }
        let cause = format!(
            "The data nests arrays and objects more than {DEPTH_MAX} levels deep, which is the limit."
        );
        Err(self.at_state(frame, Failure::runtime(cause)))
    }
}

/// The failure of whatever gave more than [`PAYLOAD_BYTES_MAX`]: a state, a service, a function.
pub(crate) fn data_limit_exceeded(who: &str) -> Failure {
    Failure::new(
        "States.DataLimitExceeded",
        format!(
            "The state/task '{who}' returned a result with a size exceeding the maximum number of \
             bytes service limit."
        ),
    )
}
