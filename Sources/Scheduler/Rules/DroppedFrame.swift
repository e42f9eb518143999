/// A frame that was accepted and later dropped. The caller has to free it.
public struct DroppedFrame {
    public enum Reason: UInt8, Sendable {
        /// CoDel dropped it to limit its leaf's delay.
        case codel
        /// Its class was removed, or became a parent of leaves on another output.
        case classRemoved
        /// It was in the longest flow queue of a leaf that queues its flows separately, and the leaf had reached its limit.
        case queueLimit

        /// The same as `rawValue`, which cannot be used under @_noLocks in unoptimised builds.
        @inline(__always) var code: UInt8 { @_noLocks get { switch self { case .codel: 0; case .classRemoved: 1; case .queueLimit: 2 } } }
    }
    public var handle: UnsafeMutableRawPointer
    /// The output that it was meant for.
    public var output: UInt16
    public var reason: Reason

    @_noLocks @inlinable
    public init(handle: UnsafeMutableRawPointer, output: UInt16, reason: Reason) {
        self.handle = handle
        self.output = output
        self.reason = reason
    }
}
