/// A descriptor that came with a message, and what the system says about it.
public struct ReceivedDescriptor: Sendable, Equatable {
    public var number: Int32
    public var facts: DescriptorFacts

    public init(_ number: Int32, _ facts: DescriptorFacts) { (self.number, self.facts) = (number, facts) }
}

/// What the caller found out about a descriptor (fstat(2), fcntl(2) F_GET_SEALS, the name in /proc/self/fd).
public struct DescriptorFacts: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// Also a memfd, and a file on hugetlbfs.
        case file = "a regular file"
        case eventfd = "an eventfd"
        case pipe = "a pipe"
        case socket = "a socket"
        case other = "something else"
    }

    public var kind: Kind
    /// Bytes of a regular file.
    public var size: UInt64
    /// Which file it is: its device and inode.
    public var device: UInt64
    public var inode: UInt64
    /// Whether the file's size can never become smaller (F_SEAL_SHRINK).
    public var isSealedAgainstShrinking: Bool

    public init(kind: Kind, size: UInt64 = 0, device: UInt64 = 0, inode: UInt64 = 0, isSealedAgainstShrinking: Bool = false) {
        self.kind = kind
        self.size = size
        self.device = device
        self.inode = inode
        self.isSealedAgainstShrinking = isSealedAgainstShrinking
    }

    /// Whether events can be told by it.
    var tellsEvents: Bool { kind == .eventfd || kind == .pipe }
}
