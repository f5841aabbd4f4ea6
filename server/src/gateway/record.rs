//! What the gateway stores: a document for each reference, one for each delivery.
//!
//! A document is JSON; a field is never renamed or taken away, a new one has `#[serde(default)]`.

use std::borrow::Cow;

use asl::{Data, Failure, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use engine::{Outcome, WaitEnd};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{DocumentChange, Expect, Table};

use super::callback::without_mark;
use super::disposition::Disposition;
use super::found::Found;
use super::marks::{Mark, Try};
use super::rate::Refused;
use super::start::{Start, Started};
use super::verify::Doubt;

/// A third party's name for a piece of work, and how far things are with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reference {
    pub route: String,
    pub reference: String,
    pub standing: Standing,
}

/// The life cycle of a reference; the table stands in the module's documentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Standing {
    /// Nobody has registered it, and a callback is kept for whoever does.
    Kept {
        delivery: String,
        digest: String,
        /// The callback counted as one with an unknown reference; if not, it is early.
        unknown: bool,
    },
    /// Registered; no callback has answered it.
    Waiting { holder: Holder },
    /// A callback is stored and on its way to the wait; whether it arrived is not recorded yet.
    Delivering {
        holder: Holder,
        delivery: String,
        digest: String,
    },
    /// A callback answered it.
    Answered {
        holder: Holder,
        delivery: String,
        digest: String,
    },
    /// A callback has started an execution, which may register it.
    Started(Started),
}

impl Standing {
    /// Who registered the reference.
    pub fn holder(&self) -> Option<&Holder> {
        match self {
            Standing::Kept { .. } | Standing::Started(_) => None,
            Standing::Waiting { holder }
            | Standing::Delivering { holder, .. }
            | Standing::Answered { holder, .. } => Some(holder),
        }
    }
}

/// Who waits under a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub token: String,
    pub registered_at: Timestamp,
    pub place: Place,
    /// The engine elsewhere that the token is of; none if it is this server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// When the wait was over, as an engine elsewhere has said; the engine here is asked instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<Timestamp>,
    /// When it was last told that it is stuck; of a wait elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck_told_at: Option<Timestamp>,
}

/// Which execution waits, in which state and since when: kept here because it is wanted after the
/// execution itself is forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    pub execution_arn: String,
    pub execution_name: String,
    pub state_machine_arn: String,
    pub state_name: String,
    pub wait_began_at: Timestamp,
    pub wait_deadline: Option<Timestamp>,
    /// The trace that the execution is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// One callback, as it came, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub id: String,
    pub route: String,
    pub reference: Option<String>,
    pub received_at: Timestamp,
    pub peer: String,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// How many bytes came; more than are kept if it was too large, or not verified.
    pub body_bytes: usize,
    /// By what it is known to come from the third party; none if it is not, or if nobody has asked.
    #[serde(default)]
    pub verified_by: Option<String>,
    /// What it asks for; none if it could not be read.
    pub intent: Option<Intent>,
    /// The wait it is for, once that is known.
    pub target: Option<Holder>,
    /// How often it was handed to the engine.
    pub attempts: u32,
    /// What it was taken for, from the first to what it is now.
    pub steps: Vec<Step>,
    /// Where it was sent to; none if it was stored before that was kept.
    #[serde(default)]
    pub sent_to: Option<SentTo>,
    /// The body is not whole.
    #[serde(default)]
    pub body_cut: bool,
    /// What is not as it came, as it is written in `redact`.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// The times it was handed to the engine, as far as they are kept.
    #[serde(default)]
    pub tries: Vec<Try>,
    /// The delivery that it repeats, at the wish of an operator.
    #[serde(default)]
    pub replay_of: Option<String>,
    /// What operators did with it.
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// What it is found by already. Follows from the rest, so it is not stored.
    #[serde(skip)]
    pub found: Found,
    /// The callbacks over the rate limit that it stands for, if it is not one itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The execution that it starts, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
}

