//! The texts that a scenario file consists of: one of YAML, or those of a Markdown document.
//!
//! Of a document, the first fenced block of YAML above the first `##` heading is what all cases have in common, and
//! under each `##` heading one is a case, which has the heading's name. Everything else is for people; a second block of
//! YAML would look as if it counted, and is a fault.

use source::Source;

/// The texts, and what a case is called that has a text of its own.
pub(super) struct Texts {
    /// The first one is what cases have in common; then one for each of the headings, and at last those that are
    /// too many.
    pub(super) blocks: Vec<Source>,
    /// The headings of the cases.
    pub(super) headings: Vec<String>,
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
            document: false,
        };
    }
    let mut texts = Texts {
        // A document need not have anything in common.
        blocks: vec![Source::of(file, String::new(), true)],
        headings: Vec::new(),
        document: true,
    };
    let mut heading: Option<String> = None;
    let mut common = false;
    let mut too_many = Vec::new();
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
                if let Some(block) = open.block.take() {
                    take(block, heading.take());
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
    if let Some(block) = fence.and_then(|open| open.block) {
        take(block, heading);
    }
    texts.blocks.append(&mut too_many);
    texts
}

struct Fence {
    mark: String,
    /// The lines before it, and its text; none if it is not YAML.
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
            block: yaml.then(|| (number + 1, String::new())),
        })
    }
}
