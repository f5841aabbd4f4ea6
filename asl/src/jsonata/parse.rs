//! Tokens to a tree of what is written: a parser by binding powers, as the language defines them.
//!
//! What the tree means is worked out in [`super::compile`].

use super::error::{Failed, error};
use super::lexer::{Lexer, Token};
use super::regex::Pattern;
use super::signature::Signature;
use super::stack::Stack;

/// A part of an expression as it is written.
#[derive(Debug)]
pub(super) struct Ast {
    pub(super) part: Part,
    /// `[]` follows.
    pub(super) keep: bool,
}

#[derive(Debug)]
pub(super) enum Part {
    Name(String),
    /// Without the dollar sign. The empty name is the context, `$` the root.
    Variable(String),
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Regex(Pattern),
    Wildcard,
    Descendants,
    Parent,
    /// `?` where an argument is left open.
    Placeholder,
    /// An operator that stands where an operand should.
    End,
    Dot(Box<Ast>, Box<Ast>),
    Binary(Binary, Box<Ast>, Box<Ast>),
    Apply(Box<Ast>, Box<Ast>),
    Predicate(Box<Ast>, Box<Ast>),
    Group(Box<Ast>, Vec<(Ast, Ast)>),
    Sort(Box<Ast>, Vec<(Ast, bool)>),
    Bind(String, Box<Ast>),
    Focus(Box<Ast>, String),
    Index(Box<Ast>, String),
    Negate(Box<Ast>),
    Array(Vec<Ast>),
    Object(Vec<(Ast, Ast)>),
    Call(Box<Ast>, Vec<Ast>),
    Partial(Box<Ast>, Vec<Ast>),
    Lambda(Vec<String>, Option<Signature>, Box<Ast>),
    Condition(Box<Ast>, Box<Ast>, Option<Box<Ast>>),
    /// `a ?: b`
    Elvis(Box<Ast>, Box<Ast>),
    /// `a ?? b`
    Coalesce(Box<Ast>, Box<Ast>),
    Transform(Box<Ast>, Box<Ast>, Option<Box<Ast>>),
    Block(Vec<Ast>),
}

/// The operators that have nothing but their two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    In,
    Concatenate,
    Range,
}

impl Binary {
    const ALL: [(&'static str, Binary); 16] = [
        ("+", Binary::Add),
        ("-", Binary::Subtract),
        ("*", Binary::Multiply),
        ("/", Binary::Divide),
        ("%", Binary::Modulo),
        ("=", Binary::Equal),
        ("!=", Binary::Unequal),
        ("<", Binary::Less),
        ("<=", Binary::LessOrEqual),
        (">", Binary::Greater),
        (">=", Binary::GreaterOrEqual),
        ("and", Binary::And),
        ("or", Binary::Or),
        ("in", Binary::In),
        ("&", Binary::Concatenate),
        ("..", Binary::Range),
    ];

    fn of(operator: &str) -> Option<Binary> {
        let known = Binary::ALL.iter().find(|(text, _)| *text == operator);
        known.map(|(_, binary)| *binary)
    }

    /// As it is written.
    pub(super) fn text(self) -> &'static str {
        let known = Binary::ALL.iter().find(|(_, binary)| *binary == self);
        known.expect("all are listed").0
    }
}

/// How many brackets may stand inside of each other, and how deep the tree may be, to which operators
/// in a row add as well: the parser recurses, and so does what walks a tree.
const NESTING_MAX: usize = 200;
const TREE_DEPTH_MAX: usize = 300;

/// How strongly an operator binds what is left of it.
fn power(token: &Token) -> u32 {
    let Token::Operator(operator) = token else {
        return 0;
    };
    match *operator {
        "." => 75,
        "[" | "(" | "@" | "#" => 80,
        "{" => 70,
        "*" | "/" | "%" => 60,
        "+" | "-" | "&" => 50,
        "=" | "<" | ">" | "^" | "!=" | "<=" | ">=" | "~>" | "?:" | "??" | "in" => 40,
        "and" => 30,
        "or" => 25,
        "?" => 20,
        ":=" => 10,
        _ => 0,
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    token: Token,
    stack: Stack,
    nesting: usize,
    /// How deep the deepest of the trees is that have been made for the one that is being made.
    deepest: usize,
}

/// The tree of `text`.
pub(super) fn parse(text: &str) -> Result<Ast, Failed> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        token: Token::End,
        stack: Stack::here(),
        nesting: 0,
        deepest: 0,
    };
    parser.advance(false)?;
    let tree = parser.expression(0)?;
    match &parser.token {
        Token::End => Ok(tree),
        other => Err(error("S0201", format!("Syntax error: {}", other.shown()))),
    }
}

fn ast(part: Part) -> Ast {
    Ast { part, keep: false }
}

