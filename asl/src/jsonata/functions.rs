//! The functions that AWS adds to JSONata, and guards before the built-in ones that need them.
//!
//! A guard looks at its arguments and hands them on to the built-in function that it guards, in an
//! evaluator of its own. What it keeps away was found by fuzzing: pictures and widths that make
//! the evaluator panic, run out of memory, or recurse until the stack ends.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::value::JValue;

use super::rewrite::CONCATENATE;
use super::value::{from_evaluator, into_evaluator};
use super::{DEPTH_MAX, EVALUATION_MILLIS_MAX, MEMORY, RANGE_MAX, SEQUENCE_MAX, TEXT_BYTES_MAX};
use crate::intrinsic;
use crate::timestamp::Timestamp;

type Answer = Result<JValue, EvaluatorError>;
type Run = fn(&Rc<World>, &[JValue]) -> Answer;

/// How wide `$pad` may make a text.
const PAD_MAX: f64 = 262_144.0;
/// How long a picture may be.
const PICTURE_MAX: usize = 1_000;

/// What the functions of one evaluation share.
pub(super) struct World {
    now: Timestamp,
    random: Cell<u64>,
    /// How many bytes of text may still be made.
    text_left: Cell<usize>,
    /// The functions of ours that the expression calls.
    called: BTreeSet<&'static str>,
}

/// Every function of ours, by the name that an expression (or [`super::rewrite`]) calls it by.
const FUNCTIONS: [(&str, Run); 20] = [
    ("partition", partition),
    ("range", range),
    ("hash", hash),
    ("random", random),
    ("uuid", uuid),
    ("parse", parse),
    ("now", now),
    ("millis", millis),
    ("shuffle", shuffle),
    ("eval", eval),
    (CONCATENATE, concatenate),
    ("string!", string),
    ("join!", join),
    ("replace!", replace),
    ("pad!", pad),
    ("formatInteger!", format_integer),
    ("formatNumber!", format_number),
    ("parseInteger!", parse_integer),
    ("fromMillis!", from_millis),
    ("toMillis!", to_millis),
];

/// The name of a function of ours.
pub(super) fn find(name: &str) -> Option<&'static str> {
    FUNCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|f| f.0)
}

/// Whether a call of a guarded function without arguments means the context.
pub(super) fn takes_context(name: &str) -> bool {
    matches!(
        name,
        "string" | "formatInteger" | "parseInteger" | "fromMillis" | "toMillis"
    )
}

impl World {
    /// For one evaluation of an expression that calls `called`.
    pub(super) fn new(now: Timestamp, seed: u64, called: BTreeSet<&'static str>) -> Rc<World> {
        Rc::new(World {
            now,
            random: Cell::new(seed),
            text_left: Cell::new(TEXT_BYTES_MAX),
            called,
        })
    }

    /// Gives `evaluator` the functions that the expression calls.
    pub(super) fn register(self: &Rc<World>, evaluator: &mut Evaluator) {
        for (name, run) in FUNCTIONS
            .iter()
            .filter(|(name, _)| self.called.contains(name))
        {
            let world = self.clone();
            evaluator
                .register_fn_override(*name, move |arguments: &[JValue]| run(&world, arguments))
                .expect("functions that cannot be overridden have been given other names");
        }
    }
}

impl World {
    /// The next 64 random bits (SplitMix64).
    fn next(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        scramble(state)
    }

    /// Takes `bytes` from what texts may still grow by.
    fn grow(&self, bytes: usize) -> Result<(), EvaluatorError> {
        let left = self
            .text_left
            .get()
            .checked_sub(bytes)
            .ok_or_else(|| error(MEMORY))?;
        self.text_left.set(left);
        Ok(())
    }
}

