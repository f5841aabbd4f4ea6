//! The context object, `$$`: made when an expression first asks for it, and not before.
//!
//! It holds a copy of the execution's input and of an item, which may be large. Most expressions read
//! something else of it, or only these: they are given the part they ask for ([`asl::Context::part`]),
//! or a Map would copy its execution's input for each of its items.

use std::cell::OnceCell;

use asl::{Pattern, Resource, StateKind};
use serde_json::{Value, json};

use crate::apply::item;
use crate::event::{FrameId, StateType};
use crate::execution::Execution;
use crate::frame::Phase;
use crate::identity::{ExecutionKey, WaitId};
use crate::map_run::Item;
use crate::token::{Token, TokenKey};

/// What `$$` means in one state of one frame.
pub(crate) struct ContextObject<'a> {
    pub(crate) execution: &'a Execution,
    pub(crate) frame: FrameId,
    /// The item that an `ItemSelector` is asked about; otherwise it is that of the iteration around.
    pub(crate) item: Option<u32>,
    /// An item that the execution does not keep.
    pub(crate) given_item: Option<&'a Item<'a>>,
    pub(crate) tokens: &'a TokenKey,
    pub(crate) made: OnceCell<Value>,
    /// The same without what may be large.
    pub(crate) small: OnceCell<Value>,
}

impl asl::Context for ContextObject<'_> {
    fn value(&self) -> &Value {
        self.made.get_or_init(|| self.make())
    }

    fn part(&self, names: &[&str]) -> Option<(&Value, usize)> {
        if self.execution.given_context.is_some() {
            return None;
        }
        match names {
            ["Execution", "Input", ..] => Some((self.execution.now.identity.input.value(), 2)),
            ["Map", "Item", "Value", ..] => self.item().map(|item| (item.value, 3)),
            // With these the whole is meant.
            [] | ["Execution"] | ["Map"] | ["Map", "Item"] => None,
            ["Map", "Item", name, ..] => {
                let small = self.small.get_or_init(|| self.small());
                small
                    .get("Map")?
                    .get("Item")?
                    .get(name)
                    .map(|value| (value, 3))
            }
            [name, ..] => {
                let small = self.small.get_or_init(|| self.small());
                small.get(name).map(|value| (value, 1))
            }
        }
    }
}

impl ContextObject<'_> {
    fn make(&self) -> Value {
        let mut object = match &self.execution.given_context {
            Some(given) => given.clone(),
            None => {
                let mut known = self.known();
                known["Execution"]["Input"] = self.execution.now.identity.input.value().clone();
                known
            }
        };
        if let Some(item) = self.item() {
            object["Map"] = json!({ "Item": known_of(&item) });
            object["Map"]["Item"]["Value"] = item.value.clone();
        }
        object
    }

    fn small(&self) -> Value {
        let mut object = self.known();
        if let Some(item) = self.item() {
            object["Map"] = json!({ "Item": known_of(&item) });
        }
        object
    }

    /// What the execution knows of itself and of the state. The input has its place and nothing in it.
    fn known(&self) -> Value {
        let identity = &*self.execution.now.identity;
        let frame = &self.execution.now.frames[&self.frame];
        let place = frame.place();
        let mut object = json!({
            "Execution": {
                "Id": &*identity.arn,
                "Input": null,
                "StartTime": identity.started_at.to_string(),
                "Name": &*identity.name,
                "RoleArn": &*identity.role_arn,
            },
            "StateMachine": {
                "Id": &*identity.state_machine_arn,
                "Name": &*identity.state_machine_name,
            },
            "State": {
                "Name": &*place.name,
                "EnteredTime": place.entered_at.to_string(),
            },
        });
        if !self.execution.surroundings.synchronous {
            let (count, last) = self.execution.redrives();
            object["Execution"]["RedriveCount"] = count.into();
            if let Some(last) = last {
                object["Execution"]["RedriveTime"] = last.to_string().into();
            }
        }
        let retried = matches!(
            place.state_type,
            StateType::Task | StateType::Parallel | StateType::Map
        );
        if retried {
            object["State"]["RetryCount"] = frame.retries.iter().sum::<u32>().into();
        }
        if self.has_token() {
            object["Task"] = json!({ "Token": self.token() });
        }
        object
    }

    /// Only what others may answer shows its token (recorded: `lambda:invoke` has no `$$.Task`).
    fn has_token(&self) -> bool {
        let place = self.execution.now.frames[&self.frame].place();
        match &self.execution.machine.state(place.id).kind {
            StateKind::Task(task) => matches!(
                task.resource,
                Resource::Service {
                    pattern: Pattern::WaitForTaskToken | Pattern::Sync,
                    ..
                }
            ),
            _ => false,
        }
    }

    /// The token of the wait that is open, or of the one that is about to be.
    fn token(&self) -> String {
        let wait = match &self.execution.now.frames[&self.frame].phase {
            Phase::Task(task) => task.wait,
            _ => WaitId(self.execution.now.next_wait),
        };
        self.tokens.mint(Token {
            execution: ExecutionKey::of(&self.execution.now.identity.arn),
            wait,
        })
    }

    /// The item of the innermost iteration around the frame.
    fn item(&self) -> Option<Item<'_>> {
        if let Some(given) = self.given_item {
            return Some(*given);
        }
        let frames = &self.execution.now.frames;
        let mut child = self.item;
        let mut at = Some(self.frame);
        while let Some(id) = at {
            let frame = &frames[&id];
            if let (Some(index), Phase::Children(children)) = (child, &frame.phase)
                && children.items.is_some()
            {
                return Some(Item::given(index, item(children, index)));
            }
            child = Some(frame.index);
            at = frame.parent;
        }
        None
    }
}

/// What there is to know of an item beside itself.
fn known_of(item: &Item<'_>) -> Value {
    let mut known = json!({ "Index": item.index });
    if let Some(key) = item.key {
        known["Key"] = key.into();
    }
    known["Source"] = item.source.into();
    known
}
