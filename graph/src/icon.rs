//! A sign for each kind of state, in lines, 18 pixels on each side.

use crate::card::Look;

/// The sign's outline, as the data of an SVG path.
pub fn icon(look: Look) -> &'static str {
    match look {
        Look::Task => {
            "M5 2.5h8a2.5 2.5 0 0 1 2.5 2.5v8a2.5 2.5 0 0 1-2.5 2.5h-8a2.5 2.5 0 0 1-2.5-2.5v-8a2.5 2.5 0 0 1 2.5-2.5zM7.2 6l5 3l-5 3z"
        }
        Look::Callback => "M2.5 5h9a4 4 0 0 1 0 8h-8M7 9.5l-3.5 3.5l3.5 3.5",
        Look::Activity => "M9 2.5a3.2 3.2 0 1 1 0 6.4a3.2 3.2 0 1 1 0-6.4zM3 15.8a6 5 0 0 1 12 0z",
        Look::Pass => "M2.5 9h12M10 4.5l4.5 4.5l-4.5 4.5",
        Look::Wait => "M9 2a7 7 0 1 1 0 14a7 7 0 1 1 0-14zM9 5v4l3 2",
        Look::Choice => "M9 1.8l7.2 7.2l-7.2 7.2l-7.2-7.2zM9 6.5v2.7M9 11.6v.3",
        Look::Succeed => "M9 2a7 7 0 1 1 0 14a7 7 0 1 1 0-14zM5.8 9.3l2.3 2.3l4.2-4.6",
        Look::Fail => "M9 2a7 7 0 1 1 0 14a7 7 0 1 1 0-14zM6.4 6.4l5.2 5.2M11.6 6.4l-5.2 5.2",
        Look::Parallel => "M4 3v12M9 3v12M14 3v12",
        Look::Map => "M2.5 6h9.5v9.5h-9.5zM5.8 6v-3.3h9.5v9.5h-3.3",
    }
}
