import Scheduler

/// How much of its flooded traffic a port may put into any queue, on each poll loop that reads it. Flooded frames get into everybody's queues and take the room
/// and the rate of frames that their receivers want. What a port sends to all beyond this rate takes only what others leave; see `ClassTree.takesExcessFlood`.
/// Within the rate, which is enough for ARP, neighbour discovery and DHCP, its frames are as good as any others.
enum FloodShare {
    /// Nanoseconds for each byte: 1 Mbit/s.
    private static var nanosecondsPerByte: Nanoseconds { @_noLocks get { 8_000 } }
    /// How much may come at once, expressed as time: 64 KiB.
    private static var depth: Nanoseconds { @_noLocks get { 524_288_000 } }

    /// Takes a frame's bytes from the port's bucket, unless it is empty.
    /// - Parameter until: the bucket: the time until which what came lasts at the rate (the generic cell rate algorithm, ITU-T I.371).
    /// - Returns: whether the frame is within the rate.
    @inline(__always) @_noLocks
    static func consume(from until: UnsafeMutablePointer<Nanoseconds>, bytes: UInt32, at now: Nanoseconds) -> Bool {
        let start = max(until.pointee, now)
        if start &- now > depth { return false }
        until.pointee = start &+ Nanoseconds(bytes) &* nanosecondsPerByte
        return true
    }
}
