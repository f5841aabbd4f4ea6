//! Evaluating a compiled expression.
//!
//! One function for each kind of part; those of paths are in [`super::path`], those of calls in
//! [`super::call`]. What is evaluated borrows the documents and the expression, both for `'a`.
//! Every step counts: [`Evaluator::enter`] stops what nests too deep, takes too long or holds too
//! much.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::SEQUENCE_MAX;
use super::call::Function;
use super::compile::{Kind, Name, Node, Program, States, Variable};
use super::effort::Deadline;
use super::error::{Failed, error, memory, overflow, timeout};
use super::functions::text;
use super::parse::Binary;
use super::stack::Stack;
use super::value::{Key, Mark, Object, Val, Weight, begin, equal, into_json, over};
use crate::scope::Scope;

pub(super) type Answer<'a> = Result<Val<'a>, Failed>;

/// The variables around a part of an expression.
pub(super) type Env<'a> = Option<Rc<Frame<'a>>>;

/// The variables that one block, function or step binds.
pub(super) struct Frame<'a> {
    bindings: RefCell<Vec<(Name, Val<'a>)>>,
    around: Env<'a>,
    /// How deep the values nest that it holds, and the frames around it.
    depth: Cell<u32>,
    _weight: Weight,
}

/// One evaluation of one expression.
pub(super) struct Evaluator<'a> {
    pub(super) program: &'a Program,
    pub(super) scope: Scope<'a>,
    /// What `$` is at the top, and `$$` everywhere. In a state it is undefined.
    pub(super) root: Val<'a>,
    random: Cell<Option<u64>>,
    depth: Cell<usize>,
    depth_max: usize,
    stack: Stack,
    steps: Cell<u32>,
    deadline: Deadline,
    /// Frames that outlived what made them. A function in a variable that it can read itself holds
    /// its frame, and its frame holds it; they are parted in the end.
    escaped: RefCell<Vec<Rc<Frame<'a>>>>,
}

/// After how many steps the clock is read.
const STEPS_PER_LOOK: u32 = 64;

/// How deep what is around nests.
pub(super) fn depth(env: &Env<'_>) -> u32 {
    env.as_ref().map_or(0, |frame| frame.depth.get())
}

impl<'a> Frame<'a> {
    pub(super) fn new(bindings: Vec<(Name, Val<'a>)>, around: Env<'a>) -> Rc<Frame<'a>> {
        let values = bindings.iter().map(|(_, value)| value.depth()).max();
        let depth = 1 + values.unwrap_or(0).max(depth(&around));
        Rc::new(Frame {
            depth: Cell::new(depth),
            _weight: Weight::of(64 + bindings.len() * size_of::<(Name, Val<'_>)>()),
            bindings: RefCell::new(bindings),
            around,
        })
    }

    fn bind(&self, name: Name, value: Val<'a>) {
        // A function that it can read itself holds this frame, and nothing deeper.
        if !value.is_of(self) {
            self.depth.set(self.depth.get().max(value.depth() + 1));
        }
        let mut bindings = self.bindings.borrow_mut();
        match bindings.iter_mut().find(|(bound, _)| *bound == name) {
            Some(binding) => binding.1 = value,
            None => bindings.push((name, value)),
        }
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        program: &'a Program,
        scope: Scope<'a>,
        root: Val<'a>,
        deadline: Deadline,
        depth_max: usize,
    ) -> Evaluator<'a> {
        Evaluator {
            program,
            scope,
            root,
            random: Cell::default(),
            depth: Cell::new(0),
            depth_max,
            stack: Stack::here(),
            steps: Cell::new(0),
            deadline,
            escaped: RefCell::default(),
        }
    }

    /// The value of the whole.
    pub(super) fn run(&self) -> Result<Option<serde_json::Value>, Failed> {
        begin();
        let env = self.program.binds.then(|| Frame::new(Vec::new(), None));
        let value = self.eval(&self.program.root, &self.root, &env);
        self.escaped.borrow_mut().extend(env);
        let value = value?;
        match over() {
            true => Err(memory()),
            false => into_json(&value),
        }
    }

    /// Counts a step down into the expression.
    pub(super) fn enter(&self) -> Result<(), Failed> {
        let depth = self.depth.get() + 1;
        self.depth.set(depth);
        // Some parts need more of the stack than others, most of all without optimization.
        if depth > self.depth_max || self.stack.is_used_up() {
            return Err(overflow());
        }
        self.tick()
    }

    /// Counts a step that is no level, and takes of the stack.
    pub(super) fn room(&self) -> Result<(), Failed> {
        match self.stack.is_used_up() {
            true => Err(overflow()),
            false => self.tick(),
        }
    }

    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
    }

