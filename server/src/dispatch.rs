//! Tasks to their resources.
