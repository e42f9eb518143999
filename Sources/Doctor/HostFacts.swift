/// What the doctor has to know of a host. `HostReader` reads it; tests make it up.
public struct HostFacts: Equatable, Sendable {
    /// Hugepages of one size on one NUMA node.
    public struct Hugepages: Equatable, Sendable {
        /// Where the kernel takes their number: the folder of the file nr_hugepages.
        public var folder: String
        public var node: Int
        /// The size of a page in bytes.
        public var size: UInt64
        public var total: UInt64
        public var free: UInt64
        public init(folder: String, node: Int, size: UInt64, total: UInt64, free: UInt64) {
            (self.folder, self.node, self.size, self.total, self.free) = (folder, node, size, total, free)
        }
    }

    public struct CPU: Equatable, Sendable {
        public var node = 0
        /// The CPUs that share its core, itself included.
        public var siblings: Set<Int> = []
        /// The governor of its frequency ("performance", "powersave", ...); nil: the kernel does not set it.
        public var governor: String?
        public init() {}
    }

    /// A PCI device that the configuration names.
    public struct Device: Equatable, Sendable {
        /// nil: no driver has it.
        public var driver: String?
        /// Whether it belongs to an IOMMU group.
        public var hasIOMMU = false
        public init() {}
    }

    /// A limit on resources; nil: unlimited.
    public struct Limits: Equatable, Sendable {
        public var lockedMemory: UInt64?
        public var openFiles: UInt64?
        public init() {}
    }

    /// A folder in which sockets of guests are.
    public struct Folder: Equatable, Sendable {
        public var exists = false
        /// The group that owns it, by name or number.
        public var group = ""
        /// Whether QEMU's user may make files in it; nil: that is not known.
        public var isWritableForQEMU: Bool?
        public init() {}
    }

    public enum Daemon: Equatable, Sendable {
        case running(version: String)
        /// Nobody answers, for this reason.
        case absent(String)
    }

    public var hugepages: [Hugepages] = []
    /// CPUs that are on, by number.
    public var cpus: [Int: CPU] = [:]
    /// CPUs that the kernel gives to no process by itself (isolcpus=), and those without a periodic tick (nohz_full=).
    public var isolated: Set<Int> = []
    public var tickless: Set<Int> = []
    /// The paths that are there, of those that are asked for.
    public var files: Set<String> = []
    /// The devices that the configuration names, by PCI address; one that is missing is not in it.
    public var devices: [String: Device] = [:]
    /// The names of the interfaces in this namespace.
    public var interfaces: Set<String> = []
    public var limits = Limits()
    /// Capabilities as in /proc/PID/status (`CapEff`), of the daemon or, if it does not run, of this program; nil: they cannot be read.
    public var capabilities: UInt64?
    /// The drivers of DPDK that are installed, such as "net_tap"; nil: the folder of drivers was not found.
    public var drivers: Set<String>?
    public var daemon = Daemon.absent("no daemon was asked")
    /// The user that runs QEMU under libvirt; nil: there is no libvirt.
    public var qemuUser: String?
    public var isHookInstalled = false
    /// Folders of guests' sockets, by path.
    public var folders: [String: Folder] = [:]

    public init() {}
}