    /// Counts a step.
    pub(super) fn tick(&self) -> Result<(), Failed> {
        if over() {
            return Err(memory());
        }
        let steps = self.steps.get() + 1;
        self.steps.set(steps % STEPS_PER_LOOK);
        let look = steps.is_multiple_of(STEPS_PER_LOOK);
        match look && self.deadline.has_passed(self.scope.session.worked()) {
            true => Err(timeout()),
            false => Ok(()),
        }
    }

    /// The next 64 random bits (SplitMix64).
    pub(super) fn random(&self) -> u64 {
        let seed = self.random.get();
        let seed = seed.unwrap_or_else(|| self.scope.session.seed(self.scope));
        let state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(Some(state));
        super::functions::aws::scramble(state)
    }

    /// Remembers a frame that something still holds, if it could hold itself.
    pub(super) fn escape(&self, frame: Rc<Frame<'a>>) {
        if Rc::strong_count(&frame) > 1 {
            let functions = frame
                .bindings
                .borrow()
                .iter()
                .any(|(_, value)| value.holds_functions());
            if functions {
                self.escaped.borrow_mut().push(frame);
            }
        }
    }

    /// The value of a part where `$` is `input`.
    pub(super) fn eval(&self, node: &'a Node, input: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        // The smallest part is a level as well.
        if self.depth.get() >= self.depth_max {
            return Err(overflow());
        }
        if node.marks.is_none() && !node.keep {
            match &node.kind {
                Kind::Text(text) => return Ok(Val::Str(text)),
                Kind::Number(number) => return Ok(Val::Number(*number)),
                Kind::Bool(flag) => return Ok(Val::Bool(*flag)),
                Kind::Variable(variable) => {
                    return Ok(unwrapped(self.variable(variable, env), false));
                }
                Kind::Context => return Ok(unwrapped(self.context(input), false)),
                Kind::Path(path) if path.single && !input.is_array() => {
                    if let Kind::Field(name) = &path.steps[0].kind {
                        return Ok(unwrapped(input.member(name), false));
                    }
                }
                _ => {}
            }
        }
        self.enter()?;
        let value = self.kind(node, input, env)?;
        let value = self.finish(node, value, env)?;
        self.leave();
        Ok(value)
    }

