//! Functions of lists.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::error::{Failed, error};
use super::super::evaluate::{Answer, Evaluator};
use super::super::value::{Found, Mark, Val, equal};
use super::aws::fraction;
use super::text;
use super::{arity, at};

pub(super) fn count<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    Ok(Val::Number(at(arguments, 0).len().unwrap_or(0) as f64))
}

pub(super) fn map<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (items, function) = (at(arguments, 0), at(arguments, 1));
    if items.is_undefined() {
        return Ok(Val::Undefined);
    }
    let arity = arity(function);
    let mut found = Found(Vec::with_capacity(items.len().unwrap_or(0)));
    for (at, item) in items.items().enumerate() {
        let place = || Val::Number(at as f64);
        let value = e.visit(function, arity, item, place, items)?;
        if !value.is_undefined() {
            found.push(value)?;
        }
    }
    Ok(Val::list(found.0, Mark::Sequence))
}

pub(super) fn filter<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (items, function) = (at(arguments, 0), at(arguments, 1));
    if items.is_undefined() {
        return Ok(Val::Undefined);
    }
    let arity = arity(function);
    let mut found = Found::default();
    for (at, item) in items.items().enumerate() {
        let place = || Val::Number(at as f64);
        if e.visit(function, arity, item.clone(), place, items)?
            .truthy()
        {
            found.push(item)?;
        }
    }
    Ok(Val::list(found.0, Mark::Sequence))
}

pub(super) fn single<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (items, function) = (at(arguments, 0), at(arguments, 1));
    if items.is_undefined() {
        return Ok(Val::Undefined);
    }
    let arity = arity(function);
    let mut found = None;
    for (at, item) in items.items().enumerate() {
        let place = || Val::Number(at as f64);
        let fits = function.is_undefined()
            || e.visit(function, arity, item.clone(), place, items)?
                .truthy();
        if fits && found.replace(item).is_some() {
            let what = "The $single() function expected exactly 1 matching result.  Instead it matched more.";
            return Err(error("D3138", what));
        }
    }
    found.ok_or_else(|| {
        let what =
            "The $single() function expected exactly 1 matching result.  Instead it matched 0.";
        error("D3139", what)
    })
}

pub(super) fn reduce<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (items, function, start) = (at(arguments, 0), at(arguments, 1), at(arguments, 2));
    if items.is_undefined() {
        return Ok(Val::Undefined);
    }
    let arity = arity(function);
    if arity < 2 {
        let what =
            "The second argument of reduce function must be a function with at least two arguments";
        return Err(error("D3050", what));
    }
    let mut rest = items.items().enumerate();
    let mut result = start.clone();
    if start.is_undefined() {
        result = rest.next().map_or(Val::Undefined, |(_, first)| first);
    }
    for (at, item) in rest {
        let mut given = vec![result, item];
        if arity >= 3 {
            given.push(Val::Number(at as f64));
        }
        if arity >= 4 {
            given.push(items.clone());
        }
        result = e.apply(function.clone(), given, &Val::Null, "")?;
    }
    Ok(result)
}

pub(super) fn zip<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let lengths = arguments.iter().map(|list| list.len().unwrap_or(0));
    let length = lengths.min().unwrap_or(0);
    let mut rows = Found::default();
    for at in 0..length {
        rows.push(Val::array(
            arguments.iter().map(|list| list.item(at)).collect(),
        ))?;
    }
    Ok(Val::array(rows.0))
}

pub(super) fn append<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (first, second) = (at(arguments, 0), at(arguments, 1));
    if first.is_undefined() {
        return Ok(second.clone());
    }
    if second.is_undefined() {
        return Ok(first.clone());
    }
    let mut all = Found::default();
    all.extend(first)?;
    all.extend(second)?;
    Ok(Val::array(all.0))
}

pub(super) fn reverse<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let list = at(arguments, 0);
    if list.len().unwrap_or(0) <= 1 {
        return Ok(list.clone());
    }
    let mut items: Vec<Val<'a>> = list.items().collect();
    items.reverse();
    Ok(Val::array(items))
}

/// Fisher and Yates, with the numbers of the evaluation.
pub(super) fn shuffle<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let list = at(arguments, 0);
    if list.len().unwrap_or(0) <= 1 {
        return Ok(list.clone());
    }
    let mut items: Vec<Val<'a>> = list.items().collect();
    for at in (1..items.len()).rev() {
        items.swap(at, (fraction(e.random()) * (at + 1) as f64) as usize);
    }
    Ok(Val::array(items))
}

