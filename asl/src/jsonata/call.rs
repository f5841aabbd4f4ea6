//! Functions: calling them, leaving arguments open, and chaining them.
//!
//! A call after which a function has nothing left to do takes the place of the function: it runs in
//! the loop of [`Evaluator::apply`] and needs no room of its own, however often that happens.

use std::rc::Rc;

use super::compile::{Call, Kind, Lambda, Node, Transform};
use super::error::{Failed, error};
use super::evaluate::{Answer, Env, Evaluator, Frame, depth, shown};
use super::functions::text::Matches;
use super::value::{Key, Object, Val};

/// A function that an expression makes.
pub(super) enum Function<'a> {
    Lambda {
        lambda: &'a Lambda,
        env: Env<'a>,
        input: Val<'a>,
    },
    /// `| ... |`
    Transform {
        transform: &'a Transform,
        env: Env<'a>,
    },
    /// Some arguments are given, the others are open.
    Partial {
        function: Val<'a>,
        given: Vec<Option<Val<'a>>>,
    },
    /// The second after the first.
    Chain(Val<'a>, Val<'a>),
    /// The `next` of a match.
    Next(Matches<'a>),
}

impl<'a> Function<'a> {
    /// How deep the values nest that it holds.
    pub(super) fn depth(&self) -> u32 {
        match self {
            Function::Lambda { env, input, .. } => depth(env).max(input.depth()),
            Function::Transform { env, .. } => depth(env),
            Function::Partial { function, given } => {
                let given = given.iter().flatten().map(Val::depth).max();
                function.depth().max(given.unwrap_or(0))
            }
            Function::Chain(first, second) => first.depth().max(second.depth()),
            Function::Next(_) => 0,
        }
    }
}

