//! Points and rectangles, in whole pixels: the same picture is the same bytes everywhere.

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
}

/// How large something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// From left to right.
    pub width: i32,
    /// From top to bottom.
    pub height: i32,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Its top left corner.
    pub at: Point,
    /// How large it is.
    pub size: Size,
}

/// The next even number: what has one for its width has a whole pixel for its middle.
pub fn even(number: i32) -> i32 {
    number + number.rem_euclid(2)
}

impl Point {
    /// The place that much further right and down.
    pub fn moved(self, by: Point) -> Point {
        Point {
            x: self.x + by.x,
            y: self.y + by.y,
        }
    }
}

impl Rect {
    /// The same rectangle, elsewhere.
    pub fn moved(self, by: Point) -> Rect {
        Rect {
            at: self.at.moved(by),
            size: self.size,
        }
    }

    /// Where it ends on the right.
    pub fn right(&self) -> i32 {
        self.at.x + self.size.width
    }

    /// Where it ends below.
    pub fn bottom(&self) -> i32 {
        self.at.y + self.size.height
    }
}

/// What the tests ask.
#[cfg(test)]
impl Rect {
    /// Whether the two have more than an edge in common.
    pub fn overlaps(&self, other: &Rect) -> bool {
        self.at.x < other.right()
            && other.at.x < self.right()
            && self.at.y < other.bottom()
            && other.at.y < self.bottom()
    }

    /// Whether all of the other is inside of this one.
    pub fn contains(&self, other: &Rect) -> bool {
        self.at.x <= other.at.x
            && self.at.y <= other.at.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }
}
