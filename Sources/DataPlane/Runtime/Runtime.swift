import Configuration
import DPDKShim
import Glibc
import NUMA
import Scheduler
import VhostSessions

/// DPDK's environment, which exists once in a process, from the daemon's start to its end.
final class Runtime {
    let lcores: UnsafeMutableBufferPointer<Lcore>
    let clock: Clock
    /// The frequency of the time-stamp counter in Hz.
    let cyclesPerSecond: UInt64
    /// The frame buffers, shared by all ports.
    let pool: OpaquePointer
    let grace: GracePeriod
    /// The sockets of all guests.
    let vhost: VhostSessions
    /// The number of frames that one tree of one poll loop can hold.
    let bufferLimit: Int
    /// Bytes of frame data that one buffer of `pool` holds.
    let bufferSize: Int
    /// The path of the daemon's control socket, which no port may use; nil: there is none.
    let controlSocket: String?
    /// A pool of longer buffers, made when a port first needs it.
    private var longPool: OpaquePointer?
    private let runtimeDirectory: String

    /// - Throws: `DataPlaneError` if there is not enough memory or if a CPU may not be used. Nothing is left behind then except EAL itself, which can be
    ///   started only once in a process.
    init(_ settings: DaemonSettings, controlSocket: String? = nil) throws(DataPlaneError) {
        self.controlSocket = controlSocket
        let cpus = try Self.cpus(settings.cpus)
        let bytesNeeded = UInt64(settings.buffers) * UInt64(settings.bufferSize + 512) + 48 << 20
        if settings.hugepages { try Self.checkHugepages(needed: settings.memory > 0 ? settings.memory : bytesNeeded) }

        Self.removeStaleDirectories()
        let prefix = "\(Self.prefix)\(getpid())"
        runtimeDirectory = "\(Self.runtimeFolders)/\(prefix)"
        // The control thread, and the threads of vhost-user and EAL that inherit its CPUs, keep off the poll loops' CPUs if there are others.
        let others = NUMA.allowedCPUs.filter { !cpus.contains($0) }
        let control = (others.isEmpty ? cpus : others).map(String.init).joined(separator: ",")
        let map = ["0@(\(control))"] + cpus.enumerated().map { "\($0.offset + 1)@\($0.element)" }
        var arguments = [
            "sluiced", "--lcores", map.joined(separator: ","), "--main-lcore", "0", "--file-prefix", prefix,
            // EAL takes over every device it finds unless it is given a list; this list names only a device that is not there.
            "--allow", "ffff:ff:1f.7", "--log-level", "lib.*:warning", "--log-level", "lib.eal:error", "--log-level", "lib.telemetry:error", "--log-level", "pmd.*:warning",
            "--log-level", "user1:warning",
        ]
        arguments += settings.hugepages ? ["--in-memory"] : ["--no-huge", "-m", String(max(settings.memory, bytesNeeded * 5 / 4) >> 20)]
        if settings.hugepages && settings.memory > 0 { arguments += ["-m", String(settings.memory >> 20)] }
        let before = sluice_instant_now()
        guard sluice_log_without_waiting() == 0 else { throw DataPlaneError("no memory for DPDK's log") }
        sluice_guest_memory_watch()
        try EAL.start(arguments)
        let claimed = sluice_frame_claim_flag()
        guard claimed == 0 else { throw DataPlaneError("a driver took the flag of frame buffers that the switch needs: \(DataPlaneError.errorText(claimed))") }
        // EAL takes so long to start that measuring the counter's frequency over that time needs no further wait.
        cyclesPerSecond = sluice_cycles_per_second(before)
        clock = Clock(frequency: cyclesPerSecond)
        guard let pool = rte_pktmbuf_pool_create(
            "frames", UInt32(settings.buffers), 256, 0, UInt16(settings.bufferSize + Int(RTE_PKTMBUF_HEADROOM)), SOCKET_ID_ANY)
        else {
            let reason = DataPlaneError.errorText(sluice_rte_errno())
            throw DataPlaneError("""
                no memory for \(settings.buffers) frame buffers of \(settings.bufferSize) bytes (\(reason)): lower daemon.buffers, or add \
                hugepages: echo \(bytesNeeded / (2 << 20) + 1) > /proc/sys/vm/nr_hugepages
                """)
        }
        self.pool = pool
        lcores = UnsafeMutableBufferPointer(start: UnsafeMutablePointer<Lcore>.onOwnLines(cpus.count), count: cpus.count)
        for (index, cpu) in cpus.enumerated() {
            let event = sluice_event_create()
            guard event >= 0 else { throw DataPlaneError("no eventfd for the poll loop on CPU \(cpu): \(DataPlaneError.errorText(event))") }
            (lcores.baseAddress! + index).initialize(to: Lcore(
                index: index, of: cpus.count, id: UInt32(index + 1), cpu: cpu, clock: clock, pool: pool,
                backlogLimit: settings.buffers * 3 / 4 / cpus.count, event: event, mode: settings.polling(ofCPU: cpu)))
        }
        do { vhost = try VhostSessions() } catch { throw DataPlaneError(error.description) }
        bufferLimit = settings.buffers
        bufferSize = settings.bufferSize
        grace = GracePeriod(lcores: lcores)
        GracePeriod.guardDevices(grace)
        let fixed = sluice_heap_fixed_for_loops()
        guard fixed == 0 else { throw DataPlaneError("DPDK's heap cannot be kept from growing in poll loops: \(DataPlaneError.errorText(fixed))") }
    }

