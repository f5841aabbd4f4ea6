//! The alerts that belong to a story, and whom they reached.

use asl::Timestamp;
use store::{StoreError, Table};

use super::record::{Record, read};
use super::{Alert, Alerts};

/// How many are read at a time, and how many are looked at: a story of long ago is told without its alerts
/// rather than slowly.
const SCAN_PAGE: usize = 256;
const LOOKED_AT_MAX: usize = 20_000;

/// An alert that was told.
#[derive(Debug)]
pub(crate) struct Heard {
    pub alert: Alert,
    /// The topic's name.
    pub topic: Option<String>,
    /// How many of the topic's subscribers have taken it, and how many there were.
    pub taken: (usize, usize),
}

impl Alerts {
    /// The alerts since a time about an execution or about one of these callbacks, oldest first.
    pub(crate) async fn about(
        &self,
        since: Timestamp,
        execution_arn: Option<&str>,
        deliveries: &[&str],
    ) -> Result<Vec<Heard>, String> {
        let fits = |alert: &Alert| {
            let its = alert.delivery_id.as_deref();
            its.is_some_and(|id| deliveries.contains(&id))
                || (execution_arn.is_some() && alert.execution_arn.as_deref() == execution_arn)
        };
        let mut heard = Vec::new();
        let mut after: Option<String> = None;
        'all: for _ in 0..LOOKED_AT_MAX / SCAN_PAGE {
            let store = &self.0.store;
            let page = store.scan(Table::Alert, "", after.as_deref(), SCAN_PAGE, true);
            let page = page.await.map_err(|StoreError(what)| what)?;
            let last = page.len() < SCAN_PAGE;
            for (key, document) in page {
                let record: Record = read(&key, &document.content)?;
                // Ids sort by time.
                if record.alert.raised_at.0 < since {
                    break 'all;
                }
                if fits(&record.alert) {
                    heard.push(self.heard(record).await?);
                }
                after = Some(key);
            }
            if last {
                break;
            }
        }
        heard.reverse();
        Ok(heard)
    }

    async fn heard(&self, record: Record) -> Result<Heard, String> {
        let topic_arn = record.topic_arn.as_deref();
        let mut taken = (0, 0);
        // The last message says what the earlier ones said, and more.
        if let (Some(arn), Some(id)) = (topic_arn, record.messages.last())
            && let Some(message) = self.0.topics.message(arn, id).await?
        {
            let deliveries = message.deliveries.iter();
            let delivered = deliveries.filter(|delivery| delivery.delivered_at.is_some());
            taken = (delivered.count(), message.deliveries.len());
        }
        Ok(Heard {
            topic: topic_arn.and_then(|arn| arn.rsplit(':').next().map(str::to_owned)),
            alert: record.alert,
            taken,
        })
    }
}
