//! YAML to JSON, with the places of everything.
//!
//! The parser gives events; what plain text means is decided here, by YAML 1.2's core schema with one
//! exception: digits with a zero in front stay text, since they are more often part of an account
//! than octal. Tags other than YAML's own (`!Sub`) stand for what CloudFormation would put there: only in its
//! templates are they known. Aliases are unfolded up to a limit, and a plain `<<` takes over the members of what it
//! stands before, as YAML 1.1 had it and everybody still writes it.

mod hint;

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::{Children, DEPTH_MAX, Fault, Members, Node, Repeated, Step, Tree};

/// As many values as aliases may add: ten lines of them can stand for billions.
const UNFOLDED_MAX: usize = 100_000;

/// What becomes of tags other than YAML's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    /// They are refused.
    Refused,
    /// `!Sub x` is short for `Fn::Sub: x`, as in CloudFormation.
    Functions,
}

pub(super) fn read(text: &str, tags: Tags) -> Result<(Value, Tree), Fault> {
    let mut reader = Reader {
        tags,
        parser: Parser::new_from_str(text),
        offsets: Offsets::of(text),
        anchors: HashMap::new(),
        unfolded: 0,
        repeated: Vec::new(),
    };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (Event::StreamEnd | Event::DocumentEnd, span) => {
                let message = "there are comments here and nothing else";
                return Err(Fault::new(reader.range(span), message, None));
            }
            (event, span) => {
                let (value, root) = reader.value(event, span, 0)?;
                reader.only_document()?;
                let repeated = reader.repeated;
                return Ok((value, Tree { root, repeated }));
            }
        }
    }
}

struct Reader<'t> {
    tags: Tags,
    parser: Parser<'t, StrInput<'t>>,
    offsets: Offsets,
    anchors: HashMap<usize, (Value, Node, usize)>,
    unfolded: usize,
    repeated: Vec<Repeated>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Fault> {
        let next = self.parser.next_event();
        let next = next.unwrap_or(Ok((Event::StreamEnd, Span::default())));
        next.map_err(|e| self.scan_fault(&e))
    }

    fn scan_fault(&self, error: &ScanError) -> Fault {
        let at = self.offsets.byte(error.marker().index());
        Fault::new(at..at + 1, error.info(), hint::of(error.info()))
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.offsets.byte(span.start.index())..self.offsets.byte(span.end.index())
    }

    fn only_document(&mut self) -> Result<(), Fault> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), span) => {
                    let hint = "Put it into a file of its own.";
                    let message = "a second document begins here";
                    return Err(Fault::new(self.range(span), message, Some(hint)));
                }
                _ => {}
            }
        }
    }

    /// The value that begins with `event`.
    fn value(
        &mut self,
        event: Event<'t>,
        span: Span,
        depth: usize,
    ) -> Result<(Value, Node), Fault> {
        let from = self.range(span);
        if depth >= DEPTH_MAX {
            return Err(Fault::new(from, "nested too deeply", None));
        }
        let (anchor, function, mut value, mut node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let function = self.function(tag.as_deref(), &from)?;
                let is_text = style != ScalarStyle::Plain
                    || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let value = match is_text {
                    true => Value::String(text.into_owned()),
                    false => plain(&text),
                };
                (anchor, function, value, leaf(from))
            }
            Event::SequenceStart(anchor, tag) => {
                let function = self.function(tag.as_deref(), &from)?;
                let (mut items, mut children) = (Vec::new(), Vec::new());
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    let (item, node) = self.value(event, span, depth + 1)?;
                    children.push((Step::Index(items.len()), node));
                    items.push(item);
                }
                let node = around(from, children);
                (anchor, function, Value::Array(items), node)
            }
            Event::MappingStart(anchor, tag) => {
                let function = self.function(tag.as_deref(), &from)?;
                let (object, children) = self.members(depth)?;
                let node = around(from, children);
                (anchor, function, Value::Object(object), node)
            }
            Event::Alias(anchor) => {
                let Some((value, node, size)) = self.anchors.get(&anchor) else {
                    let message = "an alias stands for something that it is part of";
                    return Err(Fault::new(from, message, None));
                };
                self.unfolded += size;
                if self.unfolded > UNFOLDED_MAX {
                    let message = format!("aliases unfold to more than {UNFOLDED_MAX} values");
                    return Err(Fault::new(from, message, None));
                }
                return Ok((value.clone(), node.clone()));
            }
            _ => return Err(Fault::new(from, "expected a value", None)),
        };
        if let Some(function) = function {
            let range = node.value.clone();
            node = around(range, vec![(Step::Name(function.clone()), node)]);
            value = Value::Object(Map::from_iter([(function, value)]));
        }
        if anchor > 0 {
            let size = node.size();
            self.anchors
                .insert(anchor, (value.clone(), node.clone(), size));
        }
        Ok((value, node))
    }

    fn members(&mut self, depth: usize) -> Result<(Map<String, Value>, Children), Fault> {
        let (mut object, mut children) = (Map::new(), Vec::new());
        let mut members = Members::default();
        let mut taken_over = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let at = self.range(span);
            let takes_over;
            let name = match event {
                Event::MappingEnd => {
                    for (value, node) in taken_over {
                        take_over(value, node, &mut object, &mut children)?;
                    }
                    return Ok((object, children));
                }
                Event::Scalar(text, style, ..) => {
                    takes_over = style == ScalarStyle::Plain && text == "<<";
                    text.into_owned()
                }
                _ => {
                    let hint = "Text that begins with '{', '[', '*' or '&' is written in quotes.";
                    return Err(Fault::new(at, "a name is text", Some(hint)));
                }
            };
            members.note(&name, &at, &mut self.repeated);
            let (event, span) = self.next()?;
            let (value, mut node) = self.value(event, span, depth + 1)?;
            node.name = Some(at);
            if takes_over {
                taken_over.push((value, node));
                continue;
            }
            children.push((Step::Name(name.clone()), node));
            object.insert(name, value);
        }
    }

    /// The function that a tag is short for; YAML's own tags say what a value is.
    fn function(&self, tag: Option<&Tag>, at: &Range<usize>) -> Result<Option<String>, Fault> {
        match tag {
            None => Ok(None),
            Some(tag) if tag.is_yaml_core_schema() => Ok(None),
            Some(tag) if self.tags == Tags::Functions => Ok(Some(match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            })),
            Some(tag) => Err(Fault::new(
                at.clone(),
                format!("'{}{}' is not known here", tag.handle, tag.suffix),
                Some("A CloudFormation function is to be replaced by what it stands for."),
            )),
        }
    }
}