    /// The buffers for a driver that needs each frame in a single buffer: those of all ports if they are large enough, otherwise longer ones.
    func pool(holding bytes: Int, port: String) throws(DataPlaneError) -> OpaquePointer {
        if bytes <= bufferSize { return pool }
        if let longPool { return longPool }
        let size = PacketRing(mtu: PortSettings.mtus.upperBound).slot
        // There are an eighth as many of them, as each is at least four times as large.
        let count = min(max(bufferLimit / 8, 1_024), 8_192)
        guard let pool = rte_pktmbuf_pool_create("long frames", UInt32(count), 256, 0, UInt16(size + Int(RTE_PKTMBUF_HEADROOM)), SOCKET_ID_ANY) else {
            throw DataPlaneError("""
                port \(port): no memory for \(count) buffers of \(size) bytes, which AF_PACKET needs for this mtu \
                (\(DataPlaneError.errorText(sluice_rte_errno()))): add \(count * (size + 512) / (2 << 20) + 1) hugepages of 2 MiB, or write mtu \
                \(PacketRing(mtu: 0).longestMTU) or less
                """)
        }
        longPool = pool
        return pool
    }

    var now: Nanoseconds { clock.nanoseconds(sluice_cycles()) }

    /// Starts the poll loops, each of which must have a snapshot by then.
    func launch() throws(DataPlaneError) {
        for index in lcores.indices {
            let lcore = lcores.baseAddress! + index
            let result = rte_eal_remote_launch(pollLoop, lcore, lcore.pointee.id)
            guard result == 0 else { throw DataPlaneError("poll loop on CPU \(lcore.pointee.cpu) did not start: \(DataPlaneError.errorText(result))") }
            while !lcore.pointee.running.load(ordering: .acquiring) { pause(microseconds: 20) }
        }
    }

    /// Stops the poll loops, and waits until they have ended.
    func halt() {
        for index in lcores.indices { (lcores.baseAddress! + index).pointee.stop.store(true, ordering: .relaxed) }
        lcores.wake()
        for index in lcores.indices {
            let lcore = lcores.baseAddress! + index
            waitFor(lcore, microseconds: 50) { lcore.pointee.running.load(ordering: .acquiring) }
            rte_eal_wait_lcore(lcore.pointee.id)
        }
    }

    /// Gives back everything that would outlive the process. Memory is left to end with the process, because `rte_eal_cleanup` would unmap what EAL's own
    /// threads still use for the interrupts of memif devices.
    func close() {
        GracePeriod.guardDevices(nil)
        for index in lcores.indices { (lcores.baseAddress! + index).deinitialize(count: 1) }
        lcores.deallocate()
        Self.removeDirectory(runtimeDirectory)
    }

    /// The folder in which EAL puts its telemetry socket. Each process has a folder of its own there, named by its pid.
    private static let runtimeFolders = "/var/run/dpdk"
    private static let prefix = "sluice-"

    /// Removes the folders of daemons that were killed.
    private static func removeStaleDirectories() {
        for name in names(in: runtimeFolders) where name.hasPrefix(prefix) {
            guard let pid = pid_t(name.dropFirst(prefix.count)), kill(pid, 0) != 0, errno == ESRCH else { continue }
            removeDirectory("\(runtimeFolders)/\(name)")
        }
    }

    private static func removeDirectory(_ path: String) {
        for name in names(in: path) { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    private static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(cString: $0.bindMemory(to: CChar.self).baseAddress!) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// The CPUs that run poll loops.
    /// - Throws: `DataPlaneError` if one of those in `wanted` may not be used.
    private static func cpus(_ wanted: [Int]) throws(DataPlaneError) -> [Int] {
        let allowed = NUMA.allowedCPUs
        if let missing = wanted.first(where: { !allowed.contains($0) }) {
            throw DataPlaneError("daemon.cpus names CPU \(missing), which this process may not use; it may use \(allowed.map(String.init).joined(separator: ", "))")
        }
        if !wanted.isEmpty { return wanted }
        return allowed.count > 1 ? Array(allowed.dropFirst()) : allowed
    }

    /// Refuses to start if hugepages are missing, with a sentence that says how to get them; EAL would only write a line to its log.
    private static func checkHugepages(needed: UInt64) throws(DataPlaneError) {
        guard let file = fopen("/proc/meminfo", "r") else { return }
        defer { fclose(file) }
        var free: UInt64 = 0
        var total: UInt64 = 0
        var size: UInt64 = 2 << 20
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { Glibc.free(line) }
        while getline(&line, &capacity, file) > 0 {
            let words = String(cString: line!).split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "\n" })
            guard words.count >= 2, let value = UInt64(words[1]) else { continue }
            switch words[0] {
            case "HugePages_Free": free = value
            case "HugePages_Total": total = value
            case "Hugepagesize": size = value << 10
            default: break
            }
        }
        guard free * size < needed else { return }
        let missing = (needed + size - 1) / size - free
        throw DataPlaneError("""
            not enough hugepages: \(needed >> 20) MiB are needed and \(free * size >> 20) MiB are free. Add them with \
            `echo \(total + missing) > /proc/sys/vm/nr_hugepages`, lower daemon.buffers, or set daemon.hugepages: false for a trial
            """)
    }
}
