//! The values of the language.
//!
//! A document that an expression reads is borrowed and never copied: [`Val::of`] looks at it where
//! it is. What an expression makes is shared, and counted while it lives, so that an evaluation can
//! be stopped when it holds too much ([`over`]). How deep a value nests is known when it is made,
//! and limited in the same way: whatever walks a value may recurse.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Number, Value};

use super::call::Function;
use super::error::{Failed, error, memory};
use super::evaluate::Frame;
use super::functions::Builtin;
use super::path::Tuple;
use super::regex::Pattern;
use super::{MEMORY_BYTES_MAX, RESULT_BYTES_MAX, SEQUENCE_MAX, VALUE_DEPTH_MAX};
use crate::data;

/// A value, as cheap to copy as a pointer.
#[derive(Clone)]
pub(super) enum Val<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    /// A text of a document or of the expression, or a part of one.
    Str(&'a str),
    /// A text that was made.
    Text(Rc<Text>),
    /// A list of a document.
    Array(&'a Vec<Value>),
    /// An object of a document.
    Map(&'a Map<String, Value>),
    List(Rc<List<'a>>),
    Object(Rc<Object<'a>>),
    Function(Rc<Closure<'a>>),
    Builtin(&'static Builtin),
    Regex(&'a Pattern),
    /// What the steps of a path hand on while they remember more than one item. No function sees it.
    Tuples(Rc<Vec<Tuple<'a>>>),
}

thread_local! {
    /// How many bytes the values of this thread hold.
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// Whether a value was made that is too much.
    static OVER: Cell<bool> = const { Cell::new(false) };
}

/// Whether more has been made since the last [`begin`] than an evaluation may hold.
pub(super) fn over() -> bool {
    OVER.get()
}

/// Before an evaluation.
pub(super) fn begin() {
    OVER.set(false);
}

/// What a value counts for while it lives.
pub(super) struct Weight(usize);

impl Weight {
    pub(super) fn of(bytes: usize) -> Weight {
        let held = HELD.get() + bytes;
        HELD.set(held);
        if held > MEMORY_BYTES_MAX {
            OVER.set(true);
        }
        Weight(bytes)
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        HELD.set(HELD.get() - self.0);
    }
}

/// A text that was made.
pub(super) struct Text {
    text: Box<str>,
    _weight: Weight,
}

/// A list that was made.
pub(super) struct List<'a> {
    pub(super) items: Vec<Val<'a>>,
    pub(super) mark: Cell<Mark>,
    depth: u32,
    /// Whether a function is somewhere in it.
    functions: bool,
    _weight: Weight,
}

/// What a list is to the language, which tells sequences from arrays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Just a list.
    Array,
    /// From an array constructor in a path: it stays a list among the results of a step.
    Constructed,
    /// What a path or a function found: without items it is nothing, with one it is that one.
    Sequence,
    /// A sequence that stays one with one item (`[]`).
    Kept,
    /// The input of an expression, if that is an array.
    Wrapper,
}

/// A function that was made.
pub(super) struct Closure<'a> {
    pub(super) function: Function<'a>,
    depth: u32,
    _weight: Weight,
}

/// The name of a member.
#[derive(Clone)]
pub(super) enum Key<'a> {
    Str(&'a str),
    Text(Rc<Text>),
}

/// An object that was made. Members keep their order.
pub(super) struct Object<'a> {
    pub(super) members: Vec<(Key<'a>, Val<'a>)>,
    /// Where each name is, once there are many.
    index: Option<HashMap<Key<'a>, u32>>,
    depth: u32,
    functions: bool,
    weight: Weight,
}

/// From how many members on an object keeps an index. Below, comparing is faster.
const INDEX_MIN: usize = 12;

impl Text {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Key<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Key::Str(text) => text,
            Key::Text(text) => &text.text,
        }
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Key<'_> {}

impl std::hash::Hash for Key<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl std::borrow::Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl<'a> Object<'a> {
    pub(super) fn with_capacity(capacity: usize) -> Object<'a> {
        Object {
            members: Vec::with_capacity(capacity),
            index: None,
            depth: 1,
            functions: false,
            weight: Weight::of(size_of::<Object<'_>>()),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Val<'a>> {
        self.position(name).map(|at| &self.members[at].1)
    }

    fn position(&self, name: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(name).map(|at| *at as usize),
            None => self
                .members
                .iter()
                .position(|(key, _)| key.as_str() == name),
        }
    }

    /// Adds a member, or gives the one of this name another value.
    pub(super) fn set(&mut self, key: Key<'a>, value: Val<'a>) {
        self.depth = self.depth.max(value.depth() + 1);
        self.functions |= value.holds_functions();
        if self.depth > VALUE_DEPTH_MAX {
            OVER.set(true);
        }
        if let Some(at) = self.position(key.as_str()) {
            self.members[at].1 = value;
            return;
        }
        if self.members.len() == INDEX_MIN {
            let keys = self.members.iter().zip(0..);
            self.index = Some(keys.map(|((key, _), at)| (key.clone(), at)).collect());
        }
        if let Some(index) = &mut self.index {
            index.insert(key.clone(), self.members.len() as u32);
        }
        self.members.push((key, value));
        self.weight.0 += size_of::<(Key<'_>, Val<'_>)>() + 16;
        HELD.set(HELD.get() + size_of::<(Key<'_>, Val<'_>)>() + 16);
        if HELD.get() > MEMORY_BYTES_MAX {
            OVER.set(true);
        }
    }

    /// The same without some of its members.
    pub(super) fn without(&self, dropped: impl Fn(&str) -> bool) -> Object<'a> {
        let mut rest = Object::with_capacity(self.members.len());
        for (key, value) in self
            .members
            .iter()
            .filter(|(key, _)| !dropped(key.as_str()))
        {
            rest.set(key.clone(), value.clone());
        }
        rest
    }
}

impl<'a> Val<'a> {
    /// A value of a document.
    #[inline]
    pub(super) fn of(value: &'a Value) -> Val<'a> {
        match value {
            Value::Null => Val::Null,
            Value::Bool(flag) => Val::Bool(*flag),
            Value::Number(number) => Val::Number(number.as_f64().unwrap_or(0.0)),
            Value::String(text) => Val::Str(text),
            Value::Array(items) => Val::Array(items),
            Value::Object(members) => Val::Map(members),
        }
    }

    pub(super) fn text(text: impl Into<Box<str>>) -> Val<'a> {
        let text = text.into();
        let weight = Weight::of(text.len() + 48);
        Val::Text(Rc::new(Text {
            text,
            _weight: weight,
        }))
    }

    pub(super) fn list(items: Vec<Val<'a>>, mark: Mark) -> Val<'a> {
        let mut depth = 0;
        let mut functions = false;
        for item in &items {
            depth = depth.max(item.depth());
            functions |= item.holds_functions();
        }
        if depth >= VALUE_DEPTH_MAX {
            OVER.set(true);
        }
        let weight = Weight::of(items.capacity() * size_of::<Val<'_>>() + 64);
        Val::List(Rc::new(List {
            items,
            mark: Cell::new(mark),
            depth: depth + 1,
            functions,
            _weight: weight,
        }))
    }

    pub(super) fn function(function: Function<'a>) -> Val<'a> {
        let depth = function.depth() + 1;
        if depth > VALUE_DEPTH_MAX {
            OVER.set(true);
        }
        Val::Function(Rc::new(Closure {
            function,
            depth,
            _weight: Weight::of(size_of::<Closure<'_>>()),
        }))
    }

    /// Whether it is a function of the expression that reads the variables of `frame`.
    pub(super) fn is_of(&self, frame: &Frame<'a>) -> bool {
        match self {
            Val::Function(closure) => match &closure.function {
                Function::Lambda { env: Some(env), .. } => std::ptr::eq(&**env, frame),
                _ => false,
            },
            _ => false,
        }
    }

    pub(super) fn array(items: Vec<Val<'a>>) -> Val<'a> {
        Val::list(items, Mark::Array)
    }

    pub(super) fn object(object: Object<'a>) -> Val<'a> {
        Val::Object(Rc::new(object))
    }

    /// How many levels of what was made it has.
    pub(super) fn depth(&self) -> u32 {
        match self {
            Val::Function(closure) => closure.depth,
            Val::List(list) => list.depth,
            Val::Object(object) => object.depth,
            _ => 0,
        }
    }

    /// Whether it may refer to the variables of a function, so that these could refer to each other.
    pub(super) fn holds_functions(&self) -> bool {
        match self {
            Val::Function(_) => true,
            Val::List(list) => list.functions,
            Val::Object(object) => object.functions,
            _ => false,
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Val::Undefined)
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self, Val::Function(_) | Val::Builtin(_) | Val::Regex(_))
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Val::Str(_) | Val::Text(_))
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self, Val::Array(_) | Val::List(_))
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Val::Map(_) | Val::Object(_))
    }

    pub(super) fn is_sequence(&self) -> bool {
        matches!(self, Val::List(list) if matches!(list.mark.get(), Mark::Sequence | Mark::Kept | Mark::Wrapper))
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Val::Str(text) => Some(text),
            Val::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The name of a member, if it is a text.
    pub(super) fn as_key(&self) -> Option<Key<'a>> {
        match self {
            Val::Str(text) => Some(Key::Str(text)),
            Val::Text(text) => Some(Key::Text(text.clone())),
            _ => None,
        }
    }

    pub(super) fn from_key(key: &Key<'a>) -> Val<'a> {
        match key {
            Key::Str(text) => Val::Str(text),
            Key::Text(text) => Val::Text(text.clone()),
        }
    }

    /// How many items an array has; nothing if it is none.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Val::Array(items) => Some(items.len()),
            Val::List(list) => Some(list.items.len()),
            _ => None,
        }
    }

    /// The item of an array at `at`; undefined where there is none.
    #[inline]
    pub(super) fn item(&self, at: usize) -> Val<'a> {
        match self {
            Val::Array(items) => items.get(at).map_or(Val::Undefined, Val::of),
            Val::List(list) => list.items.get(at).cloned().unwrap_or(Val::Undefined),
            _ => Val::Undefined,
        }
    }

    /// The items of an array; a value that is none, by itself.
    pub(super) fn items(&self) -> Items<'_, 'a> {
        match self {
            Val::Array(items) => Items::Array(items.iter()),
            Val::List(list) => Items::List(list.items.iter()),
            one => Items::One(Some(one)),
        }
    }

    /// The member of an object.
    #[inline]
    pub(super) fn member(&self, name: &str) -> Val<'a> {
        match self {
            Val::Map(members) => member(members, name).map_or(Val::Undefined, Val::of),
            Val::Object(object) => object.get(name).cloned().unwrap_or(Val::Undefined),
            _ => Val::Undefined,
        }
    }

    /// The members of an object.
    pub(super) fn members(&self) -> Members<'_, 'a> {
        match self {
            Val::Map(members) => Members::Map(members.iter()),
            Val::Object(object) => Members::Object(object.members.iter()),
            _ => Members::None,
        }
    }

    /// How many members an object has.
    pub(super) fn size(&self) -> usize {
        match self {
            Val::Map(members) => members.len(),
            Val::Object(object) => object.members.len(),
            _ => 0,
        }
    }

    /// Whether it counts as true.
    pub(super) fn truthy(&self) -> bool {
        match self {
            Val::Bool(flag) => *flag,
            Val::Number(number) => *number != 0.0 && !number.is_nan(),
            Val::Str(_) | Val::Text(_) => self.as_str() != Some(""),
            Val::Array(_) | Val::List(_) => self.items().any(|item| item.truthy()),
            Val::Map(_) | Val::Object(_) => self.size() > 0,
            _ => false,
        }
    }
}

/// Comparing a few names is faster than hashing one.
#[inline]
fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    match members.len() <= INDEX_MIN {
        true => members
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value),
        false => members.get(name),
    }
}

/// See [`Val::items`].
pub(super) enum Items<'v, 'a> {
    Array(std::slice::Iter<'a, Value>),
    List(std::slice::Iter<'v, Val<'a>>),
    One(Option<&'v Val<'a>>),
}

impl<'a> Iterator for Items<'_, 'a> {
    type Item = Val<'a>;

    #[inline]
    fn next(&mut self) -> Option<Val<'a>> {
        match self {
            Items::Array(items) => items.next().map(Val::of),
            Items::List(items) => items.next().cloned(),
            Items::One(one) => one.take().cloned(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Items::Array(items) => items.size_hint(),
            Items::List(items) => items.size_hint(),
            Items::One(_) => (1, Some(1)),
        }
    }
}

/// See [`Val::members`].
pub(super) enum Members<'v, 'a> {
    Map(serde_json::map::Iter<'a>),
    Object(std::slice::Iter<'v, (Key<'a>, Val<'a>)>),
    None,
}

impl<'a> Iterator for Members<'_, 'a> {
    type Item = (Key<'a>, Val<'a>);

    fn next(&mut self) -> Option<(Key<'a>, Val<'a>)> {
        match self {
            Members::Map(members) => members
                .next()
                .map(|(key, value)| (Key::Str(key), Val::of(value))),
            Members::Object(members) => members.next().cloned(),
            Members::None => None,
        }
    }
}

/// What becomes of many: a list that may not grow without bounds.
#[derive(Default)]
pub(super) struct Found<'a>(pub(super) Vec<Val<'a>>);

impl<'a> Found<'a> {
    #[inline]
    pub(super) fn push(&mut self, value: Val<'a>) -> Result<(), Failed> {
        if self.0.len() >= SEQUENCE_MAX {
            return Err(memory());
        }
        self.0.push(value);
        Ok(())
    }

    /// The items of an array; a value that is none, by itself.
    pub(super) fn extend(&mut self, value: &Val<'a>) -> Result<(), Failed> {
        if self.0.len() + value.len().unwrap_or(1) > SEQUENCE_MAX {
            return Err(memory());
        }
        self.0.extend(value.items());
        Ok(())
    }
}

/// Whether two values are the same.
pub(super) fn equal<'a>(left: &Val<'a>, right: &Val<'a>) -> bool {
    match (left, right) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Number(a), Val::Number(b)) => a == b,
        (Val::Function(a), Val::Function(b)) => Rc::ptr_eq(a, b),
        (Val::Builtin(a), Val::Builtin(b)) => std::ptr::eq(*a, *b),
        (Val::Regex(a), Val::Regex(b)) => std::ptr::eq(*a, *b),
        _ => match (left.as_str(), right.as_str()) {
            (Some(a), Some(b)) => a == b,
            (None, None) if left.is_array() && right.is_array() => {
                left.len() == right.len()
                    && left.items().zip(right.items()).all(|(a, b)| equal(&a, &b))
            }
            (None, None) if left.is_object() && right.is_object() => {
                left.size() == right.size()
                    && left
                        .members()
                        .all(|(key, value)| equal(&value, &right.member(key.as_str())))
            }
            _ => false,
        },
    }
}

