/// A frame that was accepted and then given up. It is the caller's to free.
public struct DroppedFrame {
    public enum Reason: UInt8, Sendable {
        /// CoDel dropped it to keep its leaf's delay.
        case codel
        /// Its class was removed.
        case classRemoved

        /// `rawValue`, which code that may not take a lock cannot ask for where nothing is optimised.
        @inline(__always) var code: UInt8 { @_noLocks get { if case .codel = self { 0 } else { 1 } } }
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