/// The first line of a callback's request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SentTo {
    pub method: String,
    pub path: String,
    pub query: String,
}

/// That a callback with this id has come: one that is signed, or what its route calls a repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub delivery: String,
    /// Of what it said.
    pub digest: String,
}

/// A disposition that a delivery got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    pub at: Timestamp,
    pub disposition: Disposition,
    /// Why, in a sentence for people.
    pub note: String,
    /// When the wait had ended, if it was late.
    pub wait_ended_at: Option<Timestamp>,
    /// It is stored and goes out by itself: whoever sent it need not send it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// It is stored and goes nowhere by itself: to send it again would help nobody, only an operator can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
    /// If it is not verified: what is the matter with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

impl Step {
    /// What to do with it is nobody's concern any more who sent it.
    pub fn is_acknowledged(&self) -> bool {
        self.kept || self.given_up
    }
}

impl Delivery {
    /// One of which nothing is known but that it came.
    pub fn new(id: String, route: String, received_at: Timestamp) -> Delivery {
        Delivery {
            id,
            route,
            reference: None,
            received_at,
            peer: String::new(),
            headers: Vec::new(),
            body: Body::default(),
            body_bytes: 0,
            verified_by: None,
            intent: None,
            target: None,
            attempts: 0,
            steps: Vec::new(),
            sent_to: None,
            body_cut: false,
            redacted: Vec::new(),
            tries: Vec::new(),
            replay_of: None,
            marks: Vec::new(),
            found: Found::default(),
            refused: None,
            start: None,
        }
    }

    /// What it counts as now; none while it is being delivered for the first time.
    pub fn disposition(&self) -> Option<Disposition> {
        self.steps.last().map(|step| step.disposition)
    }

    /// Whether the body is all that came.
    pub fn is_whole(&self) -> bool {
        // What was stored before cuts were noted was not redacted either.
        !self.body_cut && (!self.redacted.is_empty() || self.body.len() == self.body_bytes)
    }

    /// Whether what becomes of it is not decided: it is on its way, or will be tried again.
    pub fn is_open(&self) -> bool {
        match self.disposition() {
            None => true,
            // A heartbeat is not tried again.
            Some(Disposition::Undeliverable) => self.intent != Some(Intent::Heartbeat),
            // An early one has a target once its reference is registered.
            Some(Disposition::Early | Disposition::UnknownReference) => self.target.is_some(),
            Some(_) => false,
        }
    }

    /// What it asks for may hold what was redacted. It is wanted until it is clear what becomes of it.
    pub fn forget_what_was_redacted(&mut self) {
        if !self.redacted.is_empty() && self.intent != Some(Intent::Heartbeat) {
            self.intent = None;
            if let Some(start) = &mut self.start {
                start.input = None;
            }
        }
    }

    /// What it asks of the engine.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.intent.as_ref()? {
            Intent::Heartbeat => None,
            Intent::Success { output } => {
                let output = match output {
                    Some(output) => output.clone(),
                    // The body was JSON when it came in, and it is stored with a checksum.
                    None => Data::parse(without_mark(self.body.text.as_deref()?)).ok()?,
                };
                Some(Outcome::Success(output))
            }
            Intent::Failure { error, cause } => Some(Outcome::Failure(Failure {
                error: error.clone().map(Cow::Owned),
                cause: cause.clone(),
            })),
        }
    }
}

/// What a callback asks for, decided once, when it came: a changed configuration does not change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Intent {
    Success {
        /// The output; `None` is the whole body.
        output: Option<Data>,
    },
    Failure {
        error: Option<String>,
        cause: Option<String>,
    },
    Heartbeat,
}

/// Whether a wait that ended this way may have been ended by this very outcome.
pub(super) fn ended_by(end: &WaitEnd, outcome: &Outcome) -> bool {
    match (end, outcome) {
        (WaitEnd::Succeeded { output }, Outcome::Success(sent)) => output == sent,
        (WaitEnd::Failed { failure }, Outcome::Failure(sent)) => failure == sent,
        _ => false,
    }
}