pub(super) fn distinct<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let list = at(arguments, 0);
    if list.len().unwrap_or(0) <= 1 {
        return Ok(list.clone());
    }
    let mut kept: Vec<Val<'a>> = Vec::new();
    let mut places: HashMap<u64, Vec<u32>> = HashMap::new();
    for item in list.items() {
        e.tick()?;
        let mut hasher = DefaultHasher::new();
        hash(&item, &mut hasher);
        let same = places.entry(hasher.finish()).or_default();
        if !same.iter().any(|at| equal(&kept[*at as usize], &item)) {
            same.push(kept.len() as u32);
            kept.push(item);
        }
    }
    let mark = match list.is_sequence() {
        true => Mark::Sequence,
        false => Mark::Array,
    };
    Ok(Val::list(kept, mark))
}

/// The same for values that are equal; the order of members does not count.
fn hash(value: &Val<'_>, hasher: &mut DefaultHasher) {
    match value {
        Val::Undefined => 0_u8.hash(hasher),
        Val::Null => 1_u8.hash(hasher),
        Val::Bool(flag) => flag.hash(hasher),
        // Zero is zero, whatever its sign.
        Val::Number(number) => (number + 0.0).to_bits().hash(hasher),
        Val::Str(_) | Val::Text(_) => value.as_str().hash(hasher),
        Val::Array(_) | Val::List(_) => {
            value.len().hash(hasher);
            value.items().for_each(|item| hash(&item, hasher));
        }
        Val::Map(_) | Val::Object(_) => {
            let member = |(key, value): (super::super::value::Key<'_>, Val<'_>)| {
                let mut inner = DefaultHasher::new();
                key.hash(&mut inner);
                hash(&value, &mut inner);
                inner.finish()
            };
            value
                .members()
                .map(member)
                .fold(0_u64, u64::wrapping_add)
                .hash(hasher);
        }
        _ => 2_u8.hash(hasher),
    }
}

pub(super) fn sort<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (list, function) = (at(arguments, 0), at(arguments, 1));
    if list.len().unwrap_or(0) <= 1 {
        return Ok(list.clone());
    }
    let mut items: Vec<Val<'a>> = list.items().collect();
    if !function.is_undefined() {
        let sorted = merge_sort(&items, &mut |left, right| {
            let pair = vec![left.clone(), right.clone()];
            Ok(e.apply(function.clone(), pair, &Val::Null, "")?.truthy())
        })?;
        return Ok(Val::array(sorted));
    }
    let number = |item: &Val<'_>| match item {
        Val::Number(number) => Some(*number),
        _ => None,
    };
    if items.iter().all(|item| number(item).is_some()) {
        items.sort_by(|a, b| {
            number(a)
                .unwrap_or(0.0)
                .total_cmp(&number(b).unwrap_or(0.0))
        });
    } else if items.iter().all(|item| item.as_str().is_some()) {
        items.sort_by(|a, b| text::order(a.as_str().unwrap_or(""), b.as_str().unwrap_or("")));
    } else {
        let what = "The single argument form of the sort function can only be applied to an array of \
                    strings or an array of numbers.  Use the second argument to specify a comparison \
                    function";
        return Err(error("D3070", what));
    }
    Ok(Val::array(items))
}

/// Whether the first comes after the second.
type After<'f, T> = &'f mut dyn FnMut(&T, &T) -> Result<bool, Failed>;

/// A stable sort that takes any comparison, however it contradicts itself, and stops if it fails.
pub(in super::super) fn merge_sort<T: Clone>(
    items: &[T],
    after: After<'_, T>,
) -> Result<Vec<T>, Failed> {
    if items.len() <= 1 {
        return Ok(items.to_vec());
    }
    let (left, right) = items.split_at(items.len() / 2);
    let left = merge_sort(left, after)?;
    let right = merge_sort(right, after)?;
    let mut merged = Vec::with_capacity(items.len());
    let (mut l, mut r) = (0, 0);
    while l < left.len() && r < right.len() {
        if after(&left[l], &right[r])? {
            merged.push(right[r].clone());
            r += 1;
        } else {
            merged.push(left[l].clone());
            l += 1;
        }
    }
    merged.extend_from_slice(&left[l..]);
    merged.extend_from_slice(&right[r..]);
    Ok(merged)
}
