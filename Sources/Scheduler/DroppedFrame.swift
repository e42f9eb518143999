/// A frame that was accepted and then given up. It is the caller's to free.
public struct DroppedFrame {
    public enum Reason: UInt8, Sendable {
        /// CoDel dropped it to keep its leaf's delay.
        case codel
        /// Its class was removed.
        case classRemoved
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