/// The JSON form of a result; nothing for the undefined value.
///
/// # Errors
/// If it is more than a result may be, or nests deeper.
pub(super) fn into_json(value: &Val<'_>) -> Result<Option<Value>, Failed> {
    let mut left = RESULT_BYTES_MAX;
    match value {
        Val::Undefined => Ok(None),
        value => convert(value, &mut left, data::DEPTH_MAX).map(Some),
    }
}

#[inline(always)]
fn convert(value: &Val<'_>, left: &mut usize, levels: usize) -> Result<Value, Failed> {
    take(left, 2)?;
    Ok(match value {
        // In an array, as JavaScript writes it.
        Val::Undefined | Val::Null => Value::Null,
        Val::Bool(flag) => Value::Bool(*flag),
        Val::Number(value) => number(*value),
        Val::Str(text) => Value::String(owned(text, left)?),
        Val::Text(text) => Value::String(owned(&text.text, left)?),
        Val::Array(_) | Val::List(_) | Val::Map(_) | Val::Object(_) => {
            return convert_holder(value, left, levels);
        }
        // JSON has no functions; the reference implementation leaves an empty text in their place.
        Val::Function(_) | Val::Builtin(_) | Val::Regex(_) | Val::Tuples(_) => {
            Value::String(String::new())
        }
    })
}

