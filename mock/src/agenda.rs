//! The callbacks of a request that are yet to be sent, in the order of their times; those among them that nobody took
//! and that are tried again.

use std::collections::BTreeMap;

use hyper::StatusCode;

use crate::plan::{Plan, Says};

/// What is to be sent, the next one first: the moment in milliseconds from the request on, and which of the plan's
/// deeds it is. Beside it stands how often it was tried.
#[derive(Debug, Clone)]
pub(crate) struct Agenda(BTreeMap<(i64, usize), usize>);

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// In milliseconds from the request on.
    pub after: i64,
    pub deed: usize,
    /// How often it was tried before.
    pub tried: usize,
}

impl Agenda {
    /// All of a plan. What comes early comes at once.
    pub fn of(plan: &Plan) -> Agenda {
        let deeds = plan.deeds.iter().enumerate();
        let after = |after| if plan.early { 0 } else { after };
        Agenda(
            deeds
                .map(|(index, deed)| ((after(deed.after), index), 0))
                .collect(),
        )
    }

    pub fn next(&self) -> Option<Due> {
        let (&(after, deed), &tried) = self.0.first_key_value()?;
        Some(Due { after, deed, tried })
    }

    /// One has been sent, `now` milliseconds after the request, and this has come of it: none if nobody was reached.
    /// `pauses` are those after which it is sent again.
    pub fn sent(
        &mut self,
        due: Due,
        says: Says,
        now: i64,
        pauses: &[i64],
        status: Option<StatusCode>,
    ) {
        self.0.remove(&(due.after, due.deed));
        let taken = status.is_some_and(|status| status.is_success());
        match says {
            Says::HeartbeatIfTaken if !taken => self.0.clear(),
            // The next heartbeat says as much.
            Says::Heartbeat | Says::HeartbeatIfTaken => {}
            Says::Result | Says::Contradiction | Says::Failure => {
                if let (true, Some(pause)) = (is_tried_again(status), pauses.get(due.tried)) {
                    let again = (now + pause, due.deed);
                    self.0.insert(again, due.tried + 1);
                }
            }
        }
    }
}

/// Whether a sender who tries again does so: nobody was there, or somebody who can't take it now.
fn is_tried_again(status: Option<StatusCode>) -> bool {
    status.is_none_or(|status| status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS)
}
