/// Settings of the daemon itself. `polling`, `cores`, `wakeLatency`, `balance`, `delay`, `metrics` and `sflow` can change while the daemon runs; a
/// change of any other takes effect at its next start.
public struct DaemonSettings: Equatable, Sendable {
    /// CPUs that run poll loops. Empty: every CPU that the daemon may use except the first; or the first, if there is no other.
    public var cpus: [Int] = []
    /// The number of frame buffers on each NUMA node in use.
    public var buffers: Int = 65_536
    /// Bytes of frame data that one buffer holds; a longer frame spans several buffers.
    public var bufferSize: Int = 2_048
    /// False: buffers lie in ordinary memory instead of hugepages. That is slower, and meant for trials on machines without hugepages.
    public var hugepages = true
    /// Hugepage memory to reserve, in bytes. 0: as much as the buffers need.
    public var memory: UInt64 = 0
    /// What poll loops do when there is nothing to do. With `adaptive`, an idle switch costs next to no CPU time, and a loop that has traffic never sleeps.
    public var polling = PollingMode.adaptive
    /// The longest time that CPUs may take to leave an idle state, in microseconds. nil: the kernel decides. It matters to poll loops that sleep: a shorter
    /// time wakes them sooner and costs power on every CPU, down to 0, with which the kernel keeps idle CPUs spinning.
    public var wakeLatency: UInt64?
    /// Whether queues move from busy poll loops to idle ones without being told to. Off by default, as a move pauses the queue for a moment and leaves it with
    /// cold caches on the new core; it pays with several poll loops and load that shifts.
    public var balance = false
    /// Whether it is counted how long frames wait in classes.
    public var delay = false
    /// Cores whose polling mode differs from `polling`.
    public var cores: [CoreSettings] = []
    /// Where metrics are served; nil: nowhere.
    public var metrics: MetricsAddress?
    /// What is told to a collector of sFlow; nil: nothing.
    public var sflow: SFlowSettings?
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
            .flag("delay", \.delay, standard: standard.delay, help: "count how long frames wait in each class"),
            .optional("metrics", \.metrics, .metricsAddress, help: "where OpenMetrics is served by HTTP, for programs of this host; by default nowhere"),
            .map("sflow", \.sflow, .sflow, help: "samples of frames and ports' counters for a collector of sFlow; by default none"),
            .integer("buffers", \.buffers, 1_024...16_777_216, standard: standard.buffers, help: "frame buffers of each NUMA node in use"),
            // DPDK counts a buffer's bytes, including the 128 bytes of headroom, in 16 bits.
            .value("buffer-size", \.bufferSize, .bytes(512...63 << 10), standard: standard.bufferSize, help: "what one frame buffer holds; longer frames span several"),
            .flag("hugepages", \.hugepages, standard: standard.hugepages, help: "off: ordinary memory, which is slower"),
            .value(
                "memory", \.memory, .quantity(.size, nil) { _ in nil }, standard: standard.memory, tellsStandard: false,
                help: "memory to take; by default what the buffers need"),
        ]
    }
}
