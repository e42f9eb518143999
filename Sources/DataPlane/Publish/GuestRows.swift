/// How many rows for guests the leaf tables have. The tables grow before the guests are adopted; see `DataPlane.apply`.
package struct GuestRows {
    /// A power of two, so that tables seldom have to grow when guests come one by one. Row 0 belongs to no guest.
    package private(set) var count = 16

    package init() {}

    /// Makes room for guests with numbers below `end`.
    /// - Returns: whether the number of rows had to grow.
    package mutating func grow(toHold end: Int) -> Bool {
        guard end > count else { return false }
        while count < end { count <<= 1 }
        return true
    }
}