/// The finalizer of SplitMix64: neighbouring seeds give unrelated numbers.
fn scramble(state: u64) -> u64 {
    let mut bits = state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// From 0 to 1, without 1, with all the bits that a number has.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

fn error(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

/// The reference implementation's words for an argument of the wrong type.
fn wrong(function: &str, argument: usize) -> EvaluatorError {
    error(format!(
        "T0410: Argument {argument} of function \"{function}\" does not match function signature"
    ))
}

fn number(arguments: &[JValue], at: usize, function: &str) -> Result<f64, EvaluatorError> {
    let given = arguments.get(at).and_then(JValue::as_f64);
    given
        .filter(|number| number.is_finite())
        .ok_or_else(|| wrong(function, at + 1))
}

/// A number without its fraction, as AWS takes the arguments of its own functions; nothing if it is
/// missing.
fn whole(arguments: &[JValue], at: usize, function: &str) -> Result<Option<f64>, EvaluatorError> {
    match arguments.get(at) {
        None | Some(JValue::Undefined) => Ok(None),
        Some(_) => number(arguments, at, function).map(|number| Some(number.trunc())),
    }
}

fn text<'a>(arguments: &'a [JValue], at: usize, function: &str) -> Result<&'a str, EvaluatorError> {
    let given = arguments.get(at).and_then(JValue::as_str);
    given.ok_or_else(|| wrong(function, at + 1))
}

/// `$partition(array, size)`: the array in pieces of this size. Nothing comes of no size, or of
/// nothing to part.
fn partition(_: &Rc<World>, arguments: &[JValue]) -> Answer {
    let items = match arguments.first() {
        None | Some(JValue::Undefined) => return Ok(JValue::Undefined),
        Some(JValue::Array(items)) => items.iter().cloned().collect::<Vec<_>>(),
        Some(single) => vec![single.clone()],
    };
    let Some(size) = whole(arguments, 1, "partition")?.filter(|size| *size > 0.0) else {
        return Ok(JValue::Undefined);
    };
    if items.is_empty() {
        return Ok(JValue::Undefined);
    }
    let pieces = items
        .chunks(size as usize)
        .map(|piece| JValue::array(piece.to_vec()));
    Ok(JValue::array(pieces.collect()))
}

/// `$range(first, last, step)`, the last included. A range of one number is that number; nothing
/// comes of a step that does not lead to the last.
fn range(_: &Rc<World>, arguments: &[JValue]) -> Answer {
    let first = whole(arguments, 0, "range")?;
    let last = whole(arguments, 1, "range")?;
    let step = whole(arguments, 2, "range")?;
    let (Some(first), Some(last), Some(step)) = (first, last, step) else {
        return Ok(JValue::Undefined);
    };
    let steps = ((last - first) / step).floor();
    if step == 0.0 || steps < 0.0 {
        return Ok(JValue::Undefined);
    }
    if steps >= RANGE_MAX as f64 {
        return Err(error(MEMORY));
    }
    let numbers = (0..=steps as u64).map(|at| JValue::Number(first + at as f64 * step));
    Ok(JValue::sequence(numbers.collect()))
}

/// `$hash(data, algorithm)`; text as it is, anything else as JSON.
fn hash(_: &Rc<World>, arguments: &[JValue]) -> Answer {
    let data = match arguments.first() {
        None | Some(JValue::Undefined) => return Ok(JValue::Undefined),
        Some(JValue::String(data)) => data.to_string(),
        Some(other) => json(other)?,
    };
    let algorithm = match arguments.get(1) {
        None | Some(JValue::Undefined) => return Ok(JValue::Undefined),
        Some(_) => text(arguments, 1, "hash")?,
    };
    intrinsic::digest(data.as_bytes(), algorithm)
        .map(JValue::string)
        .map_err(error)
}

/// `$random(seed)`: from 0 to 1, without 1; the same for the same seed.
fn random(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    let bits = match arguments.first() {
        None | Some(JValue::Undefined) => world.next(),
        Some(_) => {
            let seed = number(arguments, 0, "random")?;
            scramble(seed.to_bits().wrapping_add(0x9e37_79b9_7f4a_7c15))
        }
    };
    Ok(JValue::Number(fraction(bits)))
}

