//! The functions that every expression can call: the language's own, and those that AWS adds.
//!
//! One table says what each is called and what it takes. `$eval` is not in it, as on AWS.

pub(super) mod aws;
mod datetime;
mod decimal;
mod integer;
pub(super) mod list;
mod number;
mod object;
pub(super) mod text;

use std::sync::OnceLock;

use super::call::Function;
use super::error::Failed;
use super::evaluate::{Answer, Evaluator};
use super::signature::Signature;
use super::value::Val;

/// A function that is not of the expression's own making.
pub(super) struct Builtin {
    name: &'static str,
    /// How many arguments a function that is given this one hands it.
    arity: usize,
    signature: &'static str,
    parsed: OnceLock<Option<Signature>>,
    pub(super) run: Run,
}

type Run = for<'e, 'a> fn(&'e Evaluator<'a>, &'e [Val<'a>]) -> Answer<'a>;

const fn builtin(name: &'static str, arity: usize, signature: &'static str, run: Run) -> Builtin {
    Builtin {
        name,
        arity,
        signature,
        parsed: OnceLock::new(),
        run,
    }
}

static BUILTINS: [Builtin; 69] = [
    builtin("sum", 1, "<a<n>:n>", number::sum),
    builtin("count", 1, "<a:n>", list::count),
    builtin("max", 1, "<a<n>:n>", number::max),
    builtin("min", 1, "<a<n>:n>", number::min),
    builtin("average", 1, "<a<n>:n>", number::average),
    builtin("string", 1, "<x-b?:s>", text::string),
    builtin("substring", 3, "<s-nn?:s>", text::substring),
    builtin("substringBefore", 2, "<s-s:s>", text::substring_before),
    builtin("substringAfter", 2, "<s-s:s>", text::substring_after),
    builtin("lowercase", 1, "<s-:s>", text::lowercase),
    builtin("uppercase", 1, "<s-:s>", text::uppercase),
    builtin("length", 1, "<s-:n>", text::length),
    builtin("trim", 1, "<s-:s>", text::trim),
    builtin("pad", 3, "<s-ns?:s>", text::pad),
    builtin("match", 3, "<s-f<s:o>n?:a<o>>", text::match_),
    builtin("contains", 2, "<s-(sf):b>", text::contains),
    builtin("replace", 4, "<s-(sf)(sf)n?:s>", text::replace),
    builtin("split", 3, "<s-(sf)n?:a<s>>", text::split),
    builtin("join", 2, "<a<s>s?:s>", text::join),
    builtin("base64encode", 1, "<s-:s>", text::base64encode),
    builtin("base64decode", 1, "<s-:s>", text::base64decode),
    builtin(
        "encodeUrlComponent",
        1,
        "<s-:s>",
        text::encode_url_component,
    ),
    builtin("encodeUrl", 1, "<s-:s>", text::encode_url),
    builtin(
        "decodeUrlComponent",
        1,
        "<s-:s>",
        text::decode_url_component,
    ),
    builtin("decodeUrl", 1, "<s-:s>", text::decode_url),
    builtin("formatNumber", 3, "<n-so?:s>", decimal::format_number),
    builtin("formatBase", 2, "<n-n?:s>", number::format_base),
    builtin("formatInteger", 2, "<n-s:s>", integer::format_integer),
    builtin("parseInteger", 2, "<s-s:n>", integer::parse_integer),
    builtin("number", 1, "<(nsb)-:n>", number::number),
    builtin("floor", 1, "<n-:n>", number::floor),
    builtin("ceil", 1, "<n-:n>", number::ceil),
    builtin("round", 2, "<n-n?:n>", number::round),
    builtin("abs", 1, "<n-:n>", number::abs),
    builtin("sqrt", 1, "<n-:n>", number::sqrt),
    builtin("power", 2, "<n-n:n>", number::power),
    builtin("boolean", 1, "<x-:b>", object::boolean),
    builtin("not", 1, "<x-:b>", object::not),
    builtin("map", 2, "<af>", list::map),
    builtin("zip", 0, "<a+>", list::zip),
    builtin("filter", 2, "<af>", list::filter),
    builtin("single", 2, "<af?>", list::single),
    builtin("reduce", 3, "<afj?:j>", list::reduce),
    builtin("sift", 2, "<o-f?:o>", object::sift),
    builtin("keys", 1, "<x-:a<s>>", object::keys),
    builtin("lookup", 2, "<x-s:x>", object::lookup),
    builtin("append", 2, "<xx:a>", list::append),
    builtin("exists", 1, "<x:b>", object::exists),
    builtin("spread", 1, "<x-:a<o>>", object::spread),
    builtin("merge", 1, "<a<o>:o>", object::merge),
    builtin("reverse", 1, "<a:a>", list::reverse),
    builtin("each", 2, "<o-f:a>", object::each),
    builtin("error", 1, "<s?:x>", object::error_),
    builtin("assert", 2, "<bs?:x>", object::assert),
    builtin("type", 1, "<x:s>", object::type_),
    builtin("sort", 2, "<af?:a>", list::sort),
    builtin("shuffle", 1, "<a:a>", list::shuffle),
    builtin("distinct", 1, "<x:x>", list::distinct),
    builtin("clone", 1, "<(oa)-:o>", object::clone),
    builtin("toMillis", 2, "<s-s?:n>", datetime::to_millis),
    builtin("fromMillis", 3, "<n-s?s?:s>", datetime::from_millis),
    builtin("now", 2, "<s?s?:s>", datetime::now),
    builtin("millis", 0, "<:n>", datetime::millis),
    // AWS's own take what they are given.
    builtin("partition", 2, "", aws::partition),
    builtin("range", 3, "", aws::range),
    builtin("hash", 2, "", aws::hash),
    builtin("random", 1, "", aws::random),
    builtin("uuid", 0, "", aws::uuid),
    builtin("parse", 1, "", aws::parse),
];

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