    /// What becomes of the value of a part by what follows the part.
    #[inline]
    pub(super) fn finish(&self, node: &'a Node, mut value: Val<'a>, env: &Env<'a>) -> Answer<'a> {
        if let Some(marks) = &node.marks {
            for predicate in &marks.predicates {
                value = self.filter(predicate, &value, env)?;
            }
            if let (Some(pairs), false) = (&marks.group, matches!(node.kind, Kind::Path(_))) {
                value = self.group(pairs, &value, env)?;
            }
        }
        Ok(unwrapped(value, node.keep))
    }

    fn kind(&self, node: &'a Node, input: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        match &node.kind {
            Kind::Path(path) => self.path(node, path, input, env),
            Kind::Field(name) => self.lookup(input, name),
            Kind::Text(text) => Ok(Val::Str(text)),
            Kind::Number(number) => Ok(Val::Number(*number)),
            Kind::Bool(flag) => Ok(Val::Bool(*flag)),
            Kind::Null => Ok(Val::Null),
            Kind::Regex(pattern) => Ok(Val::Regex(pattern)),
            Kind::Wildcard => self.wildcard(input),
            Kind::Descendants => self.descendants(input),
            Kind::Parent(slot) => Ok(self
                .bound(self.program.ancestors[*slot], env)
                .unwrap_or(Val::Undefined)),
            Kind::Context => Ok(self.context(input)),
            Kind::Root => Ok(self.root.clone()),
            Kind::Variable(variable) => Ok(self.variable(variable, env)),
            Kind::States(part) => Ok(self.states(part)),
            Kind::Binary(operator, sides) => self.binary(*operator, &sides.0, &sides.1, input, env),
            Kind::Negate(inner) => self.negate(inner, input, env),
            Kind::Array(items) => self.array(items, node.constructed, input, env),
            Kind::Object(pairs) => self.group(pairs, input, env),
            Kind::Bind(name, value) => self.bind(*name, value, input, env),
            Kind::Apply(sides) => self.chain(&sides.0, &sides.1, input, env),
            Kind::Call(call) => self.call(call, None, input, env),
            Kind::Partial(call) => self.partial(call, input, env),
            Kind::Lambda(lambda) => Ok(Val::function(Function::Lambda {
                lambda,
                env: env.clone(),
                input: input.clone(),
            })),
            Kind::Condition(parts) => match (self.eval(&parts.0, input, env)?.truthy(), &parts.2) {
                (true, _) => self.eval(&parts.1, input, env),
                (false, Some(otherwise)) => self.eval(otherwise, input, env),
                (false, None) => Ok(Val::Undefined),
            },
            Kind::Elvis(sides) => {
                let value = self.eval(&sides.0, input, env)?;
                match value.truthy() {
                    true => Ok(value),
                    false => self.eval(&sides.1, input, env),
                }
            }
            Kind::Coalesce(sides) => {
                let value = self.eval(&sides.0, input, env)?;
                match value.is_undefined() {
                    false => Ok(value),
                    true => self.eval(&sides.1, input, env),
                }
            }
            Kind::Transform(transform) => Ok(Val::function(Function::Transform {
                transform,
                env: env.clone(),
            })),
            Kind::Block(block) => {
                let mut value = Val::Undefined;
                let mut own = env.clone();
                if block.binds {
                    own = Some(Frame::new(Vec::new(), own));
                }
                for part in &block.parts {
                    match self.eval(part, input, &own) {
                        Ok(found) => value = found,
                        Err(why) => {
                            self.close(own, block.binds);
                            return Err(why);
                        }
                    }
                }
                self.close(own, block.binds);
                Ok(value)
            }
            Kind::Sort(terms) => self.sort(terms, input, env),
            Kind::Placeholder => Ok(Val::Undefined),
        }
    }

    /// The end of what a frame was made for.
    pub(super) fn close(&self, env: Env<'a>, own: bool) {
        if let (Some(frame), true) = (env, own) {
            self.escape(frame);
        }
    }

    /// The context: the document itself, if the expression was given an array.
    fn context(&self, input: &Val<'a>) -> Val<'a> {
        match input {
            Val::List(list) if list.mark.get() == Mark::Wrapper => list.items[0].clone(),
            other => other.clone(),
        }
    }

    fn bound(&self, name: Name, env: &Env<'a>) -> Option<Val<'a>> {
        let mut frame = env.as_ref();
        while let Some(inner) = frame {
            let bindings = inner.bindings.borrow();
            if let Some((_, value)) = bindings.iter().find(|(bound, _)| *bound == name) {
                return Some(value.clone());
            }
            frame = inner.around.as_ref();
        }
        None
    }

    pub(super) fn variable(&self, variable: &Variable, env: &Env<'a>) -> Val<'a> {
        if variable.bound
            && let Some(value) = self.bound(variable.name, env)
        {
            return value;
        }
        let name = &self.program.names[variable.name as usize];
        match (self.scope.variables.get(name), variable.builtin) {
            (Some(value), _) => Val::of(value),
            (None, Some(builtin)) => Val::Builtin(builtin),
            (None, None) => Val::Undefined,
        }
    }

    pub(super) fn states(&self, part: &States) -> Val<'a> {
        let Scope {
            input,
            context,
            result,
            error_output,
            ..
        } = self.scope;
        let of = |value: Option<&'a serde_json::Value>| value.map_or(Val::Undefined, Val::of);
        match part {
            States::Input => Val::of(input),
            States::Result => of(result),
            States::ErrorOutput => of(error_output),
            States::Context => Val::of(context.value()),
            States::ContextPart(names) => {
                let texts: Vec<&str> = names.iter().map(String::as_str).collect();
                let found = context.part(&texts);
                let (start, taken) = found.unwrap_or_else(|| (context.value(), 0));
                of(names[taken..]
                    .iter()
                    .try_fold(start, |value, name| value.get(name)))
            }
            States::Whole => {
                let mut whole = Object::with_capacity(4);
                for (name, part) in WHOLE {
                    let value = self.states(part);
                    if !value.is_undefined() {
                        whole.set(Key::Str(name), value);
                    }
                }
                Val::object(whole)
            }
        }
    }

    fn bind(&self, name: Name, value: &'a Node, input: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        let value = self.eval(value, input, env)?;
        if let Some(frame) = env {
            frame.bind(name, value.clone());
        }
        Ok(value)
    }

    fn negate(&self, inner: &'a Node, input: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        match self.eval(inner, input, env)? {
            Val::Number(number) => Ok(Val::Number(-number)),
            Val::Undefined => Ok(Val::Undefined),
            other => {
                let what = format!("Cannot negate a non-numeric value: {}", shown(&other));
                Err(error("D1002", what))
            }
        }
    }

    fn array(
        &self,
        items: &'a [(Node, bool)],
        constructed: bool,
        input: &Val<'a>,
        env: &Env<'a>,
    ) -> Answer<'a> {
        let mut list = Vec::with_capacity(items.len());
        for (item, is_array) in items {
            let value = self.eval(item, input, env)?;
            match value {
                Val::Undefined => {}
                value if *is_array || !value.is_array() => list.push(value),
                // Nobody else has it: its items are moved.
                Val::List(found) if list.is_empty() => match Rc::try_unwrap(found) {
                    Ok(mut found) => list = std::mem::take(&mut found.items),
                    Err(shared) => list.extend(shared.items.iter().cloned()),
                },
                value => list.extend(value.items()),
            }
            if list.len() > SEQUENCE_MAX {
                return Err(memory());
            }
        }
        let mark = match constructed {
            true => Mark::Constructed,
            false => Mark::Array,
        };
        Ok(Val::list(list, mark))
    }