/// The items of a list that is all texts. Nothing of it can fail once there is room, so that each is
/// written where it stays: put together elsewhere and then copied, one would take about twice as long.
fn convert_texts(texts: &[Val<'_>], list: &mut Vec<Value>, left: &mut usize) -> Result<(), Failed> {
    let texts = texts.iter().map(|text| text.as_str().unwrap_or(""));
    take(left, texts.clone().map(|text| 2 + text.len()).sum())?;
    list.extend(texts.map(|text| Value::String(text.to_owned())));
    Ok(())
}

#[inline(always)]
fn owned(text: &str, left: &mut usize) -> Result<String, Failed> {
    take(left, text.len())?;
    Ok(text.to_owned())
}

#[inline(always)]
fn take(left: &mut usize, bytes: usize) -> Result<(), Failed> {
    *left = left.checked_sub(bytes).ok_or_else(memory)?;
    Ok(())
}

/// A list or an object.
#[inline(never)]
fn convert_holder(value: &Val<'_>, left: &mut usize, levels: usize) -> Result<Value, Failed> {
    let Some(levels) = levels.checked_sub(1) else {
        let most = data::DEPTH_MAX;
        return Err(error(
            "",
            format!("The result nests deeper than {most} levels"),
        ));
    };
    match value {
        Val::List(items) => {
            let mut list = Vec::with_capacity(items.items.len());
            match items.items.iter().all(Val::is_text) {
                true => convert_texts(&items.items, &mut list, left)?,
                false => {
                    for item in &items.items {
                        list.push(convert(item, left, levels)?);
                    }
                }
            }
            Ok(Value::Array(list))
        }
        Val::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items.iter() {
                list.push(convert(&Val::of(item), left, levels)?);
            }
            Ok(Value::Array(list))
        }
        object => {
            let mut members = Map::with_capacity(object.size());
            for (key, item) in object.members() {
                *left = left.saturating_sub(key.as_str().len());
                if !item.is_undefined() {
                    members.insert(key.as_str().to_owned(), convert(&item, left, levels)?);
                }
            }
            Ok(Value::Object(members))
        }
    }
}

/// As JavaScript writes it: a whole number has no fraction, and zero no sign. JSON has no infinity,
/// and AWS writes the name of such a number.
fn number(number: f64) -> Value {
    // Every whole number below this is an i64, exactly.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0 * 1024.0;
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        return Value::from(number as i64);
    }
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => Value::from("NaN"),
        None if number > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}
