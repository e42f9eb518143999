/// How many guests' rows the leaf tables have. They grow ahead of the guests: see `DataPlane.apply`.
package struct GuestRows {
    /// A power of two, so that guests who come one by one seldom make tables grow. Row 0 is that of no guest.
    package private(set) var count = 16

    package init() {}

    /// - Returns: whether it had to grow to have rows for numbers below `end`.
    package mutating func grow(toHold end: Int) -> Bool {
        guard end > count else { return false }
        while count < end { count <<= 1 }
        return true
    }
}