/// A body's bytes: text where they are UTF-8, so that people can read them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl Body {
    /// Keeps `bytes`.
    pub fn of(bytes: &[u8]) -> Body {
        match std::str::from_utf8(bytes) {
            Ok(text) => Body {
                text: Some(text.to_owned()),
                base64: None,
            },
            Err(_) => Body {
                text: None,
                base64: Some(STANDARD.encode(bytes)),
            },
        }
    }

    /// Keeps at most the first `bytes_max` of `bytes`; where it cuts, without half a character at the end.
    pub fn of_head(bytes: &[u8], bytes_max: usize) -> Body {
        if bytes.len() <= bytes_max {
            return Body::of(bytes);
        }
        let head = &bytes[..bytes_max];
        match std::str::from_utf8(head) {
            Err(cut) if cut.error_len().is_none() => Body::of(&head[..cut.valid_up_to()]),
            _ => Body::of(head),
        }
    }

    /// The bytes again.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match (&self.text, &self.base64) {
            (Some(text), _) => text.as_bytes().into(),
            // It is ours, and is stored with a checksum.
            (None, Some(base64)) => STANDARD.decode(base64).unwrap_or_default().into(),
            (None, None) => Cow::default(),
        }
    }

    /// How many bytes these are.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// For people: the text, or the bytes in base64.
    pub fn shown(&self) -> &str {
        self.text
            .as_deref()
            .or(self.base64.as_deref())
            .unwrap_or_default()
    }
}

/// Separates a route's name from the reference in a key; a route's name can't contain it.
const KEY_SEPARATOR: char = '\n';

/// The key of a reference's document.
pub(super) fn reference_key(route: &str, reference: &str) -> String {
    format!("{route}{KEY_SEPARATOR}{reference}")
}

/// The key of a receipt; `kind` says what kind of id it is. The id is hashed: a third party decides how
/// long it is.
pub(super) fn receipt_key(route: &str, kind: &str, id: &str) -> String {
    let hash = Sha256::digest(id.as_bytes());
    format!(
        "{route}{KEY_SEPARATOR}{kind}{KEY_SEPARATOR}{}",
        URL_SAFE_NO_PAD.encode(&hash[..16])
    )
}

impl Receipt {
    /// The document's next content.
    pub fn change(&self, key: &str, expect: Expect, due: Timestamp) -> DocumentChange {
        DocumentChange {
            table: Table::Receipt,
            key: key.to_owned(),
            expect,
            content: Some(written(self)),
            due: Some(due),
        }
    }
}

impl Reference {
    /// The document's next content.
    pub fn change(&self, expect: Expect, due: Option<Timestamp>) -> DocumentChange {
        DocumentChange {
            table: Table::Reference,
            key: reference_key(&self.route, &self.reference),
            expect,
            content: Some(written(self)),
            due,
        }
    }

    /// The document is removed.
    pub fn removal(&self, version: u64) -> DocumentChange {
        DocumentChange {
            table: Table::Reference,
            key: reference_key(&self.route, &self.reference),
            expect: Expect::Version(version),
            content: None,
            due: None,
        }
    }
}

impl Delivery {
    /// The document's next content, and what it is found by from then on.
    pub fn changes(&self, expect: Expect, due: Option<Timestamp>) -> Vec<DocumentChange> {
        let mut changes = vec![DocumentChange {
            table: Table::Delivery,
            key: self.id.clone(),
            expect,
            content: Some(written(self)),
            due,
        }];
        changes.extend(self.found.until(&Found::of(self)));
        changes
    }

    /// The document is removed, and what it was found by.
    pub fn removals(&self, version: u64) -> Vec<DocumentChange> {
        let mut changes = vec![DocumentChange {
            table: Table::Delivery,
            key: self.id.clone(),
            expect: Expect::Version(version),
            content: None,
            due: None,
        }];
        changes.extend(Found::of(self).until(&Found::default()));
        changes
    }
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a record has text keys and finite numbers only")
}
