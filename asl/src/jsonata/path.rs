//! Paths: steps, predicates, sorting, and the items that a step remembers for those after it.
//!
//! A step takes each item of what the step before found, and what it finds for all of them is one
//! flat sequence. Between two steps a list stands for its items, anything else for itself.

use std::cmp::Ordering;
use std::rc::Rc;

use super::compile::{Kind, Name, Node, Path, Stage};
use super::error::{Failed, error};
use super::evaluate::{Answer, Env, Evaluator, Frame, Groups, shown, unwrapped};
use super::functions::{list, text};
use super::value::{Found, Mark, Object, Val};

/// An item, with what the steps before have bound for it.
#[derive(Clone)]
pub(super) struct Tuple<'a> {
    pub(super) item: Val<'a>,
    pub(super) bindings: Vec<(Name, Val<'a>)>,
}

impl<'a> Tuple<'a> {
    fn with(&self, item: Val<'a>, more: &[(Name, Val<'a>)]) -> Tuple<'a> {
        let mut tuple = Tuple {
            item,
            bindings: self.bindings.clone(),
        };
        more.iter()
            .for_each(|(name, value)| tuple.bind(*name, value.clone()));
        tuple
    }

    fn bind(&mut self, name: Name, value: Val<'a>) {
        match self.bindings.iter_mut().find(|(bound, _)| *bound == name) {
            Some(binding) => binding.1 = value,
            None => self.bindings.push((name, value)),
        }
    }

    fn env(&self, around: &Env<'a>) -> Env<'a> {
        Some(Frame::new(self.bindings.clone(), around.clone()))
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn path(
        &self,
        node: &'a Node,
        path: &'a Path,
        input: &Val<'a>,
        env: &Env<'a>,
    ) -> Answer<'a> {
        let mut current = input.clone();
        let mut tuples: Option<Vec<Tuple<'a>>> = None;
        for (at, step) in path.steps.iter().enumerate() {
            let last = at + 1 == path.steps.len();
            if at == 0 && step.constructed {
                let input = match input.is_array() {
                    true => input.clone(),
                    false => Val::list(vec![input.clone()], Mark::Sequence),
                };
                current = self.eval(step, &input, env)?;
            } else if step.tuple || tuples.is_some() {
                tuples = Some(self.tuple_step(step, &current, tuples, env)?);
                continue;
            } else if at == 0 && is_variable(&step.kind) {
                let found = self.one(step, input, env)?;
                current = flat(found, last);
            } else {
                current = self.step(step, &current, last, env)?;
            }
            if current.is_undefined() || current.len() == Some(0) {
                if !last {
                    current = Val::Undefined;
                }
                break;
            }
        }
        if let Some(tuples) = tuples {
            if let Some(pairs) = node.marks.as_ref().and_then(|marks| marks.group.as_ref()) {
                return self.group_tuples(pairs, &tuples, env);
            }
            if node.tuple {
                return Ok(Val::Tuples(Rc::new(tuples)));
            }
            let items = tuples.into_iter().map(|tuple| tuple.item).collect();
            current = Val::list(items, Mark::Sequence);
        }
        if path.keep_singleton || node.keep {
            current = kept(current, path.keep_singleton);
        }
        match node.marks.as_ref().and_then(|marks| marks.group.as_ref()) {
            Some(pairs) => self.group(pairs, &current, env),
            None => Ok(current),
        }
    }

    /// What a step finds for the items of `current`.
    fn step(&self, step: &'a Node, current: &Val<'a>, last: bool, env: &Env<'a>) -> Answer<'a> {
        if let Kind::Sort(_) = step.kind {
            let mut sorted = self.eval(step, current, env)?;
            for stage in step.stages() {
                if let Stage::Filter(predicate) = stage {
                    sorted = self.filter(predicate, &sorted, env)?;
                }
            }
            return Ok(sorted);
        }
        if !current.is_array() {
            return Ok(flat(self.one(step, current, env)?, last));
        }
        let mut found = Found::default();
        let mut first = None;
        let mut several = false;
        for item in current.items() {
            let value = self.one(step, &item, env)?;
            if value.is_undefined() {
                continue;
            }
            if !several {
                match first.take() {
                    None => {
                        first = Some(value);
                        continue;
                    }
                    Some(first) => {
                        several = true;
                        gather(&mut found, first)?;
                    }
                }
            }
            gather(&mut found, value)?;
        }
        match (several, first) {
            (true, _) => Ok(Val::list(found.0, Mark::Sequence)),
            (false, Some(only)) => Ok(flat(only, last)),
            (false, None) => Ok(Val::Undefined),
        }
    }

    /// What a step finds for one item.
    #[inline]
    fn one(&self, step: &'a Node, item: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        let mut value = match &step.kind {
            Kind::Field(name) if !step.keep && item.is_object() => item.member(name),
            _ => self.eval(step, item, env)?,
        };
        for stage in step.stages() {
            if let Stage::Filter(predicate) = stage {
                value = self.filter(predicate, &value, env)?;
            }
        }
        Ok(value)
    }

    /// The member of an object, or of each object of a list.
    pub(super) fn lookup(&self, input: &Val<'a>, name: &str) -> Answer<'a> {
        if !input.is_array() {
            return Ok(input.member(name));
        }
        let mut found = Found::default();
        for item in input.items() {
            match self.lookup(&item, name)? {
                Val::Undefined => {}
                value => found.extend(&value)?,
            }
        }
        Ok(Val::list(found.0, Mark::Sequence))
    }

    pub(super) fn wildcard(&self, input: &Val<'a>) -> Answer<'a> {
        fn flatten<'a>(value: &Val<'a>, found: &mut Found<'a>) -> Result<(), Failed> {
            match value.is_array() {
                true => value.items().try_for_each(|item| flatten(&item, found)),
                false => found.push(value.clone()),
            }
        }
        let input = match input {
            Val::List(list) if list.mark.get() == Mark::Wrapper => &list.items[0],
            other => other,
        };
        let mut found = Found::default();
        if input.is_array() {
            flatten(input, &mut found)?;
        }
        for (_, value) in input.members() {
            flatten(&value, &mut found)?;
        }
        Ok(Val::list(found.0, Mark::Sequence))
    }

    pub(super) fn descendants(&self, input: &Val<'a>) -> Answer<'a> {
        fn descend<'a>(value: &Val<'a>, found: &mut Found<'a>) -> Result<(), Failed> {
            if value.is_array() {
                return value.items().try_for_each(|item| descend(&item, found));
            }
            found.push(value.clone())?;
            value
                .members()
                .try_for_each(|(_, member)| descend(&member, found))
        }
        let mut found = Found::default();
        if !input.is_undefined() {
            descend(input, &mut found)?;
        }
        Ok(Val::list(found.0, Mark::Sequence))
    }

    /// The items of `input` for which `predicate` holds, or whose place it gives.
    pub(super) fn filter(&self, predicate: &'a Node, input: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        if let Val::Tuples(tuples) = input {
            let tuples = self.filter_tuples(predicate, tuples.to_vec(), env)?;
            return Ok(Val::Tuples(Rc::new(tuples)));
        }
        let length = input.len().unwrap_or(1);
        if let Kind::Number(number) = predicate.kind {
            let item = match place(number, length) {
                Some(at) if input.is_array() => input.item(at),
                Some(_) => input.clone(),
                None => Val::Undefined,
            };
            return Ok(match item {
                Val::Undefined => Val::list(Vec::new(), Mark::Sequence),
                item if item.is_array() => item,
                item => Val::list(vec![item], Mark::Sequence),
            });
        }
        let mut found = Found::default();
        for (at, item) in input.items().enumerate() {
            let verdict = self.eval(predicate, &item, env)?;
            for _ in 0..times(&verdict, at, length) {
                found.push(item.clone())?;
            }
        }
        Ok(Val::list(found.0, Mark::Sequence))
    }

    fn filter_tuples(
        &self,
        predicate: &'a Node,
        tuples: Vec<Tuple<'a>>,
        env: &Env<'a>,
    ) -> Result<Vec<Tuple<'a>>, Failed> {
        let length = tuples.len();
        if let Kind::Number(number) = predicate.kind {
            let only = place(number, length).and_then(|at| tuples.into_iter().nth(at));
            return Ok(only.into_iter().collect());
        }
        let mut found = Vec::new();
        for (at, tuple) in tuples.into_iter().enumerate() {
            let verdict = self.eval(predicate, &tuple.item, &tuple.env(env))?;
            for _ in 0..times(&verdict, at, length) {
                found.push(tuple.clone());
            }
        }
        Ok(found)
    }

    /// A step after which what was bound, or passed, is remembered.
    fn tuple_step(
        &self,
        step: &'a Node,
        current: &Val<'a>,
        tuples: Option<Vec<Tuple<'a>>>,
        env: &Env<'a>,
    ) -> Result<Vec<Tuple<'a>>, Failed> {
        let marks = step.marks.as_deref();
        let start = |item| Tuple {
            item,
            bindings: Vec::new(),
        };
        let mut found = Vec::new();
        if let Kind::Sort(terms) = &step.kind {
            found = match tuples {
                Some(tuples) => self.sort_tuples(terms, tuples, env)?,
                None => {
                    let sorted = self.sort(terms, current, env)?;
                    let mut tuples: Vec<Tuple<'a>> = sorted.items().map(start).collect();
                    if let Some(name) = marks.and_then(|marks| marks.index) {
                        number(&mut tuples, name);
                    }
                    tuples
                }
            };
            return self.stages(step, found, env);
        }
        let tuples = tuples.unwrap_or_else(|| current.items().map(start).collect());
        for tuple in &tuples {
            self.tick()?;
            match self.eval(step, &tuple.item, &tuple.env(env))? {
                Val::Undefined => {}
                Val::Tuples(inner) => {
                    let joined = inner
                        .iter()
                        .map(|one| tuple.with(one.item.clone(), &one.bindings));
                    found.extend(joined);
                }
                value => {
                    for (at, item) in value.items().enumerate() {
                        let mut next = match marks.and_then(|marks| marks.focus) {
                            Some(name) => tuple.with(tuple.item.clone(), &[(name, item)]),
                            None => tuple.with(item, &[]),
                        };
                        if let Some(name) = marks.and_then(|marks| marks.index) {
                            next.bind(name, Val::Number(at as f64));
                        }
                        if let Some(slot) = marks.and_then(|marks| marks.ancestor) {
                            next.bind(self.program.ancestors[slot], tuple.item.clone());
                        }
                        found.push(next);
                    }
                }
            }
            if found.len() > super::SEQUENCE_MAX / 8 {
                return Err(super::error::memory());
            }
        }
        self.stages(step, found, env)
    }

    fn stages(
        &self,
        step: &'a Node,
        mut tuples: Vec<Tuple<'a>>,
        env: &Env<'a>,
    ) -> Result<Vec<Tuple<'a>>, Failed> {
        for stage in step.stages() {
            match stage {
                Stage::Filter(predicate) => tuples = self.filter_tuples(predicate, tuples, env)?,
                Stage::Index(name) => number(&mut tuples, *name),
            }
        }
        Ok(tuples)
    }

    pub(super) fn group_tuples(
        &self,
        pairs: &'a [(Node, Node)],
        tuples: &[Tuple<'a>],
        env: &Env<'a>,
    ) -> Answer<'a> {
        let mut groups: Groups<'a, Vec<usize>> = Groups::default();
        for (number, tuple) in tuples.iter().enumerate() {
            let inner = tuple.env(env);
            for (at, (name, _)) in pairs.iter().enumerate() {
                if let Some(key) = self.key(name, &tuple.item, &inner)? {
                    groups.entry(key, at)?.push(number);
                }
            }
        }
        let mut object = Object::with_capacity(groups.entries.len());
        for (key, at, numbers) in groups.entries {
            let members = numbers.iter().map(|number| &tuples[*number]);
            let joined = join(members);
            let value = self.eval(&pairs[at].1, &joined.item, &joined.env(env))?;
            if !value.is_undefined() {
                object.set(key, value);
            }
        }
        Ok(Val::object(object))
    }

    pub(super) fn sort(
        &self,
        terms: &'a [(Node, bool)],
        input: &Val<'a>,
        env: &Env<'a>,
    ) -> Answer<'a> {
        if let Val::Tuples(tuples) = input {
            let sorted = self.sort_tuples(terms, tuples.to_vec(), env)?;
            return Ok(Val::Tuples(Rc::new(sorted)));
        }
        if input.len().unwrap_or(1) < 2 {
            return Ok(input.clone());
        }
        let items: Vec<Val<'a>> = input.items().collect();
        let order = self.order(terms, items.len(), |at, term| {
            self.eval(term, &items[at], env)
        })?;
        Ok(Val::array(
            order
                .into_iter()
                .map(|at| items[at as usize].clone())
                .collect(),
        ))
    }

    fn sort_tuples(
        &self,
        terms: &'a [(Node, bool)],
        tuples: Vec<Tuple<'a>>,
        env: &Env<'a>,
    ) -> Result<Vec<Tuple<'a>>, Failed> {
        if tuples.len() < 2 {
            return Ok(tuples);
        }
        let order = self.order(terms, tuples.len(), |at, term| {
            self.eval(term, &tuples[at].item, &tuples[at].env(env))
        })?;
        Ok(order
            .into_iter()
            .map(|at| tuples[at as usize].clone())
            .collect())
    }

    /// The order in which `count` items come by `terms`. Each term is evaluated once for each item.
    fn order(
        &self,
        terms: &'a [(Node, bool)],
        count: usize,
        key: impl Fn(usize, &'a Node) -> Answer<'a>,
    ) -> Result<Vec<u32>, Failed> {
        let mut keys = Vec::with_capacity(count * terms.len());
        for at in 0..count {
            for (term, _) in terms {
                keys.push(key(at, term)?);
            }
        }
        let of = |item: u32| &keys[item as usize * terms.len()..][..terms.len()];
        let compare = |left: &u32, right: &u32| -> Result<Ordering, Failed> {
            let pairs = of(*left).iter().zip(of(*right)).zip(terms);
            for ((a, b), (_, descending)) in pairs {
                match compare_keys(a, b)? {
                    Ordering::Equal => {}
                    order if a.is_undefined() || b.is_undefined() || !descending => {
                        return Ok(order);
                    }
                    order => return Ok(order.reverse()),
                }
            }
            Ok(Ordering::Equal)
        };
        let mut order: Vec<u32> = (0..count as u32).collect();
        let alike = (0..terms.len()).all(|term| alike(keys[term..].iter().step_by(terms.len())));
        if alike {
            // No comparison can fail.
            order.sort_by(|a, b| compare(a, b).unwrap_or(Ordering::Equal));
            return Ok(order);
        }
        list::merge_sort(&order, &mut |a, b| Ok(compare(a, b)? == Ordering::Greater))
    }
}

