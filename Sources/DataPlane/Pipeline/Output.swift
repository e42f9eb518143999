import Scheduler

/// The frames that one lcore's tree has chosen for a port and that the port has not taken yet. A port that cannot take all of them parks its leaves until none
/// is left here, so there are never more than one batch of a dequeue and one burst.
struct Output {
    @inline(__always) static var capacity: Int { @_noLocks get { 128 } }
    var frames: InlineArray<128, Frame?>
    var lengths: InlineArray<128, UInt32>
    var count = 0
    var isTouched = false
    var isParked = false
    /// The time when the port last took a frame, or was parked.
    var progress: Nanoseconds = 0

    /// Pointers to the frames and lengths inside `output`, for code that copies many at once.
    @inline(__always) @_noLocks
    static func frames(_ output: UnsafeMutablePointer<Output>) -> UnsafeMutablePointer<Frame?> {
        UnsafeMutableRawPointer(output).assumingMemoryBound(to: Frame?.self)
    }

    @inline(__always) @_noLocks
    static func lengths(_ output: UnsafeMutablePointer<Output>) -> UnsafeMutablePointer<UInt32> {
        (UnsafeMutableRawPointer(output) + capacity &* MemoryLayout<Frame?>.stride).assumingMemoryBound(to: UInt32.self)
    }
}

/// The most frames that are taken from a tree at once.
let dequeueBatch = 64
