/// What a backend offers to whoever connects to it.
public struct Offer: Sendable, Equatable {
    /// Must stay the same over restarts of the backend: guests keep what they agreed on.
    public var features: VirtioFeatures
    public var protocolFeatures: ProtocolFeatures
    /// Most queue pairs: 1 to 128, as a message names a ring by 8 bits. GET_QUEUE_NUM tells this number.
    public var queuePairs: Int
    /// Most memory regions: 1 to 32. QEMU accepts no backend with fewer in the place of one with more.
    public var memorySlots: Int
    /// The largest MTU that the frontend may give to its guest; bytes.
    public var largestMTU: Int

    /// Values out of range are brought to the nearest one in it.
    public init(
        features: VirtioFeatures = .standard, protocolFeatures: ProtocolFeatures = .standard, queuePairs: Int = 128, memorySlots: Int = MemoryTable.mostSlots,
        largestMTU: Int = 65535
    ) {
        self.features = features
        self.protocolFeatures = features.contains(.protocolFeatures) ? protocolFeatures.intersection(.standard) : []
        self.queuePairs = min(max(queuePairs, 1), 128)
        self.memorySlots = min(max(memorySlots, 1), MemoryTable.mostSlots)
        self.largestMTU = largestMTU
    }
}
