//! How data flows through a state: `InputPath`, `Parameters`, then the state's work, then
//! `ResultSelector`, `ResultPath`, `OutputPath`.
//!
//! A document that passes unchanged is passed on, not copied; [`Made`] remembers where the output
//! came from, so that its event does not have to repeat it.

use std::cell::OnceCell;

use asl::data::{DEPTH_MAX, too_deep};
use asl::jsonata::Session;
use asl::{Data, Failure, Path, QueryLanguage, ReferencePath, Scope, State, StateKind, Template};
use serde_json::{Map, Value};

use crate::context::ContextObject;
use crate::decide::Decider;
use crate::event::{FrameId, Output};
use crate::execution::Execution;
use crate::map_run::Item;

/// A failure of a state, and the field of the state that it was in, if it was a JSONata expression's.
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) failure: Failure,
    pub(crate) location: Option<String>,
}

impl From<Failure> for Flaw {
    fn from(failure: Failure) -> Flaw {
        Flaw {
            failure,
            location: None,
        }
    }
}

/// What an expression may see besides its state's input.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen<'a> {
    /// The item that an `ItemSelector` is asked about.
    pub(crate) item: Option<u32>,
    /// The same, of an item that the execution does not keep.
    pub(crate) given_item: Option<&'a Item<'a>>,
    /// `$states.result`.
    pub(crate) result: Option<&'a Value>,
    /// `$states.errorOutput`.
    pub(crate) error_output: Option<&'a Value>,
}

/// How a state is left.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) output: Output,
    /// The variables that it assigns.
    pub(crate) assigned: Option<Data>,
}

/// What says how a state is left: its own fields, or those of a Choice rule or a Catch.
#[derive(Clone, Copy)]
pub(crate) struct Leaving<'a> {
    pub(crate) assign: Option<&'a Template>,
    /// `Output` (JSONata).
    pub(crate) output: Option<&'a Template>,
}

impl<'a> Leaving<'a> {
    /// As the state itself says.
    pub(crate) fn of(state: &'a State) -> Leaving<'a> {
        Leaving {
            assign: state.assign.as_ref(),
            output: state.output.as_ref(),
        }
    }
}

/// The variables of a frame and of those around it, the innermost first.
struct FrameVariables<'a> {
    execution: &'a Execution,
    frame: FrameId,
}

