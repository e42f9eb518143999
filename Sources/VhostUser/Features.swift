/// Feature bits of a virtio network device (virtio 1.3, 5.1.3 and 6) and the two that vhost adds.
public struct VirtioFeatures: OptionSet, Sendable, Hashable {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    private init(bit: UInt64) { rawValue = 1 << bit }

    /// VIRTIO_NET_F_CSUM: the backend finishes checksums of frames from the guest.
    public static let csum = Self(bit: 0)
    /// VIRTIO_NET_F_GUEST_CSUM: the guest takes frames with partial checksums.
    public static let guestCsum = Self(bit: 1)
    public static let mtu = Self(bit: 3)
    /// VIRTIO_NET_F_GSO, which only drivers from before virtio 1.0 know.
    public static let gso = Self(bit: 6)
    public static let guestTSO4 = Self(bit: 7)
    public static let guestTSO6 = Self(bit: 8)
    public static let guestECN = Self(bit: 9)
    public static let guestUFO = Self(bit: 10)
    public static let hostTSO4 = Self(bit: 11)
    public static let hostTSO6 = Self(bit: 12)
    public static let hostECN = Self(bit: 13)
    public static let hostUFO = Self(bit: 14)
    public static let mergeableReceive = Self(bit: 15)
    public static let controlQueue = Self(bit: 17)
    public static let controlReceive = Self(bit: 18)
    public static let guestAnnounce = Self(bit: 21)
    public static let multiqueue = Self(bit: 22)
    /// VHOST_F_LOG_ALL: writes to the guest's memory are logged (section "Migration").
    public static let logAll = Self(bit: 26)
    public static let anyLayout = Self(bit: 27)
    public static let indirectDescriptors = Self(bit: 28)
    public static let eventIndex = Self(bit: 29)
    /// VHOST_USER_F_PROTOCOL_FEATURES: protocol features are negotiated; rings begin disabled.
    public static let protocolFeatures = Self(bit: 30)
    public static let version1 = Self(bit: 32)
    public static let ringPacked = Self(bit: 34)
    public static let inOrder = Self(bit: 35)
    public static let ringReset = Self(bit: 40)
    /// VIRTIO_NET_F_GUEST_USO4 and 6: the guest takes long UDP datagrams that are to be cut, over IPv4 and IPv6. VIRTIO_NET_F_HOST_USO: the backend does.
    public static let guestUSO4 = Self(bit: 54)
    public static let guestUSO6 = Self(bit: 55)
    public static let hostUSO = Self(bit: 56)

    /// What librte_vhost 22.11 offers for a network device without the host's segmentation (lib/vhost/vhost.h, VIRTIO_NET_SUPPORTED_FEATURES, less
    /// IOMMU_PLATFORM, which it takes away, and HOST_TSO4, HOST_TSO6, HOST_ECN and HOST_UFO, which Sluice takes away), and GUEST_USO4 and 6. A guest that
    /// agreed on features with a backend accepts another backend in its place only if it offers them, too.
    public static let standard: Self = [
        .csum, .guestCsum, .mtu, .gso, .guestTSO4, .guestTSO6, .guestECN, .guestUFO, .mergeableReceive, .controlQueue, .controlReceive, .guestAnnounce,
        .multiqueue, .logAll, .anyLayout, .indirectDescriptors, .eventIndex, .protocolFeatures, .version1, .ringPacked, .inOrder,
        .guestUSO4, .guestUSO6,
    ]
    /// What is offered, too, where the backend takes segments and datagrams of up to 64 KiB from guests.
    public static let hostSegmentation: Self = [.hostTSO4, .hostTSO6, .hostUSO]
}

/// Protocol features (section "Protocol features").
public struct ProtocolFeatures: OptionSet, Sendable, Hashable {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    private init(bit: UInt64) { rawValue = 1 << bit }

    public static let multiqueue = Self(bit: 0)
    public static let logDescriptor = Self(bit: 1)
    public static let rarp = Self(bit: 2)
    public static let replyAck = Self(bit: 3)
    public static let mtu = Self(bit: 4)
    public static let backendRequests = Self(bit: 5)
    public static let hostNotifier = Self(bit: 11)
    public static let inflightDescriptor = Self(bit: 12)
    public static let resetDevice = Self(bit: 13)
    public static let memorySlots = Self(bit: 15)
    public static let status = Self(bit: 16)

    /// All that this module speaks.
    public static let standard: Self = [.multiqueue, .logDescriptor, .rarp, .replyAck, .mtu, .backendRequests, .resetDevice, .memorySlots, .status]
}

/// The device's status (virtio 1.2, 2.1).
public struct DeviceStatus: OptionSet, Sendable, Hashable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let acknowledge = Self(rawValue: 1)
    public static let driver = Self(rawValue: 2)
    public static let driverOK = Self(rawValue: 4)
    public static let featuresOK = Self(rawValue: 8)
    public static let needsReset = Self(rawValue: 64)
    public static let failed = Self(rawValue: 128)
}
