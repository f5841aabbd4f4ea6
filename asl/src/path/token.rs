//! The steps of a compiled path.

use std::fmt;

use super::filter::Predicate;
use super::function::Call;

/// One step. Written back (`Display`) in the normal form that Jayway uses in its messages.
#[derive(Debug)]
pub(super) enum Token {
    /// `.a` or `['a']`.
    Name(Box<str>),
    /// `['a','b']`: at the end of a path one object with these members, else each in turn.
    Names(Vec<Box<str>>),
    /// `[0]`; negative counts from the end.
    Index(i64),
    /// `[0,2]`.
    Indices(Vec<i64>),
    /// `[1:3]`, `[1:]`, `[:3]`.
    Slice(Option<i64>, Option<i64>),
    /// `.*` or `[*]`.
    Wildcard,
    /// `..`: the next step at every depth.
    Scan,
    /// `[?( )]`.
    Filter(Predicate),
    /// `.length()` and the like.
    Function(Call),
}

impl Token {
    /// Whether it leads to one place at most.
    pub(super) fn is_definite(&self) -> bool {
        // A union of names gives one object when it ends the path, which is the only place where
        // the parser leaves it definite; `$['a','b'].c` is split into branches.
        matches!(self, Token::Name(_) | Token::Index(_) | Token::Function(_))
    }

    /// The name, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Whether a reference path may contain it.
    pub(super) fn is_reference(&self) -> bool {
        matches!(self, Token::Name(_) | Token::Index(_))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Name(name) => write!(f, "['{name}']"),
            Token::Names(names) => {
                let names: Vec<String> = names.iter().map(|n| format!("'{n}'")).collect();
                write!(f, "[{}]", names.join(","))
            }
            Token::Index(index) => write!(f, "[{index}]"),
            Token::Indices(indices) => {
                let indices: Vec<String> = indices.iter().map(i64::to_string).collect();
                write!(f, "[{}]", indices.join(","))
            }
            Token::Slice(from, to) => {
                let side = |n: &Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
                write!(f, "[{}:{}]", side(from), side(to))
            }
            Token::Wildcard => f.write_str("[*]"),
            Token::Scan => f.write_str(".."),
            Token::Filter(_) => f.write_str("[?]"),
            Token::Function(call) => write!(f, ".{}()", call.name.text()),
        }
    }
}
