/// A frame that was accepted and then given up. It is the caller's to free.
public struct DroppedFrame {
    public enum Reason: UInt8, Sendable {
        /// CoDel dropped it to keep its leaf's delay.
        case codel
        /// Its class was removed.
        case classRemoved
        /// It was in the longest queue of a leaf that queues its flows apart, and others needed the room.
        case queueLimit

        /// `rawValue`, which code that may not take a lock cannot ask for where nothing is optimised.
        @inline(__always) var code: UInt8 { @_noLocks get { switch self { case .codel: 0; case .classRemoved: 1; case .queueLimit: 2 } } }
    }
    public var handle: UnsafeMutableRawPointer
    /// The output it was for.
    public var output: UInt16
    public var reason: Reason

    @_noLocks @inlinable
    public init(handle: UnsafeMutableRawPointer, output: UInt16, reason: Reason) {
        self.handle = handle
        self.output = output
        self.reason = reason
    }
}
