import Scheduler

/// Frames chosen by a tree and not yet taken by their port, at one lcore. A port that cannot take all parks its leaves until this is empty,
/// so it holds at most one batch of a dequeue beyond a burst.
struct Output {
    @inline(__always) static var capacity: Int { @_noLocks get { 128 } }
    var frames: InlineArray<128, Frame?>
    var lengths: InlineArray<128, UInt32>
    var count = 0
    var isTouched = false
    var isParked = false
    /// When the port last took a frame, or was parked.
    var progress: Nanoseconds = 0

    /// Frames and lengths as pointers into `output`, for what takes many at once.
    @inline(__always) @_noLocks
    static func frames(_ output: UnsafeMutablePointer<Output>) -> UnsafeMutablePointer<Frame?> {
        UnsafeMutableRawPointer(output).assumingMemoryBound(to: Frame?.self)
    }

    @inline(__always) @_noLocks
    static func lengths(_ output: UnsafeMutablePointer<Output>) -> UnsafeMutablePointer<UInt32> {
        (UnsafeMutableRawPointer(output) + capacity &* MemoryLayout<Frame?>.stride).assumingMemoryBound(to: UInt32.self)
    }
}

/// Most frames taken from a tree at once.
let dequeueBatch = 64