    fn binary(
        &self,
        operator: Binary,
        left: &'a Node,
        right: &'a Node,
        input: &Val<'a>,
        env: &Env<'a>,
    ) -> Answer<'a> {
        let lhs = self.eval(left, input, env)?;
        match operator {
            Binary::And if !lhs.truthy() => return Ok(Val::Bool(false)),
            Binary::Or if lhs.truthy() => return Ok(Val::Bool(true)),
            _ => {}
        }
        let rhs = self.eval(right, input, env)?;
        match operator {
            Binary::And | Binary::Or => Ok(Val::Bool(rhs.truthy())),
            Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
                arithmetic(operator, &lhs, &rhs)
            }
            Binary::Equal | Binary::Unequal => {
                if lhs.is_undefined() || rhs.is_undefined() {
                    return Ok(Val::Bool(false));
                }
                Ok(Val::Bool(equal(&lhs, &rhs) == (operator == Binary::Equal)))
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                compare(operator, &lhs, &rhs)
            }
            Binary::In => Ok(Val::Bool(
                !lhs.is_undefined() && rhs.items().any(|item| same(&item, &lhs)),
            )),
            Binary::Concatenate => text::concatenate(&lhs, &rhs),
            Binary::Range => range(&lhs, &rhs),
        }
    }

    /// An object of `pairs` for the items of `value`: those with one name in common make one member.
    pub(super) fn group(
        &self,
        pairs: &'a [(Node, Node)],
        value: &Val<'a>,
        env: &Env<'a>,
    ) -> Answer<'a> {
        if let Val::Tuples(tuples) = value {
            return self.group_tuples(pairs, tuples, env);
        }
        if !value.is_array() || value.len() == Some(0) {
            let undefined = Val::Undefined;
            let one = match value.is_array() {
                true => &undefined,
                false => value,
            };
            return self.object(pairs, one, env);
        }
        let mut groups: Groups<'a, Vec<Val<'a>>> = Groups::default();
        for item in value.items() {
            for (at, (name, _)) in pairs.iter().enumerate() {
                self.tick()?;
                let Some(key) = self.key(name, &item, env)? else {
                    continue;
                };
                let data = groups.entry(key, at)?;
                match data.pop() {
                    None => data.push(item.clone()),
                    Some(first) => {
                        // What came first may be a list; the second makes it one of its items.
                        match data.is_empty() {
                            true => data.extend(first.items()),
                            false => data.push(first),
                        }
                        data.extend(item.items());
                    }
                }
            }
        }
        let mut object = Object::with_capacity(groups.entries.len());
        for (key, at, mut data) in groups.entries {
            let context = match data.len() {
                1 => data.pop().expect("there is one"),
                _ => Val::array(data),
            };
            let value = self.eval(&pairs[at].1, &context, env)?;
            if !value.is_undefined() {
                object.set(key, value);
            }
        }
        Ok(Val::object(object))
    }

    /// An object of `pairs` for one item.
    fn object(&self, pairs: &'a [(Node, Node)], item: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        let mut keys = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            keys.push(self.key(name, item, env)?);
        }
        let mut object = Object::with_capacity(pairs.len());
        for (at, key) in keys.iter().enumerate() {
            let Some(key) = key else { continue };
            let twice = match pairs.len() > 8 {
                // It has an index.
                true => object.get(key.as_str()).is_some(),
                false => keys[..at].contains(&Some(key.clone())),
            };
            if twice {
                return Err(same_key(key.as_str()));
            }
            let value = self.eval(&pairs[at].1, item, env)?;
            if !value.is_undefined() {
                object.set(key.clone(), value);
            }
        }
        Ok(Val::object(object))
    }

    /// The name of a member; nothing if it is undefined.
    pub(super) fn key(
        &self,
        name: &'a Node,
        item: &Val<'a>,
        env: &Env<'a>,
    ) -> Result<Option<Key<'a>>, Failed> {
        let name = self.eval(name, item, env)?;
        match name.as_key() {
            Some(key) => Ok(Some(key)),
            None if name.is_undefined() => Ok(None),
            None => {
                let found = shown(&name);
                let what =
                    format!("Key in object structure must evaluate to a string; got: {found}");
                Err(error("T1003", what))
            }
        }
    }
}

