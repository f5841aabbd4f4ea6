//! Who answers what.