impl Builtin {
    /// The arguments that it gets, for those that are given.
    pub(super) fn validate<'a>(
        &self,
        given: Vec<Val<'a>>,
        context: &Val<'a>,
    ) -> Result<Vec<Val<'a>>, Failed> {
        let parsed = self.parsed.get_or_init(|| match self.signature {
            "" => None,
            text => Some(Signature::parse(text).expect("the table has none that is wrong")),
        });
        match parsed {
            Some(signature) => signature.validate(given, context, self.name),
            None => Ok(given),
        }
    }
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// How many arguments a function takes, as far as it says.
fn arity(function: &Val<'_>) -> usize {
    match function {
        Val::Builtin(builtin) => builtin.arity,
        Val::Regex(_) => 2,
        Val::Function(function) => match &function.function {
            Function::Lambda { lambda, .. } => lambda.parameters.len(),
            Function::Partial { given, .. } => given.iter().filter(|given| given.is_none()).count(),
            Function::Chain(..) | Function::Transform { .. } => 1,
            Function::Next(_) => 0,
        },
        _ => 0,
    }
}

impl<'a> Evaluator<'a> {
    /// Calls `function` with as many of an item, its place and all of them as it takes.
    fn visit(
        &self,
        function: &Val<'a>,
        arity: usize,
        item: Val<'a>,
        place: impl FnOnce() -> Val<'a>,
        all: &Val<'a>,
    ) -> Answer<'a> {
        let mut arguments = Vec::with_capacity(arity.clamp(1, 3));
        arguments.push(item);
        if arity >= 2 {
            arguments.push(place());
        }
        if arity >= 3 {
            arguments.push(all.clone());
        }
        self.apply(function.clone(), arguments, &Val::Null, "")
    }
}

fn at<'v, 'a>(arguments: &'v [Val<'a>], at: usize) -> &'v Val<'a> {
    arguments.get(at).unwrap_or(&Val::Undefined)
}

/// A number argument; nothing if it is missing.
fn number_at(arguments: &[Val<'_>], at: usize) -> Option<f64> {
    match arguments.get(at) {
        Some(Val::Number(number)) => Some(*number),
        _ => None,
    }
}