impl Drop for Evaluator<'_> {
    fn drop(&mut self) {
        for frame in self.escaped.take() {
            frame.bindings.take();
        }
    }
}

/// What belongs to each name, in the order in which the names came.
pub(super) struct Groups<'a, T> {
    pub(super) entries: Vec<(Key<'a>, usize, T)>,
    index: std::collections::HashMap<Key<'a>, usize>,
}

impl<T> Default for Groups<'_, T> {
    fn default() -> Self {
        Groups {
            entries: Vec::new(),
            index: std::collections::HashMap::new(),
        }
    }
}

impl<'a, T: Default> Groups<'a, T> {
    /// What belongs to `key`, of the pair number `pair`.
    pub(super) fn entry(&mut self, key: Key<'a>, pair: usize) -> Result<&mut T, Failed> {
        let at = match self.index.get(&key) {
            Some(at) => *at,
            None => {
                self.index.insert(key.clone(), self.entries.len());
                self.entries.push((key, pair, T::default()));
                self.entries.len() - 1
            }
        };
        let entry = &mut self.entries[at];
        match entry.1 == pair {
            true => Ok(&mut entry.2),
            false => Err(same_key(entry.0.as_str())),
        }
    }
}

const WHOLE: &[(&str, &States)] = &[
    ("input", &States::Input),
    ("result", &States::Result),
    ("errorOutput", &States::ErrorOutput),
    ("context", &States::Context),
];

fn same_key(key: &str) -> Failed {
    let what = format!("Multiple key definitions evaluate to same key: {key:?}");
    error("D1009", what)
}

/// What a part gives: a sequence without items is nothing, and one with one is that one.
pub(super) fn unwrapped<'a>(value: Val<'a>, keep: bool) -> Val<'a> {
    let Val::List(list) = &value else {
        return value;
    };
    match (list.mark.get(), list.items.len()) {
        (Mark::Array | Mark::Constructed, _) => value,
        (_, 0) => Val::Undefined,
        (mark, length) => {
            if keep {
                list.mark.set(Mark::Kept);
            }
            match length == 1 && !keep && mark != Mark::Kept {
                true => list.items[0].clone(),
                false => value,
            }
        }
    }
}

/// A value in a message.
pub(super) fn shown(value: &Val<'_>) -> String {
    match into_json(value) {
        Ok(Some(value)) => value.to_string(),
        _ => "undefined".to_owned(),
    }
}

