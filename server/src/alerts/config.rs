//! `[alerts]` of the configuration.

use serde::Deserialize;

use super::windows::Limits;

/// `[alerts]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// The topic that hears alerts of routes without one, and all that belong to no route.
    pub topic: Option<String>,
    /// For how long alerts about the same thing are counted and not sent; default 300, 0 sends all.
    pub window_seconds: u32,
    /// How many alerts of a kind, on a route or of a machine, are sent within that time; default 20.
    pub alerts_max: u32,
    /// For how many days alerts are kept; default 30.
    pub retention_days: u32,
    /// Where the console is, for the links in alerts; without it there are none.
    pub console_url: Option<String>,
}

impl Default for AlertsConfig {
    fn default() -> AlertsConfig {
        AlertsConfig {
            topic: None,
            window_seconds: 300,
            alerts_max: 20,
            retention_days: 30,
            console_url: None,
        }
    }
}

impl AlertsConfig {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            window_seconds: self.window_seconds.into(),
            windows_max: self.alerts_max as usize,
        }
    }
}
