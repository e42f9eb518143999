/// All that is needed to serve a ring.
public struct RingSetup: Sendable, Equatable {
    /// The ring's number: in a network device, ring 2q carries frames to the guest and ring 2q + 1 frames from it (virtio 1.2, 5.1.2).
    public let index: Int
    /// Descriptors: 1 to 32768, a power of two in a split ring.
    public let size: UInt16
    /// The features that were agreed on; `ringPacked` tells the layout.
    public let features: VirtioFeatures
    /// The descriptor table or the packed descriptor ring: 16 bytes for each descriptor, aligned to 16.
    public let descriptors: RegionPlace
    /// The available ring (6 bytes and 2 for each descriptor, aligned to 2) or the driver's event suppression area (4 bytes, aligned to 4).
    public let driverArea: RegionPlace
    /// The used ring (6 bytes and 8 for each descriptor, aligned to 4) or the device's event suppression area (4 bytes, aligned to 4).
    public let deviceArea: RegionPlace
    /// Where to go on.
    public let position: RingPosition
    public let positionSource: PositionSource
    /// The guest address that stands for the device area's first byte in the log; nil: writes there are not logged.
    public let logAddress: UInt64?
    /// The guest waits here for used buffers; nil: it does not wait.
    public let call: Int32?
    /// The guest tells here of available buffers; nil: the ring is to be polled. All three descriptors are open until the ring is stopped.
    public let kick: Int32?
    /// Told when the ring is broken; nil: nobody wants to know.
    public let error: Int32?

    public var isPacked: Bool { features.contains(.ringPacked) }
}

/// The three parts of a ring: how long they are and how they are aligned (virtio 1.2, 2.7 and 2.8.10).
struct RingLayout {
    /// The largest ring (virtio 1.2, 2.7 and 2.8.10.1).
    static let largestRing: UInt32 = 32768

    let name: String
    let length: UInt64
    let alignment: UInt64

    static func parts(size: UInt16, packed: Bool) -> (descriptors: Self, driver: Self, device: Self) {
        let count = UInt64(size)
        return packed
            ? (Self(name: "descriptor ring", length: 16 * count, alignment: 16), Self(name: "driver event area", length: 4, alignment: 4),
               Self(name: "device event area", length: 4, alignment: 4))
            : (Self(name: "descriptor table", length: 16 * count, alignment: 16), Self(name: "available ring", length: 6 + 2 * count, alignment: 2),
               Self(name: "used ring", length: 6 + 8 * count, alignment: 4))
    }
}
