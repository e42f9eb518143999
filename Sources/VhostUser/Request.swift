/// The requests that a frontend sends (vhost-user specification, "Front-end message types").
///
/// The specification is docs/interop/vhost-user.rst in QEMU's sources.
public enum Request: UInt32, Sendable, CaseIterable {
    case getFeatures = 1
    case setFeatures = 2
    case setOwner = 3
    case resetOwner = 4
    case setMemoryTable = 5
    case setLogBase = 6
    case setLogDescriptor = 7
    case setVringSize = 8
    case setVringAddress = 9
    case setVringBase = 10
    case getVringBase = 11
    case setVringKick = 12
    case setVringCall = 13
    case setVringError = 14
    case getProtocolFeatures = 15
    case setProtocolFeatures = 16
    case getQueueCount = 17
    case setVringEnable = 18
    case sendRARP = 19
    case setMTU = 20
    case setBackendRequestDescriptor = 21
    case iotlb = 22
    case setVringEndian = 23
    case getConfiguration = 24
    case setConfiguration = 25
    case createCryptoSession = 26
    case closeCryptoSession = 27
    case postcopyAdvise = 28
    case postcopyListen = 29
    case postcopyEnd = 30
    case getInflightDescriptor = 31
    case setInflightDescriptor = 32
    case setGPUSocket = 33
    case resetDevice = 34
    case vringKick = 35
    case getMemorySlots = 36
    case addMemoryRegion = 37
    case removeMemoryRegion = 38
    case setStatus = 39
    case getStatus = 40
    case getSharedObject = 41
    case setDeviceStateDescriptor = 42
    case checkDeviceState = 43

    /// The name that the specification gives to the request.
    public var name: String {
        switch self {
        case .getFeatures: "GET_FEATURES"
        case .setFeatures: "SET_FEATURES"
        case .setOwner: "SET_OWNER"
        case .resetOwner: "RESET_OWNER"
        case .setMemoryTable: "SET_MEM_TABLE"
        case .setLogBase: "SET_LOG_BASE"
        case .setLogDescriptor: "SET_LOG_FD"
        case .setVringSize: "SET_VRING_NUM"
        case .setVringAddress: "SET_VRING_ADDR"
        case .setVringBase: "SET_VRING_BASE"
        case .getVringBase: "GET_VRING_BASE"
        case .setVringKick: "SET_VRING_KICK"
        case .setVringCall: "SET_VRING_CALL"
        case .setVringError: "SET_VRING_ERR"
        case .getProtocolFeatures: "GET_PROTOCOL_FEATURES"
        case .setProtocolFeatures: "SET_PROTOCOL_FEATURES"
        case .getQueueCount: "GET_QUEUE_NUM"
        case .setVringEnable: "SET_VRING_ENABLE"
        case .sendRARP: "SEND_RARP"
        case .setMTU: "NET_SET_MTU"
        case .setBackendRequestDescriptor: "SET_BACKEND_REQ_FD"
        case .iotlb: "IOTLB_MSG"
        case .setVringEndian: "SET_VRING_ENDIAN"
        case .getConfiguration: "GET_CONFIG"
        case .setConfiguration: "SET_CONFIG"
        case .createCryptoSession: "CREATE_CRYPTO_SESSION"
        case .closeCryptoSession: "CLOSE_CRYPTO_SESSION"
        case .postcopyAdvise: "POSTCOPY_ADVISE"
        case .postcopyListen: "POSTCOPY_LISTEN"
        case .postcopyEnd: "POSTCOPY_END"
        case .getInflightDescriptor: "GET_INFLIGHT_FD"
        case .setInflightDescriptor: "SET_INFLIGHT_FD"
        case .setGPUSocket: "GPU_SET_SOCKET"
        case .resetDevice: "RESET_DEVICE"
        case .vringKick: "VRING_KICK"
        case .getMemorySlots: "GET_MAX_MEM_SLOTS"
        case .addMemoryRegion: "ADD_MEM_REG"
        case .removeMemoryRegion: "REM_MEM_REG"
        case .setStatus: "SET_STATUS"
        case .getStatus: "GET_STATUS"
        case .getSharedObject: "GET_SHARED_OBJECT"
        case .setDeviceStateDescriptor: "SET_DEVICE_STATE_FD"
        case .checkDeviceState: "CHECK_DEVICE_STATE"
        }
    }

    /// How many bytes of payload the request has; nil: that depends on what it says, or the request is one that is refused whatever it says.
    package var payloadSize: Int? {
        switch self {
        case .getFeatures, .setOwner, .resetOwner, .setLogDescriptor, .getProtocolFeatures, .getQueueCount, .setBackendRequestDescriptor, .resetDevice,
             .getMemorySlots, .getStatus: 0
        case .setFeatures, .setProtocolFeatures, .setVringKick, .setVringCall, .setVringError, .sendRARP, .setMTU, .setStatus: 8
        case .setVringSize, .setVringBase, .getVringBase, .setVringEnable: 8
        case .setLogBase: LogDescription.size
        case .setVringAddress: VringAddresses.size
        case .addMemoryRegion, .removeMemoryRegion: 8 + MemoryRegionDescription.size
        default: nil
        }
    }

    /// How many descriptors may come with the request; nil: that depends on what it says.
    package var descriptorCount: ClosedRange<Int>? {
        switch self {
        case .setMemoryTable, .setVringKick, .setVringCall, .setVringError: nil
        case .setLogBase, .setLogDescriptor, .setBackendRequestDescriptor, .addMemoryRegion: 1...1
        // "For compatibility with existing incorrect implementations, the back-end MAY accept messages with one file descriptor."
        case .removeMemoryRegion: 0...1
        default: 0...0
        }
    }

    /// Whether the request is a question, which NEED_REPLY does not change (section "Communication"). SET_LOG_BASE is none: it is always acknowledged, and as
    /// the specification does not say how, in the way of NEED_REPLY.
    var hasOwnReply: Bool {
        switch self {
        case .getFeatures, .getProtocolFeatures, .getQueueCount, .getVringBase, .getMemorySlots, .getStatus: true
        default: false
        }
    }
}