fn uuid(world: &Rc<World>, _: &[JValue]) -> Answer {
    let bits = (u128::from(world.next()) << 64) | u128::from(world.next());
    Ok(JValue::string(intrinsic::uuid_of(bits)))
}

/// `$parse(text)`: the JSON that the text is.
fn parse(_: &Rc<World>, arguments: &[JValue]) -> Answer {
    if let None | Some(JValue::Undefined) = arguments.first() {
        return Ok(JValue::Undefined);
    }
    let value: serde_json::Value = serde_json::from_str(text(arguments, 0, "parse")?)
        .map_err(|why| error(format!("The text is not JSON: {why}")))?;
    Ok(into_evaluator(&value))
}

fn now(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    if arguments.is_empty() {
        return Ok(JValue::string(world.now.to_string()));
    }
    let mut all = vec![JValue::Number(world.now.0 as f64)];
    all.extend_from_slice(arguments);
    from_millis(world, &all)
}

fn millis(world: &Rc<World>, _: &[JValue]) -> Answer {
    Ok(JValue::Number(world.now.0 as f64))
}

/// Fisher and Yates, with the world's numbers.
fn shuffle(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    let Some(JValue::Array(items)) = arguments.first() else {
        return Ok(arguments.first().cloned().unwrap_or(JValue::Undefined));
    };
    let mut items: Vec<JValue> = items.iter().cloned().collect();
    for at in (1..items.len()).rev() {
        items.swap(at, (fraction(world.next()) * (at + 1) as f64) as usize);
    }
    Ok(JValue::array(items))
}

/// AWS has no `$eval`.
fn eval(_: &Rc<World>, _: &[JValue]) -> Answer {
    Err(error("T1006: Attempted to invoke a non-function"))
}

fn concatenate(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    let mut joined = String::new();
    for argument in arguments {
        match argument {
            JValue::Undefined => {}
            JValue::String(text) => {
                world.grow(text.len())?;
                joined.push_str(text);
            }
            other => {
                let text = string(world, std::slice::from_ref(other))?;
                joined.push_str(text.as_str().unwrap_or_default());
            }
        }
    }
    Ok(JValue::string(joined))
}

fn string(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    let size = arguments
        .first()
        .map_or(0, |value| text_size(value, TEXT_BYTES_MAX));
    world.grow(size)?;
    // As a callback it is given an index and the whole list too.
    let arguments = match arguments.get(1) {
        Some(JValue::Bool(_)) => &arguments[..2],
        Some(_) if arguments.len() == 2 => arguments,
        _ => &arguments[..arguments.len().min(1)],
    };
    built_in(world, "string", arguments)
}

fn join(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    let separator = arguments
        .get(1)
        .and_then(JValue::as_str)
        .map_or(0, str::len);
    let items = arguments
        .first()
        .and_then(JValue::as_array)
        .map_or(0, |items| items.len());
    let size = arguments
        .first()
        .map_or(0, |value| text_size(value, TEXT_BYTES_MAX));
    world.grow(size.saturating_add(separator.saturating_mul(items)))?;
    built_in(world, "join", &arguments[..arguments.len().min(2)])
}

fn replace(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    let length = |at: usize| {
        arguments
            .get(at)
            .and_then(JValue::as_str)
            .map_or(0, str::len)
    };
    // At most one replacement before each character and one at the end.
    world.grow(length(0).saturating_add((length(0) + 1).saturating_mul(length(2))))?;
    built_in(world, "replace", arguments)
}

fn pad(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    if let Some(width) = arguments.get(1).and_then(JValue::as_f64) {
        if !width.is_finite() || width.abs() > PAD_MAX {
            return Err(error(MEMORY));
        }
        let with = arguments
            .get(2)
            .and_then(JValue::as_str)
            .map_or(1, str::len);
        world.grow(width.abs() as usize * with.clamp(1, 4))?;
    }
    built_in(world, "pad", arguments)
}

