//! What is made up is text where nothing says otherwise. An expression that wants something else fails over it, so other
//! kinds are tried, and kept if they lead further.

use serde_json::{Value, json};

use super::super::errors::is_the_engines_own;
use super::super::needs;
use super::super::place::{self, Step};
use super::super::trail::{Supplier, Trail};
use super::{Attempt, Draft};
use crate::seen::Seen;

/// How many places of one state are tried in other kinds.
const TEXTS_MAX: usize = 8;

impl Attempt<'_> {
    /// Makes something else of the texts that the state looks at over which the execution failed; whether that led
    /// further.
    pub(super) fn in_other_kinds(&self, draft: &mut Draft, seen: &Seen) -> Result<bool, String> {
        let ended = seen.ended.as_ref();
        let failure = ended.and_then(|ended| ended.failure.as_ref()?.error.as_deref());
        if !failure.is_some_and(is_the_engines_own) {
            return Ok(false);
        }
        let trail = Trail::of(seen);
        let Some(at) = trail.entered.len().checked_sub(1) else {
            return Ok(false);
        };
        let state = self.written.state(&trail.entered[at].name);
        let mut texts: Vec<Supplier> = needs::of(state)
            .iter()
            .filter_map(|need| trail.supplier(&self.written, at, &need.root, &need.place))
            .filter(|supplier| is_made_up_text(draft, supplier))
            .collect();
        if texts.is_empty() {
            texts = named_in(draft, &state.to_string());
        }
        texts.truncate(TEXTS_MAX);
        let sets = std::iter::once(&texts[..]).chain(texts.iter().map(std::slice::from_ref));
        let sets: Vec<&[Supplier]> = sets.filter(|set| !set.is_empty()).collect();
        let reached = progress(seen);
        for kind in [json!(1), json!([1]), json!({}), json!(true)] {
            for set in &sets {
                let mut other = draft.clone();
                for supplier in *set {
                    self.put(&mut other, supplier.clone(), kind.clone());
                }
                if progress(&self.tried(&other)?) > reached {
                    *draft = other;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// How far it came.
fn progress(seen: &Seen) -> (bool, usize) {
    let failed = seen
        .ended
        .as_ref()
        .is_some_and(|ended| ended.failure.is_some());
    (!failed, Trail::of(seen).entered.len())
}

/// What was made up under a name that stands in the text of a state: where it comes from can't be followed.
fn named_in(draft: &Draft, state: &str) -> Vec<Supplier> {
    let mut found = Vec::new();
    let mut look = |value: &Value, supplier: &dyn Fn(Vec<Step>) -> Supplier| {
        let mut places = Vec::new();
        texts_in(value, &mut Vec::new(), &mut places);
        let named = places.into_iter().filter(|(name, _)| state.contains(name));
        found.extend(named.map(|(_, place)| supplier(place)));
    };
    look(&draft.input, &Supplier::Input);
    let mut results: Vec<_> = draft.results.iter().collect();
    results.sort_by_key(|(task, _)| *task);
    for (task, result) in results {
        look(result, &|place| Supplier::Result(task.clone(), place));
    }
    found
}

/// The made-up texts of a document: what each is of, and where it is.
fn texts_in(value: &Value, at: &mut Vec<Step>, found: &mut Vec<(String, Vec<Step>)>) {
    match value {
        Value::String(text) => {
            let name = text.strip_prefix(needs::MADE_UP);
            found.extend(name.map(|name| (name.to_owned(), at.clone())));
        }
        Value::Object(members) => {
            for (name, value) in members {
                at.push(Step::Name(name.clone()));
                texts_in(value, at, found);
                at.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                at.push(Step::Index(index));
                texts_in(value, at, found);
                at.pop();
            }
        }
        _ => {}
    }
}

fn is_made_up_text(draft: &Draft, supplier: &Supplier) -> bool {
    let there = match supplier {
        Supplier::Input(at) => place::get(&draft.input, at),
        Supplier::Result(state, at) => draft
            .results
            .get(state)
            .and_then(|result| place::get(result, at)),
    };
    let text = there.and_then(Value::as_str);
    text.is_some_and(|text| text.starts_with(needs::MADE_UP))
}