impl Parser<'_> {
    /// Goes to the next token, and gives this one.
    fn advance(&mut self, after_operand: bool) -> Result<Token, Failed> {
        let next = self.lexer.next(after_operand)?;
        if let Token::Operator(unknown @ ("!" | "~")) = next {
            return Err(error("S0204", format!("Unknown operator: {unknown:?}")));
        }
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn expect(&mut self, operator: &str, after_operand: bool) -> Result<(), Failed> {
        if self.token.is(operator) {
            return self.advance(after_operand).map(drop);
        }
        Err(match &self.token {
            Token::End => error(
                "S0203",
                format!("Expected {operator:?} before end of expression"),
            ),
            other => error(
                "S0202",
                format!("Expected {operator:?}, got {}", other.shown()),
            ),
        })
    }

    fn expression(&mut self, binding: u32) -> Result<Ast, Failed> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX || self.stack.is_used_up() {
            return Err(too_deep());
        }
        let beside = std::mem::take(&mut self.deepest);
        let token = self.advance(true)?;
        let mut left = self.prefix(token)?;
        let mut depth = 1 + self.deepest;
        while binding < power(&self.token) {
            let token = self.advance(false)?;
            let Token::Operator(operator) = token else {
                unreachable!("only operators bind");
            };
            self.deepest = 0;
            left = self.infix(operator, left)?;
            depth = 1 + depth.max(self.deepest);
            if depth > TREE_DEPTH_MAX {
                return Err(too_deep());
            }
        }
        self.deepest = beside.max(depth);
        self.nesting -= 1;
        Ok(left)
    }

    fn boxed(&mut self, binding: u32) -> Result<Box<Ast>, Failed> {
        self.expression(binding).map(Box::new)
    }

    fn prefix(&mut self, token: Token) -> Result<Ast, Failed> {
        Ok(ast(match token {
            Token::Name(name) => Part::Name(name),
            Token::Variable(name) => Part::Variable(name),
            Token::Text(text) => Part::Text(text),
            Token::Number(number) => Part::Number(number),
            Token::Bool(flag) => Part::Bool(flag),
            Token::Null => Part::Null,
            Token::Regex(pattern) => Part::Regex(pattern),
            Token::End => Part::End,
            Token::Operator(operator) => match operator {
                "and" | "or" | "in" => Part::Name(operator.to_owned()),
                "-" => Part::Negate(self.boxed(70)?),
                "*" => Part::Wildcard,
                "**" => Part::Descendants,
                "%" => Part::Parent,
                "(" => self.block()?,
                "[" => self.array()?,
                "{" => Part::Object(self.pairs()?),
                "|" => self.transform()?,
                other => {
                    let what = format!("The symbol {other:?} cannot be used as a unary operator");
                    return Err(error("S0211", what));
                }
            },
        }))
    }

    fn infix(&mut self, operator: &'static str, left: Ast) -> Result<Ast, Failed> {
        let lhs = Box::new(left);
        Ok(ast(match operator {
            "." => Part::Dot(lhs, self.boxed(75)?),
            "(" => self.call(lhs)?,
            "[" => return self.predicate(lhs),
            "{" => Part::Group(lhs, self.pairs()?),
            "^" => self.sort(lhs)?,
            "@" => Part::Focus(lhs, self.variable("@")?),
            "#" => Part::Index(lhs, self.variable("#")?),
            "~>" => Part::Apply(lhs, self.boxed(40)?),
            "?" => {
                let then = self.boxed(0)?;
                let mut otherwise = None;
                if self.token.is(":") {
                    self.advance(false)?;
                    otherwise = Some(self.boxed(0)?);
                }
                Part::Condition(lhs, then, otherwise)
            }
            "?:" => Part::Elvis(lhs, self.boxed(0)?),
            "??" => Part::Coalesce(lhs, self.boxed(0)?),
            ":=" => match lhs.part {
                Part::Variable(name) => Part::Bind(name, self.boxed(9)?),
                _ => {
                    let what = "The left side of := must be a variable name (start with $)";
                    return Err(error("S0212", what));
                }
            },
            other => {
                let binary = Binary::of(other).expect("every operator that binds is known");
                let binding = power(&Token::Operator(other));
                Part::Binary(binary, lhs, self.boxed(binding)?)
            }
        }))
    }

    /// What is bound by `@` or `#`.
    fn variable(&mut self, operator: &str) -> Result<String, Failed> {
        match self.expression(80)?.part {
            Part::Variable(name) => Ok(name),
            _ => {
                let what = format!(
                    "The right side of {operator:?} must be a variable name (start with $)"
                );
                Err(error("S0214", what))
            }
        }
    }

    fn block(&mut self) -> Result<Part, Failed> {
        let mut parts = Vec::new();
        while !self.token.is(")") {
            parts.push(self.expression(0)?);
            if !self.token.is(";") {
                break;
            }
            self.advance(false)?;
        }
        self.expect(")", true)?;
        Ok(Part::Block(parts))
    }

    fn array(&mut self) -> Result<Part, Failed> {
        let mut items = Vec::new();
        if !self.token.is("]") {
            loop {
                let mut item = self.expression(0)?;
                if self.token.is("..") {
                    self.advance(false)?;
                    let last = self.boxed(0)?;
                    item = ast(Part::Binary(Binary::Range, Box::new(item), last));
                }
                items.push(item);
                if !self.token.is(",") {
                    break;
                }
                self.advance(false)?;
            }
        }
        self.expect("]", true)?;
        Ok(Part::Array(items))
    }

    fn pairs(&mut self) -> Result<Vec<(Ast, Ast)>, Failed> {
        let mut pairs = Vec::new();
        if !self.token.is("}") {
            loop {
                let name = self.expression(0)?;
                self.expect(":", false)?;
                pairs.push((name, self.expression(0)?));
                if !self.token.is(",") {
                    break;
                }
                self.advance(false)?;
            }
        }
        self.expect("}", true)?;
        Ok(pairs)
    }

    fn transform(&mut self) -> Result<Part, Failed> {
        let pattern = self.boxed(0)?;
        self.expect("|", false)?;
        let update = self.boxed(0)?;
        let mut delete = None;
        if self.token.is(",") {
            self.advance(false)?;
            delete = Some(self.boxed(0)?);
        }
        self.expect("|", false)?;
        Ok(Part::Transform(pattern, update, delete))
    }

    /// `a[b]`, or `a[]`.
    fn predicate(&mut self, mut left: Box<Ast>) -> Result<Ast, Failed> {
        if !self.token.is("]") {
            let condition = self.boxed(0)?;
            self.expect("]", true)?;
            return Ok(ast(Part::Predicate(left, condition)));
        }
        fn innermost(step: &mut Ast) -> &mut Ast {
            match step.part {
                Part::Predicate(ref mut inner, _) => innermost(inner),
                _ => step,
            }
        }
        innermost(&mut left).keep = true;
        self.advance(false)?;
        Ok(*left)
    }

    fn sort(&mut self, left: Box<Ast>) -> Result<Part, Failed> {
        self.expect("(", false)?;
        let mut terms = Vec::new();
        loop {
            let descending = self.token.is(">");
            if descending || self.token.is("<") {
                self.advance(false)?;
            }
            terms.push((self.expression(0)?, descending));
            if !self.token.is(",") {
                break;
            }
            self.advance(false)?;
        }
        self.expect(")", false)?;
        Ok(Part::Sort(left, terms))
    }

    fn call(&mut self, procedure: Box<Ast>) -> Result<Part, Failed> {
        let mut arguments = Vec::new();
        let mut partial = false;
        if !self.token.is(")") {
            loop {
                if self.token.is("?") {
                    partial = true;
                    self.advance(false)?;
                    arguments.push(ast(Part::Placeholder));
                } else {
                    arguments.push(self.expression(0)?);
                }
                if !self.token.is(",") {
                    break;
                }
                self.advance(false)?;
            }
        }
        self.expect(")", true)?;
        match &procedure.part {
            Part::Name(name) if name == "function" || name == "\u{3bb}" => self.lambda(arguments),
            _ if partial => Ok(Part::Partial(procedure, arguments)),
            _ => Ok(Part::Call(procedure, arguments)),
        }
    }

    fn lambda(&mut self, arguments: Vec<Ast>) -> Result<Part, Failed> {
        let mut parameters = Vec::new();
        for (at, argument) in arguments.into_iter().enumerate() {
            let Part::Variable(name) = argument.part else {
                let what = format!(
                    "Parameter {} of function definition must be a variable name (start with $)",
                    at + 1
                );
                return Err(error("S0208", what));
            };
            parameters.push(name);
        }
        let mut signature = None;
        if self.token.is("<") {
            let mut text = String::from("<");
            let mut depth = 1;
            while depth > 0 && !self.token.is("{") && !matches!(self.token, Token::End) {
                self.advance(false)?;
                match self.token {
                    Token::Operator(">") => depth -= 1,
                    Token::Operator("<") => depth += 1,
                    _ => {}
                }
                text.push_str(&self.token.text());
            }
            self.expect(">", false)?;
            signature = Some(Signature::parse(&text)?);
        }
        self.expect("{", false)?;
        let body = self.boxed(0)?;
        self.expect("}", false)?;
        Ok(Part::Lambda(parameters, signature, body))
    }
}

pub(super) fn too_deep() -> Failed {
    error("", "The expression nests too deep")
}
