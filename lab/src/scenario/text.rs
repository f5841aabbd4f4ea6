//! The texts that a scenario file consists of: one of YAML, or those of a Markdown document.
//!
//! Of a document, the first fenced block of YAML above the first `##` heading is what all cases have in common, and
//! under each `##` heading one is a case, which has the heading's name. Everything else is for people; a second block of
//! YAML would look as if it counted, and is a fault.

use source::Source;

use super::OF_CASES;

/// The texts, and what a case is called that has a text of its own.
pub(super) struct Texts {
    /// The first one is what cases have in common; then one for each of the headings, those that are too many, and at
    /// last those that look like a case below a heading that has none.
    pub(super) blocks: Vec<Source>,
    /// The headings of the cases.
    pub(super) headings: Vec<String>,
    /// How many of the last blocks look like a case and are not marked as one.
    pub(super) unmarked: usize,
    /// Whether it is a document.
    pub(super) document: bool,
}

/// Takes a file's text apart.
pub(super) fn texts(file: &str, text: String) -> Texts {
    let text = match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    };
    let lower = file.to_ascii_lowercase();
    if !lower.ends_with(".md") && !lower.ends_with(".markdown") {
        let yaml = !lower.ends_with(".json");
        return Texts {
            blocks: vec![Source::of(file, text, yaml)],
            headings: Vec::new(),
            unmarked: 0,
            document: false,
        };
    }
    let mut texts = Texts {
        // A document need not have anything in common.
        blocks: vec![Source::of(file, String::new(), true)],
        headings: Vec::new(),
        unmarked: 0,
        document: true,
    };
    let mut heading: Option<String> = None;
    let mut common = false;
    let mut too_many = Vec::new();
    let mut unmarked = Vec::new();
    let mut take = |(before, block): (usize, String), heading: Option<String>| {
        // Faults stand where they stand in the document.
        let block = || Source::of(file, "\n".repeat(before) + &block, true);
        match heading {
            Some(heading) => {
                texts.blocks.push(block());
                texts.headings.push(heading);
            }
            None if !common && texts.headings.is_empty() => {
                texts.blocks[0] = block();
                common = true;
            }
            None => too_many.push(block()),
        }
    };
    let mut fence: Option<Fence> = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(open) = &mut fence {
            if trimmed.starts_with(&open.mark) && trimmed.trim_matches(['`', '~']).is_empty() {
                // What is not YAML leaves the heading to what comes after it.
                match open.block.take() {
                    Some(block) if open.marked => take(block, heading.take()),
                    Some((before, block)) if heading.is_some() => {
                        let block = Source::of(file, "\n".repeat(before) + &block, true);
                        unmarked.extend(looks_like_a_case(&block).then_some(block));
                    }
                    _ => {}
                }
                fence = None;
            } else if let Some((_, block)) = &mut open.block {
                block.push_str(line);
                block.push('\n');
            }
        } else if let Some(open) = Fence::opened(trimmed, number) {
            fence = Some(open);
        } else if let Some(name) = line.strip_prefix("## ") {
            heading = Some(name.trim().trim_end_matches('#').trim_end().to_owned());
        }
    }
    // A block that is never closed ends with the document.
    let open = fence.filter(|open| open.marked);
    if let Some(block) = open.and_then(|open| open.block) {
        take(block, heading);
    }
    texts.blocks.append(&mut too_many);
    texts.unmarked = unmarked.len();
    texts.blocks.append(&mut unmarked);
    texts
}

/// Whether it has only members that cases have.
fn looks_like_a_case(block: &Source) -> bool {
    let value = block.value().ok();
    let members = value.as_ref().and_then(|value| value.as_object());
    members.is_some_and(|members| {
        !members.is_empty() && members.keys().all(|name| OF_CASES.contains(&name.as_str()))
    })
}

struct Fence {
    mark: String,
    /// Whether it says that it is YAML.
    marked: bool,
    /// The lines before it, and its text; none if it says that it is something else.
    block: Option<(usize, String)>,
}

impl Fence {
    fn opened(line: &str, number: usize) -> Option<Fence> {
        let sign = line.chars().next().filter(|sign| "`~".contains(*sign))?;
        let count = line.chars().take_while(|c| *c == sign).count();
        if count < 3 {
            return None;
        }
        let word = line[count..].split_whitespace().next().unwrap_or_default();
        let yaml = ["yaml", "yml", "json"].contains(&word.to_ascii_lowercase().as_str());
        Some(Fence {
            mark: line[..count].to_owned(),
            marked: yaml,
            block: (yaml || word.is_empty()).then(|| (number + 1, String::new())),
        })
    }
}