fn arithmetic<'a>(operator: Binary, lhs: &Val<'a>, rhs: &Val<'a>) -> Answer<'a> {
    let wrong = |code, side| {
        let token = operator.text();
        let what = format!("The {side} side of the {token:?} operator must evaluate to a number");
        Err(error(code, what))
    };
    match (lhs, rhs) {
        (Val::Number(a), _) | (_, Val::Number(a)) if a.is_infinite() => Err(out_of_range(*a)),
        (_, Val::Number(a)) if a.is_infinite() => Err(out_of_range(*a)),
        (Val::Number(a), _) if a.is_nan() => wrong("T2001", "left"),
        (_, Val::Number(b)) if b.is_nan() => wrong("T2002", "right"),
        (Val::Number(a), Val::Number(b)) => Ok(Val::Number(match operator {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            _ => a % b,
        })),
        (Val::Number(_) | Val::Undefined, Val::Number(_) | Val::Undefined) => Ok(Val::Undefined),
        (Val::Number(_) | Val::Undefined, _) => wrong("T2002", "right"),
        _ => wrong("T2001", "left"),
    }
}

/// JavaScript's numbers know an infinity, the language does not.
pub(super) fn out_of_range(number: f64) -> Failed {
    let sign = if number < 0.0 { "-" } else { "" };
    error("D1001", format!("Number out of range: {sign}Infinity"))
}

fn compare<'a>(operator: Binary, lhs: &Val<'a>, rhs: &Val<'a>) -> Answer<'a> {
    use std::cmp::Ordering;
    let comparable = |value: &Val<'_>| {
        matches!(
            value,
            Val::Undefined | Val::Number(_) | Val::Str(_) | Val::Text(_)
        )
    };
    let token = operator.text();
    if !comparable(lhs) || !comparable(rhs) {
        let what = format!(
            "The expressions either side of operator {token:?} must evaluate to numeric or string values"
        );
        return Err(error("T2010", what));
    }
    if lhs.is_undefined() || rhs.is_undefined() {
        return Ok(Val::Undefined);
    }
    let order = match (lhs, rhs) {
        (Val::Number(a), Val::Number(b)) => a.partial_cmp(b),
        _ => match (lhs.as_str(), rhs.as_str()) {
            (Some(a), Some(b)) => Some(text::order(a, b)),
            _ => {
                let (lhs, rhs) = (shown(lhs), shown(rhs));
                let what = format!(
                    "The values {lhs} and {rhs} either side of operator {token:?} must be of the same data type"
                );
                return Err(error("T2009", what));
            }
        },
    };
    Ok(Val::Bool(order.is_some_and(|order| match operator {
        Binary::Less => order == Ordering::Less,
        Binary::LessOrEqual => order != Ordering::Greater,
        Binary::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })))
}

/// JavaScript's `===`.
fn same<'a>(left: &Val<'a>, right: &Val<'a>) -> bool {
    match (left, right) {
        (Val::Array(a), Val::Array(b)) => std::ptr::eq(*a, *b),
        (Val::Map(a), Val::Map(b)) => std::ptr::eq(*a, *b),
        (Val::List(a), Val::List(b)) => Rc::ptr_eq(a, b),
        (Val::Object(a), Val::Object(b)) => Rc::ptr_eq(a, b),
        _ if left.is_array() || left.is_object() => false,
        _ => equal(left, right),
    }
}

fn range<'a>(lhs: &Val<'a>, rhs: &Val<'a>) -> Answer<'a> {
    let whole = |value: &Val<'_>, code, side| match value {
        Val::Undefined => Ok(None),
        Val::Number(number) if number.fract() == 0.0 => Ok(Some(*number)),
        _ => {
            let what =
                format!("The {side} side of the range operator (..) must evaluate to an integer");
            Err(error(code, what))
        }
    };
    let first = whole(lhs, "T2003", "left")?;
    let last = whole(rhs, "T2004", "right")?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(Val::Undefined);
    };
    if first > last {
        return Ok(Val::Undefined);
    }
    let size = last - first + 1.0;
    if size > SEQUENCE_MAX as f64 {
        return Err(memory());
    }
    let numbers = (0..size as u64).map(|at| Val::Number(first + at as f64));
    Ok(Val::list(numbers.collect(), Mark::Sequence))
}