impl asl::Variables for FrameVariables<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        let frames = &self.execution.now.frames;
        let mut at = Some(self.frame);
        while let Some(frame) = at.and_then(|id| frames.get(&id)) {
            if let Some(value) = frame.variables.get(name) {
                return Some(value.value());
            }
            at = frame.parent;
        }
        None
    }
}

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
    /// What `$`, `$$`, `$name` and the random functions mean to an expression of a frame's state.
    pub(crate) fn evaluate<T>(
        &self,
        frame: FrameId,
        input: &Value,
        seen: Seen<'_>,
        expression: impl FnOnce(Scope<'_>) -> Result<T, Failure>,
    ) -> Result<T, Flaw> {
        let context = ContextObject {
            execution: self.execution,
            frame,
            item: seen.item,
            given_item: seen.given_item,
            tokens: self.tokens,
            made: OnceCell::new(),
            small: OnceCell::new(),
        };
        let session = match self.slice.and_then(|slice| slice.patience) {
            Some(patience) => Session::impatient(patience),
            None => Session::default(),
        };
        let made = expression(Scope {
            input,
            context: &context,
            random: &self.random,
            now: self.at,
            variables: &FrameVariables {
                execution: self.execution,
                frame,
            },
            result: seen.result,
            error_output: seen.error_output,
            session: &session,
        });
        if session.gave_up() {
            self.gave_up.set(true);
        }
        made.map_err(|failure| Flaw {
            failure: self.at_state(frame, failure),
            location: session.take_failed_at().map(String::from),
        })
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
    pub(crate) fn input(&self, frame: FrameId, path: Option<&Path>) -> Result<Data, Flaw> {
        let raw = self.frame(frame).data.clone();
        self.select(frame, path, raw)
    }

    /// What `InputPath` or `OutputPath` makes of a document.
    fn select(&self, frame: FrameId, path: Option<&Path>, data: Data) -> Result<Data, Flaw> {
        match path {
            None => Ok(Data::from(Value::Object(Map::new()))),
            Some(path) if path.is_root() => Ok(data),
            Some(path) => self.evaluate(frame, data.value(), Seen::default(), |scope| {
                Ok(Data::from(path.select(scope)?.into_owned()))
            }),
        }
    }

    /// How a state is left that only passes its input on.
    pub(crate) fn passed_on(
        &self,
        frame: FrameId,
        state: &State,
        leaving: Leaving<'_>,
    ) -> Result<Left, Flaw> {
        let input = self.input(frame, state.input_path.as_ref())?;
        let made = match input.same(&self.frame(frame).data) {
            true => Made::input(input),
            false => Made::document(input),
        };
        self.left(frame, state, leaving, Some(&ReferencePath::root()), made)
    }

    /// How a state is left that has this result.
    pub(crate) fn left(
        &self,
        frame: FrameId,
        state: &State,
        leaving: Leaving<'_>,
        result_path: Option<&ReferencePath>,
        result: Made,
    ) -> Result<Left, Flaw> {
        if state.query_language == QueryLanguage::Jsonata {
            let has_result = matches!(
                state.kind,
                StateKind::Task(_) | StateKind::Parallel(_) | StateKind::Map(_)
            );
            let data = result.data.clone();
            let seen = Seen {
                result: has_result.then(|| data.value()),
                ..Seen::default()
            };
            return self.left_by_jsonata(frame, leaving, seen, result);
        }
        let assigned = match leaving.assign {
            None => None,
            Some(assign) => Some(self.render(frame, assign, &result.data, None)?),
        };
        Ok(Left {
            assigned: self.assignable(frame, assigned)?,
            output: self.output(frame, result_path, state.output_path.as_ref(), result)?,
        })
    }

    /// The same with JSONata, where `Output` says what leaves, or else it is `otherwise`.
    pub(crate) fn left_by_jsonata(
        &self,
        frame: FrameId,
        leaving: Leaving<'_>,
        seen: Seen<'_>,
        otherwise: Made,
    ) -> Result<Left, Flaw> {
        let Leaving { assign, output } = leaving;
        if assign.is_none() && output.is_none() {
            let output = self.fitting(frame, otherwise)?;
            return Ok(Left {
                output,
                assigned: None,
            });
        }
        let input = self.frame(frame).data.clone();
        let (assigned, output) = self.evaluate(frame, input.value(), seen, |scope| {
            let render = |template: &Template| template.render(scope).map(Data::from);
            Ok((
                assign.map(render).transpose()?,
                output.map(render).transpose()?,
            ))
        })?;
        Ok(Left {
            assigned: self.assignable(frame, assigned)?,
            output: self.fitting(frame, output.map_or(otherwise, Made::document))?,
        })
    }

    /// The variables that are assigned, if there are any and they are not too large.
    pub(crate) fn assignable(
        &self,
        frame: FrameId,
        assigned: Option<Data>,
    ) -> Result<Option<Data>, Flaw> {
        let assigned =
            assigned.filter(|data| data.value().as_object().is_some_and(|o| !o.is_empty()));
        let Some(data) = &assigned else {
            return Ok(None);
        };
        let frames = self.execution.now.frames.values();
        let kept = frames.flat_map(|frame| frame.variables.values());
        let kept: usize = kept.map(|value| value.text().len()).sum();
        let size = data.text().len();
        let quotas = self.quotas();
        if size > quotas.payload_bytes || kept + size > quotas.variables_bytes {
            return Err(data_limit_exceeded(&self.place(frame).name).into());
        }
        Ok(assigned)
    }

    /// What `Parameters` makes of a state's input.
    pub(crate) fn parameters(
        &self,
        frame: FrameId,
        template: Option<&Template>,
        input: &Data,
    ) -> Result<Data, Flaw> {
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
    ) -> Result<Data, Flaw> {
        self.evaluate(
            frame,
            input.value(),
            Seen {
                item,
                ..Seen::default()
            },
            |scope| template.render(scope).map(Data::from),
        )
    }

    /// What `ResultSelector` makes of a result.
    pub(crate) fn selected(
        &self,
        frame: FrameId,
        selector: Option<&Template>,
        result: Made,
    ) -> Result<Made, Flaw> {
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
    ) -> Result<Output, Flaw> {
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
        self.fitting(frame, made)
    }

    /// A state's output as its event has it, if it is not too large.
    pub(crate) fn fitting(&self, frame: FrameId, made: Made) -> Result<Output, Flaw> {
        let output = match made.source {
            Source::Input => return Ok(Output::Input),
            Source::Result => return Ok(Output::Result),
            Source::Children => Output::Children,
            Source::New => Output::Document(made.data.clone()),
        };
        self.check_depth(frame, &made.data)?;
        if made.data.text().len() > self.quotas().payload_bytes {
            return Err(data_limit_exceeded(&self.place(frame).name).into());
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

/// The failure of whatever gave more than [`crate::Quotas::payload_bytes`]: a state, a service, a function.
pub(crate) fn data_limit_exceeded(who: &str) -> Failure {
    Failure::new(
        "States.DataLimitExceeded",
        format!(
            "The state/task '{who}' returned a result with a size exceeding the maximum number of \
             bytes service limit."
        ),
    )
}
