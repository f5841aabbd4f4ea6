//! As much of XML as the answers of SNS and S3 need: the texts of elements, found by their names.

/// The text of the first element of this name.
pub fn text(xml: &str, name: &str) -> Option<String> {
    let inside = elements(xml, name).next()?;
    Some(unescaped(inside))
}

/// What is inside each element of this name, one after the other; such elements do not contain each other.
pub fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let from = rest.find(&open)? + open.len();
        let length = rest[from..].find(&close)?;
        let inside = &rest[from..from + length];
        rest = &rest[from + length + close.len()..];
        Some(inside)
    })
}

/// The text without the elements of these names.
pub fn without(xml: &str, names: &[&str]) -> String {
    let mut rest = xml.to_owned();
    for name in names {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let mut kept = String::new();
        let mut ahead = rest.as_str();
        while let Some(at) = ahead.find(&open) {
            let Some(length) = ahead[at..].find(&close) else {
                break;
            };
            kept.push_str(&ahead[..at]);
            ahead = &ahead[at + length + close.len()..];
        }
        kept.push_str(ahead);
        rest = kept;
    }
    rest
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.find(';').map(|end| (&rest[1..end], end + 1));
        match entity.and_then(|(name, length)| Some((character(name)?, length))) {
            Some((character, length)) => {
                plain.push(character);
                rest = &rest[length..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_name() {
        let xml = "<A><B>1 &lt; 2 &amp;&#65;&#x42; &c; &</B><B></B></A>";
        assert_eq!(text(xml, "B").as_deref(), Some("1 < 2 &AB &c; &"));
        assert_eq!(text(xml, "C"), None);
        assert_eq!(elements(xml, "B").count(), 2);
        assert_eq!(elements("<B><B>", "B").count(), 0);
        assert_eq!(
            without("<A>1</A>2<B>3</B>4<A>5</A><A>", &["A", "B"]),
            "24<A>"
        );
    }
}
