public import VhostUser

/// Who serves the rings of a port. All calls come from the thread of `VhostSessions`, which serves all ports: they must not take long, and must not remove
/// a port.
///
/// A connection leads to: `connected`; any number of `agreed`, `mapped`, `start`, `stop`, `willUnmap` and the others; `disconnected`, by which all rings are
/// stopped and all memory is unmapped.
public protocol VhostDelegate: AnyObject, Sendable {
    /// A frontend is connected.
    func connected()
    /// The connection is at its end.
    /// - Parameters:
    ///   - reason: a sentence.
    ///   - isFault: whether the frontend broke the rules of vhost-user, or did not keep to its times.
    /// - Returns: for how many nanoseconds nobody is to be connected at this port; nil: somebody may be at once.
    func disconnected(because reason: String, isFault: Bool) -> UInt64?
    /// The frontend agreed on features. No ring runs.
    func agreed(_ features: VirtioFeatures, _ protocolFeatures: ProtocolFeatures)

    /// A ring is to be served from now on. Buffers may have been made available before: the ring is to be looked at, whether or not there is a kick.
    func start(_ ring: StartedRing)
    /// These rings are not to be served any more. Returns only when nobody uses them, their descriptors or, on their behalf, the guest's memory.
    /// - Returns: for each of the rings, in their order, how far it was served.
    func stop(_ rings: [Int]) -> [RingPosition]

    /// Memory was refused, as `PortOptions.requiresSealedMemory` asks.
    /// - Parameter reason: a sentence, without a full stop.
    func refusedMemory(because reason: String)
    /// Memory was mapped that rings started later lie in. It has nothing to do with rings that run.
    func mapped(_ region: GuestMemoryRegion)
    /// A region will be unmapped when this returns. No ring runs.
    func willUnmap(_ region: GuestMemoryRegion)
    /// Writes to the guest's memory are to be logged here by rings started later, if they agreed on `VirtioFeatures.logAll`.
    func mapped(_ log: DirtyLog)
    /// The log will be unmapped when this returns. No ring runs.
    func willUnmap(_ log: DirtyLog)

    /// The MTU that the guest is told; bytes.
    func mtu(_ mtu: Int)
    func status(_ status: DeviceStatus)
    /// The guest moved to this host: its address (six bytes) is to be announced, as by a RARP frame from it.
    func announce(_ address: [UInt8])

    /// A line for the log about this port. There are at most 10 a second and 100 a minute.
    func log(_ line: String)
}

/// A region of a guest's memory, mapped.
public struct GuestMemoryRegion: @unchecked Sendable, Equatable {
    /// A number that no other region of the connection ever has.
    public let id: Int
    /// Where the guest sees its first byte.
    public let guestStart: UInt64
    /// Where the frontend's process sees its first byte.
    public let userStart: UInt64
    /// Bytes.
    public let length: UInt64
    /// Its first byte here.
    public let hostPointer: UnsafeMutableRawPointer
    /// All that is mapped for it: whole pages, of the size that its file has.
    public let mapping: UnsafeMutableRawBufferPointer
    /// Which file it is: its device and inode.
    public let device: UInt64
    public let inode: UInt64

    public static func == (left: Self, right: Self) -> Bool { left.id == right.id && left.hostPointer == right.hostPointer }
}

/// The memory in which writes to the guest's memory are logged: bit `n % 8` of byte `n / 8` stands for the page of 4096 bytes at guest address `n * 4096`.
/// Others set bits there, too, so it takes atomic operations ("Use atomic operations, as the log may be concurrently manipulated").
public struct DirtyLog: @unchecked Sendable {
    public let bits: UnsafeMutablePointer<UInt8>
    /// Bytes.
    public let length: UInt64
    /// All that is mapped for it.
    public let mapping: UnsafeMutableRawBufferPointer
}

/// A ring that is to be served. All addresses have been checked: each part lies wholly in one region and is aligned as virtio wants it.
public struct StartedRing: @unchecked Sendable {
    /// Ring 2q carries frames to the guest and ring 2q + 1 frames from it (virtio 1.2, 5.1.2).
    public let index: Int
    /// Descriptors.
    public let size: UInt16
    public let features: VirtioFeatures
    public let isPacked: Bool
    /// The descriptor table or the packed descriptor ring: 16 bytes for each descriptor.
    public let descriptors: UnsafeMutableRawPointer
    /// The available ring (6 + 2 * size bytes) or the driver's event suppression area (4 bytes).
    public let driverArea: UnsafeMutableRawPointer
    /// The used ring (6 + 8 * size bytes) or the device's event suppression area (4 bytes).
    public let deviceArea: UnsafeMutableRawPointer
    /// Where to go on.
    public let position: RingPosition
    public let positionSource: PositionSource
    /// The guest address that stands for the device area's first byte in the log; nil: writes there are not logged.
    public let logAddress: UInt64?
    /// To be written to (8 bytes) for used buffers; nil: the guest does not wait. This and the next two do not block and are open until the ring is stopped.
    public let call: Int32?
    /// Readable when there are available buffers; nil: the ring is to be polled.
    public let kick: Int32?
    /// To be written to (8 bytes) when the ring is broken; nil: nobody wants to know.
    public let error: Int32?
    /// The guest's memory. It stays as it is while the ring runs.
    public let memory: [GuestMemoryRegion]
    public let log: DirtyLog?
}
