//! Signatures of functions, such as `<s-nn?:s>`: which arguments they take, and which of them the
//! context stands in for.

use super::error::{Failed, argument, error};
use super::value::Val;

/// What a function takes.
#[derive(Debug)]
pub(super) struct Signature {
    parameters: Vec<Parameter>,
}

#[derive(Debug, Clone, Default)]
struct Parameter {
    /// The kinds it takes, as letters.
    kinds: String,
    array: bool,
    /// What an array holds.
    subtype: Option<String>,
    /// The context stands in for it.
    context: bool,
    optional: bool,
    many: bool,
}

impl Signature {
    /// Reads `text`, which starts with `<`.
    pub(super) fn parse(text: &str) -> Result<Signature, Failed> {
        let letters: Vec<char> = text.chars().collect();
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut at = 1;
        while at < letters.len() && letters[at] != ':' {
            let kinds = match letters[at] {
                kind @ ('s' | 'n' | 'b' | 'l' | 'o') => format!("{kind}m"),
                'a' | 'x' => "asnblfom".to_owned(),
                'f' => "f".to_owned(),
                'j' => "asnblom".to_owned(),
                '(' => {
                    let end = closing(&letters, at, '(', ')');
                    let choice: String = letters[at + 1..end.min(letters.len())].iter().collect();
                    if choice.contains('<') {
                        let what = "Choice groups containing parameterized types are not supported";
                        return Err(error("S0402", what));
                    }
                    at = end;
                    choice + "m"
                }
                modifier => {
                    let last = parameters.last_mut();
                    match (modifier, last) {
                        ('-', Some(last)) => last.context = true,
                        ('?', Some(last)) => last.optional = true,
                        ('+', Some(last)) => last.many = true,
                        ('<', Some(last)) if last.array || last.kinds == "f" => {
                            let end = closing(&letters, at, '<', '>');
                            let inside = &letters[at + 1..end.min(letters.len())];
                            last.subtype = Some(inside.iter().collect());
                            at = end;
                        }
                        ('<', _) => {
                            let what =
                                "Type parameters can only be applied to functions and arrays";
                            return Err(error("S0401", what));
                        }
                        _ => {}
                    }
                    at += 1;
                    continue;
                }
            };
            parameters.push(Parameter {
                array: letters.get(at) == Some(&'a'),
                kinds,
                ..Parameter::default()
            });
            at += 1;
        }
        Ok(Signature { parameters })
    }

    /// The arguments that the function gets, for those that are `given`.
    pub(super) fn validate<'a>(
        &self,
        given: Vec<Val<'a>>,
        context: &Val<'a>,
        function: &str,
    ) -> Result<Vec<Val<'a>>, Failed> {
        // Most calls give one argument for each parameter.
        let each = |(parameter, value): (&Parameter, &Val<'a>)| {
            !parameter.array && parameter.takes(letter(value))
        };
        if given.len() == self.parameters.len() && self.parameters.iter().zip(&given).all(each) {
            return Ok(given);
        }
        let letters: Vec<char> = given.iter().map(letter).collect();
        let mut counts = vec![0; self.parameters.len()];
        if !fit(&self.parameters, &letters, &mut counts) {
            return Err(argument(self.first_bad(&letters) + 1, function));
        }
        let mut values = given.into_iter();
        let mut at = 0;
        let mut validated = Vec::with_capacity(self.parameters.len());
        for (parameter, count) in self.parameters.iter().zip(counts) {
            if count == 0 {
                if !parameter.context {
                    validated.push(values.next().unwrap_or(Val::Undefined));
                    at += 1;
                } else if parameter.takes(letter(context)) {
                    validated.push(context.clone());
                } else {
                    let what = format!(
                        "Context value is not a compatible type with argument {} of function \"{function}\"",
                        at + 1
                    );
                    return Err(error("T0411", what));
                }
            }
            for _ in 0..count {
                at += 1;
                let value = values.next().unwrap_or(Val::Undefined);
                validated.push(match parameter.array {
                    true => parameter.array_of(value, at, function)?,
                    false => value,
                });
            }
        }
        Ok(validated)
    }

    /// Where the arguments stop to fit.
    fn first_bad(&self, letters: &[char]) -> usize {
        let mut good = 0;
        for end in 1..=self.parameters.len() {
            let parameters = &self.parameters[..end];
            // As many as fit, the longest first.
            let fits = |length: &usize| {
                let mut counts = vec![0; end];
                fit(parameters, &letters[..*length], &mut counts)
            };
            match (0..=letters.len()).rev().find(fits) {
                Some(length) => good = length,
                None => break,
            }
        }
        good
    }
}

impl Parameter {
    fn takes(&self, letter: char) -> bool {
        self.kinds.contains(letter)
    }

    /// `value` as an array, if it is one of what the parameter takes.
    fn array_of<'a>(&self, value: Val<'a>, at: usize, function: &str) -> Result<Val<'a>, Failed> {
        let letter = letter(&value);
        if letter == 'm' {
            return Ok(Val::Undefined);
        }
        if let Some(subtype) = &self.subtype {
            let wanted = subtype.chars().next().unwrap_or('x');
            let fits = match letter {
                'a' => value.items().all(|item| self::letter(&item) == wanted),
                single => subtype.len() == 1 && single == wanted,
            };
            if !fits {
                let kind = match wanted {
                    'a' => "arrays",
                    'b' => "booleans",
                    'f' => "functions",
                    'n' => "numbers",
                    'o' => "objects",
                    _ => "strings",
                };
                let what = format!(
                    "Argument {at} of function \"{function}\" must be an array of \"{kind}\""
                );
                return Err(error("T0412", what));
            }
        }
        Ok(match letter {
            'a' => value,
            _ => Val::array(vec![value]),
        })
    }
}

/// How many of `letters` each parameter takes, as many as it can, so that all are taken.
fn fit(parameters: &[Parameter], letters: &[char], counts: &mut [usize]) -> bool {
    let Some((parameter, rest)) = parameters.split_first() else {
        return letters.is_empty();
    };
    let most = match parameter.many {
        true => letters.iter().take_while(|l| parameter.takes(**l)).count(),
        false => usize::from(letters.first().is_some_and(|l| parameter.takes(*l))),
    };
    let least = usize::from(!(parameter.optional || parameter.context));
    let mut count = most;
    loop {
        if count < least {
            return false;
        }
        if fit(rest, &letters[count..], &mut counts[1..]) {
            counts[0] = count;
            return true;
        }
        if count == 0 {
            return false;
        }
        count -= 1;
    }
}

fn closing(letters: &[char], start: usize, open: char, close: char) -> usize {
    let mut depth = 0;
    for (at, letter) in letters.iter().enumerate().skip(start) {
        if *letter == open {
            depth += 1;
        } else if *letter == close {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    letters.len()
}

fn letter(value: &Val<'_>) -> char {
    match value {
        Val::Undefined => 'm',
        Val::Null => 'l',
        Val::Bool(_) => 'b',
        Val::Number(_) => 'n',
        Val::Str(_) | Val::Text(_) => 's',
        Val::Array(_) | Val::List(_) | Val::Tuples(_) => 'a',
        Val::Map(_) | Val::Object(_) => 'o',
        Val::Function(_) | Val::Builtin(_) | Val::Regex(_) => 'f',
    }
}
