public import VhostUser

/// A port with a vhost-user socket.
public struct PortOptions: Sendable {
    public enum Mode: Sendable {
        /// This process listens.
        case server
        /// The frontend listens (QEMU's `server=on`), so that it keeps running when this process is started anew.
        case client
    }

    /// Path of the socket: at most 107 bytes (unix(7)).
    public var path: String
    public var mode: Mode
    public var offer: Offer
    /// Whether memory is refused whose file could become shorter than what is mapped of it (F_SEAL_SHRINK).
    public var requiresSealedMemory = false
    /// Sets owner and mode of a server's socket, before anybody can connect to it.
    public var prepare: (@Sendable (_ path: String) throws -> Void)?

    public init(path: String, mode: Mode, offer: Offer = Offer()) {
        self.path = path
        self.mode = mode
        self.offer = offer
    }
}

/// Why a port cannot be served.
public struct VhostError: Error, Sendable, CustomStringConvertible {
    /// A sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}
