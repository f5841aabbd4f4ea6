//! Functions of objects, and of values of any type.

use std::collections::HashSet;

use super::super::error::error;
use super::super::evaluate::{Answer, Evaluator};
use super::super::value::{Found, Key, Mark, Object, Val};
use super::{arity, at};

pub(super) fn boolean<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    Ok(match at(arguments, 0) {
        Val::Undefined => Val::Undefined,
        value => Val::Bool(value.truthy()),
    })
}

pub(super) fn not<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    Ok(match at(arguments, 0) {
        Val::Undefined => Val::Undefined,
        value => Val::Bool(!value.truthy()),
    })
}

pub(super) fn exists<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    Ok(Val::Bool(!at(arguments, 0).is_undefined()))
}

pub(super) fn type_<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    Ok(Val::Str(match at(arguments, 0) {
        Val::Undefined => return Ok(Val::Undefined),
        Val::Null => "null",
        Val::Bool(_) => "boolean",
        Val::Number(_) => "number",
        Val::Str(_) | Val::Text(_) => "string",
        Val::Array(_) | Val::List(_) | Val::Tuples(_) => "array",
        Val::Function(_) | Val::Builtin(_) | Val::Regex(_) => "function",
        Val::Map(_) | Val::Object(_) => "object",
    }))
}

/// The names of all members, each once.
pub(super) fn keys<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    fn collect<'a>(value: &Val<'a>, seen: &mut HashSet<Key<'a>>, found: &mut Vec<Val<'a>>) {
        if value.is_array() {
            value.items().for_each(|item| collect(&item, seen, found));
        }
        for (key, _) in value.members() {
            if !seen.contains(&key) {
                found.push(Val::from_key(&key));
                seen.insert(key);
            }
        }
    }
    e.tick()?;
    let value = at(arguments, 0);
    let mut found = Vec::new();
    match value.is_object() {
        true => found.extend(value.members().map(|(key, _)| Val::from_key(&key))),
        false => collect(value, &mut HashSet::new(), &mut found),
    }
    Ok(Val::list(found, Mark::Sequence))
}

pub(super) fn lookup<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    match at(arguments, 1).as_str() {
        Some(name) => e.lookup(at(arguments, 0), name),
        None => Ok(Val::Undefined),
    }
}

pub(super) fn spread<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    fn collect<'a>(
        value: &Val<'a>,
        found: &mut Found<'a>,
    ) -> Result<(), super::super::error::Failed> {
        if value.is_array() {
            return value.items().try_for_each(|item| collect(&item, found));
        }
        if !value.is_object() {
            return found.push(value.clone());
        }
        for (key, member) in value.members() {
            let mut object = Object::with_capacity(1);
            object.set(key, member);
            found.push(Val::object(object))?;
        }
        Ok(())
    }
    let value = at(arguments, 0);
    if !value.is_array() && !value.is_object() {
        return Ok(value.clone());
    }
    let mut found = Found::default();
    collect(value, &mut found)?;
    Ok(Val::list(found.0, Mark::Sequence))
}

pub(super) fn merge<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let list = at(arguments, 0);
    if list.is_undefined() {
        return Ok(Val::Undefined);
    }
    let mut merged = Object::with_capacity(8);
    for item in list.items() {
        for (key, value) in item.members() {
            merged.set(key, value);
        }
    }
    Ok(Val::object(merged))
}

pub(super) fn each<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (object, function) = (at(arguments, 0), at(arguments, 1));
    let arity = arity(function);
    let mut found = Found::default();
    for (key, value) in object.members() {
        let value = e.visit(function, arity, value, || Val::from_key(&key), object)?;
        if !value.is_undefined() {
            found.push(value)?;
        }
    }
    Ok(Val::list(found.0, Mark::Sequence))
}

pub(super) fn sift<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (object, function) = (at(arguments, 0), at(arguments, 1));
    let arity = arity(function);
    let mut kept = Object::with_capacity(object.size());
    for (key, value) in object.members() {
        let place = || Val::from_key(&key);
        if e.visit(function, arity, value.clone(), place, object)?
            .truthy()
        {
            kept.set(key, value);
        }
    }
    match kept.members.is_empty() {
        true => Ok(Val::Undefined),
        false => Ok(Val::object(kept)),
    }
}

/// Values do not change, so a value is its own copy.
pub(super) fn clone<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    Ok(at(arguments, 0).clone())
}

pub(super) fn error_<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let given = at(arguments, 0).as_str().filter(|text| !text.is_empty());
    Err(error(
        "D3137",
        given.unwrap_or("$error() function evaluated"),
    ))
}

pub(super) fn assert<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    if at(arguments, 0).truthy() {
        return Ok(Val::Undefined);
    }
    let given = at(arguments, 1).as_str().filter(|text| !text.is_empty());
    Err(error(
        "D3141",
        given.unwrap_or("$assert() statement failed"),
    ))
}