/// Whether all keys can be compared, and have an order.
fn alike<'v, 'a: 'v>(mut keys: impl Iterator<Item = &'v Val<'a>> + Clone) -> bool {
    let numbers = |key: &Val<'_>| match key {
        Val::Number(number) => !number.is_nan(),
        other => other.is_undefined(),
    };
    keys.clone().all(numbers) || keys.all(|key| key.as_str().is_some() || key.is_undefined())
}

/// What comes first; what is undefined comes last.
fn compare_keys<'a>(a: &Val<'a>, b: &Val<'a>) -> Result<Ordering, Failed> {
    match (a, b) {
        (Val::Undefined, Val::Undefined) => return Ok(Ordering::Equal),
        (Val::Undefined, _) => return Ok(Ordering::Greater),
        (_, Val::Undefined) => return Ok(Ordering::Less),
        (Val::Number(a), Val::Number(b)) => {
            return Ok(a.partial_cmp(b).unwrap_or(Ordering::Greater));
        }
        _ => {}
    }
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        return Ok(text::order(a, b));
    }
    let sortable = |key: &Val<'_>| matches!(key, Val::Number(_)) || key.as_str().is_some();
    if !sortable(a) || !sortable(b) {
        let what =
            "The expressions within an order-by clause must evaluate to numeric or string values";
        return Err(error("T2008", what));
    }
    let what = format!(
        "Type mismatch when comparing values {} and {} in order-by clause",
        shown(a),
        shown(b)
    );
    Err(error("T2007", what))
}

