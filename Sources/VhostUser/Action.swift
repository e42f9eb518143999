/// What a session wants its caller to do, in this order.
public enum Action: Sendable, Equatable {
    /// Stop serving these rings. When this is done, nobody uses them, their descriptors or the guest's memory on their behalf any more. The caller then tells
    /// each ring's position (`Session.stopped`).
    case stop([Int])
    /// Serve a ring.
    case start(RingSetup)
    /// Map a region. If that fails, the caller says so (`Session.failed`).
    case map(MemoryRegion)
    /// Unmap the region with this `id`. No ring runs.
    case unmap(Int)
    /// Map the log of written pages. If that fails, the caller says so (`Session.failed`).
    case mapLog(LogRegion)
    /// Unmap the log. No ring runs.
    case unmapLog
    /// Close a descriptor that came with a message. A descriptor that was told is named in one such action, and from then on it is the caller's to reuse.
    case close(Int32)
    /// Send these bytes.
    case reply([UInt8])
    /// The frontend agreed on features.
    case features(VirtioFeatures, ProtocolFeatures)
    /// The MTU that the frontend gives to its guest; bytes.
    case mtu(UInt16)
    case status(DeviceStatus)
    /// The guest moved to this host and cannot tell the network so itself: announce its address (six bytes).
    case rarp([UInt8])
    /// For the log.
    case note(String)
    /// Close the connection; the sentence says why. All rings have been stopped, all regions unmapped and all descriptors closed by the actions before it.
    case hangUp(String)
}
