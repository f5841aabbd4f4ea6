//! How much of the stack has been taken: what reads, compiles or evaluates an expression recurses, and
//! how much a level takes depends on the part of the language, and on optimization.

/// How much may be taken: threads have 2 MiB.
const BYTES_MAX: usize = 1_200 * 1024;

/// A place on the stack from which on is counted.
pub(super) struct Stack(usize);

impl Stack {
    pub(super) fn here() -> Stack {
        Stack(place())
    }

    /// Whether there is no room for more.
    pub(super) fn is_used_up(&self) -> bool {
        self.0.abs_diff(place()) > BYTES_MAX
    }
}

#[inline(never)]
fn place() -> usize {
    let local = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&local)).addr()
}