fn format_integer(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    finite(arguments, "formatInteger")?;
    picture(arguments, 1)?;
    built_in(world, "formatInteger", arguments)
}

fn format_number(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    finite(arguments, "formatNumber")?;
    picture(arguments, 1)?;
    built_in(world, "formatNumber", arguments)
}

fn parse_integer(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    picture(arguments, 0)?;
    picture(arguments, 1)?;
    built_in(world, "parseInteger", arguments)
}

fn from_millis(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    finite(arguments, "fromMillis")?;
    picture(arguments, 1)?;
    built_in(world, "fromMillis", arguments)
}

fn to_millis(world: &Rc<World>, arguments: &[JValue]) -> Answer {
    picture(arguments, 0)?;
    picture(arguments, 1)?;
    built_in(world, "toMillis", arguments)
}

/// A number that is not finite makes the evaluator recurse until its stack ends.
fn finite(arguments: &[JValue], function: &str) -> Result<(), EvaluatorError> {
    match arguments.first().and_then(JValue::as_f64) {
        Some(number) if !number.is_finite() => Err(wrong(function, 1)),
        _ => Ok(()),
    }
}

fn picture(arguments: &[JValue], at: usize) -> Result<(), EvaluatorError> {
    match arguments.get(at).and_then(JValue::as_str) {
        Some(text) if text.len() > PICTURE_MAX => Err(error(format!(
            "A picture has at most {PICTURE_MAX} characters"
        ))),
        _ => Ok(()),
    }
}

/// The built-in function itself.
fn built_in(world: &Rc<World>, name: &str, arguments: &[JValue]) -> Answer {
    // A missing argument is not the same as an undefined one to every function.
    let given = arguments
        .iter()
        .rposition(|argument| !argument.is_undefined());
    let arguments = &arguments[..given.map_or(arguments.len().min(1), |last| last + 1)];
    let mut context = Context::new();
    let names = (0..arguments.len()).map(|at| format!("argument{at}"));
    let args = names.zip(arguments).map(|(name, argument)| {
        context.bind(name.clone(), argument.clone());
        jsonata_core::ast::AstNode::Variable(name)
    });
    let call = jsonata_core::ast::AstNode::Function {
        name: name.to_owned(),
        args: args.collect(),
        is_builtin: true,
    };
    let options = EvaluatorOptions {
        timeout_ms: Some(EVALUATION_MILLIS_MAX),
        max_stack_depth: Some(DEPTH_MAX),
        max_sequence_length: Some(SEQUENCE_MAX),
        ..EvaluatorOptions::default()
    };
    let mut evaluator = Evaluator::with_options(context, options);
    if arguments.iter().any(JValue::is_function) {
        world.register(&mut evaluator);
    }
    catch_unwind(AssertUnwindSafe(|| {
        evaluator.evaluate(&call, &JValue::Undefined)
    }))
    .unwrap_or_else(|_| Err(error(format!("${name} does not take these arguments"))))
}

/// How many bytes the JSON text of a value has, about; counting stops where it is more than `most`.
fn text_size(value: &JValue, most: usize) -> usize {
    match value {
        JValue::String(text) => text.len() + 2,
        JValue::Array(items) => sizes(items.iter().map(|item| (0, item)), most),
        JValue::Object(members) => sizes(members.iter().map(|(k, v)| (k.len() + 3, v)), most),
        _ => 8,
    }
}

fn sizes<'a>(items: impl Iterator<Item = (usize, &'a JValue)>, most: usize) -> usize {
    let mut size = 2;
    for (name, item) in items {
        size += name + 1 + text_size(item, most);
        if size > most {
            break;
        }
    }
    size
}

fn json(value: &JValue) -> Result<String, EvaluatorError> {
    let value = from_evaluator(value).map_err(error)?;
    Ok(value.unwrap_or_default().to_string())
}