/// Members of an object, or of a list of them, for those that are not there yet.
fn take_over(
    value: Value,
    node: Node,
    object: &mut Map<String, Value>,
    children: &mut Children,
) -> Result<(), Fault> {
    match value {
        Value::Object(mut members) => {
            for (step, child) in node.children {
                let Step::Name(name) = &step else { continue };
                if let (false, Some(value)) = (object.contains_key(name), members.remove(name)) {
                    object.insert(name.clone(), value);
                    children.push((step, child));
                }
            }
            Ok(())
        }
        Value::Array(items) => items
            .into_iter()
            .zip(node.children)
            .try_for_each(|(item, (_, node))| take_over(item, node, object, children)),
        _ => {
            let hint = "After `<<:` stands an alias of an object, or a list of them.";
            let message = "only an object's members can be taken over";
            Err(Fault::new(node.value, message, Some(hint)))
        }
    }
}

fn leaf(value: Range<usize>) -> Node {
    Node {
        name: None,
        value,
        children: Vec::new(),
    }
}

/// A block begins where its first member does.
fn around(start: Range<usize>, children: Children) -> Node {
    let first = children
        .first()
        .map(|(_, child)| child.name.clone().unwrap_or(child.value.clone()));
    Node {
        children,
        ..leaf(first.unwrap_or(start))
    }
}

impl Node {
    fn size(&self) -> usize {
        1 + self.children.iter().map(|(_, c)| c.size()).sum::<usize>()
    }
}

/// What plain text means.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.len() - digits.len() <= 1
        && digits
            .bytes()
            .all(|c| c.is_ascii_digit() || b".eE+-".contains(&c));
    let leading_zero =
        digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    let number = if !is_number || leading_zero {
        None
    } else if let Ok(number) = text.trim_start_matches('+').parse() {
        Some(number)
    } else {
        text.parse().ok().and_then(serde_json::Number::from_f64)
    };
    match number {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

/// From the parser's characters to bytes.
enum Offsets {
    Same,
    Table(Vec<usize>),
}

impl Offsets {
    fn of(text: &str) -> Offsets {
        match text.is_ascii() {
            true => Offsets::Same,
            false => {
                let table = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                Offsets::Table(table.collect())
            }
        }
    }

    fn byte(&self, index: usize) -> usize {
        match self {
            Offsets::Same => index,
            Offsets::Table(table) => table.get(index).or(table.last()).copied().unwrap_or(0),
        }
    }
}
