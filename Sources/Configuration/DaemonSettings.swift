/// The daemon itself. `polling`, `cores`, `wakeLatency` and `balance` change at run time; the rest is fixed while the daemon lives, and a change takes effect at its
/// next start.
public struct DaemonSettings: Equatable, Sendable {
    /// CPUs that run poll loops; empty: every CPU the daemon may use but the first, or that one if it is the only one.
    public var cpus: [Int] = []
    /// Frame buffers of each NUMA node in use.
    public var buffers: Int = 65_536
    /// Bytes of data one frame buffer holds; longer frames span several.
    public var bufferSize: Int = 2_048
    /// False: ordinary memory instead of hugepages (slower; for trials on machines without them).
    public var hugepages = true
    /// Hugepage memory to take, in bytes; 0: what the buffers need.
    public var memory: UInt64 = 0
    /// What poll loops do when there is nothing to do. Adaptive: an idle switch costs next to nothing, and a loop with traffic never sleeps.
    public var polling = PollingMode.adaptive
    /// Longest time that CPUs may take to leave an idle state, microseconds; nil: as long as the kernel finds right. For loops that sleep: a shorter time
    /// wakes them sooner and costs power on every CPU, down to 0, which keeps idle CPUs turning in the kernel.
    public var wakeLatency: UInt64?
    /// Queues move from busy poll loops to idle ones by themselves. Off: a move costs the queue a pause and its new core cold caches, so it is
    /// for who has several poll loops and load that shifts.
    public var balance = false
    /// Cores with a mode of their own.
    public var cores: [CoreSettings] = []
    public init() {}
}

extension Field<DaemonSettings> {
    static var daemon: [Field] {
        let standard = DaemonSettings()
        return [
            .cpus(\.cpus, help: "CPUs that run poll loops; by default all that the daemon may use but the first"),
            .choice("polling", \.polling, standard: standard.polling, help: "what poll loops do when there is nothing to do"),
            .list("cores", \.cores, of: CoreSettings.kind, example: "[{cpu: 3, polling: polling}]", help: "cores with a polling of their own"),
            .optional("wake-latency", \.wakeLatency, .wakeLatency, help: "longest that idle CPUs may take to wake; by default as the kernel likes"),
            .flag("balance", \.balance, standard: standard.balance, help: "queues move from busy poll loops to idle ones by themselves"),
            .integer("buffers", \.buffers, 1_024...16_777_216, standard: standard.buffers, help: "frame buffers of each NUMA node in use"),
            // DPDK counts a buffer's bytes, its 128 of headroom included, in 16 bits.
            .value("buffer-size", \.bufferSize, .bytes(512...63 << 10), standard: standard.bufferSize, help: "what one frame buffer holds; longer frames span several"),
            .flag("hugepages", \.hugepages, standard: standard.hugepages, help: "off: ordinary memory, which is slower"),
            .value("memory", \.memory, .quantity(.size), standard: standard.memory, tellsStandard: false, help: "memory to take; by default what the buffers need"),
        ]
    }
}