/// What comes of the last thing that a function does.
enum Outcome<'a> {
    Value(Val<'a>),
    /// A call that takes the function's place.
    Call(Val<'a>, Vec<Val<'a>>, &'a Node),
}

impl<'a> Evaluator<'a> {
    /// `a ~> b`
    pub(super) fn chain(
        &self,
        left: &'a Node,
        right: &'a Node,
        input: &Val<'a>,
        env: &Env<'a>,
    ) -> Answer<'a> {
        let value = self.eval(left, input, env)?;
        if let (Kind::Call(call), None) = (&right.kind, &right.marks) {
            return self.call(call, Some(value), input, env);
        }
        let function = self.eval(right, input, env)?;
        if !function.is_function() {
            let what = "The right side of the function application operator ~> must be a function";
            return Err(error("T2006", what));
        }
        match value.is_function() {
            true => Ok(Val::function(Function::Chain(value, function))),
            false => self.apply(function, vec![value], &Val::Null, ""),
        }
    }

    pub(super) fn call(
        &self,
        call: &'a Call,
        first: Option<Val<'a>>,
        input: &Val<'a>,
        env: &Env<'a>,
    ) -> Answer<'a> {
        let (function, arguments) = self.prepare(call, first, input, env)?;
        self.apply(function, arguments, input, self.called(&call.procedure))
    }

    fn prepare(
        &self,
        call: &'a Call,
        first: Option<Val<'a>>,
        input: &Val<'a>,
        env: &Env<'a>,
    ) -> Result<(Val<'a>, Vec<Val<'a>>), Failed> {
        let mut function = self.eval(&call.procedure, input, env)?;
        // A workflow variable may have the name of a function, and does not hide it.
        if let (false, Kind::Variable(variable)) = (function.is_function(), &call.procedure.kind)
            && let (false, Some(builtin)) = (variable.bound, variable.builtin)
        {
            function = Val::Builtin(builtin);
        }
        if function.is_undefined()
            && let Some(name) = self.meant(&call.procedure)
        {
            let what = format!("Attempted to invoke a non-function. Did you mean ${name}?");
            return Err(error("T1005", what));
        }
        let mut arguments = Vec::with_capacity(call.arguments.len() + 1);
        arguments.extend(first);
        for argument in &call.arguments {
            arguments.push(self.eval(argument, input, env)?);
        }
        Ok((function, arguments))
    }

    /// What a function is called by.
    fn called(&self, procedure: &'a Node) -> &'a str {
        match &procedure.kind {
            Kind::Variable(variable) => &self.program.names[variable.name as usize],
            _ => "",
        }
    }

    /// The function that is meant by a name without a dollar sign.
    fn meant(&self, procedure: &'a Node) -> Option<&'a str> {
        let Kind::Path(path) = &procedure.kind else {
            return None;
        };
        match &path.steps[0].kind {
            Kind::Field(name) => super::functions::find(name).map(|_| name.as_str()),
            _ => None,
        }
    }

    pub(super) fn partial(&self, call: &'a Call, input: &Val<'a>, env: &Env<'a>) -> Answer<'a> {
        let mut given = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            given.push(match argument.kind {
                Kind::Placeholder => None,
                _ => Some(self.eval(argument, input, env)?),
            });
        }
        let function = self.eval(&call.procedure, input, env)?;
        if function.is_function() {
            return Ok(Val::function(Function::Partial { function, given }));
        }
        Err(match self.meant(&call.procedure) {
            Some(name) if function.is_undefined() => error(
                "T1007",
                format!("Attempted to partially apply a non-function. Did you mean ${name}?"),
            ),
            _ => error("T1008", "Attempted to partially apply a non-function"),
        })
    }

    /// What `function`, called by `name`, gives for `arguments`.
    pub(super) fn apply(
        &self,
        function: Val<'a>,
        arguments: Vec<Val<'a>>,
        context: &Val<'a>,
        name: &str,
    ) -> Answer<'a> {
        // A call is a level of its own already, and what it runs is the next one.
        self.room()?;
        let mut outcome = self.apply_once(&function, arguments, context, name)?;
        let value = loop {
            match outcome {
                Outcome::Value(value) => break value,
                Outcome::Call(function, arguments, procedure) => {
                    self.tick()?;
                    let name = self.called(procedure);
                    outcome = self.apply_once(&function, arguments, context, name)?;
                }
            }
        };
        Ok(value)
    }

    fn apply_once(
        &self,
        function: &Val<'a>,
        mut arguments: Vec<Val<'a>>,
        context: &Val<'a>,
        name: &str,
    ) -> Result<Outcome<'a>, Failed> {
        let function = match function {
            Val::Function(function) => function,
            Val::Builtin(builtin) => {
                let arguments = builtin.validate(arguments, context)?;
                return (builtin.run)(self, &arguments).map(Outcome::Value);
            }
            Val::Regex(pattern) => {
                let matches = Matches::of(pattern, arguments.into_iter().next());
                return self.next_match(matches).map(Outcome::Value);
            }
            _ => return Err(error("T1006", "Attempted to invoke a non-function")),
        };
        match &function.function {
            Function::Lambda { lambda, env, input } => {
                if let Some(signature) = &lambda.signature {
                    arguments = signature.validate(arguments, context, name)?;
                }
                self.lambda(lambda, env, input, arguments)
            }
            Function::Transform { transform, env } => {
                let document = arguments.into_iter().next().unwrap_or(Val::Undefined);
                self.transform(transform, document, env).map(Outcome::Value)
            }
            Function::Partial { function, given } => {
                let mut open = arguments.into_iter();
                let filled = given.iter().map(|given| match given {
                    Some(value) => value.clone(),
                    None => open.next().unwrap_or(Val::Undefined),
                });
                let filled: Vec<Val<'a>> = filled.collect();
                match function {
                    Val::Builtin(builtin) => (builtin.run)(self, &filled).map(Outcome::Value),
                    other => self
                        .apply(other.clone(), filled, context, name)
                        .map(Outcome::Value),
                }
            }
            Function::Chain(first, second) => {
                arguments.truncate(1);
                let value = self.apply(first.clone(), arguments, &Val::Null, name)?;
                self.apply(second.clone(), vec![value], &Val::Null, name)
                    .map(Outcome::Value)
            }
            Function::Next(matches) => self.next_match(matches.clone()).map(Outcome::Value),
        }
    }

    fn lambda(
        &self,
        lambda: &'a Lambda,
        env: &Env<'a>,
        input: &Val<'a>,
        arguments: Vec<Val<'a>>,
    ) -> Result<Outcome<'a>, Failed> {
        let mut values = arguments.into_iter();
        let bindings = lambda.parameters.iter();
        let bindings = bindings.map(|name| (*name, values.next().unwrap_or(Val::Undefined)));
        let own = Some(Frame::new(bindings.collect(), env.clone()));
        let outcome = self.tail(&lambda.body, input, &own);
        self.close(own, true);
        outcome
    }

    /// The last thing that a function does.
    fn tail(&self, node: &'a Node, input: &Val<'a>, env: &Env<'a>) -> Result<Outcome<'a>, Failed> {
        match &node.kind {
            Kind::Call(call) if call.tail => {
                let (function, arguments) = self.prepare(call, None, input, env)?;
                Ok(match function {
                    // Only functions of the expression itself call on and on.
                    Val::Function(_) if node.marks.is_none() && !node.keep => {
                        Outcome::Call(function, arguments, &call.procedure)
                    }
                    other => {
                        let name = self.called(&call.procedure);
                        let value = self.apply(other, arguments, input, name)?;
                        Outcome::Value(self.finish(node, value, env)?)
                    }
                })
            }
            Kind::Condition(parts) if node.marks.is_none() => {
                self.enter()?;
                let outcome = match (self.eval(&parts.0, input, env)?.truthy(), &parts.2) {
                    (true, _) => self.tail(&parts.1, input, env)?,
                    (false, Some(otherwise)) => self.tail(otherwise, input, env)?,
                    (false, None) => Outcome::Value(Val::Undefined),
                };
                self.leave();
                Ok(outcome)
            }
            Kind::Block(block) if node.marks.is_none() && !node.keep => {
                let Some((last, before)) = block.parts.split_last() else {
                    return Ok(Outcome::Value(Val::Undefined));
                };
                let own = match block.binds {
                    true => Some(Frame::new(Vec::new(), env.clone())),
                    false => env.clone(),
                };
                self.enter()?;
                let before = before
                    .iter()
                    .try_for_each(|part| self.eval(part, input, &own).map(drop));
                let outcome = before.and_then(|()| self.tail(last, input, &own));
                self.close(own, block.binds);
                self.leave();
                outcome
            }
            _ => self.eval(node, input, env).map(Outcome::Value),
        }
    }

    /// A copy of `document` in which what the pattern finds has been changed.
    fn transform(&self, transform: &'a Transform, document: Val<'a>, env: &Env<'a>) -> Answer<'a> {
        match document {
            Val::Undefined => return Ok(Val::Undefined),
            _ if document.is_object() || document.is_array() => {}
            _ => return Err(super::error::argument(1, "transform")),
        }
        // What was made may stand in several places, and only one of them may be meant.
        let copy = self.copied(&document)?;
        let matches = self.eval(&transform.pattern, &copy, env)?;
        let mut changes: Vec<(Val<'a>, Val<'a>)> = Vec::new();
        let mut changed = std::collections::HashMap::new();
        for found in matches.items() {
            let Some(place) = address(&found) else {
                continue;
            };
            let mut after = match changed.get(&place) {
                Some(at) => changes[*at as usize].1.clone(),
                None => found.clone(),
            };
            let update = self.eval(&transform.update, &after, env)?;
            if !update.is_undefined() {
                if !update.is_object() {
                    let what = format!(
                        "The insert/update clause of the transform expression must evaluate to an object: {}",
                        shown(&update)
                    );
                    return Err(error("T2011", what));
                }
                if after.is_object() {
                    let mut object = self.copy_of(&after);
                    update
                        .members()
                        .for_each(|(key, value)| object.set(key, value));
                    after = Val::object(object);
                }
            }
            if let Some(delete) = &transform.delete {
                let names = self.eval(delete, &after, env)?;
                if !names.is_undefined() {
                    let texts: Option<Vec<Key<'a>>> =
                        names.items().map(|name| name.as_key()).collect();
                    let Some(texts) = texts else {
                        let what = format!(
                            "The delete clause of the transform expression must evaluate to a string or array of strings: {}",
                            shown(&names)
                        );
                        return Err(error("T2012", what));
                    };
                    if after.is_object() {
                        let dropped = |name: &str| texts.iter().any(|text| text.as_str() == name);
                        after = Val::object(self.copy_of(&after).without(dropped));
                    }
                }
            }
            match changed.get(&place) {
                Some(at) => changes[*at as usize].1 = after,
                None => {
                    changed.insert(place, changes.len() as u32);
                    changes.push((found, after));
                }
            }
        }
        let replace = |value: &Val<'a>| {
            let at = changed.get(&address(value)?)?;
            Some(changes[*at as usize].1.clone())
        };
        Ok(self.replaced(&copy, &replace)?.unwrap_or(copy))
    }

    /// `value` with each object that `replace` knows replaced, inside of what it is replaced by too;
    /// nothing if it stays as it is.
    fn replaced(
        &self,
        value: &Val<'a>,
        replace: &dyn Fn(&Val<'a>) -> Option<Val<'a>>,
    ) -> Result<Option<Val<'a>>, Failed> {
        let after = replace(value);
        let value = after.as_ref().unwrap_or(value);
        let mut inside = None;
        if value.is_array() {
            self.enter()?;
            let mut items = Vec::new();
            for (at, item) in value.items().enumerate() {
                let Some(replaced) = self.replaced(&item, replace)? else {
                    if !items.is_empty() {
                        items.push(item);
                    }
                    continue;
                };
                if items.is_empty() {
                    items.extend(value.items().take(at));
                }
                items.push(replaced);
            }
            self.leave();
            inside = (!items.is_empty()).then(|| Val::array(items));
        } else if value.is_object() {
            self.enter()?;
            let mut copy: Option<Object<'a>> = None;
            for (key, member) in value.members() {
                if let Some(replaced) = self.replaced(&member, replace)? {
                    copy.get_or_insert_with(|| self.copy_of(value))
                        .set(key, replaced);
                }
            }
            self.leave();
            inside = copy.map(Val::object);
        }
        Ok(inside.or(after))
    }

    /// A copy in which nothing that was made stands in two places.
    fn copied(&self, value: &Val<'a>) -> Answer<'a> {
        self.enter()?;
        let copy = match value {
            Val::List(list) => {
                let items = list.items.iter().map(|item| self.copied(item));
                Val::array(items.collect::<Result<_, _>>()?)
            }
            Val::Object(object) => {
                let mut copy = Object::with_capacity(object.members.len());
                for (key, member) in &object.members {
                    copy.set(key.clone(), self.copied(member)?);
                }
                Val::object(copy)
            }
            other => other.clone(),
        };
        self.leave();
        Ok(copy)
    }

    fn copy_of(&self, value: &Val<'a>) -> Object<'a> {
        let mut object = Object::with_capacity(value.size() + 2);
        value
            .members()
            .for_each(|(key, member)| object.set(key, member));
        object
    }
}

/// Where an object is: the same for the same object only, while it lives.
fn address(value: &Val<'_>) -> Option<usize> {
    match value {
        Val::Map(members) => Some(std::ptr::from_ref(*members) as usize),
        Val::Object(object) => Some(Rc::as_ptr(object) as usize),
        _ => None,
    }
}
