//! What is due is handed to whoever deals with it.
