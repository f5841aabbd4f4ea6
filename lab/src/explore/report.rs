//! What was found, for programs and for pages.

pub mod html;
pub mod json;
pub mod junit;