fn is_variable(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Variable(_) | Kind::Context | Kind::Root | Kind::States(_)
    )
}

/// Adds what a step found for one item.
fn gather<'a>(found: &mut Found<'a>, value: Val<'a>) -> Result<(), Failed> {
    match is_constructed(&value) || !value.is_array() {
        true => found.push(value),
        false => found.extend(&value),
    }
}

fn is_constructed(value: &Val<'_>) -> bool {
    matches!(value, Val::List(list) if list.mark.get() == Mark::Constructed)
}

/// What a step found, if it found it for one item only.
fn flat<'a>(value: Val<'a>, last: bool) -> Val<'a> {
    match &value {
        Val::List(list) => match list.mark.get() {
            // The last step hands on a list as it is, other steps its items; see `Evaluator::path`.
            Mark::Constructed if !last => Val::list(vec![value], Mark::Sequence),
            Mark::Array | Mark::Constructed | Mark::Sequence => value,
            Mark::Kept | Mark::Wrapper => Val::list(list.items.clone(), Mark::Sequence),
        },
        _ => value,
    }
}

/// A sequence that stays one, with one item as well.
fn kept<'a>(value: Val<'a>, singleton: bool) -> Val<'a> {
    match &value {
        Val::Undefined | Val::Array(_) => value,
        Val::List(list) => match list.mark.get() {
            Mark::Constructed if singleton => Val::list(vec![value], Mark::Kept),
            Mark::Array | Mark::Constructed => value,
            _ => {
                list.mark.set(Mark::Kept);
                value
            }
        },
        _ => Val::list(vec![value], Mark::Kept),
    }
}

/// Which item a number means, counted from the end if it is negative.
fn place(number: f64, length: usize) -> Option<usize> {
    let at = number.floor();
    let at = if at < 0.0 { at + length as f64 } else { at };
    (at >= 0.0 && at < length as f64).then_some(at as usize)
}

/// How often a predicate takes the item at `at`.
fn times(verdict: &Val<'_>, at: usize, length: usize) -> usize {
    let numbers = |value: &Val<'_>| value.items().all(|item| matches!(item, Val::Number(_)));
    match verdict {
        Val::Number(number) => usize::from(place(*number, length) == Some(at)),
        Val::Array(_) | Val::List(_) if numbers(verdict) => {
            let places = verdict.items().filter(|item| match item {
                Val::Number(number) => place(*number, length) == Some(at),
                _ => false,
            });
            places.count()
        }
        other => usize::from(other.truthy()),
    }
}

fn number(tuples: &mut [Tuple<'_>], name: Name) {
    for (at, tuple) in tuples.iter_mut().enumerate() {
        tuple.bind(name, Val::Number(at as f64));
    }
}

/// Several tuples as one: each of its values is the list of theirs.
fn join<'t, 'a: 't>(mut tuples: impl Iterator<Item = &'t Tuple<'a>>) -> Tuple<'a> {
    let first = tuples.next().expect("a group has items");
    let mut items = vec![first.item.clone()];
    let mut bindings: Vec<(Name, Vec<Val<'a>>)> = first
        .bindings
        .iter()
        .map(|(name, value)| (*name, vec![value.clone()]))
        .collect();
    let mut several = false;
    for tuple in tuples {
        if !several {
            several = true;
            let flatten = |values: &mut Vec<Val<'a>>| *values = values[0].items().collect();
            flatten(&mut items);
            bindings.iter_mut().for_each(|(_, values)| flatten(values));
        }
        items.extend(tuple.item.items());
        for (name, value) in &tuple.bindings {
            match bindings.iter_mut().find(|(bound, _)| bound == name) {
                Some((_, values)) => values.extend(value.items()),
                None => bindings.push((*name, value.items().collect())),
            }
        }
    }
    let list = |mut values: Vec<Val<'a>>| match several {
        true => Val::array(values),
        false => values.pop().expect("there is one"),
    };
    Tuple {
        item: unwrapped(list(items), false),
        bindings: bindings
            .into_iter()
            .map(|(name, values)| (name, list(values)))
            .collect(),
    }
}
